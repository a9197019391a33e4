package bind

import (
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// ipLookup pairs each row with the networks of a table that its address lies in. The networks' lengths are
// few: an address is cut to each of them and compared for equality, so that no row meets every network.
func (p *plugin) ipLookup(family string) *table {
	right := p.tableExpr(p.args[0].Value, p.sc)
	source, ok := p.column(1)
	key, ok2 := p.columnAt(p.args[2], right)
	// Further columns must be equal; the last argument may be the flag.
	rest := p.rest
	all := false
	for i, a := range p.call.Args {
		if a.Name() == "return_unmatched" || i == len(p.call.Args)-1 && i > 2 && isBool(a) {
			all = p.boolArg(a)
			kept := rest[:0:0]
			for _, r := range rest {
				if r != a {
					kept = append(kept, r)
				}
			}
			rest = kept
		}
	}
	if !ok || !ok2 || p.failed || right.open || p.in.open {
		p.failed = true
		return nil
	}
	for _, c := range []struct {
		col rel.Column
		at  *syntax.NamedExpr
	}{{source, p.args[1]}, {key, p.args[2]}} {
		if c.col.Type != value.String {
			p.failed = true
			p.errorf(WrongType, c.at, "convert it with tostring()", "found a column of type %s for %s, string is needed", c.col.Type, p.f.Name)
			return nil
		}
	}
	row, net, cut := p.hiddenName("row"), p.hiddenName("net"), p.hiddenName("cut")
	dyn := func(name string) rel.Expr { return &rel.Col{Name: name, T: value.Dynamic} }
	str := func(name string) rel.Expr { return &rel.Col{Name: name, T: value.String} }
	// The networks, written in one way; what is none is left out.
	var nets rel.Rel = &rel.Project{In: right.rel, Items: append(rel.Refs(right.cols()), rel.Item{Name: net, Expr: call(family+"_network", value.String, str(key.Name))})}
	nets = &rel.Shared{Name: "networks", In: &rel.Filter{In: nets, Cond: call("!=", value.Bool, str(net), rel.Str(""))}}
	lengths := &rel.Scalar{T: value.Dynamic, Rel: &rel.Aggregate{In: nets, Aggs: []rel.Item{{Name: "lengths", Expr: call("make_set", value.Dynamic, call("network_length", value.Long, str(net)))}}}}
	numbered := &rel.Shared{Name: "addresses", In: &rel.Project{In: p.in.rel, Items: append(rel.Refs(p.in.cols()), rel.Item{Name: row, Expr: call("row_id", value.Long)})}}
	var cuts rel.Rel = &rel.Project{In: numbered, Items: append(rel.Refs(numbered.Columns()), rel.Item{Name: cut, Expr: call(family+"_cuts", value.Dynamic, str(source.Name), lengths)})}
	cuts = &rel.Expand{In: cuts, Items: []rel.ExpandItem{{Name: cut, Expr: dyn(cut), T: value.String}}, Drop: true}
	on := []rel.JoinKey{{L: &rel.Col{Name: cut, T: value.String, Side: rel.Left}, R: &rel.Col{Name: net, T: value.String, Side: rel.Right}}}
	extra := map[string]bool{}
	for _, a := range rest {
		n, ok := a.Value.(*syntax.Name)
		if !ok {
			p.wrong(a, "name a column that both tables have", "%s takes columns here", p.f.Name)
			return nil
		}
		l, ok := p.columnAt(a, p.in)
		r, ok2 := p.columnAt(a, right)
		if !ok || !ok2 {
			return nil
		}
		extra[n.Name] = true
		on = p.addKey(on, &rel.Col{Name: l.Name, T: l.Type, Side: rel.Left}, &rel.Col{Name: r.Name, T: r.Type, Side: rel.Right}, a)
	}
	names := newNames(p.in.cols())
	found := &rel.Join{Kind: rel.Inner, L: cuts, R: nets, On: on}
	var outs []rel.Item // the lookup table's columns of the result
	for _, c := range right.cols() {
		if extra[c.Name] {
			continue
		}
		name := names.fresh(c.Name)
		found.Out = append(found.Out, rel.JoinColumn{Name: name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Right}})
		outs = append(outs, rel.Item{Name: name, Expr: &rel.Col{Name: name, T: c.Type}})
	}
	own := rel.Refs(p.in.cols())
	// Kusto gives the input's columns first for IPv4 and last for IPv6.
	items := append(append([]rel.Item(nil), own...), outs...)
	if family == "ipv6" {
		items = append(append([]rel.Item(nil), outs...), own...)
	}
	if !all {
		for _, c := range p.in.cols() {
			found.Out = append(found.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Left}})
		}
		return p.in.with(&rel.Project{In: found, Items: items})
	}
	found.Out = append(found.Out, rel.JoinColumn{Name: row, From: rel.Col{Name: row, T: value.Long, Side: rel.Left}})
	number := func(s rel.Side) *rel.Col { return &rel.Col{Name: row, T: value.Long, Side: s} }
	j := &rel.Join{Kind: rel.LeftOuter, L: numbered, R: found, On: []rel.JoinKey{{L: number(rel.Left), R: number(rel.Right)}}}
	for _, c := range p.in.cols() {
		j.Out = append(j.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Left}})
	}
	for _, o := range outs {
		j.Out = append(j.Out, rel.JoinColumn{Name: o.Name, From: rel.Col{Name: o.Name, T: o.Expr.Type(), Side: rel.Right}})
	}
	return p.in.with(&rel.Project{In: j, Items: items})
}

func isBool(a *syntax.NamedExpr) bool {
	l, ok := a.Value.(*syntax.Literal)
	return ok && l.Kind == syntax.BoolLit
}

func (p *plugin) boolArg(a *syntax.NamedExpr) bool {
	c, ok := p.expr(a.Value, &env{sc: p.sc}).(*rel.Const)
	if ok {
		if v, ok := c.Value.(bool); ok {
			return v
		}
	}
	p.failed = true
	p.errorf(NotConstant, a, "write true or false", "return_unmatched must be a literal bool")
	return false
}
