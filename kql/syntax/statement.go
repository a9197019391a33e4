package syntax

import (
	"strings"

	"glassward/kql/diag"
)

// file parses the whole source.
func (p *parser) file() *File {
	f := &File{Comments: p.comments, src: p.src}
	f.At = diag.At(0, len(p.src))
	results := 0
	for {
		for p.at(semi) {
			p.next()
		}
		if p.at(eof) {
			break
		}
		p.quiet = false
		before := p.i
		s := p.statement()
		f.Stmts = append(f.Stmts, s)
		switch s.(type) {
		case *Query, *BadStmt:
			results++
		}
		p.endStatement(before)
	}
	switch {
	case len(f.Stmts) == 0:
		p.quiet = false
		p.errorf(EmptyQuery, diag.At(0, 0), "begin with a table, for example SigninLogs | take 10", "the query is empty")
	case results == 0 && !p.declares:
		p.quiet = false
		last := f.Stmts[len(f.Stmts)-1]
		hint := "end with a query, for example SigninLogs | take 10"
		if let, ok := last.(*Let); ok {
			hint = "to see what it holds, add: " + identText(let.Name) + ", or print " + identText(let.Name) + " if it is a single value"
		}
		p.errorf(NoResult, last.Span(), hint, "the query only declares; it has no result")
	}
	return f
}

// endStatement takes the semicolon behind a statement that began at token before, or says what is wrong.
func (p *parser) endStatement(before int) {
	switch {
	case p.at(semi), p.at(eof):
		return
	case p.quiet:
	case p.tok().kind.closes():
		p.unmatched()
	case p.i > before && (p.tok().nl && p.startsStatement() || p.atWord("let") && p.peek(1).kind == word):
		at := p.last.End
		p.errorf(MissingSemicolon, diag.At(at, at), "end each statement with ;", "a semicolon is missing before %s", p.found())
		return
	default:
		p.fail(Unexpected, p.leftoverHint(), "unexpected %s", p.found())
	}
	p.quiet = true
	for !p.at(eof) && !p.at(semi) {
		if p.tok().kind.opens() && p.match[p.i] > int32(p.i) {
			p.i = int(p.match[p.i])
		}
		p.i++
	}
}

func (p *parser) unmatched() {
	s := kindText[p.tok().kind]
	p.errorf(UnmatchedCloser, p.tok().at, "remove it, or add "+kindText[p.tok().kind-1]+" before", "this %s closes nothing", s)
	p.skip()
}

func (p *parser) startsStatement() bool {
	switch p.tok().kind {
	case word:
		return p.peek(1).kind != colon
	case lbrack, lparen, placeholder:
		return true
	}
	return false
}

// statement parses one statement; it takes at least one token.
func (p *parser) statement() Stmt {
	start, t := p.start(), p.tok()
	if t.kind == word {
		switch w := p.text(t); {
		case p.keywordBefore("let", word, lbrack):
			return p.let()
		case p.keywordBefore("set", word):
			return p.set()
		case p.keywordBefore("declare", word):
			return p.declare()
		case p.keywordBefore("alias", word):
			return p.alias()
		case w == "restrict" && p.isWord(p.peek(1), "access"):
			p.errorf(Unsupported, t.at, "leave it out: who may read what is decided by the token", "restrict access is not supported")
			return p.badStmt(start)
		case strings.EqualFold(w, "select") && (p.peek(1).kind == word || p.peek(1).kind == star):
			p.errorf(ForeignLanguage, t.at, "write, for example: "+p.sqlTable()+" | where ResultType == \"0\" | project UserPrincipalName", "this is SQL; KQL begins with a table")
			return p.badStmt(start)
		case (w == "query" || w == "id" || w == "name" || w == "description" || w == "severity") && p.peek(1).kind == colon:
			p.errorf(ForeignLanguage, diag.At(t.at.Start, p.peek(1).at.End), "give the query only, without the lines around it", "this looks like a rule's YAML")
			return p.badStmt(start)
		}
	}
	if t.kind == dot && p.peek(1).kind == word {
		p.errorf(Unsupported, diag.At(t.at.Start, p.peek(1).at.End), "", "management commands are not supported")
		return p.badStmt(start)
	}
	q := &Query{Body: &Pipeline{}}
	p.missingTable(q.Body)
	if q.Body.Source == nil {
		e := p.tabular()
		if pl, ok := e.(*Pipeline); ok {
			q.Body = pl
		} else if src, ok := e.(Source); ok {
			q.Body.Source = src
		} else {
			p.quiet = false
			p.errorf(Unexpected, e.Span(), "to show a value, begin with print", "this is a value, not a table")
			q.Body.Source = &BadExpr{Base{e.Span()}}
		}
	}
	q.Body.At, q.At = p.from(start), p.from(start)
	return q
}

