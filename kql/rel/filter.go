package rel

import "strings"

// Filter keeps the rows for which Cond is true.
type Filter struct {
	In   Rel
	Cond Expr
}

func (n *Filter) Columns() []Column                      { return n.In.Columns() }
func (n *Filter) Inputs() []Rel                          { return []Rel{n.In} }
func (n *Filter) With(in []Rel) Rel                      { return &Filter{in[0], n.Cond} }
func (n *Filter) Exprs(f func(Expr) Expr) Rel            { return &Filter{n.In, f(n.Cond)} }
func (n *Filter) describe(b *strings.Builder)            { b.WriteString("filter " + n.Cond.String()) }
func (n *Filter) carry(_ Column, in []Rel, _ []bool) Rel { return n.With(in) }
func (n *Filter) mixes() string                          { return windowUse([]Expr{n.Cond}) }
