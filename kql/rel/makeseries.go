package rel

import (
	"slices"
	"strings"

	"glassward/kql/value"
)

// MakeSeries makes one row of the rows that agree in Keys: an array of each aggregate over the axis
// from From to To by Step, and an array of the axis. From and To are nil if the data decide them.
// To is excluded unless Inclusive. NonEmpty gives a row even if there are none, where From and To are known.
type MakeSeries struct {
	In             Rel
	Keys           []Item
	Axis           Item
	From, To, Step Expr
	Inclusive      bool
	NonEmpty       bool
	Aggs           []SeriesItem
	Carried        []Item // aggregates over all rows of a group, for rewrites
}

// SeriesItem is one aggregate of a MakeSeries and the value where there are no rows.
type SeriesItem struct {
	Name    string
	Agg     Expr
	Default Expr
}

// Columns gives the keys, the series and the axis.
func (n *MakeSeries) Columns() []Column {
	cols := itemColumns(n.Keys)
	for _, a := range n.Aggs {
		cols = append(cols, Column{a.Name, value.Dynamic})
	}
	cols = append(cols, Column{n.Axis.Name, value.Dynamic})
	return append(cols, itemColumns(n.Carried)...)
}
func (n *MakeSeries) Inputs() []Rel { return []Rel{n.In} }
func (n *MakeSeries) With(in []Rel) Rel {
	c := *n
	c.In = in[0]
	return &c
}
func (n *MakeSeries) Exprs(f func(Expr) Expr) Rel {
	c := *n
	c.Keys = mapItems(n.Keys, f)
	c.Axis = Item{n.Axis.Name, f(n.Axis.Expr)}
	if n.From != nil {
		c.From = f(n.From)
	}
	if n.To != nil {
		c.To = f(n.To)
	}
	c.Step = f(n.Step)
	c.Aggs = slices.Clone(n.Aggs)
	for i := range c.Aggs {
		c.Aggs[i].Agg, c.Aggs[i].Default = f(c.Aggs[i].Agg), f(c.Aggs[i].Default)
	}
	c.Carried = mapItems(n.Carried, f)
	return &c
}
func (n *MakeSeries) describe(b *strings.Builder) {
	b.WriteString("make-series ")
	for i, a := range n.Aggs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteName(a.Name) + " = " + a.Agg.String())
	}
	b.WriteString(" on " + n.Axis.Expr.String() + " step " + n.Step.String())
	if len(n.Keys) > 0 {
		b.WriteString(" by ")
		describeItems(b, n.Keys)
	}
}
func (n *MakeSeries) carry(col Column, in []Rel, _ []bool) Rel {
	c := *n
	c.In = in[0]
	c.Carried = append(slices.Clone(n.Carried), Item{col.Name, &Call{LineageMerge, []Expr{&Col{Name: col.Name, T: col.Type}}, col.Type}})
	return &c
}
func (n *MakeSeries) mixes() string { return "make-series joins several records into one row" }
