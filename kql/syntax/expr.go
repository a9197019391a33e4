package syntax

import (
	"strconv"
	"strings"

	"glassward/kql/diag"
)

// tabular parses an expression that may be a pipeline: a *Pipeline if it has operators or begins with one.
func (p *parser) tabular() Expr {
	start := p.start()
	pl := &Pipeline{}
	switch {
	case p.headOperator():
		base := p.base
		p.base = p.brackets
		o := p.operator()
		src, ok := o.(Source)
		if !ok { // nested too deeply
			src = &BadExpr{Base{o.Span()}}
		}
		pl.Source = src
		p.base = base
	default:
		e := p.expr()
		if !p.at(pipe) && !p.pipeMissing() {
			return e
		}
		src, ok := e.(Source)
		if !ok {
			hint := "a pipeline begins with a table"
			if s, ok := e.(*StringLit); ok && isPlainName(s.Value) {
				hint = "to name a table, leave out the quotes: " + shorten(s.Value, 60)
			}
			p.errorf(Unexpected, e.Span(), hint, "a value cannot be piped into an operator")
			src = &BadExpr{Base{e.Span()}}
		}
		pl.Source = src
	}
	p.operators(pl)
	pl.At = p.from(start)
	return pl
}

// expr parses a scalar expression, or a table that needs no pipe.
func (p *parser) expr() Expr { return p.binary(1) }

// binary parses operands joined by operators that bind at least as tightly as min.
func (p *parser) binary(min int) Expr {
	start := p.start()
	x := p.unary()
	chain := 0
	for {
		if p.atWord("between") || p.at(notWord) && p.text(p.tok()) == "!between" {
			if min > 3 {
				return x
			}
			x = p.between(x, start)
			continue
		}
		if min <= 3 && p.isNull() {
			x = &BadExpr{Base{p.from(start)}}
			continue
		}
		op, alias, n := p.operatorAhead(x)
		if op == NoOp || op.Precedence() < min {
			return x
		}
		if chain++; chain > maxChain {
			p.fail(TooDeep, "use in (…) or has_any (…) with a list", "more than %d operators in a row", maxChain)
			return x
		}
		at := diag.At(p.start(), p.peek(n-1).at.End)
		if prev := x; op.Precedence() == 3 || op.Precedence() == 4 {
			var prevOp Op
			switch prev := prev.(type) {
			case *Binary:
				prevOp = prev.Op
			case *Membership:
				prevOp = prev.Op
			}
			if prevOp.Precedence() == op.Precedence() {
				p.errorf(ChainedComparison, at, "put one of them in parentheses, or join them with and", "comparisons cannot be chained")
			}
		}
		if In <= op && op <= HasAll {
			x = p.membership(x, start, op, at, n)
			continue
		}
		for range n {
			p.next()
		}
		y := p.binary(op.Precedence() + 1)
		b := &Binary{Op: op, OpAt: at, Alias: alias, X: x, Y: y}
		b.At = p.from(start)
		x = b
	}
}

