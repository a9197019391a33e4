package syntax

func (p *parser) print() parsedOperator {
	return &Print{Items: p.namedList(nil)}
}

func (o *Print) format(p *printer) *doc { return items(p.nameds(o.Items)) }
