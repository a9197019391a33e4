package eval

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// regexCache keeps compiled expressions. It is bounded: when it is full it starts anew.
type regexCache struct {
	mu sync.Mutex
	m  map[string]*regexp.Regexp
}

func (c *regexCache) get(s string) *regexp.Regexp {
	c.mu.Lock()
	defer c.mu.Unlock()
	if re, ok := c.m[s]; ok {
		return re
	}
	if len(s) > 10000 {
		return nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		re = nil
	}
	if c.m == nil || len(c.m) > 1000 {
		c.m = map[string]*regexp.Regexp{}
	}
	c.m[s] = re
	return re
}

func regexFunctions() []Function {
	cache := &regexCache{}
	trim := func(name string, start, end bool) Function {
		return fn(name, types(tStr, tStr), tStr, func(a []any) any {
			s := str(a[1])
			if start {
				if re := cache.get(`^(?:` + str(a[0]) + `)`); re != nil {
					if m := re.FindStringIndex(s); m != nil {
						s = s[m[1]:]
					}
				}
			}
			if end {
				if re := cache.get(`(?:` + str(a[0]) + `)$`); re != nil {
					if m := re.FindStringIndex(s); m != nil {
						s = s[:m[0]]
					}
				}
			}
			return s
		})
	}
	replace := func(text, rx, rewrite string) any {
		re := cache.get(rx)
		if re == nil {
			return text
		}
		out := re.ReplaceAllString(text, goRewrite(rewrite))
		return out
	}
	return []Function{
		fn("matches", types(tStr, tStr), tBool, func(a []any) any {
			re := cache.get(str(a[1]))
			return re != nil && re.MatchString(str(a[0]))
		}),
		trim("trim", true, true), trim("trim_start", true, false), trim("trim_end", false, true),
		fn("replace_regex", types(tStr, tStr, tStr), tStr, func(a []any) any { return replace(str(a[0]), str(a[1]), str(a[2])) }),
		fn("replace", types(tStr, tStr, tStr), tStr, func(a []any) any { return replace(str(a[2]), str(a[0]), str(a[1])) }),
		fn("extract", types(tStr, tLong, tStr), tStr, func(a []any) any {
			re := cache.get(str(a[0]))
			if re == nil {
				return ""
			}
			m := re.FindStringSubmatch(str(a[2]))
			if i := long(a[1], 0); i >= 0 && i < int64(len(m)) {
				return m[i]
			}
			return ""
		}),
		nfn("extract_all", types(tStr, tDyn, tStr), tDyn, func(a []any) any {
			re := cache.get(str(a[0]))
			if re == nil {
				return nil
			}
			var want []int
			if list, ok := array(a[1]); ok {
				for _, e := range list {
					switch v := e.(type) {
					case int64:
						if v >= 0 && v <= int64(re.NumSubexp()) {
							want = append(want, int(v))
						}
					case string:
						if i := re.SubexpIndex(v); i >= 0 {
							want = append(want, i)
						}
					}
				}
			} else if n := re.NumSubexp(); n == 0 {
				want = []int{0}
			} else {
				for i := 1; i <= n; i++ {
					want = append(want, i)
				}
			}
			var out []any
			for _, m := range re.FindAllStringSubmatch(str(a[2]), 1<<16) {
				if len(want) == 1 {
					out = append(out, m[want[0]])
					continue
				}
				var groups []any
				for _, i := range want {
					groups = append(groups, m[i])
				}
				out = append(out, groups)
			}
			if out == nil {
				return nil
			}
			return js(out)
		}),
		nfn("countof", types(tStr, tStr, tStr), tLong, func(a []any) any {
			s, t := str(a[0]), str(a[1])
			if str(a[2]) == "regex" {
				re := cache.get(t)
				if re == nil {
					return nil
				}
				return int64(len(re.FindAllStringIndex(s, -1)))
			}
			if t == "" {
				return int64(0)
			}
			n := int64(0)
			for i := strings.Index(s, t); i >= 0; i = strings.Index(s, t) { // occurrences may overlap
				n++
				_, size := utf8.DecodeRuneInString(s[i:])
				s = s[i+size:]
			}
			return n
		}),
		nfn("indexof_regex", types(tStr, tStr, tLong, tLong, tLong), tLong, func(a []any) any {
			re := cache.get(str(a[1]))
			if re == nil || long(a[2], 0) < 0 {
				return nil
			}
			return indexOf(str(a[0]), a[2], a[3], a[4], func(s string) (int, int) {
				m := re.FindStringIndex(s)
				if m == nil {
					return -1, 0
				}
				return m[0], m[1] - m[0]
			})
		}),
		fn("regex_quote", types(tStr), tStr, func(a []any) any { return quoteRegex(str(a[0])) }),
	}
}

