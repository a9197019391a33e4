package main

import (
	"fmt"
	"slices"
	"strings"

	"glassward/kql/builtin"
	"glassward/kql/kqltest"
	"glassward/kql/value"
)

// kinds are a column of each type of the table T that the made-up queries read.
var kinds = []struct{ column, typ, literal string }{
	{"b", "bool", "true"},
	{"i", "int", "int(3)"},
	{"l", "long", "7"},
	{"r", "real", "1.5"},
	{"m", "decimal", "decimal(2.5)"},
	{"t", "datetime", "datetime(2026-01-31)"},
	{"z", "timespan", "1h"},
	{"s", "string", "'x'"},
	{"g", "guid", "guid(74be27de-1e4e-49d9-b579-fe0b331d3642)"},
	{"d", "dynamic", "dynamic([1])"},
}

// generated gives the table of the made-up queries, and another with some of its names.
func generatedTables() []*kqltest.Table {
	t, u := &kqltest.Table{Name: "T"}, &kqltest.Table{Name: "U"}
	for i, k := range kinds {
		t.Columns = append(t.Columns, kqltest.Column{Name: k.column, Type: k.typ})
		// The names of U are those of T with the next type, so that they clash.
		u.Columns = append(u.Columns, kqltest.Column{Name: k.column, Type: kinds[(i+1)%len(kinds)].typ})
	}
	u.Columns = append(u.Columns, kqltest.Column{Name: "key", Type: "string"})
	return []*kqltest.Table{t, u}
}

// generator collects queries.
type generator struct {
	tables []*kqltest.Table
	out    []*question
}

func (g *generator) add(format string, args ...any) {
	q := fmt.Sprintf(format, args...)
	g.out = append(g.out, &question{ID: "generated", Query: q, Tables: g.tables})
}

// generate makes up small queries: every operator on every pair of types, every function and aggregate
// with arguments of every type, every query operator over columns of every type, and the names that
// expressions without one get.
func generate(v *vocabulary) []*question {
	g := &generator{tables: generatedTables()}
	g.operators()
	g.functions(v)
	g.aggregates(v)
	g.tabular()
	g.names()
	return g.out
}

