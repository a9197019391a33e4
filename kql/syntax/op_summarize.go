package syntax

func (p *parser) summarize() parsedOperator {
	o := &Summarize{Params: p.params()}
	by := p.atClause("by")
	if !by() && !p.atEnd() {
		o.Aggs = p.namedList(by)
	}
	if p.gotWord("by") {
		// `by a count()` is a mistake in the order, not a missing comma.
		late := func() bool {
			return len(o.Aggs) == 0 && p.tokens[p.i-1].kind != comma && p.at(word) && p.peek(1).kind == lparen && !p.tok().nl
		}
		o.By = p.namedList(late)
		if late() {
			p.fail(MissingClause, "write summarize "+p.found()+"(…) by …", "aggregates stand before by")
		}
	} else if len(o.Aggs) == 0 {
		p.fail(MissingClause, "for example summarize count() by UserPrincipalName", "summarize needs aggregates, or by and columns")
	}
	return o
}

func (o *Summarize) format(p *printer) *doc {
	params, aggs := p.params(o.Params), p.nameds(o.Aggs)
	switch {
	case len(o.By) == 0:
		return cat(params, items(aggs))
	case len(aggs) == 0:
		return cat(params, text("by "), items(p.nameds(o.By)))
	}
	d := group(indent(soft, list(aggs)))
	if len(aggs) == 1 {
		d = aggs[0]
	}
	return cat(params, group(d, indent(line, text("by "), group(indent(list(p.nameds(o.By)))))))
}
