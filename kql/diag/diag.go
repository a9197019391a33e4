// Package diag says what is wrong with a query, where, and what to do about it.
//
// A Diagnostic carries a stable code, a half-open range of bytes in the source, a message and often a
// hint. A List collects them; Render writes them as a person reads them, with the line and a caret.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Span is the half-open range [Start, End) of byte offsets in a source.
type Span struct {
	Start, End int
}

// At gives the span [start, end).
func At(start, end int) Span { return Span{start, end} }

// Len gives the number of bytes that the span covers.
func (s Span) Len() int { return s.End - s.Start }

// Contains reports whether offset lies in the span.
func (s Span) Contains(offset int) bool { return s.Start <= offset && offset < s.End }

// To gives the smallest span that covers s and t.
func (s Span) To(t Span) Span { return Span{min(s.Start, t.Start), max(s.End, t.End)} }

// In gives the text that the span covers in source, and "" if the span does not lie in it.
func (s Span) In(source string) string {
	if s.Start < 0 || s.End > len(source) || s.Start > s.End {
		return ""
	}
	return source[s.Start:s.End]
}

// Severity tells how much a diagnostic matters.
type Severity uint8

const (
	Error   Severity = iota // the query cannot run
	Warning                 // the query runs, perhaps not as meant
	Info                    // worth knowing
)

// String gives "error", "warning" or "info".
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Info:
		return "info"
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// Code names a kind of diagnostic, such as KQL0101. Codes are stable: a code keeps its meaning for ever.
// KQL00xx come from the lexer, KQL01xx from the parser, KQL02xx and above from later stages.
type Code string

// Diagnostic is one finding about a source.
type Diagnostic struct {
	Code     Code
	Severity Severity
	Span     Span
	Message  string // one sentence, lower case, without a final stop
	Hint     string // what to do; may be empty
}

// Error gives "KQL0101: message", so that a Diagnostic is an error.
func (d Diagnostic) Error() string { return string(d.Code) + ": " + d.Message }

// Limit is the largest number of diagnostics that a List keeps.
const Limit = 50

// List holds diagnostics. The zero List is ready; it keeps at most Limit.
type List []Diagnostic

// Add appends d, unless the list is full or holds the same code at the same place already.
func (l *List) Add(d Diagnostic) {
	if len(*l) >= Limit {
		return
	}
	for _, o := range *l {
		if o.Code == d.Code && o.Span == d.Span && o.Message == d.Message {
			return
		}
	}
	*l = append(*l, d)
}

// Errorf adds an error; hint may be empty.
func (l *List) Errorf(code Code, at Span, hint, format string, args ...any) {
	l.Add(Diagnostic{code, Error, at, fmt.Sprintf(format, args...), hint})
}

// Warnf adds a warning; hint may be empty.
func (l *List) Warnf(code Code, at Span, hint, format string, args ...any) {
	l.Add(Diagnostic{code, Warning, at, fmt.Sprintf(format, args...), hint})
}

// Sort orders the list by place, errors before warnings at the same place.
func (l List) Sort() {
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Span.Start, b.Span.Start),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Span.End, b.Span.End),
			cmp.Compare(a.Code, b.Code),
		)
	})
}

// HasErrors reports whether one of the diagnostics is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Err gives the list as an error if it has errors, else nil.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return listError(l)
}

type listError List

func (l listError) Error() string {
	var b strings.Builder
	for _, d := range l {
		if d.Severity != Error {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(d.Error())
		if d.Hint != "" {
			b.WriteString(" (" + d.Hint + ")")
		}
	}
	return b.String()
}
