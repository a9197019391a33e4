package syntax

func (p *parser) top() parsedOperator {
	o := &Top{Params: p.params(), N: p.expr()}
	if p.expectWord("by", "for example top 10 by TimeGenerated desc") {
		o.By = p.order()
	} else {
		o.By = &Order{Value: p.badNamed()}
	}
	return o
}

func (o *Top) format(p *printer) *doc {
	return cat(p.params(o.Params), p.expr(o.N), text(" by "), p.order(o.By))
}
