package syntax

func (p *parser) serialize() parsedOperator {
	o := &Serialize{Params: p.params()}
	if !p.atEnd() && !p.tok().kind.closes() {
		o.Items = p.namedList(nil)
	}
	return o
}

func (o *Serialize) format(p *printer) *doc {
	d := p.params(o.Params)
	if len(o.Items) > 0 {
		d = cat(d, items(p.nameds(o.Items)))
	}
	return d
}
