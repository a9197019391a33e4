package filter

import (
	"fmt"
	"strings"
)

// Parse reads a rule. The error is a *SyntaxError.
func Parse(rule string) (Expr, error) {
	if len([]rune(rule)) > MaxLength {
		return nil, &SyntaxError{0, fmt.Sprintf("the rule has more than %d characters", MaxLength)}
	}
	p := &parser{text: rule}
	if err := p.next(); err != nil {
		return nil, err
	}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.kind != end {
		return nil, p.wrong("-and, -or or the end")
	}
	return x, nil
}

type kind int

const (
	end    kind = iota
	word        // a property, True, False, null, a number, an operator without its dash
	option      // -and, -eq
	quoted
	mark // ( ) [ ] ,
)

type parser struct {
	text string
	pos  int // after the token
	kind kind
	at   int // where the token begins
	tok  string
}

func (p *parser) wrong(want string) error {
	have := "the end"
	if p.kind != end {
		have = fmt.Sprintf("%q", p.text[p.at:p.pos])
	}
	return &SyntaxError{p.at, "expected " + want + ", found " + have}
}

// next reads a token.
func (p *parser) next() error {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
	p.at, p.tok = p.pos, ""
	if p.pos == len(p.text) {
		p.kind = end
		return nil
	}
	switch c := p.text[p.pos]; {
	case strings.IndexByte("()[],", c) >= 0:
		p.kind, p.tok = mark, string(c)
		p.pos++
		return nil
	case c == '"' || c == '\'':
		return p.string(c)
	}
	p.kind = word
	if p.text[p.pos] == '-' {
		p.kind = option
		p.pos++
	}
	from := p.pos
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n()[],\"'", p.text[p.pos]) < 0 {
		p.pos++
	}
	p.tok = p.text[from:p.pos]
	if p.tok == "" {
		return &SyntaxError{p.at, "a dash stands alone"}
	}
	return nil
}

// string reads a quoted text, in which ` takes the next character as it is.
func (p *parser) string(mark byte) error {
	p.kind = quoted
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case mark:
			p.pos++
			p.tok = b.String()
			return nil
		case '`':
			if p.pos+1 < len(p.text) {
				p.pos++
			}
			b.WriteByte(p.text[p.pos])
		default:
			b.WriteByte(c)
		}
	}
	return &SyntaxError{p.at, "the text has no end"}
}

// joint says whether the token is an operator between or before parts; the dash may
// be left out, as dynamic groups allow.
func (p *parser) joint(name string) bool {
	return (p.kind == option || p.kind == word) && strings.EqualFold(p.tok, name)
}

func (p *parser) or() (Expr, error) {
	return p.chain("or", p.and, func(parts []Expr) Expr { return &Or{parts} })
}

func (p *parser) and() (Expr, error) {
	return p.chain("and", p.unary, func(parts []Expr) Expr { return &And{parts} })
}

func (p *parser) chain(name string, part func() (Expr, error), make func([]Expr) Expr) (Expr, error) {
	x, err := part()
	if err != nil {
		return nil, err
	}
	parts := []Expr{x}
	for p.joint(name) {
		if err := p.next(); err != nil {
			return nil, err
		}
		if x, err = part(); err != nil {
			return nil, err
		}
		parts = append(parts, x)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return make(parts), nil
}

func (p *parser) unary() (Expr, error) {
	if p.joint("not") {
		if err := p.next(); err != nil {
			return nil, err
		}
		x, err := p.unary()
		if err != nil {
			return nil, err
		}
		return &Not{x}, nil
	}
	if p.kind == mark && p.tok == "(" {
		if err := p.next(); err != nil {
			return nil, err
		}
		x, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.kind != mark || p.tok != ")" {
			return nil, p.wrong(`")"`)
		}
		return x, p.next()
	}
	return p.comparison()
}

func (p *parser) comparison() (Expr, error) {
	before, after, ok := strings.Cut(p.tok, ".")
	if p.kind != word || !ok || before == "" || after == "" {
		return nil, p.wrong("a property, as device.isCompliant")
	}
	c := &Comparison{Property: p.tok, At: p.at}
	if err := p.next(); err != nil {
		return nil, err
	}
	for _, name := range operators {
		if p.joint(name) {
			c.Op = name
		}
	}
	if c.Op == "" {
		return nil, p.wrong("an operator, as -eq")
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if !c.list() {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		c.Values = []Literal{v}
		return c, nil
	}
	if p.kind != mark || p.tok != "[" {
		return nil, p.wrong(`a list, as ["a", "b"]`)
	}
	for {
		if err := p.next(); err != nil {
			return nil, err
		}
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		c.Values = append(c.Values, v)
		if p.kind == mark && p.tok == "]" {
			return c, p.next()
		}
		if p.kind != mark || p.tok != "," {
			return nil, p.wrong(`"," or "]"`)
		}
	}
}

func (p *parser) literal() (Literal, error) {
	l := Literal{Text: p.tok}
	switch p.kind {
	case quoted:
	case word:
		if !bare(p.tok) {
			return l, p.wrong("a value, as \"Company\" or True")
		}
		l.Bare = true
	default:
		return l, p.wrong("a value, as \"Company\" or True")
	}
	return l, p.next()
}

// bare says whether a word is a value without quotes.
func bare(s string) bool {
	for _, w := range []string{"true", "false", "null"} {
		if strings.EqualFold(s, w) {
			return true
		}
	}
	return s != "" && strings.Trim(s, "0123456789.") == "" && s[0] != '.'
}
