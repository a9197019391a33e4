package syntax

func (p *parser) count() parsedOperator {
	o := &Count{}
	switch {
	case p.gotWord("as"):
		id := p.ident("a name after as")
		o.As = &id
	case p.at(lparen):
		p.fail(Unexpected, "write | count, or | summarize count()", "the operator count takes no parentheses")
	case p.atWord("by"):
		p.fail(Unexpected, "write | summarize count() by …", "the operator count counts all rows")
	}
	return o
}

func (o *Count) format(p *printer) *doc {
	if o.As == nil {
		return none
	}
	return cat(text("as "), p.ident(*o.As))
}
