package diag

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Position is a place in a source as people count: both from 1, columns in characters.
type Position struct {
	Line, Column int
}

// Locate gives the position of a byte offset in source. Lines end at LF, CR LF or CR.
func Locate(source string, offset int) Position {
	offset = min(max(offset, 0), len(source))
	start, line := lineStart(source, offset)
	return Position{line, utf8.RuneCountInString(source[start:offset]) + 1}
}

// lineStart gives the offset at which the line that holds offset begins, and its number.
func lineStart(source string, offset int) (start, line int) {
	line = 1
	for i := 0; i < offset; i++ {
		switch source[i] {
		case '\r':
			if i+1 < len(source) && source[i+1] == '\n' {
				if i+1 >= offset {
					return start, line // offset stands on the LF of a CR LF
				}
				i++
			}
		case '\n':
		default:
			continue
		}
		line++
		start = i + 1
	}
	return start, line
}

// maxLine is the number of characters of a source line that Render shows; longer lines are cut around the caret.
const maxLine = 160

// Render writes the diagnostics of list, each as
//
//	file:line:column: error KQL0101: message
//	  | the source line
//	  |     ^^^^^^
//	  hint: what to do
//
// Tabs are shown as four columns, wide characters count two and control characters are shown as ·, so that
// a caret stands under what it means and a hostile source cannot steer a terminal.
func Render(w io.Writer, file, source string, list List) error {
	for _, d := range list {
		p := Locate(source, d.Span.Start)
		if file != "" {
			file = clean(file)
		} else {
			file = "query"
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s:%d:%d: %s %s: %s\n", file, p.Line, p.Column, d.Severity, d.Code, clean(d.Message))
		snippet(&b, source, d.Span)
		if d.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", clean(d.Hint))
		}
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
	}
	return nil
}

// Text gives what Render writes.
func Text(file, source string, list List) string {
	var b strings.Builder
	_ = Render(&b, file, source, list) // a Builder never fails
	return b.String()
}

func snippet(b *strings.Builder, source string, at Span) {
	begin := min(max(at.Start, 0), len(source))
	start, _ := lineStart(source, begin)
	end := start + strings.IndexAny(source[start:]+"\n", "\r\n")
	begin = min(begin, end)
	stop := min(max(at.End, begin), end)

	// Cut a long line around the place, at character boundaries.
	prefix, suffix := "", ""
	if end-start > maxLine {
		from := max(start, begin-maxLine/2)
		to := min(end, from+maxLine)
		for from > start && !utf8.RuneStart(source[from]) {
			from--
		}
		for to < end && !utf8.RuneStart(source[to]) {
			to++
		}
		if from > start {
			prefix = "…"
		}
		if to < end {
			suffix = "…"
		}
		start, end, stop = from, to, min(stop, to)
	}

	var line, mark strings.Builder
	line.WriteString(prefix)
	if prefix != "" {
		mark.WriteByte(' ')
	}
	carets := 0
	for i := start; i < end; {
		r, size := utf8.DecodeRuneInString(source[i:])
		text, width := show(r, size)
		line.WriteString(text)
		switch {
		case i < begin:
			mark.WriteString(strings.Repeat(" ", width))
		case i < stop:
			mark.WriteString(strings.Repeat("^", width))
			carets += width
		}
		i += size
	}
	if carets == 0 {
		mark.WriteByte('^')
	}
	line.WriteString(suffix)
	fmt.Fprintf(b, "  | %s\n  | %s\n", strings.TrimRight(line.String(), " "), mark.String())
}

// show gives how a character is shown, and how many columns that takes.
func show(r rune, size int) (string, int) {
	switch {
	case r == '\t':
		return "    ", 4
	case r == utf8.RuneError && size <= 1:
		return "\uFFFD", 1
	case r == '\u00A0':
		return " ", 1
	case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
		return string(r), 0
	case hidden(r):
		return "·", 1
	case wide(r):
		return string(r), 2
	}
	return string(r), 1
}

// hidden reports whether a terminal would obey r, or show nothing, instead of showing it.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

// wide reports whether r takes two columns of a terminal (Unicode TR11, the ranges that are W or F).
func wide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115F, r == 0x2329, r == 0x232A,
		0x2E80 <= r && r <= 0x303E, 0x3041 <= r && r <= 0x33FF, 0x3400 <= r && r <= 0x4DBF,
		0x4E00 <= r && r <= 0x9FFF, 0xA000 <= r && r <= 0xA4CF, 0xA960 <= r && r <= 0xA97F,
		0xAC00 <= r && r <= 0xD7A3, 0xF900 <= r && r <= 0xFAFF, 0xFE30 <= r && r <= 0xFE6F,
		0xFF00 <= r && r <= 0xFF60, 0xFFE0 <= r && r <= 0xFFE6, 0x1F300 <= r && r <= 0x1F64F,
		0x1F680 <= r && r <= 0x1F6FF, 0x1F900 <= r && r <= 0x1F9FF, 0x20000 <= r && r <= 0x3FFFD:
		return true
	}
	return false
}

// clean takes what could steer a terminal out of a text of one line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return ' '
		}
		if hidden(r) {
			return '·'
		}
		return r
	}, s)
}
