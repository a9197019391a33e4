package syntax

func (p *parser) project() parsedOperator {
	o := &Project{}
	if !p.atEnd() {
		o.Items = p.namedList(nil)
	}
	return o
}

func (o *Project) format(p *printer) *doc { return items(p.nameds(o.Items)) }
