package rel

import (
	"fmt"
	"strings"
)

// Values is a table of constants: a datatable, a watchlist, what print makes.
type Values struct {
	Cols []Column
	Rows [][]Expr
}

func (n *Values) Columns() []Column { return n.Cols }
func (n *Values) Inputs() []Rel     { return nil }
func (n *Values) With([]Rel) Rel    { return n }
func (n *Values) mixes() string     { return "" }

func (n *Values) Exprs(f func(Expr) Expr) Rel {
	rows := make([][]Expr, len(n.Rows))
	for i, r := range n.Rows {
		rows[i] = make([]Expr, len(r))
		for j, e := range r {
			rows[i][j] = f(e)
		}
	}
	return &Values{n.Cols, rows}
}

func (n *Values) describe(b *strings.Builder) {
	b.WriteString("values (")
	for i, c := range n.Cols {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%s:%s", quoteName(c.Name), c.Type)
	}
	fmt.Fprintf(b, ") %d rows", len(n.Rows))
	if len(n.Rows) == 1 {
		b.WriteString(": ")
		for i, e := range n.Rows[0] {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(e.String())
		}
	}
}

func (n *Values) carry(col Column, _ []Rel, _ []bool) Rel { return emptyLineage(n, col) }

// emptyLineage gives a source that no record stands behind an empty list.
func emptyLineage(n Rel, col Column) Rel {
	return &Project{n, append(Refs(n.Columns()), Item{col.Name, &Const{nil, col.Type}})}
}
