package syntax

func (p *parser) rangeOp() parsedOperator {
	const hint = "range x from 1 to 10 step 1"
	o := &Range{Name: p.ident("a column")}
	bad := func(e *Expr, w string) {
		if p.expectWord(w, hint) {
			*e = p.expr()
		} else {
			*e = &BadExpr{Base{p.place()}}
		}
	}
	bad(&o.From, "from")
	bad(&o.To, "to")
	bad(&o.Step, "step")
	return o
}

func (o *Range) format(p *printer) *doc {
	return cat(p.ident(o.Name), text(" from "), p.expr(o.From), text(" to "), p.expr(o.To), text(" step "), p.expr(o.Step))
}
