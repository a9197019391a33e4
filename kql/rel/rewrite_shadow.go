package rel

import (
	"slices"

	"glassward/kql/value"
)

// UseShadows lets tostring() of a path read the hidden column that the store keeps for it. The hidden
// columns are carried from the scan as far up as the column they belong to is passed on unchanged.
func UseShadows(r Rel) Rel {
	s := &shadower{done: map[Rel]shadowed{}}
	out := s.visit(r).rel
	if len(out.Columns()) != len(r.Columns()) {
		out = keepOrder(out, Refs(r.Columns()))
	}
	return out
}

// shadowed is a rewritten node and the hidden columns of its result: column and path → name.
type shadowed struct {
	rel  Rel
	have map[string]Column
}

type shadower struct {
	done map[Rel]shadowed
}

func (s *shadower) visit(r Rel) shadowed {
	if d, ok := s.done[r]; ok {
		return d
	}
	ins := r.Inputs()
	in := make([]Rel, len(ins))
	var have map[string]Column
	for i, x := range ins {
		v := s.visit(x)
		in[i] = v.rel
		have = v.have
	}
	if len(ins) != 1 {
		have = nil
	}
	n := r
	if len(ins) > 0 {
		n = n.With(in)
	}
	n = n.Exprs(func(e Expr) Expr { return s.expr(e, have) })
	out := shadowed{rel: n}
	switch x := n.(type) {
	case *Scan:
		if len(x.Table.Shadows) > 0 {
			c := &Scan{x.Table, slices.Clone(x.Cols)}
			out.have = map[string]Column{}
			for _, sh := range x.Table.Shadows {
				if Index(c.Cols, sh.Name) < 0 && Index(c.Cols, sh.Column) >= 0 {
					c.Cols = append(c.Cols, Column{sh.Name, sh.Type})
					out.have[sh.Column+"\x00"+sh.Path] = Column{sh.Name, sh.Type}
				}
			}
			out.rel = c
		}
	case *Filter, *Sort, *Limit:
		out.have = have
	case *Expand:
		out.have = map[string]Column{}
		for k, c := range have {
			if !slices.ContainsFunc(x.Items, func(it ExpandItem) bool { return it.Name == columnOf(k) || it.Name == c.Name }) && x.Index != c.Name {
				out.have[k] = c
			}
		}
	case *Project:
		if len(have) == 0 {
			break
		}
		items := slices.Clone(x.Items)
		out.have = map[string]Column{}
		names := map[string]bool{}
		for _, it := range items {
			names[it.Name] = true
		}
		for _, it := range x.Items {
			c, ok := it.Expr.(*Col)
			if !ok || c.T != value.Dynamic {
				continue
			}
			for k, sh := range have {
				if columnOf(k) != c.Name {
					continue
				}
				if names[sh.Name] && !slices.ContainsFunc(items, func(o Item) bool {
					oc, same := o.Expr.(*Col)
					return same && o.Name == sh.Name && oc.Name == sh.Name
				}) {
					continue
				}
				if !names[sh.Name] {
					names[sh.Name] = true
					items = append(items, Item{sh.Name, &Col{Name: sh.Name, T: sh.Type}})
				}
				out.have[it.Name+k[len(c.Name):]] = sh
			}
		}
		added := items[len(x.Items):]
		slices.SortFunc(added, func(a, b Item) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		})
		out.rel = &Project{x.In, items}
	case *Union:
		// All branches must keep the same columns.
		cut := make([]Rel, len(x.Ins))
		for i, in := range x.Ins {
			cut[i] = in
			if cols := r.(*Union).Ins[i].Columns(); len(cols) != len(in.Columns()) {
				cut[i] = &Project{in, Refs(cols)}
			}
		}
		out.rel = &Union{cut}
	}
	s.done[r] = out
	return out
}

func columnOf(key string) string {
	for i := 0; i < len(key); i++ {
		if key[i] == 0 {
			return key[:i]
		}
	}
	return key
}

// expr replaces the text of a path by the hidden column that holds it.
func (s *shadower) expr(e Expr, have map[string]Column) Expr {
	find := func(e Expr) *Col {
		p, ok := e.(*Path)
		if !ok {
			return nil
		}
		c, ok := p.X.(*Col)
		if !ok {
			return nil
		}
		sh, ok := have[c.Name+"\x00"+StepsText(p.Steps)]
		if !ok || sh.Type != value.String {
			return nil
		}
		return &Col{Name: sh.Name, T: sh.Type}
	}
	return MapExpr(e, func(e Expr) Expr {
		switch x := e.(type) {
		case *InTable:
			return &InTable{x.X, s.visit(x.Rel).rel, x.Fold, x.Not}
		case *Scalar:
			v := s.visit(x.Rel).rel
			return &Scalar{v, x.T}
		case *Call:
			switch x.Func {
			case "tostring":
				if c := find(x.Args[0]); c != nil {
					return c
				}
			case "==", "!=", "in":
				// The hidden column has the empty text where the path leads nowhere, which is unequal to
				// every other text, as null is.
				t, ok := x.Args[0].(*Call)
				if !ok || t.Func != "dynamic_text" {
					break
				}
				for _, a := range x.Args[1:] {
					if k, ok := a.(*Const); !ok || k.Value == nil || k.Value == "" {
						return e
					}
				}
				if c := find(t.Args[0]); c != nil {
					return &Call{x.Func, append([]Expr{c}, x.Args[1:]...), x.T}
				}
			}
		}
		return e
	})
}
