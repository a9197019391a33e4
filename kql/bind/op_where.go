package bind

import (
	"glassward/kql/rel"
	"glassward/kql/syntax"
)

func (b *binder) where(o *syntax.Where, in *table, sc *scope) *table {
	if o.Cond == nil {
		return in
	}
	e := &env{sc: sc, cols: in.cols(), open: in.open, windows: true}
	cond := b.condition(b.expr(o.Cond, e), o.Cond)
	base, cond := b.liftWindows(in.rel, cond)
	out := rel.Rel(&rel.Filter{In: base, Cond: cond})
	if base != in.rel {
		out = &rel.Project{In: out, Items: rel.Refs(in.cols())}
	}
	return in.with(out)
}
