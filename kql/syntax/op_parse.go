package syntax

func (p *parser) parse() parsedOperator {
	o := &ParseOp{Params: p.params("kind", "flags")}
	if p.atEnd() {
		p.fail(MissingClause, `for example parse Message with "user " User " from " Address`, "parse needs a column")
		o.X = &BadExpr{Base{p.place()}}
		return o
	}
	o.X = p.expr()
	if !p.expectWord("with", `for example parse Message with "user " User " from " Address`) {
		return o
	}
	if p.atEnd() && !p.quiet {
		p.errorf(MissingClause, p.last, `for example with "user " User " from " Address`, "the pattern is empty")
	}
	for !p.atEnd() && !p.quiet {
		part := PatternPart{}
		start := p.start()
		switch t := p.tok(); {
		case t.kind == star:
			p.next()
			part.Star = true
		case t.kind == str:
			part.Text = p.string()
		case t.kind == word, t.kind == lbrack:
			if p.pipeMissing() {
				return o
			}
			part.Column = p.column(false)
		default:
			p.fail(Unexpected, "", "expected a text, a column or * in the pattern, found %s", p.found())
			return o
		}
		part.At = p.from(start)
		o.Pattern = append(o.Pattern, part)
	}
	return o
}

func (o *ParseOp) format(p *printer) *doc {
	kids := []*doc{}
	for _, part := range o.Pattern {
		kids = append(kids, line, p.comment(part.At.Start))
		switch {
		case part.Star:
			kids = append(kids, text("*"))
		case part.Text != nil:
			kids = append(kids, p.expr(part.Text))
		default:
			kids = append(kids, p.column(part.Column))
		}
	}
	return cat(p.params(o.Params), p.expr(o.X), text(" with"), group(indent(kids...)))
}
