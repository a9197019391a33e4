package syntax

import "glassward/kql/diag"

func (p *parser) where() parsedOperator {
	o := &Where{Params: p.params()}
	if p.atEnd() {
		p.fail(MissingClause, `for example where ResultType == "0"`, "where needs a condition")
		o.Cond = &BadExpr{Base{p.place()}}
		return o
	}
	o.Cond = p.expr()
	return o
}

func (p *parser) extend() parsedOperator {
	o := &Extend{Items: p.namedList(nil)}
	for _, n := range o.Items {
		if b, ok := n.Value.(*Binary); ok && b.Op == Equal && len(n.Names) == 0 {
			if x, ok := b.X.(*Name); ok && !p.quiet {
				p.diags.Warnf(ComparesInExtend, b.OpAt, "to give the column a value write "+nameText(x.Name, x.Quoted)+" = …", "this compares; the result is a column of true and false")
			}
		}
	}
	return o
}

func (p *parser) project() parsedOperator {
	o := &Project{}
	if !p.atEnd() {
		o.Items = p.namedList(nil)
	}
	return o
}

func (p *parser) columnList() (list []Expr) {
	if p.atEnd() {
		return nil
	}
	p.list(nil, func() { list = append(list, p.nameOrWildcard()) })
	return list
}

func (p *parser) projectAway() parsedOperator { return &ProjectAway{Items: p.columnList()} }

func (p *parser) projectKeep() parsedOperator { return &ProjectKeep{Items: p.columnList()} }

func (p *parser) projectRename() parsedOperator {
	o := &ProjectRename{}
	if !p.atEnd() {
		o.Items = p.namedList(nil)
	}
	for _, n := range o.Items {
		if len(n.Names) == 0 {
			p.errorf(Unexpected, n.Span(), "write new = old", "project-rename needs a new name and an old one")
		}
	}
	return o
}

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

func (p *parser) summarize() parsedOperator {
	o := &Summarize{Params: p.params()}
	by := p.atClause("by")
	if !by() && !p.atEnd() {
		o.Aggs = p.namedList(by)
	}
	if p.gotWord("by") {
		first := len(o.Aggs) == 0
		o.By = p.namedList(func() bool { return first && p.at(word) && p.peek(1).kind == lparen })
		if first && p.at(word) && p.peek(1).kind == lparen && !p.tok().nl {
			p.fail(MissingClause, "write summarize "+p.found()+"(…) by …", "aggregates stand before by")
		}
	} else if len(o.Aggs) == 0 {
		p.fail(MissingClause, "for example summarize count() by UserPrincipalName", "summarize needs aggregates, or by and columns")
	}
	return o
}

func (p *parser) orders() (list []*Order) {
	p.list(nil, func() { list = append(list, p.order()) })
	return list
}

func (p *parser) sort() parsedOperator {
	o := &Sort{Params: p.params()}
	if p.expectWord("by", "for example sort by TimeGenerated desc") {
		o.By = p.orders()
	}
	return o
}

func (p *parser) top() parsedOperator {
	o := &Top{Params: p.params(), N: p.expr()}
	if p.expectWord("by", "for example top 10 by TimeGenerated desc") {
		o.By = p.order()
	} else {
		o.By = &Order{Value: p.badNamed()}
	}
	return o
}

// badNamed gives what stands for an expression that is missing, after an error has been reported.
func (p *parser) badNamed() *NamedExpr {
	at := Base{p.place()}
	return &NamedExpr{Base: at, Value: &BadExpr{at}}
}

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

func (p *parser) topHitters() parsedOperator {
	o := &TopHitters{N: p.expr()}
	if p.expectWord("of", "for example top-hitters 3 of City by Attempts") {
		o.Of = p.named()
	} else {
		o.Of = p.badNamed()
	}
	if p.gotWord("by") {
		o.By = p.order()
	}
	return o
}

func (p *parser) take() parsedOperator {
	o := &Take{Params: p.params()}
	o.N = p.number("for example take 10")
	return o
}

