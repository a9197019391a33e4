package bind

import (
	"slices"
	"strconv"

	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// aggregates collects the aggregates of a summarize as columns of its Aggregate.
type aggregates struct {
	keys  []rel.Item
	items []rel.Item
}

// isKey says whether a column is a group key passed through under its name.
func (a *aggregates) isKey(name string) bool {
	for _, k := range a.keys {
		if c, ok := k.Expr.(*rel.Col); ok && c.Name == name && k.Name == name {
			return true
		}
	}
	return false
}

func countCall() rel.Expr { return call("count", value.Long) }

func (b *binder) summarize(o *syntax.Summarize, in *table, sc *scope) *table {
	n := newNames(nil)
	keys, base := b.groupKeys(o.By, in, sc, n)
	aggs := &aggregates{keys: keys}
	out := rel.Refs(itemCols(keys))
	simple := true
	for _, it := range o.Aggs {
		items := b.aggregateItem(it, in, sc, aggs, n)
		for _, x := range items {
			if _, ok := x.Expr.(*rel.Col); !ok {
				simple = false
			}
			out = append(out, x)
		}
	}
	agg := &rel.Aggregate{In: b.liftItems(base, aggs.items), Keys: keys, Aggs: aggs.items}
	if simple && len(out) == len(keys)+len(aggs.items) {
		// Every item is one aggregate: they take their names at once.
		final := make([]rel.Item, len(aggs.items))
		for i, x := range out[len(keys):] {
			c := x.Expr.(*rel.Col)
			if c.Name != aggs.items[i].Name {
				simple = false
				break
			}
			final[i] = rel.Item{Name: x.Name, Expr: aggs.items[i].Expr}
		}
		if simple {
			agg.Aggs = final
			return in.with(agg)
		}
	}
	return in.with(&rel.Project{In: agg, Items: out})
}

func itemCols(items []rel.Item) []rel.Column {
	cols := make([]rel.Column, len(items))
	for i, it := range items {
		cols[i] = rel.Column{Name: it.Name, Type: it.Expr.Type()}
	}
	return cols
}

// groupKeys binds what stands after by, and gives the table that the keys are computed over: window
// functions in them are columns of it.
func (b *binder) groupKeys(by []*syntax.NamedExpr, in *table, sc *scope, n *names) (keys []rel.Item, base rel.Rel) {
	e := &env{sc: sc, cols: in.cols(), open: in.open, windows: true}
	base = in.rel
	for _, it := range by {
		if cols, ok := b.pattern(it.Value, in); ok {
			for _, c := range cols {
				n.add(c.Name)
				keys = append(keys, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: c.Type}})
			}
			continue
		}
		for _, x := range b.grouping(it, b.items(it, e, n, true)) {
			base, x.Expr = b.liftWindows(base, x.Expr)
			keys = append(keys, x)
		}
	}
	return keys, base
}

// grouping holds that rows can be grouped by the items.
func (b *binder) grouping(at syntax.Node, items []rel.Item) []rel.Item {
	for i, x := range items {
		if x.Expr.Type() == value.Dynamic {
			b.errorf(WrongType, at, "convert it, for example with tostring()", "rows cannot be grouped by a value of type dynamic")
			items[i].Expr = unknown()
		}
	}
	return items
}

// aggregateItem binds one item of summarize. arg_max(x, *), take_any(*) and percentiles give several
// columns.
func (b *binder) aggregateItem(it *syntax.NamedExpr, in *table, sc *scope, aggs *aggregates, n *names) []rel.Item {
	if it.Value == nil {
		return nil
	}
	inner := &env{sc: sc, cols: in.cols(), open: in.open, inAgg: true, windows: true}
	if c, ok := it.Value.(*syntax.Call); ok {
		if fn, ok := c.Func.(*syntax.Name); ok && sc.find(fn.Name) == nil {
			if f, ok := builtin.Lookup(builtin.Aggregate, fn.Name); ok && f.Unsupported == "" {
				switch f.Name {
				case "arg_max", "arg_min":
					return b.argExtreme(f, it, c, in, inner, aggs, n)
				case "take_any", "any":
					if len(c.Args) > 0 {
						return b.takeAny(f, it, c, in, inner, aggs, n)
					}
				case "percentiles", "percentilesw":
					return b.percentiles(f, it, c, inner, aggs, n)
				}
			}
		}
	}
	if out, ok := b.tuple(it, &env{sc: sc, cols: in.cols(), open: in.open, aggs: aggs}, n, true); ok {
		return out
	}
	x := b.expr(it.Value, &env{sc: sc, cols: in.cols(), open: in.open, aggs: aggs})
	if len(it.Names) > 1 {
		var out []rel.Item
		for i, name := range it.Names {
			out = append(out, rel.Item{Name: b.givenName(name.Name, n, it), Expr: b.index(x, rel.Long(int64(i)), it.Value)})
		}
		return out
	}
	if len(it.Names) == 1 {
		return []rel.Item{{Name: b.givenName(it.Names[0].Name, n, it), Expr: x}}
	}
	return []rel.Item{{Name: n.derived(nameOf(it.Value)), Expr: x}}
}

