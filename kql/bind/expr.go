package bind

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// env is what an expression may refer to.
type env struct {
	sc      *scope
	cols    []rel.Column
	open    bool        // unknown columns are no further mistake
	windows bool        // window functions are allowed
	aggs    *aggregates // aggregates are allowed and collected here
	inAgg   bool        // within the argument of an aggregate
	steps   *scanSteps  // of scan: step.column reads the state
	beside  *beside     // of find and search: the columns of the other tables
}

// unknown is the value of what could not be understood.
func unknown() rel.Expr { return &rel.Const{T: value.Unknown} }

func isUnknown(e rel.Expr) bool { return e.Type() == value.Unknown }

func call(name string, t value.Type, args ...rel.Expr) rel.Expr {
	return &rel.Call{Func: name, Args: args, T: t}
}

// expr binds a scalar expression.
func (b *binder) expr(e syntax.Expr, en *env) rel.Expr {
	switch e := e.(type) {
	case nil:
		return unknown()
	case *syntax.Paren:
		return b.expr(e.X, en)
	case *syntax.Name:
		return b.name(e, en)
	case *syntax.Literal:
		return b.literal(e)
	case *syntax.StringLit:
		return b.text(e)
	case *syntax.DynamicLit:
		v, ok := b.dynamicValue(e.Value)
		if !ok {
			return unknown()
		}
		if v == nil {
			return rel.Null(value.Dynamic)
		}
		return &rel.Const{Value: value.JSON(v), T: value.Dynamic}
	case *syntax.Member:
		return b.member(e, en)
	case *syntax.Index:
		x, i := b.expr(e.X, en), b.expr(e.Index, en)
		return b.index(x, i, e)
	case *syntax.Call:
		bind := b.anyCall(e, en)
		switch {
		case bind == nil:
			return unknown()
		case bind.scalar != nil:
			return bind.scalar
		case bind.table != nil:
			// A table of one column stands for a value in toscalar only; elsewhere it is a mistake.
			if !bind.table.open {
				b.errorf(NotScalar, e, "take one value of it with toscalar(…)", "a value is needed here, and the call gives a table")
			}
		}
		return unknown()
	case *syntax.Unary:
		return b.unary(e, en)
	case *syntax.Binary:
		return b.binary(e, en)
	case *syntax.Membership:
		return b.membership(e, en)
	case *syntax.Between:
		return b.between(e, en)
	case *syntax.Placeholder:
		if v, ok := b.placeholderValue(e.Name, e); ok {
			return v
		}
		b.errorf(MissingValue, e, "give it a value in the rule's configuration", "the placeholder {{%s}} has no value", e.Name)
		return unknown()
	case *syntax.Pipeline:
		if len(e.Ops) == 0 {
			if x, ok := e.Source.(syntax.Expr); ok {
				return b.expr(x, en)
			}
		}
		b.errorf(NotScalar, e, "take one value of it with toscalar(…)", "a value is needed here, and this is a table")
	case *syntax.TypeOf:
		b.errorf(NotScalar, e, "", "typeof is no value; it stands where a function or operator takes a type")
	case *syntax.Star:
		b.errorf(NotScalar, e, "", "* is no value")
	case *syntax.Wildcard:
		b.errorf(NotScalar, e, "name the column", "a pattern of names is no value")
	case *syntax.FuncLit:
		b.errorf(NotScalar, e, "give it a name with let first", "a function is no value")
	case *syntax.BadExpr:
	default:
		b.errorf(NotScalar, e, "", "a value is needed here")
	}
	return unknown()
}

