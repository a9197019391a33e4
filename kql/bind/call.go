package bind

import (
	"cmp"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// anyCall binds a call of a user's function, a builtin function or a table function.
func (b *binder) anyCall(e *syntax.Call, en *env) *binding {
	n, ok := e.Func.(*syntax.Name)
	if !ok {
		if m, ok := e.Func.(*syntax.Member); ok {
			if t := b.elsewhereCall(m, e, en); t != nil {
				return &binding{table: t}
			}
			b.errorf(UnknownFunction, &m.Name, "", "there is no function %s of a value", m.Name.Name)
		}
		return &binding{table: openTable(), scalar: nil}
	}
	if f := en.sc.find(n.Name); f != nil {
		if f.fn != nil {
			return b.callUser(f, n.Name, e.Args, en, e)
		}
		b.errorf(UnknownFunction, n, "leave out the parentheses", "%s is no function", n.Name)
		return &binding{scalar: unknown()}
	}
	if p := b.patterns[n.Name]; p != nil {
		return b.callPattern(p, e, nil, en, e)
	}
	if en.aggs != nil || en.inAgg {
		if f, ok := builtin.Lookup(builtin.Aggregate, n.Name); ok && !isScalar(n.Name, len(e.Args)) {
			if en.inAgg {
				b.errorf(MisplacedCall, e, "compute it in a summarize before", "the aggregate %s stands within another", n.Name)
				return &binding{scalar: unknown()}
			}
			return &binding{scalar: b.aggregate(f, e, en)}
		}
	}
	if f, ok := builtin.Lookup(builtin.Scalar, n.Name); ok {
		return &binding{scalar: b.scalarCall(f, e, en)}
	}
	if f, ok := builtin.Lookup(builtin.Window, n.Name); ok {
		return &binding{scalar: b.windowCall(f, e, en)}
	}
	if f, ok := builtin.Lookup(builtin.Table, n.Name); ok {
		return b.tableCall(f, e, en)
	}
	switch n.Name {
	case "columnifexists", "column_ifexists":
		return &binding{scalar: b.columnIfExists(e, en)}
	}
	if f, ok := builtin.Lookup(builtin.Aggregate, n.Name); ok {
		b.errorf(MisplacedCall, e, "compute it before: | summarize n = "+f.Name+"(…) by …", "%s is an aggregate and stands in summarize only", f.Name)
		return &binding{scalar: unknown()}
	}
	if _, ok := builtin.Lookup(builtin.Plugin, n.Name); ok {
		b.errorf(MisplacedCall, e, "write: | evaluate "+n.Name+"(…)", "%s is a plugin", n.Name)
		return &binding{scalar: unknown()}
	}
	hint := nameHint(n.Name, append(builtin.Names(builtin.Scalar, builtin.Aggregate, builtin.Window, builtin.Table), en.sc.all()...))
	if own := foreignFunction(n.Name); own != "" && !strings.HasPrefix(hint, "names regard case") {
		hint = "write " + own
	}
	b.errorf(UnknownFunction, n, hint, "there is no function %s", n.Name)
	for _, a := range e.Args {
		if _, isStar := a.Value.(*syntax.Star); !isStar && a.Value != nil && en.cols != nil {
			b.quiet(func() { b.expr(a.Value, en) })
		}
	}
	return &binding{scalar: unknown(), table: nil}
}

// quiet does something without keeping its diagnostics.
func (b *binder) quiet(f func()) {
	save := slices.Clone(b.diags)
	f()
	b.diags = save
}

// callUser expands a user's function: its body is bound with the parameters' values.
func (b *binder) callUser(f *binding, name string, args []*syntax.NamedExpr, en *env, at syntax.Node) *binding {
	b.calls++
	if b.calls > maxCalls || en.sc.depth > maxDepth {
		if b.calls == maxCalls+1 || en.sc.depth > maxDepth {
			b.errorf(TooLarge, at, "", "the query calls functions more than %d times", maxCalls)
		}
		return &binding{scalar: unknown()}
	}
	if f.stored != nil && b.recursive(f.stored, at) {
		return &binding{scalar: unknown(), table: openTable()}
	}
	sc := newScope(f.scope)
	sc.depth = en.sc.depth + 1
	given := make([]*syntax.NamedExpr, len(f.fn.Params))
	position := 0
	for _, a := range args {
		i := position
		if a.Name() != "" {
			i = slices.IndexFunc(f.fn.Params, func(p *syntax.Parameter) bool { return p.Name.Name == a.Name() })
			if i < 0 {
				b.errorf(WrongArguments, a, "", "%s has no parameter %s", name, a.Name())
				continue
			}
		} else {
			// A place that a name has taken is passed over.
			for position < len(given) && given[position] != nil {
				position++
			}
			i = position
			position++
		}
		if i >= len(given) {
			b.errorf(WrongArguments, a, "", "%s takes %s, not %d", name, counted(len(given)), len(args))
			break
		}
		given[i] = a
	}
	for i, p := range f.fn.Params {
		switch {
		case p.Table:
			if given[i] == nil {
				b.errorf(WrongArguments, at, "", "%s needs a table for %s", name, p.Name.Name)
				sc.names[p.Name.Name] = &binding{table: openTable()}
				continue
			}
			sc.names[p.Name.Name] = &binding{table: b.checkColumns(b.tableExpr(given[i].Value, en.sc), p, given[i])}
		default:
			b.scalarParam(p, given[i], name, sc, f, en, at)
		}
	}
	defer b.enter(f.stored, at)()
	return b.body(f.fn.Body, sc, f.fn.Body)
}

// checkColumns holds a table argument against the parameter's columns.
func (b *binder) checkColumns(t *table, p *syntax.Parameter, at syntax.Node) *table {
	for _, c := range p.Columns {
		i := rel.Index(t.cols(), c.Name.Name)
		ty, _ := value.ParseType(c.Type)
		switch {
		case t.open:
		case i < 0:
			b.errorf(WrongArguments, at, "", "the table for %s has no column %s", p.Name.Name, c.Name.Name)
			t = &table{rel: t.rel, open: true, name: t.name}
		case c.Type != "" && t.cols()[i].Type != ty:
			b.errorf(WrongType, at, "", "the column %s of the table for %s is of type %s, %s is needed", c.Name.Name, p.Name.Name, t.cols()[i].Type, ty)
		}
	}
	return t
}

func (b *binder) scalarParam(p *syntax.Parameter, arg *syntax.NamedExpr, name string, sc *scope, f *binding, en *env, at syntax.Node) {
	var e rel.Expr
	switch {
	case arg != nil:
		e = b.expr(arg.Value, en)
	case p.Default != nil:
		defer b.enter(f.stored, at)()
		e = b.expr(p.Default, &env{sc: f.scope})
		at = p.Default
		if t, ok := value.ParseType(p.Type); ok && e.Type() != t && !(e.Type().Numeric() && t.Numeric()) && !isUnknown(e) {
			b.errorf(WrongType, p.Default, literalHint(e, t), "found a value of type %s for the parameter %s, %s is needed", e.Type(), p.Name.Name, t)
			e = unknown()
		}
	default:
		b.errorf(WrongArguments, at, "", "%s needs a value for %s", name, p.Name.Name)
		e = unknown()
	}
	if t, ok := value.ParseType(p.Type); ok && e.Type() != t && e.Type() != value.Unknown {
		// Kusto takes an argument of any type and converts it.
		if e.Type().Numeric() && t.Numeric() {
			e = b.cast(e, t)
		} else {
			e = b.convert(convertName(t), e)
		}
	}
	sc.names[p.Name.Name] = &binding{scalar: e, at: p.Span()}
}

// assign gives a value to a name of a type, with the conversions that lose nothing.
func (b *binder) assign(e rel.Expr, t value.Type, at syntax.Node, what string) rel.Expr {
	et := e.Type()
	switch {
	case et == t, et == value.Unknown:
		return e
	case et.Numeric() && t.Numeric(), et == value.Dynamic, t == value.Dynamic:
		return b.cast(e, t)
	}
	b.errorf(WrongType, at, convertHint(et, t), "found a value of type %s for %s, %s is needed", et, what, t)
	return unknown()
}

// body binds a function's body.
func (b *binder) body(body *syntax.Block, sc *scope, at syntax.Node) *binding {
	if body == nil {
		return &binding{scalar: unknown()}
	}
	for _, s := range body.Stmts {
		b.statement(s, sc)
	}
	if body.Result == nil {
		return &binding{scalar: unknown()}
	}
	r := b.letValue(body.Result, sc)
	if r != nil && r.scalar != nil && exprSize(r.scalar) > maxExprSize {
		b.errorf(TooLarge, at, "", "the function's value grows beyond what can be compiled")
		return &binding{scalar: unknown()}
	}
	return r
}

func (b *binder) argCount(f *builtin.Function, e *syntax.Call) bool {
	n := len(e.Args)
	if n >= f.Least() && (f.Most() < 0 || n <= f.Most()) {
		return true
	}
	need := counted(f.Least())
	if f.Most() < 0 {
		need = "at least " + need
	} else if f.Most() > f.Least() {
		need = strconv.Itoa(f.Least()) + " to " + counted(f.Most())
	}
	b.errorf(WrongArguments, e, "its form is "+f.Signature(), "%s takes %s, not %d", f.Name, need, n)
	return false
}

// scalarCall binds a call of a scalar function.
func (b *binder) scalarCall(f *builtin.Function, e *syntax.Call, en *env) rel.Expr {
	if f.Unsupported != "" {
		b.unsupported(e, f.Unsupported)
		return unknown()
	}
	switch f.Name {
	case "column_names_of":
		return b.columnNames(e, en)
	case "geo_info_from_ip_address":
		if !b.o.Addresses {
			b.errorf(Unsupported, e, "name the file of one in MaxMind's format, such as GeoLite2-City, as geoDatabase in glassward.yaml", "geo_info_from_ip_address needs a database of addresses, and there is none")
			return unknown()
		}
	case "estimate_data_size":
		if !b.argCount(f, e) || !b.columnsOnly(f, e, en) {
			return unknown()
		}
		return b.dataSize(e, en)
	case "pack_all":
		if !b.argCount(f, e) {
			return unknown()
		}
		return b.packAll(e, en)
	case "bag_pack_columns":
		if !b.argCount(f, e) || !b.columnsOnly(f, e, en) {
			return unknown()
		}
		return b.packColumns(e, en)
	case "bag_pack":
		if len(e.Args) == 1 {
			if _, star := e.Args[0].Value.(*syntax.Star); star {
				return b.packAll(&syntax.Call{Base: e.Base}, en)
			}
		}
	}
	x := b.boundCall(f, e, en)
	if len(f.Columns) > 0 {
		return b.part(x, f.Columns[0]) // where there is place for one value only, the first
	}
	return x
}

// boundCall binds the arguments of a scalar function and gives the call.
func (b *binder) boundCall(f *builtin.Function, e *syntax.Call, en *env) rel.Expr {
	if !b.argCount(f, e) {
		return unknown()
	}
	args := make([]rel.Expr, 0, len(e.Args))
	bad := false
	for i, a := range e.Args {
		p := f.Param(i)
		if ty, ok := a.Value.(*syntax.TypeOf); ok && p.Name == "type" {
			args = append(args, rel.Str(ty.Type))
			continue
		} else if ok && f.Name == "percentiles_array_tdigest" && i > 1 && i == len(e.Args)-1 {
			continue // the values have their type in the digest
		}
		if isStar(a.Value) && f.Name == "pack_array" {
			for _, c := range en.cols {
				args = append(args, &rel.Col{Name: c.Name, T: c.Type})
			}
			continue
		}
		x := b.expr(a.Value, en)
		if isUnknown(x) || !b.constant(x, f, p, a) {
			bad = true
			continue
		}
		y, ok := b.coerce(x, p.Types)
		if !ok && p.AsText {
			y, ok = b.convert("tostring", x), true
		}
		if !ok {
			b.wrongArgument(a, x, f, p)
			bad = true
			continue
		}
		args = append(args, y)
	}
	if bad {
		return unknown()
	}
	return b.finish(f, e, args, en)
}

// constant says whether a parameter that wants a constant has one.
func (b *binder) constant(x rel.Expr, f *builtin.Function, p *builtin.Param, at syntax.Node) bool {
	if !p.Constant || !usesColumns(x) {
		return true
	}
	b.errorf(NotConstant, at, "write it as a literal, or give it a name with let", "%s of %s must not depend on the rows", p.Name, f.Name)
	return false
}

// wrongArgument says that a parameter does not take a value's type.
func (b *binder) wrongArgument(at syntax.Node, x rel.Expr, f *builtin.Function, p *builtin.Param) {
	if p.Name == "condition" {
		b.condition(x, at)
		return
	}
	hint := ""
	for _, t := range p.Types {
		if hint = literalHint(x, t); hint != "" {
			break
		}
	}
	if x.Type() == value.Dynamic && slices.Contains(p.Types, value.Bool) && len(p.Types) > 1 {
		hint = "convert it first, for example with tostring() or tolong()"
	} else if hint == "" {
		hint = convertHint(x.Type(), p.Types[0])
	}
	b.errorf(WrongType, at, hint, "found a value of type %s for %s of %s, %s is needed", x.Type(), p.Name, f.Name, typeList(p.Types))
}

// typeList gives types as people say them: all four kinds of number are a number.
func typeList(ts []value.Type) string {
	var names []string
	has := func(t value.Type) bool { return slices.Contains(ts, t) }
	switch {
	case has(value.Long) && has(value.Real):
		names = append(names, "a number")
	case has(value.Long):
		names = append(names, "a whole number")
	}
	for _, t := range ts {
		if !t.Numeric() || len(names) == 0 {
			names = append(names, t.String())
		}
	}
	if len(names) > 1 {
		return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
	}
	return names[0]
}

// coerce gives an argument one of the types that a parameter takes: only a number becomes a wider one, and
// a dynamic value its text.
func (b *binder) coerce(x rel.Expr, types []value.Type) (rel.Expr, bool) {
	t := x.Type()
	if len(types) == 0 || slices.Contains(types, t) {
		return x, true
	}
	if t.Numeric() {
		for _, want := range types {
			if want.Numeric() && wider(t, want) == want {
				return b.cast(x, want), true
			}
		}
	}
	if t == value.Dynamic && types[0] == value.String {
		return b.cast(x, value.String), true
	}
	return nil, false
}

// finish gives a call its type, after what a few functions need specially.
func (b *binder) finish(f *builtin.Function, e *syntax.Call, args []rel.Expr, en *env) rel.Expr {
	name := f.Name
	switch name {
	case "ingestion_time":
		// A column like any other, so that what prunes and moves columns sees it.
		for _, c := range en.cols {
			if c.Name == "_TimeReceived" {
				return &rel.Col{Name: c.Name, T: c.Type}
			}
		}
		return rel.Null(value.DateTime)
	case "now":
		now := rel.Expr(&rel.Param{Name: "now", T: value.DateTime})
		if len(args) == 1 {
			return call("+", value.DateTime, now, args[0])
		}
		return now
	case "ago":
		return call("-", value.DateTime, &rel.Param{Name: "now", T: value.DateTime}, args[0])
	case "iff":
		args[0] = b.condition(args[0], e.Args[0])
		return b.choose("iff", args, []int{1, 2}, e)
	case "case":
		if len(args)%2 == 0 {
			b.errorf(WrongArguments, e, "end with the value for every other case", "case takes pairs of condition and value, and one value at the end")
			return unknown()
		}
		var values []int
		for i := 0; i+1 < len(args); i += 2 {
			args[i] = b.condition(args[i], e.Args[i])
			values = append(values, i+1)
		}
		return b.choose("case", args, append(values, len(args)-1), e)
	case "coalesce":
		if len(args) == 1 {
			return args[0]
		}
		return b.choose(name, args, all(len(args)), e)
	case "max_of", "min_of":
		return b.choose(name, args, all(len(args)), e)
	case "bin", "floor", "bin_at":
		return b.bin(name, args, e)
	case "round", "ceiling":
		t := args[0].Type()
		for i := range args {
			if i > 0 {
				args[i] = b.cast(args[i], value.Long)
			}
		}
		if t == value.Decimal {
			return call(name, t, args...)
		}
		return b.cast(call(name, value.Real, append([]rel.Expr{b.cast(args[0], value.Real)}, args[1:]...)...), t)
	case "abs":
		if args[0].Type() == value.Int {
			args[0] = b.cast(args[0], value.Long)
		}
	case "tostring", "toint", "tolong", "toreal", "todecimal", "tobool", "todatetime", "totimespan", "toguid", "parse_json":
		return b.convert(name, args[0])
	case "isempty", "isnotempty", "isnull", "isnotnull":
		if args[0].Type() == value.String && strings.HasSuffix(name, "null") {
			return rel.Bool(name == "isnotnull")
		}
	case "bag_pack":
		if len(args)%2 != 0 {
			b.errorf(WrongArguments, e, "", "bag_pack takes pairs of name and value")
			return unknown()
		}
		for i := 0; i < len(args); i += 2 {
			key, ok := b.coerce(args[i], f.Params[0].Types)
			if !ok {
				b.wrongArgument(e.Args[i], args[i], f, f.Param(0))
				return unknown()
			}
			args[i] = key
		}
	case "extract", "extract_json":
		// The last argument names a type; the text found is converted to it.
		want := value.String
		max := 3
		if name == "extract_json" {
			max = 2
		}
		if len(args) > max {
			c, ok := args[max].(*rel.Const)
			t, known := value.ParseType(strOf(c))
			if !ok || !known {
				if strOf(c) != "" {
					b.unknownType(e.Args[max], strOf(c))
					return unknown()
				}
				b.errorf(WrongArguments, e.Args[max], "write typeof(long)", "a type is needed here")
				return unknown()
			}
			want = t
			args = args[:max]
		}
		if name == "extract_json" {
			args[1] = b.cast(args[1], value.String)
		}
		if c, ok := args[0].(*rel.Const); ok && name == "extract" {
			if msg := regexError(c.Value.(string)); msg != "" {
				b.errorf(BadLiteral, e.Args[0], "", "the regular expression cannot be read: %s", msg)
				return unknown()
			}
		}
		x := call(name, value.String, args...)
		if want != value.String {
			x = b.convert(convertName(want), x)
		}
		return x
	case "extract_all":
		groups := rel.Expr(rel.Null(value.Dynamic))
		text := args[1]
		if len(args) == 3 {
			groups, text = args[1], args[2]
		}
		if groups.Type() == value.String {
			b.errorf(WrongType, e.Args[1], "write dynamic([1,2])", "the groups of extract_all are an array")
			return unknown()
		}
		if c, ok := args[0].(*rel.Const); ok {
			if msg := regexError(strOf(c)); msg != "" {
				b.errorf(BadLiteral, e.Args[0], "", "the regular expression cannot be read: %s", msg)
				return unknown()
			}
			if n := regexp.MustCompile(strOf(c)).NumSubexp(); n < 1 || n > 16 {
				b.errorf(BadLiteral, e.Args[0], "put what is to be extracted in parentheses", "the regular expression of extract_all has %d groups, 1 to 16 are needed", n)
				return unknown()
			}
		}
		args = []rel.Expr{args[0], groups, b.cast(text, value.String)}
	case "format_datetime", "format_timespan":
		if c, ok := args[1].(*rel.Const); ok {
			letters := "dfFhHmMsty"
			if name == "format_timespan" {
				letters = "dfFhHms"
			}
			if bad := strings.Trim(c.Value.(string), letters+" /-:,._[]"); bad != "" {
				b.errorf(BadLiteral, e.Args[1], "formats have the letters "+letters+" and the delimiters space / - : , . _ [ ]", "the format has %q, which has no meaning", bad[:1])
				return unknown()
			}
		}
	case "range":
		return b.rangeCall(args, e)
	case "hash":
		if len(args) > 1 {
			return hash(args[0], b.cast(args[1], value.Long))
		}
		return hash(args[0], nil)
	case "hash_many":
		for i := range args {
			args[i] = hash(args[i], nil)
		}
		return call("hash_combine", value.Long, args...)
	case "around":
		return b.around(args, e)
	case "assert":
		return b.assert(args, e)
	case "bin_auto":
		return b.binAuto(args[0], e)
	case "geo_distance_2points":
		if len(args) == 4 {
			args = append(args, rel.Bool(false))
		}
	case "geo_point_to_geohash":
		if len(args) == 2 {
			args = append(args, rel.Long(5))
		}
	case "percentile_tdigest":
		if len(args) == 3 {
			c, ok := args[2].(*rel.Const)
			t, known := value.ParseType(strOf(c))
			if !ok || !known {
				b.errorf(WrongArguments, e.Args[2], "write typeof(long)", "a type is needed here")
				return unknown()
			}
			return b.convert(convertName(t), call(name, value.Dynamic, args[0], b.cast(args[1], value.Real)))
		}
	case "tohex":
		// A negative int has the digits of 32 bits.
		if args[0].Type() == value.Int {
			args[0] = call("binary_and", value.Long, b.cast(args[0], value.Long), rel.Long(math.MaxUint32))
		}
	case "rank_tdigest", "percentrank_tdigest":
		args[1] = b.cast(args[1], value.Dynamic)
	case "parse_user_agent":
		args[1] = b.cast(args[1], value.Dynamic)
	case "make_datetime":
		if len(args) == 2 {
			b.errorf(WrongArguments, e, "its form is make_datetime(year, month, day)", "make_datetime of a year and a month needs the day")
			return unknown()
		}
	case "dynamic_to_json":
		args[0] = b.cast(args[0], value.Dynamic)
	}
	if strings.HasPrefix(name, "series_") && len(args) == 2 && args[0].Type().Numeric() && args[1].Type().Numeric() {
		b.errorf(WrongType, e, "for two numbers write the operator", "found two numbers for %s, one of them is a series", name)
		return unknown()
	}
	for i := range args {
		if rx := f.Param(i).Name == "regex"; rx {
			if c, ok := args[i].(*rel.Const); ok && c.T == value.String {
				if msg := regexError(c.Value.(string)); msg != "" {
					b.errorf(BadLiteral, e.Args[i], "", "the regular expression cannot be read: %s", msg)
					return unknown()
				}
			}
		}
	}
	if name != "sign" {
		b.realsOf(f, args)
	}
	return call(name, b.resultType(f, args), args...)
}

// realsOf makes decimals reals for a function that computes with reals: one that takes numbers and does not give
// its argument's type.
func (b *binder) realsOf(f *builtin.Function, args []rel.Expr) {
	if f.Result == "same" || f.Result == "unify" || f.Result == "sum" || f.Result == "avg" {
		return
	}
	for i, a := range args {
		if a.Type() == value.Decimal && slices.Contains(f.Param(i).Types, value.Real) {
			args[i] = b.cast(a, value.Real)
		}
	}
}

func strOf(c *rel.Const) string {
	if c == nil {
		return ""
	}
	s, _ := c.Value.(string)
	return s
}

func convertName(t value.Type) string {
	switch t {
	case value.Real:
		return "toreal"
	case value.Dynamic:
		return "parse_json"
	}
	return "to" + t.String()
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (b *binder) resultType(f *builtin.Function, args []rel.Expr) value.Type {
	first := value.Unknown
	if len(args) > 0 {
		first = args[0].Type()
	}
	switch f.Result {
	case "same":
		return first
	case "sum":
		if first == value.Int {
			return value.Long
		}
		return first
	case "avg":
		if first.Integer() {
			return value.Real
		}
		return first
	case "last":
		return args[len(args)-1].Type()
	}
	t, _ := value.ParseType(f.Result)
	return t
}

// choose types a function that gives one of several values: they must have a common type.
func (b *binder) choose(name string, args []rel.Expr, values []int, e *syntax.Call) rel.Expr {
	t := value.Unknown
	for _, i := range values {
		at := args[i].Type()
		if (at == value.Dynamic || at == value.GUID) && (name == "max_of" || name == "min_of") {
			b.errorf(WrongType, e.Args[i], convertHint(at, value.Long), "found a value of type %s for %s, which has no order", at, name)
			return unknown()
		}
		switch {
		case t == value.Unknown:
			t = at
		case t == at:
		case t.Integer() && at.Integer():
			t = value.Long
		case t.Numeric() && at.Numeric() && (name == "max_of" || name == "min_of"):
			t = wider(t, at)
		case t.Numeric() && at.Numeric() && t != value.Int && at != value.Int:
			t = wider(t, at)
		case (name == "iff" || name == "case") && t == value.Dynamic:
			t = at // a dynamic value becomes what the others are
		case (name == "iff" || name == "case") && at == value.Dynamic: // and so here
		case isNull(args[i]) && at != value.Dynamic && t != value.Dynamic:
		default:
			b.errorf(WrongType, e.Args[i], commonHint(t, at), "the values of %s are of different types, %s and %s", name, t, at)
			return unknown()
		}
	}
	for _, i := range values {
		args[i] = b.cast(args[i], t)
	}
	return call(name, t, args...)
}

// commonHint says how values of two types become values of one.
func commonHint(x, y value.Type) string {
	switch {
	case x == value.Dynamic && y == value.String, x == value.String && y == value.Dynamic:
		return "convert the dynamic value with tostring()"
	case x == value.Dynamic:
		return convertHint(x, y)
	case y == value.Dynamic:
		return convertHint(y, x)
	}
	return "convert one of them"
}

func isNull(e rel.Expr) bool {
	c, ok := e.(*rel.Const)
	return ok && c.Value == nil
}

func (b *binder) bin(name string, args []rel.Expr, e *syntax.Call) rel.Expr {
	t := args[0].Type()
	if len(args) == 1 {
		if !t.Numeric() {
			b.errorf(WrongArguments, e, "", "%s of a %s needs a step", name, t)
			return unknown()
		}
		args = append(args, rel.Long(1))
	}
	st := args[1].Type()
	switch {
	case t.Numeric() && st.Numeric():
		// The result is at least long, also of ints.
		w := wider(wider(t, st), value.Long)
		for i := range args {
			args[i] = b.cast(args[i], w)
		}
		return call(name, w, args...)
	case (t == value.DateTime || t == value.TimeSpan) && st == value.TimeSpan:
		if len(args) == 3 && args[2].Type() != t {
			b.errorf(WrongType, e.Args[2], "", "found a value of type %s for at of %s, %s is needed", args[2].Type(), name, t)
			return unknown()
		}
		return call(name, t, args...)
	case name == "bin_at" && (t == value.DateTime || t == value.TimeSpan) && st.Numeric():
		// A bare number counts days here; bin wants a unit.
		args[1] = call("*", value.TimeSpan, &rel.Const{Value: int64(value.Day), T: value.TimeSpan}, b.cast(args[1], value.Real))
		return call(name, t, args...)
	}
	hint := ""
	if (t == value.DateTime || t == value.TimeSpan) && st.Numeric() {
		hint = "a step of time has a unit: 1d, 12h, 30m"
	}
	b.errorf(WrongType, e, hint, "found %s with a step of %s", t, st)
	return unknown()
}

// convert binds the functions that change a value's type.
func (b *binder) convert(name string, x rel.Expr) rel.Expr {
	t := value.Dynamic
	if name != "parse_json" {
		t, _ = value.ParseType(strings.TrimPrefix(name, "to"))
	}
	if x.Type() == t {
		return x
	}
	if c, ok := x.(*rel.Call); ok && t == value.DateTime && c.Func == "tostring" && c.Args[0].Type() == t {
		return c.Args[0] // the text of a placeholder, read back
	}
	if c, ok := x.(*rel.Const); ok && c.Value != nil {
		if s, isText := c.Value.(string); isText && c.T == value.String {
			switch t {
			case value.DateTime:
				if d, ok := value.ParseDateTime(s); ok {
					return &rel.Const{Value: int64(d), T: t}
				}
				return rel.Null(t)
			case value.TimeSpan:
				if d, ok := value.ParseTimeSpan(s); ok {
					return &rel.Const{Value: int64(d), T: t}
				}
				return rel.Null(t)
			case value.GUID:
				if g, ok := value.ParseGUID(s); ok {
					return &rel.Const{Value: g, T: t}
				}
				return rel.Null(t)
			case value.Decimal:
				return b.decimalOf(c)
			case value.Dynamic:
				return ParseJSONConst(s)
			}
		}
		if t == value.String && c.T == value.Dynamic {
			return b.cast(x, t)
		}
	}
	if c, ok := x.(*rel.Const); ok && c.Value == nil {
		return rel.Null(t)
	}
	return call(name, t, x)
}

// ParseJSONConst gives the dynamic constant that parse_json makes of a text.
func ParseJSONConst(s string) rel.Expr {
	if strings.TrimSpace(s) == "" {
		return rel.Null(value.Dynamic)
	}
	v, ok := value.ParseJSON(s)
	if !ok {
		v = s
	}
	if v == nil {
		return rel.Null(value.Dynamic)
	}
	return &rel.Const{Value: value.JSON(v), T: value.Dynamic}
}

func (b *binder) rangeCall(args []rel.Expr, e *syntax.Call) rel.Expr {
	t := args[0].Type()
	if len(args) == 2 {
		switch {
		case t.Numeric():
			args = append(args, rel.Long(1))
		default:
			args = append(args, &rel.Const{Value: int64(value.Hour), T: value.TimeSpan})
		}
	}
	if t.Numeric() {
		w := value.Long
		for _, a := range args {
			if !a.Type().Numeric() {
				b.errorf(WrongType, e, "", "the values of range are of different types, %s and %s", t, a.Type())
				return unknown()
			}
			w = wider(w, a.Type())
		}
		if w == value.Decimal { // an array has no decimals
			w = value.Real
		}
		for i := range args {
			args[i] = b.cast(args[i], w)
		}
		return call("range", value.Dynamic, args...)
	}
	if args[1].Type() != t || args[2].Type() != value.TimeSpan {
		b.errorf(WrongType, e, "", "the values of range are of different types")
		return unknown()
	}
	return call("range", value.Dynamic, args...)
}

func (b *binder) packAll(e *syntax.Call, en *env) rel.Expr {
	skip := rel.Expr(rel.Bool(false))
	if len(e.Args) == 1 {
		skip = b.condition(b.expr(e.Args[0].Value, en), e.Args[0])
		if f, ok := builtin.Lookup(builtin.Scalar, "pack_all"); ok && !b.constant(skip, f, f.Param(0), e.Args[0]) {
			return unknown()
		}
	}
	var args []rel.Expr
	for _, c := range en.cols {
		args = append(args, rel.Str(c.Name), &rel.Col{Name: c.Name, T: c.Type})
	}
	bag := call("bag_pack", value.Dynamic, args...)
	if c, ok := skip.(*rel.Const); ok && c.Value == false {
		return bag
	}
	return call("bag_without_empty", value.Dynamic, bag, skip)
}

// columnsOnly holds that the arguments of a call are names of columns, or stars.
func (b *binder) columnsOnly(f *builtin.Function, e *syntax.Call, en *env) bool {
	for _, a := range e.Args {
		if !b.columnArgument(a.Value, en) && !isStar(a.Value) {
			b.errorf(WrongArguments, a, "compute it with extend before", "%s takes columns, and this is none", f.Name)
			return false
		}
	}
	return true
}

// columnArgument says whether an argument is the name of a column, or may be that of one.
func (b *binder) columnArgument(e syntax.Expr, en *env) bool {
	n, ok := e.(*syntax.Name)
	if p, paren := e.(*syntax.Paren); paren {
		return b.columnArgument(p.X, en)
	}
	return ok && (en.open || rel.Index(en.cols, n.Name) >= 0 || en.sc.find(n.Name) == nil)
}

func (b *binder) packColumns(e *syntax.Call, en *env) rel.Expr {
	var args []rel.Expr
	for _, a := range e.Args {
		x := b.expr(a.Value, en)
		if isUnknown(x) {
			return x
		}
		args = append(args, rel.Str(nameOf(a.Value)), x)
	}
	return call("bag_pack", value.Dynamic, args...)
}

func (b *binder) columnIfExists(e *syntax.Call, en *env) rel.Expr {
	if len(e.Args) != 2 {
		b.errorf(WrongArguments, e, "its form is column_ifexists(\"Name\", default)", "column_ifexists takes 2 arguments, not %d", len(e.Args))
		return unknown()
	}
	c, ok := b.expr(e.Args[0].Value, &env{sc: en.sc}).(*rel.Const)
	if !ok || c.T != value.String {
		b.errorf(NotConstant, e.Args[0], "", "the name of the column must be a literal text")
		return unknown()
	}
	if rel.Index(en.cols, c.Value.(string)) >= 0 {
		return b.name(&syntax.Name{Base: e.Base, Name: c.Value.(string)}, en)
	}
	return b.expr(e.Args[1].Value, en)
}

func (b *binder) windowCall(f *builtin.Function, e *syntax.Call, en *env) rel.Expr {
	if !en.windows {
		b.errorf(MisplacedCall, e, "use it in extend, project or where over a sorted table", "%s reads other rows and cannot stand here", f.Name)
		return unknown()
	}
	if b.loose {
		b.errorf(MisplacedCall, e, "put | sort by … or | serialize before it", "%s reads other rows, and the rows have no order here", f.Name)
		return unknown()
	}
	if f.Unsupported != "" {
		b.unsupported(e, f.Unsupported)
		return unknown()
	}
	if !b.argCount(f, e) {
		return unknown()
	}
	if (f.Name == "prev" || f.Name == "next") && !b.columnArgument(e.Args[0].Value, en) {
		b.errorf(WrongArguments, e.Args[0], "compute it with extend before", "%s takes a column, and this is none", f.Name)
		return unknown()
	}
	args := make([]rel.Expr, 0, len(e.Args))
	for i, a := range e.Args {
		x := b.expr(a.Value, en)
		if isUnknown(x) || !b.constant(x, f, f.Param(i), a) {
			return unknown()
		}
		y, ok := b.coerce(x, f.Param(i).Types)
		if !ok {
			b.wrongArgument(a, x, f, f.Param(i))
			return unknown()
		}
		args = append(args, y)
	}
	if (f.Name == "prev" || f.Name == "next") && len(args) == 3 {
		args[2] = b.cast(args[2], args[0].Type())
	}
	return call(f.Name, b.resultType(f, args), args...)
}

// tableCall binds the functions that give a table or take one.
func (b *binder) tableCall(f *builtin.Function, e *syntax.Call, en *env) *binding {
	if f.Unsupported != "" {
		b.unsupported(e, f.Unsupported)
		return &binding{table: openTable()}
	}
	if !b.argCount(f, e) {
		return &binding{table: openTable()}
	}
	if f.Name == "_GetWatchlistAlias" {
		v := &rel.Values{Cols: []rel.Column{{Name: "WatchlistAlias", Type: value.String}}}
		for _, n := range slices.Sorted(maps.Keys(b.o.Watchlists)) {
			v.Rows = append(v.Rows, []rel.Expr{rel.Str(n)})
		}
		return &binding{table: &table{rel: v}}
	}
	arg := e.Args[0].Value
	switch f.Name {
	case "toscalar":
		var t *table
		if bind := b.letValue(arg, en.sc); bind != nil {
			if bind.scalar != nil {
				return &binding{scalar: b.once(bind.scalar, e)}
			}
			t = b.mustTable(bind, arg, "the argument")
		}
		if t == nil || t.open {
			return &binding{scalar: unknown()}
		}
		if len(t.cols()) == 0 {
			b.errorf(WrongArguments, arg, "", "the table has no columns")
			return &binding{scalar: unknown()}
		}
		r := t.rel
		if volatile(r) {
			r = &rel.Shared{In: r}
		}
		return &binding{scalar: &rel.Scalar{Rel: r, T: t.cols()[0].Type}}
	case "materialize":
		if bind := b.letValue(arg, en.sc); bind != nil && bind.scalar != nil {
			return bind
		} else if bind != nil {
			t := b.mustTable(bind, arg, "the argument")
			return &binding{table: t.with(&rel.Shared{In: t.rel})}
		}
		return &binding{table: openTable()}
	}
	c, ok := b.expr(arg, &env{sc: en.sc}).(*rel.Const)
	if !ok || c.T != value.String {
		if ok && c.T == value.Unknown {
			return &binding{table: openTable()}
		}
		b.errorf(NotConstant, arg, "write the name as a literal text", "the name given to %s is not known when the query is compiled", f.Name)
		return &binding{table: openTable()}
	}
	name := c.Value.(string)
	if slices.Contains(elsewhereFunctions[:], f.Name) {
		b.errorf(WrongArguments, e, "name one of its tables behind it: "+f.Name+"("+value.JSON(name)+").T", "%s names a place, not a table", f.Name)
		return &binding{table: openTable()}
	}
	if f.Name == "table" {
		if t, ok := b.storedTable(name); ok {
			return &binding{table: t}
		}
		if l := en.sc.find(name); l != nil && (l.table != nil || l.fn != nil) {
			return &binding{table: b.mustTable(l, arg, name)}
		}
		b.unknownTable(arg, name, en.sc)
		return &binding{table: openTable()}
	}
	w, ok := b.o.Watchlists[name]
	if !ok {
		var names []string
		for n := range b.o.Watchlists {
			names = append(names, n)
		}
		hint := cmp.Or(fewHint(name, names), "no watchlists are declared")
		b.errorf(UnknownWatchlist, arg, hint, "there is no watchlist %s", name)
		return &binding{table: openTable()}
	}
	return &binding{table: &table{rel: w}}
}

// once gives a value that toscalar() computes one time: what may differ from call to call becomes a table of
// one row that is shared, also where a function without arguments holds the call and is called again.
func (b *binder) once(x rel.Expr, at *syntax.Call) rel.Expr {
	varies := false
	rel.WalkExpr(x, func(e rel.Expr) {
		c, ok := e.(*rel.Call)
		varies = varies || ok && volatileCall(c)
	})
	if !varies {
		return x
	}
	if c, ok := b.constants[at]; ok && c.value.String() == x.String() {
		return c.scalar
	}
	row := &rel.Values{Cols: []rel.Column{{Name: "value", Type: x.Type()}}, Rows: [][]rel.Expr{{x}}}
	scalar := &rel.Scalar{Rel: &rel.Shared{In: row}, T: x.Type()}
	if b.constants == nil {
		b.constants = map[*syntax.Call]fixed{}
	}
	b.constants[at] = fixed{x, scalar}
	return scalar
}

// fixed is a value that toscalar() computes one time.
type fixed struct {
	value  rel.Expr
	scalar *rel.Scalar
}

// volatile tells whether reading a table twice may give different rows.
func volatile(r rel.Rel) bool {
	varies := false
	rel.Walk(r, func(n rel.Rel) {
		n.Exprs(func(e rel.Expr) rel.Expr {
			rel.WalkExpr(e, func(e rel.Expr) {
				c, ok := e.(*rel.Call)
				varies = varies || ok && volatileCall(c)
			})
			return e
		})
	})
	return varies
}

func volatileCall(c *rel.Call) bool {
	f, ok := builtin.Lookup(builtin.Scalar, c.Func)
	return ok && f.Volatile
}