// number parses a count of rows.
func (p *parser) number(hint string) Expr {
	if p.atEnd() {
		p.fail(MissingClause, hint, "a number is missing")
		return &BadExpr{Base{p.place()}}
	}
	return p.expr()
}

func (p *parser) sample() parsedOperator {
	o := &Sample{Params: p.params()}
	o.N = p.number("for example sample 10")
	return o
}

func (p *parser) sampleDistinct() parsedOperator {
	o := &SampleDistinct{Params: p.params(), N: p.expr()}
	if p.expectWord("of", "for example sample-distinct 10 of UserId") {
		o.Of = p.named()
	} else {
		o.Of = p.badNamed()
	}
	return o
}

func (p *parser) distinct() parsedOperator {
	o := &Distinct{Params: p.params()}
	if p.atEnd() {
		p.fail(MissingClause, "distinct * takes all columns", "distinct needs columns")
		return o
	}
	p.list(nil, func() {
		if p.at(star) || p.wildcardAhead() {
			start := p.start()
			n := &NamedExpr{Value: p.nameOrWildcard()}
			n.At = p.from(start)
			o.Items = append(o.Items, n)
			return
		}
		o.Items = append(o.Items, p.named())
	})
	return o
}

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

// joined parses the parameters, the table and the conditions of join and lookup.
func (p *parser) joined(name string) (params Params, right Expr, on []Expr) {
	params = p.params("kind", "withsource", "isfuzzy")
	if p.atEnd() || p.atWord("on") {
		p.fail(MissingClause, name+" (Table | …) on Column", "%s needs a table", name)
		return params, &BadExpr{Base{p.place()}}, nil
	}
	if p.nameAhead() && !p.quiet {
		p.errorf(Unexpected, p.tok().at, "parameters are kind=… and hint.…=…", "%s has no parameter %s", name, p.found())
		p.next()
		p.next()
		p.unary()
	}
	right = p.postfix()
	if at := p.tok().at; p.atWord("kind") && p.peek(1).kind == assign {
		p.errorf(Unexpected, at, "write "+name+" kind=… ("+p.src[right.Span().Start:min(right.Span().End, right.Span().Start+20)]+") on …", "kind stands before the table")
		params = append(params, p.params("kind")...)
	}
	switch {
	case p.gotWord("on"):
		p.list(nil, func() { on = append(on, p.expr()) })
	case p.atWord("where"):
		p.fail(Unsupported, "write on", "%s … where … is not supported", name)
	case !p.quiet:
		p.errorf(MissingClause, p.last, "add on and the columns that both tables have, or on $left.a == $right.b", "%s has no on", name)
	}
	return params, right, on
}

func (p *parser) join() parsedOperator {
	o := &Join{}
	o.Params, o.Right, o.On = p.joined("join")
	return o
}

func (p *parser) lookup() parsedOperator {
	o := &Lookup{}
	o.Params, o.Right, o.On = p.joined("lookup")
	return o
}

func (p *parser) union() parsedOperator {
	o := &Union{Params: p.params("kind", "withsource", "with_source", "isfuzzy")}
	if p.atEnd() {
		p.fail(MissingClause, "for example union SigninLogs, AuditLogs", "union needs tables")
		return o
	}
	p.list(nil, func() { o.Tables = append(o.Tables, p.table()) })
	return o
}

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

func (p *parser) mvApply() parsedOperator {
	o := &MvApply{Params: p.params("bagexpansion", "kind", "with_itemindex")}
	o.Items = p.expandItems()
	if p.gotWord("limit") {
		o.Limit = p.expr()
	}
	if p.expectWord("on", "mv-apply column on ( where … )") {
		o.Body = p.body()
	} else {
		o.Body = &Pipeline{Base: Base{p.place()}}
	}
	return o
}

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

func (p *parser) parseKV() parsedOperator {
	o := &ParseKV{X: p.postfix()}
	if p.expectWord("as", `for example parse-kv Text as (a:string, b:long) with (pair_delimiter=";")`) {
		o.Columns = p.schema().Columns
	}
	if p.gotWord("with") {
		o.With = p.properties()
	}
	return o
}

