package sqlgen

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"glassward/kql/eval"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// exprs writes expressions over the columns of one input, or of the two of a join.
type exprs struct {
	g           *gen
	ids         map[string]string
	left, right map[string]string
	qualify     string
}

// value writes an expression so that its SQL type is that of its KQL type.
func (x *exprs) value(e rel.Expr) string {
	switch e := e.(type) {
	case *rel.Const:
		return literal(e, true)
	case *rel.Col:
		return x.column(e)
	case *rel.Param:
		x.g.params[e.Name] = true
		return "$" + e.Name + "::" + sqlType(e.T)
	case *rel.Path:
		return "nullif(json_extract(" + x.value(e.X) + ", " + jsonPath(e.Steps) + ")::VARCHAR, 'null')"
	case *rel.InTable:
		return x.inTable(e, false)
	case *rel.Scalar:
		cols := e.Rel.Columns()
		s := "(SELECT " + idents(cols)[cols[0].Name] + " FROM " + x.g.from(e.Rel) + " LIMIT 1)"
		if e.T == value.String {
			s = "coalesce(" + s + ", '')"
		}
		return s
	case *rel.Call:
		return x.g.grow(x.call(e, false))
	}
	x.g.fail("no SQL for the expression %T", e)
	return ""
}

// bare writes a constant without its type where the context gives it one.
func (x *exprs) bare(e rel.Expr) string {
	if c, ok := e.(*rel.Const); ok {
		return literal(c, false)
	}
	return x.value(e)
}

// typed writes a value as the column of a SELECT without a table, where nothing else gives its type.
func (x *exprs) typed(e rel.Expr, t value.Type) string {
	s := x.value(e)
	if c, ok := e.(*rel.Const); ok && c.Value == nil {
		return "NULL::" + sqlType(t)
	}
	return s
}

// cond writes a condition of which only whether it is true matters: null counts as false.
func (x *exprs) cond(e rel.Expr) string {
	switch e := e.(type) {
	case *rel.Call:
		return x.g.grow(x.call(e, true))
	case *rel.InTable:
		return x.inTable(e, true)
	}
	return x.value(e)
}

func (x *exprs) column(c *rel.Col) string {
	switch c.Side {
	case rel.Left:
		return "l." + x.left[c.Name]
	case rel.Right:
		return "r." + x.right[c.Name]
	}
	id, ok := x.ids[c.Name]
	if !ok {
		if x.left != nil {
			if id, ok = x.left[c.Name]; ok {
				return "l." + id
			}
		}
		x.g.fail("the column %s is not there", c.Name)
	}
	if x.qualify != "" {
		return x.qualify + "." + id
	}
	return id
}

func literal(c *rel.Const, typed bool) string {
	if c.Value == nil {
		if c.T == value.Unknown {
			return "NULL::UUID[]"
		}
		if typed {
			return "NULL::" + sqlType(c.T)
		}
		return "NULL"
	}
	switch v := c.Value.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		s := strconv.FormatInt(v, 10)
		if v == math.MinInt64 {
			return "(-9223372036854775807 - 1)::BIGINT"
		}
		if v < 0 {
			s = "(" + s + ")"
		}
		if typed {
			s += "::" + sqlType(c.T)
		}
		return s
	case float64:
		switch {
		case math.IsNaN(v):
			return "'nan'::DOUBLE"
		case math.IsInf(v, 1):
			return "'inf'::DOUBLE"
		case math.IsInf(v, -1):
			return "'-inf'::DOUBLE"
		}
		if v == 0 && math.Signbit(v) {
			return "'-0.0'::DOUBLE"
		}
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if v < 0 || math.Signbit(v) {
			s = "(" + s + ")"
		}
		return s + "::DOUBLE"
	case value.Dec:
		return text(string(v))
	case string:
		if c.T == value.GUID {
			return text(v) + "::UUID"
		}
		return text(v)
	}
	return "NULL"
}

// jsonPath gives steps as a literal JSON path, or, for keys that a path cannot say, a JSON pointer.
func jsonPath(steps []rel.Step) string {
	pointer := false
	for _, s := range steps {
		if s.Key != nil && (*s.Key == "" || strings.ContainsAny(*s.Key, "\"\x00*")) {
			pointer = true
		}
	}
	var b strings.Builder
	if !pointer {
		b.WriteByte('$')
	}
	for _, s := range steps {
		switch {
		case pointer && s.Key != nil:
			b.WriteByte('/')
			b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(*s.Key))
		case pointer:
			b.WriteByte('/')
			b.WriteString(strconv.Itoa(s.Index))
		case s.Key == nil:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.Index))
			b.WriteByte(']')
		case simpleKey(*s.Key):
			b.WriteByte('.')
			b.WriteString(*s.Key)
		default:
			b.WriteString(".\"")
			b.WriteString(*s.Key)
			b.WriteByte('"')
		}
	}
	return text(b.String())
}

