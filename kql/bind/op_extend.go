package bind

import (
	"slices"

	"glassward/kql/rel"
	"glassward/kql/syntax"
)

func (b *binder) extend(items []*syntax.NamedExpr, in *table, sc *scope) *table {
	if len(items) == 0 {
		return in
	}
	e := &env{sc: sc, cols: in.cols(), open: in.open, windows: true}
	out := rel.Refs(in.cols())
	n := newNames(in.cols())
	for _, it := range items {
		for _, x := range b.items(it, e, n, false) {
			if i := slices.IndexFunc(out, func(o rel.Item) bool { return o.Name == x.Name }); i >= 0 {
				out[i] = x
			} else {
				out = append(out, x)
			}
		}
	}
	return in.with(b.projection(in.rel, out))
}

// projection makes a Project, with window functions within window functions computed before.
func (b *binder) projection(in rel.Rel, items []rel.Item) rel.Rel {
	base := in
	for i := range items {
		if call, ok := items[i].Expr.(*rel.Call); ok && rel.IsWindow(call.Func) && !nestedWindow(call) {
			continue
		}
		base, items[i].Expr = b.liftWindows(base, items[i].Expr)
	}
	return &rel.Project{In: base, Items: items}
}

func nestedWindow(c *rel.Call) bool {
	n := 0
	rel.WalkExpr(c, func(e rel.Expr) {
		if c, ok := e.(*rel.Call); ok && rel.IsWindow(c.Func) {
			n++
		}
	})
	return n > 1
}

// liftWindows computes the window functions of an expression as hidden columns of a projection below
// it, innermost first, and gives that projection and the expression over it.
func (b *binder) liftWindows(in rel.Rel, e rel.Expr) (rel.Rel, rel.Expr) {
	e = rel.MapExpr(e, func(x rel.Expr) rel.Expr {
		c, ok := x.(*rel.Call)
		if !ok || !rel.IsWindow(c.Func) {
			return x
		}
		name := b.hiddenName("window")
		in = &rel.Project{In: in, Items: append(rel.Refs(in.Columns()), rel.Item{Name: name, Expr: c})}
		return &rel.Col{Name: name, T: c.T}
	})
	return in, e
}