// sqlTable gives the table that a SELECT reads, for a hint.
func (p *parser) sqlTable() string {
	for i := 1; i < 1000 && p.peek(i).kind != eof && p.peek(i).kind != semi; i++ {
		if t := p.peek(i + 1); strings.EqualFold(p.text(p.peek(i)), "from") && t.kind == word {
			return shorten(p.text(t), 60)
		}
	}
	return "SigninLogs"
}

// keywordBefore reports whether the current token is keyword w, in whatever letters, with one of the kinds behind it.
func (p *parser) keywordBefore(w string, kinds ...kind) bool {
	if !strings.EqualFold(p.text(p.tok()), w) {
		return false
	}
	for _, k := range kinds {
		if p.peek(1).kind == k {
			return true
		}
	}
	return false
}

func (p *parser) badStmt(start int) Stmt {
	p.quiet = true
	for !p.at(eof) && !p.at(semi) {
		p.next()
	}
	return &BadStmt{Base{p.from(start)}}
}

// missingTable parses a pipeline that begins with a pipe or an operator that needs an input, after saying so.
func (p *parser) missingTable(pl *Pipeline) {
	t := p.tok()
	const hint = "put a table name first, for example SigninLogs"
	switch {
	case t.kind == pipe:
		p.errorf(MissingTable, t.at, hint, "a table name is missing before the pipe")
	case t.kind == word && p.operatorNeedsInput():
		p.errorf(MissingTable, t.at, hint+" | "+p.found()+" …", "a table name is missing before %s", p.found())
	default:
		return
	}
	pl.Source = &BadExpr{Base{diag.At(t.at.Start, t.at.Start)}}
	if t.kind != pipe {
		pl.Ops = append(pl.Ops, p.operator())
	}
	p.operators(pl)
}

// operatorNeedsInput reports whether the current word can only be an operator that takes an input.
func (p *parser) operatorNeedsInput() bool {
	if !p.knownOperator() || p.headOperator() {
		return false
	}
	w, n := p.operatorWord()
	switch t := p.peek(n); t.kind {
	case word:
		return !t.nl || w == "where"
	case str, longNum, star, lbrack, minus:
		return true
	case lparen:
		return w != "count" && w != "range" && w != "evaluate"
	}
	return false
}

func (p *parser) let() Stmt {
	start := p.start()
	s := &Let{}
	p.gotWord("let")
	s.Name = p.newName("a name after let")
	if !p.got(assign) {
		hint := ""
		if p.at(colon) {
			hint = "let takes no type: let x = …"
		}
		p.fail(Unexpected, hint, "expected = after let %s, found %s", s.Name.Name, p.found())
	}
	if p.quiet {
		s.Value = &BadExpr{Base{p.place()}}
	} else if p.functionAhead() {
		s.Value = p.function()
	} else {
		s.Value = p.tabular()
	}
	s.At = p.from(start)
	return s
}

func (p *parser) set() Stmt {
	start := p.start()
	s := &Set{}
	p.gotWord("set")
	s.Name = p.ident("an option after set")
	if p.got(assign) {
		s.Value = p.expr()
	}
	s.At = p.from(start)
	return s
}

func (p *parser) declare() Stmt {
	start, at := p.start(), p.tok().at
	p.gotWord("declare")
	if p.gotWord("pattern") {
		return p.patternDeclaration(start)
	}
	if !p.gotWord("query_parameters") {
		p.errorf(Unsupported, at, "", "declare %s is not supported", p.found())
		return p.badStmt(start)
	}
	s := &QueryParams{}
	if p.at(lparen) {
		s.Params = p.parameters()
	} else {
		p.expect(lparen, "after query_parameters")
	}
	s.At = p.from(start)
	return s
}

