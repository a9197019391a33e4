package bind

import (
	"slices"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// elsewhereFunctions are the functions that name what lies outside the query's own workspace.
var elsewhereFunctions = [...]string{"workspace", "database", "cluster", "app", "resource", "adx", "arg"}

// elsewhere binds workspace("name").Table and its kin. It gives nil if the expression is something else.
func (b *binder) elsewhere(m *syntax.Member) *table {
	head := elsewhereHead(m)
	if head == nil {
		return nil
	}
	return b.tableOf(m, m.X, m.Name.Name, &m.Name)
}

// elsewhereCall binds workspace("name").table("Table"), nil if the call is something else. A function of
// another workspace is refused.
func (b *binder) elsewhereCall(m *syntax.Member, e *syntax.Call, en *env) *table {
	if elsewhereHead(m) == nil {
		return nil
	}
	if m.Name.Name == "table" && len(e.Args) == 1 {
		if name, ok := b.constantText(e.Args[0].Value, en.sc); ok {
			return b.tableOf(m, m.X, name, e.Args[0])
		}
		b.errorf(NotConstant, e.Args[0], "write the name as a literal text", "the name given to table is not known when the query is compiled")
		return openTable()
	}
	b.errorf(Unsupported, m, "", "functions of other workspaces and databases cannot be called")
	return openTable()
}

// elsewhereHead gives the call with which a chain of members begins, if it names another place.
func elsewhereHead(m *syntax.Member) *syntax.Call {
	var x syntax.Expr = m
	for {
		switch y := x.(type) {
		case *syntax.Member:
			x = y.X
			continue
		case *syntax.Call:
			switch f := y.Func.(type) {
			case *syntax.Member:
				x = f
				continue
			case *syntax.Name:
				if slices.Contains(elsewhereFunctions[:], f.Name) {
					return y
				}
			}
		}
		return nil
	}
}

// tableOf finds a table of the workspace that x names.
func (b *binder) tableOf(at syntax.Node, x syntax.Expr, name string, nameAt syntax.Node) *table {
	cat, text, ok := b.catalogOf(x)
	if !ok {
		return openTable()
	}
	t, ok := cat.Table(name)
	if !ok {
		b.errorf(UnknownTable, nameAt, fewHint(name, cat.TableNames()), "there is no table %s in the workspace %s", name, text)
		return openTable()
	}
	return &table{rel: b.scan(t), name: name}
}

// tablesElsewhere finds the tables whose names match a pattern in the workspace that stands before it.
func (b *binder) tablesElsewhere(w *syntax.Wildcard) []*table {
	cat, text, ok := b.catalogOf(w.Scope)
	if !ok {
		return []*table{openTable()}
	}
	var out []*table
	for _, n := range cat.TableNames() {
		if !matches(w.Pattern, n) {
			continue
		}
		if t, ok := cat.Table(n); ok {
			out = append(out, &table{rel: b.scan(t), name: n})
		}
	}
	if len(out) == 0 {
		b.errorf(UnknownTable, w, "", "no table of the workspace %s has a name like %s", text, w.Pattern)
		return []*table{openTable()}
	}
	return out
}

// catalogOf gives the tables of the workspace that x names, and its name: the last workspace or database of the
// chain. It is not ok where the query may not read that one; this is told.
func (b *binder) catalogOf(x syntax.Expr) (cat Catalog, name string, ok bool) {
	c, ok := x.(*syntax.Call)
	if !ok {
		b.errorf(UnknownWorkspace, x, "", "%s names no workspace that this query may read", describe(x))
		return nil, "", false
	}
	kind := ""
	switch f := c.Func.(type) {
	case *syntax.Name:
		kind = f.Name
	case *syntax.Member:
		// cluster("x").database("y"): there is no cluster but our own, whatever the database.
		if head := elsewhereHead(f); head != nil {
			b.refuseElsewhere(head)
			return nil, "", false
		}
	}
	if (kind != "workspace" && kind != "database") || b.o.Workspace == nil {
		b.refuseElsewhere(c)
		return nil, "", false
	}
	if len(c.Args) == 1 {
		name, ok = b.constantText(c.Args[0].Value, b.root)
	}
	if !ok || len(c.Args) != 1 {
		b.errorf(NotConstant, c, "write the name as a literal text", "the name given to %s is not known when the query is compiled", kind)
		return nil, "", false
	}
	if cat, ok = b.o.Workspace(name); !ok {
		b.refuseElsewhere(c)
		return nil, "", false
	}
	return cat, name, true
}

func (b *binder) refuseElsewhere(c *syntax.Call) {
	what := "workspace"
	if n, ok := c.Func.(*syntax.Name); ok {
		what = n.Name
	}
	if len(c.Args) > 0 {
		if text, ok := b.constantText(c.Args[0].Value, b.root); ok && text != "" {
			what += " " + text
		}
	}
	b.errorf(UnknownWorkspace, c, "leave it out: tables are those of the workspace that is asked", "there is no %s that this query may read", what)
}

// constantText gives an expression's value if it is a text known when the query is compiled.
func (b *binder) constantText(e syntax.Expr, sc *scope) (text string, ok bool) {
	if e == nil {
		return "", false
	}
	var x rel.Expr
	b.quiet(func() { x = b.expr(e, &env{sc: sc}) })
	k, is := x.(*rel.Const)
	if !is || k.T != value.String || k.Value == nil {
		return "", false
	}
	return k.Value.(string), true
}
