package syntax

import (
	"strings"
)

// Format gives the canonical text of a tree: an operator a line, four spaces of indentation, lines of about a
// hundred columns, one spelling of names and spaces. Comments are kept, and single empty lines between
// statements. What it gives for a tree without errors parses to an equal tree, and formatting it again changes
// nothing. Parts that could not be parsed are left out; callers format only what Parse gave no errors for.
func Format(f *File) string {
	p := &printer{comments: f.Comments, src: f.src}
	var kids []*doc
	for i, s := range f.Stmts {
		if i > 0 {
			kids = append(kids, text(";"))
			if p.blankBefore(s.Span().Start) {
				kids = append(kids, blank)
			} else {
				kids = append(kids, hard)
			}
		}
		kids = append(kids, p.comment(s.Span().Start), p.stmt(s))
	}
	if len(f.Stmts) > 0 {
		if _, ok := f.Stmts[len(f.Stmts)-1].(*Query); !ok {
			kids = append(kids, text(";"))
		}
	}
	kids = append(kids, p.comment(f.At.End+1))
	l := &layout{}
	l.doc(cat(kids...), 0, false)
	if l.begun {
		l.out.WriteByte('\n')
	}
	return l.out.String()
}

// printer makes docs of nodes, in the order of the source, so that comments fall where they stood.
type printer struct {
	comments []Comment // that are still to come
	src      string
}

// comment gives the comments before pos.
func (p *printer) comment(pos int) *doc {
	if len(p.comments) == 0 || p.comments[0].At.Start >= pos {
		return none
	}
	var kids []*doc
	for len(p.comments) > 0 && p.comments[0].At.Start < pos {
		c := p.comments[0]
		p.comments = p.comments[1:]
		kind := docTrail
		if c.Own {
			kind = docComment
			if p.blankBefore(c.At.Start) {
				kind = docSpaced
			}
		}
		kids = append(kids, &doc{kind: kind, text: c.Text, hard: true})
	}
	return cat(kids...)
}

// blankBefore reports whether an empty line stands before what begins at pos.
func (p *printer) blankBefore(pos int) bool {
	if pos > len(p.src) {
		return false
	}
	before := p.src[:pos]
	trimmed := strings.TrimRightFunc(before, isSpace)
	if trimmed == "" {
		return false
	}
	gap := strings.ReplaceAll(before[len(trimmed):], "\r\n", "\n")
	return strings.Count(gap, "\n")+strings.Count(gap, "\r") >= 2
}

func (p *printer) stmt(s Stmt) *doc {
	switch s := s.(type) {
	case *Let:
		return cat(text("let "), p.ident(s.Name), text(" = "), p.value(s.Value))
	case *QueryParams:
		return cat(text("declare query_parameters"), p.parameters(s.Params, s.At.End))
	case *Pattern:
		return p.pattern(s)
	case *Set:
		d := cat(text("set "), p.ident(s.Name))
		if s.Value != nil {
			d = cat(d, text(" = "), p.expr(s.Value))
		}
		return d
	case *Alias:
		return cat(text("alias database "), p.ident(s.Name), text(" = "), p.expr(s.Value))
	case *Query:
		return p.pipeline(s.Body, hard)
	}
	return none
}

// value gives what a let holds: a pipeline is indented.
func (p *printer) value(e Expr) *doc {
	if pl, ok := e.(*Pipeline); ok {
		return cat(p.comment(pl.At.Start), group(indent(p.pipeline(pl, line))))
	}
	return p.expr(e)
}

// pipeline gives a pipeline with sep before each pipe.
func (p *printer) pipeline(pl *Pipeline, sep *doc) *doc {
	kids := make([]*doc, 0, 3*len(pl.Ops)+1)
	if pl.Source != nil {
		kids = append(kids, p.source(pl.Source))
	}
	for i, o := range pl.Ops {
		c := p.comment(o.Span().Start)
		switch {
		case i > 0 || pl.Source != nil:
			kids = append(kids, sep, c, text("| "))
		default:
			kids = append(kids, c)
		}
		kids = append(kids, p.op(o))
	}
	return cat(kids...)
}

func (p *printer) source(s Source) *doc {
	switch s := s.(type) {
	case Operator:
		return cat(p.comment(s.Span().Start), p.op(s))
	case Expr:
		return p.expr(s)
	}
	return none
}

