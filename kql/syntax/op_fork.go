package syntax

func (p *parser) fork() parsedOperator {
	o := &Fork{}
	for (p.at(lparen) || p.nameAhead()) && !p.quiet && p.i < p.limit {
		b := &Branch{}
		start := p.start()
		if p.nameAhead() {
			b.Name = p.ident("a name")
			p.next()
		}
		b.Body = p.body()
		b.At = p.from(start)
		o.Branches = append(o.Branches, b)
	}
	if len(o.Branches) == 0 {
		p.fail(MissingClause, "fork (count) (take 10)", "fork needs branches in parentheses")
	}
	return o
}

func (o *Fork) format(p *printer) *doc {
	kids := []*doc{}
	for i, b := range o.Branches {
		if i > 0 {
			kids = append(kids, line)
		}
		kids = append(kids, p.comment(b.At.Start))
		if b.Name.Name != "" {
			kids = append(kids, p.ident(b.Name), text(" = "))
		}
		kids = append(kids, p.body(b.Body, b.At.End))
	}
	return group(indent(kids...))
}
