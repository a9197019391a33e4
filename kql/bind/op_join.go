package bind

import (
	"slices"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

func (b *binder) join(o *syntax.Join, in *table, sc *scope) *table {
	right := b.tableExpr(o.Right, sc)
	kind, unique := rel.Inner, false
	switch w := strings.ToLower(o.Params.Word("kind")); w {
	case "", "innerunique":
		unique = true
	case "inner":
	case "leftouter":
		kind = rel.LeftOuter
	case "rightouter":
		kind = rel.RightOuter
	case "fullouter":
		kind = rel.FullOuter
	case "leftsemi":
		kind = rel.LeftSemi
	case "rightsemi":
		kind = rel.RightSemi
	case "anti", "leftanti", "leftantisemi":
		kind = rel.LeftAnti
	case "rightanti", "rightantisemi":
		kind = rel.RightAnti
	default:
		b.errorf(BadJoin, o.Params.Get("kind"), "use inner, innerunique, leftouter, rightouter, fullouter, leftsemi, rightsemi, leftanti or rightanti", "there is no join of kind %s", w)
	}
	keys := b.joinKeys(o.On, in, right, sc, o)
	if len(keys) == 0 {
		return &table{rel: in.rel, open: true}
	}
	left := in.rel
	if unique {
		per := make([]rel.Expr, len(keys))
		for i, k := range keys {
			per[i] = sole(k.L)
		}
		left = &rel.Limit{In: left, N: rel.Long(1), Per: per}
	}
	j := &rel.Join{Kind: kind, L: left, R: right.rel, On: keys}
	n := newNames(nil)
	if kind != rel.RightSemi && kind != rel.RightAnti {
		for _, c := range in.cols() {
			n.add(c.Name)
			j.Out = append(j.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Left}})
		}
	}
	if kind != rel.LeftSemi && kind != rel.LeftAnti {
		j.Out = append(j.Out, rightColumns(n, right.cols())...)
	}
	return &table{rel: j, open: in.open || right.open}
}

func (b *binder) lookup(o *syntax.Lookup, in *table, sc *scope) *table {
	right := b.tableExpr(o.Right, sc)
	kind := rel.LeftOuter
	switch w := strings.ToLower(o.Params.Word("kind")); w {
	case "", "leftouter":
	case "inner":
		kind = rel.Inner
	default:
		b.errorf(BadJoin, o.Params.Get("kind"), "use leftouter or inner", "there is no lookup of kind %s", w)
	}
	keys := b.joinKeys(o.On, in, right, sc, o)
	if len(keys) == 0 {
		return &table{rel: in.rel, open: true}
	}
	j := &rel.Join{Kind: kind, L: in.rel, R: right.rel, On: keys}
	n := newNames(nil)
	for _, c := range in.cols() {
		n.add(c.Name)
		j.Out = append(j.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Left}})
	}
	isKey := map[string]bool{}
	for _, k := range keys {
		rel.WalkExpr(k.R, func(e rel.Expr) { // the column, which may be converted
			if c, ok := e.(*rel.Col); ok {
				isKey[c.Name] = true
			}
		})
	}
	others := slices.DeleteFunc(slices.Clone(right.cols()), func(c rel.Column) bool { return isKey[c.Name] })
	j.Out = append(j.Out, rightColumns(n, others)...)
	return &table{rel: j, open: in.open || right.open}
}

// rightColumns names the columns of a join's right side behind those of the left: a name that the left has gets a
// number, and not one with which it would take the name of another column on the right.
func rightColumns(n *names, cols []rel.Column) []rel.JoinColumn {
	clash := make([]bool, len(cols))
	for i, c := range cols {
		clash[i] = n.used[c.Name]
		n.add(c.Name)
	}
	var out []rel.JoinColumn
	for i, c := range cols {
		name := c.Name
		if clash[i] {
			name = n.fresh(name)
		}
		out = append(out, rel.JoinColumn{Name: name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Right}})
	}
	return out
}

// sole gives a join key's expression as one over its own table.
func sole(e rel.Expr) rel.Expr {
	return rel.MapExpr(e, func(e rel.Expr) rel.Expr {
		if c, ok := e.(*rel.Col); ok {
			return &rel.Col{Name: c.Name, T: c.T}
		}
		return e
	})
}