func (b *binder) name(e *syntax.Name, en *env) rel.Expr {
	if x, ok := en.beside.find(e.Name, en.cols); ok {
		return x
	}
	if i := rel.Index(en.cols, e.Name); i >= 0 {
		if en.aggs != nil && !en.inAgg {
			hint := "put it into an aggregate such as take_any(" + e.Name + "), or after by"
			if en.aggs.isKey(e.Name) {
				hint = "as a key it is a column of the result: compute with it in extend, after summarize"
			}
			b.errorf(MisplacedCall, e, hint, "the column %s stands outside an aggregate", e.Name)
			return unknown()
		}
		return &rel.Col{Name: e.Name, T: en.cols[i].Type}
	}
	if x, ok := en.steps.initial(e.Name); ok {
		return x
	}
	if f := en.sc.find(e.Name); f != nil {
		switch {
		case f.scalar != nil:
			return f.scalar
		case f.table != nil:
			if f.table.open {
				return unknown()
			}
			b.errorf(NotScalar, e, "take one value of it with toscalar("+e.Name+")", "%s is a table, and a value is needed here", e.Name)
			return unknown()
		case f.fn != nil && !slices.ContainsFunc(f.fn.Params, func(p *syntax.Parameter) bool { return p.Default == nil }):
			// A function that needs no arguments is called by its name alone.
			if r := b.callUser(f, e.Name, nil, en, e); r != nil && r.scalar != nil {
				return r.scalar
			}
			b.errorf(NotScalar, e, "take one value of it with toscalar("+e.Name+")", "%s is a table, and a value is needed here", e.Name)
			return unknown()
		default:
			b.errorf(NotScalar, e, "call it: "+e.Name+"(…)", "%s is a function, and a value is needed here", e.Name)
			return unknown()
		}
	}
	if en.open {
		return unknown()
	}
	b.unknownColumn(e, e.Name, en.cols, en.sc)
	return unknown()
}

func (b *binder) unknownColumn(at syntax.Node, name string, cols []rel.Column, sc *scope) {
	b.missedTimestamp = b.missedTimestamp || name == timestampColumn
	b.missing = append(b.missing, name)
	var names []string
	for _, c := range cols {
		names = append(names, c.Name)
	}
	for _, n := range sc.all() {
		if sc.find(n).stored == nil {
			names = append(names, n)
		}
	}
	if message, hint := b.gone(name); message != "" {
		b.errorf(UnknownColumn, at, hint, "%s", message)
		return
	}
	hint := nameHint(name, names)
	switch own := foreignColumn(name, cols); {
	case own != "" && !strings.HasPrefix(hint, "names regard case"):
		hint = "the column is called " + own + " here"
	case hint == "" && len(names) > 0 && len(names) <= 12:
		hint = "there are: " + strings.Join(names, ", ")
	}
	b.errorf(UnknownColumn, at, hint, "there is no column %s", name)
}

func (b *binder) member(e *syntax.Member, en *env) rel.Expr {
	if n, ok := e.X.(*syntax.Name); ok && (n.Name == "$left" || n.Name == "$right") {
		b.errorf(BadJoin, e, "", "%s stands in the condition of a join only", n.Name)
		return unknown()
	}
	if t := b.elsewhere(e); t != nil {
		b.errorf(NotScalar, e, "take one value of it with toscalar(…)", "a value is needed here, and this is a table")
		return unknown()
	}
	if x, ok := b.stepValue(e, en); ok {
		return x
	}
	x := b.expr(e.X, en)
	if isUnknown(x) {
		return x
	}
	if x.Type() == value.String {
		x = b.textAsDynamic(x, &e.Name, describe(e.X))
	}
	if x.Type() != value.Dynamic {
		b.errorf(WrongType, &e.Name, propertyHint(x.Type()), "%s is of type %s; only dynamic values have properties", describe(e.X), x.Type())
		return unknown()
	}
	return step(x, rel.Field(e.Name.Name))
}

// textAsDynamic reads a text as JSON where a property or element of it is asked for. Columns such as
// AuthenticationDetails are dynamic in some workspaces and text in others, and queries are written for both.
func (b *binder) textAsDynamic(x rel.Expr, at syntax.Node, what string) rel.Expr {
	b.warnf(TextAsDynamic, at, "write parse_json("+what+") to say so", "%s is of type string and is read as JSON here", what)
	return b.convert("parse_json", x)
}

func propertyHint(t value.Type) string {
	if t == value.DateTime {
		return "take a part of a time with datetime_part('Year', x), or round it with startofday(x) or bin(x, 1h)"
	}
	return ""
}

func describe(e syntax.Expr) string {
	if n := nameOf(e); n != "" {
		return n
	}
	return "the value"
}

