package bind

import (
	"slices"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// parse takes columns out of a text by a pattern. The pattern goes to a function as JSON: parts are
// ["text", …], ["star"] and ["column", type]; it gives the columns' texts as an array, or null if the
// text does not match.
func (b *binder) parse(o *syntax.ParseOp, in *table, sc *scope) *table {
	e := &env{sc: sc, cols: in.cols(), open: in.open}
	x := b.expr(o.X, e)
	if !isUnknown(x) {
		x = b.convert("tostring", x)
	}
	kind := "simple"
	if w := o.Params.Word("kind"); w != "" {
		kind = w
	}
	if kind != "simple" && kind != "regex" && kind != "relaxed" {
		b.errorf(WrongArguments, o.Params.Get("kind"), "use simple, relaxed or regex", "there is no parse of kind %s", kind)
	}
	var parts []any
	var cols []rel.Column
	for _, p := range o.Pattern {
		switch {
		case p.Star:
			parts = append(parts, []any{"star"})
		case p.Column != nil:
			t := value.String
			if p.Column.Type != "" {
				ty, ok := value.ParseType(p.Column.Type)
				if !ok {
					b.unknownType(p.Column, p.Column.Type)
				}
				t = ty
			}
			cols = append(cols, rel.Column{Name: p.Column.Name.Name, Type: t})
			parts = append(parts, []any{"column", t.String()})
		case p.Text != nil:
			c, ok := b.expr(p.Text, &env{sc: sc}).(*rel.Const)
			if !ok || c.T != value.String {
				b.errorf(NotConstant, p.Text, "", "the pattern must be literal text")
				continue
			}
			text := c.Value.(string)
			if kind == "regex" {
				if msg := regexError(text); msg != "" {
					b.errorf(BadLiteral, p.Text, "", "the regular expression cannot be read: %s", msg)
				}
			}
			parts = append(parts, []any{"text", text})
		}
	}
	spec := &value.Object{}
	spec.Set("kind", kind)
	spec.Set("flags", o.Params.Word("flags"))
	if parts == nil {
		parts = []any{}
	}
	spec.Set("parts", parts)
	return b.parsed(in, call("parse_pattern", value.Dynamic, x, rel.Str(value.JSON(spec))), cols, o.Keyword() == "parse-where")
}

func (b *binder) parseKV(o *syntax.ParseKV, in *table, sc *scope) *table {
	x := b.expr(o.X, &env{sc: sc, cols: in.cols(), open: in.open})
	if !isUnknown(x) {
		x = b.convert("tostring", x)
	}
	cols := b.declared(o.Columns)
	spec := &value.Object{}
	for _, p := range o.With {
		switch p.Name {
		case "pair_delimiter", "kv_delimiter", "quote", "escape", "greedy", "regex":
		default:
			b.errorf(WrongArguments, p, "use pair_delimiter, kv_delimiter, quote, escape, greedy or regex", "parse-kv has no parameter %s", p.Name)
		}
		word := p.Word()
		if list, ok := p.Value.(*syntax.Paren); ok {
			if s, ok := list.X.(*syntax.StringLit); ok {
				word = s.Value
			}
		}
		if p.Name == "quote" || p.Name == "escape" {
			// There may be several of each.
			before, _ := spec.Get(p.Name)
			list, _ := before.([]any)
			spec.Set(p.Name, append(list, word))
			continue
		}
		spec.Set(p.Name, word)
	}
	names := make([]any, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	spec.Set("columns", names)
	return b.parsed(in, call("parse_kv", value.Dynamic, x, rel.Str(value.JSON(spec))), cols, false)
}

// parsed adds the columns whose texts a function gives as an array.
func (b *binder) parsed(in *table, found rel.Expr, cols []rel.Column, only bool) *table {
	hidden := b.hiddenName("parsed")
	base := rel.Rel(&rel.Project{In: in.rel, Items: append(rel.Refs(in.cols()), rel.Item{Name: hidden, Expr: found})})
	ref := &rel.Col{Name: hidden, T: value.Dynamic}
	if only {
		base = &rel.Filter{In: base, Cond: call("isnotnull", value.Bool, ref)}
	}
	items := rel.Refs(in.cols())
	for i, c := range cols {
		var x rel.Expr = &rel.Path{X: ref, Steps: []rel.Step{rel.Element(i)}}
		if c.Type == value.Dynamic {
			// The text is JSON, not a value that is a text.
			x = b.convert("parse_json", b.cast(x, value.String))
		} else {
			x = b.cast(x, c.Type)
		}
		it := rel.Item{Name: c.Name, Expr: x}
		if at := slices.IndexFunc(items, func(it rel.Item) bool { return it.Name == c.Name }); at >= 0 {
			items[at] = it
		} else {
			items = append(items, it)
		}
	}
	return in.with(&rel.Project{In: base, Items: items})
}

// declared gives declared columns; a mistake in a type is said.
func (b *binder) declared(cols []*syntax.ColumnDecl) []rel.Column {
	var out []rel.Column
	for _, c := range cols {
		t := value.String
		if c.Type != "" {
			ty, ok := value.ParseType(c.Type)
			if !ok {
				b.unknownType(c, c.Type)
			}
			t = ty
		}
		if rel.Index(out, c.Name.Name) >= 0 {
			b.errorf(DuplicateColumn, c, "", "the column %s comes twice", c.Name.Name)
			continue
		}
		out = append(out, rel.Column{Name: c.Name.Name, Type: t})
	}
	return out
}
