package cloud

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The filter language of OData, as far as Graph's collections speak it.

// A node is a part of a filter.
type node struct {
	op    string // and, or, not, eq, ne, gt, ge, lt, le, startswith, endswith, contains, any
	kids  []*node
	prop  string
	value any  // string, float64, bool, time.Time or nil
	exact bool // compares text with care for its case
}

type token struct {
	kind  byte // n name, s string, d date, f number, ( ) , :  and 0 for the end
	text  string
	value any
}

type filterParser struct {
	in   string
	list []token
	at   int
	vars map[string]string // a lambda's variable → the collection that it walks
}

// wording is what a service says about what it refuses, in its own words.
type wording string

func (w wording) Error() string { return string(w) }

// parseFilter reads a filter. Its errors are for whoever wrote it.
func parseFilter(text string) (*node, error) {
	p := &filterParser{in: text, vars: map[string]string{}}
	if err := p.scan(); err != nil {
		return nil, err
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.peek().kind != 0 {
		return nil, p.unexpected()
	}
	return n, nil
}

func (p *filterParser) scan() error {
	s := p.in
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ':
			i++
		case strings.IndexByte("(),:", c) >= 0:
			p.list = append(p.list, token{kind: c, text: string(c)})
			i++
		case c == '\'':
			var b strings.Builder
			j := i + 1
			for {
				if j >= len(s) {
					return wording(fmt.Sprintf("There is an unterminated string literal at position %d in '%s'.", len(s), s))
				}
				if s[j] == '\'' {
					if j+1 < len(s) && s[j+1] == '\'' {
						b.WriteByte('\'')
						j += 2
						continue
					}
					break
				}
				b.WriteByte(s[j])
				j++
			}
			p.list = append(p.list, token{kind: 's', text: s[i : j+1], value: b.String()})
			i = j + 1
		case c >= '0' && c <= '9' || c == '-':
			j := i + 1
			for j < len(s) && (s[j] >= '0' && s[j] <= '9' || strings.IndexByte("-:.TZtz+abcdefABCDEF", s[j]) >= 0) {
				j++
			}
			word := s[i:j]
			if at, err := parseInstant(word); err == nil {
				p.list = append(p.list, token{kind: 'd', text: word, value: at})
			} else if f, err := strconv.ParseFloat(word, 64); err == nil {
				p.list = append(p.list, token{kind: 'f', text: word, value: f})
			} else {
				return wording(fmt.Sprintf("Syntax error: character '%c' is not valid at position %d in '%s'.", c, i, s))
			}
			i = j
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if !unicode.IsLetter(r) && r != '_' && r != '@' {
				return wording(fmt.Sprintf("Syntax error: character '%c' is not valid at position %d in '%s'.", r, i, s))
			}
			j := i + size
			for j < len(s) {
				r, size := utf8.DecodeRuneInString(s[j:])
				if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_/.@$", r) {
					break
				}
				j += size
			}
			p.list = append(p.list, token{kind: 'n', text: s[i:j]})
			i = j
		}
	}
	return nil
}

// parseInstant reads a datetime literal, which always names its zone.
func parseInstant(s string) (time.Time, error) {
	return time.Parse(time.RFC3339Nano, s)
}

func (p *filterParser) peek() token {
	if p.at < len(p.list) {
		return p.list[p.at]
	}
	return token{}
}

func (p *filterParser) next() token {
	t := p.peek()
	p.at++
	return t
}

