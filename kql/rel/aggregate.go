package rel

import (
	"slices"
	"strings"
)

// Aggregate makes one row of the rows that agree in Keys; without Keys one row of all, even of none.
// Each of Aggs is a Call of an aggregate. Without Aggs it is distinct.
type Aggregate struct {
	In   Rel
	Keys []Item
	Aggs []Item
}

func (n *Aggregate) Columns() []Column { return append(itemColumns(n.Keys), itemColumns(n.Aggs)...) }
func (n *Aggregate) Inputs() []Rel     { return []Rel{n.In} }
func (n *Aggregate) With(in []Rel) Rel { return &Aggregate{in[0], n.Keys, n.Aggs} }
func (n *Aggregate) Exprs(f func(Expr) Expr) Rel {
	return &Aggregate{n.In, mapItems(n.Keys, f), mapItems(n.Aggs, f)}
}

func (n *Aggregate) describe(b *strings.Builder) {
	b.WriteString("aggregate ")
	describeItems(b, n.Aggs)
	if len(n.Keys) > 0 {
		if len(n.Aggs) > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("by ")
		describeItems(b, n.Keys)
	}
}

func (n *Aggregate) carry(col Column, in []Rel, _ []bool) Rel {
	merge := &Call{LineageMerge, []Expr{&Col{Name: col.Name, T: col.Type}}, col.Type}
	return &Aggregate{in[0], n.Keys, append(slices.Clone(n.Aggs), Item{col.Name, merge})}
}

func (n *Aggregate) mixes() string { return "summarize joins several records into one row" }
