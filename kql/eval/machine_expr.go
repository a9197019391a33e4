package eval

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"glassward/kql/value"
)

// expr makes an expression of a machine a function of the frame. What depends on the row alone the engine has
// computed; here stands what depends on the state too.
func (m *Machine) expr(e *MachineExpr) (func(*frame) any, error) {
	if e == nil {
		return func(*frame) any { return nil }, nil
	}
	t, _ := value.ParseType(e.T)
	switch e.F {
	case "const":
		var v any
		if e.V != nil {
			v = cellValue(*e.V, t)
		} else if t == tStr {
			v = ""
		}
		return func(*frame) any { return v }, nil
	case "cell":
		i := e.I
		if i < 0 || i >= len(m.Cells) {
			return nil, fmt.Errorf("scan: no cell %d", i)
		}
		return func(f *frame) any { return f.row[i] }, nil
	case "state":
		s, i := e.S, e.I
		if i < 0 || i >= len(m.State) || s < 0 {
			return nil, fmt.Errorf("scan: no state %d", i)
		}
		return func(f *frame) any {
			if s < len(f.state) && f.state[s] != nil {
				return f.state[s].kept[i]
			}
			return f.empty[i]
		}, nil
	}
	args := make([]func(*frame) any, len(e.A))
	kinds := make([]value.Type, len(e.A))
	for i, a := range e.A {
		var err error
		if args[i], err = m.expr(a); err != nil {
			return nil, err
		}
		kinds[i], _ = value.ParseType(a.T)
	}
	if e.F == "path" {
		return path(args[0], e.P), nil
	}
	if g := lazy(e.F, args, t); g != nil {
		return g, nil
	}
	g := m.operation(e.F, kinds, t)
	if g == nil {
		g = m.function(e.F, kinds)
	}
	if g == nil {
		return nil, fmt.Errorf("the function %s over the state of a step is not supported in scan", e.F)
	}
	return func(f *frame) any {
		in := make([]any, len(args))
		for i, a := range args {
			in[i] = a(f)
		}
		return g(in)
	}, nil
}

func path(x func(*frame) any, steps []MachinePath) func(*frame) any {
	return func(f *frame) any {
		v := dyn(x(f))
		for _, s := range steps {
			switch c := v.(type) {
			case *value.Object:
				v = nil
				if s.Key != nil {
					v, _ = c.Get(*s.Key)
				}
			case []any:
				i := s.At
				if i < 0 {
					i += len(c)
				}
				v = nil
				if s.Key == nil && i >= 0 && i < len(c) {
					v = c[i]
				}
			default:
				v = nil
			}
		}
		return js(v)
	}
}

// lazy gives the functions that do not compute all of their arguments.
func lazy(name string, a []func(*frame) any, t value.Type) func(*frame) any {
	switch name {
	case "and", "or":
		stop := name == "or"
		return func(f *frame) any {
			null := false
			for _, x := range a {
				switch x(f) {
				case stop:
					return stop
				case nil:
					null = true
				}
			}
			if null {
				return nil
			}
			return !stop
		}
	case "iff":
		return func(f *frame) any {
			if a[0](f) == true {
				return a[1](f)
			}
			return a[2](f)
		}
	case "case":
		return func(f *frame) any {
			for i := 0; i+1 < len(a); i += 2 {
				if a[i](f) == true {
					return a[i+1](f)
				}
			}
			return a[len(a)-1](f)
		}
	case "coalesce":
		return func(f *frame) any {
			for _, x := range a {
				if v := x(f); v != nil && v != "" {
					return v
				}
			}
			if t == tStr {
				return ""
			}
			return nil
		}
	}
	return nil
}

// strict gives null for null.
func strict(f func(a []any) any) func([]any) any {
	return func(a []any) any {
		for _, v := range a {
			if v == nil {
				return nil
			}
		}
		return f(a)
	}
}

