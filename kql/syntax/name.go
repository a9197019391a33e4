package syntax

import "strings"

// NameText writes a name as a query has to: as it is, or as ['…'] where it is no plain name.
func NameText(name string) string { return nameText(name, false) }

// identText gives a name as it has to be written.
func identText(id Ident) string { return nameText(id.Name, id.Quoted) }

// nameText gives a name as it has to be written: in brackets and quotes if it was, or must be.
func nameText(name string, quoted bool) string {
	if quoted || !isPlainName(name) {
		q := quote(name)
		if !strings.ContainsAny(q, `\'`) {
			q = "'" + q[1:len(q)-1] + "'"
		}
		return "[" + q + "]"
	}
	return name
}

// isPlainName reports whether a name can stand without quotes.
func isPlainName(s string) bool {
	if s == "" || isDigit(s[0]) && !hasLetter(s) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && (i > 0 || c != '$') {
			return false
		}
	}
	return true
}

func hasLetter(s string) bool {
	for i := range len(s) {
		if isLetter(s[i]) {
			return true
		}
	}
	return false
}
