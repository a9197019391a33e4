package sqlgen

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/value"
)

// call writes a call of a scalar function, operator or window function. With truthy only whether a
// condition is true matters.
func (x *exprs) call(c *rel.Call, truthy bool) string {
	a := c.Args
	if c.T == value.Decimal {
		if s, ok := x.decimal(c); ok {
			return s
		}
	}
	switch c.Func {
	case "and", "or":
		parts := make([]string, len(a))
		for i, e := range a {
			if truthy {
				parts[i] = x.cond(e)
			} else {
				parts[i] = x.value(e)
			}
		}
		if len(parts) == 1 {
			return parts[0]
		}
		return "(" + strings.Join(parts, " "+strings.ToUpper(c.Func)+" ") + ")"
	case "not":
		if k, ok := a[0].(*rel.Call); ok && truthy {
			switch k.Func {
			case "==", "!=":
				return x.equal(k.Args[0], k.Args[1], k.Func == "==", true)
			}
		}
		return "(NOT " + x.value(a[0]) + ")"
	case "==", "!=":
		return x.equal(a[0], a[1], c.Func == "!=", truthy)
	case "<", "<=", ">", ">=":
		return x.order(c.Func, a[0], a[1])
	case "+", "-", "*", "/", "%":
		return x.arithmetic(c)
	case "negate":
		if c.T == value.Long || c.T == value.TimeSpan {
			if a[0].Type() == value.Int {
				return "(0 - " + x.value(a[0]) + "::BIGINT)"
			}
			return wrapped("0 - " + x.value(a[0]) + "::HUGEINT")
		}
		return "(-" + x.value(a[0]) + ")"
	case "in", "in~":
		return x.in(c, truthy)
	case "contains", "contains_cs", "startswith", "startswith_cs", "endswith", "endswith_cs", "=~":
		return x.textTest(c)
	case "has", "has_cs", "hasprefix", "hasprefix_cs", "hassuffix", "hassuffix_cs":
		return x.has(c)
	case "has_any":
		return x.hasAny(c)
	case "matches regex":
		if k, ok := a[1].(*rel.Const); ok {
			return "regexp_matches(" + x.value(a[0]) + ", " + text(k.Value.(string)) + ")"
		}
		return "kql_matches(" + x.value(a[0]) + ", " + x.value(a[1]) + ")"
	case "extract":
		if re, group, ok := constantExtract(a); ok {
			return "regexp_extract(" + x.value(a[2]) + ", " + text(re) + ", " + strconv.Itoa(group) + ")"
		}
	case "text_contains":
		return containsAny(x.value(a[0]), constants(a[1:]))
	case "text_contains_fold":
		return containsAny("lower("+x.value(a[0])+")", lower(constants(a[1:])))
	case "dynamic_text":
		if p, ok := a[0].(*rel.Path); ok {
			return "json_extract_string(" + x.value(p.X) + ", " + jsonPath(p.Steps) + ")"
		}
		return "kql_dynamic_string(" + x.value(a[0]) + ")"
	case "tostring":
		return x.tostring(a[0])
	case "todynamic_value":
		return x.asJSON(a[0])
	case "dynamic_json":
		return "coalesce(" + x.asJSON(a[0]) + ", '')"
	case "toint", "tolong", "toreal", "todecimal", "tobool", "todatetime", "totimespan", "toguid":
		return x.convert(c)
	case "parse_json":
		switch a[0].Type() {
		case value.String:
			return "kql_parse_json(" + x.value(a[0]) + ")"
		}
		return x.asJSON(a[0])
	case "isnull":
		return "(" + x.value(a[0]) + " IS NULL)"
	case "isnotnull":
		return "(" + x.value(a[0]) + " IS NOT NULL)"
	case "isempty", "isnotempty":
		not := ""
		op := " = ''"
		if c.Func == "isnotempty" {
			not, op = "NOT ", " <> ''"
		}
		switch a[0].Type() {
		case value.String:
			return "(" + x.value(a[0]) + op + ")"
		case value.Dynamic:
			return "(" + x.tostring(a[0]) + op + ")"
		}
		return "(" + x.value(a[0]) + " IS " + not + "NULL)"
	case "iff":
		return "CASE WHEN " + x.cond(a[0]) + " THEN " + x.value(a[1]) + " ELSE " + x.value(a[2]) + " END"
	case "case":
		var b strings.Builder
		b.WriteString("CASE")
		for i := 0; i+1 < len(a); i += 2 {
			b.WriteString(" WHEN " + x.cond(a[i]) + " THEN " + x.value(a[i+1]))
		}
		b.WriteString(" ELSE " + x.value(a[len(a)-1]) + " END")
		return b.String()
	case "coalesce":
		return x.coalesce(c)
	case "max_of", "min_of":
		name := "greatest"
		if c.Func == "min_of" {
			name = "least"
		}
		return name + "(" + x.list(a) + ")"
	case "strcat":
		parts := make([]string, len(a))
		for i, e := range a {
			parts[i] = x.tostring(e)
		}
		if len(parts) == 1 {
			return parts[0]
		}
		return "(" + concat(parts) + ")"
	case "strcat_delim":
		parts := make([]string, 0, len(a))
		for _, e := range a {
			parts = append(parts, x.tostring(e))
		}
		return "concat_ws(" + strings.Join(parts, ", ") + ")"
	case "strlen":
		return "length(" + x.value(a[0]) + ")"
	case "string_size":
		return "strlen(" + x.value(a[0]) + ")"
	case "tolower":
		return "lower(" + x.value(a[0]) + ")"
	case "toupper":
		// The engine's upper is the faster, but makes of a ß a ẞ that no text has.
		s := x.value(a[0])
		if _, ok := a[0].(*rel.Col); ok {
			return "CASE WHEN contains(" + s + ", 'ß') THEN kql_toupper(" + s + ") ELSE upper(" + s + ") END"
		}
		return "kql_toupper(" + s + ")"
	case "replace_string":
		if k, ok := a[1].(*rel.Const); ok && k.Value == "" {
			return x.value(a[0])
		}
	case "abs":
		// The smallest long has no positive counterpart; the engine would refuse the query.
		return "try(abs(" + x.value(a[0]) + "))"
	case "sign":
		if a[0].Type() == value.Decimal {
			return "kql_decimal_sign(" + x.value(a[0]) + ")"
		}
		return "sign(" + x.value(a[0]) + ")::DOUBLE"
	case "ceiling":
		return "ceil(" + x.value(a[0]) + "::DOUBLE)"
	case "exp", "atan", "degrees", "radians":
		return c.Func + "(" + x.value(a[0]) + "::DOUBLE)"
	case "pi":
		return "pi()"
	case "atan2":
		return "atan2(" + x.value(a[0]) + "::DOUBLE, " + x.value(a[1]) + "::DOUBLE)"
	case "isnan", "isinf":
		return c.Func + "(" + x.value(a[0]) + "::DOUBLE)"
	case "isfinite":
		return "isfinite(" + x.value(a[0]) + "::DOUBLE)"
	case "bin", "floor":
		return x.bin(c)
	case "bin_at":
		v, s, at := x.value(a[0]), x.value(a[1]), x.value(a[2])
		if c.T == value.Real {
			return ifPositive(a[1], s, at+" + floor(("+v+" - "+at+") / "+s+") * "+s)
		}
		d := "(" + v + "::HUGEINT - " + at + ")"
		e := "try_cast(" + ifPositive(a[1], s, v+" - ("+d+" % "+s+" + "+s+") % "+s) + " AS BIGINT)"
		if c.T == value.DateTime {
			return "CASE WHEN " + e + " BETWEEN 0 AND " + strconv.FormatInt(int64(value.MaxTicks), 10) + " THEN " + e + " END"
		}
		return e
	case "binary_and":
		return "(" + x.value(a[0]) + "::BIGINT & " + x.value(a[1]) + "::BIGINT)"
	case "binary_or":
		return "(" + x.value(a[0]) + "::BIGINT | " + x.value(a[1]) + "::BIGINT)"
	case "binary_xor":
		return "xor(" + x.value(a[0]) + "::BIGINT, " + x.value(a[1]) + "::BIGINT)"
	case "binary_not":
		return "(~ " + x.value(a[0]) + "::BIGINT)"
	case "rand":
		if len(a) == 1 {
			return "floor(random() * " + x.value(a[0]) + ")::DOUBLE"
		}
		return "random()"
	case "new_guid":
		return "uuid()"
	case "pack_array":
		return x.array(a)
	case "bag_pack":
		return x.bag(a)
	case "in_dynamic":
		return "coalesce(kql_in_dynamic(" + x.value(a[0]) + ", " + x.value(a[1]) + ", " + x.value(a[2]) + "), false)"
	case "toscalar":
		return x.value(a[0])
	case "geo_info_from_ip_address": // no function of eval.Functions: the engine makes it of its database
		return "kql_geo_info_from_ip_address(" + x.value(a[0]) + ")"
	case "assert":
		return "CASE WHEN " + x.cond(a[0]) + " THEN true ELSE error('assert() has failed with message: ' || " + x.value(a[1]) + ") END"
	case "row_id":
		return "row_number() OVER ()"
	case "prev", "next", "row_number", "row_cumsum", "row_rank_dense", "row_rank_min", "row_changed", "row_run_start":
		return x.window(c)
	case rel.LineageOne:
		return "[" + x.value(a[0]) + "]"
	case rel.LineageConcat:
		return "list_slice(list_distinct(list_concat(coalesce(" + x.value(a[0]) + ", []), coalesce(" + x.value(a[1]) + ", []))), 1, 1001)"
	case "startofday":
		if len(a) == 1 {
			v := x.value(a[0])
			return "(" + v + " - " + v + " % " + strconv.FormatInt(int64(value.Day), 10) + ")"
		}
	case "dayofweek":
		// 0001-01-01 was a Monday.
		return "((" + x.value(a[0]) + " // " + strconv.FormatInt(int64(value.Day), 10) + " + 1) % 7 * " + strconv.FormatInt(int64(value.Day), 10) + ")"
	case "hourofday":
		return "(" + x.value(a[0]) + " // " + strconv.FormatInt(int64(value.Hour), 10) + " % 24)::INTEGER"
	case "ago":
		return "($now - " + x.value(a[0]) + ")"
	case "gettype":
		return x.gettype(a[0])
	}
	if f, ok := function(c.Func); ok {
		s := x.goCall(f, a)
		if c.T == value.Int && f.Result == value.Long {
			s += "::INTEGER"
		}
		return s
	}
	x.g.fail("no SQL for the function %s", c.Func)
	return ""
}

