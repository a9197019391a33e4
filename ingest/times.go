package ingest

import (
	"strings"

	"glassward/kql/value"
)

// ParseTime reads a time in any of the forms in which Entra, Azure, their
// exports and shippers write one:
//
//	2007-01-09T09:41:00.6816663Z          0 to 9 digits of fraction, more are cut
//	2007-01-09 09:41:00.22+02:00          a space for the T; offsets +02:00, +0200, +02
//	2007-01-09T09:41:00                   no zone is UTC; so is a final " UTC" or "GMT"
//	1/9/2007 9:41:00 AM [+01:00]          month first, 12-hour clock
//	1/9/2007, 9:41:00.123 AM              as the portal's CSV has it
//	01/09/2007 09:41[:00]                 month first, 24-hour clock
//
// The result is UTC in ticks of 100 ns. It reports false for anything else and
// for times outside the years 1 to 9999.
func ParseTime(s string) (value.Ticks, bool) {
	if len(s) >= 19 && s[4] == '-' {
		return parseISO(s)
	}
	s = strings.TrimSpace(s)
	if len(s) >= 10 && s[4] == '-' {
		return parseISO(s)
	}
	return parseUS(s)
}

// two reads two digits at i.
func two(s string, i int) (int, bool) {
	if i+2 > len(s) {
		return 0, false
	}
	a, b := s[i]-'0', s[i+1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

func parseISO(s string) (value.Ticks, bool) {
	century, ok1 := two(s, 0)
	year, ok2 := two(s, 2)
	month, ok3 := two(s, 5)
	day, ok4 := two(s, 8)
	if !ok1 || !ok2 || !ok3 || !ok4 || s[7] != '-' {
		return 0, false
	}
	year += century * 100
	if len(s) == 10 {
		return ticks(year, month, day, 0, 0, 0, 0, 0)
	}
	if s[10] != 'T' && s[10] != ' ' && s[10] != 't' {
		return 0, false
	}
	hour, minute, second, frac, rest, ok := clock(s[11:])
	if !ok {
		return 0, false
	}
	offset, ok := zone(rest)
	if !ok {
		return 0, false
	}
	return ticks(year, month, day, hour, minute, second, frac, offset)
}

func parseUS(s string) (value.Ticks, bool) {
	month, s, ok := number(s, 2)
	if !ok || s == "" || s[0] != '/' {
		return 0, false
	}
	day, s, ok := number(s[1:], 2)
	if !ok || s == "" || s[0] != '/' {
		return 0, false
	}
	before := len(s)
	year, s, ok := number(s[1:], 4)
	if !ok || before-len(s) != 5 {
		return 0, false
	}
	s = strings.TrimPrefix(s, ",")
	if s == "" {
		return ticks(year, month, day, 0, 0, 0, 0, 0)
	}
	if s[0] != ' ' {
		return 0, false
	}
	s = strings.TrimLeft(s, " \u202f\u00a0")
	hour, minute, second, frac, rest, ok := clock(s)
	if !ok {
		return 0, false
	}
	// .NET and browsers put a space, a no-break space or a narrow one before AM.
	rest = strings.TrimLeft(rest, " \u202f\u00a0")
	if len(rest) >= 2 && (rest[1] == 'M' || rest[1] == 'm') {
		switch {
		case hour < 1 || hour > 12:
			return 0, false
		case rest[0] == 'A' || rest[0] == 'a':
			hour %= 12
		case rest[0] == 'P' || rest[0] == 'p':
			hour = hour%12 + 12
		default:
			return 0, false
		}
		rest = rest[2:]
	}
	offset, ok := zone(rest)
	if !ok {
		return 0, false
	}
	return ticks(year, month, day, hour, minute, second, frac, offset)
}

// number reads 1 to limit digits.
func number(s string, limit int) (n int, rest string, ok bool) {
	i := 0
	for i < len(s) && i < limit && '0' <= s[i] && s[i] <= '9' {
		n = n*10 + int(s[i]-'0')
		i++
	}
	return n, s[i:], i > 0
}

// clock reads h:mm[:ss[.fraction]] and gives the fraction in ticks.
func clock(s string) (hour, minute, second, frac int, rest string, ok bool) {
	hour, s, ok = number(s, 2)
	if !ok || s == "" || s[0] != ':' {
		return 0, 0, 0, 0, "", false
	}
	if minute, ok = two(s, 1); !ok {
		return 0, 0, 0, 0, "", false
	}
	s = s[3:]
	if s == "" || s[0] != ':' {
		return hour, minute, 0, 0, s, true
	}
	if second, ok = two(s, 1); !ok {
		return 0, 0, 0, 0, "", false
	}
	s = s[3:]
	if s == "" || s[0] != '.' && s[0] != ',' {
		return hour, minute, second, 0, s, true
	}
	i, unit := 1, 1_000_000
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		frac += int(s[i]-'0') * unit
		unit /= 10
		i++
	}
	return hour, minute, second, frac, s[i:], i > 1
}

// zone reads what follows a clock and gives the offset from UTC in minutes.
func zone(s string) (minutes int, ok bool) {
	if s == "" || s == "Z" {
		return 0, true
	}
	s = strings.TrimSpace(s)
	switch s {
	case "", "Z", "z", "UTC", "GMT":
		return 0, true
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hour, ok := two(s, 1)
	if !ok {
		return 0, false
	}
	switch {
	case len(s) == 3:
	case len(s) == 5:
		minutes, ok = two(s, 3)
	case len(s) == 6 && s[3] == ':':
		minutes, ok = two(s, 4)
	default:
		return 0, false
	}
	if !ok || hour > 14 || minutes > 59 {
		return 0, false
	}
	minutes += hour * 60
	if s[0] == '-' {
		minutes = -minutes
	}
	return minutes, true
}

// daysBefore holds the days of a common year before each month.
var daysBefore = [...]int{0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365}

func ticks(year, month, day, hour, minute, second, frac, offset int) (value.Ticks, bool) {
	if year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	if second == 60 {
		// A leap second is the last representable moment of its minute.
		second, frac = 59, 9_999_999
	}
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
	length := daysBefore[month+1] - daysBefore[month]
	days := daysBefore[month]
	if leap && month == 2 {
		length++
	}
	if leap && month > 2 {
		days++
	}
	if day > length {
		return 0, false
	}
	y := year - 1
	days += y*365 + y/4 - y/100 + y/400 + day - 1
	t := (int64(days)*86400+int64(hour)*3600+int64(minute-offset)*60+int64(second))*10_000_000 + int64(frac)
	return value.Ticks(t), t >= int64(value.MinTicks) && t <= int64(value.MaxTicks)
}