func (p *printer) op(o Operator) *doc {
	d := o.format(p)
	if d.size == 0 && !d.hard {
		return text(o.Keyword())
	}
	return cat(text(o.Keyword()+" "), d)
}

func (p *printer) ident(id Ident) *doc {
	return cat(p.comment(id.At.Start), text(identText(id)))
}

// list gives docs with commas and lines between them, to be put in a group.
func list(items []*doc) *doc {
	kids := make([]*doc, 0, 3*len(items))
	for i, d := range items {
		if i > 0 {
			kids = append(kids, text(","), line)
		}
		kids = append(kids, d)
	}
	return cat(kids...)
}

// enclosed gives items in brackets; end is the source's place behind the closing one.
func (p *printer) enclosed(open, closing string, items []*doc, end int) *doc {
	c := p.comment(end)
	if len(items) == 0 && !c.hard {
		return text(open + closing)
	}
	return group(text(open), indent(soft, list(items), c), soft, text(closing))
}

// items gives the rest of an operator: what is listed stands behind the keyword, or indented below it.
func items(ds []*doc) *doc {
	if len(ds) == 1 {
		return ds[0]
	}
	return group(indent(soft, list(ds)))
}

func (p *printer) exprs(es []Expr) []*doc {
	ds := make([]*doc, len(es))
	for i, e := range es {
		ds[i] = p.expr(e)
	}
	return ds
}

func (p *printer) nameds(ns []*NamedExpr) []*doc {
	ds := make([]*doc, len(ns))
	for i, n := range ns {
		ds[i] = p.named(n)
	}
	return ds
}

func (p *printer) named(n *NamedExpr) *doc {
	c := p.comment(n.At.Start)
	if len(n.Names) == 0 {
		return cat(c, p.expr(n.Value))
	}
	names := make([]*doc, len(n.Names))
	for i, id := range n.Names {
		names[i] = p.ident(id)
	}
	head := names[0]
	if n.Tuple {
		head = group(text("("), indent(soft, list(names)), soft, text(")"))
	}
	return cat(c, head, text(" = "), p.expr(n.Value))
}

func (p *printer) columns(cs []*ColumnDecl) []*doc {
	ds := make([]*doc, len(cs))
	for i, c := range cs {
		ds[i] = p.column(c)
	}
	return ds
}

func (p *printer) column(c *ColumnDecl) *doc {
	d := cat(p.comment(c.At.Start), text(identText(c.Name)))
	if c.Type != "" {
		d = cat(d, text(":"+c.Type))
	}
	return d
}

func (p *printer) schema(s *Schema) *doc {
	var ds []*doc
	if s.Star {
		ds = append(ds, text("*"))
	}
	return p.enclosed("(", ")", append(ds, p.columns(s.Columns)...), s.At.End)
}

func (p *printer) parameters(ps []*Parameter, end int) *doc {
	ds := make([]*doc, len(ps))
	for i, q := range ps {
		d := cat(p.comment(q.At.Start), text(identText(q.Name)+":"))
		switch {
		case q.Table && len(q.Columns) == 0:
			d = cat(d, text("(*)"))
		case q.Table:
			d = cat(d, p.enclosed("(", ")", p.columns(q.Columns), q.At.Start))
		default:
			d = cat(d, text(q.Type))
		}
		if q.Default != nil {
			d = cat(d, text(" = "), p.expr(q.Default))
		}
		ds[i] = d
	}
	return p.enclosed("(", ")", ds, end)
}

// params gives name=value pairs, each with a space behind it.
func (p *printer) params(ps Params) *doc {
	kids := make([]*doc, 0, 2*len(ps))
	for _, q := range ps {
		kids = append(kids, p.param(q), text(" "))
	}
	return cat(kids...)
}

func (p *printer) param(q *Param) *doc {
	d := cat(p.comment(q.At.Start), text(paramName(q.Name)+"="), p.expr(q.Value))
	for _, m := range q.More {
		d = cat(d, text(", "), p.expr(m))
	}
	return d
}

// paramName gives a parameter's name, such as hint.strategy, as it has to be written.
func paramName(s string) string {
	for part := range strings.SplitSeq(s, ".") {
		if !isPlainName(part) {
			return nameText(s, true)
		}
	}
	return s
}

// properties gives (name=value, …).
func (p *printer) properties(ps Params, end int) *doc {
	ds := make([]*doc, len(ps))
	for i, q := range ps {
		ds[i] = p.param(q)
	}
	return p.enclosed("(", ")", ds, end)
}

