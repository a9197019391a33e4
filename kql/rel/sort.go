package rel

import (
	"strings"
)

// SortKey is one key of an ordering.
type SortKey struct {
	Expr       Expr
	Desc       bool
	NullsFirst bool
}

func describeKeys(b *strings.Builder, keys []SortKey) {
	for i, k := range keys {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(k.Expr.String())
		if k.Desc {
			b.WriteString(" desc")
		} else {
			b.WriteString(" asc")
		}
		if k.NullsFirst == k.Desc {
			b.WriteString(map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst])
		}
	}
}

func mapKeys(keys []SortKey, f func(Expr) Expr) []SortKey {
	out := make([]SortKey, len(keys))
	for i, k := range keys {
		out[i] = SortKey{f(k.Expr), k.Desc, k.NullsFirst}
	}
	return out
}

// Sort orders the rows; what follows without changing their number or joining them keeps the order.
type Sort struct {
	In   Rel
	Keys []SortKey
}

func (n *Sort) Columns() []Column                      { return n.In.Columns() }
func (n *Sort) Inputs() []Rel                          { return []Rel{n.In} }
func (n *Sort) With(in []Rel) Rel                      { return &Sort{in[0], n.Keys} }
func (n *Sort) Exprs(f func(Expr) Expr) Rel            { return &Sort{n.In, mapKeys(n.Keys, f)} }
func (n *Sort) describe(b *strings.Builder)            { b.WriteString("sort "); describeKeys(b, n.Keys) }
func (n *Sort) carry(_ Column, in []Rel, _ []bool) Rel { return n.With(in) }
func (n *Sort) mixes() string                          { return "" }
