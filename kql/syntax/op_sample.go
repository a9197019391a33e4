package syntax

func (p *parser) sample() parsedOperator {
	o := &Sample{Params: p.params()}
	o.N = p.number("for example sample 10")
	return o
}

func (o *Sample) format(p *printer) *doc { return cat(p.params(o.Params), p.expr(o.N)) }
