package syntax

func (p *parser) mvApply() parsedOperator {
	o := &MvApply{Params: p.params("bagexpansion", "kind", "with_itemindex")}
	o.Items = p.expandItems()
	if p.gotWord("limit") {
		o.Limit = p.expr()
	}
	if p.expectWord("on", "mv-apply column on ( where … )") {
		o.Body = p.body()
	} else {
		o.Body = &Pipeline{Base: Base{p.place()}}
	}
	return o
}

func (o *MvApply) format(p *printer) *doc {
	return cat(p.params(o.Params), p.expandItems(o.Items), p.limit(o.Limit), text(" on "), p.body(o.Body, o.At.End))
}
