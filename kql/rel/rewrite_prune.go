package rel

// Prune narrows every scan and every table of constants to the columns that the tree reads, so that the
// engine is asked for nothing else and the SQL stays short. Projections and aggregates lose items that nobody reads.
func Prune(r Rel) Rel {
	p := &pruner{need: map[Rel]map[string]bool{}}
	all := map[string]bool{}
	for _, c := range r.Columns() {
		all[c.Name] = true
	}
	p.mark(r, all)
	return Map2(r, p.narrow)
}

type pruner struct {
	need map[Rel]map[string]bool // columns that are read, by node
}

// want notes that columns of a node are read, and says whether any is new.
func (p *pruner) want(r Rel, cols map[string]bool) bool {
	have, ok := p.need[r]
	if !ok {
		have = map[string]bool{}
		p.need[r] = have
	}
	added := !ok
	for c := range cols {
		if !have[c] {
			have[c] = true
			added = true
		}
	}
	return added
}

func (p *pruner) mark(r Rel, cols map[string]bool) {
	if !p.want(r, cols) {
		return
	}
	need := p.need[r]
	refs := func(out map[string]bool, side Side, es ...Expr) {
		for _, e := range es {
			if e == nil {
				continue
			}
			WalkExpr(e, func(e Expr) {
				switch e := e.(type) {
				case *Col:
					if e.Side == side {
						out[e.Name] = true
					}
				case *InTable:
					p.markAll(e.Rel)
				case *Scalar:
					p.markAll(e.Rel)
				}
			})
		}
	}
	switch n := r.(type) {
	case *Filter:
		in := clone(need)
		refs(in, Sole, n.Cond)
		p.mark(n.In, in)
	case *Project:
		in := map[string]bool{}
		for _, it := range n.Items {
			if need[it.Name] {
				refs(in, Sole, it.Expr)
			}
		}
		p.mark(n.In, in)
	case *Sort:
		in := clone(need)
		for _, k := range n.Keys {
			refs(in, Sole, k.Expr)
		}
		p.mark(n.In, in)
	case *Limit:
		in := clone(need)
		for _, k := range n.Keys {
			refs(in, Sole, k.Expr)
		}
		refs(in, Sole, n.Per...)
		refs(in, Sole, n.N)
		p.mark(n.In, in)
	case *Join:
		l, rr := map[string]bool{}, map[string]bool{}
		for _, k := range n.On {
			refs(l, Left, k.L, k.R)
			refs(rr, Right, k.L, k.R)
		}
		for _, o := range n.Out {
			if !need[o.Name] {
				continue
			}
			if o.From.Side == Left {
				l[o.From.Name] = true
			} else {
				rr[o.From.Name] = true
			}
		}
		p.mark(n.L, l)
		p.mark(n.R, rr)
	case *Expand:
		in := clone(need)
		for _, it := range n.Items {
			if Index(n.In.Columns(), it.Name) < 0 {
				delete(in, it.Name)
			}
			refs(in, Sole, it.Expr)
		}
		if n.Index != "" && Index(n.In.Columns(), n.Index) < 0 {
			delete(in, n.Index)
		}
		p.mark(n.In, in)
	case *Union:
		for _, in := range n.Ins {
			p.mark(in, need)
		}
	case *Steps:
		in := clone(need)
		for _, c := range n.Columns() {
			if Index(n.In.Columns(), c.Name) < 0 {
				delete(in, c.Name)
			}
		}
		n.Exprs(func(e Expr) Expr {
			refs(in, Sole, e)
			return e
		})
		p.mark(n.In, in)
	case *Aggregate:
		in := map[string]bool{}
		for _, it := range n.Keys {
			refs(in, Sole, it.Expr)
		}
		for _, it := range n.read(need) {
			refs(in, Sole, it.Expr)
		}
		p.mark(n.In, in)
	default:
		in := map[string]bool{}
		r.Exprs(func(e Expr) Expr {
			refs(in, Sole, e)
			return e
		})
		if _, shared := r.(*Shared); shared {
			in = clone(need)
		}
		for _, x := range r.Inputs() {
			p.mark(x, in)
		}
	}
}