func simpleKey(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
			return false
		}
	}
	return true
}

// nullable says whether an expression may be NULL in SQL.
func nullable(e rel.Expr) bool {
	switch e := e.(type) {
	case *rel.Const:
		return e.Value == nil
	case *rel.Param:
		return false
	case *rel.Call:
		switch e.Func {
		case "dynamic_text":
			return true
		case "strlen", "count", "countif", "dcount", "isempty", "isnotempty", "isnull", "isnotnull", "in", "in~":
			return false
		}
	}
	return e.Type() != value.String
}

func (x *exprs) inTable(e *rel.InTable, truthy bool) string {
	cols := e.Rel.Columns()
	col := idents(cols)[cols[0].Name]
	lhs := x.value(e.X)
	if e.Fold {
		lhs, col = "lower("+lhs+")", "lower("+col+")"
	}
	sub := "(SELECT " + col + " FROM " + x.g.from(e.Rel)
	if nullable(e.X) || cols[0].Type != value.String {
		sub += " WHERE " + col + " IS NOT NULL"
	}
	s := lhs + " IN " + sub + ")"
	if nullable(e.X) && (e.Not || !truthy) {
		s = "coalesce(" + s + ", false)"
	}
	if e.Not {
		return "NOT (" + s + ")"
	}
	return "(" + s + ")"
}

// equal writes == and !=. What is no number equals nothing, not even itself; for the engine it equals itself.
func (x *exprs) equal(l, r rel.Expr, not, truthy bool) string {
	s := x.same(l, r, not, truthy)
	if !maybeNaN(l) || !maybeNaN(r) {
		return s
	}
	if !isLeaf(l) && isLeaf(r) {
		l = r // if one equals the other, either tells
	}
	if not {
		return "(" + s + " OR isnan(" + x.value(l) + "))"
	}
	return "(" + s + " AND NOT isnan(" + x.value(l) + "))"
}

// order writes <, <=, > and >=. What is no number is neither less nor greater; for the engine it is the greatest.
// A side that is more than a column is written once all the same, or SQL would double with every comparison
// that stands within another.
func (x *exprs) order(op string, l, r rel.Expr) string {
	great, small, turned := l, r, strings.Replace(op, ">", "<", 1)
	if op[0] == '<' {
		great, small, turned = r, l, op
	}
	switch {
	case !maybeNaN(great):
	case isLeaf(great):
		return "(" + x.bare(l) + " " + op + " " + x.bare(r) + " AND NOT isnan(" + x.value(great) + "))"
	case !maybeNaN(small):
		// The opposite of no number is none either, and so it is not less than that of the other.
		return "(-(" + x.bare(great) + ") " + turned + " -(" + x.bare(small) + "::DOUBLE))"
	case turned == "<":
		return "(" + x.bare(small) + " - " + x.bare(great) + " < 0)"
	default:
		return "(" + x.bare(l) + " " + op + " " + x.bare(r) + " AND NOT isnan(" + x.value(great) + "))"
	}
	return "(" + x.bare(l) + " " + op + " " + x.bare(r) + ")"
}

// isLeaf says whether an expression costs nothing to write and to compute again.
func isLeaf(e rel.Expr) bool {
	switch e.(type) {
	case *rel.Col, *rel.Const, *rel.Param:
		return true
	}
	return false
}

// maybeNaN tells whether a value may be no number; a null is null for isnan, too.
func maybeNaN(e rel.Expr) bool {
	if c, ok := e.(*rel.Const); ok {
		f, ok := c.Value.(float64)
		return ok && math.IsNaN(f)
	}
	return e.Type() == value.Real
}

