package syntax

import "glassward/kql/diag"

func (p *parser) find() parsedOperator {
	o := &Find{Params: p.params("withsource", "datascope", "kind")}
	if p.atWord("in") && p.peek(1).kind == lparen {
		p.next()
		p.bracketed(func() { p.list(nil, func() { o.In = append(o.In, p.table()) }) })
	}
	p.gotWord("where")
	o.Cond = p.expr()
	for !p.quiet && p.tok().kind == word {
		w, n := p.operatorWord()
		switch w {
		case "project":
			p.next()
			p.list(p.projectAwayAhead, func() { o.Project = append(o.Project, p.findColumn()) })
			continue
		case "project-smart":
			o.Smart = true
		case "project-away":
			for range n {
				p.next()
			}
			o.Away = p.columnList()
			continue
		default:
			return o
		}
		for range n {
			p.next()
		}
	}
	return o
}

func (p *parser) projectAwayAhead() bool {
	w, _ := p.operatorWord()
	return p.tok().kind == word && w == "project-away"
}

func (p *parser) findColumn() Expr {
	start := p.start()
	if p.peek(1).kind == lparen {
		return p.postfix()
	}
	c := p.column(false)
	if c.Type == "" {
		return &Name{c.Name.Base, c.Name.Name, c.Name.Quoted}
	}
	return &TypedColumn{Base{diag.At(start, c.At.End)}, *c}
}

func (o *Find) format(p *printer) *doc {
	d := p.params(o.Params)
	if len(o.In) > 0 {
		d = cat(d, text("in "), p.enclosed("(", ")", p.exprs(o.In), p.closed(endOf(o.In, 0))), text(" "))
	}
	if len(o.In) > 0 || len(o.Params) > 0 {
		d = cat(d, text("where "))
	}
	d = cat(d, p.expr(o.Cond))
	if len(o.Project) > 0 {
		d = cat(d, text(" project "), items(p.exprs(o.Project)))
	}
	if o.Smart {
		d = cat(d, text(" project-smart"))
	}
	if len(o.Away) > 0 {
		d = cat(d, text(" project-away "), items(p.exprs(o.Away)))
	}
	return d
}
