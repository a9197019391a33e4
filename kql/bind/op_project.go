package bind

import (
	"slices"
	"sort"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
)

func (b *binder) project(o *syntax.Project, in *table, sc *scope) *table {
	e := &env{sc: sc, cols: in.cols(), open: in.open, windows: true}
	n := newNames(nil)
	var out []rel.Item
	for _, it := range o.Items {
		if cols, ok := b.pattern(it.Value, in); ok && len(it.Names) == 0 {
			for _, c := range cols {
				if !n.used[c.Name] {
					n.add(c.Name)
					out = append(out, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: c.Type}})
				}
			}
			continue
		}
		out = append(out, b.items(it, e, n, true)...)
	}
	return in.with(b.projection(in.rel, out))
}

// pattern gives the columns that a star or a name with stars stands for.
func (b *binder) pattern(e syntax.Expr, in *table) ([]rel.Column, bool) {
	switch e := e.(type) {
	case *syntax.Star:
		return in.cols(), true
	case *syntax.Wildcard:
		var out []rel.Column
		for _, c := range in.cols() {
			if matches(e.Pattern, c.Name) {
				out = append(out, c)
			}
		}
		return out, true
	}
	return nil, false
}

// matches says whether a name fits a pattern with stars.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(name, p)
		if i < 0 {
			return false
		}
		name = name[i+len(p):]
	}
	return strings.HasSuffix(name, parts[len(parts)-1])
}

// columns gives the columns that a list of names and patterns stands for, each once, in that order.
func (b *binder) columns(items []syntax.Expr, in *table) []rel.Column {
	var out []rel.Column
	add := func(c rel.Column) {
		if rel.Index(out, c.Name) < 0 {
			out = append(out, c)
		}
	}
	for _, it := range items {
		if cols, ok := b.pattern(it, in); ok {
			for _, c := range cols {
				add(c)
			}
			continue
		}
		if c, ok := b.columnRef(it, in); ok {
			add(c)
		}
	}
	return out
}

// columnRef finds the column that a name stands for; anything but a name is a mistake.
func (b *binder) columnRef(x syntax.Expr, in *table) (rel.Column, bool) {
	n, ok := x.(*syntax.Name)
	if !ok {
		if _, bad := x.(*syntax.BadExpr); !bad {
			b.errorf(WrongArguments, x, "compute it with extend first", "a column's name is needed here")
		}
		return rel.Column{}, false
	}
	if i := rel.Index(in.cols(), n.Name); i >= 0 {
		return in.cols()[i], true
	}
	if !in.open {
		b.unknownColumn(n, n.Name, in.cols(), nil)
	}
	return rel.Column{}, false
}

func (b *binder) projectAway(o *syntax.ProjectAway, in *table) *table {
	away := b.columns(o.Items, in)
	var keep []rel.Column
	for _, c := range in.cols() {
		if rel.Index(away, c.Name) < 0 {
			keep = append(keep, c)
		}
	}
	return in.with(&rel.Project{In: in.rel, Items: rel.Refs(keep)})
}

func (b *binder) projectKeep(o *syntax.ProjectKeep, in *table) *table {
	want := b.columns(o.Items, in)
	var keep []rel.Column
	for _, c := range in.cols() {
		if rel.Index(want, c.Name) >= 0 {
			keep = append(keep, c)
		}
	}
	return in.with(&rel.Project{In: in.rel, Items: rel.Refs(keep)})
}

func (b *binder) projectRename(o *syntax.ProjectRename, in *table) *table {
	items := rel.Refs(in.cols())
	for _, it := range o.Items {
		c, ok := b.columnRef(it.Value, in)
		if !ok || it.Name() == "" {
			continue
		}
		for i := range items {
			if r := items[i].Expr.(*rel.Col); r.Name == c.Name {
				items[i].Name = it.Name()
			}
		}
	}
	seen := map[string]bool{}
	for _, it := range items {
		if seen[it.Name] {
			b.errorf(DuplicateColumn, o, "", "the column %s comes twice", it.Name)
			return in
		}
		seen[it.Name] = true
	}
	return in.with(&rel.Project{In: in.rel, Items: items})
}

func (b *binder) projectReorder(o *syntax.ProjectReorder, in *table) *table {
	var out []rel.Column
	for _, it := range o.Items {
		x := it.Value.Value
		cols, ok := b.pattern(x, in)
		if !ok {
			c, found := b.columnRef(x, in)
			if !found {
				continue
			}
			cols = []rel.Column{c}
		}
		cols = slices.Clone(cols)
		switch it.Dir {
		case syntax.Asc, syntax.GrannyAsc:
			sort.SliceStable(cols, func(i, j int) bool { return reorderLess(cols[i].Name, cols[j].Name, it.Dir) })
		case syntax.Desc, syntax.GrannyDesc:
			sort.SliceStable(cols, func(i, j int) bool { return reorderLess(cols[j].Name, cols[i].Name, it.Dir) })
		}
		for _, c := range cols {
			if rel.Index(out, c.Name) < 0 {
				out = append(out, c)
			}
		}
	}
	for _, c := range in.cols() {
		if rel.Index(out, c.Name) < 0 {
			out = append(out, c)
		}
	}
	return in.with(&rel.Project{In: in.rel, Items: rel.Refs(out)})
}

// reorderLess orders names, for the granny orders with the numbers in them by value.
func reorderLess(a, b string, d syntax.Direction) bool {
	if d != syntax.GrannyAsc && d != syntax.GrannyDesc {
		return a < b
	}
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if len(x) != len(y) {
				return len(x) < len(y)
			}
			if x != y {
				return x < y
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return a[0] < b[0]
		}
		a, b = a[1:], b[1:]
	}
	return len(a) < len(b)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
