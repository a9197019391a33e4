// Package rel is the relational tree between KQL's syntax and SQL: operators over named, typed
// columns, and scalar expressions over them. The tree is immutable; a rewrite gives a new one.
//
// An operator is one file that declares the node and its methods. The rewrites (lineage, window,
// shadows, pushdown, prune) ask nodes through these methods and know no node by name unless they
// treat it specially.
package rel

import (
	"fmt"
	"strings"

	"glassward/kql/value"
)

// Column is a named, typed column. Names are unique within a table and matched with regard to case.
type Column struct {
	Name string
	Type value.Type
}

// Shadow is a hidden typed column that the store keeps beside a dynamic one. Path is what follows the
// column's name: ".user.id", "[0].displayName"; a path with [*] gives the texts of all elements, one a line.
type Shadow struct {
	Name, Column, Path string
	Type               value.Type
}

// Table is a stored table as the compiler sees it. Columns are what a query sees, in order. Shadows
// are hidden, as is the column _Seq that every stored table has.
type Table struct {
	Name string
	// Workspace is the one in which it lies, empty for the one whose query this is.
	Workspace string
	Columns   []Column
	Shadows   []Shadow
}

// Tables are stored tables in a list, the simplest catalogue that a query can be bound to.
type Tables []*Table

// Table gives a table by its name, false if there is none.
func (t Tables) Table(name string) (*Table, bool) {
	for _, x := range t {
		if x.Name == name {
			return x, true
		}
	}
	return nil, false
}

// TableNames gives the names of all tables, in the list's order.
func (t Tables) TableNames() []string {
	var names []string
	for _, x := range t {
		names = append(names, x.Name)
	}
	return names
}

// The columns that rewrites look for in a stored table.
const (
	TimeColumn = "TimeGenerated" // event time; the window ByTime restricts it
	SeqColumn  = "_Seq"          // sequence number given at commit; hidden; the window BySeq restricts it
	ItemColumn = "_ItemId"       // the record's id, what lineage collects
)

// Rel is a node of the tree: an operator that gives a table.
type Rel interface {
	// Columns gives the columns of the result, in order.
	Columns() []Column
	// Inputs gives the tables that the operator reads, in order; nil for a source.
	Inputs() []Rel
	// With gives a copy that reads other inputs, as many as Inputs gives.
	With(inputs []Rel) Rel
	// Exprs calls f for every scalar expression and gives a copy with what f returned.
	Exprs(f func(Expr) Expr) Rel
	// describe writes the node's own line of the text form, without its inputs.
	describe(b *strings.Builder)
	// carry gives a copy whose result has the hidden column col, which the inputs for which has is
	// true carry too. A node that makes one row of several merges their lists.
	carry(col Column, in []Rel, has []bool) Rel
	// mixes says in a few words why one result row may depend on several input rows, or "".
	mixes() string
}

// Index gives the place of a column by name, or -1.
func Index(cols []Column, name string) int {
	for i := range cols {
		if cols[i].Name == name {
			return i
		}
	}
	return -1
}

// Item is an expression with the name of the column that it gives.
type Item struct {
	Name string
	Expr Expr
}

func itemColumns(items []Item) []Column {
	cols := make([]Column, len(items))
	for i, it := range items {
		cols[i] = Column{it.Name, it.Expr.Type()}
	}
	return cols
}

func mapItems(items []Item, f func(Expr) Expr) []Item {
	out := make([]Item, len(items))
	for i, it := range items {
		out[i] = Item{it.Name, f(it.Expr)}
	}
	return out
}

// describedRefs is how many columns that are passed through unchanged a line names; of more it gives the number.
const describedRefs = 20

func describeItems(b *strings.Builder, items []Item) {
	isRef := func(it Item) bool { c, ok := it.Expr.(*Col); return ok && c.Name == it.Name }
	refs := 0
	for _, it := range items {
		if isRef(it) {
			refs++
		}
	}
	sep := ""
	if refs > describedRefs {
		fmt.Fprintf(b, "%d columns", refs)
		sep = ", "
	}
	for _, it := range items {
		if isRef(it) && refs > describedRefs {
			continue
		}
		b.WriteString(sep)
		sep = ", "
		if isRef(it) {
			b.WriteString(quoteName(it.Name))
			continue
		}
		b.WriteString(quoteName(it.Name))
		b.WriteString(" = ")
		b.WriteString(it.Expr.String())
	}
}

// Refs gives a reference to each column, as items that pass it through.
func Refs(cols []Column) []Item {
	items := make([]Item, len(cols))
	for i, c := range cols {
		items[i] = Item{c.Name, &Col{Name: c.Name, T: c.Type}}
	}
	return items
}

// Text gives the tree as text: an operator a line, inputs indented below it.
func Text(r Rel) string {
	var b strings.Builder
	write(&b, r, 0)
	return b.String()
}

func write(b *strings.Builder, r Rel, depth int) {
	b.WriteString(strings.Repeat("  ", depth))
	r.describe(b)
	b.WriteByte('\n')
	for _, in := range r.Inputs() {
		write(b, in, depth+1)
	}
}

// Walk calls f for every node of the tree, tables within expressions included, inputs first.
func Walk(r Rel, f func(Rel)) {
	for _, in := range r.Inputs() {
		Walk(in, f)
	}
	r.Exprs(func(e Expr) Expr {
		WalkExpr(e, func(e Expr) {
			switch e := e.(type) {
			case *InTable:
				Walk(e.Rel, f)
			case *Scalar:
				Walk(e.Rel, f)
			}
		})
		return e
	})
	f(r)
}

// Map rebuilds the tree from its leaves: f is given every node with its inputs rebuilt, tables within
// expressions included. A node reached twice is rebuilt once and stays shared.
func Map(r Rel, f func(Rel) Rel) Rel { return mapper{nil, f, map[Rel]Rel{}}.rel(r) }

// replace rebuilds the tree from its root: what f gives another node for is that one, and is not
// looked into. A node reached twice is replaced once and stays shared.
func replace(r Rel, f func(Rel) (Rel, bool)) Rel {
	return mapper{f, func(r Rel) Rel { return r }, map[Rel]Rel{}}.rel(r)
}

type mapper struct {
	enter func(Rel) (Rel, bool) // nil enters every node
	leave func(Rel) Rel
	done  map[Rel]Rel
}

func (m mapper) rel(r Rel) Rel {
	if d, ok := m.done[r]; ok {
		return d
	}
	if m.enter != nil {
		if n, ok := m.enter(r); ok {
			m.done[r] = n
			return n
		}
	}
	n := r
	if ins := r.Inputs(); len(ins) > 0 {
		out := make([]Rel, len(ins))
		for i, in := range ins {
			out[i] = m.rel(in)
		}
		n = n.With(out)
	}
	n = n.Exprs(func(e Expr) Expr {
		return MapExpr(e, func(e Expr) Expr {
			switch e := e.(type) {
			case *InTable:
				c := *e
				c.Rel = m.rel(e.Rel)
				return &c
			case *Scalar:
				c := *e
				c.Rel = m.rel(e.Rel)
				return &c
			}
			return e
		})
	})
	n = m.leave(n)
	m.done[r] = n
	return n
}
