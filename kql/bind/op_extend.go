package bind

import (
	"slices"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// extend binds extend and serialize. What serialize adds takes the place of no column.
func (b *binder) extend(items []*syntax.NamedExpr, in *table, sc *scope, add bool) *table {
	if len(items) == 0 {
		return in
	}
	e := &env{sc: sc, cols: in.cols(), open: in.open, windows: true}
	out := rel.Refs(in.cols())
	n := newNames(in.cols())
	for _, it := range items {
		for _, x := range b.items(it, e, n, add) {
			if _, plain := x.Expr.(*rel.Col); plain && add && len(it.Names) == 0 {
				continue
			}
			if i := slices.IndexFunc(out, func(o rel.Item) bool { return o.Name == x.Name }); i >= 0 {
				out[i] = x
			} else {
				out = append(out, x)
			}
		}
	}
	return in.with(b.projection(in.rel, out))
}

// projection makes a Project, with window functions within window functions computed before.
func (b *binder) projection(in rel.Rel, items []rel.Item) rel.Rel {
	base := in
	for i := range items {
		if call, ok := items[i].Expr.(*rel.Call); ok && rel.IsWindow(call.Func) && !nestedWindow(call) && restart(call) == nil && !isRank(call) && call.Func != "row_window_session" && !sumsDecimals(call) {
			continue
		}
		base, items[i].Expr = b.liftWindows(base, items[i].Expr)
	}
	return &rel.Project{In: base, Items: items}
}

func nestedWindow(c *rel.Call) bool {
	n := 0
	rel.WalkExpr(c, func(e rel.Expr) {
		if c, ok := e.(*rel.Call); ok && rel.IsWindow(c.Func) {
			n++
		}
	})
	return n > 1
}

// liftWindows computes the window functions of an expression as hidden columns of a projection below
// it, innermost first, and gives that projection and the expression over it.
func (b *binder) liftWindows(in rel.Rel, e rel.Expr) (rel.Rel, rel.Expr) {
	e = rel.MapExpr(e, func(x rel.Expr) rel.Expr {
		c, ok := x.(*rel.Call)
		if !ok || !rel.IsWindow(c.Func) {
			return x
		}
		if c.Func == "row_window_session" {
			in, x = b.session(in, c)
			return x
		}
		if sumsDecimals(c) {
			in, x = b.decimalSums(in, c)
			return x
		}
		if r := restart(c); r != nil || isRank(c) {
			in, x = b.restarted(in, c, r)
			return x
		}
		name := b.hiddenName("window")
		in = &rel.Project{In: in, Items: append(rel.Refs(in.Columns()), rel.Item{Name: name, Expr: c})}
		return &rel.Col{Name: name, T: c.T}
	})
	return in, e
}

// liftItems lifts the window functions of items, in their place.
func (b *binder) liftItems(in rel.Rel, items []rel.Item) rel.Rel {
	for i := range items {
		in, items[i].Expr = b.liftWindows(in, items[i].Expr)
	}
	return in
}

// sumsDecimals says whether a window function is a running sum of decimals, which the engine has no word for.
func sumsDecimals(c *rel.Call) bool { return c.Func == "row_cumsum" && c.T == value.Decimal }

// decimalSums computes a running sum of decimals row by row, as scan does.
func (b *binder) decimalSums(in rel.Rel, c *rel.Call) (rel.Rel, rel.Expr) {
	add, sum := &rel.Col{Name: b.hiddenName("add"), T: c.T}, b.hiddenName("sum")
	zero := &rel.Const{Value: value.DecOf(0), T: c.T}
	items := append(rel.Refs(in.Columns()), rel.Item{Name: add.Name, Expr: call("coalesce", c.T, c.Args[0], zero)})
	before := call(rel.StepValue, c.T, rel.Long(0), rel.Str(sum))
	if cond := restart(c); cond != nil {
		again := &rel.Col{Name: b.hiddenName("again"), T: value.Bool}
		items = append(items, rel.Item{Name: again.Name, Expr: cond})
		before = call("iff", c.T, again, zero, before)
	}
	step := rel.ScanStep{Name: "sum", Output: "all", Cond: rel.Bool(true), Set: []rel.Item{{Name: sum, Expr: call("+", c.T, before, add)}}}
	out := []rel.StepColumn{{Name: sum, T: c.T, Default: zero}}
	return &rel.Steps{In: &rel.Project{In: in, Items: items}, Out: out, Steps: []rel.ScanStep{step}}, &rel.Col{Name: sum, T: c.T}
}

func isRank(c *rel.Call) bool { return c.Func == "row_rank_dense" || c.Func == "row_rank_min" }

// restart gives the condition at which a window function begins anew, or nil.
func restart(c *rel.Call) rel.Expr {
	if (c.Func == "row_number" || c.Func == "row_cumsum" || isRank(c)) && len(c.Args) == 2 {
		return c.Args[1]
	}
	return nil
}

// restarted computes a window function that begins anew where a condition holds: the rows are numbered
// and counted into segments, the function runs within each, and the order is restored.
func (b *binder) restarted(in rel.Rel, c *rel.Call, cond rel.Expr) (rel.Rel, rel.Expr) {
	add := func(what string, e rel.Expr) *rel.Col {
		name := b.hiddenName(what)
		in = &rel.Project{In: in, Items: append(rel.Refs(in.Columns()), rel.Item{Name: name, Expr: e})}
		return &rel.Col{Name: name, T: e.Type()}
	}
	place := add("place", call("row_number", value.Long))
	var segment rel.Expr = rel.Long(0)
	if cond != nil {
		segment = add("segment", call("row_cumsum", value.Long, call("iff", value.Long, cond, rel.Long(1), rel.Long(0))))
	}
	within := call("partition", value.Long, segment, place)
	var out *rel.Col
	switch c.Func {
	case "row_rank_dense", "row_rank_min":
		changed := add("changed", call("row_changed", value.Long, c.Args[0], within))
		if c.Func == "row_rank_dense" {
			out = add("window", call("row_cumsum", value.Long, changed, within))
			break
		}
		number := add("number", call("row_number", value.Long, rel.Long(1), within))
		out = add("window", call("row_run_start", value.Long, changed, number, within))
	default:
		out = add("window", &rel.Call{Func: c.Func, Args: []rel.Expr{c.Args[0], within}, T: c.T})
	}
	in = &rel.Sort{In: in, Keys: []rel.SortKey{{Expr: place}}}
	return in, out
}

// session computes row_window_session: a row begins a session if there is none, if it lies too far behind the session's
// first row or behind the row before, or if it is told to. That depends on what came of the rows before, as scan does.
func (b *binder) session(in rel.Rel, c *rel.Call) (rel.Rel, rel.Expr) {
	at, start := &rel.Col{Name: b.hiddenName("at"), T: value.DateTime}, b.hiddenName("session")
	items := append(rel.Refs(in.Columns()), rel.Item{Name: at.Name, Expr: c.Args[0]})
	began := call(rel.StepValue, value.DateTime, rel.Long(0), rel.Str(start))
	before := call(rel.StepValue, value.DateTime, rel.Long(0), rel.Str(at.Name), at)
	begins := []rel.Expr{
		call("isnull", value.Bool, began),
		call(">=", value.Bool, at, call("+", value.DateTime, began, c.Args[1])),
		call(">=", value.Bool, at, call("+", value.DateTime, before, c.Args[2])),
	}
	if len(c.Args) > 3 {
		begins = append(begins, c.Args[3])
	}
	first := call("iff", value.DateTime, call("or", value.Bool, begins...), at, began)
	first = call("iff", value.DateTime, call("isnull", value.Bool, at), rel.Null(value.DateTime), first)
	step := rel.ScanStep{Name: "session", Output: "all", Cond: rel.Bool(true), Set: []rel.Item{{Name: start, Expr: first}}}
	out := []rel.StepColumn{{Name: start, T: value.DateTime, Default: rel.Null(value.DateTime)}}
	return &rel.Steps{In: &rel.Project{In: in, Items: items}, Out: out, Steps: []rel.ScanStep{step}}, &rel.Col{Name: start, T: value.DateTime}
}
