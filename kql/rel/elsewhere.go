package rel

import "strconv"

// An Elsewhere is a part of a tree that reads tables of one other workspace alone: it is
// worked out there, and the tree reads its rows as a table of the name Table with the
// columns c1, c2 and so on.
type Elsewhere struct {
	Workspace string
	Table     string
	Rel       Rel
}

// Separate gives a tree without what lies in other workspaces, and that: as few parts as
// there can be, each as large as it can be, so that what is filtered and counted there is
// not carried here. A part that stands in the tree twice is given once.
func Separate(r Rel) (Rel, []Elsewhere) {
	s := separator{where: map[Rel]place{}}
	if p := s.of(r); !p.mixed && p.workspace == "" {
		return r, nil
	}
	r = replace(Map(r, s.distribute), s.part)
	return r, s.out
}

// distribute gives an operator over the rows of several workspaces as the union of what it
// makes of each one's: of what works on one row at a time wholly, of a choice of rows and
// of a summary as far as they can be made of what each gives.
func (s *separator) distribute(r Rel) Rel {
	ins := r.Inputs()
	if len(ins) != 1 {
		return r
	}
	u, ok := ins[0].(*Union)
	if !ok || !s.of(u).mixed || looksAside(r) {
		return r
	}
	each := func(r Rel) Rel {
		out := make([]Rel, len(u.Ins))
		for i, in := range u.Ins {
			out[i] = r.With([]Rel{in})
		}
		return &Union{out}
	}
	switch n := r.(type) {
	case *Filter, *Project, *Expand:
		if r.mixes() == "" {
			return each(r)
		}
	case *Limit:
		return n.With([]Rel{each(r)})
	case *Aggregate:
		if whole := n.ofParts(); whole != nil {
			return whole.With([]Rel{each(r)})
		}
	}
	return r
}

// looksAside says whether a node's expressions read tables or chance: what stands in one
// place only cannot be moved to several.
func looksAside(r Rel) bool {
	aside := false
	r.Exprs(func(e Expr) Expr {
		WalkExpr(e, func(e Expr) {
			switch e := e.(type) {
			case *InTable:
				aside = aside || !Constant(e.Rel)
			case *Scalar:
				aside = aside || !Constant(e.Rel)
			case *Call:
				aside = aside || e.Func == "rand" || e.Func == "new_guid"
			}
		})
		return e
	})
	return aside
}

// ofParts gives the aggregate that makes of the results of n over parts of its rows the
// result over all; nil where there is none.
func (n *Aggregate) ofParts() *Aggregate {
	whole := &Aggregate{Keys: Refs(itemColumns(n.Keys))}
	for _, a := range n.Aggs {
		c, ok := a.Expr.(*Call)
		if !ok {
			return nil
		}
		f := ""
		switch c.Func {
		case "count", "countif", "sum", "sumif":
			f = "sum"
		case "min", "minif":
			f = "min"
		case "max", "maxif":
			f = "max"
		default:
			return nil
		}
		whole.Aggs = append(whole.Aggs, Item{a.Name, &Call{f, []Expr{&Col{Name: a.Name, T: c.T}}, c.T}})
	}
	return whole
}

// A place is where the tables lie that a part of a tree reads.
type place struct {
	// some says that there are any, and mixed that they lie in more than one workspace.
	some, mixed bool
	workspace   string
}

func (p *place) add(q place) {
	switch {
	case !q.some:
	case !p.some:
		*p = q
	default:
		p.mixed = p.mixed || q.mixed || p.workspace != q.workspace
	}
}

type separator struct {
	where map[Rel]place
	out   []Elsewhere
}

// of gives where the tables of a part lie, those within its expressions included.
func (s *separator) of(r Rel) place {
	if p, ok := s.where[r]; ok {
		return p
	}
	var p place
	if n, ok := r.(*Scan); ok {
		p = place{some: true, workspace: n.Table.Workspace}
	}
	for _, in := range r.Inputs() {
		p.add(s.of(in))
	}
	r.Exprs(func(e Expr) Expr {
		WalkExpr(e, func(e Expr) {
			switch e := e.(type) {
			case *InTable:
				p.add(s.of(e.Rel))
			case *Scalar:
				p.add(s.of(e.Rel))
			}
		})
		return e
	})
	s.where[r] = p
	return p
}

// part gives, of a part of the tree whose tables lie in one workspace, what stands in its place.
func (s *separator) part(r Rel) (Rel, bool) {
	p := s.of(r)
	if p.mixed || p.workspace == "" {
		return r, !p.mixed
	}
	e := Elsewhere{Workspace: p.workspace, Table: "elsewhere_" + strconv.Itoa(len(s.out)+1), Rel: r}
	s.out = append(s.out, e)
	// The engine takes names that differ in their letters' case alone for one.
	t := &Table{Name: e.Table}
	var items []Item
	for i, c := range r.Columns() {
		name := "c" + strconv.Itoa(i+1)
		t.Columns = append(t.Columns, Column{Name: name, Type: c.Type})
		items = append(items, Item{c.Name, &Col{Name: name, T: c.Type}})
	}
	return &Project{In: NewScan(t), Items: items}, true
}