func (p *parser) makeSeries() parsedOperator {
	o := &MakeSeries{Params: p.params("kind")}
	on := p.atClause("on")
	const hint = "for example make-series n = count() default = 0 on TimeGenerated from ago(1d) to now() step 1h by User"
	p.list(on, func() {
		start := p.start()
		a := &SeriesAgg{Value: p.named()}
		if p.gotWord("default") {
			p.expect(assign, "after default")
			a.Default = p.expr()
		}
		a.At = p.from(start)
		o.Aggs = append(o.Aggs, a)
	})
	if !p.expectWord("on", hint) {
		o.On, o.Step = p.badNamed(), &BadExpr{Base{p.place()}}
		return o
	}
	o.On = p.named()
	if p.atWord("in") && p.isWord(p.peek(1), "range") {
		p.next()
		p.next()
		o.InRange = true
		if !p.at(lparen) {
			p.expect(lparen, "after range")
		} else {
			var args []Expr
			p.bracketed(func() { p.list(nil, func() { args = append(args, p.expr()) }) })
			if len(args) != 3 {
				p.errorf(Unexpected, p.from(o.On.At.End), "in range(start, stop, step)", "range takes three values")
				args = append(args, &BadExpr{Base{p.place()}}, &BadExpr{Base{p.place()}}, &BadExpr{Base{p.place()}})
			}
			o.From, o.To, o.Step = args[0], args[1], args[2]
		}
	} else {
		if p.gotWord("from") {
			o.From = p.expr()
		}
		if p.gotWord("to") {
			o.To = p.expr()
		}
		if p.expectWord("step", hint) {
			o.Step = p.expr()
		}
	}
	if o.Step == nil {
		o.Step = &BadExpr{Base{p.place()}}
	}
	if p.gotWord("by") {
		o.By = p.namedList(nil)
	}
	return o
}

// callOf parses a call, as evaluate and invoke take it.
func (p *parser) callOf(what string) *Call {
	if e, ok := p.postfix().(*Call); ok {
		return e
	}
	p.fail(Unexpected, "", "expected a call of %s", what)
	at := Base{p.place()}
	return &Call{Base: at, Func: &BadExpr{at}}
}

func (p *parser) evaluate() parsedOperator {
	o := &Evaluate{Params: p.params()}
	o.Call = p.callOf("a plugin, such as bag_unpack(Column)")
	if p.got(colon) {
		o.Schema = p.schema()
	}
	return o
}

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

func (p *parser) serialize() parsedOperator {
	o := &Serialize{Params: p.params()}
	if !p.atEnd() && !p.tok().kind.closes() {
		o.Items = p.namedList(nil)
	}
	return o
}

func (p *parser) getSchema() parsedOperator { return &GetSchema{Params: p.params("kind")} }

func (p *parser) consume() parsedOperator { return &Consume{Params: p.params("decodeblocks")} }

func (p *parser) as() parsedOperator {
	return &As{Params: p.params(), Name: p.ident("a name after as")}
}

func (p *parser) invoke() parsedOperator { return &Invoke{Call: p.callOf("a function")} }

func (p *parser) fork() parsedOperator {
	o := &Fork{}
	for (p.at(lparen) || p.nameAhead()) && !p.quiet && p.i < p.limit {
		b := &Branch{}
		start := p.start()
		if p.nameAhead() {
			b.Name = p.ident("a name")
			p.next()
		}
		b.Body = p.body()
		b.At = p.from(start)
		o.Branches = append(o.Branches, b)
	}
	if len(o.Branches) == 0 {
		p.fail(MissingClause, "fork (count) (take 10)", "fork needs branches in parentheses")
	}
	return o
}

func (p *parser) facet() parsedOperator {
	o := &Facet{}
	if !p.expectWord("by", "facet by Column with (take 10)") {
		return o
	}
	p.list(p.atClause("with"), func() { o.By = append(o.By, p.postfix()) })
	if p.gotWord("with") {
		if p.at(lparen) {
			o.With = p.body()
		} else {
			start := p.start()
			o.With = &Pipeline{Ops: []Operator{p.operator()}}
			o.With.At = p.from(start)
		}
	}
	return o
}