func (x *exprs) gettype(e rel.Expr) string {
	switch e.Type() {
	case value.Dynamic:
		return "kql_gettype(" + x.value(e) + ")"
	}
	return text(e.Type().String())
}

func (x *exprs) list(es []rel.Expr) string {
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = x.value(e)
	}
	return strings.Join(parts, ", ")
}

func (x *exprs) coalesce(c *rel.Call) string {
	if c.T == value.String {
		parts := make([]string, len(c.Args))
		for i, e := range c.Args {
			parts[i] = "nullif(" + x.value(e) + ", '')"
		}
		return "coalesce(" + strings.Join(parts, ", ") + ", '')"
	}
	return "coalesce(" + x.list(c.Args) + ")"
}

// constantExtract gives the expression and group of extract if they are known and are ones that the
// engine's own function takes: it knows ten groups, and fails on a group that the expression does not have.
func constantExtract(a []rel.Expr) (re string, group int, ok bool) {
	r, isConst := a[0].(*rel.Const)
	g, isGroup := a[1].(*rel.Const)
	if !isConst || !isGroup || g.Value == nil {
		return "", 0, false
	}
	re, n := r.Value.(string), g.Value.(int64)
	p, err := syntax.Parse(re, syntax.Perl)
	return re, int(n), err == nil && n >= 0 && n <= min(int64(p.MaxCap()), 9)
}

