package bind

import (
	"slices"
	"strings"

	"glassward/kql/syntax"
)

// pattern is a declared pattern: texts in parentheses, and perhaps one behind them, that stand for a table.
type pattern struct {
	decl  *syntax.Pattern
	scope *scope
	arms  [][]string // the texts of each arm, with that of the path last
}

func (b *binder) declarePattern(s *syntax.Pattern, sc *scope) {
	p := &pattern{decl: s, scope: sc}
	for _, a := range s.Arms {
		var texts []string
		all := slices.Clone(a.Args)
		if a.Path != nil {
			all = append(all, a.Path)
		}
		for _, x := range all {
			text, ok := b.constantText(x, sc)
			if !ok {
				b.errorf(NotConstant, x, "write it as a literal text", "what a pattern stands for is not known when the query is compiled")
			}
			texts = append(texts, text)
		}
		if len(a.Args) != len(s.Params) || (a.Path == nil) != (s.Path == nil) {
			b.errorf(WrongArguments, a, "", "the pattern %s has other parameters", s.Name.Name)
		}
		p.arms = append(p.arms, texts)
	}
	b.patterns[s.Name.Name] = p
}

// patternPath binds name("a").path and name("a")["path"], where name is a pattern; nil if it is something else.
func (b *binder) patternPath(e syntax.Expr, sc *scope) *binding {
	var head, path syntax.Expr
	switch e := e.(type) {
	case *syntax.Member:
		head, path = e.X, &syntax.StringLit{Base: e.Name.Base, Value: e.Name.Name}
	case *syntax.Index:
		head, path = e.X, e.Index
	}
	c, ok := head.(*syntax.Call)
	if !ok {
		return nil
	}
	n, ok := c.Func.(*syntax.Name)
	if !ok || b.patterns[n.Name] == nil || sc.find(n.Name) != nil {
		return nil
	}
	return b.callPattern(b.patterns[n.Name], c, path, &env{sc: sc}, e)
}

// callPattern gives what a pattern stands for with these texts.
func (b *binder) callPattern(p *pattern, c *syntax.Call, path syntax.Expr, en *env, at syntax.Node) *binding {
	args, params := slices.Clone(c.Args), slices.Clone(p.decl.Params)
	if path != nil {
		args = append(args, &syntax.NamedExpr{Base: syntax.Base{At: path.Span()}, Value: path})
	}
	if p.decl.Path != nil {
		params = append(params, p.decl.Path)
	}
	texts := make([]string, len(args))
	for i, a := range args {
		text, ok := b.constantText(a.Value, en.sc)
		if !ok {
			b.errorf(NotConstant, a, "write it as a literal text", "what a pattern stands for is not known when the query is compiled")
			return &binding{table: openTable()}
		}
		texts[i] = text
	}
	i := slices.IndexFunc(p.arms, func(arm []string) bool { return slices.Equal(arm, texts) })
	if i < 0 {
		all := make([]string, len(p.arms))
		for i, arm := range p.arms {
			all[i] = p.text(arm)
		}
		hint := ""
		if len(all) > 0 {
			hint = "there are: " + strings.Join(all, ", ")
		}
		b.errorf(UnknownName, at, hint, "the pattern %s does not say what %s stands for", p.decl.Name.Name, p.text(texts))
		return &binding{table: openTable()}
	}
	f := &binding{fn: &syntax.FuncLit{Base: p.decl.Arms[i].Base, Params: params, Body: p.decl.Arms[i].Body}, scope: p.scope}
	return b.callUser(f, p.decl.Name.Name, args, en, at)
}

// text shows the texts of a call of the pattern.
func (p *pattern) text(texts []string) string {
	n := len(texts)
	if p.decl.Params != nil {
		n = min(n, len(p.decl.Params))
	}
	s := p.decl.Name.Name + `("` + strings.Join(texts[:n], `", "`) + `")`
	for _, path := range texts[n:] {
		s += `["` + path + `"]`
	}
	return s
}
