package bind

import (
	"cmp"
	"strconv"
	"strings"

	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/syntax"
)

// names hands out the names of a result's columns.
type names struct {
	used     map[string]bool
	declared map[string]bool // that the query gave by name: none of them may come twice
	unnamed  int
}

func newNames(cols []rel.Column) *names {
	n := &names{used: map[string]bool{}, declared: map[string]bool{}}
	for _, c := range cols {
		n.used[c.Name] = true
	}
	return n
}

func (n *names) add(name string) { n.used[name] = true }

// fresh gives the name, or the name with the smallest number behind it that is free.
func (n *names) fresh(name string) string {
	out := name
	for i := 1; n.used[out]; i++ {
		out = name + strconv.Itoa(i)
	}
	n.used[out] = true
	return out
}

// column gives a name to a result that has none: Column1, Column2 …
func (n *names) column() string {
	for {
		n.unnamed++
		name := "Column" + strconv.Itoa(n.unnamed)
		if !n.used[name] {
			n.used[name] = true
			return name
		}
	}
}

// derived gives an unnamed result the name that follows from its expression, "" for none.
func (n *names) derived(name string) string {
	if name == "" {
		return n.column()
	}
	return n.fresh(name)
}

// nameOf gives the name that Kusto derives for the result of an expression, or "".
func nameOf(e syntax.Expr) string {
	switch e := e.(type) {
	case *syntax.Paren:
		return nameOf(e.X)
	case *syntax.Name:
		return e.Name
	case *syntax.Member:
		return joined(nameOf(e.X), e.Name.Name)
	case *syntax.Index:
		switch i := e.Index.(type) {
		case *syntax.Literal:
			if i.Kind == syntax.LongLit || i.Kind == syntax.IntLit {
				return joined(nameOf(e.X), i.Text)
			}
		case *syntax.StringLit:
			return joined(nameOf(e.X), i.Value)
		}
		return joined(nameOf(e.X), "")
	case *syntax.Call:
		fn, ok := e.Func.(*syntax.Name)
		if !ok {
			return ""
		}
		f, ok := builtin.Lookup(builtin.Aggregate, fn.Name)
		if !ok || isScalar(fn.Name, len(e.Args)) {
			f, ok = builtin.Lookup(builtin.Scalar, fn.Name)
		}
		if !ok {
			return ""
		}
		return callName(f, e)
	}
	return ""
}

// isScalar says that a name that is an aggregate too is meant as a scalar function: hll_merge(h) merges
// the rows of a group, hll_merge(h1, h2) two values.
func isScalar(name string, args int) bool {
	_, scalar := builtin.Lookup(builtin.Scalar, name)
	return scalar && args > 1
}

// joined gives the name of a step into a value: both names, or that of the step alone.
func joined(value, step string) string {
	if value == "" {
		return step
	}
	return value + "_" + step
}

func callName(f *builtin.Function, e *syntax.Call) string {
	first := ""
	if len(e.Args) > 0 {
		first = nameOf(e.Args[0].Value)
	}
	switch {
	case f.Name == "array_sort_asc", f.Name == "array_sort_desc":
		return cmp.Or(first, "array0") + "_sorted"
	case f.Prefix != "" && !strings.HasSuffix(f.Prefix, "_"):
		return f.Prefix
	case f.FirstName, f.OnlyName && len(e.Args) == 1:
		return first
	case f.Name == "percentile" && len(e.Args) == 2, f.Name == "percentilew" && len(e.Args) == 3:
		return f.Prefix + first + percentileSuffix(e.Args[len(e.Args)-1].Value)
	case f.Prefix != "":
		return f.Prefix + first
	}
	return ""
}

// columnIfExistsName gives the name of a call of column_ifexists, which is that of the column if it
// exists, and "" for every other expression.
func columnIfExistsName(e syntax.Expr, cols []rel.Column) string {
	call, ok := e.(*syntax.Call)
	if !ok || len(call.Args) == 0 {
		return ""
	}
	f, ok := call.Func.(*syntax.Name)
	if !ok || f.Name != "column_ifexists" && f.Name != "columnifexists" {
		return ""
	}
	if s, ok := call.Args[0].Value.(*syntax.StringLit); ok && rel.Index(cols, s.Value) >= 0 {
		return s.Value
	}
	return ""
}

func percentileSuffix(e syntax.Expr) string {
	l, ok := e.(*syntax.Literal)
	if !ok {
		return ""
	}
	out := []byte("_" + l.Text)
	for i := range out {
		if out[i] == '.' {
			out[i] = '_'
		}
	}
	return string(out)
}

// givenName takes a name that the query gave. One that was derived before gets a number; one that was
// given before is a mistake.
func (b *binder) givenName(name string, n *names, at syntax.Node) string {
	if n.declared[name] {
		b.errorf(DuplicateColumn, at, "give one of them another name", "the column %s comes twice", name)
		return n.fresh(name)
	}
	out := n.fresh(name)
	n.declared[out] = true
	return out
}

// itemName takes a name that the query gave to an item: with own as givenName does, without, it may be that
// of a column whose place the item takes.
func (b *binder) itemName(name string, n *names, at syntax.Node, own bool) string {
	if own {
		return b.givenName(name, n, at)
	}
	if n.declared[name] {
		b.errorf(DuplicateColumn, at, "give one of them another name", "the column %s comes twice", name)
	}
	n.declared[name], n.used[name] = true, true
	return name
}

// items binds one item of project, extend and their kin: its value and its name. Several names take
// the elements of a dynamic value. With own, names must not clash with those used; without, an item
// takes the place of a column of its name.
func (b *binder) items(it *syntax.NamedExpr, e *env, n *names, own bool) []rel.Item {
	if it.Value == nil {
		return nil
	}
	if out, ok := b.tuple(it, e, n, own); ok {
		return out
	}
	x := b.expr(it.Value, e)
	given := func(name string, x rel.Expr) rel.Item {
		return rel.Item{Name: b.itemName(name, n, it, own), Expr: x}
	}
	switch {
	case len(it.Names) > 1:
		var out []rel.Item
		for i, name := range it.Names {
			out = append(out, given(name.Name, b.index(x, rel.Long(int64(i)), it.Value)))
		}
		return out
	case len(it.Names) == 1:
		return []rel.Item{given(it.Names[0].Name, x)}
	}
	if c, ok := x.(*rel.Col); ok && c.Name == nameOf(it.Value) {
		if own {
			return []rel.Item{given(c.Name, x)}
		}
		return []rel.Item{{Name: c.Name, Expr: x}}
	}
	name := cmp.Or(nameOf(it.Value), columnIfExistsName(it.Value, e.cols))
	if own || name == "" {
		name = n.derived(name)
	}
	n.add(name)
	return []rel.Item{{Name: name, Expr: x}}
}