func (x *exprs) bag(a []rel.Expr) string {
	if len(a) == 0 {
		return "'{}'"
	}
	parts := []string{"'{'"}
	keys := map[string]bool{}
	plain := true
	for i := 0; i+1 < len(a); i += 2 {
		if i > 0 {
			parts = append(parts, "','")
		}
		if k, ok := a[i].(*rel.Const); ok {
			key := k.Value.(string)
			plain = plain && !keys[key]
			keys[key] = true
			parts = append(parts, text(value.JSON(key)+":"), x.element(a[i+1]))
			continue
		}
		plain = false
		parts = append(parts, "to_json("+x.value(a[i])+")::VARCHAR", "':'", x.element(a[i+1]))
	}
	s := concat(append(parts, "'}'"))
	if !plain {
		return "kql_parse_json(" + s + ")"
	}
	return "(" + s + ")"
}

// in writes membership in a list of values of one type.
func (x *exprs) in(c *rel.Call, truthy bool) string {
	fold := c.Func == "in~"
	lhs := x.value(c.Args[0])
	if fold {
		lhs = "lower(" + lhs + ")"
	}
	items := make([]string, len(c.Args)-1)
	for i, e := range c.Args[1:] {
		k, isConst := e.(*rel.Const)
		switch {
		case fold && isConst:
			items[i] = text(strings.ToLower(k.Value.(string)))
		case fold:
			items[i] = "lower(" + x.value(e) + ")"
		default:
			items[i] = x.bare(e)
		}
	}
	s := "(" + lhs + " IN (" + strings.Join(items, ", ") + "))"
	if x.g.few && len(items) >= manyTexts && len(constants(c.Args[1:])) == len(items) {
		// The engine makes a join of a long IN.
		s = "list_contains([" + strings.Join(items, ", ") + "], " + lhs + ")"
	}
	for _, e := range c.Args {
		if nullable(e) && !truthy {
			return "coalesce(" + s + ", false)"
		}
	}
	return s
}

