package syntax

func (p *parser) partition() parsedOperator {
	o := &Partition{Params: p.params()}
	if p.expectWord("by", "for example partition by User ( top 1 by TimeGenerated )") {
		o.By = p.partitionKey()
		if p.gotWord("in") {
			o.Scope = p.postfix()
		}
	}
	if o.By == nil {
		o.By = &BadExpr{Base{p.place()}}
	}
	switch {
	case p.at(lbrace):
		o.Braces = true
		p.bracketed(func() {
			e := p.tabular()
			if pl, ok := e.(*Pipeline); ok {
				o.Body = pl
			} else if s, ok := e.(Source); ok {
				o.Body = &Pipeline{Base{e.Span()}, s, nil}
			} else {
				p.errorf(Unexpected, e.Span(), "", "expected a table")
			}
		})
	default:
		o.Body = p.body()
	}
	if o.Body == nil {
		o.Body = &Pipeline{Base: Base{p.place()}}
	}
	return o
}

// partitionKey parses a column or a path to a value: no call, as a parenthesis behind it begins the body.
func (p *parser) partitionKey() Expr {
	start := p.start()
	id := p.ident("a column")
	var x Expr = &Name{id.Base, id.Name, id.Quoted}
	for p.i < p.limit {
		switch {
		case p.got(dot):
			m := &Member{X: x, Name: p.ident("a name after the dot")}
			m.At = p.from(start)
			x = m
		case p.at(lbrack):
			x = p.index(x, start)
		default:
			return x
		}
	}
	return x
}

func (o *Partition) format(p *printer) *doc {
	d := cat(p.params(o.Params), text("by "), p.expr(o.By), text(" "))
	if o.Scope != nil {
		d = cat(d, text("in "), p.expr(o.Scope), text(" "))
	}
	if !o.Braces {
		return cat(d, p.body(o.Body, o.At.End))
	}
	return cat(d, group(text("{"), indent(line, p.pipeline(o.Body, line), p.comment(o.At.End)), line, text("}")))
}
