package syntax

func (p *parser) reduce() parsedOperator {
	o := &Reduce{Params: p.params("kind")}
	if !p.expectWord("by", "reduce by Column") {
		o.By = &BadExpr{Base{p.place()}}
		return o
	}
	o.By = p.expr()
	if p.gotWord("with") {
		p.list(nil, func() { o.With = p.property(o.With) })
	}
	return o
}

func (o *Reduce) format(p *printer) *doc {
	d := cat(p.params(o.Params), text("by "), p.expr(o.By))
	if len(o.With) > 0 {
		ds := make([]*doc, len(o.With))
		for i, q := range o.With {
			ds[i] = p.param(q)
		}
		d = cat(d, text(" with "), items(ds))
	}
	return d
}