// operatorAhead gives the binary operator at the current token, its spelling if that is not its own, and how
// many tokens it takes. What is no KQL but clear it reports, and gives what was meant.
func (p *parser) operatorAhead(x Expr) (op Op, alias string, n int) {
	if p.i >= p.limit {
		return NoOp, "", 0
	}
	t := p.tok()
	switch t.kind {
	case ltgt:
		return NotEqual, "<>", 1
	case assign:
		n, at := 1, t.at
		hint := "to compare write =="
		switch x := x.(type) {
		case *Member, *Index:
			hint += "; a new column's name is a plain word"
		case *StringLit:
			if len(x.Parts) == 1 {
				hint += "; a name that needs quotes is written [" + shorten(x.Parts[0].Raw, 60) + "]"
			}
		case *Name:
			if name := p.hyphenated(); name != "" {
				hint += "; a name with a hyphen is written ['" + shorten(name, 60) + "']"
			}
		}
		op := Equal
		switch next := p.peek(1); {
		case next.at.Start != at.End:
		case next.kind == less:
			op, n, hint = LessOrEqual, 2, "write <="
		case next.kind == bang:
			op, n, hint = NotEqual, 2, "write !="
		}
		p.errorf(SingleEqual, diag.At(at.Start, p.peek(n-1).at.End), hint, "%s does not compare", p.src[at.Start:p.peek(n-1).at.End])
		return op, "", n
	case arrow:
		if p.scanStep {
			return NoOp, "", 0
		}
		p.errorf(SingleEqual, t.at, "write >=", "=> does not compare")
		return GreaterOrEqual, "", 1
	case andand:
		p.errorf(ForeignOperator, t.at, "write and", "&& is no operator of KQL")
		return And, "", 1
	case bang:
		next := strings.ToLower(p.text(p.peek(1)))
		if p.peek(1).kind == foldIn {
			next = "in~"
		}
		op, _ := wordOp("!" + next)
		if op != NoOp {
			p.errorf(ForeignOperator, diag.At(t.at.Start, p.peek(1).at.End), "write !"+next, "no space stands behind the !")
		}
		return op, "", 2
	case oror:
		if p.doublePipe() {
			return NoOp, "", 0
		}
		p.errorf(ForeignOperator, t.at, "write or", "|| is no operator of KQL")
		return Or, "", 1
	case word, notWord, foldIn:
		return p.wordOperator(t)
	}
	return tokenOp(t.kind), "", 1
}

// hyphenated gives the words and hyphens, without spaces, that end before the current token, or "" if there is no hyphen.
func (p *parser) hyphenated() string {
	i := p.i - 1
	for i >= 2 && p.tokens[i].kind == word && p.tokens[i-1].kind == minus && p.tokens[i-2].kind == word &&
		p.tokens[i-2].at.End == p.tokens[i-1].at.Start && p.tokens[i-1].at.End == p.tokens[i].at.Start {
		i -= 2
	}
	if i == p.i-1 {
		return ""
	}
	return p.src[p.tokens[i].at.Start:p.tokens[p.i-1].at.End]
}

func (p *parser) wordOperator(t *token) (Op, string, int) {
	w := p.text(t)
	op, own := wordOp(w)
	if op == NoOp {
		lower := strings.ToLower(w)
		if op, own = wordOp(lower); op == NoOp {
			return p.foreignOperator(lower, t)
		}
		if next := p.peek(1); t.nl && next.kind != lparen && next.kind != str && next.kind != word {
			return NoOp, "", 0
		}
		p.errorf(WrongCase, t.at, "write "+lower, "keywords of KQL are written in small letters")
		w = lower
	}
	switch op {
	case In:
		// make-series has `on x in range(…)`, partition `by x in (…)`.
		if p.isWord(p.peek(1), "range") && p.peek(2).kind == lparen {
			return NoOp, "", 0
		}
	case MatchesRegex:
		if !p.isWord(p.peek(1), "regex") {
			p.errorf(Unexpected, t.at, "write matches regex", "matches stands only before regex")
			return op, "", 1
		}
		return op, "", 2
	}
	if own {
		w = ""
	}
	return op, w, 1
}

// isNull takes `is null` and `is not null`, after saying that they are SQL.
func (p *parser) isNull() bool {
	t := p.tok()
	if p.i >= p.limit || t.kind != word || !strings.EqualFold(p.text(t), "is") {
		return false
	}
	n, hint := 1, "use isnull(x), or isempty(x) for strings"
	if strings.EqualFold(p.text(p.peek(n)), "not") {
		n, hint = 2, "use isnotnull(x), or isnotempty(x) for strings"
	}
	if !strings.EqualFold(p.text(p.peek(n)), "null") || p.i+n >= p.limit {
		return false
	}
	p.errorf(ForeignOperator, diag.At(t.at.Start, p.peek(n).at.End), hint, "%s is SQL", strings.ToLower(strings.Join(strings.Fields(p.src[t.at.Start:p.peek(n).at.End]), " ")))
	for range n + 1 {
		p.next()
	}
	return true
}

