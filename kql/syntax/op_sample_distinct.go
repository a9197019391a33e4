package syntax

func (p *parser) sampleDistinct() parsedOperator {
	o := &SampleDistinct{Params: p.params(), N: p.expr()}
	if p.expectWord("of", "for example sample-distinct 10 of UserId") {
		o.Of = p.named()
	} else {
		o.Of = p.badNamed()
	}
	return o
}

func (o *SampleDistinct) format(p *printer) *doc {
	return cat(p.params(o.Params), p.expr(o.N), text(" of "), p.named(o.Of))
}
