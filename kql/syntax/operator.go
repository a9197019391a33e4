package syntax

import (
	"strings"

	"glassward/kql/diag"
)

// operatorWord gives the word that the current token and the hyphens and words joined to it form, and how many
// tokens that is: mv-expand is three.
func (p *parser) operatorWord() (string, int) {
	n := 1
	for p.peek(n).kind == minus && p.peek(n).alt == "" && p.peek(n+1).kind == word &&
		p.peek(n).at.Start == p.peek(n-1).at.End && p.peek(n+1).at.Start == p.peek(n).at.End {
		n += 2
	}
	return p.src[p.tok().at.Start:p.peek(n-1).at.End], n
}

// knownOperator reports whether an operator's name stands here, in whatever letters.
func (p *parser) knownOperator() bool {
	if p.tok().kind != word {
		return false
	}
	w, _ := p.operatorWord()
	return isOperator(strings.ToLower(w))
}

// isOperator reports whether w names an operator.
func isOperator(w string) bool {
	for _, o := range operatorNames {
		if o == w {
			return true
		}
	}
	return false
}

// operatorNames are all names of operators, those that are not supported included.
var operatorNames = [...]string{
	"where", "filter", "extend", "project", "project-away", "project-keep", "project-rename", "project-reorder", "summarize",
	"sort", "order", "top", "top-nested", "top-hitters", "take", "limit", "sample", "sample-distinct", "distinct", "count", "join", "lookup",
	"union", "mv-expand", "mvexpand", "mv-apply", "mvapply", "parse", "parse-where", "parse-kv", "make-series", "evaluate", "partition", "scan",
	"serialize", "getschema", "consume", "as", "invoke", "fork", "facet", "reduce", "render", "search", "find", "print", "range",
	"project-by-names", "make-graph", "graph-match", "graph-shortest-paths", "graph-mark-components", "graph-to-table", "graph-where-nodes",
	"graph-where-edges", "macro-expand", "assert-schema", "__partitionby", "execute_and_cache",
}

// newerSpelling gives an operator's name as it is written today.
func newerSpelling(name string) string {
	switch name {
	case "mvexpand":
		return "mv-expand"
	case "mvapply":
		return "mv-apply"
	}
	return name
}

// headOperator reports whether an operator that may begin a pipeline stands here. Its name may also be a column's or
// a function's: then what follows tells.
func (p *parser) headOperator() bool {
	t := p.tok()
	if t.kind != word || p.i >= p.limit {
		return false
	}
	next := p.peek(1)
	switch p.text(t) {
	case "range":
		return next.kind == word && p.isWord(p.peek(2), "from") || next.kind == lbrack && p.isWord(p.peek(4), "from")
	case "evaluate":
		return next.kind == word && (p.peek(2).kind == lparen || p.peek(2).kind == dot || p.peek(2).kind == assign)
	case "print", "union", "search", "find":
		switch next.kind {
		case word:
			// A condition may begin with a column of that name: search has "x".
			op, _ := wordOp(p.text(next))
			return op == NoOp || op == In
		case str, longNum, realNum, spanNum, typed, lparen, lbrack, star, minus, placeholder, bareGUID:
			return true
		}
	}
	return false
}

// pipeMissing reports, at the end of an operator or source, whether an operator's name stands here without a
// pipe before it.
func (p *parser) pipeMissing() bool {
	if p.quiet || p.i >= p.limit || !p.knownOperator() {
		return false
	}
	w, n := p.operatorWord()
	switch strings.ToLower(w) {
	case "as", "range", "find", "print", "top", "order", "sample", "reduce", "filter", "limit":
		// Words that stand elsewhere too.
		return p.tok().nl && p.peek(n).kind != assign
	}
	switch p.peek(n).kind {
	case assign, dot, comma, eqeq:
		return false
	case lparen:
		return w != "count"
	}
	return true
}