// step goes one step into a dynamic value; steps of a constant are taken at once.
func step(x rel.Expr, s rel.Step) rel.Expr {
	switch x := x.(type) {
	case *rel.Path:
		return &rel.Path{X: x.X, Steps: append(slices.Clone(x.Steps), s)}
	case *rel.Const:
		text, _ := x.Value.(string)
		v, _ := value.ParseJSON(text)
		var got any
		switch v := v.(type) {
		case *value.Object:
			if s.Key != nil {
				got, _ = v.Get(*s.Key)
			}
		case []any:
			if i := s.Index; s.Key == nil {
				if i < 0 {
					i += len(v)
				}
				if i >= 0 && i < len(v) {
					got = v[i]
				}
			}
		}
		if got == nil {
			return rel.Null(value.Dynamic)
		}
		return &rel.Const{Value: value.JSON(got), T: value.Dynamic}
	}
	return &rel.Path{X: x, Steps: []rel.Step{s}}
}

func (b *binder) index(x, i rel.Expr, at syntax.Node) rel.Expr {
	if isUnknown(x) || isUnknown(i) {
		return unknown()
	}
	if x.Type() == value.String {
		x = b.textAsDynamic(x, at, "the value")
	}
	if x.Type() != value.Dynamic {
		b.errorf(WrongType, at, propertyHint(x.Type()), "the value is of type %s; only dynamic values have elements", x.Type())
		return unknown()
	}
	if c, ok := i.(*rel.Const); ok {
		switch v := c.Value.(type) {
		case int64:
			if i.Type().Integer() && v == int64(int32(v)) {
				return step(x, rel.Element(int(v)))
			}
		case string:
			if i.Type() == value.String {
				return step(x, rel.Field(v))
			}
		}
	}
	switch {
	case i.Type().Integer():
		return call("dynamic_element", value.Dynamic, x, b.cast(i, value.Long))
	case i.Type() == value.String, i.Type() == value.Dynamic:
		return call("dynamic_member", value.Dynamic, x, b.cast(i, value.String))
	}
	b.errorf(WrongType, at, "", "an element is chosen by a whole number or a text, not by a value of type %s", i.Type())
	return unknown()
}

// literal gives the constant of a literal.
func (b *binder) literal(e *syntax.Literal) rel.Expr {
	t, _ := map[syntax.LitKind]value.Type{
		syntax.NullLit: value.Dynamic, syntax.BoolLit: value.Bool, syntax.IntLit: value.Int, syntax.LongLit: value.Long, syntax.RealLit: value.Real,
		syntax.DecimalLit: value.Decimal, syntax.DateTimeLit: value.DateTime, syntax.TimeSpanLit: value.TimeSpan, syntax.GUIDLit: value.GUID,
	}[e.Kind]
	if e.Null || e.Kind == syntax.NullLit {
		return rel.Null(t)
	}
	bad := func(hint string) rel.Expr {
		b.errorf(BadLiteral, e, hint, "%s is no %s", e.Text, t)
		return unknown()
	}
	switch e.Kind {
	case syntax.BoolLit:
		return rel.Bool(strings.EqualFold(e.Text, "true") || e.Text == "1")
	case syntax.IntLit, syntax.LongLit:
		n, err := strconv.ParseInt(strings.ToLower(e.Text), 0, 64)
		if err != nil {
			if n, err = strconv.ParseInt(e.Text, 10, 64); err != nil {
				return bad("")
			}
		}
		if t == value.Int && n != int64(int32(n)) {
			return bad("it does not fit; use long()")
		}
		return &rel.Const{Value: n, T: t}
	case syntax.DecimalLit:
		d, ok := value.ParseDec(e.Text)
		if !ok {
			return bad("write it as 1.5 or 1e5; there are 34 digits, and no more than 6144 zeros behind the first")
		}
		return &rel.Const{Value: d, T: t}
	case syntax.RealLit:
		f, ok := parseReal(e.Text)
		if !ok {
			return bad("")
		}
		return &rel.Const{Value: f, T: t}
	case syntax.DateTimeLit:
		if strings.EqualFold(e.Text, "now") {
			return &rel.Param{Name: "now", T: value.DateTime}
		}
		d, ok := value.ParseDateTime(strings.Trim(e.Text, `"'`))
		if !ok { // Kusto takes datetime(2017 - 08 - 01)
			d, ok = value.ParseDateTime(strings.ReplaceAll(e.Text, " - ", "-"))
		}
		if !ok {
			return bad("write it as 2026-01-31 or 2026-01-31T12:00:00Z")
		}
		return &rel.Const{Value: int64(d), T: t}
	case syntax.TimeSpanLit:
		s, ok := value.ParseTimeSpan(strings.Trim(e.Text, `"'`))
		if !ok {
			return bad("write it as 5m, 1.5h or 1.02:03:04")
		}
		return &rel.Const{Value: int64(s), T: t}
	case syntax.GUIDLit:
		g, ok := value.ParseGUID(strings.Trim(e.Text, `"'`))
		if !ok {
			return bad("write it as 74be27de-1e4e-49d9-b579-fe0b331d3642")
		}
		return &rel.Const{Value: g, T: t}
	}
	return unknown()
}

