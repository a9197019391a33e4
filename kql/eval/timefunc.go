package eval

import (
	_ "embed"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // datetime_utc_to_local must not depend on the host

	"glassward/kql/value"
)

// timezoneNames are those of the IANA database that the program carries, a line each.
//
//go:embed timezones.txt
var timezoneNames string

func timeFunctions() []Function {
	unit := func(name string, start func(y int, m time.Month, d int, off int64) time.Time) []Function {
		at := func(a []any, next int64) any {
			t := value.Ticks(long(a[0], 0)).Time()
			off := long(a[1], 0)
			if off > 1<<22 || off < -(1<<22) {
				return nil
			}
			r := value.FromTime(start(t.Year(), t.Month(), t.Day(), off+next))
			if next == 1 {
				r--
			}
			if !r.Valid() {
				return nil
			}
			return int64(r)
		}
		return []Function{
			nfn("startof"+name, types(tTime, tLong), tTime, func(a []any) any {
				if a[0] == nil {
					return nil
				}
				return at(a, 0)
			}),
			nfn("endof"+name, types(tTime, tLong), tTime, func(a []any) any {
				if a[0] == nil {
					return nil
				}
				return at(a, 1)
			}),
		}
	}
	out := unit("day", func(y int, m time.Month, d int, off int64) time.Time {
		return time.Date(y, m, d+int(off), 0, 0, 0, 0, time.UTC)
	})
	out = append(out, unit("week", func(y int, m time.Month, d int, off int64) time.Time {
		w := int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Weekday())
		return time.Date(y, m, d-w+7*int(off), 0, 0, 0, 0, time.UTC)
	})...)
	out = append(out, unit("month", func(y int, m time.Month, _ int, off int64) time.Time {
		return time.Date(y, m+time.Month(off), 1, 0, 0, 0, 0, time.UTC)
	})...)
	out = append(out, unit("year", func(y int, _ time.Month, _ int, off int64) time.Time {
		return time.Date(y+int(off), 1, 1, 0, 0, 0, 0, time.UTC)
	})...)
	part := func(name string, f func(t time.Time) int) Function {
		return fn(name, types(tTime), tLong, func(a []any) any { return int64(f(value.Ticks(long(a[0], 0)).Time())) })
	}
	unix := func(name string, perSecond float64) Function {
		return fn(name, types(tReal), tTime, func(a []any) any {
			const epoch = 621355968000000000
			f := real(a[0], 0) * (1e7 / perSecond)
			if f != f || f < -epoch || f > float64(value.MaxTicks)-epoch {
				return nil
			}
			t := value.Ticks(epoch + int64(f))
			if !t.Valid() {
				return nil
			}
			return int64(t)
		})
	}
	return append(out,
		part("dayofmonth", time.Time.Day), part("dayofyear", time.Time.YearDay), part("monthofyear", func(t time.Time) int { return int(t.Month()) }),
		part("getyear", time.Time.Year), part("week_of_year", func(t time.Time) int { _, w := t.ISOWeek(); return w }),
		fn("datetime_add", types(tStr, tLong, tTime), tTime, func(a []any) any { return addPart(str(a[0]), long(a[1], 0), value.Ticks(long(a[2], 0))) }),
		fn("datetime_diff", types(tStr, tTime, tTime), tLong, func(a []any) any {
			return diffPart(str(a[0]), value.Ticks(long(a[1], 0)), value.Ticks(long(a[2], 0)))
		}),
		fn("datetime_part", types(tStr, tTime), tLong, func(a []any) any { return datePart(str(a[0]), value.Ticks(long(a[1], 0))) }),
		nfn("make_datetime", types(tDyn, tLong, tLong, tLong, tLong, tReal), tTime, func(a []any) any {
			year, ok := dyn(a[0]).(int64)
			if !ok {
				if s, isText := dyn(a[0]).(string); isText {
					return textTime(s)
				}
				return nil
			}
			sec := real(a[5], 0)
			if sec < 0 || sec >= 60 {
				return nil
			}
			frac := int64(sec*1e7+0.5) % 1e7
			t, ok := value.DateClock(int(year), int(long(a[1], 1)), int(long(a[2], 1)), int(long(a[3], 0)), int(long(a[4], 0)), int((sec*1e7+0.5)/1e7), frac)
			if !ok {
				return nil
			}
			return int64(t)
		}),
		nfn("make_timespan", types(tLong, tLong, tReal, tReal), tSpan, func(a []any) any {
			var d, h, m int64
			var s float64
			switch {
			case a[3] != nil:
				d, h, m, s = long(a[0], 0), long(a[1], 0), int64(real(a[2], 0)), real(a[3], 0)
			case a[2] != nil:
				h, m, s = long(a[0], 0), long(a[1], 0), real(a[2], 0)
			default:
				h, m = long(a[0], 0), long(a[1], 0)
			}
			if h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s >= 60 || d < 0 || d > 10675198 {
				return nil
			}
			return d*int64(value.Day) + h*int64(value.Hour) + m*int64(value.Minute) + int64(s*1e7+0.5)
		}),
		fn("format_datetime", types(tTime, tStr), tStr, func(a []any) any { return FormatDateTime(value.Ticks(long(a[0], 0)), str(a[1])) }),
		fn("format_timespan", types(tSpan, tStr), tStr, func(a []any) any { return FormatTimeSpan(value.Span(long(a[0], 0)), str(a[1])) }),
		unix("unixtime_seconds_todatetime", 1), unix("unixtime_milliseconds_todatetime", 1e3), unix("unixtime_microseconds_todatetime", 1e6), unix("unixtime_nanoseconds_todatetime", 1e9),
		// The parameter is of no use: the engine wants one.
		nfn("datetime_list_timezones", types(tBool), tDyn, func([]any) any {
			out := []any{}
			for name := range strings.Lines(timezoneNames) {
				out = append(out, strings.TrimSpace(name))
			}
			return js(out)
		}),
		fn("datetime_utc_to_local", types(tTime, tStr), tTime, func(a []any) any {
			loc := zone(str(a[1]))
			if loc == nil {
				return nil
			}
			t := value.Ticks(long(a[0], 0))
			_, off := t.Time().In(loc).Zone()
			return int64(t) + int64(off)*int64(value.Second)
		}),
		fn("datetime_local_to_utc", types(tTime, tStr), tTime, func(a []any) any {
			loc := zone(str(a[1]))
			if loc == nil {
				return nil
			}
			t := value.Ticks(long(a[0], 0)).Time()
			utc := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc)
			if l := utc.In(loc); l.Day() != t.Day() || l.Hour() != t.Hour() || l.Minute() != t.Minute() {
				// A time that the clocks skip is read by the offset after the change.
				_, after := utc.Add(24 * time.Hour).Zone()
				utc = t.Add(-time.Duration(after) * time.Second)
			}
			return int64(value.FromTime(utc))
		}),
	)
}

