package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads the two spellings of Sentinel's durations: 5m, 2h or 1d
// as in rule files, PT5M, P1D or P1DT12H (ISO 8601) as in exports, and the
// TimeSpan form 1.00:05:00 as well. Weeks (P1W, 1w) are seven days; years and
// months have no fixed length and are refused.
func ParseDuration(text string) (time.Duration, error) {
	s := strings.TrimSpace(text)
	var d time.Duration
	var ok bool
	switch {
	case s == "":
	case s[0] == 'P' || s[0] == 'p':
		d, ok = isoDuration(strings.ToUpper(s[1:]))
	case strings.Contains(s, ":"):
		d, ok = timeSpan(s)
	default:
		d, ok = shortDuration(strings.ToLower(s))
	}
	if !ok {
		return 0, fmt.Errorf("%q is no duration: write 5m, 1h, 1d or PT5M, PT1H, P1D", text)
	}
	return d, nil
}

// maxDuration bounds what the parsers multiply, far above what any rule may
// say and far below an overflow.
const maxDuration = 10_000 * 24 * time.Hour

// isoDuration reads what follows the P.
func isoDuration(s string) (time.Duration, bool) {
	date, clock, timed := strings.Cut(s, "T")
	if date == "" && clock == "" || timed && clock == "" {
		return 0, false
	}
	d, ok := units(date, "WD", map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour})
	if !ok {
		return 0, false
	}
	t, ok := units(clock, "HMS", map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second})
	return d + t, ok && d+t <= maxDuration
}

// shortDuration reads 1d, 5m, 1h30m.
func shortDuration(s string) (time.Duration, bool) {
	d, ok := units(s, "wdhms", map[byte]time.Duration{
		'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second,
	})
	return d, ok
}

// units reads numbers that are each followed by a unit, in the order given.
func units(s, order string, size map[byte]time.Duration) (time.Duration, bool) {
	var total time.Duration
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if i <= 0 {
			return 0, false
		}
		n, err := strconv.Atoi(s[:i])
		at := strings.IndexByte(order, s[i])
		if err != nil || at < 0 || n > int(maxDuration/size[s[i]]) {
			return 0, false
		}
		total += time.Duration(n) * size[s[i]]
		order, s = order[at+1:], s[i+1:]
	}
	return total, total <= maxDuration
}

// timeSpan reads [d.]hh:mm[:ss].
func timeSpan(s string) (time.Duration, bool) {
	var total time.Duration
	if days, rest, ok := strings.Cut(s, "."); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 10_000 {
			return 0, false
		}
		total, s = time.Duration(n)*24*time.Hour, rest
	}
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		limit := 60
		if i == 0 {
			limit = 24
		}
		if err != nil || n < 0 || n >= limit || len(p) > 2 {
			return 0, false
		}
		total += time.Duration(n) * [...]time.Duration{time.Hour, time.Minute, time.Second}[i]
	}
	return total, total <= maxDuration
}

// formatDuration writes d as rule files do: 5m, 1h, 1d, 1h30m.
func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0m"
	}
	var b strings.Builder
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / u.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.size
		}
	}
	return b.String()
}
