package eval

import "math"

func statFunctions() []Function {
	return []Function{
		fn("beta_cdf", types(tReal, tReal, tReal), tReal, func(a []any) any { return betaCDF(real(a[0], 0), real(a[1], 0), real(a[2], 0)) }),
		fn("beta_inv", types(tReal, tReal, tReal), tReal, func(a []any) any {
			p, alpha, beta := real(a[0], 0), real(a[1], 0), real(a[2], 0)
			if !(p > 0 && p <= 1) || !(alpha > 0) || !(beta > 0) {
				return math.NaN()
			}
			// The distribution grows with x: halving finds the place to the last bit.
			lo, hi := 0.0, 1.0
			for range 200 {
				mid := lo + (hi-lo)/2
				if mid == lo || mid == hi {
					break
				}
				if betaCDF(mid, alpha, beta) < p {
					lo = mid
				} else {
					hi = mid
				}
			}
			if p-betaCDF(lo, alpha, beta) < betaCDF(hi, alpha, beta)-p {
				return lo
			}
			return hi
		}),
		fn("beta_pdf", types(tReal, tReal, tReal), tReal, func(a []any) any {
			x, alpha, beta := real(a[0], 0), real(a[1], 0), real(a[2], 0)
			if !(x > 0 && x < 1) || !(alpha > 0) || !(beta > 0) {
				return math.NaN()
			}
			return math.Exp((alpha-1)*math.Log(x) + (beta-1)*math.Log1p(-x) - logBeta(alpha, beta))
		}),
		fn("welch_test", types(tReal, tReal, tReal, tReal, tReal, tReal), tReal, func(a []any) any {
			m1, v1, n1, m2, v2, n2 := real(a[0], 0), real(a[1], 0), real(a[2], 0), real(a[3], 0), real(a[4], 0), real(a[5], 0)
			e1, e2 := v1/n1, v2/n2
			t := (m1 - m2) / math.Sqrt(e1+e2)
			df := (e1 + e2) * (e1 + e2) / (e1*e1/(n1-1) + e2*e2/(n2-1))
			if math.IsNaN(t) || math.IsNaN(df) || df <= 0 {
				return math.NaN()
			}
			if math.IsInf(df, 1) {
				return math.Erfc(math.Abs(t) / math.Sqrt2)
			}
			return incompleteBeta(df/(df+t*t), df/2, 0.5)
		}),
	}
}

// betaCDF is the distribution function of beta. Kusto gives 1 for an alpha or beta that makes no sense.
func betaCDF(x, alpha, beta float64) float64 {
	switch {
	case !(x >= 0 && x <= 1):
		return math.NaN()
	case !(alpha > 0) || !(beta > 0):
		return 1
	}
	return incompleteBeta(x, alpha, beta)
}

func logBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// incompleteBeta is the regularised incomplete beta function, by Lentz's continued fraction.
func incompleteBeta(x, a, b float64) float64 {
	switch {
	case math.IsNaN(x) || math.IsNaN(a) || math.IsNaN(b):
		return math.NaN()
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - incompleteBeta(1-x, b, a)
	}
	front := math.Exp(a*math.Log(x)+b*math.Log1p(-x)-logBeta(a, b)) / a
	const tiny = 1e-300
	keep := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/keep(1-(a+b)*x/(a+1))
	f := d
	for m := 1.0; m < 2000; m++ {
		n := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / keep(1+n*d)
		c = keep(1 + n/c)
		f *= c * d
		n = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / keep(1+n*d)
		c = keep(1 + n/c)
		f *= c * d
		if math.Abs(c*d-1) < 1e-16 {
			break
		}
	}
	return front * f
}