func (p *printer) order(o *Order) *doc {
	d := p.named(o.Value)
	if s := o.Dir.String(); s != "" {
		d = cat(d, text(" "+s))
	}
	if s := o.Nulls.String(); s != "" {
		d = cat(d, text(" "+s))
	}
	return d
}

func (p *printer) orders(os []*Order) []*doc {
	ds := make([]*doc, len(os))
	for i, o := range os {
		ds[i] = p.order(o)
	}
	return ds
}

// body gives ( operators ), as mv-apply and fork have them.
func (p *printer) body(pl *Pipeline, end int) *doc {
	d := p.pipeline(pl, line)
	return group(text("("), indent(soft, d, p.comment(end)), soft, text(")"))
}

// expr gives an expression with the comments before it.
func (p *printer) expr(e Expr) *doc {
	c := p.comment(e.Span().Start)
	d := p.bare(e)
	if c == none {
		return d
	}
	return cat(c, d)
}

func (p *printer) bare(e Expr) *doc {
	switch e := e.(type) {
	case *Name:
		return text(nameText(e.Name, e.Quoted))
	case *Wildcard:
		if e.Scope != nil {
			return cat(p.expr(e.Scope), text("."+e.Pattern))
		}
		return text(e.Pattern)
	case *Star:
		return text("*")
	case *Literal:
		return text(e.Raw)
	case *StringLit:
		kids := make([]*doc, 0, 2*len(e.Parts))
		for i, part := range e.Parts {
			if i > 0 {
				kids = append(kids, line, p.comment(part.At.Start))
			}
			kids = append(kids, text(part.Raw))
		}
		if len(kids) == 1 {
			return kids[0]
		}
		return group(indent(kids...))
	case *DynamicLit:
		return cat(text("dynamic("), p.expr(e.Value), p.comment(e.At.End), text(")"))
	case *JSONArray:
		return p.enclosed("[", "]", p.exprs(e.Items), e.At.End)
	case *JSONObject:
		ds := make([]*doc, len(e.Fields))
		for i, f := range e.Fields {
			ds[i] = cat(p.expr(f.Key), text(": "), p.expr(f.Value))
		}
		return p.enclosed("{", "}", ds, e.At.End)
	case *Member:
		return cat(p.expr(e.X), text("."), p.ident(e.Name))
	case *Index:
		return cat(p.expr(e.X), text("["), indent(p.expr(e.Index), p.comment(e.At.End)), text("]"))
	case *Call:
		return cat(p.expr(e.Func), p.arguments(e.Args, e.At.End))
	case *Unary:
		return cat(text(e.Op.String()), p.expr(e.X))
	case *Binary:
		return p.binary(e, true)
	case *Membership:
		x, c := p.expr(e.X), p.comment(e.OpAt.Start)
		return cat(x, text(" "), c, text(e.Op.String()+" "), p.enclosed("(", ")", p.exprs(e.List), e.At.End))
	case *Between:
		word := "between"
		if e.Not {
			word = "!between"
		}
		x, c := p.expr(e.X), p.comment(e.OpAt.Start)
		return cat(x, text(" "), c, text(word+" ("), p.expr(e.Low), text(" .. "), p.expr(e.High), p.comment(e.At.End), text(")"))
	case *Paren:
		return group(text("("), indent(soft, p.inner(e.X), p.comment(e.At.End)), soft, text(")"))
	case *TypeOf:
		if e.Schema != nil {
			return cat(text("typeof"), p.schema(e.Schema))
		}
		return text("typeof(" + e.Type + ")")
	case *FuncLit:
		return p.function(e)
	case *Placeholder:
		return text("{{" + e.Name + "}}")
	case *Pipeline:
		return group(p.pipeline(e, line))
	case *Datatable:
		return p.datatable(e)
	case *ExternalData:
		return p.externalData(e)
	case *TypedColumn:
		return p.column(&e.Column)
	}
	return none
}

// inner gives what stands in brackets of its own: a pipeline breaks with them.
func (p *printer) inner(e Expr) *doc {
	switch e := e.(type) {
	case *Pipeline:
		return cat(p.comment(e.At.Start), p.pipeline(e, line))
	case *Binary:
		return cat(p.comment(e.At.Start), p.binary(e, false))
	}
	return p.expr(e)
}

