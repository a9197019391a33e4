package syntax

import (
	"strings"
	"unicode/utf8"

	"glassward/kql/diag"
)

// Limits of the parser. They keep the tree shallow enough for every later stage to walk it by recursion.
const (
	maxDepth = 250    // brackets, pipelines and signs within one another
	maxChain = 10_000 // operators, dots and indexes in a row
)

// Parse gives the tree of src and what is wrong with it. It always gives a tree; if the list has no errors, the
// tree holds no BadStmt, BadOp or BadExpr. How long src may be is the caller's to decide: time and memory
// are linear in it.
func Parse(src string) (*File, diag.List) {
	p := newParser(src)
	f := p.file()
	p.diags.Sort()
	return f, p.diags
}

// parser is a recursive-descent parser over the tokens of a whole source.
//
// After an error that cannot be repaired it goes straight to the end of the operator or statement that it is
// in, and is quiet until it gets there: the functions that are under way find nothing that they want,
// say nothing, and return what they have. So each operator gives at most one such error.
type parser struct {
	src      string
	tokens   []token
	match    []int32 // of a bracket, the index of its partner; else -1
	i        int     // the current token
	diags    diag.List
	quiet    bool
	depth    int
	brackets int       // how many brackets are open
	base     int       // how many of them were open where the current pipeline began
	limit    int       // the token that ends what is being parsed at the latest
	last     diag.Span // of the token taken last
	comments []Comment
	scanStep bool // => ends an expression
	declares bool // the source need not have a result
}

func newParser(src string) *parser { return newParserFrom(src, 0) }

// newParserFrom gives a parser of what follows an offset of the source.
func newParserFrom(src string, from int) *parser {
	p := &parser{src: src}
	p.tokens, p.comments = lex(src, from, &p.diags)
	p.match = matchBrackets(p.tokens)
	p.limit = len(p.tokens) - 1
	return p
}

// matchBrackets pairs brackets. A closing bracket takes the nearest opening one of its kind; brackets between
// them stay single.
func matchBrackets(tokens []token) []int32 {
	match := make([]int32, len(tokens))
	var stack []int32
	for i, t := range tokens {
		match[i] = -1
		switch {
		case t.kind.opens():
			stack = append(stack, int32(i))
		case t.kind.closes():
			for n := len(stack) - 1; n >= 0 && n >= len(stack)-maxDepth; n-- {
				if o := stack[n]; tokens[o].kind == t.kind-1 {
					match[o], match[i] = int32(i), o
					stack = stack[:n]
					break
				}
			}
		}
	}
	return match
}

// ---- Tokens

func (p *parser) tok() *token { return &p.tokens[p.i] }

func (p *parser) at(k kind) bool { return p.tokens[p.i].kind == k }

// peek gives the token n further on, eof beyond the end.
func (p *parser) peek(n int) *token { return &p.tokens[min(p.i+n, len(p.tokens)-1)] }

func (p *parser) text(t *token) string {
	if t.alt != "" {
		return t.alt
	}
	return p.src[t.at.Start:t.at.End]
}

// atWord reports whether the current token is that word.
func (p *parser) atWord(w string) bool { return p.isWord(p.tok(), w) }

func (p *parser) isWord(t *token, w string) bool {
	return t.kind == word && p.src[t.at.Start:t.at.End] == w
}

// next takes the current token.
func (p *parser) next() *token {
	t := &p.tokens[p.i]
	if t.kind == eof {
		return t
	}
	if t.bad {
		p.quiet = true // what follows from what the lexer has told of is not told
	}
	p.last = t.at
	p.i++
	return t
}

// got takes the current token if it is of kind k.
func (p *parser) got(k kind) bool {
	if p.at(k) {
		p.next()
		return true
	}
	return false
}

// gotWord takes the current token if it is that word. A word in other letters is reported and taken too.
func (p *parser) gotWord(w string) bool {
	t := p.tok()
	if t.kind != word {
		return false
	}
	if s := p.src[t.at.Start:t.at.End]; s != w {
		if !strings.EqualFold(s, w) || p.quiet {
			return false
		}
		p.errorf(WrongCase, t.at, "write "+w, "keywords of KQL are written in small letters")
	}
	p.next()
	return true
}

// from gives the place from start to the last token taken.
func (p *parser) from(start int) diag.Span {
	return diag.At(start, max(start, p.last.End))
}