// operators parses | operator | operator … into pl.
func (p *parser) operators(pl *Pipeline) {
	base := p.base
	p.base = p.brackets
	defer func() { p.base = base }()
	for {
		switch {
		case p.i >= p.limit && !p.at(pipe):
			return
		case p.doublePipe():
			p.quiet = false
			p.errorf(EmptyOperator, p.tok().at, "write | once", "|| is no pipe")
			p.next()
		case p.at(pipe):
			if p.i >= p.limit {
				return
			}
			p.quiet = false
			bar := p.next().at
			if p.at(pipe) || p.atEnd() || p.tok().kind.closes() {
				p.errorf(EmptyOperator, bar, "remove it, or write an operator after it", "nothing follows this pipe")
				continue
			}
		case p.pipeMissing():
			at := p.tok().at
			p.errorf(MissingPipe, at, "write | before it", "a pipe is missing before %s", p.found())
		default:
			return
		}
		pl.Ops = append(pl.Ops, p.operator())
		p.endOperator()
	}
}

// endOperator checks that the operator ends here.
func (p *parser) endOperator() {
	switch {
	case p.atEnd():
	case p.quiet:
		p.skip()
	case p.tok().kind.closes(), p.pipeMissing():
	case p.brackets == 0 && p.tok().nl && p.startsStatement() && !p.at(lparen):
	default:
		p.fail(Unexpected, p.leftoverHint(), "unexpected %s", p.found())
	}
}

// leftoverHint gives what may have been meant by what stands where an operator should end.
func (p *parser) leftoverHint() string {
	t := p.tok()
	switch t.kind {
	case word:
		w := strings.ToLower(p.text(t))
		switch w {
		case "by", "on", "with", "asc", "desc":
			return "is the order of the clauses right?"
		case "group":
			return "write summarize … by …"
		case "entitymappings", "version", "kind", "customdetails", "alertdetailsoverride":
			if p.peek(1).kind == colon {
				return "this looks like a rule's YAML: give its query only"
			}
		case "having":
			return "put | where after the summarize"
		}
		if best := diag.Nearest(w, operatorNames[:]); best != "" && !p.tok().nl {
			return "an operator begins with a pipe: | " + best
		}
		return "is a comma, an operator or a pipe missing before it?"
	case str, longNum, realNum, spanNum, typed, bareGUID:
		return "is a comma or an operator missing before it?"
	case question:
		return "write iff(condition, then, else)"
	}
	return ""
}

// operator parses one operator, whose name stands at the current token.
func (p *parser) operator() Operator {
	start := p.start()
	if p.tok().kind != word {
		p.fail(Unexpected, "for example | where … or | project …", "expected an operator, found %s", p.found())
		b := &BadOp{}
		b.At = p.from(start)
		return b
	}
	if !p.deeper() {
		b := &BadOp{}
		b.At = p.from(start)
		return b
	}
	defer func() { p.depth-- }()
	w, n := p.operatorWord()
	at := diag.At(start, p.peek(n-1).at.End)
	lower := strings.ToLower(w)
	if lower != w && isOperator(lower) {
		p.errorf(WrongCase, at, "write "+lower, "operators of KQL are written in small letters")
	}
	parse := p.operatorParser(lower)
	if parse == nil {
		p.unknownOperator(w, lower, at)
		b := &BadOp{}
		b.At, b.Word = p.from(start), lower
		return b
	}
	for range n {
		p.next()
	}
	o := parse()
	h := o.head()
	h.Word, h.At = lower, p.from(start)
	return o
}

func (o *op) head() *op { return o }

// parsedOperator is an operator whose name and place are yet to be filled in.
type parsedOperator interface {
	Operator
	head() *op
}

