package syntax

func (p *parser) where() parsedOperator {
	o := &Where{Params: p.params()}
	if p.atEnd() {
		p.fail(MissingClause, `for example where ResultType == "0"`, "where needs a condition")
		o.Cond = &BadExpr{Base{p.place()}}
		return o
	}
	o.Cond = p.expr()
	return o
}

func (o *Where) format(p *printer) *doc { return cat(p.params(o.Params), p.expr(o.Cond)) }
