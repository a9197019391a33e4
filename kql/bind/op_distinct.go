package bind

import (
	"glassward/kql/rel"
	"glassward/kql/syntax"
)

func (b *binder) distinct(o *syntax.Distinct, in *table, sc *scope) *table {
	e := &env{sc: sc, cols: in.cols(), open: in.open, windows: true}
	n := newNames(nil)
	var keys []rel.Item
	for _, it := range o.Items {
		if cols, ok := b.pattern(it.Value, in); ok {
			for _, c := range cols {
				if !n.used[c.Name] {
					n.add(c.Name)
					keys = append(keys, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: c.Type}})
				}
			}
			continue
		}
		keys = append(keys, b.grouping(it, b.items(it, e, n, true))...)
	}
	return in.with(&rel.Aggregate{In: b.liftItems(in.rel, keys), Keys: keys})
}

func (b *binder) count(o *syntax.Count, in *table) *table {
	name := "Count"
	if o.As != nil {
		name = o.As.Name
	}
	return in.with(&rel.Aggregate{In: in.rel, Aggs: []rel.Item{{Name: name, Expr: countCall()}}})
}
