package bind

import (
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

func (b *binder) take(o *syntax.Take, in *table, sc *scope) *table {
	return in.with(&rel.Limit{In: in.rel, N: b.rowCount(o.N, sc)})
}

func (b *binder) sample(o *syntax.Sample, in *table, sc *scope) *table {
	random := &rel.Call{Func: "rand", T: value.Real}
	return in.with(&rel.Limit{In: in.rel, N: b.rowCount(o.N, sc), Keys: []rel.SortKey{{Expr: random}}})
}

func (b *binder) sampleDistinct(o *syntax.SampleDistinct, in *table, sc *scope) *table {
	n := b.rowCount(o.N, sc)
	if o.Of == nil {
		return in
	}
	e := &env{sc: sc, cols: in.cols(), open: in.open}
	items := b.items(o.Of, e, newNames(nil), true)
	return in.with(&rel.Limit{In: &rel.Aggregate{In: in.rel, Keys: items}, N: n})
}