func parseReal(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "nan":
		return math.NaN(), true
	case "inf", "+inf":
		return math.Inf(1), true
	case "-inf":
		return math.Inf(-1), true
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || math.IsInf(f, 0)
}

// dynamicValue gives the value of what stands in dynamic(…).
func (b *binder) dynamicValue(e syntax.Expr) (any, bool) {
	switch e := e.(type) {
	case nil, *syntax.BadExpr:
		return nil, false
	case *syntax.StringLit:
		return e.Value, true
	case *syntax.Literal:
		c, ok := b.literal(e).(*rel.Const)
		if !ok || c.T == value.Unknown {
			return nil, false
		}
		if c.Value == nil {
			return nil, true
		}
		switch c.T {
		case value.DateTime:
			return value.Ticks(c.Value.(int64)), true
		case value.TimeSpan:
			return value.Span(c.Value.(int64)), true
		}
		return c.Value, true
	case *syntax.Unary:
		v, ok := b.dynamicValue(e.X)
		if !ok || e.Op != syntax.Sub {
			return v, ok
		}
		switch v := v.(type) {
		case int64:
			return -v, true
		case float64:
			return -v, true
		case value.Dec:
			return v.Neg(), true
		}
		return nil, false
	case *syntax.JSONArray:
		out := make([]any, 0, len(e.Items))
		for _, it := range e.Items {
			v, ok := b.dynamicValue(it)
			if !ok {
				return nil, false
			}
			out = append(out, v)
		}
		return out, true
	case *syntax.JSONObject:
		o := &value.Object{}
		for _, f := range e.Fields {
			v, ok := b.dynamicValue(f.Value)
			if !ok || f.Key == nil {
				return nil, false
			}
			o.Set(f.Key.Value, v)
		}
		return o, true
	case *syntax.DynamicLit:
		return b.dynamicValue(e.Value)
	}
	b.errorf(BadLiteral, e, "build it with bag_pack() or pack_array()", "only literals stand in dynamic(…)")
	return nil, false
}

func (b *binder) unary(e *syntax.Unary, en *env) rel.Expr {
	if l, ok := e.X.(*syntax.Literal); ok && e.Op == syntax.Sub && l.Kind == syntax.LongLit && l.Text == "9223372036854775808" {
		return rel.Long(math.MinInt64)
	}
	x := b.expr(e.X, en)
	t := x.Type()
	if t == value.Unknown {
		return x
	}
	if e.Op == syntax.Add {
		if t == value.Bool || t == value.String || t == value.GUID {
			b.errorf(WrongType, e.X, convertHint(t, value.Long), "found a value of type %s after +, a number or timespan is needed", t)
			return unknown()
		}
		if t == value.Int {
			return b.cast(x, value.Long)
		}
		return x
	}
	if !t.Numeric() && t != value.TimeSpan {
		b.errorf(WrongType, e.X, convertHint(t, value.Long), "found a value of type %s after -, a number or timespan is needed", t)
		return unknown()
	}
	if c, ok := x.(*rel.Const); ok {
		switch v := c.Value.(type) {
		case nil:
			return c
		case int64:
			return &rel.Const{Value: -v, T: t}
		case float64:
			return &rel.Const{Value: -v, T: t}
		case value.Dec:
			return &rel.Const{Value: v.Neg(), T: t}
		}
	}
	if t == value.Int {
		t = value.Long
	}
	return call("negate", t, x)
}

