package bind

import (
	"strconv"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// queryParam gives a parameter that declare query_parameters(…) names its value: the one that is given from
// outside, or its default.
func (b *binder) queryParam(p *syntax.Parameter, sc *scope) {
	set := func(e rel.Expr) { sc.names[p.Name.Name] = &binding{scalar: e, at: p.Span()} }
	if v, ok := b.o.Placeholders[p.Name.Name]; ok {
		set(b.placeholder(p, v))
		return
	}
	t, known := value.ParseType(p.Type)
	if text, ok := b.o.Parameters[p.Name.Name]; ok {
		if !known || p.Table {
			b.unknownType(p, p.Type)
			set(unknown())
			return
		}
		x, ok := b.given(text, t)
		if !ok {
			b.errorf(BadLiteral, p, "give it as a query writes it, "+example(t), "the value given for the query parameter %s is no %s", p.Name.Name, t)
			x = unknown()
		}
		set(x)
		return
	}
	if p.Default == nil {
		b.errorf(MissingValue, p, "give it a default: "+p.Name.Name+":"+p.Type+" = …", "the query parameter %s has no value", p.Name.Name)
		set(unknown())
		return
	}
	e := b.expr(p.Default, &env{sc: sc})
	if known {
		e = b.assign(e, t, p.Default, "the query parameter "+p.Name.Name)
	}
	set(e)
}

// example shows how a value of a type is written.
func example(t value.Type) string {
	switch t {
	case value.Bool:
		return "as true"
	case value.Int, value.Long:
		return "as 5"
	case value.Real, value.Decimal:
		return "as 1.5"
	case value.DateTime:
		return "as datetime(2026-01-31T12:00:00Z)"
	case value.TimeSpan:
		return "as 5m or time(1.02:03:04)"
	case value.GUID:
		return "as guid(74be27de-1e4e-49d9-b579-fe0b331d3642)"
	case value.Dynamic:
		return `as dynamic({"a":1})`
	}
	return `as "text"`
}

// given reads the value of a query parameter: a literal of KQL, or, as Kusto takes it, the bare text of one
// (abc for a string, 2026-01-31 for a datetime). Whatever stands in it is a value; nothing of it is ever
// read as a part of the query.
func (b *binder) given(text string, t value.Type) (rel.Expr, bool) {
	bare := text
	if lit := literalOf(text); lit != nil {
		if s, ok := lit.(*syntax.StringLit); ok {
			if t == value.String {
				return rel.Str(s.Value), true
			}
			bare = s.Value
		} else {
			// What is wrong in it stands in no text of the query: it is told of the parameter.
			kept := b.diags
			b.diags = nil
			x := b.expr(lit, &env{sc: newScope(nil)})
			wrong := b.diags.HasErrors()
			b.diags = kept
			switch from := x.Type(); {
			case wrong || isUnknown(x):
				return nil, false
			case from == t, from.Numeric() && t.Numeric(), t == value.Dynamic:
				return b.cast(x, t), true
			case isNull(x):
				return rel.Null(t), true
			}
		}
	}
	return bareValue(bare, t)
}

// literalOf gives the literal that a text is, nil if it is none.
func literalOf(text string) syntax.Expr {
	// A literal alone is no query; printed it is one. Anything else that is read here is refused.
	file, diags := syntax.Parse("print " + text)
	if diags.HasErrors() || len(file.Stmts) != 1 {
		return nil
	}
	q, ok := file.Stmts[0].(*syntax.Query)
	if !ok || q.Body == nil || len(q.Body.Ops) > 0 {
		return nil
	}
	p, ok := q.Body.Source.(*syntax.Print)
	if !ok || len(p.Items) != 1 || len(p.Items[0].Names) > 0 {
		return nil
	}
	e := p.Items[0].Value
	for {
		p, ok := e.(*syntax.Paren)
		if !ok {
			break
		}
		e = p.X
	}
	switch x := e.(type) {
	case *syntax.Literal, *syntax.StringLit, *syntax.DynamicLit:
		return e
	case *syntax.Unary:
		if _, ok := x.X.(*syntax.Literal); ok {
			return e
		}
	}
	return nil
}

// bareValue reads the text of a value without the literal's name, parentheses and quotes.
func bareValue(text string, t value.Type) (rel.Expr, bool) {
	if t == value.String {
		return rel.Str(text), true
	}
	text = strings.TrimSpace(text)
	var (
		v  any
		ok bool
	)
	switch t {
	case value.Bool:
		switch strings.ToLower(text) {
		case "true", "1":
			v, ok = true, true
		case "false", "0":
			v, ok = false, true
		}
	case value.Int, value.Long:
		size := 64
		if t == value.Int {
			size = 32
		}
		n, err := strconv.ParseInt(text, 10, size)
		v, ok = n, err == nil
	case value.Real:
		v, ok = parseReal(text)
	case value.Decimal:
		v, ok = value.ParseDec(text)
	case value.DateTime:
		d, read := value.ParseDateTime(text)
		v, ok = int64(d), read
	case value.TimeSpan:
		d, read := value.ParseTimeSpan(text)
		v, ok = int64(d), read
	case value.GUID:
		v, ok = value.ParseGUID(text)
	case value.Dynamic:
		x, read := value.ParseJSON(text)
		if !read {
			x = text // as a string does
		}
		if x == nil {
			return rel.Null(t), true
		}
		v, ok = value.JSON(x), true
	}
	if !ok {
		return nil, false
	}
	return &rel.Const{Value: v, T: t}, true
}
