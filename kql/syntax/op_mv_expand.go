package syntax

func (p *parser) expandItems() (list []*ExpandItem) {
	p.list(p.atClause("on", "limit"), func() {
		start := p.start()
		it := &ExpandItem{Value: p.named()}
		if p.gotWord("to") {
			if p.atWord("typeof") && p.peek(1).kind == lparen {
				if t, ok := p.typeOf().(*TypeOf); ok {
					it.Type = t.Type
					if t.Schema != nil {
						p.errorf(Unexpected, t.Span(), "for example to typeof(string)", "expected one type")
					}
				}
			} else {
				p.fail(Unexpected, "for example to typeof(string)", "expected typeof(…) after to, found %s", p.found())
			}
		}
		it.At = p.from(start)
		list = append(list, it)
	})
	return list
}

func (p *parser) mvExpand() parsedOperator {
	o := &MvExpand{Params: p.params("bagexpansion", "kind", "with_itemindex")}
	if p.atEnd() {
		p.fail(MissingClause, "for example mv-expand TargetResources", "mv-expand needs a column")
		return o
	}
	o.Items = p.expandItems()
	if p.gotWord("limit") {
		o.Limit = p.expr()
	}
	return o
}

func (p *printer) expandItems(its []*ExpandItem) *doc {
	ds := make([]*doc, len(its))
	for i, it := range its {
		ds[i] = p.named(it.Value)
		if it.Type != "" {
			ds[i] = cat(ds[i], text(" to typeof("+it.Type+")"))
		}
	}
	return items(ds)
}

func (p *printer) limit(e Expr) *doc {
	if e == nil {
		return none
	}
	return cat(text(" limit "), p.expr(e))
}

func (o *MvExpand) format(p *printer) *doc {
	return cat(p.params(o.Params), p.expandItems(o.Items), p.limit(o.Limit))
}
