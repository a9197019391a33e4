package value

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Ticks is a datetime: 100-nanosecond intervals since 0001-01-01T00:00:00Z. The range of Kusto is
// MinTicks to MaxTicks.
type Ticks int64

// Span is a timespan in 100-nanosecond intervals; it may be negative.
type Span int64

// The lengths of Kusto's units of time, in ticks.
const (
	Microsecond Span = 10
	Millisecond Span = 10_000
	Second      Span = 10_000_000
	Minute           = 60 * Second
	Hour             = 60 * Minute
	Day              = 24 * Hour
)

// MinTicks and MaxTicks bound a datetime: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.9999999Z.
const (
	MinTicks Ticks = 0
	MaxTicks Ticks = 3155378975999999999
)

// unixTicks is 1970-01-01T00:00:00Z in ticks.
const unixTicks = 621355968000000000

// FromTime returns the tick that holds t; what is finer than 100 ns is cut off.
func FromTime(t time.Time) Ticks {
	return Ticks(unixTicks + t.Unix()*int64(Second) + int64(t.Nanosecond())/100)
}

// Time returns the instant in UTC.
func (t Ticks) Time() time.Time {
	n := int64(t) - unixTicks
	s, r := n/int64(Second), n%int64(Second)
	if r < 0 {
		s, r = s-1, r+int64(Second)
	}
	return time.Unix(s, r*100).UTC()
}

// Valid says whether t lies in Kusto's range of a datetime.
func (t Ticks) Valid() bool { return t >= MinTicks && t <= MaxTicks }

// String returns the round-trip form that Kusto prints: 2020-01-01T00:00:00.0000000Z.
func (t Ticks) String() string {
	return t.Time().Format("2006-01-02T15:04:05.0000000Z")
}

// Date returns the tick of a calendar day's start, and false outside the years 1 to 9999 or for a
// day that the month does not have.
func Date(year, month, day int) (Ticks, bool) {
	return DateClock(year, month, day, 0, 0, 0, 0)
}

// DateClock returns the tick of a time on a calendar day; frac is in ticks. It reports false for
// fields outside their ranges.
func DateClock(year, month, day, hour, minute, second int, frac int64) (Ticks, bool) {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return 0, false
	}
	t := FromTime(time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)) + Ticks(frac)
	return t, t.Valid()
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// String returns .NET's constant form: [-][d.]hh:mm:ss[.fffffff].
func (s Span) String() string {
	var b strings.Builder
	u := uint64(s)
	if s < 0 {
		b.WriteByte('-')
		u = -u
	}
	d := u / uint64(Day)
	u %= uint64(Day)
	if d > 0 {
		b.WriteString(strconv.FormatUint(d, 10))
		b.WriteByte('.')
	}
	two := func(n uint64) {
		b.WriteByte(byte('0' + n/10))
		b.WriteByte(byte('0' + n%10))
	}
	two(u / uint64(Hour))
	b.WriteByte(':')
	two(u / uint64(Minute) % 60)
	b.WriteByte(':')
	two(u / uint64(Second) % 60)
	if f := u % uint64(Second); f > 0 {
		b.WriteByte('.')
		t := strconv.FormatUint(f, 10)
		b.WriteString("0000000"[len(t):])
		b.WriteString(t)
	}
	return b.String()
}

// ParseTimeSpan reads a timespan in any of Kusto's forms: a number with a unit (1d, 2.5h, 100ms,
// 10microseconds, 1tick), .NET's constant form ([-][d.]hh:mm[:ss[.fffffff]]), or a whole number of
// days. It reports false for anything else and for values that 64 bits of ticks cannot hold.
func ParseTimeSpan(text string) (Span, bool) {
	s := strings.TrimSpace(text)
	if s == "" {
		return 0, false
	}
	neg := false
	switch s[0] {
	case '-':
		neg, s = true, s[1:]
	case '+':
		s = s[1:]
	}
	if strings.IndexByte(s, ':') >= 0 {
		return parseClock(s, neg)
	}
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	// An exponent belongs to the number: 1e2s.
	if i > 0 && i+1 < len(s) && (s[i] == 'e' || s[i] == 'E') && (isDigit(s[i+1]) || i+2 < len(s) && (s[i+1] == '-' || s[i+1] == '+') && isDigit(s[i+2])) {
		i += 2
		for i < len(s) && isDigit(s[i]) {
			i++
		}
	}
	if i == 0 {
		return 0, false
	}
	number, unit := s[:i], strings.TrimSpace(s[i:])
	if unit == "" {
		d, err := strconv.ParseInt(number, 10, 64)
		if err != nil || d > math.MaxInt64/int64(Day) {
			return 0, false
		}
		return sign(Span(d)*Day, neg), true
	}
	switch strings.ToLower(unit) {
	case "nano", "nanos", "nanosec", "nanosecond", "nanoseconds":
		// Shorter than what a timespan counts in: rounded to whole ticks.
		f, err := strconv.ParseFloat(number, 64)
		if f = math.Round(f / 100); err != nil || f >= math.MaxInt64 {
			return 0, false
		}
		return sign(Span(f), neg), true
	}
	size, ok := UnitOf(unit)
	if !ok {
		return 0, false
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n > math.MaxInt64/max(int64(size), 1) {
			return 0, false
		}
		return sign(Span(n)*size, neg), true
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, false
	}
	f = math.Round(f * float64(size))
	if f >= math.MaxInt64 {
		return 0, false
	}
	return sign(Span(f), neg), true
}

