package rel

import "glassward/kql/value"

// maxFused bounds how deep the expressions of a fused projection become: the engine has a bound of its own.
const maxFused = 40

// Fuse makes one filter of two that follow one another, and one projection of two: extend after extend. What the
// first computes is put where the second reads it, if it is read there once; a column or a constant is put
// everywhere. The engine does this too, but only after it has bound every column of every step.
func Fuse(r Rel) Rel {
	return Map(r, func(r Rel) Rel {
		switch n := r.(type) {
		case *Filter:
			if in, ok := n.In.(*Filter); ok && n.mixes() == "" && in.mixes() == "" {
				return &Filter{in.In, &Call{"and", append(Conjuncts(in.Cond), Conjuncts(n.Cond)...), value.Bool}}
			}
		case *Project:
			if in, ok := n.In.(*Project); ok {
				if items := fuse(n, in); items != nil {
					return &Project{in.In, items}
				}
			}
		}
		return r
	})
}

// fuse gives the items of n over the input of in, nil if the two stay apart.
func fuse(n, in *Project) []Item {
	if !rowwise(n) || !rowwise(in) || len(n.Items) == 0 || len(in.Items) == 0 {
		return nil
	}
	given := make(map[string]Expr, len(in.Items))
	for _, it := range in.Items {
		given[it.Name] = it.Expr
	}
	reads := map[string]int{}
	for _, it := range n.Items {
		WalkExpr(it.Expr, func(e Expr) {
			if c, ok := e.(*Col); ok {
				reads[c.Name]++
			}
		})
	}
	for name, times := range reads {
		switch e := given[name].(type) {
		case *Col:
		case *Const:
			if text, ok := e.Value.(string); ok && len(text) > 64 && times > 1 {
				return nil
			}
		default:
			if times > 1 || e == nil {
				return nil
			}
		}
	}
	items := make([]Item, len(n.Items))
	for i, it := range n.Items {
		items[i] = Item{it.Name, MapExpr(it.Expr, func(e Expr) Expr {
			if c, ok := e.(*Col); ok {
				return given[c.Name]
			}
			return e
		})}
		if depth(items[i].Expr) > maxFused {
			return nil
		}
	}
	return items
}

// rowwise says that a projection computes each row from that row alone, without counting rows.
func rowwise(n *Project) bool {
	if n.mixes() != "" {
		return false
	}
	ok := true
	for _, it := range n.Items {
		WalkExpr(it.Expr, func(e Expr) {
			if c, isCall := e.(*Call); isCall && c.Func == "row_id" {
				ok = false
			}
		})
	}
	return ok
}

// depth gives how many calls stand within one another at most.
func depth(e Expr) int {
	d := 0
	switch e := e.(type) {
	case *Call:
		for _, a := range e.Args {
			d = max(d, depth(a))
		}
	case *Path:
		d = depth(e.X)
	case *InTable:
		d = depth(e.X)
	default:
		return 0
	}
	return d + 1
}
