package rel

import (
	"slices"

	"glassward/kql/value"
)

// Mixes says in a few words why one row of r's result may depend on several rows of its input, or "".
func Mixes(r Rel) string { return r.mixes() }

// Outer is the function that reads the key of the partition around a query with a source of its own.
const Outer = "outer"

// A Partitioned table is worked on by the values of a column: mv-apply and partition.
type Partitioned struct {
	Down Rel // the rows as the operators see them
	Rows Rel // the same rows with the hidden column Key
	Key  string
	T    value.Type
	Name func(what string) string // gives names of further hidden columns
}

// Partition rewrites the operators from r down to the rows so that each works within the rows that agree in the
// key; the result carries the key. Tables beside the rows are seen whole by every partition. It gives nil and a
// word for what cannot be rewritten.
func Partition(r Rel, of Partitioned) (Rel, string) {
	p := &partitioner{of: of, key: &Col{Name: of.Key, T: of.T}, done: map[Rel]Rel{}, holds: map[Rel]bool{}}
	out := p.carrying(r)
	if p.why != "" {
		return nil, p.why
	}
	return out, ""
}

type partitioner struct {
	of    Partitioned
	key   *Col
	done  map[Rel]Rel
	holds map[Rel]bool
	keys  Rel
	why   string
}

// values gives the table of the keys, each once.
func (p *partitioner) values() Rel {
	if p.keys == nil {
		p.keys = &Shared{"keys", &Aggregate{p.of.Rows, []Item{{p.of.Key, p.key}}, nil}}
	}
	return p.keys
}

// depends says whether a tree, its expressions included, has the rows or the key in it.
func (p *partitioner) depends(r Rel) bool {
	if d, ok := p.holds[r]; ok {
		return d
	}
	d := r == p.of.Down
	for _, in := range r.Inputs() {
		d = p.depends(in) || d
	}
	if !d {
		r.Exprs(func(e Expr) Expr {
			d = d || p.reads(e)
			return e
		})
	}
	p.holds[r] = d
	return d
}

// reads says whether an expression has the rows or the key in it.
func (p *partitioner) reads(e Expr) bool {
	found := false
	WalkExpr(e, func(e Expr) {
		switch e := e.(type) {
		case *Call:
			found = found || e.Func == Outer
		case *InTable:
			found = found || p.depends(e.Rel)
		case *Scalar:
			found = found || p.depends(e.Rel)
		}
	})
	return found
}

// carrying gives a tree whose result has the key, as its last column or before.
func (p *partitioner) carrying(r Rel) Rel {
	if r == p.of.Down {
		return p.of.Rows
	}
	if d, ok := p.done[r]; ok {
		return d
	}
	var out Rel
	if !p.depends(r) {
		out = p.crossed(r)
	} else {
		out = p.node(r)
	}
	p.done[r] = out
	return out
}

// crossed repeats a table for every key.
func (p *partitioner) crossed(r Rel) Rel {
	j := &Join{Kind: Inner, L: p.values(), R: r}
	for _, c := range r.Columns() {
		j.Out = append(j.Out, JoinColumn{c.Name, Col{c.Name, c.Type, Right}})
	}
	j.Out = append(j.Out, JoinColumn{p.of.Key, Col{p.of.Key, p.of.T, Left}})
	return j
}

