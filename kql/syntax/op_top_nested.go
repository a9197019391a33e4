package syntax

func (p *parser) topNested() parsedOperator {
	o := &TopNested{}
	for {
		l := &TopNestedLevel{}
		start := p.start()
		if !p.atWord("of") {
			l.N = p.expr()
		}
		if p.expectWord("of", "for example top-nested 3 of City by count()") {
			l.Of = p.named()
			if p.gotWord("with") {
				p.expectWord("others", "with others = \"…\"")
				p.expect(assign, "after others")
				l.Others = p.expr()
			}
			if p.expectWord("by", "for example top-nested 3 of City by count()") {
				l.By = p.order()
			}
		}
		if l.Of == nil {
			l.Of = p.badNamed()
		}
		if l.By == nil {
			l.By = &Order{Value: p.badNamed()}
		}
		l.At = p.from(start)
		o.Levels = append(o.Levels, l)
		if !p.got(comma) {
			return o
		}
		w, n := p.operatorWord()
		if p.tok().kind != word || w != "top-nested" {
			p.fail(Unexpected, "", "expected top-nested after the comma, found %s", p.found())
			return o
		}
		for range n {
			p.next()
		}
	}
}

func (o *TopNested) format(p *printer) *doc {
	kids := []*doc{}
	for i, l := range o.Levels {
		if i > 0 {
			kids = append(kids, text(","), line, text("top-nested "))
		}
		kids = append(kids, p.comment(l.At.Start))
		if l.N != nil {
			kids = append(kids, p.expr(l.N), text(" "))
		}
		kids = append(kids, text("of "), p.named(l.Of))
		if l.Others != nil {
			kids = append(kids, text(" with others = "), p.expr(l.Others))
		}
		kids = append(kids, text(" by "), p.order(l.By))
	}
	return group(indent(kids...))
}
