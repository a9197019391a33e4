package syntax

func (p *parser) search() parsedOperator {
	o := &Search{Params: p.params("kind", "withsource")}
	if p.atWord("in") && p.peek(1).kind == lparen {
		p.next()
		p.bracketed(func() { p.list(nil, func() { o.In = append(o.In, p.table()) }) })
	}
	if p.atEnd() {
		p.fail(MissingClause, `for example search "text"`, "search needs what to look for")
		o.Cond = &BadExpr{Base{p.place()}}
		return o
	}
	o.Cond = p.expr()
	return o
}

func (o *Search) format(p *printer) *doc {
	d := p.params(o.Params)
	if len(o.In) > 0 {
		d = cat(d, text("in "), p.enclosed("(", ")", p.exprs(o.In), p.closed(endOf(o.In, 0))), text(" "))
	}
	return cat(d, p.expr(o.Cond))
}