func (p *printer) arguments(args []*NamedExpr, end int) *doc {
	if len(args) == 1 && len(args[0].Names) == 0 {
		// One argument keeps to its brackets: f(g(x)).
		c := p.comment(args[0].At.Start)
		_, piped := args[0].Value.(*Pipeline)
		d := p.inner(args[0].Value)
		if e := p.comment(end); !piped && !c.hard && !e.hard {
			return cat(text("("), d, text(")"))
		} else {
			return group(text("("), indent(soft, c, d, e), soft, text(")"))
		}
	}
	return p.enclosed("(", ")", p.nameds(args), end)
}

// binary gives a chain of operators that bind alike, its further lines indented if deeper. It walks down the left side
// without recursion, as the chain may be long.
func (p *printer) binary(e *Binary, deeper bool) *doc {
	var chain []*Binary
	x := Expr(e)
	for {
		b, ok := x.(*Binary)
		if !ok || b.Op.Precedence() != e.Op.Precedence() {
			break
		}
		chain = append(chain, b)
		x = b.X
	}
	kids := []*doc{p.expr(x)}
	for i := len(chain) - 1; i >= 0; i-- {
		b := chain[i]
		word := b.Op.String()
		if b.Alias != "" {
			word = b.Alias
		}
		if b.Op == Matches {
			kids = append(kids, p.comment(b.OpAt.Start), text(word), p.expr(b.Y))
			continue
		}
		kids = append(kids, line, p.comment(b.OpAt.Start), text(word+" "), p.expr(b.Y))
	}
	if !deeper {
		return group(kids...)
	}
	return group(kids[0], indent(kids[1:]...))
}

func (p *printer) function(f *FuncLit) *doc {
	head := none
	if f.View {
		head = text("view ")
	}
	return cat(head, p.parameters(f.Params, f.Body.At.Start), text(" "), p.block(f.Body))
}

func (p *printer) block(b *Block) *doc {
	var kids []*doc
	for _, s := range b.Stmts {
		kids = append(kids, hard, p.comment(s.Span().Start), p.stmt(s), text(";"))
	}
	kids = append(kids, hard, p.comment(b.Result.Span().Start))
	if pl, ok := b.Result.(*Pipeline); ok {
		kids = append(kids, p.pipeline(pl, hard))
	} else {
		kids = append(kids, p.expr(b.Result))
	}
	kids = append(kids, p.comment(b.At.End))
	return cat(text("{"), indent(kids...), hard, text("}"))
}

func (p *printer) pattern(s *Pattern) *doc {
	d := cat(text("declare pattern "), p.ident(s.Name))
	if s.Params == nil && len(s.Arms) == 0 {
		return d
	}
	d = cat(d, text(" = "), p.parameters(s.Params, s.At.Start))
	if q := s.Path; q != nil {
		d = cat(d, p.enclosed("[", "]", []*doc{cat(p.comment(q.At.Start), text(identText(q.Name)+":"+q.Type))}, q.At.End))
	}
	var kids []*doc
	for _, a := range s.Arms {
		args := make([]*doc, len(a.Args))
		for i, x := range a.Args {
			args[i] = p.expr(x)
		}
		kids = append(kids, hard, p.comment(a.At.Start), p.enclosed("(", ")", args, endOf(a.Args, a.At.Start)))
		if a.Path != nil {
			kids = append(kids, text(".["), p.expr(a.Path), text("]"))
		}
		kids = append(kids, text(" = "), p.block(a.Body), text(";"))
	}
	kids = append(kids, p.comment(s.At.End))
	return cat(d, text(" {"), indent(kids...), hard, text("}"))
}

// endOf gives where a list of nodes ends, or end if it is empty.
func endOf[T Node](nodes []T, end int) int {
	if len(nodes) == 0 {
		return end
	}
	return nodes[len(nodes)-1].Span().End
}

// closed gives the place behind the bracket that closes a list, of which the last item ends at pos.
func (p *printer) closed(pos int) int {
	if pos == 0 {
		return pos
	}
	at := skipBlank(p.src, pos)
	if at < len(p.src) && p.src[at] == ',' {
		at = skipBlank(p.src, at+1)
	}
	if at < len(p.src) && strings.IndexByte(")]}", p.src[at]) >= 0 {
		return at + 1
	}
	return pos
}

// clause gives " word rest", where the rest may go on in the next line.
func clause(word string, rest *doc) *doc { return cat(line, text(word+" "), rest) }