// same compares. Two nulls give null, one null is unequal to every value.
func (x *exprs) same(l, r rel.Expr, not, truthy bool) string {
	a, b := x.bare(l), x.bare(r)
	nl, nr := nullable(l), nullable(r)
	switch {
	case !nl && !nr:
		if not {
			return "(" + a + " <> " + b + ")"
		}
		return "(" + a + " = " + b + ")"
	case isNullConst(l) || isNullConst(r):
		// x == null: null where x is null, else false.
		o := a
		if isNullConst(l) {
			o = b
		}
		if isNullConst(l) && isNullConst(r) {
			return "NULL::BOOLEAN"
		}
		return "CASE WHEN " + o + " IS NOT NULL THEN " + strconv.FormatBool(not) + " END"
	case truthy && !not:
		return "(" + a + " = " + b + ")"
	case not && truthy:
		return "(" + a + " IS DISTINCT FROM " + b + ")"
	case !nl || !nr:
		if not {
			return "(" + a + " IS DISTINCT FROM " + b + ")"
		}
		return "coalesce(" + a + " = " + b + ", false)"
	}
	op := " IS NOT DISTINCT FROM "
	if not {
		op = " IS DISTINCT FROM "
	}
	return "CASE WHEN " + a + " IS NOT NULL OR " + b + " IS NOT NULL THEN " + a + op + b + " END"
}

func isNullConst(e rel.Expr) bool {
	c, ok := e.(*rel.Const)
	return ok && c.Value == nil
}

// bits gives how many bits the whole number of an expression needs at most.
func bits(e rel.Expr) int {
	switch e := e.(type) {
	case *rel.Const:
		n, _ := e.Value.(int64)
		if n == math.MinInt64 {
			return 64
		}
		if n < 0 {
			n = -n
		}
		k := 1
		for n > 0 {
			k, n = k+1, n>>1
		}
		return k
	case *rel.Col:
		if e.T == value.Int {
			return 32
		}
	case *rel.Call:
		switch e.Func {
		case "tolong":
			if t := e.Args[0].Type(); t == value.Int || t == value.Bool {
				return 32
			}
		case "strlen", "countof", "array_length", "indexof", "row_number":
			return 40
		case "+", "-":
			return max(bits(e.Args[0]), bits(e.Args[1])) + 1
		case "*":
			return bits(e.Args[0]) + bits(e.Args[1])
		}
	}
	return 64
}

// isConstant says that an expression has the same value for all rows and is known when compiling.
func isConstant(e rel.Expr) bool {
	constant := true
	rel.WalkExpr(e, func(e rel.Expr) {
		switch e.(type) {
		case *rel.Const, *rel.Call:
		default:
			constant = false
		}
	})
	return constant
}

// hasScalar says whether an expression holds a sub-query.
func hasScalar(e rel.Expr) bool {
	found := false
	rel.WalkExpr(e, func(e rel.Expr) {
		if _, ok := e.(*rel.Scalar); ok {
			found = true
		}
	})
	return found
}

func (x *exprs) arithmetic(c *rel.Call) string {
	l, r := c.Args[0], c.Args[1]
	a, b := x.bare(l), x.bare(r)
	// Where both sides could be constants, they say their type. What is within is written once only.
	typed := func(e rel.Expr, bare string) string {
		if _, ok := e.(*rel.Const); ok {
			return x.value(e)
		}
		return bare
	}
	lt, rt := l.Type(), r.Type()
	switch {
	case c.T == value.Real && lt == value.TimeSpan: // timespan / timespan
		return "(" + a + "::DOUBLE / " + b + ")"
	case c.T == value.Real:
		if c.Func == "%" {
			return "((" + a + " % " + b + " + abs(" + b + ")) % abs(" + b + "))"
		}
		return "(" + a + " " + c.Func + " " + b + ")"
	case c.T == value.DateTime:
		s := x.ticks(c)
		_, lp := l.(*rel.Param)
		_, rc := r.(*rel.Const)
		if lp && rc {
			return s
		}
		return "CASE WHEN " + s + " BETWEEN 0 AND " + strconv.FormatInt(int64(value.MaxTicks), 10) + " THEN " + s + " END"
	case c.T == value.TimeSpan && (lt == value.Real || rt == value.Real):
		return "try_cast(round(" + a + " " + c.Func + " " + b + ") AS BIGINT)"
	case c.T == value.TimeSpan && lt == value.DateTime && rt == value.DateTime:
		return "(" + a + " - " + b + ")"
	case c.Func == "%":
		if k, ok := r.(*rel.Const); ok && k.Value != nil && k.Value.(int64) > 0 && bits(k) <= 62 {
			return "((" + a + " % " + b + " + " + b + ") % " + b + ")"
		}
		d := "abs(" + typed(r, b) + "::HUGEINT)" // the smallest long has no opposite among the longs
		return "((" + typed(l, a) + " % " + d + " + " + d + ") % " + d + ")::BIGINT"
	case c.Func == "/":
		if k, ok := r.(*rel.Const); ok && k.Value != int64(-1) {
			return "(" + a + " // " + b + ")"
		}
		return wrapped(typed(l, a) + "::HUGEINT // " + typed(r, b))
	}
	s := "(" + typed(l, a) + " " + c.Func + " " + typed(r, b) + ")"
	if bits(c) <= 63 {
		return s
	}
	if c.T == value.TimeSpan && !hasScalar(c) {
		return "TRY" + s
	}
	return wrapped(typed(l, a) + "::HUGEINT " + c.Func + " " + typed(r, b))
}