func sign(s Span, neg bool) Span {
	if neg {
		return -s
	}
	return s
}

// UnitOf returns the length of a unit of time in a timespan literal, such as d, hours, ms or tick.
func UnitOf(unit string) (Span, bool) {
	switch strings.ToLower(unit) {
	case "d", "day", "days":
		return Day, true
	case "h", "hr", "hrs", "hour", "hours":
		return Hour, true
	case "m", "min", "minute", "minutes":
		return Minute, true
	case "s", "sec", "second", "seconds":
		return Second, true
	case "ms", "milli", "millis", "millisec", "millisecond", "milliseconds":
		return Millisecond, true
	case "us", "micro", "micros", "microsec", "microsecond", "microseconds":
		return Microsecond, true
	case "tick", "ticks":
		return 1, true
	}
	return 0, false
}

// parseClock reads [d.]hh:mm[:ss[.fffffff]] without its sign.
func parseClock(s string, neg bool) (Span, bool) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 4 {
		return 0, false
	}
	var days int64
	hourText := parts[0]
	if len(parts) == 4 { // d:hh:mm:ss
		d, err := strconv.ParseInt(parts[0], 10, 32)
		if err != nil || d < 0 {
			return 0, false
		}
		days, hourText, parts = d, parts[1], parts[1:]
	} else if dot := strings.IndexByte(hourText, '.'); dot >= 0 {
		d, err := strconv.ParseInt(hourText[:dot], 10, 32)
		if err != nil || d < 0 {
			return 0, false
		}
		days, hourText = d, hourText[dot+1:]
	}
	h, err1 := strconv.ParseUint(hourText, 10, 16)
	m, err2 := strconv.ParseUint(parts[1], 10, 16)
	if err1 != nil || err2 != nil || h > 23 || m > 59 {
		return 0, false
	}
	var sec uint64
	var frac int64
	if len(parts) == 3 {
		text := parts[2]
		if dot := strings.IndexByte(text, '.'); dot >= 0 {
			f, ok := fraction(text[dot+1:])
			if !ok {
				return 0, false
			}
			frac, text = f, text[:dot]
		}
		var err error
		if sec, err = strconv.ParseUint(text, 10, 16); err != nil || sec > 59 {
			return 0, false
		}
	}
	clock := h*uint64(Hour) + m*uint64(Minute) + sec*uint64(Second) + uint64(frac)
	most := uint64(math.MaxInt64) // the longest before zero is a tick longer than the longest after it
	if neg {
		most++
	}
	if uint64(days) > most/uint64(Day) || uint64(days)*uint64(Day) > most-clock {
		return 0, false
	}
	return sign(Span(uint64(days)*uint64(Day)+clock), neg), true
}

// fraction reads the digits behind a second's point as ticks; digits behind the seventh are cut off.
func fraction(digits string) (int64, bool) {
	if digits == "" {
		return 0, false
	}
	var n int64
	for i := 0; i < 7; i++ {
		n *= 10
		if i < len(digits) {
			if !isDigit(digits[i]) {
				return 0, false
			}
			n += int64(digits[i] - '0')
		}
	}
	for i := 7; i < len(digits); i++ {
		if !isDigit(digits[i]) {
			return 0, false
		}
	}
	return n, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// ParseDateTime reads a datetime in the forms that Kusto takes: ISO 8601 with any precision and
// offset, the RFC 822 and RFC 850 forms, and month/day/year with a clock of 12 or 24 hours. A time
// without an offset is UTC. It reports false for anything else.
func ParseDateTime(text string) (Ticks, bool) {
	s := strings.TrimSpace(text)
	if t, ok := parseISO(s); ok {
		return t, true
	}
	if t, ok := parseUS(s); ok {
		return t, true
	}
	for _, layout := range [...]string{
		"Mon, 2 Jan 06 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 MST", "Mon, 2 Jan 06 15:04:05", "Mon, 2 Jan 06 15:04", "2 Jan 06 15:04:05", "2 Jan 06 15:04",
		"Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05", "2 Jan 2006 15:04:05", "2 Jan 2006 15:04", "2 Jan 2006",
		"2 Jan 06 15:04:05 MST", "Mon, 2 Jan 06 15:04 MST", "2 Jan 06 15:04 MST",
		"Monday, 02-Jan-06 15:04:05 MST", "Monday, 02-Jan-06 15:04 MST", "Monday, 02-Jan-06 15:04:05", "Monday, 02-Jan-06 15:04",
		"02-Jan-06 15:04:05 MST", "02-Jan-06 15:04 MST", "02-Jan-06 15:04:05", "02-Jan-06 15:04",
		"Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05 MST 2006", "Jan 2, 2006", "January 2, 2006", "Jan 2 2006", "January 2 2006",
		"Jan 2, 2006 15:04:05", "Jan 2, 2006 3:04:05 PM", "January 2, 2006 3:04:05 PM", "2 January 2006", "2 January 2006 15:04:05",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			k := FromTime(t.UTC())
			return k, k.Valid()
		}
	}
	return 0, false
}

