package bind

import (
	"slices"

	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// conditional gives the form of each aggregate that pivot takes that regards some rows only.
func conditional(name string) string {
	switch name {
	case "make_list", "make_set", "make_bag":
		return name + "_if"
	case "count", "sum", "min", "max", "avg", "dcount", "stdev", "variance", "take_any", "any", "count_distinct":
		return name + "if"
	}
	return ""
}

// pivot makes a column of each value of a column, in the order in which they come first; its cells aggregate
// the rows that have the value and agree in the other columns.
func (p *plugin) pivot() *table {
	by, ok := p.column(0)
	if !ok {
		return nil
	}
	if by.Type == value.Dynamic {
		p.failed = true
		p.errorf(WrongType, p.args[0], "convert it with extend first, for example with tostring()", "the rows cannot be turned by a column of type dynamic")
		return nil
	}
	agg := rel.Expr(countCall())
	used := []string{by.Name}
	if a := p.args[1]; a != nil {
		if agg = p.pivotAggregate(a); agg == nil {
			return nil
		}
		rel.WalkExpr(agg, func(e rel.Expr) {
			if c, ok := e.(*rel.Col); ok {
				used = append(used, c.Name)
			}
		})
	}
	keys := p.dimensions(p.rest)
	if p.failed {
		return nil
	}
	if len(p.rest) == 0 {
		for _, c := range p.in.cols() {
			if !slices.Contains(used, c.Name) {
				keys = append(keys, c)
			}
		}
	}
	values, star := []string{}, true
	var want []rel.Column
	if p.schema != nil {
		want, star = p.declared(p.schema.Columns), p.schema.Star
		for _, c := range want {
			if rel.Index(keys, c.Name) < 0 {
				values = append(values, c.Name)
			}
		}
	} else if values, ok = p.pivotValues(by); !ok {
		return nil
	}
	if len(values) == 0 && p.schema == nil {
		values = p.assume(keys, pivotExample(by))
	}
	c := agg.(*rel.Call)
	text := p.cast(&rel.Col{Name: by.Name, T: by.Type}, value.String)
	n := newNames(keys)
	a := &rel.Aggregate{In: p.in.rel, Keys: rel.Refs(keys)}
	for _, v := range values {
		cond := call("==", value.Bool, text, rel.Str(v))
		args := append(slices.Clone(c.Args[:min(1, len(c.Args))]), cond)
		if len(c.Args) > 1 {
			args = append(args, c.Args[1:]...)
		}
		name := v
		if p.schema == nil {
			name = dataName(v, n)
		}
		a.Aggs = append(a.Aggs, rel.Item{Name: name, Expr: &rel.Call{Func: conditional(c.Func), Args: args, T: c.T}})
	}
	if p.schema == nil {
		return p.in.with(a)
	}
	var items []rel.Item
	for _, k := range keys {
		if star && rel.Index(want, k.Name) < 0 {
			items = append(items, rel.Item{Name: k.Name, Expr: &rel.Col{Name: k.Name, T: k.Type}})
		}
	}
	for _, k := range want {
		at := a.Columns()[rel.Index(a.Columns(), k.Name)]
		items = append(items, rel.Item{Name: k.Name, Expr: p.cast(&rel.Col{Name: at.Name, T: at.Type}, k.Type)})
	}
	return p.in.with(&rel.Project{In: a, Items: items})
}

func pivotExample(by rel.Column) string {
	return "evaluate pivot(" + identifier(by.Name) + ", …) : (*, Value:long, …)"
}

// pivotAggregate binds the aggregate of the cells, nil if it is none.
func (p *plugin) pivotAggregate(a *syntax.NamedExpr) rel.Expr {
	c, ok := a.Value.(*syntax.Call)
	var f *builtin.Function
	if ok {
		if n, isName := c.Func.(*syntax.Name); isName {
			f, ok = builtin.Lookup(builtin.Aggregate, n.Name)
		}
	}
	if !ok || f == nil || conditional(f.Name) == "" {
		p.wrong(a, "use count, sum, min, max, avg, dcount, take_any, stdev, variance, make_list, make_set or make_bag", "pivot needs an aggregate here")
		return nil
	}
	x := p.aggregateCall(f, c, &env{sc: p.sc, cols: p.in.cols(), open: p.in.open, inAgg: true})
	if call, isCall := x.(*rel.Call); !isCall || isUnknown(x) || conditional(call.Func) == "" {
		p.failed = true
		return nil
	}
	return x
}

// pivotValues finds the texts of a column's values, in the order in which they come first.
func (p *plugin) pivotValues(by rel.Column) ([]string, bool) {
	v, n := p.hiddenName("value"), p.hiddenName("number")
	var r rel.Rel = &rel.Project{In: p.in.rel, Items: []rel.Item{{Name: v, Expr: p.cast(&rel.Col{Name: by.Name, T: by.Type}, value.String)}, {Name: n, Expr: call("row_id", value.Long)}}}
	r = &rel.Aggregate{In: r, Keys: []rel.Item{{Name: v, Expr: &rel.Col{Name: v, T: value.String}}}, Aggs: []rel.Item{{Name: n, Expr: call("min", value.Long, &rel.Col{Name: n, T: value.Long})}}}
	r = &rel.Project{In: r, Items: []rel.Item{{Name: "value", Expr: &rel.Col{Name: v, T: value.String}}, {Name: "first", Expr: &rel.Col{Name: n, T: value.Long}}}}
	rows, ok := p.explore(r, pivotExample(by))
	if !ok {
		return nil, false
	}
	slices.SortFunc(rows, func(a, b []any) int {
		x, _ := a[1].(int64)
		y, _ := b[1].(int64)
		return int(max(-1, min(1, x-y)))
	})
	var out []string
	for _, row := range rows {
		s, _ := row[0].(string)
		out = append(out, s)
	}
	return out, true
}
