package eval

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"glassward/kql/value"
)

// termFunctions are the tests for whole terms. A term is a run of letters and digits; the text before
// and after an occurrence must not continue it.
func termFunctions() []Function {
	test := func(name string, start, end bool) Function {
		return fn(name, types(tStr, tStr, tBool), tBool, func(a []any) any {
			return Has(str(a[0]), str(a[1]), truth(a[2]), start, end)
		})
	}
	return []Function{
		test("has", true, true),
		test("hasprefix", true, false),
		test("hassuffix", false, true),
		nfn("has_list", types(tStr, tDyn, tBool), tBool, func(a []any) any {
			all := truth(a[2])
			list, ok := array(a[1])
			if !ok {
				if v := dyn(a[1]); v != nil {
					list = []any{v}
				}
			}
			for _, e := range list {
				if Has(str(a[0]), value.Text(e), false, true, true) != all {
					return !all
				}
			}
			return all
		}),
		nfn("has_any_index", types(tStr, tDyn), tLong, func(a []any) any {
			list, _ := array(a[1])
			for i, e := range list {
				if Has(str(a[0]), value.Text(e), false, true, true) {
					return int64(i)
				}
			}
			return int64(-1)
		}),
		nfn("in_dynamic", types(tStr, tDyn, tBool), tBool, func(a []any) any {
			x, fold := str(a[0]), truth(a[2])
			list, ok := array(a[1])
			if !ok {
				v := dyn(a[1])
				if v == nil {
					return false
				}
				list = []any{v}
			}
			for _, e := range list {
				if t := value.Text(e); t == x || fold && strings.EqualFold(t, x) {
					return true
				}
			}
			return false
		}),
	}
}

// Has says whether a text has a term. start and end say at which side the occurrence must begin and
// end a term; cs that case counts.
func Has(text, term string, cs, start, end bool) bool {
	if term == "" {
		return true
	}
	if !cs {
		text, term = strings.ToLower(text), strings.ToLower(term)
	}
	first, _ := utf8.DecodeRuneInString(term)
	last, _ := utf8.DecodeLastRuneInString(term)
	start, end = start && alnum(first), end && alnum(last)
	for from := 0; ; {
		i := strings.Index(text[from:], term)
		if i < 0 {
			return false
		}
		i += from
		ok := true
		if start && i > 0 {
			r, _ := utf8.DecodeLastRuneInString(text[:i])
			ok = !alnum(r)
		}
		if j := i + len(term); ok && end && j < len(text) {
			r, _ := utf8.DecodeRuneInString(text[j:])
			ok = !alnum(r)
		}
		if ok {
			return true
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		from = i + n
	}
}

func alnum(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}
