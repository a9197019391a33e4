package syntax

func (p *parser) columnList() (list []Expr) {
	if p.atEnd() {
		return nil
	}
	p.list(nil, func() { list = append(list, p.nameOrWildcard()) })
	return list
}

func (p *parser) projectAway() parsedOperator { return &ProjectAway{Items: p.columnList()} }

func (o *ProjectAway) format(p *printer) *doc { return items(p.exprs(o.Items)) }
