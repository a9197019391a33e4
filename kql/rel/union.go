package rel

import "strings"

// Union is the rows of all inputs, which have the same columns in the same order.
type Union struct {
	Ins []Rel
}

func (n *Union) Columns() []Column                      { return n.Ins[0].Columns() }
func (n *Union) Inputs() []Rel                          { return n.Ins }
func (n *Union) With(in []Rel) Rel                      { return &Union{in} }
func (n *Union) Exprs(func(Expr) Expr) Rel              { return n }
func (n *Union) describe(b *strings.Builder)            { b.WriteString("union") }
func (n *Union) carry(_ Column, in []Rel, _ []bool) Rel { return &Union{in} }
func (n *Union) mixes() string                          { return "" }