func convertHint(from, to value.Type) string {
	switch {
	case to == value.Dynamic && from == value.String:
		return "read it with parse_json()"
	case to == value.Int:
		to = value.Long
	case to == value.String:
		return "convert it with tostring()"
	}
	if from == value.Dynamic || from == value.String || from == value.Decimal && to.Numeric() {
		return "convert it with to" + to.String() + "()"
	}
	return ""
}

// condition holds that a bound expression is a condition.
func (b *binder) condition(x rel.Expr, at syntax.Node) rel.Expr {
	hint := "compare it with something"
	switch t := x.Type(); {
	case t == value.Bool || t == value.Unknown:
		return x
	case t == value.Dynamic:
		hint = "compare it with true, or read it with tobool()"
	case t.Integer():
		hint = "compare it: != 0"
	}
	b.errorf(WrongType, at, hint, "found a value of type %s, a condition is needed", x.Type())
	return unknown()
}

// operand makes a side of and or of or a condition: unlike elsewhere it may be dynamic.
func (b *binder) operand(x rel.Expr, at syntax.Node) rel.Expr {
	if x.Type() == value.Dynamic {
		return call("tobool", value.Bool, x)
	}
	return b.condition(x, at)
}

func (b *binder) binary(e *syntax.Binary, en *env) rel.Expr {
	if e.Op == syntax.And || e.Op == syntax.Or {
		// Chains are bound without recursion on the left, which may be long.
		var parts []syntax.Expr
		for {
			l, ok := e.X.(*syntax.Binary)
			parts = append(parts, e.Y)
			if !ok || l.Op != e.Op {
				parts = append(parts, e.X)
				break
			}
			e = l
		}
		slices.Reverse(parts)
		args := make([]rel.Expr, len(parts))
		for i, p := range parts {
			args[i] = b.operand(b.expr(p, en), p)
		}
		return call(e.Op.String(), value.Bool, args...)
	}
	if isStar(e.X) && (e.Op == syntax.Equal || e.Op == syntax.NotEqual || e.Op.Precedence() == syntax.Has.Precedence()) && en.aggs == nil && len(en.cols) > 0 {
		return b.anyColumn(e, en)
	}
	x, y := b.expr(e.X, en), b.expr(e.Y, en)
	if isUnknown(x) || isUnknown(y) {
		return unknown()
	}
	if l, ok := e.X.(*syntax.StringLit); ok && rel.Index(en.cols, l.Value) >= 0 {
		b.diags.Warnf(TextAsColumn, l.Span(), "for the column write it without quotes: "+l.Value, "this is a text, not the column %s", l.Value)
	}
	switch e.Op {
	case syntax.Add, syntax.Sub, syntax.Mul, syntax.Div, syntax.Mod:
		return b.arithmetic(e, x, y)
	case syntax.Equal, syntax.NotEqual, syntax.Less, syntax.LessOrEqual, syntax.Greater, syntax.GreaterOrEqual:
		return b.compare(e, x, y)
	}
	return b.textOperator(e, x, y)
}

