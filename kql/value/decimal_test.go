package value_test

import (
	"cmp"
	"math/big"
	"strings"
	"testing"

	"glassward/kql/value"
)

func decimal(t *testing.T, s string) value.Dec {
	t.Helper()
	d, ok := value.ParseDec(s)
	if !ok {
		t.Fatalf("%q is no decimal", s)
	}
	return d
}

func TestDecimalTexts(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"0", "0"}, {"-0.0", "0"}, {"000.000e7", "0"}, {"1", "1"}, {"+1.50", "1.5"}, {".5", "0.5"}, {"5.", "5"}, {" -12.340 ", "-12.34"},
		{"1e5", "100000"}, {"1E-3", "0.001"}, {"12345678901234567890123456789012345678", "12345678901234567890123456789012350000"},
		{"0.1234567890123456789012345678901234567", "0.1234567890123456789012345678901235"},
		{"9999999999999999999999999999999999.5", "10000000000000000000000000000000000"},
		{"1000000000000000000000000000000000.5", "1000000000000000000000000000000000"}, // to the even digit
		{"1000000000000000000000000000000001.5", "1000000000000000000000000000000002"},
		{"1000000000000000000000000000000000.5000000001", "1000000000000000000000000000000001"},
		{"1e39", "1" + strings.Repeat("0", 39)}, {"1.5e60", "1.5E+60"}, {"-25e-61", "-2.5E-60"}, {"1e-40", "0." + strings.Repeat("0", 39) + "1"},
		{"1e-99999999999999999999", "0"},
	} {
		if got := decimal(t, c.in).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
	for _, s := range []string{"", " ", ".", "-", "e5", "1e", "1e5.0", "1,000", "0x10", "nan", "inf", "1_0", "--1", "1e6145", "1 2", "１"} {
		if d, ok := value.ParseDec(s); ok {
			t.Errorf("%q is read as %s", s, d)
		}
	}
}

func TestDecimalArithmetic(t *testing.T) {
	third := "0." + strings.Repeat("3", 34)
	for _, c := range []struct{ a, op, b, want string }{
		{"0.1", "+", "0.2", "0.3"}, {"1", "+", "-1", "0"}, {"1e50", "+", "1", "1E+50"}, {"1e6144", "+", "9e6144", "none"},
		{"1", "-", "1e-6000", "1"}, {"1000000000000000000000000000000000", "-", "1e-60", "1000000000000000000000000000000000"},
		{"1", "/", "3", third}, {"2", "/", "-3", "-0." + strings.Repeat("6", 33) + "7"}, {"1", "/", "0", "none"}, {"0", "/", "7", "0"},
		{"1e-6143", "/", "10", "0"}, {"1e6000", "*", "1e6000", "none"}, {"1.5", "*", "-2", "-3"}, {"1e6144", "/", "1e-6143", "none"},
		{"10", "%", "3", "1"}, {"-10", "%", "3", "2"}, {"10", "%", "-3", "1"}, {"0.5", "%", "0.2", "0.1"}, {"1e6000", "%", "7", "1"}, {"3", "%", "1e6000", "3"}, {"5", "%", "0", "none"},
		{"7.9", "bin", "2.5", "7.5"}, {"-0.1", "bin", "1", "-1"}, {"5", "bin", "0", "none"}, {"5", "bin", "-1", "none"}, {"1e100", "bin", "1e-100", "1E+100"},
	} {
		a, b := decimal(t, c.a), decimal(t, c.b)
		d, ok := map[string]func(value.Dec) (value.Dec, bool){"+": a.Add, "-": a.Sub, "*": a.Mul, "/": a.Quo, "%": a.Mod, "bin": a.Bin}[c.op](b)
		got := "none"
		if ok {
			got = d.String()
		}
		if got != c.want {
			t.Errorf("%s %s %s: got %s, want %s", c.a, c.op, c.b, got, c.want)
		}
	}
}

func TestDecimalRounding(t *testing.T) {
	for _, c := range []struct {
		in     string
		places int
		want   string
	}{{"2.675", 2, "2.68"}, {"-2.675", 2, "-2.68"}, {"2.5", 0, "3"}, {"0.05", 0, "0"}, {"0.5", 0, "1"}, {"99.99", 1, "100"}, {"1250", -2, "1300"}, {"49", -2, "0"}, {"50", -2, "100"}, {"1.5", 40, "1.5"}} {
		if got, _ := decimal(t, c.in).Round(c.places); got.String() != c.want {
			t.Errorf("round(%s, %d): got %s, want %s", c.in, c.places, got, c.want)
		}
	}
	for in, want := range map[string]string{"1.2": "2", "-1.2": "-1", "3": "3", "1e-50": "1", "-1e-50": "0", "1e60": "1E+60"} {
		if got, _ := decimal(t, in).Ceiling(); got.String() != want {
			t.Errorf("ceiling(%s): got %s, want %s", in, got, want)
		}
	}
}

