package rel

import (
	"fmt"
	"slices"
	"strings"

	"glassward/kql/value"
)

// Expand makes a row of every element of dynamic values: mv-expand. Several items run side by side,
// the shorter ones filled with null. A null leaves one row with null, an empty array or bag leaves none.
type Expand struct {
	In    Rel
	Items []ExpandItem
	Index string // name of the column that counts the elements from 0, or ""
	Limit int64  // rows made of one row at most; 0 = no limit given
	Drop  bool   // a null leaves no row either (mv-apply)
	Array bool   // bags become ["key", value] instead of {"key": value}
}

// ExpandItem is one value to expand. The column Name takes the place of one of that name, or is
// added at the end. Type is Dynamic, or what the elements are converted to.
type ExpandItem struct {
	Name string
	Expr Expr
	T    value.Type
}

func (n *Expand) Columns() []Column {
	cols := slices.Clone(n.In.Columns())
	set := func(c Column) {
		if i := Index(cols, c.Name); i >= 0 {
			cols[i] = c
		} else {
			cols = append(cols, c)
		}
	}
	for _, it := range n.Items {
		set(Column{it.Name, it.T})
	}
	if n.Index != "" {
		set(Column{n.Index, value.Long})
	}
	return cols
}
func (n *Expand) Inputs() []Rel { return []Rel{n.In} }
func (n *Expand) With(in []Rel) Rel {
	c := *n
	c.In = in[0]
	return &c
}
func (n *Expand) Exprs(f func(Expr) Expr) Rel {
	c := *n
	c.Items = slices.Clone(n.Items)
	for i := range c.Items {
		c.Items[i].Expr = f(c.Items[i].Expr)
	}
	return &c
}
func (n *Expand) describe(b *strings.Builder) {
	b.WriteString("expand ")
	for i, it := range n.Items {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%s = %s", quoteName(it.Name), it.Expr)
		if it.T != value.Dynamic {
			b.WriteString(" to " + it.T.String())
		}
	}
	if n.Index != "" {
		b.WriteString(" index " + quoteName(n.Index))
	}
	if n.Limit > 0 {
		fmt.Fprintf(b, " limit %d", n.Limit)
	}
}
func (n *Expand) carry(_ Column, in []Rel, _ []bool) Rel {
	// The carried column is the input's last; the node's own new columns follow it, which harms
	// nobody, since columns are found by name.
	return n.With(in)
}
func (n *Expand) mixes() string { return "" }