// operation gives the operators and the functions that SQL says by itself.
func (m *Machine) operation(name string, kinds []value.Type, t value.Type) func([]any) any {
	switch name {
	case "+", "-", "*", "/", "%":
		return strict(arithmetic(name, kinds, t))
	case "negate":
		return strict(func(a []any) any {
			switch v := a[0].(type) {
			case int64:
				return -v
			case string:
				return string(dec(v).Neg())
			}
			return -real(a[0], 0)
		})
	case "not":
		return strict(func(a []any) any { return !truth(a[0]) })
	case "==", "!=":
		return func(a []any) any {
			if a[0] == nil && a[1] == nil {
				return nil
			}
			equal := a[0] != nil && a[1] != nil && ordered(a[0], a[1]) == 0
			return equal == (name == "==")
		}
	case "<", "<=", ">", ">=":
		return strict(func(a []any) any {
			c := ordered(a[0], a[1])
			switch name {
			case "<":
				return c < 0
			case "<=":
				return c == -1 || c == 0
			case ">":
				return c == 1
			}
			return c == 1 || c == 0
		})
	case "in", "in~":
		return func(a []any) any {
			for _, v := range a[1:] {
				if a[0] == nil || v == nil {
					continue
				}
				if ordered(a[0], v) == 0 || name == "in~" && strings.EqualFold(str(a[0]), str(v)) {
					return true
				}
			}
			return false
		}
	case "=~":
		return func(a []any) any {
			// As the engine: by small letters, not by folding.
			l, r := strings.ToLower(str(a[0])), strings.ToLower(str(a[1]))
			return l == r
		}
	case "contains", "startswith", "endswith", "contains_cs", "startswith_cs", "endswith_cs":
		base, cs := strings.CutSuffix(name, "_cs")
		test := map[string]func(s, part string) bool{"contains": strings.Contains, "startswith": strings.HasPrefix, "endswith": strings.HasSuffix}[base]
		return func(a []any) any {
			if cs {
				return test(str(a[0]), str(a[1]))
			}
			return test(strings.ToLower(str(a[0])), strings.ToLower(str(a[1])))
		}
	case "has", "hasprefix", "hassuffix", "has_cs", "hasprefix_cs", "hassuffix_cs":
		base, cs := strings.CutSuffix(name, "_cs")
		f, ok := m.callable["kql_"+base]
		if !ok {
			return nil
		}
		return func(a []any) any { return called(f, []any{str(a[0]), str(a[1]), cs}) }
	case "has_any":
		f, ok := m.callable["kql_has"]
		if !ok {
			return nil
		}
		return func(a []any) any {
			return slices.ContainsFunc(a[1:], func(term any) bool { return called(f, []any{str(a[0]), str(term), false}) == true })
		}
	case "matches regex":
		return m.named("matches")
	case "isnull", "isnotnull":
		return func(a []any) any { return (a[0] == nil) == (name == "isnull") }
	case "isempty", "isnotempty":
		return func(a []any) any { return (textOf(a[0], kinds[0]) == "") == (name == "isempty") }
	case "tostring":
		return func(a []any) any { return textOf(a[0], kinds[0]) }
	case "dynamic_text":
		return func(a []any) any {
			if a[0] == nil {
				return nil
			}
			return textOf(a[0], kinds[0])
		}
	case "todynamic_value", "dynamic_json":
		return func(a []any) any { return jsonOf(a[0], kinds[0]) }
	case "parse_json":
		if kinds[0] != tStr {
			return func(a []any) any { return jsonOf(a[0], kinds[0]) }
		}
		return m.named("parse_json")
	case "toint", "tolong", "toreal", "todecimal", "tobool", "todatetime", "totimespan", "toguid":
		return strict(func(a []any) any { return m.converted(a[0], kinds[0], t) })
	case "strcat":
		return func(a []any) any {
			var b strings.Builder
			for i, v := range a {
				b.WriteString(textOf(v, kinds[i]))
				if b.Len() > MaxText {
					break
				}
			}
			return bounded(b.String(), tStr)
		}
	case "strcat_delim":
		return func(a []any) any {
			parts := make([]string, 0, len(a))
			for i, v := range a[1:] {
				parts = append(parts, textOf(v, kinds[i+1]))
			}
			return bounded(strings.Join(parts, str(a[0])), tStr)
		}
	case "strlen":
		return func(a []any) any { return int64(len([]rune(str(a[0])))) }
	case "string_size":
		return func(a []any) any { return int64(len(str(a[0]))) }
	case "tolower":
		return func(a []any) any { return strings.ToLower(str(a[0])) }
	case "toupper":
		return func(a []any) any { return strings.ToUpper(str(a[0])) }
	case "max_of", "min_of":
		want := 1
		if name == "min_of" {
			want = -1
		}
		return func(a []any) any {
			var best any
			for _, v := range a {
				if v != nil && (best == nil || ordered(v, best) == want) {
					best = v
				}
			}
			return best
		}
	case "abs":
		return strict(func(a []any) any {
			switch v := a[0].(type) {
			case int64:
				return max(v, -v)
			case string:
				return string(dec(v).Abs())
			}
			return math.Abs(real(a[0], 0))
		})
	case "bin", "floor":
		if t == value.Decimal {
			return m.named("decimal_bin")
		}
		return strict(func(a []any) any {
			if t == tReal {
				s := real(a[1], 1)
				return math.Floor(real(a[0], 0)/s) * s
			}
			n, s := long(a[0], 0), long(a[1], 0)
			if s <= 0 {
				return nil
			}
			return n - (n%s+s)%s
		})
	case "round":
		if t == value.Decimal {
			return m.function("decimal_round", kinds)
		}
	case "ceiling":
		if t == value.Decimal {
			return m.named("decimal_ceiling")
		}
		return strict(func(a []any) any { return math.Ceil(real(a[0], 0)) })
	case "exp", "sqrt", "log", "log10", "log2":
		f := map[string]func(float64) float64{"exp": math.Exp, "sqrt": math.Sqrt, "log": math.Log, "log10": math.Log10, "log2": math.Log2}[name]
		return strict(func(a []any) any { return f(real(a[0], 0)) })
	case "sign":
		if kinds[0] == value.Decimal {
			return m.named("decimal_sign")
		}
		return strict(func(a []any) any {
			switch v := real(a[0], 0); {
			case v > 0:
				return 1.0
			case v < 0:
				return -1.0
			}
			return 0.0
		})
	case "pack_array":
		return func(a []any) any {
			parts := make([]string, len(a))
			for i, v := range a {
				parts[i] = element(v, kinds[i])
			}
			return bounded("["+strings.Join(parts, ",")+"]", tDyn)
		}
	case "bag_pack":
		return func(a []any) any {
			o := &value.Object{}
			for i := 0; i+1 < len(a); i += 2 {
				o.Set(str(a[i]), dyn(jsonOf(a[i+1], kinds[i+1])))
			}
			return bounded(value.JSON(o), tDyn)
		}
	case "startofday":
		if len(kinds) == 1 {
			return strict(func(a []any) any { n := long(a[0], 0); return n - n%int64(value.Day) })
		}
	case "dayofweek":
		return strict(func(a []any) any { return (long(a[0], 0)/int64(value.Day) + 1) % 7 * int64(value.Day) })
	case "gettype":
		if kinds[0] != tDyn {
			return func([]any) any { return kinds[0].String() }
		}
	case "binary_and", "binary_or", "binary_xor":
		return strict(func(a []any) any {
			x, y := long(a[0], 0), long(a[1], 0)
			switch name {
			case "binary_and":
				return x & y
			case "binary_or":
				return x | y
			}
			return x ^ y
		})
	case "binary_not":
		return strict(func(a []any) any { return ^long(a[0], 0) })
	case "isnan":
		return strict(func(a []any) any { return math.IsNaN(real(a[0], 0)) })
	case "isinf":
		return strict(func(a []any) any { return math.IsInf(real(a[0], 0), 0) })
	case "isfinite":
		return strict(func(a []any) any { x := real(a[0], 0); return !math.IsNaN(x) && !math.IsInf(x, 0) })
	case "bin_at":
		if t == value.Decimal {
			return m.named("decimal_bin_at")
		}
		return strict(func(a []any) any {
			if t == tReal {
				x, s, at := real(a[0], 0), real(a[1], 1), real(a[2], 0)
				if !(s > 0) {
					return nil
				}
				return at + math.Floor((x-at)/s)*s
			}
			n, s, at := long(a[0], 0), long(a[1], 0), long(a[2], 0)
			if s <= 0 {
				return nil
			}
			return n - ((n-at)%s+s)%s
		})
	case "hourofday":
		return strict(func(a []any) any { return long(a[0], 0) / int64(value.Hour) % 24 })
	}
	return nil
}

