package syntax

func (p *parser) lookup() parsedOperator {
	o := &Lookup{}
	o.Params, o.Right, o.On = p.joined("lookup")
	return o
}

func (o *Lookup) format(p *printer) *doc { return p.joined(o.Params, o.Right, o.On) }