// textTest writes the tests for parts of a text.
func (x *exprs) textTest(c *rel.Call) string {
	name, cs := strings.CutSuffix(c.Func, "_cs")
	l, r := x.value(c.Args[0]), x.value(c.Args[1])
	if !cs {
		l = "lower(" + l + ")"
		if k, ok := c.Args[1].(*rel.Const); ok {
			r = text(strings.ToLower(k.Value.(string)))
		} else {
			r = "lower(" + r + ")"
		}
	}
	switch name {
	case "=~":
		return "(" + l + " = " + r + ")"
	case "contains":
		return "contains(" + l + ", " + r + ")"
	case "startswith":
		return "starts_with(" + l + ", " + r + ")"
	}
	return "suffix(" + l + ", " + r + ")"
}

// has writes the tests for whole terms. A quick test for the letters comes before the exact one.
func (x *exprs) has(c *rel.Call) string {
	name, cs := strings.CutSuffix(c.Func, "_cs")
	l := x.value(c.Args[0])
	if k, ok := c.Args[1].(*rel.Const); ok {
		t := k.Value.(string)
		if t == "" {
			return "true"
		}
		quick := "contains(lower(" + l + "), " + text(strings.ToLower(t)) + ")"
		if cs {
			quick = "contains(" + l + ", " + text(t) + ")"
		}
		exact := "kql_" + name + "(" + l + ", " + text(t) + ", " + strconv.FormatBool(cs) + ")"
		if x.g.few {
			return exact
		}
		return "(" + quick + " AND " + exact + ")"
	}
	return "kql_" + name + "(" + l + ", " + x.value(c.Args[1]) + ", " + strconv.FormatBool(cs) + ")"
}

// manyTexts is from how many texts on a search for any of them is one expression. Fewer are searched for one by one,
// which reads faster; what many cost is the engine's planning.
const manyTexts = 8

// hasAny writes the test for any of several whole terms. A quick test for the letters comes before the exact one.
func (x *exprs) hasAny(c *rel.Call) string {
	terms := constants(c.Args[1:])
	if len(terms) < manyTexts && !x.g.few || len(terms) < len(c.Args)-1 {
		parts := make([]string, len(c.Args)-1)
		for i, term := range c.Args[1:] {
			parts[i] = x.has(&rel.Call{Func: "has", Args: []rel.Expr{c.Args[0], term}, T: value.Bool})
		}
		return "(" + strings.Join(parts, " OR ") + ")"
	}
	l, list := x.value(c.Args[0]), make([]any, len(terms))
	for i, term := range terms {
		list[i] = term
	}
	exact := "kql_has_list(" + l + ", " + text(value.JSON(list)) + ", false)"
	if x.g.few {
		return exact
	}
	return "(" + containsAny("lower("+l+")", lower(terms)) + " AND " + exact + ")"
}

// maxPattern bounds one regular expression of many texts, in bytes: the engine's have eight megabytes for their
// automaton and become slow beyond.
const maxPattern = 16 << 10

// containsAny writes the test whether a text contains one of several.
func containsAny(subject string, parts []string) string {
	var tests []string
	if len(parts) < manyTexts {
		for _, part := range parts {
			tests = append(tests, "contains("+subject+", "+text(part)+")")
		}
		parts = nil
	}
	for len(parts) > 0 {
		n, size := 0, 0
		for n < len(parts) && (n == 0 || size+len(parts[n]) <= maxPattern) {
			size += len(parts[n])
			n++
		}
		quoted := make([]string, n)
		for i, part := range parts[:n] {
			quoted[i] = regexp.QuoteMeta(part)
		}
		tests = append(tests, "regexp_matches("+subject+", "+text(strings.Join(quoted, "|"))+")")
		parts = parts[n:]
	}
	if len(tests) == 1 {
		return tests[0]
	}
	return "(" + strings.Join(tests, " OR ") + ")"
}

