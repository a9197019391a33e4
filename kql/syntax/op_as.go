package syntax

func (p *parser) as() parsedOperator {
	return &As{Params: p.params(), Name: p.ident("a name after as")}
}

func (o *As) format(p *printer) *doc { return cat(p.params(o.Params), p.ident(o.Name)) }