// textOperator binds contains, has, startswith, =~ and their kin, which compare texts.
func (b *binder) textOperator(e *syntax.Binary, x, y rel.Expr) rel.Expr {
	op := e.Op.String()
	if e.Op == syntax.Matches {
		op = "has"
	}
	text := func(v rel.Expr, at syntax.Expr) rel.Expr {
		switch v.Type() {
		case value.String, value.Unknown:
			return v
		case value.Dynamic:
			return call("tostring", value.String, v)
		}
		hint := "convert it with tostring()"
		if l, ok := at.(*syntax.Literal); ok && len(l.Raw) <= 40 {
			hint = "write it in quotes: \"" + l.Raw + "\""
		}
		b.errorf(WrongType, at, hint, "found a value of type %s beside %s, a string is needed", v.Type(), op)
		return rel.Str("")
	}
	x, y = text(x, e.X), text(y, e.Y)
	if e.Op == syntax.MatchesRegex {
		c, ok := y.(*rel.Const)
		if !ok {
			return call("matches regex", value.Bool, x, y)
		}
		if msg := regexError(c.Value.(string)); msg != "" {
			b.errorf(BadLiteral, e.Y, "", "the regular expression cannot be read: %s", msg)
			return unknown()
		}
		return call("matches regex", value.Bool, x, y)
	}
	not := false
	if strings.HasPrefix(op, "!") {
		not, op = true, op[1:]
		if op == "~" {
			op = "=~"
		}
	}
	r := call(op, value.Bool, x, y)
	if not {
		r = call("not", value.Bool, r)
	}
	return r
}

// wider gives the type that arithmetic between two numbers has.
func wider(a, c value.Type) value.Type {
	switch {
	case a == value.Decimal || c == value.Decimal:
		return value.Decimal
	case a == value.Real || c == value.Real:
		return value.Real
	}
	return value.Long
}

func (b *binder) arithmetic(e *syntax.Binary, x, y rel.Expr) rel.Expr {
	xt, yt := x.Type(), y.Type()
	op := e.Op.String()
	if xt.Numeric() && yt.Numeric() {
		t := wider(xt, yt)
		return fold(op, t, b.cast(x, t), b.cast(y, t))
	}
	const dt, ts = value.DateTime, value.TimeSpan
	result := value.Unknown
	switch {
	case xt == dt && yt == dt && e.Op == syntax.Sub:
		result = ts
	case xt == dt && yt == ts && (e.Op == syntax.Add || e.Op == syntax.Sub):
		result = dt
	case xt == ts && yt == dt && e.Op == syntax.Add:
		result = dt
	case xt == ts && yt == ts && (e.Op == syntax.Add || e.Op == syntax.Sub || e.Op == syntax.Mod):
		result = ts
	case xt == ts && yt == ts && e.Op == syntax.Div:
		result = value.Real
	case xt == ts && yt.Numeric() && (e.Op == syntax.Mul || e.Op == syntax.Div):
		result, y = ts, b.cast(y, value.Real)
	case xt.Numeric() && yt == ts && e.Op == syntax.Mul:
		result, x = ts, b.cast(x, value.Real)
	case xt == dt && yt == ts && e.Op == syntax.Mod:
		result = ts
	case xt == dt && yt == ts && e.Op == syntax.Div:
		result = value.Real
	}
	if result == value.Unknown {
		hint := ""
		switch {
		case xt == value.String && yt == value.String && e.Op == syntax.Add:
			hint = "join texts with strcat()"
		case xt == value.Dynamic || yt == value.Dynamic:
			hint = "convert dynamic values first, for example with toint() or todouble()"
		case xt == value.String || yt == value.String:
			hint = "convert texts first, for example with toint() or todouble()"
		case xt == value.DateTime && yt.Numeric():
			hint = "a timespan has a unit: 1d, 12h, 30m"
		}
		b.errorf(WrongType, e, hint, "found %s %s %s, which has no meaning", xt, op, yt)
		return unknown()
	}
	return fold(op, result, x, y)
}

