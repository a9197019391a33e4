package syntax

func (p *parser) orders() (list []*Order) {
	p.list(nil, func() { list = append(list, p.order()) })
	return list
}

func (p *parser) sort() parsedOperator {
	o := &Sort{Params: p.params()}
	if p.expectWord("by", "for example sort by TimeGenerated desc") {
		o.By = p.orders()
	}
	return o
}

func (o *Sort) format(p *printer) *doc {
	return cat(p.params(o.Params), text("by "), items(p.orders(o.By)))
}
