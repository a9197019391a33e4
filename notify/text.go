package notify

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// String gives the text part of a mail, which a terminal can show as well:
// lines of label and value, the most urgent first, LF at the end of each.
func (v View) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", v.Title)
	lines(&b, []Fact{{"Severity", v.Severity}, {"Why now", v.Why}})
	lines(&b, v.Facts)
	if v.Link != "" {
		fmt.Fprintf(&b, "\nOpen the incident: %s\n", v.Link)
	}
	if v.Text != "" {
		fmt.Fprintf(&b, "\n%s\n", v.Text)
	}
	section(&b, "", v.Incident)
	if len(v.Others) > 0 {
		b.WriteString("\nAlso in this incident\n")
		for _, o := range v.Others {
			fmt.Fprintf(&b, "  %s\n", o)
		}
	}
	for i, r := range v.Rows {
		section(&b, fmt.Sprintf("Result row %d", i+1), r)
	}
	if v.RowsLeft != "" {
		fmt.Fprintf(&b, "\n%s\n", v.RowsLeft)
	}
	section(&b, "", v.Trace)
	return b.String()
}

func section(b *strings.Builder, head string, fs []Fact) {
	if len(fs) == 0 {
		return
	}
	b.WriteByte('\n')
	if head != "" {
		b.WriteString(head + "\n")
	}
	lines(b, fs)
}

// lines writes facts with their values in one column.
func lines(b *strings.Builder, fs []Fact) {
	width := 0
	for _, f := range fs {
		if f.Value != "" {
			width = max(width, utf8.RuneCountInString(f.Label))
		}
	}
	width = max(min(width, 30), len("Conditional Access"))
	for _, f := range fs {
		if f.Value != "" {
			pad := max(0, width-utf8.RuneCountInString(f.Label))
			fmt.Fprintf(b, "%s%s  %s\n", f.Label, strings.Repeat(" ", pad), f.Value)
		}
	}
}
