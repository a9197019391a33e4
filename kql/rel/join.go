package rel

import (
	"slices"
	"strings"
)

// JoinKind is the flavour of a join. InnerUnique is Inner over a deduplicated left side, which the
// binder makes.
type JoinKind uint8

// The flavours of join.
const (
	Inner JoinKind = iota
	LeftOuter
	RightOuter
	FullOuter
	LeftSemi
	LeftAnti
	RightSemi
	RightAnti
)

// String gives the flavour as KQL spells it.
func (k JoinKind) String() string {
	return [...]string{"inner", "leftouter", "rightouter", "fullouter", "leftsemi", "leftanti", "rightsemi", "rightanti"}[k]
}

// JoinColumn is a column of a join's result.
type JoinColumn struct {
	Name string
	From Col // with its Side
}

// Join pairs rows of L and R for which every condition of On holds. Conditions compare an expression
// of the left with one of the right; two nulls are equal, as in Kusto.
type Join struct {
	Kind JoinKind
	L, R Rel
	On   []JoinKey
	Out  []JoinColumn
}

// JoinKey is one equality: L over the left side's columns, R over the right side's.
type JoinKey struct {
	L, R Expr
}

func (n *Join) Columns() []Column {
	cols := make([]Column, len(n.Out))
	for i, o := range n.Out {
		cols[i] = Column{o.Name, o.From.T}
	}
	return cols
}
func (n *Join) Inputs() []Rel { return []Rel{n.L, n.R} }
func (n *Join) With(in []Rel) Rel {
	return &Join{n.Kind, in[0], in[1], n.On, n.Out}
}
func (n *Join) Exprs(f func(Expr) Expr) Rel {
	on := make([]JoinKey, len(n.On))
	for i, k := range n.On {
		on[i] = JoinKey{f(k.L), f(k.R)}
	}
	return &Join{n.Kind, n.L, n.R, on, n.Out}
}
func (n *Join) describe(b *strings.Builder) {
	b.WriteString("join " + n.Kind.String() + " on ")
	for i, k := range n.On {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(k.L.String() + " == " + k.R.String())
	}
}

// LineageRight is the name under which the right side's list of record ids comes out of a join
// before both lists become one.
const LineageRight = "$lineage_right"

func (n *Join) carry(col Column, in []Rel, has []bool) Rel {
	out := slices.Clone(n.Out)
	j := &Join{n.Kind, in[0], in[1], n.On, nil}
	left := n.Kind != RightSemi && n.Kind != RightAnti
	right := n.Kind != LeftSemi && n.Kind != LeftAnti
	switch {
	case left && right:
		j.Out = append(out, JoinColumn{col.Name, Col{col.Name, col.Type, Left}}, JoinColumn{LineageRight, Col{col.Name, col.Type, Right}})
		both := &Call{LineageConcat, []Expr{&Col{Name: col.Name, T: col.Type}, &Col{Name: LineageRight, T: col.Type}}, col.Type}
		return &Project{j, append(Refs(n.Columns()), Item{col.Name, both})}
	case left:
		j.Out = append(out, JoinColumn{col.Name, Col{col.Name, col.Type, Left}})
	default:
		j.Out = append(out, JoinColumn{col.Name, Col{col.Name, col.Type, Right}})
	}
	return j
}

func (n *Join) mixes() string { return "join pairs records with each other" }
