package kql

import (
	"fmt"
	"slices"
	"strings"

	"glassward/kql/diag"
	"glassward/kql/rel"
)

// Explanation tells how a query became its SQL.
type Explanation struct {
	Program *Program
	// Steps are the bound tree, whose Name is "bound", and what each rewrite made of it, in their order.
	Steps []Step
	// Named are the stored tables whose records a row names, if the query is compiled with lineage; Unnamed
	// are those that are looked at only, to leave a row out or to compare with. Both are sorted.
	Named, Unnamed []string
	source         string
}

// Step is a rewrite and the tree that it left.
type Step struct {
	Name, Doc string
	Tree      string // an operator a line, inputs indented below it
}

// Explain compiles a query like Compile and keeps what it was on the way. The Explanation is nil if the
// diagnostics hold an error.
func Explain(source string, o Options) (*Explanation, diag.List) {
	e := &Explanation{source: source}
	var bound rel.Rel
	p, diags := compile(source, o, func(r rel.Rewrite, tree rel.Rel) {
		if bound == nil {
			bound, r.Name, r.Doc = tree, "bound", "what the query says"
		}
		e.Steps = append(e.Steps, Step{r.Name, r.Doc, rel.Text(tree)})
	})
	if p == nil {
		return nil, diags
	}
	e.Program = p
	e.Named = rel.Named(bound)
	for _, t := range p.Tables {
		if !slices.Contains(e.Named, t) {
			e.Unnamed = append(e.Unnamed, t)
		}
	}
	return e, diags
}

// Tree gives the tree after the last rewrite.
func (e *Explanation) Tree() string { return e.Steps[len(e.Steps)-1].Tree }

// String gives the explanation as people read it, section by section.
func (e *Explanation) String() string {
	var b strings.Builder
	p := e.Program
	b.WriteString("RESULT\n")
	for _, c := range p.Columns {
		fmt.Fprintf(&b, "  %s: %s\n", c.Name, c.Type)
	}
	b.WriteString("\nTREE, as bound\n")
	indented(&b, e.Steps[0].Tree)
	for i, s := range e.Steps[1:] {
		fmt.Fprintf(&b, "\nREWRITE %s: %s\n", s.Name, s.Doc)
		if s.Tree == e.Steps[i].Tree {
			b.WriteString("  nothing to change\n")
			continue
		}
		for _, l := range changes(lines(e.Steps[i].Tree), lines(s.Tree)) {
			b.WriteString("  " + l + "\n")
		}
	}
	b.WriteString("\nTREE, in the end\n")
	indented(&b, e.Tree())
	b.WriteString("\nSQL")
	if len(p.Params) > 0 {
		fmt.Fprintf(&b, ", with $%s", strings.Join(p.Params, ", $"))
	}
	b.WriteByte('\n')
	indented(&b, p.SQL+"\n")
	b.WriteString("\nLINEAGE\n")
	switch {
	case len(p.Tables) == 0:
		b.WriteString("  no records: the query reads no stored table\n")
	case len(e.Named) == 0:
		b.WriteString("  a row names no records\n")
	case p.NotLocal == nil:
		fmt.Fprintf(&b, "  a row names the one record of %s that it was made of\n", strings.Join(e.Named, " or "))
	default:
		fmt.Fprintf(&b, "  a row names the records of %s that it was made of, at most %d\n", strings.Join(e.Named, " and "), MaxLineage)
	}
	if len(e.Unnamed) > 0 {
		fmt.Fprintf(&b, "  looked at and not named: %s\n", strings.Join(e.Unnamed, ", "))
	}
	if len(p.Tables) > 0 {
		b.WriteString("\nPREFILTERS: a record can matter only if\n")
		for i := range p.Prefilters {
			fmt.Fprintf(&b, "  %s\n", &p.Prefilters[i])
		}
	}
	b.WriteString("\nLOCAL\n")
	if p.NotLocal == nil {
		b.WriteString("  yes: every row depends on one record alone, so the query may judge records as they come (NRT)\n")
	} else {
		at := diag.Locate(e.source, p.NotLocal.Span.Start)
		fmt.Fprintf(&b, "  no: %s\n  at %d:%d: %s\n", p.NotLocal.Message, at.Line, at.Column, oneLine(p.NotLocal.Span.In(e.source)))
	}
	return b.String()
}

// String gives the prefilter in a line: the table, and what its columns must hold.
func (p *Prefilter) String() string {
	if len(p.Conditions) == 0 {
		return p.Table + ": always"
	}
	parts := make([]string, len(p.Conditions))
	for i, c := range p.Conditions {
		if len(c.Values) == 0 {
			return p.Table + ": never"
		}
		word := [...]string{"==", "=~", "contains_cs", "contains", "has"}[c.Op]
		values := make([]string, 0, len(c.Values))
		for _, v := range c.Values {
			values = append(values, rel.Str(v).String())
		}
		parts[i] = c.Column + " " + word + " " + strings.Join(values, " or ")
	}
	return p.Table + ": " + strings.Join(parts, ", and ")
}

func indented(b *strings.Builder, text string) {
	for _, l := range lines(text) {
		b.WriteString("  " + l + "\n")
	}
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// oneLine gives a text on one line, cut if it is long.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 100 {
		return string(r[:99]) + "…"
	}
	return s
}

// maxChanges bounds the trees that are compared line by line.
const maxChanges = 2000

// changes gives the lines that a rewrite took away, after "- ", and those that it put there, after "+ ", in the
// order of the tree; lines that only moved to another depth do not count.
func changes(before, after []string) []string {
	n, m := len(before), len(after)
	if n > maxChanges || m > maxChanges {
		return []string{fmt.Sprintf("%d operators became %d", n, m)}
	}
	same := func(i, j int) bool { return strings.TrimLeft(before[i], " ") == strings.TrimLeft(after[j], " ") }
	// longest[i][j] is how many lines before[i:] and after[j:] have in common, in order.
	longest := make([][]int, n+1)
	for i := range longest {
		longest[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if same(i, j) {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < n || j < m {
		switch {
		case i < n && j < m && same(i, j):
			i, j = i+1, j+1
		case i < n && (j == m || longest[i+1][j] >= longest[i][j+1]):
			out = append(out, "- "+before[i])
			i++
		default:
			out = append(out, "+ "+after[j])
			j++
		}
	}
	if out == nil {
		out = []string{"operators moved"}
	}
	return out
}