// foreignOperator reports an operator of another language, and gives what was meant.
func (p *parser) foreignOperator(w string, t *token) (Op, string, int) {
	switch w {
	case "not":
		next := strings.ToLower(p.text(p.peek(1)))
		if p.peek(1).kind == foldIn {
			next = "in~"
		}
		if op, _ := wordOp("!" + next); op != NoOp {
			p.errorf(ForeignOperator, diag.At(t.at.Start, p.peek(1).at.End), "write !"+next, "not does not stand before %s", next)
			return op, "", 2
		}
		if next == "like" || next == "between" {
			p.fail(ForeignOperator, "write !contains, !startswith or !between", "not does not stand before %s", next)
		}
		return NoOp, "", 0
	case "like", "ilike", "rlike":
		p.errorf(ForeignOperator, t.at, "use contains, has, startswith, endswith or matches regex", "%s is SQL", w)
		return Contains, "", 1
	}
	return NoOp, "", 0
}

// membership parses the list of in, has_any and the like; n tokens are the operator.
func (p *parser) membership(x Expr, start int, op Op, at diag.Span, n int) Expr {
	m := &Membership{Op: op, OpAt: at, X: x}
	for range n {
		p.next()
	}
	switch {
	case p.at(lparen):
		p.bracketed(func() {
			if p.at(rparen) {
				return
			}
			p.list(nil, func() { m.List = append(m.List, p.tabular()) })
		})
	case p.atEnd():
		p.fail(MissingClause, "write "+op.String()+" (…)", "%s takes a list in parentheses", op)
	default:
		p.errorf(Unexpected, p.place(), "write "+op.String()+" (…)", "%s takes a list in parentheses", op)
		quiet := p.quiet
		p.quiet = true
		m.List = append(m.List, p.binary(5))
		if p.at(rbrack) && !quiet { // in ["a", "b"]
			p.next()
		}
		p.quiet = quiet || p.tok().kind.closes() || p.at(comma)
	}
	m.At = p.from(start)
	return m
}

func (p *parser) between(x Expr, start int) Expr {
	t := p.tok()
	b := &Between{Not: t.kind == notWord, OpAt: t.at, X: x}
	p.next()
	const hint = "write between (low .. high)"
	if !p.at(lparen) {
		p.fail(Unexpected, hint, "between takes a range in parentheses")
	} else {
		p.bracketed(func() {
			b.Low = p.binary(4)
			if !p.got(dotdot) {
				p.fail(Unexpected, hint, "expected .. between the bounds, found %s", p.found())
				return
			}
			b.High = p.binary(4)
		})
	}
	if b.Low == nil {
		b.Low = &BadExpr{Base{p.place()}}
	}
	if b.High == nil {
		b.High = &BadExpr{Base{p.place()}}
	}
	b.At = p.from(start)
	return b
}

// unary parses signs before an operand.
func (p *parser) unary() Expr {
	start := p.start()
	t := p.tok()
	switch {
	case t.kind == minus || t.kind == plus:
		if !p.deeper() {
			return &BadExpr{Base{p.place()}}
		}
		defer func() { p.depth-- }()
		p.next()
		u := &Unary{Op: tokenOp(t.kind), X: p.unary()}
		u.At = p.from(start)
		return u
	case t.kind == bang, t.kind == word && strings.EqualFold(p.text(t), "not") && p.operandAhead(1):
		if !p.deeper() {
			return &BadExpr{Base{p.place()}}
		}
		defer func() { p.depth-- }()
		p.errorf(ForeignOperator, t.at, "write not(…)", "%s is not negated this way", "a condition")
		p.next()
		return p.unary()
	}
	return p.postfix()
}

// operandAhead reports whether an operand that is no parenthesis begins n tokens on.
func (p *parser) operandAhead(n int) bool {
	switch t := p.peek(n); t.kind {
	case word:
		op, _ := wordOp(strings.ToLower(p.text(t)))
		return op == NoOp
	case str, longNum, realNum, spanNum, typed:
		return true
	}
	return false
}

// postfix parses a primary with what follows it: .name, [index], (arguments).
func (p *parser) postfix() Expr {
	start := p.start()
	x := p.primary()
	for chain := 0; p.i < p.limit; chain++ {
		if chain > maxChain {
			p.fail(TooDeep, "", "more than %d dots and indexes in a row", maxChain)
			return x
		}
		switch {
		case p.at(dot):
			p.next()
			if p.at(lbrack) {
				x = p.index(x, start)
				break
			}
			if p.wildcardAhead() { // database("d").Signin*, in union
				w := &Wildcard{Scope: x}
				w.Pattern = p.pattern()
				w.At = p.from(start)
				return w
			}
			m := &Member{X: x, Name: p.ident("a name after the dot")}
			m.At = p.from(start)
			x = m
			if p.at(lparen) && !p.quiet {
				x = p.call(x, start)
			}
		case p.at(lbrack) && p.indexable(x):
			x = p.index(x, start)
		default:
			return x
		}
	}
	return x
}

