package bind

import (
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// partition applies operators to the rows of each value of a column by themselves.
func (b *binder) partition(o *syntax.Partition, in *table, sc *scope) *table {
	if o.Braces || o.Scope != nil {
		b.unsupported(o, "partition with a query in braces is not supported; use partition by Column ( operators )")
		return &table{rel: in.rel, open: true}
	}
	c, ok := b.columnRef(o.By, in)
	if !ok || o.Body == nil {
		return &table{rel: in.rel, open: true}
	}
	key := b.hiddenName("row_of")
	base := &rel.Project{In: in.rel, Items: append(rel.Refs(in.cols()), rel.Item{Name: key, Expr: &rel.Col{Name: c.Name, T: c.Type}})}
	body := b.pipeline(o.Body, &table{rel: base, open: in.open}, sc)
	inner := rel.Partition(body.rel, base, key, c.Type)
	if inner == nil {
		b.unsupported(o, "an operator within partition is not supported there; use summarize by")
		return &table{rel: in.rel, open: true}
	}
	var items []rel.Item
	for _, col := range body.cols() {
		if col.Name != key {
			items = append(items, rel.Item{Name: col.Name, Expr: &rel.Col{Name: col.Name, T: col.Type}})
		}
	}
	return &table{rel: &rel.Project{In: inner, Items: items}, open: in.open || body.open}
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
	by := &rel.Col{Name: agg.Name, T: agg.Expr.Type()}
	return in.with(&rel.Limit{In: sum, N: n, Keys: []rel.SortKey{{Expr: by, Desc: true}}})
}
