package bind

import (
	"strconv"
	"strings"

	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/syntax"
)

// names hands out the names of a result's columns.
type names struct {
	used    map[string]bool
	unnamed int
}

func newNames(cols []rel.Column) *names {
	n := &names{used: map[string]bool{}}
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

// nameOf gives the name that Kusto derives for the result of an expression, or "".
func nameOf(e syntax.Expr) string {
	switch e := e.(type) {
	case *syntax.Paren:
		return nameOf(e.X)
	case *syntax.Name:
		return e.Name
	case *syntax.Member:
		if x := nameOf(e.X); x != "" {
			return x + "_" + e.Name.Name
		}
		return e.Name.Name
	case *syntax.Index:
		x := nameOf(e.X)
		switch i := e.Index.(type) {
		case *syntax.Literal:
			return x + "_" + i.Text
		case *syntax.StringLit:
			return x + "_" + i.Value
		case *syntax.Unary:
			if l, ok := i.X.(*syntax.Literal); ok && i.Op == syntax.Sub {
				return x + "_-" + l.Text
			}
		}
		return ""
	case *syntax.Call:
		fn, ok := e.Func.(*syntax.Name)
		if !ok || len(e.Args) == 0 {
			if ok {
				if f, ok := builtin.Lookup(builtin.Aggregate, fn.Name); ok {
					return f.Prefix
				}
			}
			return ""
		}
		if f, ok := builtin.Lookup(builtin.Aggregate, fn.Name); ok && !isScalar(fn.Name, len(e.Args)) {
			first := nameOf(e.Args[0].Value)
			if f.FirstName && first != "" {
				return first
			}
			name := f.Prefix + first
			if f.Name == "percentile" && len(e.Args) == 2 || f.Name == "percentilew" && len(e.Args) == 3 {
				name += percentileSuffix(e.Args[len(e.Args)-1].Value)
			}
			return name
		}
		if f, ok := builtin.Lookup(builtin.Scalar, fn.Name); ok {
			switch {
			case f.FirstName:
				return nameOf(e.Args[0].Value)
			case strings.HasSuffix(f.Prefix, "_"):
				return f.Prefix + nameOf(e.Args[0].Value)
			}
			return f.Prefix
		}
	}
	return ""
}

// isScalar says that a name that is an aggregate too is meant as a scalar function: hll_merge(h) merges
// the rows of a group, hll_merge(h1, h2) two values.
func isScalar(name string, args int) bool {
	_, scalar := builtin.Lookup(builtin.Scalar, name)
	return scalar && args > 1
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

// items binds one item of project, extend and their kin: its value and its name. Several names take
// the elements of a dynamic value. With own, names must not clash with those used; without, an item
// takes the place of a column of its name if it was named, and a fresh name else.
func (b *binder) items(it *syntax.NamedExpr, e *env, n *names, own bool) []rel.Item {
	if it.Value == nil {
		return nil
	}
	if out, ok := b.tuple(it, e, n); ok {
		return out
	}
	x := b.expr(it.Value, e)
	switch {
	case it.Tuple && len(it.Names) > 1 || len(it.Names) > 1:
		var out []rel.Item
		for i, name := range it.Names {
			n.add(name.Name)
			out = append(out, rel.Item{Name: name.Name, Expr: b.index(x, rel.Long(int64(i)), it.Value)})
		}
		return out
	case len(it.Names) == 1:
		n.add(it.Names[0].Name)
		return []rel.Item{{Name: it.Names[0].Name, Expr: x}}
	}
	name := nameOf(it.Value)
	_, plain := it.Value.(*syntax.Name)
	switch {
	case name == "":
		name = n.column()
	case plain && !own:
		n.add(name)
	case plain && n.used[name]:
		name = n.fresh(name)
	default:
		name = n.fresh(name)
	}
	return []rel.Item{{Name: name, Expr: x}}
}
