package sqlgen

import (
	"glassward/kql/rel"
	"glassward/kql/value"
)

// Decimals are texts that order as the numbers do (value.Dec): the engine compares, groups, sorts and joins them
// as it does texts. What is computed of them is computed by functions of package eval.

// decimal writes the calls that give a decimal and have a function of their own for it.
func (x *exprs) decimal(c *rel.Call) (string, bool) {
	name := c.Func
	switch name {
	case "+":
		name = "add"
	case "-":
		name = "subtract"
	case "*":
		name = "multiply"
	case "/":
		name = "divide"
	case "%":
		name = "mod"
	case "floor":
		name = "bin"
	case "negate", "abs", "round", "ceiling", "bin", "bin_at":
	default:
		return "", false
	}
	f, ok := function("decimal_" + name)
	if !ok {
		return "", false
	}
	return x.goCall(f, c.Args), true
}

// toDecimal writes the conversion of a value to a decimal.
func (x *exprs) toDecimal(e rel.Expr) string {
	s := x.value(e)
	switch e.Type() {
	case value.Decimal:
		return s
	case value.String:
		return "kql_string_decimal(" + s + ")"
	case value.Bool:
		return "kql_long_decimal(" + s + "::BIGINT)"
	case value.Int, value.Long, value.DateTime, value.TimeSpan:
		return "kql_long_decimal(" + s + "::BIGINT)"
	case value.Real:
		if isConstant(e) {
			return "kql_constant_decimal(" + s + ")"
		}
		return "kql_real_decimal(" + s + ")"
	}
	return "NULL::" + sqlType(value.Decimal)
}

// fromDecimal writes the conversion of a decimal to a value of another type.
func (x *exprs) fromDecimal(s string, t value.Type) string {
	switch t {
	case value.Bool:
		return "(" + s + " <> '" + string(value.DecOf(0)) + "')"
	case value.Real:
		return "kql_decimal_real(" + s + ")"
	case value.Long, value.TimeSpan:
		return "kql_decimal_long(" + s + ")"
	case value.Int:
		return "try_cast(kql_decimal_long(" + s + ") AS INTEGER)"
	case value.DateTime:
		return "CASE WHEN " + s + " BETWEEN '" + string(value.DecOf(0)) + "' AND '" + string(value.DecOf(int64(value.MaxTicks))) + "' THEN kql_decimal_long(" + s + ") END"
	}
	return "NULL::" + sqlType(t)
}

// decimalList writes the values of a group with a comma behind each, as the aggregates of decimals take them.
func decimalList(v, filter string) string {
	return "array_to_string(list(" + v + " || ',')" + filter + ", '')"
}
