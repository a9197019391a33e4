package value

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Dec is a decimal number in the form in which the engine holds it: a text whose order, byte by byte, is the
// order of the numbers, and of which each number has exactly one, so that the engine compares, sorts, groups
// and joins decimals without knowing of them. Zero is "0". A positive number is "1", five digits of the
// exponent of its first digit (10000 is none), and its digits without zeros at the end: 123.45 is
// "11000212345". A negative one is "-" and the same with every digit taken from 9, closed by "~": -5 is
// "-899994~".
//
// It has 34 digits and exponents of -6143 to 6144, the normal numbers of IEEE 754's decimal128. There is no
// infinity and nothing that is not a number.
type Dec string

// DecDigits is how many digits a decimal has.
const DecDigits = 34

const (
	maxDecExponent = 6144
	decBias        = 10000
	decZero        = Dec("0")
)

// decParts is the number coef·10^exp, negative or not. coef is not negative.
type decParts struct {
	neg  bool
	coef *big.Int
	exp  int
}

var ten = big.NewInt(10)

func powerOfTen(n int) *big.Int { return new(big.Int).Exp(ten, big.NewInt(int64(n)), nil) }

// makeDec gives the decimal of digits·10^exp, rounded to 34 digits, halves to the even digit. rest says that
// there is something behind the digits. A number beyond the greatest is none, one below the smallest is zero.
func makeDec(neg bool, digits string, exp int, rest bool) (Dec, bool) {
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return decZero, true
	}
	first := exp + len(digits) - 1 // the exponent of the first digit
	if len(digits) > DecDigits {
		cut := digits[DecDigits:]
		digits = digits[:DecDigits]
		rest = rest || strings.Trim(cut[1:], "0") != ""
		if cut[0] > '5' || cut[0] == '5' && (rest || (digits[DecDigits-1]-'0')%2 == 1) {
			var carry bool
			if digits, carry = increment(digits); carry {
				first++
			}
		}
	}
	switch {
	case first > maxDecExponent:
		return "", false
	case first < 1-maxDecExponent:
		return decZero, true
	}
	digits = strings.TrimRight(digits, "0")
	b := make([]byte, 0, len(digits)+7)
	b = append(b, '1')
	b = strconv.AppendInt(b, int64(first+decBias), 10)
	if len(b) == 5 { // 4 digits
		b = append(b[:1], append([]byte{'0'}, b[1:]...)...)
	}
	b = append(b, digits...)
	if neg {
		turn(b[1:])
		b[0] = '-'
		b = append(b, '~')
	}
	return Dec(b), true
}

// increment adds one to the last digit; carry says that all were nines, and the digits are those of 1 now.
func increment(digits string) (_ string, carry bool) {
	b := []byte(digits)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != '9' {
			b[i]++
			return string(b), false
		}
		b[i] = '0'
	}
	return "1", true
}

// turn takes every digit from 9.
func turn(b []byte) {
	for i := range b {
		b[i] = '0' + '9' - b[i]
	}
}

// split gives sign, digits and the exponent of the last digit. Zero has no digits; nor has a text that is no
// decimal.
func (d Dec) split() (neg bool, digits string, exp int) {
	if len(d) < 7 {
		return false, "", 0
	}
	b := []byte(d[1:])
	if neg = d[0] == '-'; neg {
		b = b[:len(b)-1]
		turn(b)
	}
	first, err := strconv.Atoi(string(b[:5]))
	if err != nil {
		return false, "", 0
	}
	digits = string(b[5:])
	return neg, digits, first - decBias - len(digits) + 1
}

func (d Dec) parts() decParts {
	neg, digits, exp := d.split()
	n, ok := new(big.Int).SetString("0"+digits, 10)
	if !ok {
		n = new(big.Int)
	}
	return decParts{neg, n, exp}
}

func (p decParts) dec(rest bool) (Dec, bool) {
	return makeDec(p.neg, p.coef.String(), p.exp, rest)
}

