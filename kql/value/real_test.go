package value_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"glassward/kql/value"
)

func TestFormatReal(t *testing.T) {
	for _, c := range []struct {
		f    float64
		want string
	}{
		{0, "0.0"}, {math.Copysign(0, -1), "-0.0"}, {1, "1.0"}, {1500, "1500.0"}, {-2.5, "-2.5"}, {0.1, "0.1"}, {0.3, "0.3"}, {1e20, "100000000000000000000.0"}, {1e21, "1e21"}, {1.5e22, "1.5e22"}, {1e-6, "0.000001"}, {1e-7, "1e-7"},
		{1234.5678, "1234.5678"}, {math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {math.NaN(), "NaN"}, {3.14159, "3.14159"}, {math.MaxFloat64, "1.7976931348623157e308"}, {5e-324, "5e-324"},
	} {
		if got := value.FormatReal(c.f); got != c.want {
			t.Errorf("%g: %s, want %s", c.f, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		f := math.Float64frombits(r.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		s := value.FormatReal(f)
		if g, err := strconv.ParseFloat(s, 64); err != nil || g != f {
			t.Fatalf("%v is written as %s, which reads as %v", f, s, g)
		}
	}
}