func (m *Machine) named(name string) func([]any) any {
	f, ok := m.callable["kql_"+name]
	if !ok {
		return nil
	}
	return func(a []any) any { return called(f, a) }
}

// library gives a function of this package, with its arguments made what it takes.
func (m *Machine) function(name string, kinds []value.Type) func([]any) any {
	f, ok := m.callable["kql_"+name]
	if !ok || name == "scan" {
		return nil
	}
	return func(a []any) any {
		in := make([]any, len(f.Params))
		for i, p := range f.Params {
			if f.Variadic && i == len(f.Params)-1 {
				var parts []string
				for j := i; j < len(a); j++ {
					parts = append(parts, element(a[j], kinds[j]))
				}
				in[i] = "[" + strings.Join(parts, ",") + "]"
				break
			}
			if i < len(a) {
				in[i] = m.given(a[i], kinds[i], p)
			}
		}
		return called(f, in)
	}
}

// called calls a function as the engine does.
func called(f *Function, in []any) any {
	if !f.NullIn {
		for _, v := range in {
			if v == nil {
				if f.Result == tStr {
					return ""
				}
				return nil
			}
		}
	}
	v, err := f.Call(in)
	if err != nil {
		v = nil
	}
	if v == nil && f.Result == tStr {
		return ""
	}
	return v
}

