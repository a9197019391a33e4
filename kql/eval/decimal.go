package eval

import (
	"strings"

	"glassward/kql/value"
)

// decimalFunctions gives what is done with decimals, which the engine holds as texts (value.Dec). Where there
// is no result, beyond the range or by zero, it is null.
func decimalFunctions() []Function {
	const tDec = value.Decimal
	two := func(name string, f func(a, b value.Dec) (value.Dec, bool)) Function {
		return fn("decimal_"+name, types(tDec, tDec), tDec, func(a []any) any { return decimalOr(f(dec(a[0]), dec(a[1]))) })
	}
	return []Function{
		two("add", value.Dec.Add), two("subtract", value.Dec.Sub), two("multiply", value.Dec.Mul), two("divide", value.Dec.Quo),
		two("mod", value.Dec.Mod), two("bin", value.Dec.Bin),
		fn("decimal_bin_at", types(tDec, tDec, tDec), tDec, func(a []any) any {
			away, ok := dec(a[0]).Sub(dec(a[2]))
			if ok {
				away, ok = away.Bin(dec(a[1]))
			}
			if !ok {
				return nil
			}
			return decimalOr(away.Add(dec(a[2])))
		}),
		fn("decimal_negate", types(tDec), tDec, func(a []any) any { return string(dec(a[0]).Neg()) }),
		fn("decimal_abs", types(tDec), tDec, func(a []any) any { return string(dec(a[0]).Abs()) }),
		fn("decimal_sign", types(tDec), tReal, func(a []any) any { return float64(dec(a[0]).Sign()) }),
		fn("decimal_ceiling", types(tDec), tDec, func(a []any) any { return decimalOr(dec(a[0]).Ceiling()) }),
		nfn("decimal_round", types(tDec, tLong), tDec, func(a []any) any {
			if a[0] == nil {
				return nil
			}
			return decimalOr(dec(a[0]).Round(int(min(max(long(a[1], 0), -7000), 7000))))
		}),
		fn("decimal_steps", types(tDec, tDec, tDec), tLong, func(a []any) any { return dec(a[0]).Steps(dec(a[1]), dec(a[2])) }),

		fn("decimal_text", types(tDec), tStr, func(a []any) any { return dec(a[0]).String() }),
		fn("decimal_real", types(tDec), tReal, func(a []any) any { return dec(a[0]).Real() }),
		fn("decimal_long", types(tDec), tLong, func(a []any) any { return decimalLong(dec(a[0])) }),
		fn("long_decimal", types(tLong), tDec, func(a []any) any { return string(value.DecOf(long(a[0], 0))) }),
		fn("real_decimal", types(tReal), tDec, func(a []any) any { return decimalOr(value.DecOfReal(real(a[0], 0), value.RealDigits)) }),
		fn("constant_decimal", types(tReal), tDec, func(a []any) any { return decimalOr(value.DecOfReal(real(a[0], 0), value.ConstantDigits)) }),
		fn("string_decimal", types(tStr), tDec, func(a []any) any { return textDecimal(str(a[0])) }),
		fn("dynamic_decimal", types(tDyn), tDec, func(a []any) any {
			switch v := dyn(a[0]).(type) {
			case int64:
				return string(value.DecOf(v))
			case float64:
				return textDecimal(str(a[0])) // by its digits, of which a real may not have all
			case bool:
				return string(value.DecOf(map[bool]int64{true: 1}[v]))
			case string:
				return textDecimal(v)
			}
			return nil
		}),

		// The aggregates take the values of a group, with a comma behind each.
		nfn("decimal_sum", types(tStr), tDec, func(a []any) any { return decimalOr(decimalSum(str(a[0]))) }),
		nfn("decimal_avg", types(tStr), tDec, func(a []any) any {
			sum, ok := decimalSum(str(a[0]))
			if !ok {
				return nil
			}
			return decimalOr(sum.Quo(value.DecOf(int64(strings.Count(str(a[0]), ",")))))
		}),

		fn("parse_version", types(tStr), tDec, func(a []any) any { return parseVersion(str(a[0])) }),
	}
}

func dec(v any) value.Dec { return value.Dec(str(v)) }

func decimalOr(d value.Dec, ok bool) any {
	if !ok {
		return nil
	}
	return string(d)
}

func textDecimal(s string) any { return decimalOr(value.ParseDec(s)) }

func decimalLong(d value.Dec) any {
	if n, ok := d.Long(); ok {
		return n
	}
	return nil
}

// decimalSum adds up decimals with a comma behind each.
func decimalSum(list string) (value.Dec, bool) {
	sum, ok := value.DecOf(0), true
	for list != "" && ok {
		var one string
		one, list, _ = strings.Cut(list, ",")
		sum, ok = sum.Add(value.Dec(one))
	}
	return sum, ok
}

// parseVersion gives one to four numbers of up to eight digits, between points, as one number: those that are
// not there are zero.
func parseVersion(s string) any {
	parts := strings.Split(strings.TrimSpace(s), ".")
	if len(parts) > 4 {
		return nil
	}
	digits := ""
	for i := range 4 {
		part := "0"
		if i < len(parts) {
			part = parts[i]
		}
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return nil
		}
		if part = strings.TrimLeft(part, "0"); len(part) > 8 {
			return nil
		}
		digits += strings.Repeat("0", 8-len(part)) + part
	}
	return textDecimal(digits)
}

// decimalTo makes a decimal a value of another type, for a machine.
func decimalTo(d value.Dec, t value.Type) any {
	switch t {
	case tReal:
		return d.Real()
	case tBool:
		return d.Sign() != 0
	case tLong, tInt, tTime, tSpan:
		n, ok := d.Long()
		if !ok || t == tInt && n != int64(int32(n)) || t == tTime && !value.Ticks(n).Valid() {
			return nil
		}
		return n
	}
	return nil
}

// decimalOf makes a value of another type a decimal, for a machine.
func decimalOf(v any) any {
	switch v := v.(type) {
	case bool:
		return string(value.DecOf(map[bool]int64{true: 1}[v]))
	case int64:
		return string(value.DecOf(v))
	case float64:
		return decimalOr(value.DecOfReal(v, value.RealDigits))
	}
	return nil
}