func (b *binder) joinKeys(on []syntax.Expr, l, r *table, sc *scope, at syntax.Node) []rel.JoinKey {
	b.seeRight(at, r)
	var keys []rel.JoinKey
	var visit func(e syntax.Expr)
	visit = func(e syntax.Expr) {
		switch e := e.(type) {
		case *syntax.Paren:
			visit(e.X)
		case *syntax.Name:
			lc, lok := b.sideColumn(e, l, rel.Left)
			rc, rok := b.sideColumn(e, r, rel.Right)
			if lok && rok {
				keys = b.addKey(keys, &rel.Col{Name: lc.Name, T: lc.Type, Side: rel.Left}, &rel.Col{Name: rc.Name, T: rc.Type, Side: rel.Right}, e)
			}
		case *syntax.Binary:
			if e.Op == syntax.And {
				visit(e.X)
				visit(e.Y)
				return
			}
			if e.Op != syntax.Equal {
				b.errorf(BadJoin, e, "filter with where after the join", "a join compares with == only")
				return
			}
			if l, ok := e.X.(*syntax.Name); ok {
				if r, ok := e.Y.(*syntax.Name); ok {
					b.errorf(BadJoin, e, "write $left."+l.Name+" == $right."+r.Name, "a join's condition says which column is of which table")
					return
				}
			}
			x, xs := b.joinSide(e.X, l, r)
			y, ys := b.joinSide(e.Y, l, r)
			switch {
			case x == nil || y == nil:
			case xs == rel.Left && ys == rel.Right:
				keys = b.addKey(keys, x, y, e)
			case xs == rel.Right && ys == rel.Left:
				keys = b.addKey(keys, y, x, e)
			default:
				b.errorf(BadJoin, e, "write $left.a == $right.b", "a join's condition compares a column of the left with one of the right")
			}
		case *syntax.BadExpr:
		default:
			b.errorf(BadJoin, e, "write the name of a column that both have, or $left.a == $right.b", "this is no condition of a join")
		}
	}
	for _, e := range on {
		visit(e)
	}
	return keys
}

// sideColumn finds a column of one of a join's tables, or says which of them lacks it.
func (b *binder) sideColumn(e *syntax.Name, t *table, side rel.Side) (rel.Column, bool) {
	if i := rel.Index(t.cols(), e.Name); i >= 0 || t.open {
		return b.columnRef(e, t)
	}
	if side == rel.Left {
		if message, hint := b.gone(e.Name); message != "" {
			b.errorf(UnknownColumn, e, hint, "%s", message)
			return rel.Column{}, false
		}
	}
	names := make([]string, 0, len(t.cols()))
	for _, c := range t.cols() {
		names = append(names, c.Name)
	}
	hint := nameHint(e.Name, names)
	if hint == "" && len(names) > 0 && len(names) <= 12 {
		hint = "there are: " + strings.Join(names, ", ")
	}
	if hint == "" {
		hint = "name the columns of both: $left.a == $right.b"
	}
	b.errorf(UnknownColumn, e, hint, "the %s table of the join has no column %s", map[rel.Side]string{rel.Left: "left", rel.Right: "right"}[side], e.Name)
	return rel.Column{}, false
}

func (b *binder) joinSide(e syntax.Expr, l, r *table) (rel.Expr, rel.Side) {
	m, ok := e.(*syntax.Member)
	if !ok {
		b.errorf(BadJoin, e, "write $left.a == $right.b", "a column of $left or $right is needed here")
		return nil, rel.Sole
	}
	n, ok := m.X.(*syntax.Name)
	if !ok || n.Name != "$left" && n.Name != "$right" {
		b.errorf(BadJoin, e, "compute it with extend before the join", "a column of $left or $right is needed here")
		return nil, rel.Sole
	}
	t, side := l, rel.Left
	if n.Name == "$right" {
		t, side = r, rel.Right
	}
	c, ok := b.sideColumn(&syntax.Name{Base: m.Name.Base, Name: m.Name.Name}, t, side)
	if !ok {
		return nil, side
	}
	return &rel.Col{Name: c.Name, T: c.Type, Side: side}, side
}

func (b *binder) addKey(keys []rel.JoinKey, l, r rel.Expr, at syntax.Node) []rel.JoinKey {
	lt, rt := l.Type(), r.Type()
	switch {
	case lt == value.Unknown || rt == value.Unknown:
		return keys
	case lt == value.Dynamic || rt == value.Dynamic:
		b.errorf(WrongType, at, "convert it before the join, for example with extend k = tostring(k)", "tables cannot be joined on a column of type dynamic")
		return keys
	case lt == rt, lt.Integer() && rt.Integer():
	case lt == value.Decimal && rt.Numeric(), lt.Numeric() && rt == value.Decimal:
		l, r = b.cast(l, value.Decimal), b.cast(r, value.Decimal)
	case lt == value.GUID && rt == value.String:
		l, r = b.guidText(l), lowered(r)
	case lt == value.String && rt == value.GUID:
		l, r = lowered(l), b.guidText(r)
	default:
		b.errorf(WrongType, at, "convert one of them before the join, for example with extend k = to"+lt.String()+"(k)", "the join compares %s with %s", lt, rt)
		return keys
	}
	return append(keys, rel.JoinKey{L: l, R: r})
}
