package bind

import (
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// partition applies operators to the rows of each value of a column by themselves. In braces stands a query with a
// source of its own, in which the column's name is the value.
func (b *binder) partition(o *syntax.Partition, in *table, sc *scope) *table {
	if o.Scope != nil {
		b.unsupported(o, "partition by … in … is not supported; use partition by Column ( operators )")
		return &table{rel: in.rel, open: true}
	}
	c, ok := b.columnRef(o.By, in)
	if !ok || o.Body == nil {
		return openTable()
	}
	if c.Type == value.Dynamic {
		b.errorf(WrongType, o.By, "convert it with extend before, for example with tostring()", "rows cannot be partitioned by a value of type dynamic")
		return openTable()
	}
	key := b.hiddenName("row_of")
	of := rel.Partitioned{Key: key, T: c.Type, Name: b.hiddenName,
		Down: &rel.Project{In: in.rel, Items: rel.Refs(in.cols())},
		Rows: &rel.Project{In: in.rel, Items: append(rel.Refs(in.cols()), rel.Item{Name: key, Expr: &rel.Col{Name: c.Name, T: c.Type}})}}
	b.parts[of.Down] = true
	inner := newScope(sc)
	var body *table
	if o.Braces {
		inner.names[c.Name] = &binding{scalar: call(rel.Outer, c.Type)}
		body = b.pipeline(o.Body, nil, inner)
	} else {
		body = b.pipeline(o.Body, &table{rel: of.Down, open: in.open}, inner)
	}
	return b.partitioned(body, in, o, of)
}

// partitioned rewrites a body so that it works within the rows of each key, and takes the hidden columns off.
func (b *binder) partitioned(body, in *table, at syntax.Node, of rel.Partitioned) *table {
	if body.open {
		return body
	}
	r, why := rel.Partition(body.rel, of)
	if r == nil {
		b.unsupported(at, why+" within "+at.(syntax.Operator).Keyword()+" is not supported there")
		return openTable()
	}
	return &table{rel: &rel.Project{In: r, Items: rel.Refs(body.cols())}, open: in.open}
}

// topHitters gives the values that come most often, or whose sums are greatest. The counts are exact.
func (b *binder) topHitters(o *syntax.TopHitters, in *table, sc *scope) *table {
	n := b.rowCount(o.N, sc)
	if o.Of == nil {
		return in
	}
	e := &env{sc: sc, cols: in.cols(), open: in.open}
	keys := b.items(o.Of, e, newNames(nil), true)
	if len(keys) != 1 || isUnknown(keys[0].Expr) {
		return openTable()
	}
	agg := rel.Item{Name: "approximate_count_" + keys[0].Name, Expr: countCall()}
	if o.By != nil && o.By.Value != nil {
		x := b.expr(o.By.Value.Value, e)
		if isUnknown(x) {
			return openTable()
		}
		if !x.Type().Numeric() {
			b.errorf(WrongType, o.By, "", "found a value of type %s to sum, a number is needed", x.Type())
			return openTable()
		}
		if x.Type() == value.Int {
			x = b.cast(x, value.Long)
		}
		agg = rel.Item{Name: "approximate_sum_" + nameOf(o.By.Value.Value), Expr: call("sum", x.Type(), x)}
	}
	sum := &rel.Aggregate{In: in.rel, Keys: keys, Aggs: []rel.Item{agg}}
	by, key := &rel.Col{Name: agg.Name, T: agg.Expr.Type()}, &rel.Col{Name: keys[0].Name, T: keys[0].Expr.Type()}
	order := []rel.SortKey{{Expr: by, Desc: true}}
	if key.T != value.Dynamic {
		order = append(order, rel.SortKey{Expr: key, Desc: true})
	}
	return in.with(&rel.Limit{In: sum, N: n, Keys: order})
}
