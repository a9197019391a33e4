package eval

import (
	"math"
	"math/cmplx"
	"slices"

	"glassward/kql/value"
)

// analysisFunctions look at a whole series: regression, filters, spectrum, seasons, outliers. Those that
// Kusto gives as several columns give a bag here, of which the compiler makes the columns.
func analysisFunctions() []Function {
	line := func(a []any) any {
		y, ok := numbers(a[0])
		if !ok || len(y) == 0 {
			return nil
		}
		l := fitLine(y)
		return js(bagOf("rsquare", l.rsquare, "slope", l.slope, "variance", l.variance, "rvariance", l.rvariance, "interception", l.interception, "line_fit", reals(l.fit)))
	}
	twoLines := func(flat bool) func(a []any) any {
		return func(a []any) any {
			y, ok := numbers(a[0])
			if !ok || len(y) < 3 || len(y) > maxQuadratic {
				return nil
			}
			return js(fitTwoLines(y, flat))
		}
	}
	transform := func(name string, inverse bool) Function {
		return nfn(name, types(tDyn, tDyn), tDyn, func(a []any) any {
			re, ok := numbers(a[0])
			if !ok {
				return nil
			}
			c := make([]complex128, len(re))
			im, _ := numbers(a[1])
			for i := range re {
				c[i] = complex(re[i], 0)
				if i < len(im) {
					c[i] = complex(re[i], im[i])
				}
			}
			c = fourier(c, inverse)
			r, m := make([]any, len(c)), make([]any, len(c))
			for i, v := range c {
				r[i], m[i] = realPart(v), imag(v)
			}
			return js(bagOf("real", r, "imag", m))
		})
	}
	return []Function{
		nfn("series_dot_product", types(tDyn, tDyn), tReal, func(a []any) any {
			x, y, ok := broadcast(a[0], a[1])
			if !ok {
				return nil
			}
			sum := 0.0
			for i := range x {
				if p := x[i] * y[i]; !math.IsNaN(p) {
					sum += p
				}
			}
			return sum
		}),
		nfn("series_cosine_similarity", types(tDyn, tDyn, tReal, tReal), tReal, func(a []any) any {
			x, y, ok := numberPairs(a[0], a[1])
			if !ok {
				return nil
			}
			m, n := real(a[2], math.NaN()), real(a[3], math.NaN())
			if a[2] == nil {
				m = math.Sqrt(dot(x, x))
			}
			if a[3] == nil {
				n = math.Sqrt(dot(y, y))
			}
			return dot(x, y) / (m * n)
		}),
		fn("series_pearson_correlation", types(tDyn, tDyn), tReal, func(a []any) any {
			x, ok := numbers(a[0])
			y, ok2 := numbers(a[1])
			if !ok || !ok2 || len(x) != len(y) || len(x) == 0 || slices.ContainsFunc(x, math.IsNaN) || slices.ContainsFunc(y, math.IsNaN) {
				return nil
			}
			n := float64(len(x))
			sx, sy := 0.0, 0.0
			for i := range x {
				sx += x[i]
				sy += y[i]
			}
			var xy, xx, yy float64
			for i := range x {
				p, q := x[i]-sx/n, y[i]-sy/n
				xy += p * q
				xx += p * p
				yy += q * q
			}
			return xy / math.Sqrt(xx*yy)
		}),
		nfn("series_fir", types(tDyn, tDyn, tBool, tBool), tDyn, func(a []any) any {
			x, ok := numbers(a[0])
			f, ok2 := numbers(a[1])
			if !ok || !ok2 || len(f) == 0 || len(x)*len(f) > 1<<28 {
				return nil
			}
			sum, negative := 0.0, false
			for _, c := range f {
				sum += c
				negative = negative || c < 0
			}
			normal := !negative
			if a[2] != nil {
				normal = truth(a[2])
			}
			if normal && (negative || sum == 0) {
				return nil
			}
			shift := 0
			if truth(a[3]) {
				shift = len(f) / 2
			}
			out := make([]float64, len(x))
			for i := range x {
				for k, c := range f {
					if j := i + shift - k; j >= 0 && j < len(x) {
						out[i] += c * x[j]
					}
				}
				if normal {
					out[i] /= sum
				}
			}
			return js(reals(out))
		}),
		fn("series_iir", types(tDyn, tDyn, tDyn), tDyn, func(a []any) any {
			x, ok := numbers(a[0])
			b, ok2 := numbers(a[1])
			d, ok3 := numbers(a[2])
			if !ok || !ok2 || !ok3 || len(b) == 0 || len(d) == 0 || d[0] == 0 || len(x)*(len(b)+len(d)) > 1<<28 {
				return nil
			}
			y := make([]float64, len(x))
			for i := range x {
				for k, c := range b {
					if i >= k {
						y[i] += c * x[i-k]
					}
				}
				for k, c := range d {
					if k > 0 && i >= k {
						y[i] -= c * y[i-k]
					}
				}
				y[i] /= d[0]
			}
			return js(reals(y))
		}),
		fn("series_fit_line", types(tDyn), tDyn, line), fn("series_fit_line_dynamic", types(tDyn), tDyn, line),
		fn("series_fit_2lines", types(tDyn), tDyn, twoLines(true)), fn("series_fit_2lines_dynamic", types(tDyn), tDyn, twoLines(false)),
		nfn("series_fit_poly", types(tDyn, tDyn, tLong), tDyn, func(a []any) any {
			y, ok := numbers(a[0])
			degree := long(a[2], 1)
			x, ok2 := numbers(a[1])
			if a[1] == nil {
				x, ok2 = make([]float64, len(y)), true
				for i := range x {
					x[i] = float64(i + 1)
				}
			}
			if !ok || !ok2 || len(x) != len(y) || degree < 0 || degree > 20 || int(degree) >= len(y) {
				return nil
			}
			return js(fitPolynomial(x, y, int(degree)))
		}),
		transform("series_fft", false), transform("series_ifft", true),
		nfn("series_fill_linear", types(tDyn, tDyn, tBool, tDyn), tDyn, func(a []any) any { return fillLinear(a) }),
		nfn("series_outliers", types(tDyn, tStr, tReal, tReal, tReal, tLong), tDyn, func(a []any) any {
			x, ok := numbers(a[0])
			if !ok {
				return nil
			}
			lo, hi := real(a[3], 10), real(a[4], 90)
			switch str(a[1]) {
			case "tukey":
				lo, hi = 25, 75
			case "", "ctukey":
			default:
				return nil
			}
			if !(lo >= 2 && lo <= 98) || !(hi >= 2 && hi <= 98) || lo >= hi {
				return nil
			}
			return js(reals(outliers(x, real(a[2], math.NaN()), lo, hi, int(min(max(long(a[5], 0), 0), int64(len(x)))))))
		}),
		nfn("series_periods_detect", types(tDyn, tReal, tReal, tLong), tDyn, func(a []any) any {
			x, ok := numbers(a[0])
			n := long(a[3], 1)
			if !ok || n < 1 || n > 1000 {
				return nil
			}
			periods, scores := make([]any, n), make([]any, n)
			found := detectPeriods(x, real(a[1], 0), real(a[2], math.Inf(1)))
			for i := range periods {
				periods[i], scores[i] = 0.0, 0.0
				if i < len(found) {
					periods[i], scores[i] = found[i].length, found[i].score
				}
			}
			return js(bagOf("periods", periods, "scores", scores))
		}),
		vfn("series_periods_validate", types(tDyn, tDyn), tDyn, func(a []any) any {
			x, ok := numbers(a[0])
			ps, _ := array(a[1])
			if !ok || len(ps) > 16 {
				return nil
			}
			periods, scores := []any{}, []any{}
			powers, likeness := spectrum(x)
			for _, p := range ps {
				f := real(p, 0)
				periods = append(periods, f)
				scores = append(scores, validatePeriod(powers, likeness, f))
			}
			return js(bagOf("periods", periods, "scores", scores))
		}),
		nfn("series_seasonal", types(tDyn, tLong, tLong), tDyn, func(a []any) any {
			x, ok := numbers(a[0])
			if !ok {
				return nil
			}
			p := long(a[1], -1)
			if a[1] == nil || p == -1 {
				p = bestPeriod(x, 0.7)
			}
			return js(reals(seasonal(x, int(min(p, int64(len(x)))), int(long(a[2], 0)))))
		}),
		nfn("series_decompose", types(tDyn, tLong, tStr, tLong, tReal), tDyn, func(a []any) any {
			d, ok := decompose(a[0], a[1], a[2], a[3], a[4])
			if !ok {
				return nil
			}
			return js(bagOf("baseline", reals(d.baseline), "seasonal", reals(d.seasonal), "trend", reals(d.trend), "residual", reals(d.residual)))
		}),
		nfn("series_decompose_forecast", types(tDyn, tLong, tLong, tStr, tReal), tDyn, func(a []any) any {
			trend := a[3]
			if trend == nil || trend == "" {
				trend = "linefit"
			}
			d, ok := decompose(a[0], a[2], trend, a[1], a[4])
			if !ok {
				return nil
			}
			return js(bagOf("baseline", reals(d.baseline), "seasonal", reals(d.seasonal), "trend", reals(d.trend), "residual", reals(d.residual)))
		}),
		nfn("series_decompose_anomalies", types(tDyn, tReal, tLong, tStr, tLong, tStr, tReal), tDyn, func(a []any) any {
			d, ok := decompose(a[0], a[2], a[3], a[4], a[6])
			if !ok {
				return nil
			}
			lo, hi := 10.0, 90.0
			if str(a[5]) == "tukey" {
				lo, hi = 25, 75
			}
			limit := real(a[1], 1.5)
			score := outliers(d.residual, math.NaN(), lo, hi, int(min(max(long(a[4], 0), 0), int64(len(d.residual)))))
			flags := make([]any, len(score))
			for i, s := range score {
				flags[i] = int64(0)
				if s >= limit {
					flags[i] = int64(1)
				} else if s <= -limit {
					flags[i] = int64(-1)
				}
			}
			return js(bagOf("ad_flag", flags, "ad_score", reals(score), "baseline", reals(d.baseline)))
		}),
	}
}