// wrapped makes the result of whole numbers of 128 bits one of 64: beyond these it goes on at the other end, as
// Kusto's do.
func wrapped(s string) string {
	return "(((" + s + " + 9223372036854775808::HUGEINT) & 18446744073709551615::HUGEINT) - 9223372036854775808::HUGEINT)::BIGINT"
}

// ticks writes a time with a length of time added or taken away, without asking whether it is in the
// calendar: that is asked once of a whole chain of them, or its SQL would double with every link.
func (x *exprs) ticks(e rel.Expr) string {
	c, ok := e.(*rel.Call)
	if !ok || c.T != value.DateTime || c.Func != "+" && c.Func != "-" {
		return x.bare(e)
	}
	l, r := c.Args[0], c.Args[1]
	s := "(" + x.ticks(l) + " " + c.Func + " " + x.ticks(r) + ")"
	_, lc := l.(*rel.Const)
	_, rc := r.(*rel.Const)
	if _, nested := l.(*rel.Call); (!rc || nested) && !lc && !hasScalar(c) {
		return "TRY" + s
	}
	return s
}

// json writes a value of a type, given as SQL, as the SQL of its JSON text, NULL if it is null.
func (x *exprs) json(s string, t value.Type) string {
	switch t {
	case value.Dynamic:
		return s
	case value.String:
		return "to_json(" + s + ")::VARCHAR"
	case value.Bool, value.Int, value.Long:
		return "(" + s + ")::VARCHAR"
	case value.Real:
		return "kql_real_json(" + s + ")"
	case value.Decimal:
		return "'\"' || kql_decimal_text(" + s + ") || '\"'"
	case value.DateTime:
		return "'\"' || kql_datetime_text(" + s + ") || '\"'"
	case value.TimeSpan:
		return "'\"' || kql_timespan_text(" + s + ") || '\"'"
	case value.GUID:
		return "'\"' || (" + s + ")::VARCHAR || '\"'"
	}
	return s
}

// asJSON writes an expression as its JSON text.
func (x *exprs) asJSON(e rel.Expr) string {
	if c, ok := e.(*rel.Const); ok {
		if c.Value == nil {
			return "NULL::VARCHAR"
		}
		return text(constJSON(c))
	}
	return x.json(x.value(e), e.Type())
}

// element is asJSON within an array or a bag, where null is a word.
func (x *exprs) element(e rel.Expr) string {
	s := x.asJSON(e)
	if nullable(e) {
		return "coalesce(" + s + ", 'null')"
	}
	return s
}

func constJSON(c *rel.Const) string {
	switch v := c.Value.(type) {
	case string:
		if c.T == value.Dynamic {
			return v
		}
		return value.JSON(v)
	case int64:
		switch c.T {
		case value.DateTime:
			return value.JSON(value.Ticks(v))
		case value.TimeSpan:
			return value.JSON(value.Span(v))
		}
		return value.JSON(v)
	}
	return value.JSON(c.Value)
}

// fromJSON takes a value of a type out of the SQL of a JSON text.
func (x *exprs) fromJSON(s string, t value.Type) string {
	switch t {
	case value.Dynamic:
		return "nullif(" + s + "::VARCHAR, 'null')"
	case value.String:
		return "coalesce(json_extract_string(" + s + ", '$'), '')"
	}
	return dynamicTo(t) + "(" + s + "::VARCHAR)" + cast(t)
}

func cast(t value.Type) string {
	switch t {
	case value.GUID:
		return "::UUID"
	case value.Int:
		return "::INTEGER"
	}
	return ""
}