func (p *pruner) markAll(r Rel) {
	all := map[string]bool{}
	for _, c := range r.Columns() {
		all[c.Name] = true
	}
	p.mark(r, all)
}

func clone(m map[string]bool) map[string]bool {
	out := make(map[string]bool, len(m))
	for k := range m {
		out[k] = true
	}
	return out
}

// narrow leaves out of a node what nobody reads. old is the node as it was marked.
func (p *pruner) narrow(old, n Rel) Rel {
	need := p.need[old]
	switch n := n.(type) {
	case *Scan:
		var cols []Column
		for _, c := range n.Cols {
			if need[c.Name] {
				cols = append(cols, c)
			}
		}
		return &Scan{n.Table, cols}
	case *Values:
		return n.of(need)
	case *Project:
		var items []Item
		for _, it := range n.Items {
			if need[it.Name] {
				items = append(items, it)
			}
		}
		if identity(items, n.In.Columns()) {
			return n.In
		}
		return &Project{n.In, items}
	case *Aggregate:
		return &Aggregate{n.In, n.Keys, n.read(need)}
	case *Join:
		c := *n
		c.Out = nil
		for _, o := range n.Out {
			if need[o.Name] {
				c.Out = append(c.Out, o)
			}
		}
		return &c
	case *Union:
		// Branches may have kept columns of their own, needed there by an operator: all give the same.
		ins := make([]Rel, len(n.Ins))
		for i, in := range n.Ins {
			var cols []Column
			for _, c := range in.Columns() {
				if need[c.Name] {
					cols = append(cols, c)
				}
			}
			ins[i] = in
			if len(cols) != len(in.Columns()) {
				ins[i] = &Project{in, Refs(cols)}
			}
		}
		return &Union{ins}
	}
	return n
}

// read gives the aggregates that are needed; at least one where there are no keys, since that row is there whatever
// is read of it.
func (n *Aggregate) read(need map[string]bool) []Item {
	var out []Item
	for _, a := range n.Aggs {
		if need[a.Name] {
			out = append(out, a)
		}
	}
	if len(out) == 0 && len(n.Keys) == 0 && len(n.Aggs) > 0 {
		return n.Aggs[:1]
	}
	return out
}

// of narrows a table of constants to some of its columns, at least one: rows without any would be lost.
func (n *Values) of(need map[string]bool) *Values {
	var keep []int
	for i, c := range n.Cols {
		if need[c.Name] {
			keep = append(keep, i)
		}
	}
	if len(keep) == 0 && len(n.Cols) > 0 {
		keep = []int{0}
	}
	if len(keep) == len(n.Cols) {
		return n
	}
	out := &Values{Rows: make([][]Expr, len(n.Rows))}
	for _, i := range keep {
		out.Cols = append(out.Cols, n.Cols[i])
	}
	for k, row := range n.Rows {
		for _, i := range keep {
			out.Rows[k] = append(out.Rows[k], row[i])
		}
	}
	return out
}

// identity says whether items pass all columns through in their order.
func identity(items []Item, cols []Column) bool {
	if len(items) != len(cols) {
		return false
	}
	for i, it := range items {
		if c, ok := it.Expr.(*Col); !ok || it.Name != c.Name || c.Name != cols[i].Name {
			return false
		}
	}
	return true
}

// Map2 is Map for a function that is given each node both as it was and rebuilt.
func Map2(r Rel, f func(old, rebuilt Rel) Rel) Rel {
	done := map[Rel]Rel{}
	var visit func(Rel) Rel
	visit = func(r Rel) Rel {
		if d, ok := done[r]; ok {
			return d
		}
		n := r
		if ins := r.Inputs(); len(ins) > 0 {
			out := make([]Rel, len(ins))
			for i, in := range ins {
				out[i] = visit(in)
			}
			n = n.With(out)
		}
		n = n.Exprs(func(e Expr) Expr {
			return MapExpr(e, func(e Expr) Expr {
				switch e := e.(type) {
				case *InTable:
					return &InTable{e.X, visit(e.Rel), e.Fold, e.Not}
				case *Scalar:
					return &Scalar{visit(e.Rel), e.T}
				}
				return e
			})
		})
		n = f(r, n)
		done[r] = n
		return n
	}
	return visit(r)
}
