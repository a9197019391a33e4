package syntax

func (p *parser) topHitters() parsedOperator {
	o := &TopHitters{N: p.expr()}
	if p.expectWord("of", "for example top-hitters 3 of City by Attempts") {
		o.Of = p.named()
	} else {
		o.Of = p.badNamed()
	}
	if p.gotWord("by") {
		o.By = p.order()
	}
	return o
}

func (o *TopHitters) format(p *printer) *doc {
	d := cat(p.expr(o.N), text(" of "), p.named(o.Of))
	if o.By != nil {
		d = cat(d, text(" by "), p.order(o.By))
	}
	return d
}
