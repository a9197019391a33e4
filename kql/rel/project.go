package rel

import (
	"slices"
	"strings"
)

// Project computes each column of its result from one row of the input: project, extend, parse and
// their kin. Items may hold window functions, which read neighbouring rows in the input's order.
type Project struct {
	In    Rel
	Items []Item
}

func (n *Project) Columns() []Column           { return itemColumns(n.Items) }
func (n *Project) Inputs() []Rel               { return []Rel{n.In} }
func (n *Project) With(in []Rel) Rel           { return &Project{in[0], n.Items} }
func (n *Project) Exprs(f func(Expr) Expr) Rel { return &Project{n.In, mapItems(n.Items, f)} }

func (n *Project) describe(b *strings.Builder) {
	if k := n.extends(); k > 0 && k < len(n.Items) {
		b.WriteString("extend ")
		describeItems(b, n.Items[k:])
		return
	}
	b.WriteString("project ")
	describeItems(b, n.Items)
}

// extends gives how many leading items pass the whole input through unchanged, or 0.
func (n *Project) extends() int {
	cols := n.In.Columns()
	if len(n.Items) < len(cols) {
		return 0
	}
	for i, c := range cols {
		if r, ok := n.Items[i].Expr.(*Col); !ok || r.Name != c.Name || n.Items[i].Name != c.Name {
			return 0
		}
	}
	return len(cols)
}

func (n *Project) carry(col Column, in []Rel, _ []bool) Rel {
	return &Project{in[0], append(slices.Clone(n.Items), Item{col.Name, &Col{Name: col.Name, T: col.Type}})}
}

func (n *Project) mixes() string {
	for _, it := range n.Items {
		if why := windowUse([]Expr{it.Expr}); why != "" {
			return why
		}
	}
	return ""
}

// windowFuncs are the functions that read other rows.
var windowFuncs = [...]string{"prev", "next", "row_number", "row_cumsum", "row_rank_dense", "row_rank_min", "row_window_session", "row_changed", "row_run_start"}

// IsWindow says whether a function reads other rows of its table.
func IsWindow(name string) bool { return slices.Contains(windowFuncs[:], name) }

func windowUse(es []Expr) string {
	why := ""
	for _, e := range es {
		WalkExpr(e, func(e Expr) {
			if c, ok := e.(*Call); ok && IsWindow(c.Func) {
				why = c.Func + "() reads neighbouring rows"
			}
		})
	}
	return why
}
