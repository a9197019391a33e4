package trial

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"glassward/kql/eval"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// An env is where an expression finds its columns.
type env struct{ row, left, right map[string]cell }

// expr computes an expression as far as it can be.
func (t *trial) expr(e rel.Expr, in env) cell {
	switch x := e.(type) {
	case *rel.Const:
		switch v := x.Value.(type) {
		case string:
			if x.T == value.Dynamic {
				return parseDynamic(v)
			}
		case value.Dec:
			return hangs(other("decimal"))
		}
		if x.Value == nil && x.T == value.String {
			return cell{v: ""}
		}
		return cell{v: x.Value}
	case *rel.Param:
		if x.Name == "now" {
			return cell{v: t.now}
		}
		return hangs(other(x.Name))
	case *rel.Col:
		from := in.row
		switch x.Side {
		case rel.Left:
			from = in.left
		case rel.Right:
			from = in.right
		}
		if c, ok := from[x.Name]; ok {
			return c
		}
		return hangs(other("column " + x.Name))
	case *rel.Path:
		return path(t.expr(x.X, in), x.Steps)
	case *rel.Call:
		return t.call(x, in)
	case *rel.InTable:
		v, list := t.expr(x.X, in), t.rel(x.Rel)
		is := yes(false)
		if len(list.open) > 0 {
			is = hangs(list.open)
		}
		first := ""
		if cols := x.Rel.Columns(); len(cols) > 0 {
			first = cols[0].Name
		}
		op := "=="
		if x.Fold {
			op = "=~"
		}
		for _, r := range list.rows {
			is = or(is, and(r.is, compare(op, v, r.cells[first])))
		}
		if x.Not {
			return not(is)
		}
		return is
	case *rel.Scalar:
		list := t.rel(x.Rel)
		cols := x.Rel.Columns()
		if len(list.open) == 0 && len(list.rows) == 1 && list.rows[0].is.isTrue() && len(cols) > 0 {
			return list.rows[0].cells[cols[0].Name]
		}
		return hangs(list.open.and(other("toscalar()")))
	}
	return hangs(other("an expression"))
}

// call computes a function or an operator.
func (t *trial) call(x *rel.Call, in env) cell {
	if rel.IsWindow(x.Func) {
		return hangs(other(x.Func + "()"))
	}
	a := make([]cell, len(x.Args))
	for i, e := range x.Args {
		a[i] = t.expr(e, in)
	}
	var why reasons
	for _, c := range a {
		why = why.and(c.why)
	}
	switch x.Func {
	case "and":
		is := yes(true)
		for _, c := range a {
			is = and(is, c)
		}
		return is
	case "or":
		is := yes(false)
		for _, c := range a {
			is = or(is, c)
		}
		return is
	case "not":
		return not(a[0])
	case "isempty", "isnotempty", "isnull", "isnotnull":
		return emptiness(x.Func, a[0], x.Args[0].Type())
	case "iff", "case":
		for i := 0; i+1 < len(a); i += 2 {
			switch {
			case a[i].isTrue():
				return a[i+1]
			case !a[i].isFalse():
				return hangs(why)
			}
		}
		return a[len(a)-1]
	case "coalesce":
		for _, c := range a {
			if !c.known() {
				return hangs(why)
			}
			if c.v != nil && c.v != "" {
				return c
			}
		}
		return a[len(a)-1]
	case "in", "in~":
		op := "=="
		if x.Func == "in~" {
			op = "=~"
		}
		is := yes(false)
		for _, c := range spread(a[1:]) {
			is = or(is, compare(op, a[0], c))
		}
		return is
	case "has_any", "has_all":
		is := yes(x.Func == "has_all")
		for _, c := range spread(a[1:]) {
			one := text2("has", a[0], c)
			if x.Func == "has_any" {
				is = or(is, one)
			} else {
				is = and(is, one)
			}
		}
		return is
	case "==", "!=", "<", "<=", ">", ">=", "=~", "!~":
		return compare(x.Func, a[0], a[1])
	case "contains", "contains_cs", "startswith", "startswith_cs", "endswith", "endswith_cs",
		"has", "has_cs", "hasprefix", "hasprefix_cs", "hassuffix", "hassuffix_cs", "matches regex":
		return text2(x.Func, a[0], a[1])
	}
	if len(why) > 0 {
		// Of what is not known only this is: the text of what is not empty is not.
		full := len(a) == 1 && a[0].full && (x.Func == "tostring" || x.Func == "tolower" || x.Func == "toupper")
		return cell{why: why, full: full}
	}
	if c, ok := computed(x, a); ok {
		return c
	}
	return hangs(other(x.Func + "()"))
}