// zone gives a time zone by its IANA name or one of the names that Windows has for the common ones.
func zone(name string) *time.Location {
	switch strings.ToLower(name) {
	case "", "local":
		return nil
	case "utc", "gmt":
		return time.UTC
	case "pacific standard time", "us/pacific":
		name = "America/Los_Angeles"
	case "eastern standard time", "us/eastern":
		name = "America/New_York"
	case "central standard time", "us/central":
		name = "America/Chicago"
	case "w. europe standard time":
		name = "Europe/Berlin"
	case "romance standard time":
		name = "Europe/Paris"
	case "gmt standard time":
		name = "Europe/London"
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return loc
}

func addPart(part string, n int64, t value.Ticks) any {
	if n > 1<<40 || n < -(1<<40) {
		return nil
	}
	months := int64(0)
	switch strings.ToLower(part) {
	case "year":
		months = 12 * n
	case "quarter":
		months = 3 * n
	case "month":
		months = n
	default:
		size := partSize(part)
		if size < 0 {
			return nil
		}
		var r value.Ticks
		if size == 0 { // nanosecond
			r = t + value.Ticks(n/100)
		} else {
			r = t + value.Ticks(n*int64(size))
		}
		if !r.Valid() || n*int64(max(size, 1))/int64(max(size, 1)) != n {
			return nil
		}
		return int64(r)
	}
	if months > 120000 || months < -120000 {
		return nil
	}
	u := t.Time()
	// The day is cut to the length of the month, as .NET does.
	first := time.Date(u.Year(), u.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	day := min(u.Day(), last)
	r := value.FromTime(time.Date(first.Year(), first.Month(), day, 0, 0, 0, 0, time.UTC)) + t%value.Ticks(value.Day)
	if !r.Valid() {
		return nil
	}
	return int64(r)
}

// partSize gives the length of a part in ticks, 0 for a nanosecond, -1 if it is none of fixed length.
func partSize(part string) value.Span {
	switch strings.ToLower(part) {
	case "week":
		return 7 * value.Day
	case "day":
		return value.Day
	case "hour":
		return value.Hour
	case "minute":
		return value.Minute
	case "second":
		return value.Second
	case "millisecond":
		return value.Millisecond
	case "microsecond":
		return value.Microsecond
	case "nanosecond":
		return 0
	}
	return -1
}

func diffPart(part string, a, b value.Ticks) any {
	x, y := a.Time(), b.Time()
	switch strings.ToLower(part) {
	case "year":
		return int64(x.Year() - y.Year())
	case "quarter":
		return int64((x.Year()*4 + (int(x.Month())-1)/3) - (y.Year()*4 + (int(y.Month())-1)/3))
	case "month":
		return int64((x.Year()*12 + int(x.Month())) - (y.Year()*12 + int(y.Month())))
	case "week":
		// Weeks begin on Sunday; 0001-01-01 was a Monday.
		week := func(t value.Ticks) int64 { return (int64(t)/int64(value.Day) + 1) / 7 }
		return week(a) - week(b)
	case "nanosecond":
		return int64(a-b) * 100
	}
	size := partSize(part)
	if size <= 0 {
		return nil
	}
	return int64(a)/int64(size) - int64(b)/int64(size)
}

func datePart(part string, t value.Ticks) any {
	u := t.Time()
	n := int64(t)
	switch strings.ToLower(part) {
	case "year":
		return int64(u.Year())
	case "quarter":
		return int64((int(u.Month())-1)/3 + 1)
	case "month":
		return int64(u.Month())
	case "week_of_year", "weekofyear", "week":
		_, w := u.ISOWeek()
		return int64(w)
	case "day":
		return int64(u.Day())
	case "dayofyear":
		return int64(u.YearDay())
	case "hour":
		return int64(u.Hour())
	case "minute":
		return int64(u.Minute())
	case "second":
		return int64(u.Second())
	case "millisecond":
		return n % int64(value.Second) / 10_000
	case "microsecond":
		return n % int64(value.Second) / 10
	case "nanosecond":
		return n % int64(value.Second) * 100
	}
	return nil
}

// runLength gives how often the first byte of s comes at its start.
func runLength(s string) int {
	n := 1
	for n < len(s) && s[n] == s[0] {
		n++
	}
	return n
}

func pad(n int64, width int) string {
	s := strconv.FormatInt(n, 10)
	for len(s) < width {
		s = "0" + s
	}
	return s
}

// formatRun gives how many letters at the start of a format belong together: dddd is dd twice.
func formatRun(s string) int {
	most := 2
	switch s[0] {
	case 'f', 'F':
		most = 7
	case 'y':
		most = 4
	}
	return min(runLength(s), most)
}

// FormatDateTime writes a time in one of format_datetime's formats; a letter that it does not know
// stands for itself.
func FormatDateTime(t value.Ticks, format string) string {
	u := t.Time()
	frac := pad(int64(t)%int64(value.Second), 7)
	var b strings.Builder
	for s := format; s != ""; {
		n := formatRun(s)
		switch s[0] {
		case 'y':
			if n >= 3 {
				b.WriteString(pad(int64(u.Year()), 4))
			} else {
				b.WriteString(pad(int64(u.Year()%100), min(n, 2)))
			}
		case 'M':
			b.WriteString(pad(int64(u.Month()), min(n, 2)))
		case 'd':
			b.WriteString(pad(int64(u.Day()), min(n, 2)))
		case 'H':
			b.WriteString(pad(int64(u.Hour()), min(n, 2)))
		case 'h':
			b.WriteString(pad(int64((u.Hour()+11)%12+1), min(n, 2)))
		case 'm':
			b.WriteString(pad(int64(u.Minute()), min(n, 2)))
		case 's':
			b.WriteString(pad(int64(u.Second()), min(n, 2)))
		case 'f':
			b.WriteString(frac[:min(n, 7)])
		case 'F':
			b.WriteString(strings.TrimRight(frac[:min(n, 7)], "0"))
		case 't':
			if u.Hour() < 12 {
				b.WriteString("AM")
			} else {
				b.WriteString("PM")
			}
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// FormatTimeSpan writes a span in one of format_timespan's formats.
func FormatTimeSpan(v value.Span, format string) string {
	u := uint64(v)
	if v < 0 {
		u = -u
	}
	frac := pad(int64(u%uint64(value.Second)), 7)
	var b strings.Builder
	if v < 0 {
		b.WriteByte('-')
	}
	for s := format; s != ""; {
		n := runLength(s)
		switch s[0] {
		case 'd':
			b.WriteString(pad(int64(u/uint64(value.Day)), min(n, 8)))
		case 'h', 'H':
			b.WriteString(pad(int64(u/uint64(value.Hour)%24), min(n, 2)))
		case 'm':
			b.WriteString(pad(int64(u/uint64(value.Minute)%60), min(n, 2)))
		case 's':
			b.WriteString(pad(int64(u/uint64(value.Second)%60), min(n, 2)))
		case 'f':
			b.WriteString(frac[:min(n, 7)])
		case 'F':
			b.WriteString(strings.TrimRight(frac[:min(n, 7)], "0"))
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
