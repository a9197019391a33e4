package syntax

func (p *parser) distinct() parsedOperator {
	o := &Distinct{Params: p.params()}
	if p.atEnd() {
		p.fail(MissingClause, "distinct * takes all columns", "distinct needs columns")
		return o
	}
	p.list(nil, func() {
		if p.at(star) || p.wildcardAhead() {
			start := p.start()
			n := &NamedExpr{Value: p.nameOrWildcard()}
			n.At = p.from(start)
			o.Items = append(o.Items, n)
			return
		}
		o.Items = append(o.Items, p.named())
	})
	return o
}

func (o *Distinct) format(p *printer) *doc { return cat(p.params(o.Params), items(p.nameds(o.Items))) }
