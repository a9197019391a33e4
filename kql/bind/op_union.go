package bind

import (
	"fmt"
	"slices"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

func (b *binder) union(o *syntax.Union, in *table, sc *scope) *table {
	fuzzy := o.Params.Word("isfuzzy") == "true"
	var ts []*table
	if in != nil {
		ts = append(ts, in)
	}
	for _, e := range o.Tables {
		ts = append(ts, b.unionTables(e, fuzzy, sc)...)
	}
	if len(ts) == 0 {
		if len(o.Tables) > 0 && !b.diags.HasErrors() {
			b.errorf(UnknownTable, o, "", "none of the tables is there")
		}
		return openTable()
	}
	source := ""
	for _, p := range []string{"withsource", "with_source"} {
		if w := o.Params.Word(p); w != "" {
			source = w
		}
	}
	return b.unite(ts, source, o.Params.Word("kind") == "inner", "union_arg")
}

// unionTables binds one operand of union; a pattern gives several.
func (b *binder) unionTables(e syntax.Expr, fuzzy bool, sc *scope) []*table {
	switch x := e.(type) {
	case *syntax.Paren:
		return b.unionTables(x.X, fuzzy, sc)
	case *syntax.Pipeline:
		if len(x.Ops) == 0 {
			if s, ok := x.Source.(syntax.Expr); ok {
				return b.unionTables(s, fuzzy, sc)
			}
		}
	case *syntax.Star:
		return b.unionTables(&syntax.Wildcard{Base: x.Base, Pattern: "*"}, fuzzy, sc)
	case *syntax.Wildcard:
		if x.Scope != nil {
			return b.tablesElsewhere(x)
		}
		var out []*table
		for _, n := range sc.all() {
			if f := sc.find(n); matches(x.Pattern, n) {
				if f.table != nil && x.Pattern != "*" {
					out = append(out, f.table)
				} else if f.fn != nil && f.fn.View && len(f.fn.Params) == 0 {
					if r := b.callUser(f, n, nil, &env{sc: sc}, x); r != nil && r.table != nil {
						c := *r.table
						c.name = n
						out = append(out, &c)
					}
				}
			}
		}
		for _, n := range b.tableNames() {
			if matches(x.Pattern, n) {
				if t, ok := b.storedTable(n); ok {
					out = append(out, t)
				}
			}
		}
		if len(out) == 0 && !fuzzy {
			b.errorf(UnknownTable, x, "", "no table has a name like %s", x.Pattern)
		}
		return out
	case *syntax.Name:
		if fuzzy && sc.find(x.Name) == nil {
			if _, ok := b.storedTable(x.Name); !ok {
				b.warnf(SkippedTable, x, "", "there is no table %s; isfuzzy=true leaves it out", x.Name)
				return nil
			}
		}
		if f := sc.find(x.Name); f != nil && f.fn != nil && f.fn.View && len(f.fn.Params) == 0 {
			// A view is a table by its name.
			t := *b.tableExpr(x, sc)
			t.name = x.Name
			return []*table{&t}
		}
	}
	if fuzzy {
		// A branch that cannot be resolved is left out as a whole.
		save := slices.Clone(b.diags)
		t := b.tableExpr(e, sc)
		for _, d := range b.diags[len(save):] {
			if d.Code == UnknownTable || d.Code == UnknownWorkspace {
				b.diags = save
				b.warnf(SkippedTable, e, "", "%s; isfuzzy=true leaves this branch out", d.Message)
				return nil
			}
		}
		return []*table{t}
	}
	return []*table{b.tableExpr(e, sc)}
}

// unite gives the rows of several tables. A column whose type differs among them becomes one column a
// type, with the type's name behind; inner keeps the columns that all have.
func (b *binder) unite(ts []*table, source string, inner bool, prefix string) *table {
	open := false
	var names []string
	types := map[string][]value.Type{}
	count := map[string]int{}
	for _, t := range ts {
		open = open || t.open
		for _, c := range t.cols() {
			if count[c.Name]++; count[c.Name] == 1 {
				names = append(names, c.Name)
			}
			if !slices.Contains(types[c.Name], c.Type) {
				types[c.Name] = append(types[c.Name], c.Type)
			}
		}
	}
	if source != "" {
		// A column that is split goes by other names and stays.
		names = slices.DeleteFunc(names, func(n string) bool { return n == source && len(types[n]) == 1 })
	}
	// A column that is split does not take the name of one that is not.
	taken, split := newNames(nil), map[string]string{}
	if source != "" {
		taken.add(source)
	}
	for _, whole := range []bool{true, false} {
		for _, n := range names {
			for _, ty := range types[n] {
				if whole == (len(types[n]) == 1) {
					name := n
					if !whole {
						name = n + "_" + ty.String()
					}
					split[n+"\x00"+ty.String()] = taken.fresh(name)
				}
			}
		}
	}
	outs := make([]rel.Rel, len(ts))
	for i, t := range ts {
		var items []rel.Item
		if source != "" {
			name := t.name
			if name == "" {
				name = sourceName(prefix, i)
			}
			items = append(items, rel.Item{Name: source, Expr: rel.Str(name)})
		}
		for _, n := range names {
			if inner && (count[n] < len(ts) || len(types[n]) > 1) {
				continue
			}
			have := rel.Index(t.cols(), n)
			for _, ty := range types[n] {
				name := split[n+"\x00"+ty.String()]
				var e rel.Expr = rel.Null(ty)
				if have >= 0 && t.cols()[have].Type == ty {
					e = &rel.Col{Name: n, T: ty}
				}
				items = append(items, rel.Item{Name: name, Expr: e})
			}
		}
		outs[i] = &rel.Project{In: t.rel, Items: items}
	}
	if len(outs) == 1 {
		return &table{rel: outs[0], open: open}
	}
	return &table{rel: &rel.Union{Ins: outs}, open: open}
}

// sourceName names a table that has no name, by its place.
func sourceName(prefix string, i int) string { return fmt.Sprintf("%s%d", prefix, i) }

// as names the table for the rest of the statement.
func (b *binder) as(o *syntax.As, in *table, sc *scope) *table {
	t := *in
	t.name = o.Name.Name
	sc.names[o.Name.Name] = &binding{table: &t, at: o.Name.Span()}
	return &t
}

func (b *binder) search(o *syntax.Search, in *table, sc *scope) *table {
	var ts []*table
	switch {
	case in != nil && len(in.cols()) > 0:
		ts = []*table{in}
	case len(o.In) > 0:
		for _, e := range o.In {
			ts = append(ts, b.unionTables(e, false, sc)...)
		}
	default:
		ts = b.unionTables(&syntax.Wildcard{Base: o.Base, Pattern: "*"}, true, sc)
	}
	if len(ts) == 0 || o.Cond == nil {
		return openTable()
	}
	fold := !strings.HasPrefix(o.Params.Word("kind"), "case_sensitive")
	near := &beside{cols: allColumns(ts), seen: map[string]bool{}}
	found := make([]*table, len(ts))
	for i, t := range ts {
		cond := b.searchCond(o.Cond, t, sc, fold, near)
		found[i] = &table{rel: &rel.Filter{In: t.rel, Cond: cond}, open: t.open, name: t.name}
	}
	return b.unite(found, "$table", false, "search_arg")
}

// searchCond binds a search predicate, in which a text alone is looked for in all columns.
func (b *binder) searchCond(e syntax.Expr, t *table, sc *scope, fold bool, near *beside) rel.Expr {
	switch e := e.(type) {
	case *syntax.Paren:
		return b.searchCond(e.X, t, sc, fold, near)
	case *syntax.StringLit:
		return searchTerm(e.Value, t.cols(), fold)
	case *syntax.Star:
		return rel.Bool(true)
	case *syntax.Binary:
		switch e.Op {
		case syntax.And, syntax.Or:
			return &rel.Call{Func: e.Op.String(), Args: []rel.Expr{b.searchCond(e.X, t, sc, fold, near), b.searchCond(e.Y, t, sc, fold, near)}, T: value.Bool}
		case syntax.Matches:
			if y, ok := e.Y.(*syntax.StringLit); ok {
				if n, ok := e.X.(*syntax.Name); ok {
					if _, elsewhere := near.find(n.Name, t.cols()); elsewhere {
						return rel.Bool(false)
					}
				}
				if c, ok := b.columnRef(e.X, t); ok {
					return searchTerm(y.Value, []rel.Column{c}, fold)
				}
				return rel.Bool(false)
			}
		}
		if _, star := e.X.(*syntax.Star); star {
			return b.anyColumn(e, &env{sc: sc, cols: t.cols(), open: t.open})
		}
	case *syntax.Call:
		if n, ok := e.Func.(*syntax.Name); ok && n.Name == "not" && len(e.Args) == 1 {
			return &rel.Call{Func: "not", Args: []rel.Expr{b.searchCond(e.Args[0].Value, t, sc, fold, near)}, T: value.Bool}
		}
	}
	x := b.expr(e, &env{sc: sc, cols: t.cols(), open: t.open, beside: near})
	if c, ok := x.(*rel.Const); ok && c.Value != nil && c.T != value.Bool {
		return searchTerm(strings.Trim(c.String(), `"`), t.cols(), fold)
	}
	return b.condition(x, e)
}

// anyColumn binds * has "x" and its kin: one of the columns, as a text, fulfils it.
func (b *binder) anyColumn(e *syntax.Binary, en *env) rel.Expr {
	y := b.expr(e.Y, &env{sc: en.sc})
	if isUnknown(y) {
		return y
	}
	var any []rel.Expr
	for _, c := range en.cols {
		var x rel.Expr = &rel.Col{Name: c.Name, T: c.Type}
		x = b.cast(x, value.String)
		switch e.Op {
		case syntax.Equal, syntax.NotEqual, syntax.Less, syntax.LessOrEqual, syntax.Greater, syntax.GreaterOrEqual:
			x = b.compare(e, x, b.cast(y, value.String))
		default:
			x = b.textOperator(e, x, b.cast(y, value.String))
		}
		any = append(any, x)
	}
	return anyOf(any)
}

// searchTerm looks for a term in columns: "a" as a whole term, "a*" as the start of one, "*a" as the end
// of one, "*a*" anywhere.
func searchTerm(term string, cols []rel.Column, fold bool) rel.Expr {
	op := "has"
	switch {
	case len(term) > 1 && strings.HasPrefix(term, "*") && strings.HasSuffix(term, "*"):
		op = "contains"
	case len(term) > 1 && strings.HasSuffix(term, "*"):
		op = "hasprefix"
	case len(term) > 1 && strings.HasPrefix(term, "*"):
		op = "hassuffix"
	}
	term = strings.Trim(term, "*")
	if !fold {
		op += "_cs"
	}
	var any []rel.Expr
	for _, c := range cols {
		var x rel.Expr = &rel.Col{Name: c.Name, T: c.Type}
		if c.Type != value.String {
			x = &rel.Call{Func: "tostring", Args: []rel.Expr{x}, T: value.String}
		}
		any = append(any, &rel.Call{Func: op, Args: []rel.Expr{x, rel.Str(term)}, T: value.Bool})
	}
	return anyOf(any)
}

// anyOf holds where one of the conditions does; of none, nowhere.
func anyOf(conditions []rel.Expr) rel.Expr {
	switch len(conditions) {
	case 0:
		return rel.Bool(false)
	case 1:
		return conditions[0]
	}
	return &rel.Call{Func: "or", Args: conditions, T: value.Bool}
}