// ParseDec reads a decimal: digits, which may have a point among them and an exponent behind.
func ParseDec(s string) (Dec, bool) {
	s = strings.TrimSpace(s)
	neg := strings.HasPrefix(s, "-")
	if neg || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	exp := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil && !strings.Contains(err.Error(), strconv.ErrRange.Error()) {
			return "", false
		}
		exp = min(max(n, -1<<30), 1<<30) // far beyond, so that a long row of digits changes nothing
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || strings.Trim(whole, "0123456789") != "" || strings.Trim(fraction, "0123456789") != "" {
		return "", false
	}
	return makeDec(neg, whole+fraction, exp-len(fraction), false)
}

// DecOf gives a whole number as a decimal.
func DecOf(n int64) Dec {
	s := strconv.FormatInt(n, 10)
	digits := strings.TrimPrefix(s, "-")
	d, _ := makeDec(n < 0, digits, 0, false)
	return d
}

// Two precisions of reals made decimals: Kusto's compiler takes the 15 digits that are certain, so that 0.1 is
// 0.1, its engine the 17 that tell all reals apart, so that a record's 2.2 is 2.2000000000000002.
const (
	ConstantDigits = 15
	RealDigits     = 17
)

// DecOfReal gives a real as a decimal of so many digits. What is infinite or no number is none.
func DecOfReal(f float64, digits int) (Dec, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "", false
	}
	return ParseDec(strconv.FormatFloat(f, 'e', digits-1, 64))
}

// plainDigits is how many digits a decimal's text has at most before an exponent is written.
const plainDigits = 40

// String returns the number as Kusto writes it: 3.14, -0.5, and with an exponent where there would be more than
// 40 digits: 1E+50.
func (d Dec) String() string {
	neg, digits, exp := d.split()
	if digits == "" {
		return "0"
	}
	sign := ""
	if neg {
		sign = "-"
	}
	n := len(digits)
	switch first := exp + n - 1; {
	case exp >= 0 && first < plainDigits:
		return sign + digits + strings.Repeat("0", exp)
	case exp < 0 && first >= 0:
		return sign + digits[:n+exp] + "." + digits[n+exp:]
	case exp < 0 && -exp <= plainDigits:
		return sign + "0." + strings.Repeat("0", -exp-n) + digits
	default:
		if n > 1 {
			digits = digits[:1] + "." + digits[1:]
		}
		if first < 0 {
			return sign + digits + "E-" + strconv.Itoa(-first)
		}
		return sign + digits + "E+" + strconv.Itoa(first)
	}
}

// Real returns the nearest real.
func (d Dec) Real() float64 {
	neg, digits, exp := d.split()
	f, _ := strconv.ParseFloat("0"+digits+"e"+strconv.Itoa(exp), 64)
	if neg {
		return -f
	}
	return f
}

