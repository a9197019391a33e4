package rel

import (
	"fmt"
	"strings"
)

// Limit keeps N rows: the first by Keys, or, without Keys, any (the first where the input is
// ordered). With Per it keeps N of each group of rows that agree in Per.
type Limit struct {
	In   Rel
	N    Expr
	Keys []SortKey
	Per  []Expr
}

func (n *Limit) Columns() []Column { return n.In.Columns() }
func (n *Limit) Inputs() []Rel     { return []Rel{n.In} }
func (n *Limit) With(in []Rel) Rel { return &Limit{in[0], n.N, n.Keys, n.Per} }
func (n *Limit) Exprs(f func(Expr) Expr) Rel {
	per := make([]Expr, len(n.Per))
	for i, e := range n.Per {
		per[i] = f(e)
	}
	if n.Per == nil {
		per = nil
	}
	return &Limit{n.In, f(n.N), mapKeys(n.Keys, f), per}
}
func (n *Limit) describe(b *strings.Builder) {
	fmt.Fprintf(b, "limit %s", n.N)
	if len(n.Keys) > 0 {
		b.WriteString(" by ")
		describeKeys(b, n.Keys)
	}
	for i, e := range n.Per {
		if i == 0 {
			b.WriteString(" per ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(e.String())
	}
}
func (n *Limit) carry(_ Column, in []Rel, _ []bool) Rel { return n.With(in) }
func (n *Limit) mixes() string                          { return "take and top choose among several records" }
