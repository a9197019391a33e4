package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// A Duration is written 90s, 5m, 2h, 400d, or as ISO 8601 (PT5M, P1D).
type Duration time.Duration

var (
	short = regexp.MustCompile(`^(\d+)(ms|s|m|h|d)$`)
	iso   = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,7})\d*)?S)?)?$`)
	size  = regexp.MustCompile(`^(\d+)\s*(B|KiB|MiB|GiB|TiB|KB|MB|GB|TB)?$`)
)

// ParseDuration reads both forms.
func ParseDuration(text string) (time.Duration, error) {
	units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	if m := short.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if u := units[m[2]]; err == nil && n <= int64(1<<63-1)/int64(u) {
			return time.Duration(n) * u, nil
		}
	}
	if m := iso.FindStringSubmatch(text); m != nil && len(text) > 2 && !strings.HasSuffix(text, "T") {
		var d time.Duration
		for i, u := range []string{"d", "h", "m", "s"} {
			n, _ := strconv.ParseInt(m[i+1], 10, 32)
			d += time.Duration(n) * units[u]
		}
		if fraction, _ := strconv.ParseInt((m[5] + "0000000")[:7], 10, 32); fraction > 0 {
			d += time.Duration(fraction) * 100
		}
		return d, nil
	}
	return 0, fmt.Errorf("%q is no duration: write 90s, 5m, 2h, 400d or PT5M", text)
}

// UnmarshalText reads what ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText writes the short form in the largest unit that fits exactly.
func (d Duration) MarshalText() ([]byte, error) {
	v := time.Duration(d)
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if v%u.unit == 0 {
			return []byte(strconv.FormatInt(int64(v/u.unit), 10) + u.name), nil
		}
	}
	return []byte(strconv.FormatInt(v.Milliseconds(), 10) + "ms"), nil
}

// JSONSchema describes a Duration to editors.
func (Duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Description: "90s, 5m, 2h, 400d, or ISO 8601 (PT5M)", Pattern: `^(\d+(ms|s|m|h|d)|P.*)$`}
}

// Bytes is a size, written 500MB, 1GiB or as a plain number.
type Bytes int64

// ParseBytes reads a size; KiB is 1024, KB is 1000.
func ParseBytes(text string) (Bytes, error) {
	m := size.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no size: write 500MB or 1GiB", text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is too large", text)
	}
	unit := int64(1)
	if m[2] != "" && m[2] != "B" {
		base := int64(1000)
		if strings.HasSuffix(m[2], "iB") {
			base = 1024
		}
		for range strings.Index("KMGT", m[2][:1]) + 1 {
			unit *= base
		}
	}
	if n > (1<<62)/unit {
		return 0, fmt.Errorf("%q is too large", text)
	}
	return Bytes(n * unit), nil
}

// UnmarshalText reads what ParseBytes reads.
func (b *Bytes) UnmarshalText(text []byte) error {
	v, err := ParseBytes(string(text))
	*b = v
	return err
}

// MarshalText writes the size in the largest binary unit that fits exactly.
func (b Bytes) MarshalText() ([]byte, error) {
	v, names := int64(b), []string{"", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for i < len(names)-1 && v != 0 && v%1024 == 0 {
		v, i = v/1024, i+1
	}
	return []byte(strconv.FormatInt(v, 10) + names[i]), nil
}

// JSONSchema describes a size to editors.
func (Bytes) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Description: "500MB, 1GiB", Pattern: `^\d+\s*(B|[KMGT]i?B)?$`}
}
