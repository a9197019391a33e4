package notify

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks bounds the combining marks that may follow one another; piled up,
// they paint over the lines around them.
const maxMarks = 4

// PlainText makes a text from a record safe for a terminal, a text mail and
// every other place that shows characters as they are: one line, no control
// character, nothing invisible and nothing that turns the direction of
// writing. What is not shown as itself is shown by its number, ⟨U+202E⟩, so
// that a person sees that something was there. Invalid UTF-8 becomes U+FFFD.
func PlainText(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	marks := 0
	for _, r := range s {
		if unicode.Is(unicode.M, r) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		if hidden(r) {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// hidden tells whether a rune does something other than show itself: controls,
// formats (direction, zero width, tags), line and paragraph separators, blanks
// other than the plain one, variation selectors, the fillers of Hangul and
// Braille, what is for private use and what is not assigned.
func hidden(r rune) bool {
	switch {
	case r == ' ':
		return false
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x2800, r == 0x3164, r == 0xFFA0:
		return true
	case unicode.Is(unicode.Variation_Selector, r):
		return true
	}
	return !unicode.IsPrint(r)
}

// clip shortens a text to n characters and says how many it left out.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	total := utf8.RuneCountInString(s)
	if total <= n {
		return s
	}
	end := 0
	for range n {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return fmt.Sprintf("%s… (%d more characters)", s[:end], total-n)
}

// Inert is PlainText with the joints of web addresses parted, because mail
// programs make links of what looks like one: https[:]//host, www[.]host,
// host[.]example. Addresses with an @ and numbers keep their dots.
func Inert(s string) string {
	s = PlainText(s)
	if !strings.ContainsAny(s, ".:") {
		return s
	}
	s = strings.ReplaceAll(s, "://", "[:]//")
	words := strings.Split(s, " ")
	for i, w := range words {
		if !strings.Contains(w, "@") {
			words[i] = partDots(w)
		}
	}
	return strings.Join(words, " ")
}

// partDots brackets the dots of a word that could begin a top-level domain: one
// between a letter or digit and two letters or more.
func partDots(w string) string {
	runes := []rune(w)
	var b strings.Builder
	for i, r := range runes {
		if r == '.' && i > 0 && i+2 < len(runes) && wordRune(runes[i-1]) && unicode.IsLetter(runes[i+1]) && unicode.IsLetter(runes[i+2]) {
			b.WriteString("[.]")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' }
