package syntax

func (p *parser) scan() parsedOperator {
	o := &Scan{Params: p.params("with_match_id", "with_step_name", "kind")}
	if p.atWord("order") && p.isWord(p.peek(1), "by") {
		p.next()
		p.next()
		o.OrderBy = p.orders()
	}
	if p.atWord("partition") && p.isWord(p.peek(1), "by") {
		p.next()
		p.next()
		p.list(p.atClause("declare", "with"), func() { o.PartitionBy = append(o.PartitionBy, p.expr()) })
	}
	if p.gotWord("declare") {
		if p.at(lparen) {
			o.Declare = p.parameters()
		} else {
			p.expect(lparen, "after declare")
		}
	}
	if !p.expectWord("with", "scan with (step s1: Condition => a = b;)") {
		return o
	}
	if !p.at(lparen) {
		p.expect(lparen, "and steps")
		return o
	}
	p.bracketed(func() {
		saved := p.scanStep
		p.scanStep = true
		defer func() { p.scanStep = saved }()
		for !p.at(rparen) && !p.quiet && p.i < p.limit {
			o.Steps = append(o.Steps, p.scanStepOf())
			if !p.got(semi) && !p.at(rparen) && !p.quiet {
				p.fail(Unexpected, "end each step with ;", "expected ; after the step, found %s", p.found())
			}
		}
	})
	return o
}

func (p *parser) scanStepOf() *ScanStep {
	start := p.start()
	s := &ScanStep{}
	if p.expectWord("step", "step name: Condition => a = b;") {
		s.Name = p.ident("a name after step")
		if p.atWord("optional") {
			p.next()
			s.Optional = true
		}
		if p.atWord("output") && p.peek(1).kind == assign {
			p.next()
			p.next()
			s.Output = p.ident("all, last or none").Name
		}
		if p.expect(colon, "and a condition after the step's name") {
			s.Cond = p.expr()
			if p.got(arrow) {
				s.Assign = p.namedList(nil)
			}
		}
	}
	if s.Cond == nil {
		s.Cond = &BadExpr{Base{p.place()}}
	}
	s.At = p.from(start)
	return s
}

func (o *Scan) format(p *printer) *doc {
	d := p.params(o.Params)
	if len(o.OrderBy) > 0 {
		d = cat(d, text("order by "), items(p.orders(o.OrderBy)), text(" "))
	}
	if len(o.PartitionBy) > 0 {
		d = cat(d, text("partition by "), items(p.exprs(o.PartitionBy)), text(" "))
	}
	if len(o.Declare) > 0 {
		d = cat(d, text("declare "), p.parameters(o.Declare, p.closed(endOf(o.Declare, 0))), text(" "))
	}
	kids := []*doc{}
	for _, s := range o.Steps {
		kids = append(kids, hard, p.comment(s.At.Start), text("step "+identText(s.Name)))
		if s.Optional {
			kids = append(kids, text(" optional"))
		}
		if s.Output != "" {
			kids = append(kids, text(" output="+s.Output))
		}
		kids = append(kids, text(": "), p.expr(s.Cond))
		if len(s.Assign) > 0 {
			kids = append(kids, text(" => "), items(p.nameds(s.Assign)))
		}
		kids = append(kids, text(";"))
	}
	return cat(d, text("with "), group(text("("), indent(kids...), indent(p.comment(o.At.End)), line, text(")")))
}
