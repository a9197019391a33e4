package bind

import (
	"slices"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

func (b *binder) mvExpand(o *syntax.MvExpand, in *table, sc *scope) *table {
	x := b.expansion(o.Items, o.Params, o.Limit, in, sc)
	if x == nil {
		return &table{rel: in.rel, open: true}
	}
	return in.with(x)
}

func (b *binder) expansion(items []*syntax.ExpandItem, params syntax.Params, limit syntax.Expr, in *table, sc *scope) *rel.Expand {
	e := &env{sc: sc, cols: in.cols(), open: in.open}
	x := &rel.Expand{In: in.rel}
	bad := false
	n := newNames(nil)
	for _, it := range items {
		if it.Value == nil || it.Value.Value == nil {
			bad = true
			continue
		}
		v := b.expr(it.Value.Value, e)
		if isUnknown(v) {
			bad = true
			continue
		}
		if v.Type() != value.Dynamic {
			b.errorf(WrongType, it.Value, "read a text with parse_json() first", "found a value of type %s to expand, dynamic is needed", v.Type())
			bad = true
			continue
		}
		// As with extend, what is expanded takes the place of a column of its name, whether that was given or derived.
		name := it.Value.Name()
		if c, ok := it.Value.Value.(*syntax.Name); ok && name == "" {
			name = c.Name
		}
		if name != "" {
			name = b.itemName(name, n, it, false)
		} else {
			name = n.derived(nameOf(it.Value.Value))
		}
		t := value.Dynamic
		if it.Type != "" {
			ty, ok := value.ParseType(it.Type)
			if !ok {
				b.unknownType(it, it.Type)
				bad = true
				continue
			}
			t = ty
		}
		x.Items = append(x.Items, rel.ExpandItem{Name: name, Expr: v, T: t})
	}
	if w := params.Word("with_itemindex"); w != "" {
		all := newNames(in.cols())
		for _, it := range x.Items {
			all.add(it.Name)
		}
		x.Index = all.fresh(w)
	}
	for _, p := range []string{"bagexpansion", "kind"} {
		switch w := params.Word(p); w {
		case "", "bag":
		case "array":
			x.Array = true
		default:
			b.errorf(WrongArguments, params.Get(p), "use bag or array", "there is no expansion of kind %s", w)
		}
	}
	if limit != nil {
		c, ok := b.expr(limit, &env{sc: sc}).(*rel.Const)
		k, isInt := int64(0), false
		if ok {
			k, isInt = c.Value.(int64)
		}
		if !isInt || k < 0 {
			b.errorf(NotConstant, limit, "", "the limit must be a literal whole number")
		} else {
			x.Limit = k
		}
	}
	if bad || len(x.Items) == 0 {
		return nil
	}
	return x
}

// mvApply expands and applies operators to the elements of each row. Operators that look at one
// element at a time need no grouping; for the others every row gets a number, the operators are
// rewritten to keep to it, and the row's columns are joined back.
func (b *binder) mvApply(o *syntax.MvApply, in *table, sc *scope) *table {
	x := b.expansion(o.Items, o.Params, o.Limit, in, sc)
	if x == nil || o.Body == nil {
		return &table{rel: in.rel, open: true}
	}
	x.Drop = true
	body := b.pipeline(o.Body, &table{rel: x, open: in.open}, sc)
	if body.open {
		return &table{rel: body.rel, open: true}
	}
	// A column that is expanded as it is stands behind those of the row. One whose name something else took in the
	// body keeps its place, and its value if the body does not give that name.
	moved := func(c rel.Column) bool {
		return slices.ContainsFunc(o.Items, func(it *syntax.ExpandItem) bool {
			n, plain := it.Value.Value.(*syntax.Name)
			return plain && it.Value.Name() == "" && n.Name == c.Name
		})
	}
	var outer []rel.Column
	hidden := false
	for _, c := range in.cols() {
		if !moved(c) {
			outer = append(outer, c)
			hidden = hidden || rel.Index(body.cols(), c.Name) < 0 && slices.ContainsFunc(x.Items, func(it rel.ExpandItem) bool { return it.Name == c.Name })
		}
	}
	if !hidden && local(body.rel, x) {
		return b.applied(in, outer, body, x)
	}
	number := b.hiddenName("row")
	numbered := &rel.Project{In: in.rel, Items: append(rel.Refs(in.cols()), rel.Item{Name: number, Expr: call("row_id", value.Long)})}
	shared := &rel.Shared{Name: "rows", In: numbered}
	inner, why := rel.Partition(body.rel, rel.Partitioned{Down: x, Rows: x.With([]rel.Rel{shared}), Key: number, T: value.Long, Name: b.hiddenName})
	if inner == nil {
		b.unsupported(o, why+" within mv-apply is not supported there; move it behind mv-apply")
		return &table{rel: in.rel, open: true}
	}
	// The result is the input's columns, then those of the body.
	j := &rel.Join{Kind: rel.Inner, L: shared, R: inner,
		On: []rel.JoinKey{{L: &rel.Col{Name: number, T: value.Long, Side: rel.Left}, R: &rel.Col{Name: number, T: value.Long, Side: rel.Right}}}}
	for _, c := range outer {
		if i := rel.Index(body.cols(), c.Name); i >= 0 && changed(body.rel, c.Name) {
			j.Out = append(j.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: body.cols()[i].Type, Side: rel.Right}})
			continue
		}
		j.Out = append(j.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Left}})
	}
	for _, c := range body.cols() {
		if rel.Index(outer, c.Name) < 0 {
			j.Out = append(j.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Right}})
		}
	}
	return &table{rel: j, open: in.open || body.open}
}

