package bind

import (
	"strconv"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// nestedLevel is a level of top-nested: the columns that it adds.
type nestedLevel struct {
	keyName, name string     // of its columns in the result
	key, agg      rel.Column // the same under hidden names, in the tables below
	keyExpr, item rel.Expr   // the value, and what is made of the aggregates
	collected     *aggregates
	n, others     rel.Expr // nil if not given
	desc          bool
}

// topNested chooses the first values of each level within those of the level before. The rows of a level are those of
// the values chosen before; with others the rest of them makes one more row.
func (b *binder) topNested(o *syntax.TopNested, in *table, sc *scope) *table {
	n := newNames(nil)
	e := &env{sc: sc, cols: in.cols(), open: in.open, windows: true}
	var levels []*nestedLevel
	bad := false
	for i, l := range o.Levels {
		v := &nestedLevel{desc: l.By == nil || l.By.Dir != syntax.Asc && l.By.Dir != syntax.GrannyAsc, collected: &aggregates{}}
		keys := b.items(l.Of, e, n, true)
		if len(keys) != 1 || isUnknown(keys[0].Expr) || l.By == nil || l.By.Value == nil {
			bad = true
			continue
		}
		if keys[0].Expr.Type() == value.Dynamic {
			b.errorf(WrongType, l.Of, "convert it, for example with tostring()", "rows cannot be grouped by a value of type dynamic")
			bad = true
			continue
		}
		v.keyName, v.keyExpr = keys[0].Name, keys[0].Expr
		items := b.aggregateItem(l.By.Value, in, sc, v.collected, newNames(nil))
		if len(items) == 0 || isUnknown(items[0].Expr) {
			bad = true
			continue
		}
		v.item = items[0].Expr
		v.name = l.By.Value.Name()
		if v.name == "" {
			v.name = "aggregated_" + v.keyName
		}
		v.name = n.fresh(v.name)
		v.key = rel.Column{Name: "$key" + strconv.Itoa(i), Type: v.keyExpr.Type()}
		v.agg = rel.Column{Name: "$value" + strconv.Itoa(i), Type: v.item.Type()}
		if l.N != nil {
			v.n = b.rowCount(l.N, sc)
		}
		if l.Others != nil {
			x := b.expr(l.Others, &env{sc: sc})
			if isUnknown(x) {
				bad = true
				continue
			}
			if v.others = b.cast(x, v.key.Type); x.Type() != v.key.Type && !(x.Type().Numeric() && v.key.Type.Numeric()) {
				b.errorf(WrongType, l.Others, "", "the others are of type %s, and the values of type %s", x.Type(), v.key.Type)
				bad = true
			}
		}
		levels = append(levels, v)
	}
	if bad || len(levels) == 0 {
		return openTable()
	}
	base := in.rel
	for _, v := range levels {
		base, v.keyExpr = b.liftWindows(base, v.keyExpr)
		base = b.liftItems(base, v.collected.items)
	}
	keyed := rel.Refs(base.Columns())
	for _, v := range levels {
		keyed = append(keyed, rel.Item{Name: v.key.Name, Expr: v.keyExpr})
	}
	rows := rel.Rel(&rel.Project{In: base, Items: keyed})
	var results []rel.Rel
	var above []rel.Column // the columns of the levels before
	for i, v := range levels {
		group := &rel.Aggregate{In: rows, Keys: append(rel.Refs(above), rel.Refs([]rel.Column{v.key})...), Aggs: v.collected.items}
		top := rel.Rel(&rel.Project{In: group, Items: append(rel.Refs(append(above, v.key)), rel.Item{Name: v.agg.Name, Expr: v.item})})
		if v.n != nil {
			per := make([]rel.Expr, 0, i)
			for _, u := range levels[:i] {
				per = append(per, &rel.Col{Name: u.key.Name, T: u.key.Type})
			}
			if i == 0 {
				per = nil
			}
			top = &rel.Limit{In: top, N: v.n, Keys: []rel.SortKey{{Expr: &rel.Col{Name: v.agg.Name, T: v.agg.Type}, Desc: v.desc, NullsFirst: !v.desc}}, Per: per}
		}
		last := i == len(levels)-1
		if v.others != nil && v.n != nil || !last {
			top = &rel.Shared{Name: "level " + strconv.Itoa(i+1), In: top}
		}
		if v.others != nil && v.n != nil {
			results = append(results, nestedOthers(levels, i, above, rows, top))
		}
		if last {
			results = append([]rel.Rel{nestedResult(levels, len(levels), top, nil)}, results...)
			break
		}
		j := &rel.Join{Kind: rel.Inner, L: rows, R: top, On: nestedKeys(levels[:i+1])}
		for _, c := range rows.Columns() {
			j.Out = append(j.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Left}})
		}
		j.Out = append(j.Out, rel.JoinColumn{Name: v.agg.Name, From: rel.Col{Name: v.agg.Name, T: v.agg.Type, Side: rel.Right}})
		rows = j
		above = append(above, v.key, v.agg)
	}
	if len(results) == 1 {
		return in.with(results[0])
	}
	return in.with(&rel.Union{Ins: results})
}

// nestedKeys pairs the values of levels of two tables.
func nestedKeys(levels []*nestedLevel) []rel.JoinKey {
	var on []rel.JoinKey
	for _, v := range levels {
		on = append(on, rel.JoinKey{L: &rel.Col{Name: v.key.Name, T: v.key.Type, Side: rel.Left}, R: &rel.Col{Name: v.key.Name, T: v.key.Type, Side: rel.Right}})
	}
	return on
}

// nestedOthers aggregates the rows that a level did not choose. Of the levels below those with others aggregate the
// same rows, the rest are null.
func nestedOthers(levels []*nestedLevel, i int, above []rel.Column, rows, top rel.Rel) rel.Rel {
	rest := &rel.Join{Kind: rel.LeftAnti, L: rows, R: top, On: nestedKeys(levels[:i+1])}
	for _, c := range rows.Columns() {
		rest.Out = append(rest.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Left}})
	}
	agg := &rel.Aggregate{In: rest, Keys: append(rel.Refs(above), rel.Item{Name: "$all", Expr: rel.Long(1)})}
	have := map[string]rel.Expr{}
	for k := i; k < len(levels); k++ {
		v := levels[k]
		if k > i && v.others == nil {
			have[v.key.Name], have[v.agg.Name] = rel.Null(v.key.Type), rel.Null(v.agg.Type)
			continue
		}
		agg.Aggs = append(agg.Aggs, v.collected.items...)
		have[v.key.Name], have[v.agg.Name] = v.others, v.item
	}
	return nestedResult(levels, i, agg, have)
}

// nestedResult gives the columns of the result: those of the first levels as they are, the others as have says.
func nestedResult(levels []*nestedLevel, own int, from rel.Rel, have map[string]rel.Expr) rel.Rel {
	var items []rel.Item
	for k, v := range levels {
		key, agg := rel.Expr(&rel.Col{Name: v.key.Name, T: v.key.Type}), rel.Expr(&rel.Col{Name: v.agg.Name, T: v.agg.Type})
		if k >= own {
			key, agg = have[v.key.Name], have[v.agg.Name]
		}
		items = append(items, rel.Item{Name: v.keyName, Expr: key}, rel.Item{Name: v.name, Expr: agg})
	}
	return &rel.Project{In: from, Items: items}
}
