package syntax

func (p *parser) externalData() Expr {
	start := p.start()
	p.next()
	d := &ExternalData{Params: p.params()}
	d.Columns = p.schema().Columns
	if !p.at(lbrack) {
		p.expect(lbrack, "and addresses after the columns")
	} else {
		p.bracketed(func() { d.URIs = p.values() })
	}
	if p.atWord("with") && p.peek(1).kind == lparen {
		p.next()
		d.With = p.properties()
	}
	d.At = p.from(start)
	return d
}

func (p *printer) externalData(d *ExternalData) *doc {
	out := cat(text("externaldata"), p.paramsBefore(d.Params), p.enclosed("(", ")", p.columns(d.Columns), p.closed(endOf(d.Columns, 0))),
		text(" "), p.enclosed("[", "]", p.exprs(d.URIs), p.closed(endOf(d.URIs, 0))))
	if len(d.With) > 0 {
		out = cat(out, text(" with "), p.properties(d.With, d.At.End))
	}
	return out
}