func (p *parser) start() int { return p.tok().at.Start }

// ---- Errors

func (p *parser) errorf(code diag.Code, at diag.Span, hint, format string, args ...any) {
	if !p.quiet {
		p.diags.Errorf(code, at, hint, format, args...)
	}
}

// fail reports an error at the current token and goes to where the current operator ends.
func (p *parser) fail(code diag.Code, hint, format string, args ...any) {
	p.errorf(code, p.place(), hint, format, args...)
	p.skip()
}

// place gives the place of the current token; where the operator ends and the next stands on a line of its own, the
// place behind what stands last.
func (p *parser) place() diag.Span {
	t := p.tok()
	if (t.kind == eof || t.nl && (t.kind == pipe || t.kind == semi || t.kind.closes())) && p.i > 0 {
		end := p.tokens[p.i-1].at.End
		return diag.At(end, end)
	}
	return t.at
}

// skip goes to the pipe, semicolon or bracket that ends the operator.
func (p *parser) skip() {
	p.quiet = true
	for p.i < p.limit {
		switch t := p.tok(); {
		case t.kind == pipe || t.kind == semi:
			return
		case t.kind.opens():
			if m := int(p.match[p.i]); m > p.i && m < p.limit {
				p.i = m
			}
		}
		p.i++
	}
}

// found describes the current token for a message.
func (p *parser) found() string {
	t := p.tok()
	switch t.kind {
	case eof:
		return "the end of the query"
	case str:
		return "a string"
	case pipe:
		return "the next |"
	}
	return shorten(p.src[t.at.Start:t.at.End], 40)
}

// shorten cuts s to at most n bytes, between characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// expect takes a token of kind k, or fails; what is what the token is there for.
func (p *parser) expect(k kind, what string) bool {
	if p.got(k) {
		return true
	}
	p.fail(Unexpected, "", "expected %s %s, found %s", kindText[k], what, p.found())
	return false
}

// expectWord takes the word w, or fails.
func (p *parser) expectWord(w, hint string) bool {
	if p.gotWord(w) {
		return true
	}
	p.fail(MissingClause, hint, "expected %s, found %s", w, p.found())
	return false
}

// deeper guards recursion: if it reports true, the caller takes one off p.depth when it is done; if not, an error has
// been reported.
func (p *parser) deeper() bool {
	if p.depth >= maxDepth {
		if !p.quiet {
			p.fail(TooDeep, "split it with let statements", "the query is nested more than %d levels deep", maxDepth)
		}
		return false
	}
	p.depth++
	return true
}

// ---- Brackets

// bracketed parses what stands in brackets: it takes the opening bracket at the current token, calls body, and
// takes the closing one. What goes wrong in body stays between them.
func (p *parser) bracketed(body func()) {
	o := p.i
	limit, base := p.limit, p.base
	if m := int(p.match[o]); m >= 0 && m < p.limit {
		p.limit = m
	}
	p.brackets++
	p.next()
	if p.deeper() {
		body()
		p.depth--
	}
	p.brackets--
	p.limit, p.base = limit, base
	p.close(o)
}

// close takes the partner of the bracket at o. If something else stands here, it says so.
func (p *parser) close(o int) {
	want, m := p.tokens[o].kind+1, int(p.match[o])
	switch {
	case p.at(want) && (m < 0 || m == p.i):
		p.next()
	case p.quiet:
		if m >= p.i && m <= p.limit {
			p.i = m
			p.next()
		}
	case m < 0 && (p.atEnd() || p.tok().kind.closes()):
		p.errorf(MissingCloser, p.tokens[o].at, "add "+kindText[want]+" "+p.here(), "this %s is not closed", kindText[p.tokens[o].kind])
		p.quiet = true // a bracket that closes nothing further on is the same mistake
	default:
		p.fail(Unexpected, p.itemHint(), "expected , or %s, found %s", kindText[want], p.found())
		if m >= p.i && m <= p.limit {
			p.i = m
			p.next()
		}
	}
}

// here says where the parser stands.
func (p *parser) here() string {
	if p.at(eof) {
		return "at the end of the query"
	}
	return "before " + p.found()
}

// itemHint gives what may have been meant where a list goes on without a comma.
func (p *parser) itemHint() string {
	switch p.tok().kind {
	case word, str, longNum, realNum, spanNum, typed, lparen, bareGUID, placeholder:
		return "is a comma missing before it?"
	}
	return ""
}

