package syntax

func (p *parser) where() parsedOperator {
	o := &Where{Params: p.params()}
	if p.atEnd() {
		p.fail(MissingClause, `for example where ResultType == "0"`, "where needs a condition")
		o.Cond = &BadExpr{Base{p.place()}}
		return o
	}
	if p.at(word) && p.peek(1).kind == assign && (p.isWord(p.peek(2), "true") || p.isWord(p.peek(2), "false")) {
		// Anything else after = cannot be a condition, and == was meant.
		name := p.ident("a name")
		o.Name = &name
		p.diags.Warnf(NoEffect, p.next().at, "to compare write ==", "= gives the condition the name %s and compares nothing", name.Name)
	}
	o.Cond = p.expr()
	return o
}

func (o *Where) format(p *printer) *doc {
	d := p.params(o.Params)
	if o.Name != nil {
		d = cat(d, p.ident(*o.Name), text(" = "))
	}
	return cat(d, p.expr(o.Cond))
}