// patternDeclaration parses what follows declare pattern.
func (p *parser) patternDeclaration(start int) Stmt {
	s := &Pattern{Name: p.ident("a name after pattern")}
	if !p.quiet && p.got(assign) {
		if p.at(lparen) {
			s.Params = p.parameters()
		} else {
			p.expect(lparen, "and the pattern's parameters")
		}
		if p.at(lbrack) {
			p.bracketed(func() { s.Path = p.parameter() })
		}
		if p.at(lbrace) {
			p.bracketed(func() { p.patternArms(s) })
		} else if !p.quiet {
			p.expect(lbrace, "before what the pattern stands for")
		}
	}
	s.At = p.from(start)
	return s
}

func (p *parser) patternArms(s *Pattern) {
	for {
		for p.at(semi) {
			p.next()
		}
		if p.at(rbrace) || p.at(eof) || p.i >= p.limit {
			return
		}
		p.quiet = false
		s.Arms = append(s.Arms, p.patternArm())
		if !p.at(semi) && !p.at(rbrace) {
			p.fail(Unexpected, `write ("a").["b"] = { … };`, "unexpected %s", p.found())
			for p.i < p.limit && !p.at(semi) {
				p.i++
			}
		}
	}
}

func (p *parser) patternArm() *PatternArm {
	start := p.start()
	a := &PatternArm{Body: &Block{}}
	if p.at(lparen) {
		p.bracketed(func() { p.list(nil, func() { a.Args = append(a.Args, p.expr()) }) })
	} else {
		p.expect(lparen, "and the texts of the pattern")
	}
	p.got(dot)
	if p.at(lbrack) && !p.quiet {
		p.bracketed(func() { a.Path = p.expr() })
	}
	p.expect(assign, "and { … }")
	a.Body = p.functionBody()
	a.At = p.from(start)
	return a
}

func (p *parser) alias() Stmt {
	start := p.start()
	s := &Alias{}
	p.gotWord("alias")
	p.expectWord("database", "alias database name = database(…)")
	s.Name = p.ident("a name")
	p.expect(assign, "after the name")
	s.Value = p.expr()
	s.At = p.from(start)
	if !p.quiet {
		p.diags.Warnf(NoEffect, s.At, "remove it", "alias database has no effect: all tables are in one workspace")
	}
	return s
}

// functionAhead reports whether a function literal stands here: (…) { or view (…) {.
func (p *parser) functionAhead() bool {
	i := p.i
	if p.atWord("view") {
		i++
	}
	if p.tokens[i].kind != lparen {
		return false
	}
	if m := p.match[i]; m >= 0 {
		return p.tokens[m+1].kind == lbrace // a match is never the last token
	}
	return p.peek(i-p.i+1).kind == word && p.peek(i-p.i+2).kind == colon
}

// function parses a function literal.
func (p *parser) function() Expr {
	start := p.start()
	f := &FuncLit{View: p.gotWord("view")}
	f.Params = p.parameters()
	f.Body = p.functionBody()
	f.At = p.from(start)
	return f
}

// functionBody parses { … }.
func (p *parser) functionBody() *Block {
	b, begin := &Block{}, p.start()
	if !p.at(lbrace) {
		p.expect(lbrace, "before the function's body")
	} else {
		p.bracketed(func() { p.block(b) })
	}
	if b.Result == nil { // nested too deeply
		b.Result = &BadExpr{Base{p.place()}}
	}
	b.At = p.from(begin)
	return b
}

