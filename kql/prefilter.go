package kql

import (
	"strings"
	"unicode/utf8"

	"glassward/kql/eval"
)

func (c *Condition) holds(text string) bool {
	for _, v := range c.Values {
		switch c.Op {
		case Equals:
			if text == v {
				return true
			}
		case EqualsFold:
			// The lower case of the capital I with a dot is i, which EqualFold does not know.
			if strings.EqualFold(text, v) || strings.EqualFold(strings.ToLower(text), v) {
				return true
			}
		case Contains:
			if strings.Contains(text, v) {
				return true
			}
		case ContainsFold:
			if strings.Contains(strings.ToLower(text), strings.ToLower(v)) {
				return true
			}
		case HasFold:
			if MayHave(strings.ToLower(text), strings.ToLower(v)) {
				return true
			}
		}
	}
	return false
}

// longestEscape is how long the escape of a character is in JSON: \u00e9.
const longestEscape = 6

// MayHave says whether a text may have a term, as the operator has means it. Both are in lower case. The text may be JSON
// of which the operator sees what it stands for: a letter or digit right before the term that may be the end of an
// escape does not count. So it may say yes where the operator says no, and never no where that says yes.
func MayHave(text, term string) bool {
	first, _ := utf8.DecodeRuneInString(term)
	last, _ := utf8.DecodeLastRuneInString(term)
	for from := 0; ; {
		i := strings.Index(text[from:], term)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(term)
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if (i == 0 || !eval.InTerm(first) || !eval.InTerm(before) || strings.IndexByte(text[max(0, i-longestEscape):i], '\\') >= 0) &&
			(end == len(text) || !eval.InTerm(last) || !eval.InTerm(after)) {
			return true
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		from = i + n
	}
}
