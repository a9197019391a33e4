package rel

import (
	"slices"

	"glassward/kql/value"
)

// Mixes says in a few words why one row of r's result may depend on several rows of its input, or "".
func Mixes(r Rel) string { return r.mixes() }

// Partition rewrites the operators from r down to the node down, so that each works within the rows
// that agree in the column key, which they carry. It gives nil where an operator cannot.
func Partition(r, down Rel, key string, t value.Type) Rel {
	k := &Col{Name: key, T: t}
	var visit func(Rel) Rel
	visit = func(r Rel) Rel {
		if r == down {
			return r
		}
		ins := r.Inputs()
		if len(ins) != 1 {
			return nil
		}
		in := visit(ins[0])
		if in == nil {
			return nil
		}
		switch n := r.(type) {
		case *Filter, *Expand:
			if n.mixes() != "" {
				return nil
			}
			return n.With([]Rel{in})
		case *Project:
			for _, it := range n.Items {
				if partitioned(it.Expr) {
					return nil
				}
			}
			items := slices.DeleteFunc(slices.Clone(n.Items), func(it Item) bool { return it.Name == key })
			for i := range items {
				items[i].Expr = within(items[i].Expr, k)
			}
			return &Project{in, append(items, Item{key, k})}
		case *Aggregate:
			return &Aggregate{in, append([]Item{{key, k}}, n.Keys...), n.Aggs}
		case *Sort:
			return &Sort{in, append([]SortKey{{Expr: k}}, n.Keys...)}
		case *Limit:
			return &Limit{in, n.N, n.Keys, append([]Expr{k}, n.Per...)}
		}
		return nil
	}
	return visit(r)
}

// partitioned says whether an expression has a window function that keeps to a part of the rows already.
func partitioned(e Expr) bool {
	found := false
	WalkExpr(e, func(e Expr) {
		if c, ok := e.(*Call); ok && c.Func == "partition" {
			found = true
		}
	})
	return found
}

// within keeps window functions to the rows that agree in a key: it becomes their last argument,
// named by the function partition.
func within(e Expr, k *Col) Expr {
	return MapExpr(e, func(e Expr) Expr {
		if c, ok := e.(*Call); ok && IsWindow(c.Func) {
			return &Call{c.Func, append(slices.Clone(c.Args), &Call{"partition", []Expr{k}, k.T}), c.T}
		}
		return e
	})
}
