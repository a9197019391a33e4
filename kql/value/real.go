package value

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"sync"
)

// FormatReal returns a real as Kusto's tostring does: 1500.0, 0.1, 1e21, inf, NaN. The digits give the
// same value again but are not always the nearest to it: they are those of the Grisu2 that Kusto has,
// which leaves out the last step of rounding behind the ninth decimal.
func FormatReal(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	b := make([]byte, 0, 26)
	if math.Signbit(f) {
		b, f = append(b, '-'), -f
	}
	if f == 0 {
		return string(append(b, "0.0"...))
	}
	digits, k := grisu(f)
	n := len(digits)
	switch point := n + k; {
	case k >= 0 && point <= 21:
		b = append(b, digits...)
		for range k {
			b = append(b, '0')
		}
		b = append(b, ".0"...)
	case point > 0 && point <= 21:
		b = append(b, digits[:point]...)
		b = append(b, '.')
		b = append(b, digits[point:]...)
	case point > -6 && point <= 0:
		b = append(b, "0."...)
		for range -point {
			b = append(b, '0')
		}
		b = append(b, digits...)
	default:
		b = append(b, digits[0])
		if n > 1 {
			b = append(b, '.')
			b = append(b, digits[1:]...)
		}
		b = append(b, 'e')
		b = strconv.AppendInt(b, int64(point-1), 10)
	}
	return string(b)
}

// wide is a number f·2^e with 64 bits of f.
type wide struct {
	f uint64
	e int
}

func (x wide) normal() wide {
	s := bits.LeadingZeros64(x.f)
	return wide{x.f << s, x.e - s}
}

func (x wide) times(y wide) wide {
	hi, lo := bits.Mul64(x.f, y.f)
	return wide{hi + lo>>63, x.e + y.e + 64}
}

// powers are 10^-348, 10^-340 … 10^340.
var powers = sync.OnceValue(func() [87]wide {
	var out [87]wide
	for i := range out {
		k := 8*i - 348
		p := new(big.Float).SetPrec(2000).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(k, -k))), nil))
		if k < 0 {
			p.Quo(big.NewFloat(1).SetPrec(2000), p)
		}
		p.SetPrec(64)
		e := p.MantExp(p)
		p.SetMantExp(p, 64)
		f, _ := p.Uint64()
		out[i] = wide{f, e - 64}
	}
	return out
})

// grisu gives decimal digits d and an exponent k so that d·10^k reads as f again. f is positive.
func grisu(f float64) (digits []byte, k int) {
	raw := math.Float64bits(f)
	v := wide{raw & (1<<52 - 1), int(raw >> 52 & 0x7ff)}
	hidden := false
	if v.e != 0 {
		v.f |= 1 << 52
		hidden = v.f == 1<<52
		v.e -= 1075
	} else {
		v.e = -1074
	}
	plus := wide{v.f<<1 + 1, v.e - 1}.normal()
	minus := wide{v.f<<1 - 1, v.e - 1}
	if hidden {
		minus = wide{v.f<<2 - 1, v.e - 2}
	}
	minus.f <<= minus.e - plus.e

	dk := float64(-61-plus.e)*0.30102999566398114 + 347
	at := int(dk)
	if dk-float64(at) > 0 {
		at++
	}
	at = at>>3 + 1
	k = 348 - at<<3
	c := powers()[at]
	w, hi, lo := v.normal().times(c), plus.times(c), wide{minus.f, plus.e}.times(c)
	hi.f--
	lo.f++
	delta, far := hi.f-lo.f, hi.f-w.f

	shift := -hi.e
	one := uint64(1) << shift
	p1, p2 := hi.f>>shift, hi.f&(one-1)
	kappa, ten := 1, uint64(1)
	for p1/ten >= 10 {
		ten *= 10
		kappa++
	}
	for ; kappa > 0; ten /= 10 {
		d := p1 / ten
		p1 %= ten
		if d > 0 || len(digits) > 0 {
			digits = append(digits, byte('0'+d))
		}
		kappa--
		if rest := p1<<shift + p2; rest <= delta {
			nearer(digits, delta, rest, ten<<shift, far)
			return digits, k + kappa
		}
	}
	scale := uint64(1)
	for {
		p2 *= 10
		delta *= 10
		scale *= 10
		d := p2 >> shift
		if d > 0 || len(digits) > 0 {
			digits = append(digits, byte('0'+d))
		}
		p2 &= one - 1
		kappa--
		if p2 < delta {
			if kappa > -9 {
				far *= scale
			} else {
				far = 0
			}
			nearer(digits, delta, p2, one, far)
			return digits, k + kappa
		}
	}
}

// nearer lowers the last digit while that brings the number nearer to the true one.
func nearer(digits []byte, delta, rest, ten, far uint64) {
	for rest < far && delta-rest >= ten && (rest+ten < far || far-rest > rest+ten-far) {
		digits[len(digits)-1]--
		rest += ten
	}
}