// spread takes lists of constants apart.
func spread(list []cell) []cell {
	var out []cell
	for _, c := range list {
		if d, ok := c.v.(dyn); ok {
			if items, ok := d.v.([]any); ok {
				for _, x := range items {
					out = append(out, textOf(dynamicCell(x)))
				}
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// computed computes a function of values that are known.
func computed(x *rel.Call, a []cell) (cell, bool) {
	str := func(i int) (string, bool) { s, ok := a[i].v.(string); return s, ok }
	switch x.Func {
	case "tostring", "dynamic_text":
		if t := x.Args[0].Type(); t == value.DateTime || t == value.TimeSpan || t == value.Decimal {
			return cell{}, false
		}
		return textOf(a[0]), true
	case "tolower", "toupper":
		s, ok := str(0)
		if !ok || !ascii(s) {
			return cell{}, false
		}
		if x.Func == "tolower" {
			return cell{v: strings.ToLower(s)}, true
		}
		return cell{v: strings.ToUpper(s)}, true
	case "strcat":
		var b strings.Builder
		for i, c := range a {
			if t := x.Args[i].Type(); t != value.String && t != value.Dynamic && t != value.Bool && t != value.Long && t != value.Int {
				return cell{}, false
			}
			s, ok := textOf(c).v.(string)
			if !ok {
				return cell{}, false
			}
			b.WriteString(s)
		}
		return cell{v: b.String()}, true
	case "toreal", "tolong", "toint":
		return number(x.Func, a[0])
	case "parse_json", "todynamic_value":
		switch v := a[0].v.(type) {
		case string:
			if x.Args[0].Type() == value.String {
				if c := parseDynamic(v); c.known() {
					return c, true
				}
			}
		case dyn:
			return a[0], true
		}
	case "+", "-":
		l, ok := a[0].v.(int64)
		r, too := a[1].v.(int64)
		if ok && too && (x.T == value.DateTime || x.T == value.TimeSpan || x.T == value.Long) {
			if x.Func == "-" {
				r = -r
			}
			if s := l + r; (s > l) == (r > 0) {
				return cell{v: s}, true
			}
		}
	case "bin":
		l, ok := a[0].v.(int64)
		r, too := a[1].v.(int64)
		if ok && too && l >= 0 && r > 0 {
			return cell{v: l - l%r}, true
		}
	case "array_length":
		if d, ok := a[0].v.(dyn); ok {
			if list, ok := d.v.([]any); ok {
				return cell{v: int64(len(list))}, true
			}
		}
	}
	return cell{}, false
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// number converts plain decimal numbers; what else may be one is left.
var (
	plain = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,15})?$`)
	whole = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,14})$`)
)

func number(name string, c cell) (cell, bool) {
	var f float64
	switch v := c.v.(type) {
	case int64:
		f = float64(v)
	case float64:
		f = v
	case string:
		if !plain.MatchString(v) {
			return cell{}, false
		}
		f, _ = strconv.ParseFloat(v, 64)
	case dyn:
		if n, ok := v.v.(json.Number); ok {
			return number(name, cell{v: string(n)})
		} else if s, ok := v.v.(string); ok {
			return number(name, cell{v: s})
		} else {
			return cell{}, false
		}
	default:
		return cell{}, false
	}
	if name == "toreal" {
		return cell{v: f}, true
	}
	if f != math.Trunc(f) || math.Abs(f) > 1<<30 {
		return cell{}, false
	}
	return cell{v: int64(f)}, true
}

// emptiness says whether a value is empty or null.
func emptiness(name string, c cell, t value.Type) cell {
	is := cell{why: c.why}
	null := strings.HasSuffix(name, "null")
	d, dynamic := c.v.(dyn)
	switch {
	case null && t == value.String:
		is = yes(false)
	case !c.known() && c.full:
		is = yes(false)
	case !c.known():
	case null:
		is = yes(c.v == nil || dynamic && d.v == nil)
	default:
		s := textOf(c)
		is = yes(c.v == nil || s.v == "")
	}
	if strings.HasPrefix(name, "isnot") {
		return not(is)
	}
	return is
}

// textOf gives the text of a value, as tostring does.
func textOf(c cell) cell {
	if !c.known() {
		return c
	}
	switch v := c.v.(type) {
	case nil:
		return cell{v: ""}
	case bool:
		return cell{v: strconv.FormatBool(v)}
	case int64:
		return cell{v: strconv.FormatInt(v, 10)}
	case float64:
		return cell{v: value.FormatReal(v)}
	case dyn:
		switch d := v.v.(type) {
		case nil:
			return cell{v: ""}
		case string:
			return cell{v: d}
		case json.Number:
			if whole.MatchString(string(d)) {
				return cell{v: string(d)}
			}
			return hangs(other("the text of a number"))
		}
		b, err := json.Marshal(v.v)
		if err != nil {
			return hangs(other("tostring()"))
		}
		return cell{v: string(b)}
	}
	return c
}

func parseDynamic(text string) cell {
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil || d.More() {
		return hangs(other("a dynamic value"))
	}
	return dynamicCell(v)
}

func dynamicCell(v any) cell {
	if v == nil {
		return cell{}
	}
	return cell{v: dyn{v}}
}

// convertDynamic gives an element of a dynamic value as another type.
func convertDynamic(c cell, t value.Type) cell {
	if c.known() && t == value.String {
		return textOf(c)
	}
	return hangs(c.why.and(other("mv-expand")))
}

// path goes into a dynamic value; what is not there is null.
func path(c cell, steps []rel.Step) cell {
	if !c.known() {
		return hangs(c.why)
	}
	d, _ := c.v.(dyn)
	v := d.v
	for _, s := range steps {
		switch x := v.(type) {
		case map[string]any:
			if s.Key == nil {
				return cell{}
			}
			v = x[*s.Key]
		case []any:
			i := s.Index
			if i < 0 {
				i += len(x)
			}
			if s.Key != nil || i < 0 || i >= len(x) {
				return cell{}
			}
			v = x[i]
		default:
			return cell{}
		}
	}
	return dynamicCell(v)
}

// compare compares two values of one type. A null is compared as nothing that is
// computed here.
func compare(op string, a, b cell) cell {
	if !a.known() || !b.known() {
		// What is not empty is not the empty text.
		if x, y := a, b; op == "==" || op == "!=" {
			if x.known() {
				x, y = y, x
			}
			if x.full && y.known() && y.v == "" {
				return yes(op == "!=")
			}
		}
		return hangs(a.why.and(b.why))
	}
	if op == "=~" || op == "!~" {
		x, ok := textOf(a).v.(string)
		y, too := textOf(b).v.(string)
		if !ok || !too || !ascii(x) || !ascii(y) {
			return hangs(other(op))
		}
		return yes(strings.EqualFold(x, y) == (op == "=~"))
	}
	for _, c := range []*cell{&a, &b} {
		if _, ok := c.v.(dyn); ok {
			*c = textOf(*c)
		}
	}
	if !a.known() || !b.known() {
		return hangs(a.why.and(b.why))
	}
	n, ok := 0, true
	switch x := a.v.(type) {
	case string:
		y, is := b.v.(string)
		n, ok = strings.Compare(x, y), is && (op == "==" || op == "!=" || ascii(x) && ascii(y))
	case bool:
		y, is := b.v.(bool)
		ok = is && (op == "==" || op == "!=")
		if x != y {
			n = 1
		}
	case int64, float64:
		x1, x2 := numeric(a.v)
		y1, y2 := numeric(b.v)
		ok = x2 && y2
		switch {
		case x1 < y1:
			n = -1
		case x1 > y1:
			n = 1
		case ok && isInt(a.v) && isInt(b.v): // beyond what a float tells apart
			p, q := a.v.(int64), b.v.(int64)
			if p < q {
				n = -1
			} else if p > q {
				n = 1
			}
		}
	default:
		ok = false
	}
	if !ok {
		return hangs(other("a comparison with null or of different types"))
	}
	switch op {
	case "==":
		return yes(n == 0)
	case "!=":
		return yes(n != 0)
	case "<":
		return yes(n < 0)
	case "<=":
		return yes(n <= 0)
	case ">":
		return yes(n > 0)
	}
	return yes(n >= 0)
}

func isInt(v any) bool { _, ok := v.(int64); return ok }

func numeric(v any) (float64, bool) {
	switch x := v.(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	}
	return 0, false
}

// text2 applies an operator of texts.
func text2(op string, a, b cell) cell {
	if !a.known() || !b.known() {
		return hangs(a.why.and(b.why))
	}
	x, ok := textOf(a).v.(string)
	y, too := textOf(b).v.(string)
	name, cs := strings.CutSuffix(op, "_cs")
	if !ok || !too || !cs && op != "matches regex" && (!ascii(x) || !ascii(y)) {
		return hangs(other(op))
	}
	if name == "matches regex" {
		re, err := regexp.Compile(y)
		if err != nil {
			return hangs(other(op))
		}
		return yes(re.MatchString(x))
	}
	switch name {
	case "has":
		return yes(eval.Has(x, y, cs, true, true))
	case "hasprefix":
		return yes(eval.Has(x, y, cs, true, false))
	case "hassuffix":
		return yes(eval.Has(x, y, cs, false, true))
	}
	if !cs {
		x, y = strings.ToLower(x), strings.ToLower(y)
	}
	switch name {
	case "contains":
		return yes(strings.Contains(x, y))
	case "startswith":
		return yes(strings.HasPrefix(x, y))
	}
	return yes(strings.HasSuffix(x, y))
}

// and, or and not are Kleene's, with why the result is not known.
func and(a, b cell) cell {
	switch {
	case a.isFalse() || b.isFalse():
		return yes(false)
	case a.isTrue() && b.isTrue():
		return yes(true)
	}
	return hangs(a.why.and(b.why))
}

func or(a, b cell) cell {
	switch {
	case a.isTrue() || b.isTrue():
		return yes(true)
	case a.isFalse() && b.isFalse():
		return yes(false)
	}
	return hangs(a.why.and(b.why))
}

func not(a cell) cell {
	if b, ok := a.v.(bool); a.known() && ok {
		return yes(!b)
	}
	if a.known() {
		return hangs(other("not of null"))
	}
	return a
}