// given makes a value of one type what a function takes.
func (m *Machine) given(v any, from, to value.Type) any {
	switch {
	case from == to:
		return v
	case to == tDyn:
		return jsonOf(v, from)
	case to == tStr:
		return textOf(v, from)
	case v == nil:
		return nil
	case from == tDyn:
		return m.converted(v, from, to)
	case from == value.Decimal:
		return m.converted(v, from, to)
	case to == tReal:
		return number(v)
	case to == tLong || to == tInt:
		if b, ok := v.(bool); ok {
			return int64(number(b))
		}
		if r, ok := v.(float64); ok {
			return realLong(r)
		}
	}
	return v
}

func number(v any) float64 {
	if b, ok := v.(bool); ok {
		if b {
			return 1
		}
		return 0
	}
	return real(v, 0)
}

// textOf is tostring.
func textOf(v any, t value.Type) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		switch t {
		case tTime:
			return value.Ticks(v).String()
		case tSpan:
			return value.Span(v).String()
		}
		return strconv.FormatInt(v, 10)
	case float64:
		return value.FormatReal(v)
	case string:
		switch t {
		case tDyn:
			return value.Text(dyn(v))
		case value.Decimal:
			return dec(v).String()
		}
		return v
	}
	return ""
}

// jsonOf gives a value as JSON text, nil for null.
func jsonOf(v any, t value.Type) any {
	switch v := v.(type) {
	case nil:
		return nil
	case int64:
		switch t {
		case tTime:
			return value.JSON(value.Ticks(v))
		case tSpan:
			return value.JSON(value.Span(v))
		}
	case string:
		switch t {
		case tDyn:
			return v
		case value.Decimal:
			return value.JSON(dec(v))
		}
	}
	return value.JSON(v)
}

func element(v any, t value.Type) string {
	if s, ok := jsonOf(v, t).(string); ok {
		return s
	}
	return "null"
}

