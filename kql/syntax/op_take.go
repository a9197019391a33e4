package syntax

func (p *parser) take() parsedOperator {
	o := &Take{Params: p.params()}
	o.N = p.number("for example take 10")
	return o
}

// number parses a count of rows.
func (p *parser) number(hint string) Expr {
	if p.atEnd() {
		p.fail(MissingClause, hint, "a number is missing")
		return &BadExpr{Base{p.place()}}
	}
	return p.expr()
}

func (o *Take) format(p *printer) *doc { return cat(p.params(o.Params), p.expr(o.N)) }