func quoteRegex(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf && r != '_' && !InTerm(r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// goRewrite turns \1 into Go's ${1}.
func goRewrite(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '$':
			b.WriteString("$$")
		case c == '\\' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			i++
			b.WriteString("${" + string(s[i]) + "}")
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// patternFunctions are what the operators parse and parse-kv call for each text.
func patternFunctions() []Function {
	cache := &regexCache{}
	return []Function{
		fn("parse_pattern", types(tStr, tStr), tDyn, func(a []any) any { return parsePattern(cache, str(a[0]), str(a[1])) }),
		fn("parse_kv", types(tStr, tStr), tDyn, func(a []any) any { return parseKV(cache, str(a[0]), str(a[1])) }),
	}
}

// parsePattern matches a text against the parts of a parse pattern and gives the texts of its columns.
func parsePattern(cache *regexCache, s, spec string) any {
	o, ok := bag(spec)
	if !ok {
		return nil
	}
	get := func(k string) any { v, _ := o.Get(k); return v }
	parts, _ := get("parts").([]any)
	kind := str(get("kind"))
	var rx strings.Builder
	flags := ""
	for _, f := range str(get("flags")) {
		if strings.ContainsRune("imsU", f) {
			flags += string(f)
		}
	}
	if kind != "regex" {
		flags = "s"
	}
	if flags != "" {
		rx.WriteString("(?" + flags + ")")
	}
	if kind != "regex" {
		rx.WriteString("^")
	}
	// What is no part says nothing.
	parts = slices.DeleteFunc(parts, func(p any) bool {
		part, _ := p.([]any)
		return len(part) == 0 || len(part) == 1 && str(part[0]) != "star"
	})
	var colTypes []string
	for i, p := range parts {
		part := p.([]any)
		last := i == len(parts)-1
		lazy := "*?"
		if last && kind != "regex" {
			lazy = "*"
		} else if kind == "regex" {
			lazy = "*"
		}
		switch str(part[0]) {
		case "star":
			rx.WriteString("." + lazy)
		case "text":
			if kind == "regex" {
				rx.WriteString("(?:" + str(part[1]) + ")")
			} else {
				rx.WriteString(regexp.QuoteMeta(str(part[1])))
			}
		case "column":
			t := str(part[1])
			colTypes = append(colTypes, t)
			switch {
			case kind == "regex" && (t == "long" || t == "int"):
				rx.WriteString(`(-?\d+)`)
			case kind == "regex" && t != "string":
				rx.WriteString("(." + lazy + ")")
			case (t == "long" || t == "int") && kind == "simple" && !last:
				rx.WriteString(`(\s*[-+]?(?:0x[0-9a-fA-F]+|\d+)\s*)`)
			case (t == "real" || t == "decimal") && kind == "simple" && !last:
				rx.WriteString(`([-+]?[0-9.eE+-]*?)`)
			default:
				rx.WriteString("(." + lazy + ")")
			}
		}
	}
	if kind != "regex" {
		rx.WriteString("$")
	}
	re := cache.get(rx.String())
	if re == nil {
		return nil
	}
	m := re.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	// Groups of the pattern's own regular expressions come between the columns'; named types tell them
	// apart only by count, so nested groups are skipped by position.
	groups := columnGroups(re, len(colTypes), parts, kind)
	out := make([]any, len(colTypes))
	for i, t := range colTypes {
		text := m[groups[i]]
		out[i] = text
		if t == "string" {
			continue
		}
		if !converts(text, t) {
			if kind == "simple" {
				return nil
			}
			out[i] = nil
		}
	}
	return js(out)
}

// columnGroups gives the number of the capturing group of each column.
func columnGroups(re *regexp.Regexp, n int, parts []any, kind string) []int {
	out := make([]int, 0, n)
	at := 1
	for _, p := range parts {
		part := p.([]any)
		switch str(part[0]) {
		case "text":
			if kind == "regex" {
				if sub, err := regexp.Compile(str(part[1])); err == nil {
					at += sub.NumSubexp()
				}
			}
		case "column":
			out = append(out, min(at, re.NumSubexp()))
			at++
		}
	}
	return out
}

func converts(s, t string) bool {
	switch t {
	case "int":
		return small(textLong(s)) != nil
	case "long":
		return textLong(s) != nil
	case "real":
		return textReal(s) != nil
	case "decimal":
		return textDecimal(s) != nil
	case "bool":
		return textBool(s) != nil
	case "datetime":
		return textTime(s) != nil
	case "timespan":
		return textSpan(s) != nil
	case "guid":
		return textGUID(s) != nil
	}
	return true
}

// parseKV takes the values of keys out of a text.
func parseKV(cache *regexCache, s, spec string) any {
	o, ok := bag(spec)
	if !ok {
		return nil
	}
	get := func(k string) string { v, _ := o.Get(k); return str(v) }
	list := func(k string) []any { v, _ := o.Get(k); l, _ := v.([]any); return l }
	names, found := list("columns"), map[string]string{}
	if rx := get("regex"); rx != "" {
		if re := cache.get(rx); re != nil && re.NumSubexp() >= 2 {
			for _, m := range re.FindAllStringSubmatch(s, 1<<16) {
				if _, dup := found[m[1]]; !dup {
					found[m[1]] = m[2]
				}
			}
		}
	} else {
		r := kvReader{pair: get("pair_delimiter"), kv: get("kv_delimiter"), found: found}
		for _, q := range list("quote") {
			if c := []rune(str(q)); len(c) > 0 {
				r.quotes = append(r.quotes, [2]string{string(c[0]), string(c[len(c)-1])})
			}
		}
		for _, e := range list("escape") {
			r.escapes = append(r.escapes, str(e))
		}
		switch {
		case r.pair == "" && r.kv == "":
			r.words(s, names)
		case get("greedy") == "true":
			r.delimiters()
			r.greedy(s)
		default:
			r.delimiters()
			r.pairs(s)
		}
	}
	out := make([]any, len(names))
	for i, n := range names {
		if v, ok := found[str(n)]; ok {
			out[i] = v
		}
	}
	return js(out)
}

// kvReader takes pairs out of a text. Of several values of a key the first counts.
type kvReader struct {
	pair, kv string
	quotes   [][2]string // what opens and what closes
	escapes  []string
	found    map[string]string
}

func (r *kvReader) delimiters() {
	if r.pair == "" {
		r.pair = " "
	}
	if r.kv == "" {
		r.kv = "="
	}
}

func (r *kvReader) add(key, v string) {
	if _, dup := r.found[key]; !dup {
		r.found[key] = v
	}
}

// quoted reads a quoted text at the start of s; it gives the rest behind its end.
func (r *kvReader) quoted(s string) (text, rest string, ok bool) {
	for _, q := range r.quotes {
		if !strings.HasPrefix(s, q[0]) {
			continue
		}
		var b strings.Builder
		for s = s[len(q[0]):]; s != ""; {
			if strings.HasPrefix(s, q[1]) {
				return b.String(), s[len(q[1]):], true
			}
			for _, e := range r.escapes {
				if e != "" && len(s) > len(e) && strings.HasPrefix(s, e) {
					s = s[len(e):]
					break
				}
			}
			_, n := utf8.DecodeRuneInString(s)
			b.WriteString(s[:n])
			s = s[n:]
		}
		return b.String(), "", true
	}
	return "", s, false
}

// pairs reads a text in which delimiters part the pairs, and keys from values.
func (r *kvReader) pairs(s string) {
	for s != "" {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		key, rest, ok := r.quoted(s)
		if ok {
			rest, ok = strings.CutPrefix(strings.TrimLeftFunc(rest, unicode.IsSpace), r.kv)
		}
		if !ok {
			i := strings.Index(s, r.kv)
			if i < 0 {
				return
			}
			if p := strings.Index(s, r.pair); p >= 0 && p < i {
				s = s[p+len(r.pair):]
				continue
			}
			key, rest = strings.TrimSpace(s[:i]), s[i+len(r.kv):]
		}
		// Blanks before a value belong to nothing, unless they part the pairs.
		v, after := "", rest
		for blank := rest; ; {
			if v, after, ok = r.quoted(blank); ok || blank == "" || strings.HasPrefix(blank, r.pair) {
				break
			}
			c, n := utf8.DecodeRuneInString(blank)
			if !unicode.IsSpace(c) {
				break
			}
			blank = blank[n:]
		}
		if ok {
			_, s, _ = strings.Cut(after, r.pair)
		} else {
			v, s, _ = strings.Cut(rest, r.pair)
			v = strings.TrimSpace(v)
		}
		r.add(key, v)
	}
}

// greedy lets values hold the pair delimiter: a value ends before the next key.
func (r *kvReader) greedy(s string) {
	parts := strings.Split(s, r.kv)
	key := parts[0]
	if i := strings.LastIndex(key, r.pair); i >= 0 {
		key = key[i+len(r.pair):]
	}
	for i := 1; i < len(parts); i++ {
		v, next := parts[i], ""
		if i < len(parts)-1 {
			if j := strings.LastIndex(v, r.pair); j >= 0 {
				v, next = v[:j], v[j+len(r.pair):]
			}
		}
		v = strings.TrimSpace(v)
		if text, rest, ok := r.quoted(v); ok && rest == "" {
			v = text
		}
		r.add(strings.TrimSpace(key), v)
		key = next
	}
}

// words reads a text in which everything but letters and digits parts words: a value is the word, or
// the quoted text, behind its key.
func (r *kvReader) words(s string, keys []any) {
	key, open := "", false
	for s != "" {
		word, rest, ok := r.quoted(s)
		if !ok {
			n := strings.IndexFunc(s, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
			if n < 0 {
				n = len(s)
			}
			if n == 0 {
				_, n = utf8.DecodeRuneInString(s)
				s = s[n:]
				continue
			}
			word, rest = s[:n], s[n:]
		}
		s = rest
		if open {
			r.add(key, word)
		}
		open = !open && slices.ContainsFunc(keys, func(k any) bool { return str(k) == word })
		key = word
	}
}
