package notify

import (
	"mime"
	"strings"
	"unicode/utf8"
)

// maxHeader bounds the text of a header; more than that no mail program shows.
const maxHeader = 250

// headerText makes the unstructured value of a mail header (Subject …) of any
// text: on one logical line, without control or invisible characters, as RFC
// 2047 encoded words where it is not ASCII, folded so that no line is longer
// than 78 characters where blanks allow and none longer than 998. name is the
// header's name, which takes its place on the first line.
func headerText(name, s string) string {
	s = PlainText(strings.Join(strings.FieldsFunc(clip(s, maxHeader), func(r rune) bool {
		return r == ' ' || r == '\r' || r == '\n' || r == '\t'
	}), " "))
	// An ASCII text that looks like an encoded word would be decoded by the
	// reader's mail program, past all that was cleaned here.
	s = strings.ReplaceAll(s, "=?", "= ?")
	if !utf8.ValidString(s) { // cannot be: PlainText gives valid text
		s = strings.ToValidUTF8(s, "?")
	}
	return fold(name, mime.QEncoding.Encode("utf-8", s))
}

// fold breaks a header's value at blanks. A line holds at least one word, and
// words are at most 250 characters here, far below SMTP's 998.
func fold(name, value string) string {
	var b strings.Builder
	used := len(name) + 2
	for i, word := range strings.Split(value, " ") {
		if i > 0 {
			if used+1+len(word) > 78 {
				b.WriteString("\r\n ")
				used = 1
			} else {
				b.WriteByte(' ')
				used++
			}
		}
		b.WriteString(word)
		used += len(word)
	}
	return b.String()
}