// indexable reports whether a [ behind x is an index: not behind what has brackets of its own.
func (p *parser) indexable(x Expr) bool {
	switch x.(type) {
	case *Datatable, *ExternalData, *BadExpr:
		return false
	}
	return true
}

func (p *parser) index(x Expr, start int) Expr {
	ix := &Index{X: x}
	p.bracketed(func() { ix.Index = p.expr() })
	if ix.Index == nil {
		ix.Index = &BadExpr{Base{p.place()}}
	}
	ix.At = p.from(start)
	return ix
}

// call parses the arguments of a call of f.
func (p *parser) call(f Expr, start int) Expr {
	c := &Call{Func: f}
	p.bracketed(func() {
		if p.at(rparen) {
			return
		}
		p.list(nil, func() { c.Args = append(c.Args, p.argument()) })
	})
	c.At = p.from(start)
	return c
}

func (p *parser) argument() *NamedExpr {
	start := p.start()
	n := &NamedExpr{}
	if p.nameAhead() {
		n.Names = []Ident{p.ident("a name")}
		p.next()
	}
	n.Value = p.tabular()
	n.At = p.from(start)
	return n
}

// nameAhead reports whether `name =` stands here.
func (p *parser) nameAhead() bool {
	switch p.tok().kind {
	case word:
		return p.peek(1).kind == assign
	case lbrack:
		return p.peek(1).kind == str && p.peek(2).kind == rbrack && p.peek(3).kind == assign
	}
	return false
}

// named parses `value`, `name = value` or `(a, b) = value`.
func (p *parser) named() *NamedExpr {
	start := p.start()
	n := &NamedExpr{}
	switch {
	case p.nameAhead():
		n.Names = []Ident{p.newName("a name")}
		p.next()
	case p.tupleAhead():
		n.Tuple = true
		p.bracketed(func() {
			p.list(nil, func() { n.Names = append(n.Names, p.ident("a name")) })
		})
		p.next()
	}
	n.Value = p.expr()
	n.At = p.from(start)
	return n
}

// newName parses a name that is given to a column or a variable: not one of KQL's own words.
func (p *parser) newName(what string) Ident {
	id := p.ident(what)
	if !id.Quoted && isReserved(id.Name) {
		p.errorf(ReservedName, id.At, "write ['"+id.Name+"']", "%s is a word of KQL and no name by itself", id.Name)
	}
	return id
}

// isReserved reports whether Kusto takes a word as a name in brackets and quotes only. Many of its other words are
// names too where the place leaves no doubt.
func isReserved(w string) bool {
	switch w {
	case "and", "or", "between", "asc", "desc", "first", "last", "containscs", "notcontains", "startswith", "startswith_cs", "endswith",
		"hasprefix", "hassuffix", "has_any", "has_all", "others", "project", "union", "flags", "pathformat", "nooptimization", "dataexport",
		"rowstore", "shards", "bool", "boolean", "int", "long", "real", "double", "decimal", "string", "dynamic":
		return true
	}
	return false
}

// tupleAhead reports whether `(a, b) =` stands here.
func (p *parser) tupleAhead() bool {
	if !p.at(lparen) {
		return false
	}
	m := int(p.match[p.i])
	if m < 0 || p.tokens[m+1].kind != assign {
		return false
	}
	for i := p.i + 1; i < m; i++ {
		switch p.tokens[i].kind {
		case word, comma, lbrack, rbrack, str:
		default:
			return false
		}
	}
	return m > p.i+1
}

