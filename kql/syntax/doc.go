package syntax

import (
	"strings"
	"unicode/utf8"
)

// width is how many columns the printer tries to keep to.
const width = 100

// doc is a piece of formatted text that is laid out when its place is known: a group stands on one line if it fits,
// otherwise each of its own lines breaks. (After Wadler, "A prettier printer".)
type doc struct {
	kind docKind
	text string
	kids []*doc
	size int  // columns when on one line
	hard bool // cannot stand on one line
}

type docKind uint8

const (
	docText    docKind = iota
	docLine            // a space, or a new line in a group that breaks
	docSoft            // nothing, or a new line in a group that breaks
	docHard            // a new line
	docBlank           // a new line with an empty one before it
	docCat             // one after the other
	docIndent          // new lines within are indented
	docGroup           // stands on one line if it can
	docTrail           // a comment at the end of a line
	docComment         // a comment on a line of its own
	docSpaced          // the same with an empty line before it
)

var (
	line  = &doc{kind: docLine, size: 1}
	soft  = &doc{kind: docSoft}
	hard  = &doc{kind: docHard, hard: true}
	blank = &doc{kind: docBlank, hard: true}
	none  = &doc{kind: docCat}
)

func text(s string) *doc {
	return &doc{kind: docText, text: s, size: utf8.RuneCountInString(s)}
}

func node(k docKind, kids []*doc) *doc {
	d := &doc{kind: k, kids: kids}
	for _, kid := range kids {
		d.size += kid.size
		d.hard = d.hard || kid.hard
	}
	return d
}

func cat(kids ...*doc) *doc    { return node(docCat, kids) }
func indent(kids ...*doc) *doc { return node(docIndent, kids) }
func group(kids ...*doc) *doc  { return node(docGroup, kids) }

// layout writes docs.
type layout struct {
	out     strings.Builder
	column  int
	spaces  int  // trailing blanks that are held back
	newline int  // new lines that are held back
	margin  int  // of the line that they begin
	begun   bool // something has been written
	comment bool // what was written last is a comment, which goes on to the line's end
}

func (l *layout) newLine(margin, n int) {
	l.spaces = 0
	l.newline = max(l.newline, n)
	l.margin = margin
	l.column = margin
}

func (l *layout) write(s string) {
	if s == "" {
		return
	}
	if s == " " {
		if l.newline == 0 {
			l.spaces++
			l.column++
		}
		return
	}
	if l.newline > 0 {
		if l.begun {
			l.out.WriteString(strings.Repeat("\n", l.newline))
		}
		l.out.WriteString(strings.Repeat(" ", l.margin))
		l.column = l.margin
		l.newline = 0
	}
	l.out.WriteString(strings.Repeat(" ", l.spaces))
	l.spaces = 0
	l.out.WriteString(s)
	l.begun, l.comment = true, false
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		l.column = utf8.RuneCountInString(s[i+1:])
	} else {
		l.column += utf8.RuneCountInString(s)
	}
}

const tab = 4

func (l *layout) doc(d *doc, margin int, flat bool) {
	switch d.kind {
	case docText:
		lead := strings.TrimLeft(d.text, " ")
		for range len(d.text) - len(lead) {
			l.write(" ")
		}
		body := strings.TrimRight(lead, " ")
		l.write(body)
		for range len(lead) - len(body) {
			l.write(" ")
		}
	case docLine:
		if flat {
			l.write(" ")
		} else {
			l.newLine(margin, 1)
		}
	case docSoft:
		if !flat {
			l.newLine(margin, 1)
		}
	case docHard:
		l.newLine(margin, 1)
	case docBlank:
		l.newLine(margin, 2)
	case docCat:
		for _, kid := range d.kids {
			l.doc(kid, margin, flat)
		}
	case docIndent:
		for _, kid := range d.kids {
			l.doc(kid, margin+tab, flat)
		}
	case docGroup:
		flat := flat || !d.hard && l.column+d.size <= width
		for _, kid := range d.kids {
			l.doc(kid, margin, flat)
		}
	case docTrail:
		// It belongs to the line before, even if a new one has been asked for, unless that ends with a comment.
		m, n := margin, 1
		if l.newline > 0 {
			m, n = l.margin, l.newline
		}
		if !l.comment {
			l.newline = 0
		}
		if l.begun && l.newline == 0 {
			l.spaces = 1
		}
		l.write(d.text)
		l.comment = true
		l.newLine(m, n)
	case docComment, docSpaced:
		m := margin
		if l.newline > 0 {
			m = l.margin
		}
		n := 1
		if d.kind == docSpaced {
			n = 2
		}
		l.newLine(m, n)
		l.write(d.text)
		l.comment = true
		l.newLine(m, 1)
	}
}