// constants gives those of some expressions that are constant texts.
func constants(es []rel.Expr) []string {
	var out []string
	for _, e := range es {
		if k, ok := e.(*rel.Const); ok {
			if s, ok := k.Value.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// lower gives texts in lower case.
func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

// convert writes the functions that change a value's type.
func (x *exprs) convert(c *rel.Call) string {
	e := c.Args[0]
	from, t := e.Type(), c.T
	s := x.value(e)
	switch {
	case from == value.Dynamic:
		return dynamicTo(t) + "(" + s + ")" + cast(t)
	case t == value.Decimal:
		return x.toDecimal(e)
	case from == value.Decimal:
		return x.fromDecimal(s, t)
	}
	switch t {
	case value.Int, value.Long:
		switch from {
		case value.String:
			return map[value.Type]string{value.Int: "kql_string_int", value.Long: "kql_string_long"}[t] + "(" + s + ")" + cast(t)
		case value.Bool:
			return s + "::" + sqlType(t)
		case value.Int, value.Long:
			return "try_cast(" + s + " AS " + sqlType(t) + ")"
		case value.DateTime, value.TimeSpan:
			return "try_cast(" + s + " AS " + sqlType(t) + ")"
		case value.Real:
			if t == value.Long {
				if isConstant(e) {
					return "kql_constant_long(" + s + ")"
				}
				return "kql_real_long(" + s + ")"
			}
			return "try_cast(trunc(" + s + ") AS INTEGER)"
		}
		return "NULL::" + sqlType(t)
	case value.Real:
		switch from {
		case value.String:
			return "kql_string_real(" + s + ")"
		case value.GUID:
			return "NULL::DOUBLE"
		}
		if from == value.Bool {
			return s + "::INTEGER::DOUBLE"
		}
		return s + "::DOUBLE"
	case value.Bool:
		switch from {
		case value.String:
			return "kql_string_bool(" + s + ")"
		case value.Int, value.Long, value.Real:
			return "(" + s + " <> 0)"
		}
		return "NULL::BOOLEAN"
	case value.DateTime:
		switch from {
		case value.String:
			return "kql_string_datetime(" + s + ")"
		case value.Int, value.Long:
			return "CASE WHEN " + s + " BETWEEN 0 AND " + strconv.FormatInt(int64(value.MaxTicks), 10) + " THEN " + s + "::BIGINT END"
		case value.Real:
			return "CASE WHEN " + s + " BETWEEN 0 AND 3155378975999999999 THEN trunc(" + s + ")::BIGINT END"
		}
		return "NULL::BIGINT"
	case value.TimeSpan:
		switch from {
		case value.String:
			return "kql_string_timespan(" + s + ")"
		case value.Int, value.Long:
			return s + "::BIGINT"
		case value.Real:
			return "try_cast(trunc(" + s + ") AS BIGINT)"
		}
		return "NULL::BIGINT"
	case value.GUID:
		if from == value.String {
			return "kql_string_guid(" + s + ")::UUID"
		}
		return "NULL::UUID"
	}
	x.g.fail("no SQL for the conversion of %s to %s", from, t)
	return ""
}

// ifPositive is what is computed with a step, null if the step is not greater than zero.
func ifPositive(step rel.Expr, s, then string) string {
	if k, ok := step.(*rel.Const); ok {
		n, whole := k.Value.(int64)
		f, fraction := k.Value.(float64)
		if whole && n > 0 || fraction && f > 0 {
			return "(" + then + ")"
		}
	}
	return "CASE WHEN " + s + " > 0 THEN " + then + " END"
}

func (x *exprs) bin(c *rel.Call) string {
	v, s := x.value(c.Args[0]), x.value(c.Args[1])
	if c.T == value.Real {
		return "(floor(" + v + " / " + s + ") * " + s + ")"
	}
	if k, ok := c.Args[1].(*rel.Const); ok {
		n, _ := k.Value.(int64)
		if n <= 0 {
			return "NULL::BIGINT"
		}
		b := x.bare(k)
		if c.T == value.DateTime {
			return "(" + v + " - " + v + " % " + b + ")"
		}
		if bits(c.Args[0]) < 62 && bits(k) < 62 {
			return "(" + v + " - (" + v + " % " + b + " + " + b + ") % " + b + ")"
		}
	}
	// The whole numbers near both ends have steps beyond them: these are null.
	if hasScalar(c) {
		v = "(" + v + ")::HUGEINT"
		return "try_cast(" + ifPositive(c.Args[1], s, v+" - ("+v+" % "+s+" + "+s+") % "+s) + " AS BIGINT)"
	}
	return "TRY(" + ifPositive(c.Args[1], s, v+" - ("+v+" % "+s+" + "+s+") % "+s) + ")"
}

// window writes the functions that read other rows. Rows come in the input's order.
func (x *exprs) window(c *rel.Call) string {
	args := c.Args
	part := ""
	if n := len(args); n > 0 {
		if p, ok := args[n-1].(*rel.Call); ok && p.Func == "partition" {
			part, args = "PARTITION BY "+x.value(p.Args[0]), args[:n-1]
			if len(p.Args) > 2 {
				part += ", " + x.list(p.Args[2:])
			}
			if len(p.Args) > 1 {
				part += " ORDER BY " + x.value(p.Args[1])
			}
		}
	}
	over := "OVER ()"
	if part != "" {
		over = "OVER (" + part + ")"
	}
	switch c.Func {
	case "prev", "next":
		name := "lag"
		if c.Func == "next" {
			name = "lead"
		}
		s := name + "(" + x.value(args[0])
		off := "1"
		if len(args) > 1 {
			off = "greatest(least(" + x.value(args[1]) + ", 1000000000000), -1000000000000)" // the engine adds it to the row's number
			if bits(args[1]) <= 40 {
				off = x.value(args[1])
			}
		}
		s += ", " + off
		if len(args) > 2 {
			s += ", " + x.value(args[2])
		} else if args[0].Type() == value.String {
			s += ", ''"
		}
		return s + ") " + over
	case "row_number":
		start := "1"
		if len(args) > 0 {
			if start = x.value(args[0]); bits(args[0]) > 62 {
				return wrapped("(row_number() " + over + ")::HUGEINT + " + start + " - 1")
			}
		}
		return "(row_number() " + over + " + " + start + " - 1)"
	case "row_changed":
		v := x.value(args[0])
		return "CASE WHEN row_number() " + over + " = 1 OR " + v + " IS DISTINCT FROM lag(" + v + ") " + over + " THEN 1::BIGINT ELSE 0::BIGINT END"
	case "row_run_start":
		return "max(CASE WHEN " + x.value(args[0]) + " = 1 THEN " + x.value(args[1]) + " END) " + running(part)
	case "row_cumsum":
		v := x.value(args[0])
		if c.T == value.Real {
			return "coalesce(sum(" + v + ") " + running(part) + ", 0)"
		}
		return "coalesce(try_cast(sum(" + v + ") " + running(part) + " AS BIGINT), 0)"
	}
	x.g.fail("no SQL for the window function %s", c.Func)
	return ""
}

func running(part string) string {
	if part != "" {
		part += " "
	}
	return "OVER (" + part + "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
}

// spread writes a deviation or a variance, for which the engine would refuse the query where a value is not
// finite, or so large that its square is not: the result is NaN then.
func spread(f, v, filter string) string {
	fit := "abs(" + v + "::DOUBLE) < 1e150"
	rest := " FILTER (WHERE NOT (" + fit + "))"
	some := " FILTER (WHERE " + fit + ")"
	if cond, ok := strings.CutPrefix(strings.TrimSuffix(filter, ")"), " FILTER (WHERE "); ok {
		rest = " FILTER (WHERE (" + cond + ") AND NOT (" + fit + "))"
		some = " FILTER (WHERE (" + cond + ") AND " + fit + ")"
	}
	return "CASE WHEN count(*)" + rest + " > 0 THEN 'nan'::DOUBLE ELSE coalesce(" + f + "(" + v + ")" + some + ", 0) END"
}

// aggregate writes a call of an aggregate.
func (x *exprs) aggregate(e rel.Expr) string {
	c, ok := e.(*rel.Call)
	if !ok {
		x.g.fail("no aggregate: %s", e)
	}
	a := c.Args
	name := c.Func
	filter := ""
	// The …if forms take their condition as the second argument.
	if base, isIf := strings.CutSuffix(strings.TrimSuffix(name, "_"), "if"); isIf && name != "countif" && len(a) >= 2 {
		name = strings.TrimSuffix(base, "_")
		at := 1
		if strings.HasPrefix(name, "covariance") {
			at = 2
		}
		filter = " FILTER (WHERE " + x.cond(a[at]) + ")"
		a = slices.Concat(a[:at], a[at+1:])
	}
	nonNull := func(v string) string {
		if !nullable(a[0]) {
			return filter
		}
		if filter == "" {
			return " FILTER (WHERE " + v + " IS NOT NULL)"
		}
		return strings.TrimSuffix(filter, ")") + " AND " + v + " IS NOT NULL)"
	}
	var v string
	if len(a) > 0 {
		v = x.value(a[0])
	}
	switch name {
	case "count":
		return "count(*)" + filter
	case "countif":
		return "count(*) FILTER (WHERE " + x.cond(a[0]) + ")"
	case "sum":
		switch c.T {
		case value.Real:
			return "coalesce(sum(" + v + ")" + filter + ", 0)"
		case value.Decimal:
			return "kql_decimal_sum(" + decimalList(v, filter) + ")"
		}
		return wrappedSum(v, filter)
	case "avg":
		switch c.T {
		case value.DateTime, value.TimeSpan:
			return "try_cast(trunc(avg(" + v + ")" + filter + ") AS BIGINT)"
		case value.Decimal:
			return "kql_decimal_avg(" + decimalList(v, filter) + ")"
		}
		if a[0].Type().Integer() {
			// The sum is a long, which may run over.
			return "coalesce(" + wrappedSum(v, filter) + "::DOUBLE / nullif(count(" + v + ")" + filter + ", 0), 'nan'::DOUBLE)"
		}
		return "coalesce(avg(" + v + ")" + filter + ", 'nan'::DOUBLE)"
	case "min", "max":
		s := name + "(" + v + ")" + filter
		if c.T == value.String {
			if name == "min" && filter == "" {
				s = "min(" + v + ") FILTER (WHERE " + v + " <> '')"
			}
			s = "coalesce(" + s + ", '')"
		}
		if name == "min" && c.T == value.Real {
			// What is not a number is the least too.
			s = "CASE WHEN bool_or(isnan(" + v + "))" + filter + " THEN 'nan'::DOUBLE ELSE " + s + " END"
		}
		return s
	case "dcount", "count_distinct":
		return "count(DISTINCT " + v + ")" + filter
	case "make_list", "make_set", "make_list_with_nulls":
		return x.collect(c, name, a, filter, nonNull(v))
	case "make_bag":
		bag := "coalesce(kql_bag_merge('{}', '[' || array_to_string(list(" + v + ")" + nonNull(v) + ", ',') || ']'), '{}')"
		if len(a) > 1 {
			bag = "kql_bag_take(" + bag + ", " + x.as(a[1], value.Long) + ")"
		}
		return bag
	case "take_any", "any":
		s := "any_value(" + v + ")" + filter
		if c.T == value.String {
			// A text that is not empty comes first.
			s = "coalesce(any_value(nullif(" + v + ", ''))" + filter + ", '')"
		}
		return s
	case "take_any_row":
		return "first(" + v + ")"
	case "arg_max", "arg_min":
		// Rows whose extreme is null count last, so that a group without any keeps a row's values.
		by := x.value(a[1])
		extreme := name[len("arg_"):] + "(" + by + ")"
		if name == "arg_min" && a[1].Type() == value.Real {
			by = "CASE WHEN isnan(" + by + ") THEN '-inf'::DOUBLE ELSE " + by + " END"
		}
		if !nullable(a[0]) {
			s := name + "(" + v + ", " + by + ")"
			if nullable(a[1]) {
				s = "coalesce(" + s + ", first(" + v + "))"
			}
			return s
		}
		s := name + "_null(" + v + ", " + by + ")"
		if nullable(a[1]) {
			s = "CASE WHEN " + extreme + " IS NULL THEN first(" + v + ") ELSE " + s + " END"
		}
		return s
	case "stdev":
		return spread("stddev_samp", v, filter)
	case "stdevp":
		return spread("stddev_pop", v, filter)
	case "variance":
		return spread("var_samp", v, filter)
	case "variancep":
		return spread("var_pop", v, filter)
	case "percentile":
		return x.percentile(v, a[1], a[0].Type())
	case "percentiles_array":
		parts := make([]string, 0, len(a))
		for _, p := range a[1:] {
			parts = append(parts, "coalesce("+x.json(x.percentile(v, p, a[0].Type()), a[0].Type())+", 'null')")
		}
		return list(parts)
	case "percentilew":
		return x.fromJSON("kql_percentile_weighted("+x.weighted(a[0], a[1])+", "+x.value(a[2])+")", a[0].Type())
	case "percentilesw_array":
		parts := make([]string, 0, len(a))
		for _, p := range a[2:] {
			parts = append(parts, "coalesce(kql_percentile_weighted("+x.weighted(a[0], a[1])+", "+x.value(p)+"), 'null')")
		}
		return list(parts)
	case "tdigest":
		list := texts("list(" + x.asJSON(a[0]) + ")" + nonNull(v))
		if len(a) > 1 {
			list = x.weighted(a[0], a[1])
		}
		return "kql_tdigest_of(" + list + ", " + text(a[0].Type().String()) + ")"
	case "hll":
		accuracy := "NULL::BIGINT"
		if len(a) > 1 {
			accuracy = x.as(a[1], value.Long)
		}
		return "kql_hll_of(" + texts("list(DISTINCT "+x.asJSON(a[0])+")"+nonNull(v)) + ", " + accuracy + ")"
	case "hll_merge", "tdigest_merge":
		return "kql_" + name + "_all(" + texts("list("+v+")"+nonNull(v)) + ")"
	case "buildschema":
		return "kql_schema_of(" + texts("list(DISTINCT "+v+")"+nonNull(v)) + ")"
	case "covariance":
		return "coalesce(covar_samp(" + v + ", " + x.value(a[1]) + ")" + filter + ", 0)"
	case "covariancep":
		return "coalesce(covar_pop(" + v + ", " + x.value(a[1]) + ")" + filter + ", 0)"
	case "binary_all_and":
		return "bit_and(" + v + "::BIGINT)"
	case "binary_all_or":
		return "bit_or(" + v + "::BIGINT)"
	case "binary_all_xor":
		return "bit_xor(" + v + "::BIGINT)"
	case rel.LineageMerge:
		return lineageMerge(v)
	}
	x.g.fail("no SQL for the aggregate %s", c.Func)
	return ""
}

// wrappedSum adds whole numbers; beyond 64 bits they go on at the other end, as Kusto's do.
func wrappedSum(v, filter string) string {
	s := "sum(" + v + ")" + filter
	return "coalesce(try_cast(" + s + " AS BIGINT), kql_wrap((" + s + ")::VARCHAR), 0)"
}

// texts writes a list of JSON texts as the text of an array.
func texts(list string) string {
	return "coalesce('[' || array_to_string(" + list + ", ',') || ']', '[]')"
}

// weighted writes the values of a group with their weights as an array of pairs.
func (x *exprs) weighted(v, weight rel.Expr) string {
	w := x.value(weight)
	return texts("list('[' || " + x.asJSON(v) + " || ',' || (" + w + ")::VARCHAR || ']') FILTER (WHERE " + x.value(v) + " IS NOT NULL AND " + w + " > 0)")
}

// lineageMerge merges lists of record ids; one id more than is shown tells that there were more.
func lineageMerge(v string) string {
	return "list_slice(list_distinct(flatten(list(" + v + ") FILTER (WHERE " + v + " IS NOT NULL))), 1, 1001)"
}

// percentile is the value at the nearest rank.
func (x *exprs) percentile(v string, p rel.Expr, t value.Type) string {
	share := x.value(p) + " / 100"
	if k, ok := p.(*rel.Const); ok {
		f, _ := k.Value.(float64)
		share = strconv.FormatFloat(min(max(f/100, 0), 1), 'f', -1, 64)
	}
	return "quantile_disc(" + v + ", " + share + ")"
}

// maxList is how many elements make_list and make_set keep, as in Kusto.
const maxList = 1_048_576

// collect writes make_list and make_set: the values as the JSON text of an array. Arrays among dynamic
// values give their elements.
func (x *exprs) collect(c *rel.Call, name string, a []rel.Expr, filter, nonNull string) string {
	e := a[0]
	limit := strconv.Itoa(maxList)
	if len(a) > 1 {
		limit = "least(" + x.value(a[1]) + ", " + limit + ")"
		if k, ok := a[1].(*rel.Const); ok {
			if n, ok := k.Value.(int64); ok {
				limit = strconv.FormatInt(min(max(n, 0), maxList), 10)
			}
		}
	}
	item := x.asJSON(e)
	if name == "make_list_with_nulls" {
		item, nonNull = x.element(e), filter
	}
	list := "list(" + item + ")" + nonNull
	if name == "make_set" {
		return "coalesce(kql_set_of('[' || array_to_string(" + list + ", ',') || ']', " + limit + "), '[]')"
	}
	list = "list_slice(" + list + ", 1, " + limit + ")"
	s := "'[' || array_to_string(" + list + ", ',') || ']'"
	if e.Type() == value.Dynamic && name == "make_list" {
		s = "kql_flatten(" + s + ")"
	}
	return "coalesce(" + s + ", '[]')"
}