// primary parses an operand without signs and what follows it.
func (p *parser) primary() Expr {
	t := p.tok()
	start := t.at.Start
	if p.i >= p.limit {
		p.fail(Unexpected, "", "expected a value, found %s", p.found())
		return &BadExpr{Base{p.place()}}
	}
	switch t.kind {
	case word:
		return p.word(t)
	case str:
		return p.string()
	case longNum, realNum, spanNum, typed, bareGUID:
		return p.literal()
	case placeholder:
		p.next()
		s := p.text(t)
		return &Placeholder{Base{t.at}, strings.TrimSpace(s[2 : len(s)-2])}
	case star:
		p.next()
		return &Star{Base{t.at}}
	case lparen:
		return p.paren()
	case lbrack:
		if p.peek(1).kind == str && p.peek(2).kind == rbrack {
			id := p.ident("a name")
			n := &Name{id.Base, id.Name, true}
			if p.at(lparen) {
				return p.call(n, start)
			}
			return n
		}
		p.fail(Unexpected, "a list is written dynamic([…])", "a value cannot begin with [")
		return &BadExpr{Base{t.at}}
	case rparen, rbrack, rbrace:
		p.fail(Unexpected, "", "expected a value before %s", p.found())
		return &BadExpr{Base{t.at}}
	}
	hint := ""
	if t.kind == lbrace {
		hint = "an object is written dynamic({…})"
	}
	p.fail(Unexpected, hint, "expected a value, found %s", p.found())
	return &BadExpr{Base{p.place()}}
}

// word parses an operand that begins with a word.
func (p *parser) word(t *token) Expr {
	start, w, next := t.at.Start, p.text(t), p.peek(1).kind
	switch w {
	case "true", "false", "True", "False", "TRUE", "FALSE":
		if next != lparen && next != dot {
			p.next()
			return &Literal{Base: Base{t.at}, Kind: BoolLit, Text: strings.ToLower(w), Raw: w}
		}
	case "null":
		if next != lparen && next != dot && next != lbrack {
			p.errorf(BadLiteral, t.at, "test with isnull(x), or isempty(x) for strings; a null has a type: int(null)", "null is no value by itself")
			p.next()
			return &Literal{Base: Base{t.at}, Kind: NullLit, Null: true, Text: w, Raw: w}
		}
	case "and", "or":
		if next != lparen && next != assign {
			p.fail(Unexpected, "", "expected a value, found %s", w)
			return &BadExpr{Base{t.at}}
		}
	case "typeof":
		if next == lparen {
			return p.typeOf()
		}
	case "dynamic":
		if next == lparen {
			return p.dynamic()
		}
	case "datatable":
		if next == lparen || next == word {
			return p.datatable()
		}
	case "externaldata", "external_data":
		if next == lparen || next == word {
			return p.externalData()
		}
	}
	p.next()
	n := &Name{Base{t.at}, w, false}
	if p.at(lparen) && p.i < p.limit {
		return p.call(n, start)
	}
	return n
}

// paren parses (x), where x may be a pipeline.
func (p *parser) paren() Expr {
	start, o := p.start(), p.i
	e := &Paren{}
	p.bracketed(func() {
		if p.match[o] < 0 && !p.headOperator() {
			e.X = p.expr() // a pipe that follows is not within: the closing bracket is missing
			return
		}
		e.X = p.tabular()
	})
	if e.X == nil {
		e.X = &BadExpr{Base{p.place()}}
	}
	e.At = p.from(start)
	return e
}

func (p *parser) typeOf() Expr {
	start := p.start()
	p.next()
	t := &TypeOf{}
	if p.peek(1).kind == word && p.peek(2).kind == rparen {
		p.bracketed(func() { t.Type = p.typeName() })
	} else {
		t.Schema = p.schema()
	}
	t.At = p.from(start)
	return t
}

// string parses a string literal and those that follow it directly, which continue it.
func (p *parser) string() Expr {
	start := p.start()
	s := &StringLit{}
	for p.at(str) && p.i < p.limit {
		t := p.next()
		raw := p.text(t)
		v, hidden, bad := unquote(raw)
		if bad[1] > 0 {
			at := diag.At(t.at.Start+bad[0], t.at.Start+bad[0]+bad[1])
			if t.alt != "" {
				at = t.at
			}
			p.errorf(BadEscape, at, `double the backslash, or put @ before the string: @"…"`, "%s is no escape sequence", raw[bad[0]:bad[0]+bad[1]])
		}
		s.Value += v
		s.Hidden = s.Hidden || hidden
		s.Parts = append(s.Parts, StringPart{t.at, raw})
		if len(s.Parts) > maxChain {
			p.fail(TooDeep, "", "more than %d strings in a row", maxChain)
			break
		}
	}
	s.At = p.from(start)
	return s
}