func (p *parser) unknownOperator(w, lower string, at diag.Span) {
	switch lower {
	case "project-by-names", "make-graph", "graph-match", "graph-shortest-paths", "graph-mark-components", "graph-to-table", "graph-where-nodes",
		"graph-where-edges", "macro-expand", "assert-schema", "__partitionby", "execute_and_cache":
		p.errorf(Unsupported, at, "", "the operator %s is not supported", lower)
		p.skip()
		return
	}
	hint := ""
	switch lower {
	case "select":
		hint = "write project"
	case "group", "groupby", "group-by", "aggregate", "stats":
		hint = "write summarize … by …"
	case "rename", "project-as":
		hint = "write project-rename new = old"
	case "drop", "remove", "project-remove", "except", "fields-":
		hint = "write project-away"
	case "keep":
		hint = "write project-keep"
	case "fields", "table", "columns":
		hint = "write project"
	case "head", "first":
		hint = "write take"
	case "dedup", "unique", "uniq":
		hint = "write distinct"
	case "eval", "add", "set", "let":
		hint = "write extend"
	case "orderby", "sortby", "sort-by", "order-by":
		hint = "write sort by"
	case "expand", "unnest", "explode", "mv_expand", "mvexp":
		hint = "write mv-expand"
	case "and", "or":
		hint = "a condition goes on without a pipe: where a " + lower + " b; or write | where"
	case "having", "if", "when", "grep":
		hint = "write where"
	case "inner", "leftouter", "leftanti", "innerunique", "anti", "left":
		hint = "write join kind=" + lower + " (…) on …"
	default:
		if best := diag.Nearest(lower, operatorNames[:]); best != "" {
			hint = "did you mean " + newerSpelling(best) + "?"
		}
	}
	if hint == "" {
		hint = "operators are where, project, extend, summarize, join, …"
	}
	p.errorf(UnknownOperator, at, hint, "there is no operator %s", w)
	p.skip()
}

// operatorParser gives the function that parses what follows an operator's name, or nil. An operator is
// one file, with its parser and printer, and one line here.
func (p *parser) operatorParser(name string) func() parsedOperator {
	switch name {
	case "where", "filter":
		return p.where
	case "extend":
		return p.extend
	case "project":
		return p.project
	case "project-away":
		return p.projectAway
	case "project-keep":
		return p.projectKeep
	case "project-rename":
		return p.projectRename
	case "project-reorder":
		return p.projectReorder
	case "summarize":
		return p.summarize
	case "sort", "order":
		return p.sort
	case "top":
		return p.top
	case "top-nested":
		return p.topNested
	case "top-hitters":
		return p.topHitters
	case "take", "limit":
		return p.take
	case "sample":
		return p.sample
	case "sample-distinct":
		return p.sampleDistinct
	case "distinct":
		return p.distinct
	case "count":
		return p.count
	case "join":
		return p.join
	case "lookup":
		return p.lookup
	case "union":
		return p.union
	case "mv-expand", "mvexpand":
		return p.mvExpand
	case "mv-apply", "mvapply":
		return p.mvApply
	case "parse", "parse-where":
		return p.parse
	case "parse-kv":
		return p.parseKV
	case "make-series":
		return p.makeSeries
	case "evaluate":
		return p.evaluate
	case "partition":
		return p.partition
	case "scan":
		return p.scan
	case "serialize":
		return p.serialize
	case "getschema":
		return p.getSchema
	case "consume":
		return p.consume
	case "as":
		return p.as
	case "invoke":
		return p.invoke
	case "fork":
		return p.fork
	case "facet":
		return p.facet
	case "reduce":
		return p.reduce
	case "render":
		return p.render
	case "search":
		return p.search
	case "find":
		return p.find
	case "print":
		return p.print
	case "range":
		return p.rangeOp
	}
	return nil
}

// ---- Parts that operators share

// params parses name=value pairs as long as the name is one of names or begins with "hint.".
func (p *parser) params(names ...string) (list Params) {
	for p.tok().kind == word && p.i < p.limit {
		name, n := p.text(p.tok()), 1
		for p.peek(n).kind == dot && p.peek(n+1).kind == word {
			name += "." + p.text(p.peek(n+1))
			n += 2
		}
		if p.peek(n).kind != assign {
			return list
		}
		lower, known := strings.ToLower(name), strings.HasPrefix(name, "hint.")
		for _, k := range names {
			known = known || k == lower
		}
		if !known {
			return list
		}
		start := p.start()
		for range n + 1 {
			p.next()
		}
		q := &Param{Name: name, Value: p.paramValue()}
		q.At = p.from(start)
		list = append(list, q)
	}
	return list
}