// cursor reads fields of digits from a text.
type cursor struct {
	s string
	i int
}

func (c *cursor) digits(least, most int) (int, bool) {
	start, n := c.i, 0
	for c.i < len(c.s) && c.i-start < most && isDigit(c.s[c.i]) {
		n = n*10 + int(c.s[c.i]-'0')
		c.i++
	}
	return n, c.i-start >= least
}

func (c *cursor) take(set string) bool {
	if c.i < len(c.s) && strings.IndexByte(set, c.s[c.i]) >= 0 {
		c.i++
		return true
	}
	return false
}

func (c *cursor) done() bool { return c.i == len(c.s) }

func parseISO(s string) (Ticks, bool) {
	c := &cursor{s: s}
	year, ok := c.digits(4, 4)
	if !ok {
		return 0, false
	}
	month, day := 1, 1
	if c.done() {
		return Date(year, 1, 1)
	}
	sep := c.s[c.i]
	if isDigit(sep) { // 20140525
		if month, ok = c.digits(2, 2); !ok {
			return 0, false
		}
		if day, ok = c.digits(2, 2); !ok {
			return 0, false
		}
	} else {
		if !c.take("-/") {
			return 0, false
		}
		if month, ok = c.digits(1, 2); !ok {
			return 0, false
		}
		if c.done() {
			return Date(year, month, 1)
		}
		if !c.take(string(sep)) {
			return 0, false
		}
		if day, ok = c.digits(1, 2); !ok {
			return 0, false
		}
	}
	return c.clock(year, month, day)
}

// clock reads what follows a date: nothing, or a separator, a time of day and an offset.
func (c *cursor) clock(year, month, day int) (Ticks, bool) {
	if c.done() {
		return Date(year, month, day)
	}
	if c.take("Z") && c.done() {
		return Date(year, month, day)
	}
	if !c.take("Tt ") && !c.take(",") {
		return 0, false
	}
	for c.take(" ") {
	}
	hour, ok := c.digits(1, 2)
	if !ok {
		return 0, false
	}
	var minute, second int
	var frac int64
	if c.take(":") {
		if minute, ok = c.digits(1, 2); !ok {
			return 0, false
		}
		if c.take(":") {
			if second, ok = c.digits(1, 2); !ok {
				return 0, false
			}
			if c.take(".,") {
				start := c.i
				for !c.done() && isDigit(c.s[c.i]) {
					c.i++
				}
				if frac, ok = fraction(c.s[start:c.i]); !ok {
					return 0, false
				}
			}
		}
	}
	rest := strings.TrimSpace(c.s[c.i:])
	if len(rest) >= 2 && (strings.EqualFold(rest[:2], "PM") || strings.EqualFold(rest[:2], "AM")) {
		if hour < 1 || hour > 12 {
			return 0, false
		}
		hour %= 12
		if rest[0] == 'P' || rest[0] == 'p' {
			hour += 12
		}
		rest = strings.TrimSpace(rest[2:])
	}
	if hour == 24 && minute == 0 && second == 0 && frac == 0 {
		t, ok := Date(year, month, day)
		return t + Ticks(Day), ok && (t + Ticks(Day)).Valid()
	}
	t, ok := DateClock(year, month, day, hour, minute, second, frac)
	if !ok {
		return 0, false
	}
	switch rest {
	case "", "Z", "z", "UTC", "GMT":
		return t, true
	}
	if rest[0] != '+' && rest[0] != '-' {
		return 0, false
	}
	o := &cursor{s: rest, i: 1}
	oh, ok := o.digits(1, 2)
	if !ok {
		return 0, false
	}
	o.take(":")
	om := 0
	if !o.done() {
		if om, ok = o.digits(2, 2); !ok {
			return 0, false
		}
	}
	if !o.done() || oh > 14 || om > 59 {
		return 0, false
	}
	off := Ticks(Span(oh)*Hour + Span(om)*Minute)
	if rest[0] == '-' {
		off = -off
	}
	t -= off
	return t, t.Valid()
}

// parseUS reads month/day/year (or month-day-year) with an optional clock.
func parseUS(s string) (Ticks, bool) {
	c := &cursor{s: s}
	month, ok := c.digits(1, 2)
	if !ok || c.done() {
		return 0, false
	}
	sep := c.s[c.i]
	if !c.take("/-") {
		return 0, false
	}
	day, ok := c.digits(1, 2)
	if !ok || !c.take(string(sep)) {
		return 0, false
	}
	year, ok := c.digits(4, 4)
	if !ok {
		return 0, false
	}
	return c.clock(year, month, day)
}