// fold computes an operation on constants of timespans and whole numbers; the rest stays a call.
func fold(op string, t value.Type, x, y rel.Expr) rel.Expr {
	a, ok1 := x.(*rel.Const)
	c, ok2 := y.(*rel.Const)
	if ok1 && ok2 && a.Value != nil && c.Value != nil {
		m, isInt := a.Value.(int64)
		n, isInt2 := c.Value.(int64)
		if isInt && isInt2 && t == value.Long {
			// As in Kusto, what runs over goes on at the other end.
			switch op {
			case "+":
				return rel.Long(m + n)
			case "-":
				return rel.Long(m - n)
			case "*":
				return rel.Long(m * n)
			}
		}
		if isInt && isInt2 && t == value.DateTime && (op == "+" || op == "-") {
			if op == "-" {
				n = -n
			}
			if d := value.Ticks(m + n); (m+n > m) == (n > 0) && d.Valid() {
				return &rel.Const{Value: int64(d), T: t}
			}
			return rel.Null(t)
		}
		if isInt && isInt2 {
			switch {
			case op == "+" && (m+n > m) == (n > 0):
				return &rel.Const{Value: m + n, T: t}
			case op == "-" && (m-n < m) == (n > 0):
				return &rel.Const{Value: m - n, T: t}
			}
		}
		f, isReal := c.Value.(float64)
		g, isReal2 := a.Value.(float64)
		if t == value.TimeSpan && op == "*" && isInt && isReal && math.Abs(float64(m)*f) < 1<<62 {
			return &rel.Const{Value: int64(math.Round(float64(m) * f)), T: t}
		}
		if t == value.TimeSpan && op == "*" && isReal2 && isInt2 && math.Abs(float64(n)*g) < 1<<62 {
			return &rel.Const{Value: int64(math.Round(float64(n) * g)), T: t}
		}
	}
	return call(op, t, x, y)
}

// cast gives an expression another type by the conversion that the language makes by itself.
func (b *binder) cast(x rel.Expr, t value.Type) rel.Expr {
	if x.Type() == t || isUnknown(x) {
		return x
	}
	if c, ok := x.(*rel.Const); ok {
		switch v := c.Value.(type) {
		case nil:
			return rel.Null(t)
		case int64:
			switch t {
			case value.Long:
				return &rel.Const{Value: v, T: t}
			case value.Int:
				if v == int64(int32(v)) {
					return &rel.Const{Value: v, T: t}
				}
			case value.Real:
				if c.T.Integer() {
					return &rel.Const{Value: float64(v), T: t}
				}
			case value.Decimal:
				return &rel.Const{Value: value.DecOf(v), T: t}
			}
		case float64:
			if t == value.Decimal {
				if d, ok := value.DecOfReal(v, value.ConstantDigits); ok {
					return &rel.Const{Value: d, T: t}
				}
				return rel.Null(t)
			}
		case value.Dec:
			if t == value.Real {
				return &rel.Const{Value: v.Real(), T: t}
			}
		case string:
			if t == value.String && c.T == value.Dynamic {
				if d, ok := value.ParseJSON(v); ok {
					return rel.Str(value.Text(d))
				}
			}
			if t == value.String && c.T == value.GUID {
				return rel.Str(v)
			}
			if t == value.GUID && c.T == value.String {
				if g, ok := value.ParseGUID(v); ok {
					return &rel.Const{Value: g, T: t}
				}
			}
		}
	}
	name := map[value.Type]string{
		value.Bool: "tobool", value.Int: "toint", value.Long: "tolong", value.Real: "todouble", value.Decimal: "todecimal", value.String: "tostring",
		value.DateTime: "todatetime", value.TimeSpan: "totimespan", value.GUID: "toguid", value.Dynamic: "todynamic_value",
	}[t]
	if f, ok := builtin.Lookup(builtin.Scalar, name); ok {
		name = f.Name
	}
	return call(name, t, x)
}

func (b *binder) between(e *syntax.Between, en *env) rel.Expr {
	x, lo, hi := b.expr(e.X, en), b.expr(e.Low, en), b.expr(e.High, en)
	if isUnknown(x) || isUnknown(lo) || isUnknown(hi) {
		return unknown()
	}
	if x.Type() == value.DateTime && hi.Type() == value.TimeSpan {
		hi = call("+", value.DateTime, lo, hi)
	}
	if x.Type() == value.Bool {
		b.errorf(WrongType, e.X, "compare it with == or !=", "found a value of type bool beside between, which needs an order")
		return unknown()
	}
	mk := func(op syntax.Op, y rel.Expr, ye syntax.Expr) rel.Expr {
		return b.compare(&syntax.Binary{Base: e.Base, Op: op, X: e.X, Y: ye}, x, y)
	}
	low := mk(syntax.GreaterOrEqual, lo, e.Low)
	if isUnknown(low) {
		return unknown()
	}
	r := call("and", value.Bool, low, mk(syntax.LessOrEqual, hi, e.High))
	if e.Not {
		r = call("not", value.Bool, r)
	}
	return r
}