// maxQuadratic bounds the series whose work grows with the square of the length.
const maxQuadratic = 1 << 14

func bagOf(pairs ...any) *value.Object {
	o := &value.Object{}
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Set(pairs[i].(string), pairs[i+1])
	}
	return o
}

// numbers gives a series; what is no number is NaN.
func numbers(v any) ([]float64, bool) {
	list, ok := array(v)
	if !ok {
		return nil, false
	}
	out := make([]float64, len(list))
	for i, e := range list {
		out[i] = math.NaN()
		if rank(e) == 1 {
			out[i] = real(e, 0)
		} else if s, isText := e.(string); isText {
			switch s {
			case "Infinity":
				out[i] = math.Inf(1)
			case "-Infinity":
				out[i] = math.Inf(-1)
			}
		}
	}
	return out, true
}

func reals(x []float64) []any {
	out := make([]any, len(x))
	for i, f := range x {
		out[i] = f
	}
	return out
}

// numberPairs gives two series as long as the shorter one, without the places where one has no number.
func numberPairs(a, b any) (x, y []float64, ok bool) {
	p, ok := numbers(a)
	q, ok2 := numbers(b)
	for i := range min(len(p), len(q)) {
		if !math.IsNaN(p[i]) && !math.IsNaN(q[i]) {
			x, y = append(x, p[i]), append(y, q[i])
		}
	}
	return x, y, ok && ok2 && len(p) > 0 && len(q) > 0
}

