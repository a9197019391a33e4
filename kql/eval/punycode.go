package eval

import (
	"math"
	"strings"
	"unicode/utf8"
)

// punycodeFunctions are RFC 3492. Those for domains take each label by itself, after the prefix xn--, and
// change no letter.
func punycodeFunctions() []Function {
	labels := func(f func(string) (string, bool)) func(a []any) any {
		return func(a []any) any {
			parts := strings.FieldsFunc(str(a[0])+".", isDot)
			if strings.TrimFunc(str(a[0]), isDot) == "" {
				return ""
			}
			for i, p := range parts {
				var ok bool
				if parts[i], ok = f(p); !ok {
					return ""
				}
			}
			return strings.Join(parts, ".")
		}
	}
	return []Function{
		fn("punycode_from_string", types(tStr), tStr, func(a []any) any { s, _ := punycode(str(a[0])); return s }),
		fn("punycode_to_string", types(tStr), tStr, func(a []any) any { s, _ := unpunycode(str(a[0])); return s }),
		// The names of these two are Kusto's: to_string encodes, from_string decodes.
		fn("punycode_domain_to_string", types(tStr), tStr, labels(func(s string) (string, bool) {
			if plain(s) {
				return s, true
			}
			p, ok := punycode(s)
			return "xn--" + p, ok
		})),
		fn("punycode_domain_from_string", types(tStr), tStr, labels(func(s string) (string, bool) {
			if len(s) < 4 || !strings.EqualFold(s[:4], "xn--") {
				return s, true
			}
			return unpunycode(s[4:])
		})),
	}
}

// isDot says whether a character parts the labels of a domain (RFC 3490).
func isDot(r rune) bool { return r == '.' || r == '。' || r == '．' || r == '｡' }

func plain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// maxPunycode bounds a text, whose coding takes time by the square of its length.
const maxPunycode = 4096

func adaptBias(delta, n int, first bool) int {
	if first {
		delta /= 700
	} else {
		delta /= 2
	}
	delta += delta / n
	k := 0
	for delta > 455 {
		delta /= 35
		k += 36
	}
	return k + 36*delta/(delta+38)
}

func threshold(k, bias int) int { return min(max(k-bias, 1), 26) }

func punycode(s string) (string, bool) {
	r := []rune(s)
	if len(r) > maxPunycode {
		return "", false
	}
	var out []byte
	for _, c := range r {
		if c < utf8.RuneSelf {
			out = append(out, byte(c))
		}
	}
	done, basic := len(out), len(out)
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias := rune(utf8.RuneSelf), 0, 72
	for done < len(r) {
		next := rune(math.MaxInt32)
		for _, c := range r {
			if c >= n {
				next = min(next, c)
			}
		}
		delta += int(next-n) * (done + 1)
		n = next
		for _, c := range r {
			if c < n {
				delta++
			}
			if c != n {
				continue
			}
			q := delta
			for k := 36; ; k += 36 {
				t := threshold(k, bias)
				if q < t {
					break
				}
				out = append(out, digit36(t+(q-t)%(36-t)))
				q = (q - t) / (36 - t)
			}
			out = append(out, digit36(q))
			bias = adaptBias(delta, done+1, done == basic)
			delta = 0
			done++
		}
		delta++
		n++
	}
	return string(out), true
}

func digit36(d int) byte {
	if d < 26 {
		return byte('a' + d)
	}
	return byte('0' + d - 26)
}

func unpunycode(s string) (string, bool) {
	var out []rune
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		if !plain(s[:i]) {
			return "", false
		}
		out, s = []rune(s[:i]), s[i+1:]
	}
	if len(s) > maxPunycode {
		return "", false
	}
	n, i, bias := utf8.RuneSelf, 0, 72
	for len(s) > 0 {
		old, w := i, 1
		for k := 36; ; k += 36 {
			if len(s) == 0 {
				return "", false
			}
			d := 0
			switch c := s[0]; {
			case c >= '0' && c <= '9':
				d = int(c-'0') + 26
			case c|0x20 >= 'a' && c|0x20 <= 'z':
				d = int(c | 0x20 - 'a')
			default:
				return "", false
			}
			s = s[1:]
			i += d * w
			t := threshold(k, bias)
			if d < t {
				break
			}
			if w *= 36 - t; w > math.MaxInt32 || i > math.MaxInt32 {
				return "", false
			}
		}
		bias = adaptBias(i-old, len(out)+1, old == 0)
		n += i / (len(out) + 1)
		i %= len(out) + 1
		if n > utf8.MaxRune {
			return "", false
		}
		out = append(out[:i], append([]rune{rune(n)}, out[i:]...)...)
		i++
	}
	return string(out), true
}
