package syntax

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// StringText writes a string as a literal of a query, in double quotes and on one line.
func StringText(s string) string { return quote(s) }

// quote gives s as a KQL string literal in double quotes.
func quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0x85:
			b.WriteString(`\u` + hex4(uint16(r)))
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

func hex4(n uint16) string {
	s := strconv.FormatUint(uint64(n), 16)
	return strings.Repeat("0", 4-len(s)) + s
}

// unquote decodes a string literal as written. bad gives the offset and length of the first escape
// that KQL does not have; there, the character after the backslash is taken as it is.
func unquote(raw string) (value string, hidden bool, bad [2]int) {
	s, off := raw, 0
	if s != "" && (s[0] == 'h' || s[0] == 'H') {
		s, hidden, off = s[1:], true, 1
	}
	switch {
	case strings.HasPrefix(s, "```"), strings.HasPrefix(s, "~~~"):
		if len(s) >= 6 {
			return s[3 : len(s)-3], hidden, bad
		}
		return "", hidden, bad
	case strings.HasPrefix(s, "@"):
		if len(s) < 3 {
			return "", hidden, bad
		}
		q := s[1:2]
		return strings.ReplaceAll(s[2:len(s)-1], q+q, q), hidden, bad
	}
	if len(s) < 2 {
		return "", hidden, bad
	}
	body := s[1 : len(s)-1]
	if strings.IndexByte(body, '\\') < 0 {
		return body, hidden, bad
	}
	off++
	var b strings.Builder
	b.Grow(len(body))
	for i := 0; i < len(body); {
		if body[i] != '\\' {
			b.WriteByte(body[i])
			i++
			continue
		}
		r, n, ok := escape(body[i:])
		if !ok && bad[1] == 0 {
			bad = [2]int{off + i, n}
		}
		b.WriteRune(r)
		i += n
	}
	return b.String(), hidden, bad
}

// escape decodes the escape sequence that s begins with: the character, the length of the sequence,
// and whether KQL has it.
func escape(s string) (r rune, n int, ok bool) {
	if len(s) < 2 {
		return '\\', 1, false
	}
	switch c := s[1]; c {
	case '"', '\'', '\\':
		return rune(c), 2, true
	case 'a':
		return '\a', 2, true
	case 'b':
		return '\b', 2, true
	case 'f':
		return '\f', 2, true
	case 'n':
		return '\n', 2, true
	case 'r':
		return '\r', 2, true
	case 't':
		return '\t', 2, true
	case 'v':
		return '\v', 2, true
	case 'u':
		v, ok := hexDigits(s, 2, 4)
		if !ok {
			return 'u', 2, false
		}
		if utf16.IsSurrogate(rune(v)) && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			if w, ok := hexDigits(s, 8, 4); ok {
				if r := utf16.DecodeRune(rune(v), rune(w)); r != utf8.RuneError {
					return r, 12, true
				}
			}
		}
		return rune(v), 6, true
	case 'U':
		v, ok := hexDigits(s, 2, 8)
		if !ok {
			return 'U', 2, false
		}
		return rune(v), 10, true
	case 'x':
		v, ok := hexDigits(s, 2, 2)
		if !ok {
			return 'x', 2, false
		}
		return rune(v), 4, true
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n, v := 1, 0
		for n < len(s) && n <= 3 && '0' <= s[n] && s[n] <= '7' && v*8+int(s[n]-'0') <= 0o377 {
			v = v*8 + int(s[n]-'0')
			n++
		}
		return rune(v), n, true
	}
	r, size := utf8.DecodeRuneInString(s[1:])
	return r, 1 + size, false
}

func hexDigits(s string, from, n int) (uint32, bool) {
	if len(s) < from+n {
		return 0, false
	}
	for i := from; i < from+n; i++ {
		if !isHex(s[i]) {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(s[from:from+n], 16, 32)
	return uint32(v), err == nil && v <= utf8.MaxRune
}