func TestDecimalConversions(t *testing.T) {
	for in, want := range map[string]int64{"1.99": 1, "-1.99": -1, "9223372036854775807": 9223372036854775807, "-9223372036854775808": -9223372036854775808, "0.9": 0, "12e3": 12000} {
		if got, ok := decimal(t, in).Long(); !ok || got != want {
			t.Errorf("long of %s: %d %v", in, got, ok)
		}
	}
	for _, in := range []string{"9223372036854775808", "1e30"} {
		if got, ok := decimal(t, in).Long(); ok {
			t.Errorf("long of %s: %d", in, got)
		}
	}
	if d, _ := value.DecOfReal(2.2, value.RealDigits); d.String() != "2.2000000000000002" {
		t.Error(d)
	}
	if d, _ := value.DecOfReal(2.2, value.ConstantDigits); d.String() != "2.2" || d.Real() != 2.2 {
		t.Error(d, d.Real())
	}
	if d := value.DecOf(-9223372036854775808); d.String() != "-9223372036854775808" {
		t.Error(d)
	}
	if n := decimal(t, "1").Steps(decimal(t, "2"), decimal(t, "0.3")); n != 3 {
		t.Error(n)
	}
}

// FuzzDecimal holds that the engine's form orders as the numbers do, that its text reads back, and that results
// are the exact ones rounded.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0 0", "1 -1", "0.1 0.09", "-12.5 -12.55", "1e10 99e8", "1e-6000 1e6000", "-1e-9 1e-9", "9999999999999999999999999999999999.5 1", "7e6144 -3e-6143"} {
		a, b, _ := strings.Cut(s, " ")
		f.Add(a, b)
	}
	f.Fuzz(func(t *testing.T, s1, s2 string) {
		a, ok1 := value.ParseDec(s1)
		b, ok2 := value.ParseDec(s2)
		if !ok1 || !ok2 || len(s1)+len(s2) > 200 {
			return
		}
		if r, ok := value.ParseDec(a.String()); !ok || r != a {
			t.Fatalf("%s comes back as %s (%q, %q)", a, r, string(a), string(r))
		}
		x, y := rational(a), rational(b)
		if got, want := cmp.Compare(a, b), x.Cmp(y); got != want {
			t.Fatalf("%s and %s: %q %q compare as %d, not %d", a, b, string(a), string(b), got, want)
		}
		if a.Neg().Neg() != a || a.Sign() != x.Sign() {
			t.Fatalf("%s: sign", a)
		}
		check := func(op string, got value.Dec, ok bool, want *big.Rat) {
			if !ok {
				if op != "/" && op != "*" && op != "+" && op != "-" {
					t.Fatalf("%s %s %s: none", a, op, b)
				}
				return
			}
			exact := new(big.Rat).Sub(rational(got), want)
			// Half of the last of 34 digits, or the smallest number.
			bound := new(big.Rat).Quo(new(big.Rat).Abs(want), power(33))
			bound.Quo(bound, big.NewRat(2, 1))
			if exact.Abs(exact).Cmp(bound) > 0 && (got.Sign() != 0 || new(big.Rat).Abs(want).Cmp(new(big.Rat).Inv(power(6143))) >= 0) {
				t.Fatalf("%s %s %s: got %s", a, op, b, got)
			}
		}
		sum, ok := a.Add(b)
		check("+", sum, ok, new(big.Rat).Add(x, y))
		dif, ok := a.Sub(b)
		check("-", dif, ok, new(big.Rat).Sub(x, y))
		product, ok := a.Mul(b)
		check("*", product, ok, new(big.Rat).Mul(x, y))
		if b.Sign() == 0 {
			return
		}
		quotient, ok := a.Quo(b)
		check("/", quotient, ok, new(big.Rat).Quo(x, y))
		whole := new(big.Rat).Quo(x, new(big.Rat).Abs(y))
		floor := new(big.Int).Div(whole.Num(), whole.Denom())
		left := new(big.Rat).Sub(x, new(big.Rat).Mul(new(big.Rat).SetInt(floor), new(big.Rat).Abs(y)))
		mod, ok := a.Mod(b)
		check("%", mod, ok, left)
	})
}

func rational(d value.Dec) *big.Rat {
	r, _ := new(big.Rat).SetString(strings.Replace(d.String(), "E", "e", 1))
	return r
}

func power(n int64) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil))
}