// literal parses a number, a timespan, a GUID or type(…).
func (p *parser) literal() Expr {
	t := p.next()
	raw := p.text(t)
	l := &Literal{Base: Base{t.at}, Text: raw, Raw: raw}
	switch t.kind {
	case longNum:
		l.Kind = LongLit
		if !isLong(raw) {
			p.errorf(BadNumber, t.at, "write real("+raw+") or decimal("+raw+")", "%s does not fit into a long", raw)
		}
	case realNum:
		l.Kind = RealLit
	case spanNum:
		l.Kind = TimeSpanLit
	case bareGUID:
		l.Kind = GUIDLit
		p.errorf(BareGUID, t.at, `write "`+raw+`", or guid(`+raw+`) to compare with a guid`, "a GUID stands in quotes")
	case typed:
		p.typedLiteral(l, t.bad)
	}
	return l
}

// isLong reports whether s is a whole number that a long holds, or whose negative it holds.
func isLong(s string) bool {
	if len(s) > 2 && (s[1] == 'x' || s[1] == 'X') {
		_, err := strconv.ParseUint(s[2:], 16, 64)
		return err == nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n <= 1<<63
}

// typedLiteral fills l from its raw text, type(…).
func (p *parser) typedLiteral(l *Literal, reported bool) {
	i := strings.IndexByte(l.Raw, '(')
	name := strings.TrimSpace(l.Raw[:max(i, 0)])
	l.Kind = literalKind(name)
	l.Text = strings.TrimSpace(strings.TrimSuffix(l.Raw[i+1:], ")"))
	if reported {
		return
	}
	if n := len(l.Text); n >= 2 && (l.Text[0] == '"' || l.Text[0] == '\'') && l.Text[n-1] == l.Text[0] {
		l.Text = l.Text[1 : n-1]
	}
	if l.Null = l.Text == "null"; l.Null {
		return
	}
	ok, text := true, strings.TrimPrefix(strings.TrimPrefix(l.Text, "-"), "+")
	hint := "write " + name + "(null) for none"
	switch l.Kind {
	case BoolLit:
		switch strings.ToLower(l.Text) {
		case "true", "false", "0", "1":
		default:
			ok = false
		}
		hint = "to convert use tobool(…)"
	case IntLit, LongLit:
		bits := 64
		if l.Kind == IntLit {
			bits = 32
		}
		var err error
		if len(text) > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') {
			_, err = strconv.ParseUint(text[2:], 16, bits)
		} else {
			_, err = strconv.ParseInt(strings.TrimPrefix(l.Text, "+"), 10, bits)
		}
		ok = err == nil
		hint = "to convert use to" + l.Kind.String() + "(…)"
	case RealLit:
		switch strings.ToLower(text) {
		case "nan", "inf":
		default:
			_, err := strconv.ParseFloat(text, 64)
			ok = err == nil && !strings.ContainsAny(text, "_xXpPiInN")
		}
		hint = "to convert use toreal(…)"
	case DecimalLit:
		_, err := strconv.ParseFloat(text, 64)
		ok = (err == nil || strings.Contains(err.Error(), "range")) && !strings.ContainsAny(text, "_xXpPiInN")
		hint = "to convert use todecimal(…)"
	case DateTimeLit, TimeSpanLit, GUIDLit:
		if strings.ContainsAny(l.Text, "()") {
			ok = false
			hint = "to convert use to" + l.Kind.String() + "(…)"
		}
		ok = ok && l.Text != ""
	}
	if !ok {
		p.errorf(BadLiteral, l.At, hint, "%s is no literal: %s(…) takes a value, not an expression", l.Raw, name)
	}
}

// dynamic parses dynamic(…).
func (p *parser) dynamic() Expr {
	start := p.start()
	p.next()
	d := &DynamicLit{}
	p.bracketed(func() { d.Value = p.json() })
	if d.Value == nil {
		d.Value = &BadExpr{Base{p.place()}}
	}
	d.At = p.from(start)
	return d
}

