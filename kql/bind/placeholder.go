package bind

import (
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// The names that Sentinel's hunting queries have for the time range that they look at.
const (
	startPlaceholder = "StartTimeISO"
	endPlaceholder   = "EndTimeISO"
)

// placeholderValue gives the value of {{name}}.
func (b *binder) placeholderValue(name string, at syntax.Node) (rel.Expr, bool) {
	if v, ok := b.o.Placeholders[name]; ok {
		return b.placeholder(at, v), true
	}
	switch {
	case name == startPlaceholder && b.o.Start != nil:
		return b.o.Start, true
	case name == endPlaceholder && b.o.End != nil:
		return b.o.End, true
	}
	return nil, false
}

// placeholder gives the constant of a value from outside.
func (b *binder) placeholder(at syntax.Node, v any) rel.Expr {
	switch v := v.(type) {
	case nil:
		return rel.Null(value.Dynamic)
	case bool:
		return rel.Bool(v)
	case int:
		return rel.Long(int64(v))
	case int64:
		return rel.Long(v)
	case float64:
		return &rel.Const{Value: v, T: value.Real}
	case string:
		return rel.Str(v)
	case value.Ticks:
		return &rel.Const{Value: int64(v), T: value.DateTime}
	case value.Span:
		return &rel.Const{Value: int64(v), T: value.TimeSpan}
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return &rel.Const{Value: value.JSON(list), T: value.Dynamic}
	}
	b.errorf(BadLiteral, at, "", "the value given for it is of a kind that queries do not have (%T)", v)
	return unknown()
}

// text binds a string literal. Where {{name}} stands in it and has a value, the value's text takes its
// place: it becomes part of the string and never of the query. Braces without a value are text.
func (b *binder) text(e *syntax.StringLit) rel.Expr {
	rest := e.Value
	var parts []rel.Expr
	add := func(x rel.Expr) {
		k, ok := x.(*rel.Const)
		if !ok {
			parts = append(parts, call("tostring", value.String, x))
			return
		}
		s, isText := k.Value.(string)
		switch {
		case k.Value == nil:
			s = ""
		case k.T == value.DateTime:
			s = value.Ticks(k.Value.(int64)).String()
		case k.T == value.TimeSpan:
			s = value.Span(k.Value.(int64)).String()
		case !isText:
			s = value.JSON(k.Value)
		}
		if n := len(parts); n > 0 {
			if last, ok := parts[n-1].(*rel.Const); ok {
				parts[n-1] = rel.Str(last.Value.(string) + s)
				return
			}
		}
		parts = append(parts, rel.Str(s))
	}
	for {
		i := strings.Index(rest, "{{")
		if i < 0 {
			break
		}
		n := strings.Index(rest[i:], "}}")
		if n < 0 {
			break
		}
		x, ok := b.placeholderValue(strings.TrimSpace(rest[i+2:i+n]), e)
		if !ok {
			add(rel.Str(rest[:i+2]))
			rest = rest[i+2:]
			continue
		}
		add(rel.Str(rest[:i]))
		add(x)
		rest = rest[i+n+2:]
	}
	if len(parts) == 0 {
		return rel.Str(e.Value)
	}
	if rest != "" {
		add(rel.Str(rest))
	}
	// What was empty before a value that is no constant adds nothing.
	out := parts[:0]
	for _, p := range parts {
		if k, ok := p.(*rel.Const); !ok || k.Value != "" {
			out = append(out, p)
		}
	}
	switch len(out) {
	case 0:
		return rel.Str("")
	case 1:
		return out[0]
	}
	return call("strcat", value.String, out...)
}