func (p *partitioner) node(r Rel) Rel {
	if s, ok := r.(*Series); ok {
		// The ends depend on the key: the numbers are elements of an array.
		list := &Call{"range", []Expr{s.From, s.To, s.Step}, value.Dynamic}
		at := p.of.Name("range")
		r = &Expand{In: &Project{p.values(), []Item{{p.of.Key, p.key}, {at, p.plain(list)}}}, Items: []ExpandItem{{s.Name, &Col{Name: at, T: value.Dynamic}, s.T}}}
		return &Project{r, append(Refs(s.Columns()), Item{p.of.Key, p.key})}
	}
	if v, ok := r.(*Values); ok {
		var rows []Rel
		for _, row := range v.Rows {
			items := make([]Item, len(v.Cols))
			for i, c := range v.Cols {
				items[i] = Item{c.Name, p.plain(row[i])}
			}
			rows = append(rows, &Project{p.values(), append(items, Item{p.of.Key, p.key})})
		}
		if len(rows) == 1 {
			return rows[0]
		}
		return &Union{rows}
	}
	ins := r.Inputs()
	if len(ins) == 0 {
		p.refuse("this source")
		return r
	}
	out := make([]Rel, len(ins))
	if j, ok := r.(*Join); ok {
		return p.join(j)
	}
	for i, in := range ins {
		out[i] = p.carrying(in)
	}
	if len(out) == 1 {
		out[0], r = p.scalars(out[0], r)
	}
	switch n := r.(type) {
	case *Filter:
		if w := n.mixes(); w != "" {
			break
		}
		return &Filter{out[0], n.Cond}
	case *Shared:
		return &Shared{n.Name, out[0]}
	case *Expand:
		return n.With(out)
	case *Project:
		items := append(slices.Clone(n.Items), Item{p.of.Key, p.key})
		in := out[0]
		if n.mixes() == "" {
			return &Project{in, items}
		}
		// Neighbours are those within the partition, in the input's order, which is restored.
		place := &Col{Name: p.of.Name("place"), T: value.Long}
		in = &Project{in, append(Refs(in.Columns()), Item{place.Name, &Call{"row_id", nil, value.Long}})}
		for i := range items {
			items[i].Expr = within(items[i].Expr, p.key, place)
		}
		return &Sort{&Project{in, append(items, Item{place.Name, place})}, []SortKey{{Expr: p.key}, {Expr: place}}}
	case *Aggregate:
		agg := &Aggregate{out[0], append([]Item{{p.of.Key, p.key}}, n.Keys...), n.Aggs}
		if len(n.Keys) > 0 || len(n.Aggs) == 0 || !p.loses(n.In) {
			return agg
		}
		return p.filled(agg, n)
	case *MakeSeries:
		c := n.With(out).(*MakeSeries)
		c.Keys = append([]Item{{p.of.Key, p.key}}, n.Keys...)
		return c
	case *Sort:
		return &Sort{out[0], append([]SortKey{{Expr: p.key}}, n.Keys...)}
	case *Limit:
		l := &Limit{out[0], n.N, n.Keys, append([]Expr{p.key}, n.Per...)}
		if s, ok := out[0].(*Sort); ok && len(n.Keys) == 0 {
			// The first of sorted rows: the order goes with the choice.
			l.In, l.Keys = s.In, s.Keys
		}
		if len(l.Keys) == 0 {
			// Without an order of their own, the first rows as they come.
			place := &Col{Name: p.of.Name("place"), T: value.Long}
			l.In = &Project{l.In, append(Refs(l.In.Columns()), Item{place.Name, &Call{"row_id", nil, value.Long}})}
			l.Keys = []SortKey{{Expr: place}}
			return &Project{l, Refs(out[0].Columns())}
		}
		return l
	case *Steps:
		c := n.With(out).(*Steps)
		c.Per = append([]Expr{p.key}, n.Per...)
		return c
	case *Union:
		for i := range out {
			out[i] = &Project{out[i], append(Refs(n.Ins[i].Columns()), Item{p.of.Key, p.key})}
		}
		return &Union{out}
	}
	p.refuse("an operator")
	return r
}

func (p *partitioner) refuse(what string) {
	if p.why == "" {
		p.why = what
	}
}

// join pairs rows of the same partition.
func (p *partitioner) join(n *Join) Rel {
	c := *n
	c.On = slices.Clone(n.On)
	c.Out = slices.Clone(n.Out)
	// A side that is the same for every partition need not be repeated where the other side chooses the rows.
	lone := func(r Rel) bool { return !p.depends(r) }
	from := Left
	switch {
	case lone(n.R) && (n.Kind == Inner || n.Kind == LeftOuter || n.Kind == LeftSemi || n.Kind == LeftAnti):
		c.L = p.carrying(n.L)
	case lone(n.L) && (n.Kind == Inner || n.Kind == RightOuter || n.Kind == RightSemi || n.Kind == RightAnti):
		c.R, from = p.carrying(n.R), Right
	default:
		c.L, c.R = p.carrying(n.L), p.carrying(n.R)
		c.On = append(c.On, JoinKey{&Col{p.of.Key, p.of.T, Left}, &Col{p.of.Key, p.of.T, Right}})
		switch n.Kind {
		case RightOuter, RightSemi, RightAnti:
			from = Right
		case FullOuter:
			// The key is that of the side which is there: rows of the right without a partner are marked.
			other, mark := p.of.Name("other"), p.of.Name("there")
			c.L = &Project{c.L, append(Refs(c.L.Columns()), Item{mark, Bool(true)})}
			c.Out = append(c.Out, JoinColumn{p.of.Key, Col{p.of.Key, p.of.T, Left}}, JoinColumn{other, Col{p.of.Key, p.of.T, Right}}, JoinColumn{mark, Col{mark, value.Bool, Left}})
			there := &Call{"isnotnull", []Expr{&Col{Name: mark, T: value.Bool}}, value.Bool}
			key := &Call{"iff", []Expr{there, p.key, &Col{Name: other, T: p.of.T}}, p.of.T}
			return &Project{&c, append(Refs(n.Columns()), Item{p.of.Key, key})}
		}
	}
	c.Out = append(c.Out, JoinColumn{p.of.Key, Col{p.of.Key, p.of.T, from}})
	return &c
}

// loses says whether a partition may have no row left in a result.
func (p *partitioner) loses(r Rel) bool {
	switch n := r.(type) {
	case *Project:
		return p.loses(n.In)
	case *Sort:
		return p.loses(n.In)
	case *Shared:
		return p.loses(n.In)
	case *Steps:
		return true
	case *Aggregate:
		return len(n.Keys) > 0 && p.loses(n.In)
	case *Limit:
		k, ok := n.N.(*Const)
		return !ok || k.Value == int64(0) || p.loses(n.In)
	}
	return r != p.of.Down
}

