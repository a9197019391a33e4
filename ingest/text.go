package ingest

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The normal form of JSON text in a record's cells: no white space outside
// strings; strings hold every character as itself except the quote, the
// backslash and control characters, which are escaped in their shortest form;
// the order of keys is kept; of a key that comes twice in an object the first
// place and the last value are kept. So a text that occurs in a value occurs in
// the cell, and filters by substring are sound.

// An arena gives strings that are built piece by piece. Its memory is never used
// twice.
type arena struct {
	buf []byte
}

const arenaBlock = 64 << 10

// open gives an empty slice with room for n bytes to append to.
func (a *arena) open(n int) []byte {
	if cap(a.buf)-len(a.buf) < n {
		a.buf = make([]byte, 0, max(arenaBlock, n))
	}
	return a.buf[len(a.buf):]
}

// keep makes what was appended to an opened slice a string.
func (a *arena) keep(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if room := a.buf[len(a.buf):cap(a.buf)]; len(b) <= len(room) && &room[0] == &b[0] {
		a.buf = a.buf[:len(a.buf)+len(b)]
	}
	return str(b)
}

// decodeString gives the text of a JSON string's inside. damaged says that
// something in it was replaced by U+FFFD.
func (a *arena) decodeString(s string, f flags) (text string, damaged bool) {
	if f&(fEscape|fControl) == 0 && (f&fHigh == 0 || utf8.ValidString(s)) {
		return s, false
	}
	b := a.open(len(s) + 3*strings.Count(s, "\\") + utf8.UTFMax)
	b, damaged = appendDecoded(b, s)
	return a.keep(b), damaged
}

// appendDecoded appends the text of a JSON string's inside.
func appendDecoded(b []byte, s string) (_ []byte, damaged bool) {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			r, n, ok := escape(s[i:])
			b = utf8.AppendRune(b, r)
			damaged = damaged || !ok
			i += n
		case c == 0:
			b = append(b, "\ufffd"...)
			damaged = true
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				damaged = true
			}
			b = utf8.AppendRune(b, r)
			i += n
		}
	}
	return b, damaged
}

// escape reads the escape at the beginning of s and gives its character and
// length. A NUL and half a surrogate pair give U+FFFD and false.
func escape(s string) (r rune, n int, ok bool) {
	switch s[1] {
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
	case 'u':
		r, ok := hex4(s[2:])
		switch {
		case !ok:
			return 'u', 2, false
		case r == 0:
			return utf8.RuneError, 6, false
		case 0xd800 <= r && r < 0xdc00:
			if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
				if l, ok := hex4(s[8:]); ok && 0xdc00 <= l && l < 0xe000 {
					return (r-0xd800)<<10 | (l - 0xdc00) + 0x10000, 12, true
				}
			}
			return utf8.RuneError, 6, false
		case 0xdc00 <= r && r < 0xe000:
			return utf8.RuneError, 6, false
		}
		return r, 6, true
	default:
		return rune(s[1]), 2, true
	}
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// normalize gives the normal form of a valid JSON value.
func (a *arena) normalize(s string, f flags) (text string, damaged bool) {
	if f&(fOddEscape|fSpace|fControl|fNestedDup) == 0 && (f&fHigh == 0 || utf8.ValidString(s)) {
		return s, false
	}
	n := normalizer{b: a.open(len(s) + len(s)/2)}
	n.value(s, 0, f&fNestedDup != 0)
	return a.keep(n.b), n.damaged
}

type normalizer struct {
	b       []byte
	damaged bool
}

// value appends the normal form of the value at i and gives the position after it.
func (n *normalizer) value(s string, i int, dups bool) int {
	switch s[i] {
	case '"':
		end := stringEnd(s, i)
		n.str(s[i+1 : end-1])
		return end
	case '{':
		end := valueEnd(s, i)
		skip := map[int]bool(nil)
		if dups {
			skip = shadowed(s[i:end])
		}
		replaced := lastValues(s[i:end], skip)
		n.b = append(n.b, '{')
		first := true
		eachMember(s[i:end], func(at int, key, value string) {
			if skip[at] {
				return
			}
			if !first {
				n.b = append(n.b, ',')
			}
			first = false
			n.str(key)
			n.b = append(n.b, ':')
			if v, ok := replaced[at]; ok {
				value = v
			}
			n.value(value, 0, dups)
		})
		n.b = append(n.b, '}')
		return end
	case '[':
		end := valueEnd(s, i)
		n.b = append(n.b, '[')
		first := true
		eachElement(s[i:end], func(value string) {
			if !first {
				n.b = append(n.b, ',')
			}
			first = false
			n.value(value, 0, dups)
		})
		n.b = append(n.b, ']')
		return end
	}
	end := valueEnd(s, i)
	n.b = append(n.b, s[i:end]...)
	return end
}

// str appends a JSON string's inside in normal form, with quotes.
func (n *normalizer) str(s string) {
	n.b = append(n.b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			r, size, ok := escape(s[i:])
			n.b = appendEscaped(n.b, r)
			n.damaged = n.damaged || !ok
			i += size
		case c == 0:
			n.b = append(n.b, "\ufffd"...)
			n.damaged = true
			i++
		case c < utf8.RuneSelf:
			n.b = appendEscaped(n.b, rune(c))
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				n.damaged = true
			}
			n.b = utf8.AppendRune(n.b, r)
			i += size
		}
	}
	n.b = append(n.b, '"')
}