func (g *generator) operators() {
	ops := []string{"+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "=~", "!~", "has", "!has", "has_cs", "contains", "contains_cs", "startswith", "endswith", "hasprefix", "hassuffix", "matches regex", "and", "or", "in", "!in", "in~", "has_any", "has_all"}
	for _, op := range ops {
		for _, x := range kinds {
			for _, y := range kinds {
				left, right, literal := x.column, y.column, y.literal
				if strings.HasPrefix(op, "has_a") || strings.Contains(op, "in") && !strings.Contains(op, "contain") {
					right, literal = "("+right+")", "("+literal+", "+literal+")"
				}
				g.add("T | project %s %s %s", left, op, right)
				g.add("T | project x = %s %s %s", left, op, literal)
				g.add("print x = %s %s %s", x.literal, op, literal)
			}
		}
	}
	for _, x := range kinds {
		g.add("T | project -%s", x.column)
		g.add("T | project +%s", x.column)
		g.add("T | where %s", x.column)
		g.add("T | where not(%s)", x.column)
		g.add("T | project %s.p", x.column)
		g.add("T | project %s['p']", x.column)
		g.add("T | project %s[0]", x.column)
		g.add("print -%s", x.literal)
		g.add("print %s(null)", x.typ)
		for _, y := range kinds {
			g.add("T | project d[%s]", y.column)
			g.add("T | where %s between (%s .. %s)", x.column, y.column, y.column)
			g.add("T | where %s !between (%s .. %s)", x.column, y.literal, y.literal)
			g.add("T | where t between (%s .. %s)", x.column, y.column)
			g.add("T | where %s in (U | project %s)", x.column, y.column)
			g.add("T | where %s in~ (U | project %s)", x.column, y.column)
			g.add("T | where %s has_any ((U | project %s))", x.column, y.column)
			g.add("T | where %s == dynamic(null)", x.column)
			g.add("T | where %s == %s(null)", x.column, y.typ)
			g.add("let f = (p:%s) { p }; T | project f(%s)", x.typ, y.column)
			g.add("let f = (p:%s = %s) { p }; T | project f()", x.typ, y.literal)
			g.add("print x = iff(true, %s, %s)", x.literal, y.literal)
		}
	}
}

// good gives an argument that a parameter surely takes.
func good(f *builtin.Function, i int) string {
	p := f.Param(i)
	switch p.Name {
	case "part":
		return "'day'"
	case "format":
		return "'yyyy'"
	case "kind":
		return "'normal'"
	case "path":
		return "'$.a'"
	case "regex":
		return "'a(b)'"
	case "condition", "restart", "ignore_null_empty":
		return "b"
	case "type":
		return "typeof(long)"
	case "step", "span":
		if f.Name == "range" {
			return "1"
		}
	case "p", "limit", "accuracy", "group", "count", "precision":
		return "3"
	case "mod":
		return "10"
	}
	if len(p.Types) == 0 {
		if p.Constant {
			return "7"
		}
		return "l"
	}
	t := p.Types[0]
	if slices.Contains(p.Types, value.Long) {
		t = value.Long
	}
	for _, k := range kinds {
		if k.typ == t.String() && p.Constant {
			return k.literal
		} else if k.typ == t.String() {
			return k.column
		}
	}
	return "l"
}

// calls gives calls of a function in which one argument at a time takes every type.
func (g *generator) calls(f *builtin.Function, name, format string) {
	most := f.Most()
	if most < 0 {
		most = max(f.Least(), len(f.Params)) + 1
	}
	for n := max(0, f.Least()-1); n <= most+1; n++ {
		args := make([]string, n)
		for i := range args {
			if len(f.Params) > 0 {
				args[i] = good(f, i)
			} else {
				args[i] = "l"
			}
		}
		g.add(format, name+"("+strings.Join(args, ", ")+")")
		if n < f.Least() || n > most {
			continue
		}
		for i := range args {
			save := args[i]
			for _, k := range kinds {
				args[i] = k.column
				g.add(format, name+"("+strings.Join(args, ", ")+")")
				args[i] = k.literal
				g.add(format, name+"("+strings.Join(args, ", ")+")")
			}
			args[i] = save
		}
	}
	// All arguments of one type, and pairs of types, where any type is taken.
	if len(f.Params) > 0 && len(f.Params[len(f.Params)-1].Types) == 0 && f.Least() > 0 {
		n := f.Least()
		for _, x := range kinds {
			for _, y := range kinds {
				args := make([]string, n)
				for i := range args {
					if len(f.Param(i).Types) > 0 {
						args[i] = good(f, i)
						continue
					}
					args[i] = x.column
					if i%2 == 1 {
						args[i] = y.column
					}
				}
				g.add(format, name+"("+strings.Join(args, ", ")+")")
			}
		}
	}
}

func (g *generator) functions(v *vocabulary) {
	for _, f := range builtin.All() {
		switch {
		case f.Unsupported != "":
			continue
		case f.Kind == builtin.Scalar:
			for _, n := range append([]string{f.Name}, f.Aliases...) {
				g.calls(f, n, "T | project %s")
				g.add("T | project x = %s", n)
			}
		case f.Kind == builtin.Window:
			g.calls(f, f.Name, "T | serialize | project %s")
			g.add("T | extend x = %s(l)", f.Name)
		}
	}
	for _, n := range v.Functions {
		_, scalar := builtin.Lookup(builtin.Scalar, n.Name)
		_, window := builtin.Lookup(builtin.Window, n.Name)
		_, table := builtin.Lookup(builtin.Table, n.Name)
		if !scalar && !window && !table && !n.Hidden {
			g.add("print %s()", n.Name)
		}
	}
	for _, a := range []string{"1", "1.5", "'a'", "l", "null", "dynamic(null)", "true", "1h"} {
		for _, b := range []string{"int(1)", "1", "1.5", "'a'", "decimal(1)", "dynamic(1)", "dynamic(null)", "int(null)", "''", "t", "z", "d", "d.x"} {
			g.add("T | project x = iff(b, %s, %s)", a, b)
			g.add("T | project x = case(b, %s, b, %s, %s)", a, b, a)
			g.add("T | project x = coalesce(%s, %s)", a, b)
			g.add("T | project x = max_of(%s, %s)", a, b)
		}
	}
	for _, k := range kinds {
		for _, to := range kinds {
			g.add("T | extend x = extract('(a)', 1, s, typeof(%s)), y = extract_json('$.a', s, typeof(%s))", k.typ, to.typ)
			g.add("T | project x = column_ifexists('%s', %s)", k.column, to.column)
			g.add("T | project x = column_ifexists('nothing', %s)", to.literal)
			g.add("T | project x = bin(%s, %s), y = floor(%s, %s)", k.column, to.literal, k.column, to.literal)
			g.add("T | project x = range(%s, %s)", k.column, to.column)
			g.add("T | project x = range(%s, %s, %s)", k.literal, k.literal, to.literal)
			g.add("T | project x = bin_at(%s, %s, %s)", k.column, to.literal, k.literal)
		}
	}
}

func (g *generator) aggregates(v *vocabulary) {
	for _, f := range builtin.All() {
		if f.Kind != builtin.Aggregate || f.Unsupported != "" {
			continue
		}
		for _, n := range append([]string{f.Name}, f.Aliases...) {
			g.calls(f, n, "T | summarize %s")
			for _, k := range kinds {
				g.add("T | summarize %s(%s), %s(%s), %s(%s) by %s", n, k.column, n, k.column, n, "l", k.column)
				g.add("T | summarize x = %s(%s + %s)", n, k.column, k.column)
				g.add("T | summarize %s(tostring(%s)), %s(d.a.b), %s(d[0])", n, k.column, n, n)
			}
			g.add("T | summarize %s(*)", n)
			g.add("T | summarize %s(l, *)", n)
			g.add("T | summarize %s(l, r, s) by i", n)
			g.add("T | summarize %s(l + 1, r + 1, strlen(s)), %s(bin(l, 5), tolower(s)) by i", n, n)
			g.add("T | summarize (p, q) = %s(l, r, s) by i", n)
			g.add("T | summarize 1 + %s(l), %s(l) / count()", n, n)
			g.add("T | where %s(l) > 1", n)
			g.add("T | make-series %s(l) on t step 1d", n)
			g.add("T | make-series x = %s(r) default = 0 on t from ago(7d) to now() step 1d by s", n)
			g.add("T | summarize %s(%s(l))", n, n)
		}
	}
	for _, n := range v.Aggregates {
		if _, ok := builtin.Lookup(builtin.Aggregate, n.Name); !ok && !n.Hidden {
			g.add("T | summarize %s(l)", n.Name)
		}
	}
	for _, n := range v.Plugins {
		if _, ok := builtin.Lookup(builtin.Plugin, n.Name); !ok && !n.Hidden {
			g.add("T | evaluate %s()", n.Name)
		}
	}
	for _, k := range kinds {
		g.add("T | summarize by %s", k.column)
		g.add("T | summarize count() by x = %s", k.column)
		g.add("T | summarize percentiles(%s, 5, 50, 95), percentiles_array(%s, 5, 50)", k.column, k.column)
		g.add("T | summarize percentile(%s, 50) by bin(t, 1h)", k.column)
		g.add("T | summarize arg_max(%s, *) by s", k.column)
		g.add("T | summarize arg_min(%s, l, x = r)", k.column)
		g.add("T | summarize take_any(%s), take_any(%s, l)", k.column, k.column)
		g.add("T | summarize make_list(%s, 10), make_set(%s, 10), make_bag(%s), make_list_if(%s, b), make_set_if(%s, b)", k.column, k.column, k.column, k.column, k.column)
		g.add("T | summarize %s", k.column)
		g.add("T | summarize %s + count() by %s", k.column, k.column)
		g.add("T | summarize %s, count() by %s", k.column, k.column)
	}
}
