package syntax

func (p *parser) projectReorder() parsedOperator {
	o := &ProjectReorder{}
	if p.atEnd() {
		return o
	}
	p.list(nil, func() {
		start := p.start()
		k := &Order{Value: &NamedExpr{Value: p.nameOrWildcard()}}
		k.Value.At = k.Value.Value.Span()
		switch w, n := p.operatorWord(); {
		case p.gotWord("asc"):
			k.Dir = Asc
		case p.gotWord("desc"):
			k.Dir = Desc
		case n == 3 && (w == "granny-asc" || w == "granny-desc"):
			k.Dir = GrannyAsc
			if w == "granny-desc" {
				k.Dir = GrannyDesc
			}
			for range n {
				p.next()
			}
		}
		k.At = p.from(start)
		o.Items = append(o.Items, k)
	})
	return o
}

func (o *ProjectReorder) format(p *printer) *doc { return items(p.orders(o.Items)) }
