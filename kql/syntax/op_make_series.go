package syntax

func (p *parser) makeSeries() parsedOperator {
	o := &MakeSeries{Params: p.params("kind")}
	on := p.atClause("on")
	const hint = "for example make-series n = count() default = 0 on TimeGenerated from ago(1d) to now() step 1h by User"
	p.list(on, func() {
		start := p.start()
		a := &SeriesAgg{Value: p.named()}
		if p.gotWord("default") {
			p.expect(assign, "after default")
			a.Default = p.expr()
		}
		a.At = p.from(start)
		o.Aggs = append(o.Aggs, a)
	})
	if !p.expectWord("on", hint) {
		o.On, o.Step = p.badNamed(), &BadExpr{Base{p.place()}}
		return o
	}
	o.On = p.named()
	if p.atWord("in") && p.isWord(p.peek(1), "range") {
		p.next()
		p.next()
		o.InRange = true
		if !p.at(lparen) {
			p.expect(lparen, "after range")
		} else {
			var args []Expr
			p.bracketed(func() { p.list(nil, func() { args = append(args, p.expr()) }) })
			if len(args) != 3 {
				p.errorf(Unexpected, p.from(o.On.At.End), "in range(start, stop, step)", "range takes three values")
				args = append(args, &BadExpr{Base{p.place()}}, &BadExpr{Base{p.place()}}, &BadExpr{Base{p.place()}})
			}
			o.From, o.To, o.Step = args[0], args[1], args[2]
		}
	} else {
		if p.gotWord("from") {
			o.From = p.expr()
		}
		if p.gotWord("to") {
			o.To = p.expr()
		}
		if p.expectWord("step", hint) {
			o.Step = p.expr()
		}
	}
	if o.Step == nil {
		o.Step = &BadExpr{Base{p.place()}}
	}
	if p.gotWord("by") {
		o.By = p.namedList(nil)
	}
	return o
}

func (o *MakeSeries) format(p *printer) *doc {
	params := p.params(o.Params)
	aggs := make([]*doc, len(o.Aggs))
	for i, a := range o.Aggs {
		aggs[i] = p.named(a.Value)
		if a.Default != nil {
			aggs[i] = cat(aggs[i], text(" default = "), p.expr(a.Default))
		}
	}
	kids := []*doc{list(aggs), clause("on", p.named(o.On))}
	if o.InRange {
		kids = append(kids, text(" in range"), p.enclosed("(", ")", p.exprs([]Expr{o.From, o.To, o.Step}), 0))
	} else {
		if o.From != nil {
			kids = append(kids, clause("from", p.expr(o.From)))
		}
		if o.To != nil {
			kids = append(kids, clause("to", p.expr(o.To)))
		}
		kids = append(kids, clause("step", p.expr(o.Step)))
	}
	if len(o.By) > 0 {
		kids = append(kids, clause("by", items(p.nameds(o.By))))
	}
	return cat(params, group(indent(kids...)))
}