func isStar(e syntax.Expr) bool {
	_, ok := e.(*syntax.Star)
	return ok
}

// collect adds an aggregate and gives the reference to its column.
func (b *binder) collect(aggs *aggregates, x rel.Expr) rel.Expr {
	name := b.hiddenName("agg")
	aggs.items = append(aggs.items, rel.Item{Name: name, Expr: x})
	return &rel.Col{Name: name, T: x.Type()}
}

// aggregate binds a call of an aggregate that gives one value.
func (b *binder) aggregate(f *builtin.Function, e *syntax.Call, en *env) rel.Expr {
	if x := b.computedPercentiles(f, e, en); x != nil {
		return x
	}
	x := b.aggregateCall(f, e, &env{sc: en.sc, cols: en.cols, open: en.open, inAgg: true, windows: true})
	if isUnknown(x) {
		return x
	}
	return b.collect(en.aggs, x)
}

// computedPercentiles binds an array of percentiles whose percentages are an array that is computed, such
// as range(0, 100, 10): by a digest of the values. Anything else gives nil.
func (b *binder) computedPercentiles(f *builtin.Function, e *syntax.Call, en *env) rel.Expr {
	before := map[string]int{"percentiles_array": 1, "percentilesw_array": 2}[f.Name]
	if before == 0 || len(e.Args) != before+1 {
		return nil
	}
	var shares rel.Expr
	b.quiet(func() { shares = b.expr(e.Args[before].Value, &env{sc: en.sc}) })
	if _, ok := shares.(*rel.Const); ok || isUnknown(shares) || shares.Type() != value.Dynamic {
		return nil
	}
	digest, ok := builtin.Lookup(builtin.Aggregate, "tdigest")
	if !ok {
		return nil
	}
	x := b.aggregateCall(digest, &syntax.Call{Base: e.Base, Func: e.Func, Args: e.Args[:before]}, &env{sc: en.sc, cols: en.cols, open: en.open, inAgg: true, windows: true})
	if isUnknown(x) {
		return x
	}
	return call("percentiles_array_tdigest", value.Dynamic, b.collect(en.aggs, x), shares)
}

func (b *binder) aggregateCall(f *builtin.Function, e *syntax.Call, en *env) rel.Expr {
	if f.Unsupported != "" {
		b.unsupported(e, f.Unsupported)
		return unknown()
	}
	if !b.argCount(f, e) {
		return unknown()
	}
	var args []rel.Expr
	bad := false
	for i, a := range e.Args {
		if isStar(a.Value) {
			b.errorf(WrongArguments, a, "name the column", "* has no meaning for %s here", f.Name)
			return unknown()
		}
		x := b.expr(a.Value, en)
		p := f.Param(i)
		if isUnknown(x) {
			bad = true
			continue
		}
		if !b.constant(x, f, p, a) {
			bad = true
			continue
		}
		y, ok := b.coerce(x, p.Types)
		if !ok {
			b.wrongArgument(a, x, f, p)
			bad = true
			continue
		}
		args = append(args, y)
	}
	if bad {
		return unknown()
	}
	b.realsOf(f, args)
	switch f.Name {
	case "count":
		args = nil
	case "make_dictionary":
		return call("make_bag", value.Dynamic, args...)
	case "arg_max", "arg_min":
		if len(args) == 1 {
			name := map[string]string{"arg_max": "max", "arg_min": "min"}[f.Name]
			return call(name, args[0].Type(), args[0])
		}
	case "hll", "hll_if":
		x := args[0]
		args[0] = hash(x, nil)
		if x.Type() != value.String {
			args[0] = call("iff", value.Long, call("isnull", value.Bool, x), rel.Null(value.Long), args[0])
		}
	case "percentile", "percentiles_array", "percentilew", "percentilesw_array":
		args[0] = b.ranked(args[0])
		first := 1
		if f.Name == "percentilew" || f.Name == "percentilesw_array" {
			first = 2
		}
		for i := first; i < len(args); i++ {
			if args[i].Type() == value.Dynamic {
				if c, ok := args[i].(*rel.Const); ok {
					list, _ := elements(c)
					args = append(args[:i], list...)
				}
			}
			if i < len(args) {
				args[i] = b.cast(args[i], value.Real)
			}
		}
	}
	return call(f.Name, b.resultType(f, args), args...)
}

// ranked gives the values of a percentile the type of its result.
func (b *binder) ranked(x rel.Expr) rel.Expr {
	switch x.Type() {
	case value.Int:
		return b.cast(x, value.Long)
	case value.Decimal, value.Dynamic:
		return b.cast(x, value.Real)
	}
	return x
}

