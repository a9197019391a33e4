package rule

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"5m", 5 * time.Minute}, {"1d", day}, {"14d", 14 * day}, {"2h", 2 * time.Hour}, {"1h30m", 90 * time.Minute},
		{"PT5M", 5 * time.Minute}, {"PT1H", time.Hour}, {"P1D", day}, {"P14D", 14 * day}, {"P1DT12H", 36 * time.Hour},
		{"pt5m", 5 * time.Minute}, {"P1W", 7 * day}, {" 5m ", 5 * time.Minute}, {"5M", 5 * time.Minute},
		{"00:05:00", 5 * time.Minute}, {"1.00:00:00", day}, {"00:05", 5 * time.Minute}, {"0m", 0}, {"PT0S", 0},
	} {
		got, err := ParseDuration(c.text)
		if err != nil || got != c.want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", c.text, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "5", "m", "5 m", "P", "PT", "P1M", "P1Y", "1m1h", "PT1M1H", "-5m", "99999999999999d", "25:00", "00:60:00", "1:2:3:4", "five"} {
		if got, err := ParseDuration(bad); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", bad, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"5m", "P1DT2H", "1.00:05:00", "1h30m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 || d > maxDuration+24*time.Hour {
			t.Fatalf("ParseDuration(%q) = %v", s, d)
		}
		if again, err := ParseDuration(formatDuration(d)); err != nil || again != d {
			t.Fatalf("%q is %v, which formats as %q and reads back as %v, %v", s, d, formatDuration(d), again, err)
		}
	})
}
