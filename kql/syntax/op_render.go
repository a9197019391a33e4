package syntax

func (p *parser) render() parsedOperator {
	o := &Render{}
	t := p.tok()
	if t.kind != word {
		p.fail(MissingClause, "for example render timechart", "render needs a kind of chart")
		return o
	}
	p.next()
	o.Chart = p.text(t)
	switch {
	case p.gotWord("with"):
		o.With = p.properties()
	case p.nameAhead(): // the older form without with
		for p.nameAhead() && p.i < p.limit {
			start := p.start()
			id := p.ident("a property")
			p.next()
			q := &Param{Name: id.Name, Value: p.expr()}
			q.At = p.from(start)
			o.With = append(o.With, q)
			p.got(comma)
		}
	}
	return o
}

func (o *Render) format(p *printer) *doc {
	d := text(o.Chart)
	if len(o.With) > 0 {
		d = cat(d, text(" with "), p.properties(o.With, o.At.End))
	}
	return d
}