// changed says whether the operators of a body give a column anew rather than pass it on.
func changed(r rel.Rel, name string) bool {
	switch r := r.(type) {
	case *rel.Project:
		for _, it := range r.Items {
			if it.Name == name {
				c, ok := it.Expr.(*rel.Col)
				if !ok {
					return true
				}
				return changed(r.In, c.Name)
			}
		}
		return true
	case *rel.Aggregate:
		for _, it := range r.Keys {
			if it.Name == name {
				if c, ok := it.Expr.(*rel.Col); ok {
					return changed(r.In, c.Name)
				}
			}
		}
		return true
	case *rel.Expand:
		for _, it := range r.Items {
			if it.Name == name {
				return true
			}
		}
		return false
	}
	if ins := r.Inputs(); len(ins) == 1 {
		return changed(ins[0], name)
	}
	return true
}

// local says whether every operator from r down to the expansion looks at one row at a time.
func local(r rel.Rel, down rel.Rel) bool {
	for r != down {
		switch x := r.(type) {
		case *rel.Filter:
			if rel.Mixes(x) != "" {
				return false
			}
			r = x.In
		case *rel.Project:
			if rel.Mixes(x) != "" {
				return false
			}
			r = x.In
		case *rel.Expand:
			r = x.In
		default:
			return false
		}
	}
	return true
}

// applied gives the columns of a row-wise body: the input's, then the body's own.
func (b *binder) applied(in *table, outer []rel.Column, body *table, down rel.Rel) *table {
	// Columns of the input that the body left out come back: they are carried through its projections.
	r := restore(body.rel, down, outer)
	var items []rel.Item
	for _, c := range outer {
		t := c.Type
		if i := rel.Index(r.Columns(), c.Name); i >= 0 {
			t = r.Columns()[i].Type
		}
		items = append(items, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: t}})
	}
	for _, c := range body.cols() {
		if rel.Index(outer, c.Name) < 0 {
			items = append(items, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: c.Type}})
		}
	}
	return &table{rel: &rel.Project{In: r, Items: items}, open: in.open || body.open}
}

// restore adds the columns that a chain of row-wise operators down to a node dropped to its projections.
func restore(r, down rel.Rel, cols []rel.Column) rel.Rel {
	if r == down {
		return r
	}
	switch x := r.(type) {
	case *rel.Project:
		in := restore(x.In, down, cols)
		var items []rel.Item
		for _, it := range x.Items {
			if c, ok := it.Expr.(*rel.Col); ok && rel.Index(in.Columns(), c.Name) < 0 {
				continue
			}
			items = append(items, it)
		}
		for _, c := range cols {
			if i := rel.Index(in.Columns(), c.Name); i >= 0 && slices.IndexFunc(items, func(it rel.Item) bool { return it.Name == c.Name }) < 0 {
				items = append(items, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: in.Columns()[i].Type}})
			}
		}
		return &rel.Project{In: in, Items: items}
	case *rel.Filter, *rel.Expand:
		return x.With([]rel.Rel{restore(x.Inputs()[0], down, cols)})
	}
	return r
}