// dynamicTo gives the function that takes a value of a type out of JSON text.
func dynamicTo(t value.Type) string {
	switch t {
	case value.Bool:
		return "kql_dynamic_bool"
	case value.Int:
		return "kql_dynamic_int"
	case value.Long:
		return "kql_dynamic_long"
	case value.Real:
		return "kql_dynamic_real"
	case value.Decimal:
		return "kql_dynamic_decimal"
	case value.DateTime:
		return "kql_dynamic_datetime"
	case value.TimeSpan:
		return "kql_dynamic_timespan"
	case value.GUID:
		return "kql_dynamic_guid"
	}
	return "kql_dynamic_string"
}

// tostring writes an expression's text; null gives the empty string.
func (x *exprs) tostring(e rel.Expr) string {
	switch e := e.(type) {
	case *rel.Path:
		return "coalesce(json_extract_string(" + x.value(e.X) + ", " + jsonPath(e.Steps) + "), '')"
	case *rel.Const:
		if e.Value == nil {
			return "''"
		}
	}
	s := x.value(e)
	switch e.Type() {
	case value.String:
		return s
	case value.Bool:
		return "CASE WHEN " + s + " THEN 'True' WHEN NOT " + s + " THEN 'False' ELSE '' END"
	case value.Dynamic:
		return "coalesce(kql_dynamic_string(" + s + "), '')"
	case value.Real:
		s = "kql_real_text(" + s + ")"
	case value.Decimal:
		s = "kql_decimal_text(" + s + ")"
	case value.DateTime:
		s = "kql_datetime_text(" + s + ")"
	case value.TimeSpan:
		s = "kql_timespan_text(" + s + ")"
	default:
		s = "(" + s + ")::VARCHAR"
	}
	if nullable(e) {
		s = "coalesce(" + s + ", '')"
	}
	return s
}

// function finds a Go function by its KQL name.
func function(name string) (*eval.Function, bool) { return eval.Lookup("kql_" + name) }

// goCall writes the call of a Go function, with its arguments given the types that it takes. A last
// parameter named more takes the rest of the arguments as a JSON array.
func (x *exprs) goCall(f *eval.Function, args []rel.Expr) string {
	var b strings.Builder
	b.WriteString(f.Name)
	b.WriteByte('(')
	for i, p := range f.Params {
		if i > 0 {
			b.WriteString(", ")
		}
		if f.Variadic && i == len(f.Params)-1 {
			var rest []rel.Expr
			if i < len(args) {
				rest = args[i:]
			}
			b.WriteString(x.array(rest))
			break
		}
		if i >= len(args) {
			b.WriteString("NULL::" + sqlType(p))
			continue
		}
		b.WriteString(x.as(args[i], p))
	}
	b.WriteByte(')')
	s := b.String()
	if f.Result == value.String {
		s = "coalesce(" + s + ", '')"
	}
	return s + cast(f.Result)
}

// as writes an expression as a value of a type that a Go function takes.
func (x *exprs) as(e rel.Expr, t value.Type) string {
	switch {
	case e.Type() == t:
		return x.value(e)
	case t == value.Dynamic:
		return x.asJSON(e)
	case t == value.String:
		return x.tostring(e)
	case t == value.Decimal:
		return x.toDecimal(e)
	case e.Type() == value.Decimal:
		return x.fromDecimal(x.value(e), t)
	case t == value.Long || t == value.Int, t == value.Real:
		if e.Type() == value.DateTime || e.Type() == value.TimeSpan || e.Type().Numeric() || e.Type() == value.Bool {
			return x.value(e) + "::" + sqlType(t)
		}
		if e.Type() == value.Dynamic {
			return dynamicTo(t) + "(" + x.value(e) + ")"
		}
	}
	return x.value(e)
}

// array writes expressions as the JSON text of an array.
func (x *exprs) array(es []rel.Expr) string {
	if len(es) == 0 {
		return "'[]'"
	}
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = x.element(e)
	}
	return list(parts)
}

// list writes the JSON text of an array of elements that are written.
func list(elements []string) string {
	parts := make([]string, 0, 2*len(elements)+1)
	before := "'['"
	for _, e := range elements {
		parts = append(parts, before, e)
		before = "','"
	}
	return "(" + concat(append(parts, "']'")) + ")"
}

// concat writes texts one behind the other. Many are put together in heaps: the engine bounds how deep an expression
// is, and a chain is as deep as it is long.
func concat(parts []string) string {
	const most = 100
	for len(parts) > most {
		var heaps []string
		for heap := range slices.Chunk(parts, most) {
			heaps = append(heaps, "("+strings.Join(heap, " || ")+")")
		}
		parts = heaps
	}
	return strings.Join(parts, " || ")
}
