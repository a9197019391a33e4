package syntax

// joined parses the parameters, the table and the conditions of join and lookup.
func (p *parser) joined(name string) (params Params, right Expr, on []Expr) {
	params = p.params("kind", "withsource", "isfuzzy")
	if p.atEnd() || p.atWord("on") {
		p.fail(MissingClause, name+" (Table | …) on Column", "%s needs a table", name)
		return params, &BadExpr{Base{p.place()}}, nil
	}
	if p.nameAhead() && !p.quiet {
		p.errorf(Unexpected, p.tok().at, "parameters are kind=… and hint.…=…", "%s has no parameter %s", name, p.found())
		p.next()
		p.next()
		p.paramValue()
	}
	right = p.postfix()
	if at := p.tok().at; p.atWord("kind") && p.peek(1).kind == assign {
		p.errorf(Unexpected, at, "write "+name+" kind=… ("+shorten(right.Span().In(p.src), 20)+") on …", "kind stands before the table")
		params = append(params, p.params("kind")...)
	}
	switch {
	case p.gotWord("on"):
		p.list(nil, func() { on = append(on, p.expr()) })
	case p.atWord("where"):
		p.fail(Unsupported, "write on", "%s … where … is not supported", name)
	case !p.quiet:
		p.errorf(MissingClause, p.last, "add on and the columns that both tables have, or on $left.a == $right.b", "%s has no on", name)
	}
	return params, right, on
}

func (p *parser) join() parsedOperator {
	o := &Join{}
	o.Params, o.Right, o.On = p.joined("join")
	return o
}

// joined gives what follows join and lookup.
func (p *printer) joined(params Params, right Expr, on []Expr) *doc {
	d := cat(p.params(params), p.expr(right))
	if len(on) > 0 {
		d = cat(d, text(" on "), items(p.exprs(on)))
	}
	return d
}

func (o *Join) format(p *printer) *doc { return p.joined(o.Params, o.Right, o.On) }