// broadcast gives two series, of which one may have been a number, as long as the shorter one.
func broadcast(a, b any) (x, y []float64, ok bool) {
	one := func(v any, n int) []float64 {
		f, isNumber := dyn(v).(float64)
		if i, whole := dyn(v).(int64); whole {
			f, isNumber = float64(i), true
		}
		if !isNumber {
			return nil
		}
		out := make([]float64, n)
		for i := range out {
			out[i] = f
		}
		return out
	}
	x, ok = numbers(a)
	y, ok2 := numbers(b)
	switch {
	case ok && !ok2:
		y = one(b, len(x))
	case ok2 && !ok:
		x = one(a, len(y))
	}
	n := min(len(x), len(y))
	return x[:n], y[:n], n > 0
}

func dot(x, y []float64) float64 {
	sum := 0.0
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

type lineFit struct {
	rsquare, slope, variance, rvariance, interception float64
	fit                                               []float64
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// variance is that of a sample; of one value it is 0.
func variance(x []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	m, sum := mean(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	return sum / float64(len(x)-1)
}

// fitLine is the regression of a series over its places, counted from 1.
func fitLine(y []float64) lineFit {
	n := float64(len(y))
	mx, my := (n-1)/2, mean(y)
	var xx, xy float64
	for i, v := range y {
		d := float64(i) - mx
		xx += d * d
		xy += d * (v - my)
	}
	l := lineFit{variance: variance(y), fit: make([]float64, len(y))}
	if xx > 0 {
		l.slope = xy / xx
	}
	l.interception = my - l.slope*(mx+1)
	residual := make([]float64, len(y))
	for i, v := range y {
		l.fit[i] = l.interception + l.slope*float64(i+1)
		residual[i] = v - l.fit[i]
	}
	l.rvariance = variance(residual)
	if l.variance > 0 {
		l.rsquare = 1 - l.rvariance/l.variance
	}
	return l
}

// fitTwoLines cuts the series where two lines fit best.
func fitTwoLines(y []float64, flat bool) any {
	// Sums from the left make each cut's residuals cheap.
	n := len(y)
	sy, sxy, syy := make([]float64, n+1), make([]float64, n+1), make([]float64, n+1)
	m := mean(y)
	for i, v := range y {
		d := v - m
		sy[i+1], sxy[i+1], syy[i+1] = sy[i]+d, sxy[i]+d*float64(i), syy[i]+d*d
	}
	residual := func(a, b int) float64 {
		k := float64(b - a)
		if k < 2 {
			return 0
		}
		mx := float64(a+b-1) / 2
		xx := k * (k*k - 1) / 12
		s := sy[b] - sy[a]
		xy := sxy[b] - sxy[a] - mx*s
		return math.Max(0, syy[b]-syy[a]-s*s/k-xy*xy/xx)
	}
	split, best := 1, math.Inf(1)
	for i := 1; i < n; i++ {
		if r := residual(0, i) + residual(i, n); r < best-1e-12*math.Abs(best) || math.IsInf(best, 1) {
			split, best = i, r
		}
	}
	left, right := fitLine(y[:split]), fitLine(y[split:])
	fit := append(slices.Clone(left.fit), right.fit...)
	v := variance(y)
	rest := make([]float64, n)
	for i := range y {
		rest[i] = y[i] - fit[i]
	}
	rv := variance(rest)
	rsquare := 0.0
	if v > 0 {
		rsquare = 1 - rv/v
	}
	o := bagOf("rsquare", rsquare, "split_idx", int64(split), "variance", v, "rvariance", rv, "line_fit", reals(fit))
	for _, side := range []struct {
		name string
		l    lineFit
	}{{"right", right}, {"left", left}} {
		if flat {
			for _, p := range []struct {
				name string
				v    float64
			}{{"rsquare", side.l.rsquare}, {"slope", side.l.slope}, {"interception", side.l.interception}, {"variance", side.l.variance}, {"rvariance", side.l.rvariance}} {
				o.Set(side.name+"_"+p.name, p.v)
			}
			continue
		}
		o.Set(side.name, bagOf("rsquare", side.l.rsquare, "slope", side.l.slope, "interception", side.l.interception, "variance", side.l.variance, "rvariance", side.l.rvariance))
	}
	return o
}

// fitPolynomial solves the least squares by orthogonal polynomials over the places, which keeps high
// degrees steady, and gives the coefficients of the powers.
func fitPolynomial(x, y []float64, degree int) any {
	n := len(x)
	fit := make([]float64, n)
	coef := make([]float64, degree+1) // of the powers, lowest first
	prev, cur := make([]float64, n), make([]float64, n)
	pc, cc := make([]float64, degree+2), make([]float64, degree+2)
	for i := range cur {
		cur[i] = 1
	}
	cc[0] = 1
	norm := 0.0
	for k := 0; k <= degree; k++ {
		var num, den, xw float64
		for i := range x {
			num += (y[i] - fit[i]) * cur[i]
			den += cur[i] * cur[i]
			xw += x[i] * cur[i] * cur[i]
		}
		if den < 1e-300 || math.IsNaN(den) {
			break
		}
		c := num / den
		for i := range x {
			fit[i] += c * cur[i]
		}
		for j := range coef {
			coef[j] += c * cc[j]
		}
		a, b := xw/den, 0.0
		if k > 0 {
			b = den / norm
		}
		norm = den
		next, nc := make([]float64, n), make([]float64, degree+2)
		for i := range x {
			next[i] = (x[i]-a)*cur[i] - b*prev[i]
		}
		for j := range nc {
			nc[j] = -a*cc[j] - b*pc[j]
			if j > 0 {
				nc[j] += cc[j-1]
			}
		}
		prev, cur, pc, cc = cur, next, cc, nc
	}
	v := variance(y)
	rest := make([]float64, n)
	for i := range y {
		rest[i] = y[i] - fit[i]
	}
	rv, rsquare := variance(rest), 0.0
	if v > 0 {
		rsquare = 1 - rv/v
	}
	slices.Reverse(coef)
	return bagOf("rsquare", rsquare, "coefficients", reals(coef), "variance", v, "rvariance", rv, "poly_fit", reals(fit))
}

// fourier is the discrete transform of any length, the inverse one divided by the length.
func fourier(x []complex128, inverse bool) []complex128 {
	n := len(x)
	if n < 2 {
		return x
	}
	sign := -1.0
	if inverse {
		sign = 1
	}
	var out []complex128
	if n&(n-1) == 0 {
		out = slices.Clone(x)
		powerOfTwo(out, sign)
	} else {
		// Bluestein's way: a convolution of a power of two.
		m := 1
		for m < 2*n {
			m *= 2
		}
		chirp := make([]complex128, n)
		for i := range chirp {
			chirp[i] = cmplx.Rect(1, sign*math.Pi*float64(int64(i)*int64(i)%int64(2*n))/float64(n))
		}
		a, b := make([]complex128, m), make([]complex128, m)
		for i := range x {
			a[i] = x[i] * chirp[i]
			b[i] = cmplx.Conj(chirp[i])
			if i > 0 {
				b[m-i] = b[i]
			}
		}
		powerOfTwo(a, -1)
		powerOfTwo(b, -1)
		for i := range a {
			a[i] *= b[i]
		}
		powerOfTwo(a, 1)
		out = make([]complex128, n)
		for i := range out {
			out[i] = a[i] * chirp[i] / complex(float64(m), 0)
		}
	}
	if inverse {
		for i := range out {
			out[i] /= complex(float64(n), 0)
		}
	}
	return out
}

func powerOfTwo(x []complex128, sign float64) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		if j ^= bit; i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		for k := range size / 2 {
			w := cmplx.Rect(1, sign*2*math.Pi*float64(k)/float64(size))
			for i := k; i < n; i += size {
				a, b := x[i], x[i+size/2]*w
				x[i], x[i+size/2] = a+b, a-b
			}
		}
	}
}

// fillLinear puts values between their neighbours where they are missing. A series of whole numbers
// stays one.
func fillLinear(a []any) any {
	x, ok := array(a[0])
	if !ok {
		return nil
	}
	missing := key(dyn(a[1]))
	edges := a[2] == nil || truth(a[2])
	whole := true
	var have []int
	for i, e := range x {
		if e == nil && a[1] == nil || e != nil && key(e) == missing || rank(e) != 1 {
			x[i] = nil
			continue
		}
		have = append(have, i)
		if _, isInt := e.(int64); !isInt {
			whole = false
		}
	}
	if len(have) == 0 {
		var constant any = 0.0
		if a[3] != nil {
			constant = dyn(a[3])
		}
		for i := range x {
			x[i] = constant
		}
		return js(x)
	}
	for k := 0; k+1 < len(have); k++ {
		i, j := have[k], have[k+1]
		p, q := real(x[i], 0), real(x[j], 0)
		for m := i + 1; m < j; m++ {
			v := p + (q-p)*float64(m-i)/float64(j-i)
			if whole {
				x[m] = int64(v)
			} else {
				x[m] = v
			}
		}
	}
	if edges {
		for i := range have[0] {
			x[i] = x[have[0]]
		}
		for i := have[len(have)-1] + 1; i < len(x); i++ {
			x[i] = x[have[len(have)-1]]
		}
	}
	return js(x)
}

// quantile lies between the neighbours of a sorted list.
func quantile(sorted []float64, p float64) float64 {
	at := p / 100 * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// outliers scores what lies outside a range of percentiles by that range's width: Tukey's fences.
func outliers(x []float64, ignore, lo, hi float64, test int) []float64 {
	var s []float64
	for _, v := range x[:len(x)-test] {
		if !math.IsNaN(v) && v != ignore {
			s = append(s, v)
		}
	}
	out := make([]float64, len(x))
	if len(s) == 0 {
		return out
	}
	slices.Sort(s)
	p, q := quantile(s, lo), quantile(s, hi)
	scale := fenceScale(lo, hi)
	for i, v := range x {
		switch {
		case math.IsNaN(v) || v == ignore:
		case v > q && q > p:
			out[i] = (v - q) / (q - p) * scale
		case v < p && q > p:
			out[i] = (v - p) / (q - p) * scale
		}
	}
	return out
}

// fenceScale makes scores by any range alike to those by the range from 25 to 75: where values are spread
// normally, a value whose score by that range is 1.5 has it by this one too. For the range from 10 to 90 it
// is the factor by which Kusto's scores come out, 2 % more than that of the normal distribution.
func fenceScale(lo, hi float64) float64 {
	switch {
	case lo == 25 && hi == 75:
		return 1
	case lo == 10 && hi == 90:
		return 2.772605605507915
	}
	normal := func(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p/100-1) }
	mild := normal(75) + 1.5*(normal(75)-normal(25))
	above := mild - normal(hi)
	if above <= 0 {
		return 1
	}
	return 1.5 * (normal(hi) - normal(lo)) / above
}

// spectrum gives the powers of a series' frequencies, in waves in the whole series, and for every lag how
// alike the series is to itself moved around by the lag: from 0 where it is least alike to 1.
func spectrum(x []float64) (powers, likeness []float64) {
	n := len(x)
	if n < 2 {
		return nil, nil
	}
	m := mean(x)
	c := make([]complex128, n)
	for i, v := range x {
		c[i] = complex(v-m, 0)
	}
	c = fourier(c, false)
	powers = make([]float64, n/2+1)
	for i, v := range c {
		c[i] = v * cmplx.Conj(v)
		if i < len(powers) {
			powers[i] = realPart(c[i])
		}
	}
	c = fourier(c, true)
	likeness = make([]float64, n)
	least := math.Inf(1)
	for i, v := range c {
		likeness[i] = realPart(v)
		least = math.Min(least, likeness[i])
	}
	width := likeness[0] - least
	for i := range likeness {
		if width > 1e-9*(1+m*m)*float64(n) && !math.IsInf(width, 0) {
			likeness[i] = (likeness[i] - least) / width
		} else {
			likeness[i] = 0
		}
	}
	return powers, likeness
}

// strong is the power above which a frequency is more than noise: far above the mean of all.
func strong(powers []float64) float64 {
	if len(powers) < 2 {
		return math.Inf(1)
	}
	m, squares := mean(powers[1:]), 0.0
	for _, p := range powers[1:] {
		squares += (p - m) * (p - m)
	}
	return m + 2*math.Sqrt(squares/float64(len(powers)-1))
}

// realPart stands for the builtin real, whose name this package uses otherwise.
func realPart(c complex128) float64 { return imag(c * 1i) }

func isPeak(likeness []float64, k int) bool {
	return k > 0 && k+1 < len(likeness) && likeness[k] > 0 && likeness[k] >= likeness[k-1] && likeness[k] >= likeness[k+1]
}

type period struct{ length, score float64 }

// detectPeriods finds the periods of a series, best first. A strong frequency tells about where a period
// lies, and the lag around it at which the series is most like itself tells where exactly.
func detectPeriods(x []float64, lo, hi float64) []period {
	powers, likeness := spectrum(x)
	least := strong(powers)
	n := float64(len(x))
	var found []period
	for k := 2; k < len(powers); k++ {
		if powers[k] <= least {
			continue
		}
		f := float64(k)
		from, to := int(math.Ceil((n/(f+1)+n/f)/2)), int((n/f+n/(f-1))/2)
		best := 0
		for l := max(from, 4); l <= min(to, len(x)/2); l++ {
			if isPeak(likeness, l) && (best == 0 || likeness[l] > likeness[best]) {
				best = l
			}
		}
		p := period{float64(best), 0}
		if best == 0 || p.length < lo || p.length > hi || slices.ContainsFunc(found, func(o period) bool { return o.length == p.length }) {
			continue
		}
		p.score = likeness[best]
		found = append(found, p)
	}
	slices.SortStableFunc(found, func(a, b period) int {
		switch {
		case a.score > b.score+1e-9:
			return -1
		case a.score < b.score-1e-9:
			return 1
		}
		return 0
	})
	return found
}

// validatePeriod gives the score of a period, 0 where the series does not have it.
func validatePeriod(powers, likeness []float64, p float64) float64 {
	n := len(likeness)
	k := int(math.Round(p))
	if !(p >= 4 && p <= float64(n)/2) || !isPeak(likeness, k) {
		return 0
	}
	least := strong(powers)
	waves := float64(n) / p
	if powers[int(waves)] <= least && powers[min(int(waves)+1, len(powers)-1)] <= least {
		return 0
	}
	return likeness[k]
}

func bestPeriod(x []float64, least float64) int64 {
	if f := detectPeriods(x, 0, math.Inf(1)); len(f) > 0 && f[0].score >= least {
		return int64(f[0].length)
	}
	return 0
}

// seasonal gives for each place the median of those in the same phase; without a period zeros.
func seasonal(x []float64, period, test int) []float64 {
	out := make([]float64, len(x))
	if period <= 0 {
		return out
	}
	known := x[:len(x)-min(max(test, 0), len(x))]
	for phase := range min(period, len(x)) {
		var s []float64
		for i := phase; i < len(known); i += period {
			if !math.IsNaN(known[i]) {
				s = append(s, known[i])
			}
		}
		if len(s) == 0 {
			continue
		}
		slices.Sort(s)
		for i := phase; i < len(x); i += period {
			out[i] = quantile(s, 50)
		}
	}
	return out
}

type decomposition struct{ baseline, seasonal, trend, residual []float64 }

// decompose parts a series into season, trend and rest; the last test points are not learnt from.
func decompose(series, period, trend, test, threshold any) (decomposition, bool) {
	x, ok := numbers(series)
	if !ok || len(x) == 0 {
		return decomposition{}, false
	}
	n := int(min(max(long(test, 0), 0), int64(len(x)-1)))
	known := x[:len(x)-n]
	p := long(period, -1)
	if period == nil || p < 0 {
		p = bestPeriod(known, real(threshold, 0.6))
	}
	d := decomposition{seasonal: seasonal(x, int(min(p, int64(len(x)))), n), trend: make([]float64, len(x)), baseline: make([]float64, len(x)), residual: make([]float64, len(x))}
	rest := make([]float64, len(known))
	for i := range rest {
		rest[i] = known[i] - d.seasonal[i]
	}
	switch str(trend) {
	case "", "avg":
		m := mean(rest)
		for i := range d.trend {
			d.trend[i] = m
		}
	case "linefit":
		l := fitLine(rest)
		for i := range d.trend {
			d.trend[i] = l.interception + l.slope*float64(i+1)
		}
	case "none":
	default:
		return decomposition{}, false
	}
	for i := range x {
		d.baseline[i] = d.seasonal[i] + d.trend[i]
		d.residual[i] = x[i] - d.baseline[i]
	}
	return d, true
}
