package rel

import "strings"

// Shared is a table that is computed once and read by several: materialize().
type Shared struct {
	Name string // a name for people: that of the let statement, or ""
	In   Rel
}

func (n *Shared) Columns() []Column                      { return n.In.Columns() }
func (n *Shared) Inputs() []Rel                          { return []Rel{n.In} }
func (n *Shared) With(in []Rel) Rel                      { return &Shared{n.Name, in[0]} }
func (n *Shared) Exprs(func(Expr) Expr) Rel              { return n }
func (n *Shared) describe(b *strings.Builder)            { b.WriteString("materialize " + n.Name) }
func (n *Shared) carry(_ Column, in []Rel, _ []bool) Rel { return n.With(in) }
func (n *Shared) mixes() string                          { return "" }