// filled adds to aggregates without keys the row that they give of no rows, for the partitions that have none.
func (p *partitioner) filled(agg *Aggregate, n *Aggregate) Rel {
	missing := &Join{Kind: LeftAnti, L: p.values(), R: agg, Out: []JoinColumn{{p.of.Key, Col{p.of.Key, p.of.T, Left}}},
		On: []JoinKey{{&Col{p.of.Key, p.of.T, Left}, &Col{p.of.Key, p.of.T, Right}}}}
	none := &Aggregate{&Values{Cols: n.In.Columns()}, nil, n.Aggs}
	j := &Join{Kind: Inner, L: missing, R: none, Out: []JoinColumn{{p.of.Key, Col{p.of.Key, p.of.T, Left}}}}
	for _, c := range none.Columns() {
		j.Out = append(j.Out, JoinColumn{c.Name, Col{c.Name, c.Type, Right}})
	}
	return &Union{[]Rel{agg, j}}
}

// scalars joins what toscalar() and in take from the partition's own rows to the input of a node, and puts the key
// where the node reads it.
func (p *partitioner) scalars(in Rel, n Rel) (Rel, Rel) {
	out := n.Exprs(func(e Expr) Expr {
		return MapExpr(p.plain(e), func(e Expr) Expr {
			switch s := e.(type) {
			case *InTable:
				if p.depends(s.Rel) {
					name := "isnotnull"
					if s.Not {
						name = "isnull"
					}
					var mark *Col
					in, mark = p.found(in, s)
					return &Call{name, []Expr{mark}, value.Bool}
				}
			case *Scalar:
				if !p.depends(s.Rel) {
					return e
				}
				sub := p.carrying(s.Rel)
				first := s.Rel.Columns()[0]
				name := p.of.Name("scalar")
				sub = &Limit{sub, Long(1), nil, []Expr{p.key}}
				j := &Join{Kind: LeftOuter, L: in, R: sub, On: []JoinKey{{&Col{p.of.Key, p.of.T, Left}, &Col{p.of.Key, p.of.T, Right}}}}
				for _, c := range in.Columns() {
					j.Out = append(j.Out, JoinColumn{c.Name, Col{c.Name, c.Type, Left}})
				}
				j.Out = append(j.Out, JoinColumn{name, Col{first.Name, first.Type, Right}})
				in = j
				return &Col{Name: name, T: s.T}
			}
			return e
		})
	})
	return in, out
}

// found joins to the rows what they are looked for in, of their own partition. It gives the column that marks those
// that are there.
func (p *partitioner) found(in Rel, s *InTable) (Rel, *Col) {
	fold := func(e Expr) Expr {
		if s.Fold {
			return &Call{"tolower", []Expr{e}, value.String}
		}
		return e
	}
	first := s.Rel.Columns()[0]
	var list Expr = &Col{Name: first.Name, T: first.Type}
	what := &Col{Name: p.of.Name("looked_for"), T: s.X.Type()}
	mark := &Col{Name: p.of.Name("found"), T: value.Bool}
	of := &Filter{p.carrying(s.Rel), &Call{"isnotnull", []Expr{list}, value.Bool}}
	there := &Project{&Aggregate{of, []Item{{p.of.Key, p.key}, {what.Name, fold(list)}}, nil},
		[]Item{{p.of.Key, p.key}, {what.Name, what}, {mark.Name, Bool(true)}}}
	rows := &Project{in, append(Refs(in.Columns()), Item{what.Name, fold(s.X)})}
	j := &Join{Kind: LeftOuter, L: rows, R: there, On: []JoinKey{
		{&Col{p.of.Key, p.of.T, Left}, &Col{p.of.Key, p.of.T, Right}},
		{&Col{what.Name, what.T, Left}, &Col{what.Name, first.Type, Right}}}}
	for _, c := range in.Columns() {
		j.Out = append(j.Out, JoinColumn{c.Name, Col{c.Name, c.Type, Left}})
	}
	j.Out = append(j.Out, JoinColumn{mark.Name, Col{mark.Name, mark.T, Right}})
	return j, mark
}

// plain puts the key's column where an expression reads the key.
func (p *partitioner) plain(e Expr) Expr {
	return MapExpr(e, func(e Expr) Expr {
		if c, ok := e.(*Call); ok && c.Func == Outer {
			return p.key
		}
		return e
	})
}

// within keeps window functions to the rows that agree in a key: the function partition, as their last argument,
// names what the rows agree in, their order, and what else they agree in.
func within(e Expr, key, place *Col) Expr {
	return MapExpr(e, func(e Expr) Expr {
		c, ok := e.(*Call)
		if !ok || !IsWindow(c.Func) {
			return e
		}
		args := slices.Clone(c.Args)
		if n := len(args); n > 0 {
			if p, ok := args[n-1].(*Call); ok && p.Func == "partition" {
				args[n-1] = &Call{"partition", append(slices.Clone(p.Args), key), p.T}
				return &Call{c.Func, args, c.T}
			}
		}
		return &Call{c.Func, append(args, &Call{"partition", []Expr{key, place}, key.T}), c.T}
	})
}