// converted changes a value's type as the functions tolong and its kin do.
func (m *Machine) converted(v any, from, to value.Type) any {
	name := ""
	switch from {
	case tDyn:
		name = "dynamic_" + to.String()
	case tStr:
		name = "string_" + to.String()
	}
	if name != "" {
		if f, ok := m.callable["kql_"+name]; ok {
			if got := called(f, []any{v}); to != tGUID || got != "" {
				return got
			}
		}
		return nil
	}
	if from == value.Decimal {
		return decimalTo(dec(v), to)
	}
	switch to {
	case value.Decimal:
		return decimalOf(v)
	case tInt, tLong:
		var n any
		switch v := v.(type) {
		case bool:
			n = int64(number(v))
		case int64:
			n = v
		case float64:
			n = realLong(v)
		}
		if i, ok := n.(int64); ok && to == tInt && i != int64(int32(i)) {
			return nil
		}
		return n
	case tReal:
		if from == tGUID {
			return nil
		}
		return number(v)
	case tBool:
		if from.Numeric() {
			return number(v) != 0
		}
	case tTime:
		if n, ok := v.(int64); ok && from.Numeric() && n >= 0 && n <= int64(value.MaxTicks) {
			return n
		}
	case tSpan:
		if n, ok := v.(int64); ok && from.Numeric() {
			return n
		}
	}
	return nil
}

func ordered(a, b any) int {
	switch x := a.(type) {
	case string:
		return strings.Compare(x, str(b))
	case bool:
		return ordered(int64(number(x)), int64(number(b)))
	case int64:
		if y, ok := b.(int64); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	x, y := number(a), number(b)
	switch {
	case x == y:
		return 0
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 2 // a number that is none compares with nothing
}

func arithmetic(op string, kinds []value.Type, t value.Type) func([]any) any {
	l, r := kinds[0], kinds[1]
	switch {
	case t == tReal && l == tSpan && r == tSpan:
		return func(a []any) any { return real(a[0], 0) / real(a[1], 0) }
	case t == value.Decimal:
		f := map[string]func(a, b value.Dec) (value.Dec, bool){"+": value.Dec.Add, "-": value.Dec.Sub, "*": value.Dec.Mul, "/": value.Dec.Quo, "%": value.Dec.Mod}[op]
		return func(a []any) any { return decimalOr(f(dec(a[0]), dec(a[1]))) }
	case t == tReal:
		return func(a []any) any {
			x, y := real(a[0], 0), real(a[1], 0)
			switch op {
			case "+":
				return x + y
			case "-":
				return x - y
			case "*":
				return x * y
			case "/":
				return x / y
			}
			y = math.Abs(y)
			return math.Mod(math.Mod(x, y)+y, y)
		}
	case t == tSpan && (!l.Integer() && l != tSpan && l != tTime || !r.Integer() && r != tSpan && r != tTime):
		return func(a []any) any {
			x, y := real(a[0], 0), real(a[1], 0)
			if op == "/" {
				return realLong(math.Round(x / y))
			}
			return realLong(math.Round(x * y))
		}
	}
	return func(a []any) any {
		x, y := long(a[0], 0), long(a[1], 0)
		switch op {
		case "+", "-":
			n := x + y
			if op == "-" {
				n, y = x-y, -y
			}
			if t != tLong && t != tInt && (n > x) != (y > 0) && y != 0 {
				return nil
			}
			if t == tTime && (n < 0 || n > int64(value.MaxTicks)) {
				return nil
			}
			return n
		case "*":
			return x * y
		}
		if y == 0 {
			return nil
		}
		if op == "/" {
			if y == -1 {
				return -x
			}
			return x / y
		}
		// As the rest is never less than zero, so it is added to only where it is: the sum stays in range, for
		// the smallest long too, whose opposite is itself.
		n := x % y
		if n < 0 && y < 0 {
			n -= y
		} else if n < 0 {
			n += y
		}
		return n
	}
}