// Long returns the number without its fraction, and whether it is within the range of long.
func (d Dec) Long() (int64, bool) {
	neg, digits, exp := d.split()
	switch {
	case exp+len(digits) <= 0:
		return 0, true
	case exp+len(digits) > 19:
		return 0, false
	case exp < 0:
		digits = digits[:len(digits)+exp]
	default:
		digits += strings.Repeat("0", exp)
	}
	if neg {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// Sign returns -1, 0 or 1.
func (d Dec) Sign() int {
	switch {
	case d == decZero || d == "":
		return 0
	case d[0] == '-':
		return -1
	}
	return 1
}

// Neg returns the number with the other sign.
func (d Dec) Neg() Dec {
	neg, digits, exp := d.split()
	n, _ := makeDec(!neg, digits, exp, false)
	return n
}

// Abs returns the number without its sign.
func (d Dec) Abs() Dec {
	if d.Sign() < 0 {
		return d.Neg()
	}
	return d
}

// first is the exponent of the first digit.
func (d Dec) first() int {
	_, digits, exp := d.split()
	return exp + len(digits) - 1
}

// apart is how far apart two numbers may begin so that their sum is computed from both. Beyond, the smaller one
// says no more than on which side of the greater the sum is.
const apart = 2*DecDigits + 2

// Add returns the sum; it is none where it is beyond the greatest decimal.
func (d Dec) Add(e Dec) (Dec, bool) {
	switch {
	case d.Sign() == 0:
		return e, true
	case e.Sign() == 0:
		return d, true
	case d.first() < e.first():
		d, e = e, d
	}
	a, b := d.parts(), e.parts()
	if d.first()-e.first() > apart {
		b.coef, b.exp = big.NewInt(1), d.first()-apart
	}
	low := min(a.exp, b.exp)
	x := new(big.Int).Mul(a.coef, powerOfTen(a.exp-low))
	y := new(big.Int).Mul(b.coef, powerOfTen(b.exp-low))
	if a.neg != b.neg {
		y.Neg(y)
	}
	x.Add(x, y)
	neg := a.neg != (x.Sign() < 0)
	return decParts{neg, x.Abs(x), low}.dec(false)
}

// Sub returns the difference.
func (d Dec) Sub(e Dec) (Dec, bool) { return d.Add(e.Neg()) }

// Mul returns the product.
func (d Dec) Mul(e Dec) (Dec, bool) {
	a, b := d.parts(), e.parts()
	return decParts{a.neg != b.neg, a.coef.Mul(a.coef, b.coef), a.exp + b.exp}.dec(false)
}

// Quo returns the quotient; there is none by zero.
func (d Dec) Quo(e Dec) (Dec, bool) {
	if e.Sign() == 0 {
		return "", false
	}
	a, b := d.parts(), e.parts()
	const more = 2*DecDigits + 1 // digits before the division, so that 34 and one are behind it
	rest := new(big.Int)
	q, _ := new(big.Int).QuoRem(a.coef.Mul(a.coef, powerOfTen(more)), b.coef, rest)
	return decParts{a.neg != b.neg, q, a.exp - b.exp - more}.dec(rest.Sign() != 0)
}

// Mod returns what is left over a multiple of e, which is never negative; there is none by zero.
func (d Dec) Mod(e Dec) (Dec, bool) {
	if e.Sign() == 0 {
		return "", false
	}
	a, b := d.parts(), e.parts()
	var r decParts
	switch {
	case d.Abs() < e.Abs():
		r = decParts{coef: a.coef, exp: a.exp}
	case a.exp >= b.exp:
		// The power may have thousands of digits; only what it leaves is needed.
		p := new(big.Int).Exp(ten, big.NewInt(int64(a.exp-b.exp)), b.coef)
		r = decParts{coef: p.Mod(p.Mul(p, a.coef), b.coef), exp: b.exp}
	default:
		m := new(big.Int).Mul(b.coef, powerOfTen(b.exp-a.exp))
		r = decParts{coef: m.Mod(a.coef, m), exp: a.exp}
	}
	left, _ := r.dec(false)
	if a.neg && left.Sign() != 0 {
		return e.Abs().Sub(left)
	}
	return left, true
}

// Bin returns the multiple of a step that is at the number or below it, none for a step that is not positive.
func (d Dec) Bin(step Dec) (Dec, bool) {
	if step.Sign() <= 0 {
		return "", false
	}
	left, _ := d.Mod(step)
	return d.Sub(left)
}

// Steps returns how many steps lead from d to another number at most, -1 if it lies the other way; a step of
// zero leads nowhere.
func (d Dec) Steps(to, step Dec) int64 {
	way, ok := to.Sub(d)
	if !ok || step.Sign() == 0 || way.Sign() != 0 && way.Sign() != step.Sign() {
		return -1
	}
	n, ok := way.Quo(step)
	if !ok {
		return math.MaxInt64
	}
	k, ok := n.Long()
	if !ok {
		return math.MaxInt64
	}
	return k
}

// Round returns the number with so many digits behind the point, or, negative, with zeros before it. Halves go
// away from zero.
func (d Dec) Round(places int) (Dec, bool) {
	neg, digits, exp := d.split()
	drop := -places - exp
	switch {
	case digits == "" || drop <= 0:
		return d, true
	case drop > len(digits):
		return decZero, true
	}
	kept := digits[:len(digits)-drop]
	if digits[len(kept)] >= '5' {
		if n, carry := increment("0" + kept); !carry {
			kept = n
		}
	}
	return makeDec(neg, kept, -places, false)
}

// Ceiling returns the smallest whole number that is not less.
func (d Dec) Ceiling() (Dec, bool) {
	left, _ := d.Mod(DecOf(1))
	if left.Sign() == 0 {
		return d, true
	}
	below, ok := d.Sub(left)
	if !ok {
		return "", false
	}
	return below.Add(DecOf(1))
}
