package eval

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"glassward/kql/value"
)

func conversions() []Function {
	return []Function{
		fn("real_text", types(tReal), tStr, func(a []any) any { return value.FormatReal(real(a[0], 0)) }),
		fn("real_json", types(tReal), tDyn, func(a []any) any { return value.JSON(real(a[0], 0)) }),
		fn("datetime_text", types(tLong), tStr, func(a []any) any { return value.Ticks(long(a[0], 0)).String() }),
		fn("timespan_text", types(tLong), tStr, func(a []any) any { return value.Span(long(a[0], 0)).String() }),

		fn("string_int", types(tStr), tLong, func(a []any) any { return small(textLong(str(a[0]))) }),
		fn("string_long", types(tStr), tLong, func(a []any) any { return textLong(str(a[0])) }),
		fn("string_real", types(tStr), tReal, func(a []any) any { return textReal(str(a[0])) }),
		fn("string_bool", types(tStr), tBool, func(a []any) any { return textBool(str(a[0])) }),
		fn("string_datetime", types(tStr), tLong, func(a []any) any { return textTime(str(a[0])) }),
		fn("string_timespan", types(tStr), tLong, func(a []any) any { return textSpan(str(a[0])) }),
		fn("string_guid", types(tStr), tStr, func(a []any) any { return textGUID(str(a[0])) }),

		fn("dynamic_string", types(tDyn), tStr, func(a []any) any {
			s := str(a[0])
			if s != "" && (s[0] == '{' || s[0] == '[') {
				return s
			}
			v := dyn(s)
			if v == nil {
				return nil
			}
			return value.Text(v)
		}),
		fn("dynamic_int", types(tDyn), tLong, func(a []any) any {
			v := dyn(a[0])
			if n, ok := v.(int64); ok {
				return int64(int32(n)) // a long in a dynamic is cut to its lower bits, as Kusto does
			}
			if f, ok := v.(float64); ok && !math.IsNaN(f) {
				return int64(int32(math.Min(math.Max(math.Trunc(f), math.MinInt32), math.MaxInt32)))
			}
			return small(dynLong(v))
		}),
		fn("dynamic_long", types(tDyn), tLong, func(a []any) any { return dynLong(dyn(a[0])) }),
		fn("dynamic_real", types(tDyn), tReal, func(a []any) any {
			switch v := dyn(a[0]).(type) {
			case int64:
				return float64(v)
			case float64:
				return v
			case bool:
				return map[bool]float64{true: 1}[v]
			case string:
				return textReal(v)
			}
			return nil
		}),
		fn("dynamic_bool", types(tDyn), tBool, func(a []any) any {
			switch v := dyn(a[0]).(type) {
			case int64:
				return v != 0
			case float64:
				return v != 0
			case bool:
				return v
			case string:
				return textBool(v)
			}
			return nil
		}),
		fn("dynamic_datetime", types(tDyn), tLong, func(a []any) any {
			switch v := dyn(a[0]).(type) {
			case string:
				return textTime(v)
			case int64:
				if value.Ticks(v).Valid() {
					return v
				}
			}
			return nil
		}),
		fn("dynamic_timespan", types(tDyn), tLong, func(a []any) any {
			switch v := dyn(a[0]).(type) {
			case string:
				return textSpan(v)
			case int64:
				return v
			}
			return nil
		}),
		fn("dynamic_guid", types(tDyn), tStr, func(a []any) any {
			if s, ok := dyn(a[0]).(string); ok {
				return textGUID(s)
			}
			return nil
		}),

		fn("real_long", types(tReal), tLong, func(a []any) any { return realLong(real(a[0], 0)) }),
		// A constant is converted by Kusto's compiler, which gives the lower end on both sides.
		fn("constant_long", types(tReal), tLong, func(a []any) any {
			if f := real(a[0], 0); f >= math.MaxInt64 {
				return int64(math.MinInt64)
			}
			return realLong(real(a[0], 0))
		}),
		fn("parse_json", types(tStr), tDyn, func(a []any) any {
			s := str(a[0])
			if strings.TrimSpace(s) == "" {
				return nil
			}
			v, ok := value.ParseJSON(s)
			if !ok {
				v = s
			}
			return js(v)
		}),
		nfn("gettype", types(tDyn), tStr, func(a []any) any { return typeName(dyn(a[0])) }),
		fn("dynamic_to_json", types(tDyn), tStr, func(a []any) any { return value.JSON(sortKeys(dyn(a[0]), 0)) }),

		fn("wrap", types(tStr), tLong, func(a []any) any {
			n, ok := new(big.Int).SetString(str(a[0]), 10)
			if !ok {
				return nil
			}
			return int64(new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64())
		}),
	}
}

func small(v any) any {
	if n, ok := v.(int64); ok && n == int64(int32(n)) {
		return n
	}
	return nil
}

func textLong(s string) any {
	s = strings.TrimSpace(s)
	digits, neg := s, false
	if strings.HasPrefix(digits, "-") {
		digits, neg = digits[1:], true
	}
	if len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X") {
		n, err := strconv.ParseUint(digits[2:], 16, 64)
		if err != nil {
			return nil
		}
		if neg {
			return -int64(n)
		}
		return int64(n)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return n
}

func textReal(s string) any {
	s = strings.TrimSpace(s)
	switch s {
	case "nan", "NaN":
		return math.NaN()
	case "inf", "Inf", "+inf", "Infinity", "+Infinity":
		return math.Inf(1)
	case "-inf", "-Inf", "-Infinity":
		return math.Inf(-1)
	}
	if strings.ContainsAny(s, "_xXpPnN") {
		if n, ok := textLong(s).(int64); ok {
			return float64(n)
		}
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil
	}
	return f
}

func textBool(s string) any {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true":
		return true
	case "false":
		return false
	}
	if n, ok := textLong(s).(int64); ok {
		return n != 0
	}
	return nil
}

func textTime(s string) any {
	t, ok := value.ParseDateTime(s)
	if !ok {
		return nil
	}
	return int64(t)
}

func textSpan(s string) any {
	t, ok := value.ParseTimeSpan(s)
	if !ok {
		return nil
	}
	return int64(t)
}

func textGUID(s string) any {
	g, ok := value.ParseGUID(s)
	if !ok {
		return nil
	}
	return g
}

func dynLong(v any) any {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return realLong(v)
	case bool:
		return map[bool]int64{true: 1}[v]
	case string:
		return textLong(v)
	}
	return nil
}

// realLong cuts off what is behind the point; a number beyond the range of long gives its end.
func realLong(f float64) any {
	switch {
	case math.IsNaN(f):
		return nil
	case f >= math.MaxInt64:
		return int64(math.MaxInt64)
	case f <= math.MinInt64:
		return int64(math.MinInt64)
	}
	return int64(f)
}

func typeName(v any) string {
	switch v := v.(type) {
	case bool:
		return "bool"
	case int64:
		return "long"
	case float64:
		return "double"
	case string:
		return "string"
	case []any:
		return "array"
	case *value.Object:
		_ = v
		return "dictionary"
	}
	return "null"
}

func sortKeys(v any, depth int) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = sortKeys(v[i], depth+1)
		}
	case *value.Object:
		out := &value.Object{}
		for _, k := range sortedKeys(v) {
			x, _ := v.Get(k)
			out.Set(k, sortKeys(x, depth+1))
		}
		return out
	}
	return v
}
