package syntax

func (p *parser) facet() parsedOperator {
	o := &Facet{}
	if !p.expectWord("by", "facet by Column with (take 10)") {
		return o
	}
	p.list(p.atClause("with"), func() { o.By = append(o.By, p.postfix()) })
	if p.gotWord("with") {
		if p.at(lparen) {
			o.With = p.body()
		} else {
			start := p.start()
			o.With = &Pipeline{Ops: []Operator{p.operator()}}
			o.With.At = p.from(start)
		}
	}
	return o
}

func (o *Facet) format(p *printer) *doc {
	d := cat(text("by "), items(p.exprs(o.By)))
	if o.With != nil {
		d = cat(d, text(" with "), p.body(o.With, o.At.End))
	}
	return d
}
