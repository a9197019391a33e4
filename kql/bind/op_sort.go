package bind

import (
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

func (b *binder) sort(o *syntax.Sort, in *table, sc *scope) *table {
	base, keys := b.orderKeys(o.By, in, sc)
	if len(keys) == 0 {
		return in
	}
	out := rel.Rel(&rel.Sort{In: base, Keys: keys})
	if base != in.rel {
		out = &rel.Project{In: out, Items: rel.Refs(in.cols())}
	}
	return in.with(out)
}

func (b *binder) top(o *syntax.Top, in *table, sc *scope) *table {
	n := b.rowCount(o.N, sc)
	if o.By == nil {
		return in
	}
	base, keys := b.orderKeys([]*syntax.Order{o.By}, in, sc)
	if len(keys) == 0 {
		return in
	}
	out := rel.Rel(&rel.Limit{In: base, N: n, Keys: keys})
	if base != in.rel {
		out = &rel.Project{In: out, Items: rel.Refs(in.cols())}
	}
	return in.with(out)
}

func (b *binder) orderKeys(by []*syntax.Order, in *table, sc *scope) (rel.Rel, []rel.SortKey) {
	base := in.rel
	var keys []rel.SortKey
	for _, o := range by {
		if o.Value == nil || o.Value.Value == nil {
			continue
		}
		e := b.expr(o.Value.Value, &env{sc: sc, cols: in.cols(), open: in.open, windows: true})
		if e.Type() == value.Dynamic {
			b.errorf(WrongType, o.Value, "convert it, for example with tostring()", "rows cannot be ordered by a value of type dynamic")
			continue
		}
		if e.Type() == value.Unknown {
			continue
		}
		base, e = b.liftWindows(base, e)
		k := rel.SortKey{Expr: e, Desc: o.Dir != syntax.Asc && o.Dir != syntax.GrannyAsc}
		k.NullsFirst = !k.Desc
		switch o.Nulls {
		case syntax.NullsFirst:
			k.NullsFirst = true
		case syntax.NullsLast:
			k.NullsFirst = false
		}
		keys = append(keys, k)
	}
	return base, keys
}

// rowCount binds the number of rows of take and top.
func (b *binder) rowCount(e syntax.Expr, sc *scope) rel.Expr {
	if e == nil {
		return rel.Long(0)
	}
	if name, ok := e.(*syntax.Name); ok && sc.find(name.Name) == nil {
		b.errorf(NotConstant, e, "for example 10", "a number of rows is needed, and %s is none", name.Name)
		return rel.Long(0)
	}
	n := b.expr(e, &env{sc: sc})
	if n.Type() != value.Unknown && !n.Type().Integer() {
		b.errorf(WrongType, e, "", "the number of rows is of type %s, a whole number is needed", n.Type())
		return rel.Long(0)
	}
	if c, ok := n.(*rel.Const); ok {
		if v, ok := c.Value.(int64); ok && v < 0 {
			b.errorf(BadLiteral, e, "", "the number of rows is negative")
			return rel.Long(0)
		}
	}
	return n
}
