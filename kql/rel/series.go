package rel

import (
	"strings"

	"glassward/kql/value"
)

// Series counts from From to To by Step: the operator range. More rows than MaxSeries are an error.
type Series struct {
	Name           string
	T              value.Type
	From, To, Step Expr
}

// MaxSeries is the most rows that range makes.
const MaxSeries = 10_000_000

func (n *Series) Columns() []Column { return []Column{{n.Name, n.T}} }
func (n *Series) Inputs() []Rel     { return nil }
func (n *Series) With([]Rel) Rel    { return n }
func (n *Series) mixes() string     { return "" }
func (n *Series) Exprs(f func(Expr) Expr) Rel {
	return &Series{n.Name, n.T, f(n.From), f(n.To), f(n.Step)}
}
func (n *Series) describe(b *strings.Builder) {
	b.WriteString("range " + quoteName(n.Name) + " from " + n.From.String() + " to " + n.To.String() + " step " + n.Step.String())
}
func (n *Series) carry(col Column, _ []Rel, _ []bool) Rel { return emptyLineage(n, col) }