func (p *filterParser) word(w string) bool {
	if t := p.peek(); t.kind == 'n' && t.text == w {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) expect(kind byte) error {
	if p.peek().kind != kind {
		return p.unexpected()
	}
	p.at++
	return nil
}

func (p *filterParser) unexpected() error {
	if t := p.peek(); t.kind != 0 {
		return wording(fmt.Sprintf("Syntax error: '%s' was not expected in '%s'.", t.text, p.in))
	}
	return wording(fmt.Sprintf("Syntax error at the end of '%s'.", p.in))
}

func (p *filterParser) or() (*node, error) { return p.joined("or", p.and) }

func (p *filterParser) and() (*node, error) { return p.joined("and", p.unary) }

func (p *filterParser) joined(op string, part func() (*node, error)) (*node, error) {
	n, err := part()
	if err != nil {
		return nil, err
	}
	for p.word(op) {
		m, err := part()
		if err != nil {
			return nil, err
		}
		n = &node{op: op, kids: []*node{n, m}}
	}
	return n, nil
}

func (p *filterParser) unary() (*node, error) {
	if p.word("not") {
		n, err := p.unary()
		if err != nil {
			return nil, err
		}
		return &node{op: "not", kids: []*node{n}}, nil
	}
	if p.peek().kind == '(' {
		p.at++
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		return n, p.expect(')')
	}
	return p.comparison()
}

func (p *filterParser) comparison() (*node, error) {
	t := p.peek()
	if t.kind != 'n' {
		return nil, p.unexpected()
	}
	p.at++
	switch f := strings.ToLower(t.text); {
	case p.peek().kind == '(' && (f == "startswith" || f == "endswith" || f == "contains"):
		p.at++
		name := p.next()
		if name.kind != 'n' {
			p.at--
			return nil, p.unexpected()
		}
		if err := p.expect(','); err != nil {
			return nil, err
		}
		v := p.next()
		if v.kind != 's' {
			p.at--
			return nil, p.unexpected()
		}
		if err := p.expect(')'); err != nil {
			return nil, err
		}
		// "startswith(x,'y') eq true" is allowed and says nothing more.
		if p.at+1 < len(p.list) && p.list[p.at].text == "eq" && p.list[p.at+1].text == "true" {
			p.at += 2
		}
		return &node{op: f, prop: p.resolve(name.text), value: v.value}, nil
	case p.peek().kind == '(' && strings.HasSuffix(t.text, "/any"):
		return p.lambda(strings.TrimSuffix(t.text, "/any"))
	case p.peek().kind == '(':
		return nil, wording(fmt.Sprintf("An unknown function with name '%s' was found.", t.text))
	}
	op := p.next()
	switch op.text {
	case "eq", "ne", "gt", "ge", "lt", "le":
	default:
		p.at--
		return nil, p.unexpected()
	}
	n := &node{op: op.text, prop: p.resolve(t.text)}
	switch v := p.next(); {
	case v.kind == 's' || v.kind == 'd' || v.kind == 'f':
		n.value = v.value
	case v.kind == 'n' && v.text == "true", v.kind == 'n' && v.text == "false":
		n.value = v.text == "true"
	case v.kind == 'n' && v.text == "null":
	case v.kind == 'n':
		return nil, wording(fmt.Sprintf("Could not find a property named '%s'.", v.text))
	default:
		p.at--
		return nil, p.unexpected()
	}
	return n, nil
}

func (p *filterParser) lambda(collection string) (*node, error) {
	p.at++ // (
	v := p.next()
	if v.kind != 'n' {
		p.at--
		return nil, p.unexpected()
	}
	if err := p.expect(':'); err != nil {
		return nil, err
	}
	p.vars[v.text] = collection
	n, err := p.or()
	delete(p.vars, v.text)
	if err != nil {
		return nil, err
	}
	return &node{op: "any", prop: collection, kids: []*node{n}}, p.expect(')')
}

// resolve names what a path means, inside a lambda with the collection before
// it: "t" is "signInEventTypes", "t/id" is "targetResources/id".
func (p *filterParser) resolve(path string) string {
	first, rest, nested := strings.Cut(path, "/")
	collection, ok := p.vars[first]
	switch {
	case !ok:
		return path
	case nested:
		return collection + "/" + rest
	}
	return collection
}

// walk visits all leaves of a filter.
func (n *node) walk(f func(*node) error) error {
	if n == nil {
		return nil
	}
	if len(n.kids) == 0 {
		return f(n)
	}
	for _, k := range n.kids {
		if err := k.walk(f); err != nil {
			return err
		}
	}
	return nil
}

// span narrows a span of time by what a filter demands of a property in all
// cases.
func (n *node) span(prop string, from, to time.Time) (time.Time, time.Time) {
	if n == nil {
		return from, to
	}
	if n.op == "and" {
		for _, k := range n.kids {
			from, to = k.span(prop, from, to)
		}
		return from, to
	}
	at, ok := n.value.(time.Time)
	if !ok || n.prop != prop {
		return from, to
	}
	switch n.op {
	case "ge", "gt", "eq":
		from = later(from, at)
	}
	switch n.op {
	case "le", "lt", "eq":
		to = earlier(to, at)
	}
	return from, to
}

// match tells whether a thing passes a filter; get gives the value of a property
// of it: nil, string, float64, bool, time.Time, or a list of such for a
// collection.
func (n *node) match(get func(prop string) any) bool {
	switch n.op {
	case "and":
		return n.kids[0].match(get) && n.kids[1].match(get)
	case "or":
		return n.kids[0].match(get) || n.kids[1].match(get)
	case "not":
		return !n.kids[0].match(get)
	case "any":
		return n.kids[0].match(get)
	}
	v := get(n.prop)
	if list, ok := v.([]any); ok {
		for _, v := range list {
			if n.holds(v) {
				return true
			}
		}
		return false
	}
	return n.holds(v)
}

func (n *node) holds(v any) bool {
	switch n.op {
	case "startswith", "endswith", "contains":
		s, _ := v.(string)
		s, t := n.fold(s), n.fold(n.value.(string))
		switch n.op {
		case "startswith":
			return strings.HasPrefix(s, t)
		case "endswith":
			return strings.HasSuffix(s, t)
		}
		return strings.Contains(s, t)
	}
	if v == nil || n.value == nil {
		same := v == nil && n.value == nil
		return n.op == "eq" && same || n.op == "ne" && !same
	}
	var c int
	switch w := n.value.(type) {
	case time.Time:
		at, ok := v.(time.Time)
		if s, text := v.(string); text {
			var err error
			at, err = parseInstant(s)
			ok = err == nil
		}
		if !ok {
			return false
		}
		c = at.Compare(w)
	case string:
		s, ok := v.(string)
		if !ok {
			return false
		}
		c = strings.Compare(n.fold(s), n.fold(w))
	case float64:
		f, ok := v.(float64)
		if !ok {
			return false
		}
		c = cmp.Compare(f, w)
	case bool:
		b, ok := v.(bool)
		if !ok {
			return false
		}
		if b != w {
			c = 1
		}
	}
	switch n.op {
	case "eq":
		return c == 0
	case "ne":
		return c != 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	}
	return c <= 0
}

func (n *node) fold(s string) string {
	if n.exact {
		return s
	}
	return strings.ToLower(s)
}
