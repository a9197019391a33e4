package bind

import (
	"slices"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// beside is what an expression over one of several tables may name of the others: a column that the table does not
// have is null there.
type beside struct {
	cols []rel.Column
	seen map[string]bool // the columns that were named
}

// find notes that a column is named, and gives null for one that only another table has.
func (s *beside) find(name string, own []rel.Column) (rel.Expr, bool) {
	if s == nil {
		return nil, false
	}
	i := rel.Index(s.cols, name)
	if i < 0 {
		return nil, false
	}
	s.seen[name] = true
	if rel.Index(own, name) >= 0 {
		return nil, false
	}
	return rel.Null(s.cols[i].Type), true
}

func allColumns(ts []*table) []rel.Column {
	var out []rel.Column
	for _, t := range ts {
		for _, c := range t.cols() {
			if rel.Index(out, c.Name) < 0 {
				out = append(out, c)
			}
		}
	}
	return out
}

// find gives the rows of several tables for which a condition holds: the columns that the condition names and those
// that all tables have, and the rest as a bag; or what project says.
func (b *binder) find(o *syntax.Find, sc *scope) *table {
	var all []*table
	if len(o.In) > 0 {
		for _, e := range o.In {
			all = append(all, b.unionTables(e, false, sc)...)
		}
	} else {
		all = b.unionTables(&syntax.Wildcard{Base: o.Base, Pattern: "*"}, true, sc)
	}
	if len(all) == 0 || o.Cond == nil {
		return openTable()
	}
	near := &beside{cols: allColumns(all), seen: map[string]bool{}}
	var ts []*table
	for i, t := range all {
		named := map[string]bool{}
		one := &beside{cols: near.cols, seen: named}
		cond := b.searchCond(o.Cond, t, sc, true, one)
		has := len(named) == 0
		for n := range named {
			near.seen[n] = true
			has = has || rel.Index(t.cols(), n) >= 0
		}
		if has {
			c := &table{rel: &rel.Filter{In: t.rel, Cond: cond}, open: t.open, name: t.name}
			if c.name == "" {
				c.name = sourceName("union_arg", i)
			}
			ts = append(ts, c)
		}
	}
	if len(ts) == 0 {
		return openTable()
	}
	source := "source_"
	if w := o.Params.Word("withsource"); w != "" {
		source = w
	}
	var show []rel.Column // of the union
	casts := map[string]value.Type{}
	pack := len(o.Project) == 0
	switch {
	case len(o.Project) > 0:
		for _, e := range o.Project {
			switch e := e.(type) {
			case *syntax.Name:
				i := rel.Index(near.cols, e.Name)
				if i < 0 {
					if !slices.ContainsFunc(ts, func(t *table) bool { return t.open }) {
						b.unknownColumn(e, e.Name, near.cols, nil)
					}
					continue
				}
				show = append(show, near.cols[i])
			case *syntax.TypedColumn:
				t, ok := value.ParseType(e.Column.Type)
				if !ok {
					b.errorf(WrongType, e, "", "there is no type %s", e.Column.Type)
					continue
				}
				casts[e.Column.Name.Name] = t
				show = append(show, rel.Column{Name: e.Column.Name.Name, Type: t})
			case *syntax.Call:
				pack = true
			}
		}
	default:
		for _, c := range near.cols {
			common := !slices.ContainsFunc(ts, func(t *table) bool { return rel.Index(t.cols(), c.Name) < 0 })
			if common || near.seen[c.Name] {
				show = append(show, c)
			}
		}
		if len(o.Away) > 0 {
			away := b.columns(o.Away, &table{rel: &rel.Values{Cols: near.cols}})
			show = slices.DeleteFunc(show, func(c rel.Column) bool { return rel.Index(away, c.Name) >= 0 })
		}
	}
	rest := false
	const bag = "pack_"
	for i, t := range ts {
		var items []rel.Item
		var packed []rel.Expr
		for _, c := range show {
			k := rel.Index(t.cols(), c.Name)
			want, cast := casts[c.Name]
			switch {
			case k >= 0 && cast:
				items = append(items, rel.Item{Name: c.Name, Expr: b.cast(&rel.Col{Name: c.Name, T: t.cols()[k].Type}, want)})
			case k >= 0:
				items = append(items, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: t.cols()[k].Type}})
			case cast:
				items = append(items, rel.Item{Name: c.Name, Expr: rel.Null(want)})
			}
		}
		for _, c := range t.cols() {
			if rel.Index(show, c.Name) < 0 {
				packed = append(packed, rel.Str(c.Name), &rel.Col{Name: c.Name, T: c.Type})
			}
		}
		if pack {
			rest = rest || len(packed) > 0
			items = append(items, rel.Item{Name: bag, Expr: call("bag_pack", value.Dynamic, packed...)})
		}
		ts[i] = &table{rel: &rel.Project{In: t.rel, Items: items}, open: t.open, name: t.name}
	}
	out := b.unite(ts, source, false, "union_arg")
	if pack && (rest || len(o.Project) > 0) {
		// The bag stands behind all columns, those that only later tables have included.
		var items []rel.Item
		for _, it := range rel.Refs(out.cols()) {
			if it.Name != bag {
				items = append(items, it)
			}
		}
		items = append(items, rel.Item{Name: bag, Expr: &rel.Col{Name: bag, T: value.Dynamic}})
		return out.with(&rel.Project{In: out.rel, Items: items})
	}
	if pack {
		return out.with(&rel.Project{In: out.rel, Items: slices.DeleteFunc(rel.Refs(out.cols()), func(it rel.Item) bool { return it.Name == bag })})
	}
	return out
}
