package rel

import (
	"fmt"
	"strings"
)

// Scan reads a stored table. Cols are the columns that are read, hidden ones included.
type Scan struct {
	Table *Table
	Cols  []Column
}

// NewScan reads all visible columns of a table.
func NewScan(t *Table) *Scan { return &Scan{t, t.Columns} }

func (n *Scan) Columns() []Column         { return n.Cols }
func (n *Scan) Inputs() []Rel             { return nil }
func (n *Scan) With([]Rel) Rel            { return n }
func (n *Scan) Exprs(func(Expr) Expr) Rel { return n }
func (n *Scan) mixes() string             { return "" }
func (n *Scan) describe(b *strings.Builder) {
	b.WriteString("scan ")
	if n.Table.Workspace != "" {
		b.WriteString(quoteName(n.Table.Workspace) + ".")
	}
	b.WriteString(quoteName(n.Table.Name) + " (")
	if len(n.Cols) > describedColumns {
		fmt.Fprintf(b, "%d columns", len(n.Cols))
	} else {
		for i, c := range n.Cols {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quoteName(c.Name))
		}
	}
	b.WriteByte(')')
}

// describedColumns is how many columns of a scan its line names; of more it gives the number.
const describedColumns = 8

func (n *Scan) carry(col Column, _ []Rel, _ []bool) Rel {
	cols := n.Cols
	item := &Col{Name: ItemColumn}
	if i := Index(n.Table.Columns, ItemColumn); i >= 0 {
		item.T = n.Table.Columns[i].Type
	}
	inner := n
	if Index(cols, ItemColumn) < 0 {
		inner = &Scan{n.Table, append(append([]Column(nil), cols...), Column{ItemColumn, item.T})}
	}
	return &Project{inner, append(Refs(cols), Item{col.Name, &Call{LineageOne, []Expr{item}, col.Type}})}
}
