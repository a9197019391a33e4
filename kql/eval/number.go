package eval

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
)

func numberFunctions() []Function {
	f1 := func(name string, f func(float64) float64) Function {
		return fn(name, types(tReal), tReal, func(a []any) any { return f(real(a[0], 0)) })
	}
	return []Function{
		nfn("round", types(tReal, tLong), tReal, func(a []any) any {
			if a[0] == nil {
				return nil
			}
			p := min(max(long(a[1], 0), -15), 15)
			f := real(a[0], 0)
			if math.IsNaN(f) || math.IsInf(f, 0) || math.Abs(f) > 1e15 {
				return f
			}
			// Halves go away from zero, judged by the shortest decimal form.
			return roundDecimal(f, int(p))
		}),
		f1("sqrt", math.Sqrt), f1("exp2", math.Exp2), f1("exp10", func(x float64) float64 { return math.Pow(10, x) }),
		f1("sin", math.Sin), f1("cos", math.Cos), f1("tan", math.Tan), // the engine's refuse what is not finite
		f1("log", math.Log), f1("log2", math.Log2), f1("log10", math.Log10), f1("cot", func(x float64) float64 { return 1 / math.Tan(x) }),
		f1("asin", math.Asin), f1("acos", math.Acos), f1("gamma", math.Gamma), f1("loggamma", func(x float64) float64 { v, _ := math.Lgamma(x); return v }),
		f1("erf", math.Erf), f1("erfc", math.Erfc),
		fn("pow", types(tReal, tReal), tReal, func(a []any) any { return math.Pow(real(a[0], 0), real(a[1], 0)) }),
		fn("binary_shift_left", types(tLong, tLong), tLong, func(a []any) any {
			n := long(a[1], 0)
			if n < 0 {
				return nil
			}
			return long(a[0], 0) << (uint64(n) & 63)
		}),
		fn("binary_shift_right", types(tLong, tLong), tLong, func(a []any) any {
			n := long(a[1], 0)
			if n < 0 {
				return nil
			}
			return long(a[0], 0) >> (uint64(n) & 63)
		}),
		fn("bitset_count_ones", types(tLong), tLong, func(a []any) any { return int64(bits.OnesCount64(uint64(long(a[0], 0)))) }),
		nfn("tohex", types(tLong, tLong), tStr, func(a []any) any {
			if a[0] == nil {
				return ""
			}
			s := strconv.FormatUint(uint64(long(a[0], 0)), 16)
			for n := min(long(a[1], 0), 16); int64(len(s)) < n; {
				s = "0" + s
			}
			return s
		}),
		nfn("format_bytes", types(tReal, tLong, tStr), tStr, func(a []any) any { return formatBytes(a[0], a[1], str(a[2])) }),
	}
}

func roundDecimal(f float64, p int) float64 {
	if p < 0 {
		m := math.Pow(10, float64(-p))
		return math.Round(f/m) * m
	}
	s := strconv.FormatFloat(math.Abs(f), 'f', -1, 64)
	whole, frac, ok := strings.Cut(s, ".")
	if !ok || len(frac) <= p {
		return f
	}
	up := frac[p] >= '5'
	v, err := strconv.ParseFloat(whole+"."+frac[:p]+"0", 64)
	if err != nil {
		return f
	}
	if up {
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v+math.Pow(10, float64(-p)), 'f', p, 64), 64)
	}
	return math.Copysign(v, f)
}

func formatBytes(size, precision any, unit string) any {
	if size == nil {
		return ""
	}
	units := []string{"Bytes", "KB", "MB", "GB", "TB", "PB", "EB"}
	f := real(size, 0)
	i := 0
	if unit != "" {
		for i < len(units) && !strings.EqualFold(units[i], unit) {
			f /= 1024
			i++
		}
		if i == len(units) {
			return ""
		}
	} else {
		for math.Abs(f) >= 1024 && i < len(units)-1 {
			f /= 1024
			i++
		}
	}
	p := int(min(max(long(precision, 0), 0), 15))
	s := strconv.FormatFloat(roundDecimal(f, p), 'f', -1, 64)
	return s + " " + units[i]
}
