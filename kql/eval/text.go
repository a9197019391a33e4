package eval

import (
	"strings"
	"unicode/utf8"
)

func textFunctions() []Function {
	return []Function{
		fn("strcat_array", types(tDyn, tStr), tStr, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return ""
			}
			return strings.Join(strs(list), str(a[1]))
		}),
		// One letter gives one letter or itself, as ß does.
		fn("toupper", types(tStr), tStr, func(a []any) any { return strings.ToUpper(str(a[0])) }),
		nfn("strrep", types(tStr, tLong, tStr), tStr, func(a []any) any {
			n := min(max(long(a[1], 0), 0), 1024)
			if n == 0 {
				return ""
			}
			if int64(len(str(a[0]))+len(str(a[2])))*n > MaxText {
				n = max(MaxText/int64(len(str(a[0]))+len(str(a[2]))), 1)
			}
			return strings.TrimSuffix(strings.Repeat(str(a[0])+str(a[2]), int(n)), str(a[2]))
		}),
		nfn("substring", types(tStr, tLong, tLong), tStr, func(a []any) any {
			r := []rune(str(a[0]))
			n := int64(len(r))
			start := long(a[1], 0)
			if start < 0 {
				start = max(n+start, 0)
			}
			length := n
			if a[2] != nil {
				length = long(a[2], 0)
			}
			if start >= n || length <= 0 {
				return ""
			}
			return string(r[start:min(n, start+min(length, n))])
		}),
		nfn("indexof", types(tStr, tStr, tLong, tLong, tLong), tLong, func(a []any) any {
			return indexOf(str(a[0]), a[2], a[3], a[4], func(s string) (int, int) {
				return strings.Index(s, str(a[1])), len(str(a[1]))
			})
		}),
		fn("reverse", types(tStr), tStr, func(a []any) any {
			r := []rune(str(a[0]))
			for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
				r[i], r[j] = r[j], r[i]
			}
			return string(r)
		}),
		nfn("split", types(tStr, tStr, tLong), tDyn, func(a []any) any {
			var parts []string
			switch {
			case str(a[1]) == "":
				parts = []string{str(a[0])}
			default:
				parts = strings.Split(str(a[0]), str(a[1]))
			}
			if a[2] != nil {
				i := long(a[2], 0)
				if i < 0 {
					i += int64(len(parts))
				}
				if i < 0 || i >= int64(len(parts)) {
					return nil
				}
				parts = parts[i : i+1]
			}
			out := make([]any, len(parts))
			for i, p := range parts {
				out[i] = p
			}
			return js(out)
		}),
		fn("replace_string", types(tStr, tStr, tStr), tStr, func(a []any) any {
			if str(a[1]) == "" {
				return str(a[0])
			}
			return replaceBounded(str(a[0]), str(a[1]), str(a[2]))
		}),
		fn("replace_strings", types(tStr, tDyn, tDyn), tStr, func(a []any) any {
			from, _ := array(a[1])
			to, _ := array(a[2])
			return replaceEach(str(a[0]), from, to)
		}),
		fn("translate", types(tStr, tStr, tStr), tStr, func(a []any) any {
			from, to := []rune(str(a[0])), []rune(str(a[1]))
			m := map[rune]rune{}
			for i, r := range from {
				if _, dup := m[r]; dup {
					continue
				}
				switch {
				case len(to) == 0:
					m[r] = -1
				case i < len(to):
					m[r] = to[i]
				default:
					m[r] = to[len(to)-1]
				}
			}
			return strings.Map(func(r rune) rune {
				if t, ok := m[r]; ok {
					return t
				}
				return r
			}, str(a[2]))
		}),
		fn("isascii", types(tStr), tBool, func(a []any) any {
			for _, c := range []byte(str(a[0])) {
				if c >= utf8.RuneSelf {
					return false
				}
			}
			return true
		}),
		fn("isutf8", types(tStr), tBool, func(a []any) any {
			return utf8.ValidString(str(a[0])) && !strings.ContainsRune(str(a[0]), utf8.RuneError)
		}),
		fn("to_utf8", types(tStr), tDyn, func(a []any) any {
			out := []any{}
			for _, r := range str(a[0]) {
				out = append(out, int64(r))
			}
			return js(out)
		}),
		vfn("make_string", types(tDyn), tStr, func(a []any) any {
			list, _ := array(a[0])
			var b strings.Builder
			var add func(v any)
			add = func(v any) {
				switch v := v.(type) {
				case int64:
					if v >= 0 && v <= utf8.MaxRune {
						b.WriteRune(rune(v))
					}
				case []any:
					for _, e := range v {
						add(e)
					}
				}
			}
			add(list)
			return b.String()
		}),
		fn("strcmp", types(tStr, tStr), tLong, func(a []any) any { return int64(strings.Compare(str(a[0]), str(a[1]))) }),
	}
}

// replaceBounded replaces without growing beyond MaxText.
func replaceBounded(s, old, repl string) string {
	if grow := len(repl) - len(old); grow > 0 {
		if n := strings.Count(s, old); len(s)+n*grow > MaxText {
			return strings.Replace(s, old, repl, max((MaxText-len(s))/grow, 0))
		}
	}
	return strings.ReplaceAll(s, old, repl)
}

// indexOf finds an occurrence by characters; find gives place and length in bytes. The length bounds the
// search for each occurrence anew, from where the one before ended.
func indexOf(s string, start, length, occurrence any, find func(string) (int, int)) any {
	r := []rune(s)
	n := int64(len(r))
	from, most, k := long(start, 0), long(length, -1), long(occurrence, 1)
	if from < 0 {
		from = max(n+from, 0)
	}
	if k < 1 || most < -1 {
		return nil
	}
	for from <= n {
		to := n
		if most >= 0 && most < n-from {
			to = from + most
		}
		part := string(r[from:to])
		i, size := find(part)
		if i < 0 {
			return int64(-1)
		}
		from += int64(utf8.RuneCountInString(part[:i]))
		if k--; k == 0 {
			return from
		}
		from += max(int64(utf8.RuneCountInString(part[i:i+size])), 1)
	}
	return int64(-1)
}

// replaceEach replaces one text after the other, and never within what was put in before.
func replaceEach(s string, from, to []any) string {
	type piece struct {
		text string
		done bool
	}
	pieces := []piece{{s, false}}
	size := len(s)
	for i, f := range from {
		old, ok := f.(string)
		if !ok || old == "" {
			continue
		}
		repl := ""
		if i < len(to) {
			if repl, ok = to[i].(string); !ok {
				repl = old // found, and kept as it is
			}
		}
		var next []piece
		for _, p := range pieces {
			for !p.done {
				at := strings.Index(p.text, old)
				if at < 0 || size+len(repl)-len(old) > MaxText || len(next) > MaxItems {
					break
				}
				if at > 0 {
					next = append(next, piece{p.text[:at], false})
				}
				next = append(next, piece{repl, true})
				p.text = p.text[at+len(old):]
				size += len(repl) - len(old)
			}
			if p.text != "" {
				next = append(next, p)
			}
		}
		pieces = next
	}
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
	}
	return b.String()
}