const lowerHex = "0123456789abcdef"

func appendEscaped(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	if r < 0x20 {
		return append(b, '\\', 'u', '0', '0', lowerHex[r>>4], lowerHex[r&15])
	}
	return utf8.AppendRune(b, r)
}

// appendQuoted appends a text as a JSON string in normal form. The text must be
// valid UTF-8 without NUL, as decoded texts are.
func appendQuoted(b []byte, text string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 0x20 || c == '"' || c == '\\' {
			b = append(b, text[start:i]...)
			b = appendEscaped(b, rune(c))
			start = i + 1
		}
	}
	b = append(b, text[start:]...)
	return append(b, '"')
}

// cleanText makes a text that is no JSON valid: what is not UTF-8, and NUL, is
// replaced by U+FFFD.
func cleanText(s string) (text string, damaged bool) {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s, false
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd"), true
}

// hasDuplicate reports whether an object, given as valid JSON, has a key twice
// at its own level.
func hasDuplicate(obj string) bool {
	return len(shadowed(obj)) > 0
}

// shadowed gives the positions of the members of an object whose key came
// before.
func shadowed(obj string) map[int]bool {
	var out map[int]bool
	seen := make(map[string]bool)
	eachMember(obj, func(at int, key, _ string) {
		key = plainKey(key)
		if seen[key] {
			if out == nil {
				out = make(map[int]bool)
			}
			out[at] = true
		}
		seen[key] = true
	})
	return out
}

// lastValues gives, for the first member of each key that comes again, the last
// value of the key.
func lastValues(obj string, shadowed map[int]bool) map[int]string {
	if len(shadowed) == 0 {
		return nil
	}
	first := make(map[string]int)
	out := make(map[int]string)
	eachMember(obj, func(at int, key, value string) {
		key = plainKey(key)
		if shadowed[at] {
			out[first[key]] = value
		} else {
			first[key] = at
		}
	})
	return out
}

func plainKey(key string) string {
	if strings.IndexByte(key, '\\') < 0 {
		return key
	}
	b, _ := appendDecoded(nil, key)
	return string(b)
}

// The functions below walk over JSON that the scanner has found valid.

// eachMember calls f with position, key (inside of its quotes) and value of each
// member of an object.
func eachMember(obj string, f func(at int, key, value string)) {
	for i := skipSpace(obj, 1); obj[i] == '"'; {
		keyEnd := stringEnd(obj, i)
		v := skipSpace(obj, skipSpace(obj, keyEnd)+1)
		end := valueEnd(obj, v)
		f(i, obj[i+1:keyEnd-1], obj[v:end])
		if i = skipSpace(obj, end); obj[i] != ',' {
			return
		}
		i = skipSpace(obj, i+1)
	}
}

// eachElement calls f with each element of an array.
func eachElement(arr string, f func(value string)) {
	for i := skipSpace(arr, 1); arr[i] != ']'; {
		end := valueEnd(arr, i)
		f(arr[i:end])
		if i = skipSpace(arr, end); arr[i] != ',' {
			return
		}
		i = skipSpace(arr, i+1)
	}
}

// member gives the last value of a key of an object, whatever the key's case.
func member(obj, key string) (string, bool) {
	if obj == "" || obj[0] != '{' {
		return "", false
	}
	out, ok := "", false
	eachMember(obj, func(_ int, k, value string) {
		if len(k) == len(key) && strings.EqualFold(k, key) || strings.IndexByte(k, '\\') >= 0 && strings.EqualFold(plainKey(k), key) {
			out, ok = value, true
		}
	})
	return out, ok
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

func stringEnd(s string, i int) int {
	for i++; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func valueEnd(s string, i int) int {
	switch s[i] {
	case '"':
		return stringEnd(s, i)
	case '{', '[':
		for depth := 0; ; {
			switch s[i] {
			case '"':
				i = stringEnd(s, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(s) && s[i] != ',' && s[i] != '}' && s[i] != ']' && s[i] > ' ' {
		i++
	}
	return i
}

// A texter reads JSON that stands inside texts.
type texter struct {
	arena
	inner scanner
}

// jsonText scans a text for one JSON object or array, with white space around
// it, and gives it in normal form; false if the text is anything else.
func (t *texter) jsonText(text string) (normal string, damaged, ok bool) {
	text = strings.Trim(text, " \t\r\n")
	if len(text) < 2 || text[0] != '{' && text[0] != '[' {
		return "", false, false
	}
	// The copy is what the cell will refer to.
	b := make([]byte, len(text)+slack)
	copy(b, text)
	t.inner.b, t.inner.end = b, len(text)
	end, f := t.inner.container(0)
	if end != len(text) {
		return "", false, false
	}
	normal, damaged = t.normalize(str(b[:end]), f)
	return normal, damaged, true
}

// integer reads a whole number written as JSON writes numbers: 12, 12.0, 1.2e1.
func integer(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	if !strings.ContainsAny(s, ".eE") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != float64(int64(f)) || f < -1<<53 || f > 1<<53 {
		return 0, false
	}
	return int64(f), true
}