// paramValue parses a parameter's value. A word is a name, even if a parenthesis follows: that begins the table.
func (p *parser) paramValue() Expr {
	t := p.tok()
	if t.kind == word && p.i < p.limit {
		switch w := p.text(t); w {
		case "true", "false":
			p.next()
			return &Literal{Base: Base{t.at}, Kind: BoolLit, Text: w, Raw: w}
		default:
			p.next()
			return &Name{Base{t.at}, w, false}
		}
	}
	return p.unary()
}

// properties parses (name=value, …), parentheses included; a value without a name goes to the one before it.
func (p *parser) properties() (list Params) {
	if !p.at(lparen) {
		p.expect(lparen, "after with")
		return nil
	}
	p.bracketed(func() {
		if p.at(rparen) {
			return
		}
		p.list(nil, func() { list = p.property(list) })
	})
	return list
}

func (p *parser) property(list Params) Params {
	start := p.start()
	if p.nameAhead() {
		id := p.ident("a property")
		p.next()
		q := &Param{Name: id.Name, Value: p.expr()}
		q.At = p.from(start)
		return append(list, q)
	}
	if len(list) == 0 {
		p.fail(Unexpected, "name = value", "expected a property, found %s", p.found())
		return list
	}
	q := list[len(list)-1]
	q.More = append(q.More, p.expr())
	q.At = p.from(q.At.Start)
	return list
}

// namedList parses named expressions with commas.
func (p *parser) namedList(end func() bool) (list []*NamedExpr) {
	p.list(end, func() { list = append(list, p.named()) })
	return list
}

// atClause gives a function that reports whether one of the words stands here as the beginning of a clause.
func (p *parser) atClause(words ...string) func() bool {
	return func() bool {
		for _, w := range words {
			if p.atWord(w) && p.peek(1).kind != assign && p.peek(1).kind != comma {
				return true
			}
		}
		return false
	}
}

// order parses a key with its direction.
func (p *parser) order() *Order {
	start := p.start()
	o := &Order{Value: p.named()}
	switch {
	case p.gotWord("asc"):
		o.Dir = Asc
	case p.gotWord("desc"):
		o.Dir = Desc
	case p.atWord("ascending"), p.atWord("descending"):
		p.errorf(Unexpected, p.tok().at, "write "+strings.TrimSuffix(p.found(), "ending"), "directions are asc and desc")
		p.next()
	case p.tok().kind == word && !p.tok().nl && !p.quiet && p.i < p.limit && !p.knownOperator() && !isClauseWord(p.text(p.tok())):
		switch p.peek(1).kind {
		case comma, pipe, semi, eof, rparen:
			p.errorf(Unexpected, p.tok().at, "", "directions are asc and desc, found %s", p.found())
			p.next()
		}
	}
	if p.gotWord("nulls") {
		switch {
		case p.gotWord("first"):
			o.Nulls = NullsFirst
		case p.gotWord("last"):
			o.Nulls = NullsLast
		default:
			p.fail(Unexpected, "", "expected first or last after nulls, found %s", p.found())
		}
	}
	o.At = p.from(start)
	return o
}

// body parses ( operator | operator … ), parentheses included: a pipeline whose input comes from outside.
func (p *parser) body() *Pipeline {
	start := p.start()
	pl := &Pipeline{}
	if !p.at(lparen) {
		p.expect(lparen, "and operators")
		pl.At = p.from(start)
		return pl
	}
	p.bracketed(func() {
		base := p.base
		p.base = p.brackets
		p.got(pipe)
		pl.At.Start = p.start()
		pl.Ops = append(pl.Ops, p.operator())
		p.endOperator()
		p.operators(pl)
		p.base = base
		pl.At = p.from(pl.At.Start)
	})
	return pl
}