// json parses a value within dynamic(…).
func (p *parser) json() Expr {
	t := p.tok()
	start := t.at.Start
	switch t.kind {
	case str:
		return p.string()
	case longNum, realNum, spanNum, typed:
		return p.literal()
	case placeholder:
		return p.primary()
	case minus, plus:
		sign := p.text(t)
		p.next()
		if n := p.tok(); n.kind == longNum || n.kind == realNum || n.kind == spanNum {
			l := p.literal().(*Literal)
			l.At = p.from(start)
			l.Text, l.Raw = sign+l.Text, sign+l.Raw
			return l
		}
	case lbrack:
		a := &JSONArray{}
		p.bracketed(func() {
			if !p.at(rbrack) {
				p.list(nil, func() { a.Items = append(a.Items, p.json()) })
			}
		})
		a.At = p.from(start)
		return a
	case lbrace:
		o := &JSONObject{}
		p.bracketed(func() {
			if !p.at(rbrace) {
				p.list(nil, func() { o.Fields = append(o.Fields, p.jsonField()) })
			}
		})
		o.At = p.from(start)
		return o
	case word:
		w := p.text(t)
		switch strings.ToLower(w) {
		case "true", "false":
			p.next()
			return &Literal{Base: Base{t.at}, Kind: BoolLit, Text: strings.ToLower(w), Raw: w}
		case "null":
			p.next()
			return &Literal{Base: Base{t.at}, Kind: NullLit, Null: true, Text: "null", Raw: w}
		case "dynamic":
			if p.peek(1).kind == lparen {
				return p.dynamic()
			}
		}
		p.fail(BadLiteral, "build it with pack_array(…), bag_pack(…) or todynamic(…)", "dynamic(…) takes a literal, not %s", p.found())
		return &BadExpr{Base{t.at}}
	}
	p.fail(BadLiteral, "for example dynamic([\"a\", \"b\"])", "expected a JSON value, found %s", p.found())
	return &BadExpr{Base{p.place()}}
}

func (p *parser) jsonField() *JSONField {
	start := p.start()
	f := &JSONField{}
	if p.at(str) {
		f.Key = p.string().(*StringLit)
	} else {
		p.fail(BadLiteral, "put the key in quotes", "expected a key, found %s", p.found())
		f.Key = &StringLit{Base: Base{p.place()}}
	}
	if p.expect(colon, "after the key") {
		f.Value = p.json()
	} else {
		f.Value = &BadExpr{Base{p.place()}}
	}
	f.At = p.from(start)
	return f
}

// wildcardAhead reports whether a name with stars stands here: words, numbers and stars without space between them.
func (p *parser) wildcardAhead() bool {
	for i := p.i; i < p.limit; i++ {
		t := &p.tokens[i]
		if i > p.i && t.at.Start != p.tokens[i-1].at.End {
			return false
		}
		switch t.kind {
		case star:
			return true
		case word, longNum:
		default:
			return false
		}
	}
	return false
}

// pattern takes a name with stars.
func (p *parser) pattern() string {
	start := p.start()
	for {
		p.next()
		t := p.tok()
		if p.i >= p.limit || t.at.Start != p.last.End || t.kind != word && t.kind != longNum && t.kind != star {
			return p.src[start:p.last.End]
		}
	}
}

// nameOrWildcard parses a column or a pattern of columns.
func (p *parser) nameOrWildcard() Expr {
	start := p.start()
	if p.wildcardAhead() {
		s := p.pattern()
		if s == "*" {
			return &Star{Base{p.from(start)}}
		}
		return &Wildcard{Base{p.from(start)}, nil, s}
	}
	id := p.ident("a column")
	return &Name{id.Base, id.Name, id.Quoted}
}

// table parses what stands for a table in union, search and find: a pattern, a name, a call, or a pipeline in
// parentheses.
func (p *parser) table() Expr {
	start := p.start()
	if p.wildcardAhead() {
		w := &Wildcard{Pattern: p.pattern()}
		w.At = p.from(start)
		return w
	}
	return p.postfix()
}