func (p *parser) reduce() parsedOperator {
	o := &Reduce{Params: p.params("kind")}
	if !p.expectWord("by", "reduce by Column") {
		o.By = &BadExpr{Base{p.place()}}
		return o
	}
	o.By = p.expr()
	if p.gotWord("with") {
		p.list(nil, func() { o.With = p.property(o.With) })
	}
	return o
}

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

func (p *parser) search() parsedOperator {
	o := &Search{Params: p.params("kind", "withsource")}
	if p.atWord("in") && p.peek(1).kind == lparen {
		p.next()
		p.bracketed(func() { p.list(nil, func() { o.In = append(o.In, p.table()) }) })
	}
	if p.atEnd() {
		p.fail(MissingClause, `for example search "text"`, "search needs what to look for")
		o.Cond = &BadExpr{Base{p.place()}}
		return o
	}
	o.Cond = p.expr()
	return o
}

func (p *parser) find() parsedOperator {
	o := &Find{Params: p.params("withsource", "datascope", "kind")}
	if p.atWord("in") && p.peek(1).kind == lparen {
		p.next()
		p.bracketed(func() { p.list(nil, func() { o.In = append(o.In, p.table()) }) })
	}
	p.gotWord("where")
	o.Cond = p.expr()
	for !p.quiet && p.tok().kind == word {
		w, n := p.operatorWord()
		switch w {
		case "project":
			p.next()
			p.list(p.projectAwayAhead, func() { o.Project = append(o.Project, p.findColumn()) })
			continue
		case "project-smart":
			o.Smart = true
		case "project-away":
			for range n {
				p.next()
			}
			o.Away = p.columnList()
			continue
		default:
			return o
		}
		for range n {
			p.next()
		}
	}
	return o
}

func (p *parser) projectAwayAhead() bool {
	w, _ := p.operatorWord()
	return p.tok().kind == word && w == "project-away"
}

func (p *parser) findColumn() Expr {
	start := p.start()
	if p.peek(1).kind == lparen {
		return p.postfix()
	}
	c := p.column(false)
	if c.Type == "" {
		return &Name{c.Name.Base, c.Name.Name, c.Name.Quoted}
	}
	return &TypedColumn{Base{diag.At(start, c.At.End)}, *c}
}

func (p *parser) print() parsedOperator {
	return &Print{Items: p.namedList(nil)}
}

func (p *parser) rangeOp() parsedOperator {
	const hint = "range x from 1 to 10 step 1"
	o := &Range{Name: p.ident("a column")}
	bad := func(e *Expr, w string) {
		if p.expectWord(w, hint) {
			*e = p.expr()
		} else {
			*e = &BadExpr{Base{p.place()}}
		}
	}
	bad(&o.From, "from")
	bad(&o.To, "to")
	bad(&o.Step, "step")
	return o
}

func (p *parser) datatable() Expr {
	start := p.start()
	p.next()
	d := &Datatable{Params: p.params()}
	d.Columns = p.schema().Columns
	if !p.at(lbrack) {
		p.expect(lbrack, "and values after the columns")
	} else {
		p.bracketed(func() { d.Values = p.values() })
	}
	d.At = p.from(start)
	return d
}

// values parses expressions with commas, the last of which may be followed by one.
func (p *parser) values() (list []Expr) {
	for !p.atEnd() && !p.at(rbrack) {
		list = append(list, p.expr())
		if p.quiet || !p.got(comma) {
			if !p.quiet && p.startsItem() {
				at := p.last.End
				p.errorf(MissingComma, diag.At(at, at), "", "a comma is missing before %s", p.found())
				continue
			}
			return list
		}
	}
	return list
}

func (p *parser) externalData() Expr {
	start := p.start()
	p.next()
	d := &ExternalData{Params: p.params()}
	d.Columns = p.schema().Columns
	if !p.at(lbrack) {
		p.expect(lbrack, "and addresses after the columns")
	} else {
		p.bracketed(func() { d.URIs = p.values() })
	}
	if p.atWord("with") && p.peek(1).kind == lparen {
		p.next()
		d.With = p.properties()
	}
	d.At = p.from(start)
	return d
}
