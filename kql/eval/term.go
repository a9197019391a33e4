package eval

import (
	"strings"
	"sync/atomic"
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
	var last lastTerms
	return []Function{
		test("has", true, true),
		test("hasprefix", true, false),
		test("hassuffix", false, true),
		nfn("has_list", types(tStr, tDyn, tBool), tBool, func(a []any) any {
			all := truth(a[2])
			text := strings.ToLower(str(a[0]))
			for _, term := range last.of(a[1]) {
				if hasIn(text, term, true, true) != all {
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
	if !cs {
		text, term = strings.ToLower(text), strings.ToLower(term)
	}
	return hasIn(text, term, start, end)
}

// A termList is a list of terms in lower case, and the JSON text in which it was given.
type termList struct {
	text  string
	terms []string
}

// lastTerms holds the list that was read last: a query asks for the same one row after row.
type lastTerms struct{ list atomic.Pointer[termList] }

// of gives the texts of an array in lower case; what is none and not null is an array of one.
func (t *lastTerms) of(v any) []string {
	text, isText := v.(string)
	if l := t.list.Load(); isText && l != nil && l.text == text {
		return l.terms
	}
	list, ok := array(v)
	if !ok {
		if v := dyn(v); v != nil {
			list = []any{v}
		}
	}
	l := &termList{text: strings.Clone(text)}
	for _, e := range list {
		l.terms = append(l.terms, strings.ToLower(value.Text(e)))
	}
	if isText && len(text) <= MaxText {
		t.list.Store(l)
	}
	return l.terms
}

// hasIn is Has where case counts.
func hasIn(text, term string, start, end bool) bool {
	if term == "" {
		return true
	}
	first, _ := utf8.DecodeRuneInString(term)
	last, _ := utf8.DecodeLastRuneInString(term)
	start, end = start && InTerm(first), end && InTerm(last)
	for from := 0; ; {
		i := strings.Index(text[from:], term)
		if i < 0 {
			return false
		}
		i += from
		ok := true
		if start && i > 0 {
			r, _ := utf8.DecodeLastRuneInString(text[:i])
			ok = !InTerm(r)
		}
		if j := i + len(term); ok && end && j < len(text) {
			r, _ := utf8.DecodeRuneInString(text[j:])
			ok = !InTerm(r)
		}
		if ok {
			return true
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		from = i + n
	}
}

// InTerm says that a character is part of a term: a letter or a digit.
func InTerm(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}