func (p *parser) block(b *Block) {
	for {
		for p.at(semi) {
			p.next()
		}
		if p.at(rbrace) || p.at(eof) || p.i >= p.limit {
			break
		}
		if p.tok().kind == word && (p.keywordBefore("let", word, lbrack) || p.keywordBefore("declare", word) || p.keywordBefore("set", word)) {
			p.quiet = false
			b.Stmts = append(b.Stmts, p.statement())
			if !p.at(semi) && !p.at(rbrace) && !p.quiet {
				at := p.last.End
				p.errorf(MissingSemicolon, diag.At(at, at), "end each statement with ;", "a semicolon is missing before %s", p.found())
				continue
			}
			for p.quiet && p.i < p.limit && !p.at(semi) {
				p.next()
			}
			continue
		}
		if b.Result != nil {
			p.fail(Unexpected, "a function has one result, which stands last", "unexpected %s", p.found())
			for p.i < p.limit {
				p.i++
			}
			break
		}
		p.quiet = false
		pl := &Pipeline{}
		start := p.start()
		if p.missingTable(pl); pl.Source != nil {
			pl.At = p.from(start)
			b.Result = pl
		} else {
			b.Result = p.tabular()
		}
		for p.quiet && p.i < p.limit && !p.at(semi) {
			p.i++
		}
	}
	if b.Result == nil {
		p.errorf(NoResult, p.place(), "let the last statement of the body be an expression", "the function has no result")
		b.Result = &BadExpr{Base{p.place()}}
	}
}

// parameters parses (a:long = 1, T:(*)), parentheses included.
func (p *parser) parameters() (list []*Parameter) {
	p.bracketed(func() {
		if p.at(rparen) {
			return
		}
		p.list(nil, func() { list = append(list, p.parameter()) })
	})
	return list
}

func (p *parser) parameter() *Parameter {
	start := p.start()
	q := &Parameter{Name: p.ident("a parameter")}
	if p.expect(colon, "and a type after "+q.Name.Name) {
		if p.at(lparen) {
			q.Table = true
			s := p.schema()
			q.Columns = s.Columns
		} else {
			q.Type = p.typeName()
		}
		if p.got(assign) {
			q.Default = p.expr()
		}
	}
	q.At = p.from(start)
	return q
}

// schema parses (*, a:long, …), parentheses included.
func (p *parser) schema() *Schema {
	start := p.start()
	s := &Schema{}
	if !p.at(lparen) {
		p.expect(lparen, "and columns")
		s.At = p.from(start)
		return s
	}
	p.bracketed(func() {
		for p.at(comma) { // Kusto takes a comma before the first column
			p.next()
		}
		if p.at(rparen) {
			return
		}
		for {
			if p.got(star) {
				s.Star = true
			} else {
				s.Columns = append(s.Columns, p.column(true))
			}
			if !p.got(comma) || p.at(rparen) {
				return
			}
		}
	})
	s.At = p.from(start)
	return s
}

// column parses name:type; the type may be left out if it need not be there.
func (p *parser) column(typed bool) *ColumnDecl {
	start := p.start()
	c := &ColumnDecl{Name: p.ident("a column")}
	if p.got(colon) {
		c.Type = p.typeName()
	} else if typed {
		p.fail(Unexpected, "write "+identText(c.Name)+":string", "the column %s has no type", c.Name.Name)
	}
	c.At = p.from(start)
	return c
}

// typeName parses the name of a scalar type; whether there is such a type the binder says.
func (p *parser) typeName() string {
	if t := p.tok(); t.kind == word {
		p.next()
		return p.text(t)
	}
	p.fail(Unexpected, "for example string, long, datetime or dynamic", "expected a type, found %s", p.found())
	return ""
}

// ident parses a name that is declared; what says what it is.
func (p *parser) ident(what string) Ident {
	t := p.tok()
	switch {
	case t.kind == word:
		p.next()
		return Ident{Base{t.at}, p.text(t), false}
	case t.kind == lbrack && p.peek(1).kind == str && p.peek(2).kind == rbrack:
		start := p.start()
		p.next()
		name, _, _ := unquote(p.text(p.next()))
		p.next()
		return Ident{Base{p.from(start)}, name, true}
	case t.kind == str:
		name, _, _ := unquote(p.text(t))
		p.fail(Unexpected, "without quotes, or ["+p.text(t)+"] if it has characters other than letters, digits and _", "expected %s, found a string", what)
		return Ident{Base{t.at}, name, true}
	}
	p.fail(Unexpected, "", "expected %s, found %s", what, p.found())
	return Ident{Base: Base{p.place()}}
}