// atEnd reports whether an operator must end here.
func (p *parser) atEnd() bool {
	switch p.tok().kind {
	case eof, pipe, semi:
		return true
	case oror:
		return p.doublePipe()
	}
	return p.i >= p.limit
}

// doublePipe reports whether || stands here where one pipe is meant: first on its line, before an operator.
func (p *parser) doublePipe() bool {
	if !p.at(oror) || !p.tok().nl {
		return false
	}
	p.i++
	known := p.knownOperator()
	p.i--
	return known
}

// startsItem reports whether the current token could begin an item, where a comma was wanted.
func (p *parser) startsItem() bool {
	switch p.tok().kind {
	case word, str, longNum, realNum, spanNum, typed, bareGUID, placeholder:
		return true
	}
	return false
}

// list parses items with commas between them, up to where end reports true or no comma follows. A missing comma
// between two items on one line is reported and taken as there.
func (p *parser) list(end func() bool, item func()) {
	for {
		before := p.i
		item()
		if p.at(comma) {
			c := p.tok().at
			p.next()
			for p.at(comma) {
				p.errorf(ExtraComma, p.tok().at, "remove it", "nothing stands between two commas")
				p.next()
			}
			if p.atEnd() || p.tok().kind.closes() || end != nil && end() {
				p.errorf(ExtraComma, c, "remove it", "nothing follows this comma")
				return
			}
			continue
		}
		if p.quiet || p.i == before || !p.startsItem() || end != nil && end() {
			return
		}
		// Within brackets nothing but an item can follow; outside, the operator's next clause may.
		if p.brackets <= p.base && !p.missingComma() {
			return
		}
		if p.betweenItems() {
			continue
		}
		at := p.last.End
		p.errorf(MissingComma, diag.At(at, at), "", "a comma is missing before %s", p.found())
	}
}

// betweenItems tells of two words in a list that are more than a missing comma, and whether it did: 7 d, x as int,
// Full Name = x.
func (p *parser) betweenItems() bool {
	t, before := p.tok(), p.tokens[p.i-1]
	if t.kind != word || t.nl {
		return false
	}
	w := p.text(t)
	both := diag.At(before.at.Start, t.at.End)
	switch {
	case before.kind == longNum && isSpanUnit(strings.ToLower(w)):
		p.errorf(BadNumber, both, "write "+p.text(&before)+strings.ToLower(w), "no space stands within a timespan")
	case p.brackets > 0 && strings.EqualFold(w, "as") && p.peek(1).kind == word:
		start := t.at.Start
		for i := p.i; i > 1; i-- { // what is written before the bracket is the same mistake
			if p.tokens[i].kind == lparen && int(p.match[i]) > p.i {
				if p.tokens[i-1].kind == word {
					start = p.tokens[i-1].at.Start
				}
				break
			}
		}
		p.errorf(ForeignOperator, diag.At(start, p.peek(1).at.End), "convert with toint(x), tostring(x), todatetime(x) and their like", "cast(x as type) is SQL")
	case p.brackets == 0 && before.kind == word && p.peek(1).kind == assign:
		p.errorf(MissingComma, both, "write ['"+both.In(p.src)+"'], or a comma between two columns", "a name of two words stands in brackets")
		return true
	default:
		return false
	}
	p.skip()
	return true
}

// missingComma reports whether the current token, which is no known part of the operator, looks like the next
// item of its list: a name that another item or the end follows.
func (p *parser) missingComma() bool {
	t := p.tok()
	if t.kind != word && t.kind != str || t.nl && p.knownOperator() {
		return false
	}
	if t.kind == word && (isClauseWord(p.text(t)) || p.knownOperator()) {
		return false
	}
	switch p.peek(1).kind {
	case comma, pipe, semi, eof, assign, dot, rparen, lparen, word:
		return p.peek(1).kind != word || t.kind == word
	}
	return false
}

// isClauseWord reports whether w begins a clause of some operator.
func isClauseWord(w string) bool {
	switch strings.ToLower(w) {
	case "by", "on", "with", "to", "from", "step", "of", "as", "asc", "desc", "nulls", "in", "limit", "default", "where", "and", "or", "is", "not",
		"like", "between", "project", "first", "last":
		return true
	}
	op, _ := wordOp(strings.ToLower(w))
	return op != NoOp
}
