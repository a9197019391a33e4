package rel

// Pushdown moves conditions towards the records, past what the engine does not move them past by
// itself: the expansion of dynamic values.
func Pushdown(r Rel) Rel {
	return Map(r, func(r Rel) Rel {
		f, ok := r.(*Filter)
		if !ok || f.mixes() != "" {
			return r
		}
		var keep []Expr
		in := f.In
		for _, c := range Conjuncts(f.Cond) {
			if out, ok := sink(in, c); ok {
				in = out
			} else {
				keep = append(keep, c)
			}
		}
		if len(keep) == len(Conjuncts(f.Cond)) {
			return r
		}
		if len(keep) == 0 {
			return in
		}
		return &Filter{in, join(keep, "and")}
	})
}

// sink puts a condition below the first expansion under r, if it speaks of nothing that was expanded
// or computed on the way.
func sink(r Rel, c Expr) (Rel, bool) {
	switch n := r.(type) {
	case *Filter:
		if n.mixes() != "" {
			return nil, false
		}
		if in, ok := sink(n.In, c); ok {
			return &Filter{in, n.Cond}, true
		}
	case *Project:
		if n.mixes() != "" {
			return nil, false
		}
		ok := true
		below := MapExpr(c, func(e Expr) Expr {
			col, is := e.(*Col)
			if !is {
				return e
			}
			for _, it := range n.Items {
				if it.Name == col.Name {
					if _, plain := it.Expr.(*Col); plain {
						return it.Expr
					}
				}
			}
			ok = false
			return e
		})
		if !ok {
			return nil, false
		}
		if in, ok := sink(n.In, below); ok {
			return &Project{in, n.Items}, true
		}
	case *Expand:
		ok := true
		WalkExpr(c, func(e Expr) {
			col, is := e.(*Col)
			if !is {
				return
			}
			for _, it := range n.Items {
				ok = ok && it.Name != col.Name
			}
			ok = ok && n.Index != col.Name
		})
		if !ok {
			return nil, false
		}
		if in, ok := sink(n.In, c); ok {
			return n.With([]Rel{in}), true
		}
		return n.With([]Rel{&Filter{n.In, c}}), true
	}
	return nil, false
}