// usesColumns says whether an expression depends on the rows.
func usesColumns(e rel.Expr) bool {
	found := false
	rel.WalkExpr(e, func(e rel.Expr) {
		if _, ok := e.(*rel.Col); ok {
			found = true
		}
	})
	return found
}

// argExtreme binds arg_max and arg_min: the extreme itself, then the other values of its row.
func (b *binder) argExtreme(f *builtin.Function, it *syntax.NamedExpr, c *syntax.Call, in *table, en *env, aggs *aggregates, n *names) []rel.Item {
	if !b.argCount(f, c) {
		return nil
	}
	by := b.expr(c.Args[0].Value, en)
	if isUnknown(by) {
		in.open = true
		return nil
	}
	if _, ok := b.coerce(by, f.Params[0].Types); !ok {
		b.wrongArgument(c.Args[0], by, f, f.Param(0))
		in.open = true
		return nil
	}
	type output struct {
		name  string
		e     rel.Expr
		exact bool
	}
	first := c.Args[0]
	name := nameOf(first.Value)
	if first.Name() != "" {
		name = first.Name()
	}
	// The older spelling puts the extreme's name before all others.
	old, base := "", f.Prefix
	if fn, ok := c.Func.(*syntax.Name); ok && fn.Name != f.Name {
		old, base = f.Prefix+name+"_", ""
		name = f.Prefix + name
	} else if base += name + "_"; name == "" {
		name = f.Prefix
	}
	outs := []output{{name, by, false}}
	for i, a := range c.Args[1:] {
		if cols, ok := b.pattern(a.Value, in); ok {
			for _, col := range cols {
				if aggs.isKey(col.Name) {
					continue
				}
				if slices.ContainsFunc(outs, func(o output) bool { return isColumn(o.e, col.Name) }) {
					continue
				}
				outs = append(outs, output{old + col.Name, &rel.Col{Name: col.Name, T: col.Type}, false})
			}
			continue
		}
		x := b.expr(a.Value, en)
		if isUnknown(x) {
			in.open = true
			continue
		}
		nm := nameOf(a.Value)
		if a.Name() != "" {
			nm = a.Name()
		}
		if nm == "" {
			nm = base + "arg" + strconv.Itoa(i+1)
		}
		outs = append(outs, output{old + nm, x, false})
	}
	for i := range it.Names {
		if i < len(outs) {
			outs[i].name, outs[i].exact = it.Names[i].Name, true
		}
	}
	var items []rel.Item
	for i, o := range outs {
		var x rel.Expr
		if i == 0 {
			x = call(map[string]string{"arg_max": "max", "arg_min": "min"}[f.Name], by.Type(), by)
		} else {
			x = call(f.Name, o.e.Type(), o.e, by)
		}
		items = append(items, rel.Item{Name: n.derived(o.name), Expr: b.collect(aggs, x)})
	}
	return items
}

// isColumn says whether an expression is a column as it stands: a pattern does not give it again.
func isColumn(e rel.Expr, name string) bool {
	c, ok := e.(*rel.Col)
	return ok && c.Name == name
}

func (b *binder) takeAny(f *builtin.Function, it *syntax.NamedExpr, c *syntax.Call, in *table, en *env, aggs *aggregates, n *names) []rel.Item {
	var items []rel.Item
	var taken []rel.Expr
	rows := "take_any_row"
	if len(c.Args) == 1 && !isStar(c.Args[0].Value) {
		rows = "take_any"
	}
	add := func(name string, x rel.Expr) {
		if i := len(items); i < len(it.Names) {
			name = it.Names[i].Name
		} else if f.Name == "any" {
			name = f.Prefix + name
		}
		taken = append(taken, x)
		items = append(items, rel.Item{Name: n.fresh(name), Expr: b.collect(aggs, call(rows, x.Type(), x))})
	}
	for i, a := range c.Args {
		if cols, ok := b.pattern(a.Value, in); ok {
			for _, col := range cols {
				if !aggs.isKey(col.Name) && !slices.ContainsFunc(taken, func(x rel.Expr) bool { return isColumn(x, col.Name) }) {
					add(col.Name, &rel.Col{Name: col.Name, T: col.Type})
				}
			}
			continue
		}
		if x := b.expr(a.Value, en); !isUnknown(x) {
			name := nameOf(a.Value)
			if a.Name() != "" {
				name = a.Name()
			}
			if name == "" && (f.Name == "take_any" || len(c.Args) > 1) {
				name = "arg" + strconv.Itoa(i)
				if f.Name == "take_any" {
					name = f.Prefix + name
				}
			}
			add(name, x)
		}
	}
	return items
}

