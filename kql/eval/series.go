package eval

import (
	"math"
	"slices"

	"glassward/kql/value"
)

func seriesFunctions() []Function {
	pair := func(name string, f func(x, y float64) any, whole func(x, y int64) any) Function {
		return fn(name, types(tDyn, tDyn), tDyn, func(a []any) any {
			x, ok := array(a[0])
			y, ok2 := array(a[1])
			// A number stands for a series of it.
			switch {
			case ok && !ok2 && rank(dyn(a[1])) == 1:
				y = slices.Repeat([]any{dyn(a[1])}, len(x))
			case ok2 && !ok && rank(dyn(a[0])) == 1:
				x = slices.Repeat([]any{dyn(a[0])}, len(y))
			case !ok || !ok2:
				return nil
			}
			out := make([]any, max(len(x), len(y)))
			for i := range out {
				if i >= len(x) || i >= len(y) {
					continue
				}
				m, isInt := x[i].(int64)
				n, isInt2 := y[i].(int64)
				if isInt && isInt2 && whole != nil {
					out[i] = whole(m, n)
					continue
				}
				if rank(x[i]) == 1 && rank(y[i]) == 1 {
					out[i] = f(real(x[i], 0), real(y[i], 0))
				}
			}
			return js(out)
		})
	}
	single := func(name string, f func(v any) any) Function {
		return fn(name, types(tDyn), tDyn, func(a []any) any {
			x, ok := array(a[0])
			if !ok {
				return nil
			}
			for i := range x {
				x[i] = f(x[i])
			}
			return js(x)
		})
	}
	each := func(name string, f func(float64) float64) Function {
		return single(name, func(v any) any {
			if rank(v) != 1 {
				return nil
			}
			return f(real(v, 0))
		})
	}
	total := func(name string, start float64, add func(sum, f float64) float64, end func(float64) float64) Function {
		return fn(name, types(tDyn), tReal, func(a []any) any {
			x, ok := array(a[0])
			if !ok {
				return nil
			}
			sum := start
			for _, e := range x {
				if rank(e) == 1 {
					sum = add(sum, real(e, 0))
				}
			}
			return end(sum)
		})
	}
	fill := func(name string, back bool) Function {
		return nfn(name, types(tDyn, tDyn), tDyn, func(a []any) any {
			x, ok := array(a[0])
			if !ok {
				return nil
			}
			missing := key(dyn(a[1]))
			var last any
			have := false
			for k := range x {
				i := k
				if back {
					i = len(x) - 1 - k
				}
				if key(x[i]) != missing {
					last, have = x[i], true
				} else if have {
					x[i] = last
				}
			}
			return js(x)
		})
	}
	return []Function{
		// series lays values out at places; between them stands a default.
		nfn("series", types(tDyn, tDyn, tLong, tDyn), tDyn, func(a []any) any {
			places, _ := array(a[0])
			values, _ := array(a[1])
			n := min(max(long(a[2], 0), 0), MaxItems)
			out := make([]any, n)
			def := dyn(a[3])
			for i := range out {
				out[i] = def
			}
			for i, p := range places {
				if k := long(p, -1); k >= 0 && k < n && i < len(values) {
					out[k] = values[i]
				}
			}
			return js(out)
		}),
		// axis gives the axis of a series: its kind, its length, start and step as reals and as whole numbers.
		nfn("axis", types(tStr, tLong, tReal, tReal, tLong, tLong), tDyn, func(a []any) any {
			n := min(max(long(a[1], 0), 0), MaxItems)
			out := make([]any, n)
			for i := range out {
				k := long(a[4], 0) + int64(i)*long(a[5], 0)
				switch str(a[0]) {
				case "datetime":
					out[i] = value.Ticks(k)
				case "timespan":
					out[i] = value.Span(k)
				case "real":
					out[i] = real(a[2], 0) + float64(i)*real(a[3], 0)
				default:
					out[i] = k
				}
			}
			return js(out)
		}),
		pair("series_add", func(x, y float64) any { return x + y }, func(x, y int64) any { return x + y }),
		pair("series_subtract", func(x, y float64) any { return x - y }, func(x, y int64) any { return x - y }),
		pair("series_multiply", func(x, y float64) any { return x * y }, func(x, y int64) any { return x * y }),
		pair("series_divide", func(x, y float64) any { return x / y }, nil),
		pair("series_greater", func(x, y float64) any { return x > y }, nil),
		pair("series_less", func(x, y float64) any { return x < y }, nil),
		pair("series_equals", func(x, y float64) any { return x == y }, nil),
		single("series_abs", func(v any) any {
			switch v := v.(type) {
			case int64:
				return max(v, -v)
			case float64:
				return math.Abs(v)
			}
			return nil
		}),
		single("series_sign", func(v any) any {
			if rank(v) != 1 {
				return nil
			}
			f := real(v, 0)
			switch {
			case f > 0:
				return int64(1)
			case f < 0:
				return int64(-1)
			}
			return int64(0)
		}),
		pair("series_greater_equals", func(x, y float64) any { return x >= y }, nil),
		pair("series_less_equals", func(x, y float64) any { return x <= y }, nil),
		pair("series_not_equals", func(x, y float64) any { return x != y }, nil),
		each("series_exp", math.Exp), each("series_floor", math.Floor), each("series_ceiling", math.Ceil), each("series_log", math.Log), each("series_acos", math.Acos),
		each("series_asin", math.Asin), each("series_atan", math.Atan), each("series_cos", math.Cos), each("series_sin", math.Sin), each("series_tan", math.Tan),
		pair("series_pow", func(x, y float64) any { return math.Pow(x, y) }, nil),
		total("series_product", 1, func(p, f float64) float64 { return p * f }, func(f float64) float64 { return f }),
		total("series_sum", 0, func(sum, f float64) float64 { return sum + f }, func(f float64) float64 { return f }),
		total("series_magnitude", 0, func(sum, f float64) float64 { return sum + f*f }, math.Sqrt),
		nfn("series_fill_const", types(tDyn, tDyn, tDyn), tDyn, func(a []any) any {
			x, ok := array(a[0])
			if !ok {
				return nil
			}
			missing, with := key(dyn(a[2])), dyn(a[1])
			for i := range x {
				if key(x[i]) == missing {
					x[i] = with
				}
			}
			return js(x)
		}),
		fill("series_fill_forward", false), fill("series_fill_backward", true),
		nfn("series_stats", types(tDyn, tBool), tDyn, seriesStats), nfn("series_stats_dynamic", types(tDyn, tBool), tDyn, seriesStats),
	}
}

// seriesStats gives nulls where a value is no finite number, if such are not to be passed over.
func seriesStats(a []any) any {
	x, ok := numbers(a[0])
	if !ok || len(x) == 0 {
		return nil
	}
	lo, hi := -1, -1
	var finite []float64
	for i, f := range x {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			if truth(a[1]) {
				continue
			}
			return js(bagOf("min", nil, "min_idx", nil, "max", nil, "max_idx", nil, "avg", nil, "stdev", nil, "variance", nil, "sum", nil, "len", int64(len(x))))
		}
		if lo < 0 || f < x[lo] {
			lo = i
		}
		if hi < 0 || f > x[hi] {
			hi = i
		}
		finite = append(finite, f)
	}
	if len(finite) == 0 {
		return nil
	}
	v, sum := variance(finite), 0.0
	for _, f := range finite {
		sum += f
	}
	return js(bagOf("min", x[lo], "min_idx", int64(lo), "max", x[hi], "max_idx", int64(hi), "avg", mean(finite), "stdev", math.Sqrt(v), "variance", v, "sum", sum, "len", int64(len(x))))
}