func (b *binder) percentiles(f *builtin.Function, it *syntax.NamedExpr, c *syntax.Call, en *env, aggs *aggregates, n *names) []rel.Item {
	if !b.argCount(f, c) {
		return nil
	}
	x := b.expr(c.Args[0].Value, en)
	if isUnknown(x) {
		return nil
	}
	y, ok := b.coerce(x, []value.Type{value.Int, value.Long, value.Real, value.Decimal, value.DateTime, value.TimeSpan, value.Dynamic})
	if !ok {
		b.errorf(WrongType, c.Args[0], "", "found a value of type %s for percentiles, a number is needed", x.Type())
		return nil
	}
	y = b.ranked(y)
	var items []rel.Item
	name, before := "percentile", []rel.Expr{y}
	if f.Name == "percentilesw" {
		w, ok := b.coerce(b.expr(c.Args[1].Value, en), []value.Type{value.Int, value.Long})
		if !ok {
			b.errorf(WrongType, c.Args[1], "", "a weight is a whole number")
			return nil
		}
		name, before = "percentilew", append(before, w)
	}
	for i, a := range c.Args[len(before):] {
		p := b.cast(b.expr(a.Value, en), value.Real)
		k, ok := p.(*rel.Const)
		if !ok {
			b.errorf(NotConstant, a, "", "a percentage must be a literal number")
			continue
		}
		column := "percentile_" + nameOf(c.Args[0].Value) + percentileSuffix(a.Value)
		if i < len(it.Names) {
			column = it.Names[i].Name
		}
		items = append(items, rel.Item{Name: n.fresh(column), Expr: b.collect(aggs, call(name, y.Type(), append(slices.Clone(before), k)...))})
	}
	return items
}

// makeSeries turns groups into arrays over an axis.
func (b *binder) makeSeries(o *syntax.MakeSeries, in *table, sc *scope) *table {
	if o.On == nil || o.Step == nil {
		return in
	}
	e := &env{sc: sc, cols: in.cols(), open: in.open}
	n := newNames(nil)
	keys, base := b.groupKeys(o.By, in, sc, n)
	on := b.items(o.On, e, n, true)
	step := b.expr(o.Step, &env{sc: sc})
	if len(on) == 0 || isUnknown(on[0].Expr) || isUnknown(step) {
		return openTable()
	}
	axis := on[0]
	if axis.Expr.Type() == value.Int {
		axis.Expr = b.cast(axis.Expr, value.Long)
	}
	t := axis.Expr.Type()
	ok := t == value.DateTime && step.Type() == value.TimeSpan || t == value.TimeSpan && step.Type() == value.TimeSpan || t.Numeric() && step.Type().Numeric()
	if !ok {
		b.errorf(WrongType, o.Step, "", "the axis is of type %s and the step of type %s", t, step.Type())
		return openTable()
	}
	if t.Numeric() {
		w := wider(t, step.Type())
		if w == value.Decimal { // series are of reals
			w = value.Real
		}
		axis.Expr, step, t = b.cast(axis.Expr, w), b.cast(step, w), w
	}
	bound := func(x syntax.Expr) rel.Expr {
		if x == nil {
			return nil
		}
		v := b.expr(x, &env{sc: sc})
		if isUnknown(v) {
			return v
		}
		if t.Numeric() && v.Type().Numeric() {
			return b.cast(v, t)
		}
		if v.Type() != t {
			b.errorf(WrongType, x, "", "the axis is of type %s and its end of type %s", t, v.Type())
			return unknown()
		}
		return v
	}
	s := &rel.MakeSeries{In: base, Keys: keys, Axis: axis, From: bound(o.From), To: bound(o.To), Step: step, Inclusive: o.InRange, NonEmpty: o.Params.Word("kind") == "nonempty"}
	if o.InRange && !isUnknown(s.From) {
		// This form counts its bins from zero, not from their start.
		s.From = b.bin("bin", []rel.Expr{s.From, step}, &syntax.Call{Base: syntax.Base{At: o.From.Span()}})
	}
	for _, a := range o.Aggs {
		aggs := &aggregates{}
		items := b.aggregateItem(a.Value, in, sc, aggs, n)
		if len(items) != 1 || len(aggs.items) != 1 {
			if len(aggs.items) > 0 {
				b.errorf(WrongArguments, a, "one aggregate a series", "make-series takes plain aggregates")
			}
			continue
		}
		s.In = b.liftItems(s.In, aggs.items)
		def := rel.Expr(rel.Long(0))
		if a.Default != nil {
			def = b.expr(a.Default, &env{sc: sc})
		}
		x := aggs.items[0].Expr
		if x.Type() != value.Dynamic {
			def = b.cast(def, x.Type())
		}
		s.Aggs = append(s.Aggs, rel.SeriesItem{Name: items[0].Name, Agg: x, Default: def})
	}
	return in.with(s)
}
