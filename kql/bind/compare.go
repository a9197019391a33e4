package bind

import (
	"regexp"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// compare binds ==, !=, <, <=, > and >=.
func (b *binder) compare(e *syntax.Binary, x, y rel.Expr) rel.Expr {
	op := e.Op.String()
	cx, cy, ok := b.comparable(x, y)
	if ok && (e.Op == syntax.Equal || e.Op == syntax.NotEqual || ordered(x.Type(), y.Type())) {
		return call(op, value.Bool, cx, cy)
	}
	b.errorf(WrongType, e, compareHint(x, y, op), "found %s %s %s, which cannot be compared", x.Type(), op, y.Type())
	return unknown()
}

// compareHint says how two values are compared that cannot be compared as they are.
func compareHint(x, y rel.Expr, op string) string {
	const text = value.String
	xt, yt := x.Type(), y.Type()
	either := func(s, t value.Type) bool { return xt == s && yt == t || xt == t && yt == s }
	switch {
	case xt == value.Dynamic && yt == value.Dynamic:
		return "convert one of them, for example with tostring()"
	case xt == value.Dynamic && yt != text:
		return convertHint(xt, yt)
	case yt == value.Dynamic && xt != text:
		return convertHint(yt, xt)
	case xt == text && yt == text, either(text, value.Dynamic), either(text, value.GUID):
		return "for the order of texts write strcmp(x, y) " + op + " 0"
	case xt == value.DateTime && yt.Numeric(), xt.Numeric() && yt == value.DateTime:
		return "write a time as datetime(2026-01-31)"
	case xt == value.TimeSpan && yt.Numeric(), xt.Numeric() && yt == value.TimeSpan:
		return "a timespan has a unit: 1d, 12h, 30m"
	case literalHint(x, yt) != "":
		return literalHint(x, yt)
	case literalHint(y, xt) != "":
		return literalHint(y, xt)
	case either(text, value.DateTime):
		return "read the text with todatetime()"
	case either(text, value.TimeSpan):
		return "read the text with totimespan()"
	case boolAndText(x, y):
		return "read the text with tobool()"
	case xt == text && yt.Numeric(), xt.Numeric() && yt == text:
		return "read the text with tolong() or todouble()"
	}
	return ""
}

// ordered says whether values of two types may stand beside <, <=, > and >=. Texts, guids and truth values
// have no order, and neither has a dynamic value except beside a number.
func ordered(x, y value.Type) bool {
	switch {
	case x == value.String || x == value.GUID || y == value.String || y == value.GUID:
		return false
	case x == value.Dynamic:
		return y.Numeric()
	case y == value.Dynamic:
		return x.Numeric()
	}
	return true
}

// comparable gives two values the type in which they are compared, or says that there is none.
func (b *binder) comparable(x, y rel.Expr) (rel.Expr, rel.Expr, bool) {
	xt, yt := x.Type(), y.Type()
	switch {
	case xt == value.Dynamic && yt == value.Dynamic:
		// A constant that is a plain value compares as that value.
		if c, ok := y.(*rel.Const); ok {
			if p, ok := plain(c); ok {
				return b.comparable(x, p)
			}
		}
		if c, ok := x.(*rel.Const); ok {
			if p, ok := plain(c); ok {
				return b.comparable(p, y)
			}
		}
		return x, y, false
	case xt == yt:
		return x, y, true
	case xt.Numeric() && yt.Numeric():
		t := wider(xt, yt)
		return b.cast(x, t), b.cast(y, t), true
	case yt == value.Decimal && (xt == value.Dynamic || xt == value.String):
		return b.decimalOf(x), y, true
	case xt == value.Decimal && (yt == value.Dynamic || yt == value.String):
		return x, b.decimalOf(y), true
	case xt == value.Bool && yt == value.Decimal, xt == value.Decimal && yt == value.Bool:
		return b.cast(x, value.Decimal), b.cast(y, value.Decimal), true
	case xt == value.Dynamic:
		return b.undynamic(x, yt), b.numberAsReal(y), true
	case yt == value.Dynamic:
		return b.numberAsReal(x), b.undynamic(y, xt), true
	case xt == value.String && yt.Numeric():
		return b.textAsNumber(x), b.cast(y, value.Real), true
	case yt == value.String && xt.Numeric():
		return b.cast(x, value.Real), b.textAsNumber(y), true
	case xt == value.Bool && yt.Integer():
		return b.cast(x, value.Long), b.cast(y, value.Long), true
	case yt == value.Bool && xt.Integer():
		return b.cast(x, value.Long), b.cast(y, value.Long), true
	case boolAndText(x, y):
		// Published queries compare so, IsAdminOperation == "true", and the type checker takes them. A text
		// that is no truth value equals neither.
		return b.convert("tobool", x), b.convert("tobool", y), true
	case xt == value.GUID && yt == value.String:
		return b.guidText(x), lowered(y), true
	case yt == value.GUID && xt == value.String:
		return lowered(x), b.guidText(y), true
	}
	return x, y, false
}

func boolAndText(x, y rel.Expr) bool {
	return x.Type() == value.Bool && y.Type() == value.String || x.Type() == value.String && y.Type() == value.Bool
}

// plain gives a constant of type dynamic that is a text, number or truth value as that.
func plain(c *rel.Const) (rel.Expr, bool) {
	text, _ := c.Value.(string)
	v, ok := value.ParseJSON(text)
	if !ok {
		return nil, false
	}
	switch v := v.(type) {
	case string:
		return rel.Str(v), true
	case bool:
		return rel.Bool(v), true
	case int64:
		return rel.Long(v), true
	case float64:
		return &rel.Const{Value: v, T: value.Real}, true
	}
	return nil, false
}

// textAsNumber reads a text as a number; what is none is null, which equals nothing.
func (b *binder) textAsNumber(x rel.Expr) rel.Expr {
	if c, ok := x.(*rel.Const); ok {
		if f, ok := parseReal(strings.TrimSpace(c.Value.(string))); ok {
			return &rel.Const{Value: f, T: value.Real}
		}
		return rel.Null(value.Real)
	}
	return call("toreal", value.Real, x)
}

// decimalOf reads a text or a dynamic value as a decimal; what is none is null, which equals nothing.
func (b *binder) decimalOf(x rel.Expr) rel.Expr {
	if c, ok := x.(*rel.Const); ok && c.T == value.String {
		if d, ok := value.ParseDec(c.Value.(string)); ok {
			return &rel.Const{Value: d, T: value.Decimal}
		}
		return rel.Null(value.Decimal)
	}
	return call("todecimal", value.Decimal, x)
}

// undynamic takes a value of a type out of a dynamic one, null if it holds none.
func (b *binder) undynamic(x rel.Expr, t value.Type) rel.Expr {
	switch t {
	case value.Int, value.Long:
		t = value.Real
	case value.String:
		return call("dynamic_text", value.String, x)
	case value.GUID:
		return call("toguid", value.GUID, x)
	}
	return b.cast(x, t)
}

func (b *binder) numberAsReal(x rel.Expr) rel.Expr {
	if x.Type().Numeric() {
		return b.cast(x, value.Real)
	}
	return x
}

func (b *binder) guidText(x rel.Expr) rel.Expr { return b.cast(x, value.String) }

func lowered(x rel.Expr) rel.Expr {
	if c, ok := x.(*rel.Const); ok {
		return rel.Str(strings.ToLower(c.Value.(string)))
	}
	return call("tolower", value.String, x)
}

// membership binds in, !in, in~, !in~, has_any and has_all.
func (b *binder) membership(e *syntax.Membership, en *env) rel.Expr {
	x := b.expr(e.X, en)
	not := e.Op == syntax.NotIn || e.Op == syntax.NotInFold
	fold := e.Op == syntax.InFold || e.Op == syntax.NotInFold
	anyAll := e.Op == syntax.HasAny || e.Op == syntax.HasAll
	if len(e.List) == 1 && !anyAll {
		if t := b.listTable(e.List[0], en); t != nil {
			return b.inTable(e, x, t, fold, not)
		}
	}
	var consts, others []rel.Expr
	bad := isUnknown(x)
	for _, it := range e.List {
		var y rel.Expr
		if t := b.listTable(it, en); t != nil {
			if list, ok := b.constantList(t.rel); ok {
				consts = append(consts, list...)
				continue
			}
			if anyAll {
				if len(t.cols()) > 0 {
					y = call("toscalar", value.Dynamic, &rel.Scalar{Rel: b.listOf(t), T: value.Dynamic})
					others = append(others, y)
				}
				continue
			}
			b.errorf(WrongArguments, it, "let a table stand alone in the list", "a table stands among values")
			bad = true
			continue
		}
		y = b.expr(it, en)
		if isUnknown(y) {
			bad = true
			continue
		}
		if c, ok := y.(*rel.Const); ok && c.T == value.Dynamic {
			list, isList := elements(c)
			if isList {
				consts = append(consts, list...)
				continue
			}
			if p, ok := plain(c); ok {
				y = p
			}
		}
		if _, ok := y.(*rel.Const); ok {
			consts = append(consts, y)
		} else {
			others = append(others, y)
		}
	}
	if bad {
		return unknown()
	}
	if anyAll {
		return b.hasList(e, x, consts, others)
	}
	return b.inList(e, x, consts, others, fold, not)
}

// listTable gives the table that an item of a list is, or nil if it is a value.
func (b *binder) listTable(e syntax.Expr, en *env) *table {
	switch x := e.(type) {
	case *syntax.Paren:
		return b.listTable(x.X, en)
	case *syntax.Pipeline:
		if len(x.Ops) == 0 {
			if s, ok := x.Source.(syntax.Expr); ok {
				return b.listTable(s, en)
			}
		}
		return b.pipeline(x, nil, en.sc)
	case *syntax.Name:
		if rel.Index(en.cols, x.Name) >= 0 {
			return nil
		}
		if f := en.sc.find(x.Name); f != nil {
			if f.fn != nil && len(f.fn.Params) == 0 {
				if r := b.callUser(f, x.Name, nil, en, x); r != nil {
					return r.table
				}
			}
			return f.table
		}
		if t, ok := b.storedTable(x.Name); ok {
			return t
		}
	case *syntax.Call:
		if m, ok := x.Func.(*syntax.Member); ok {
			return b.elsewhereCall(m, x, en)
		}
		if n, ok := x.Func.(*syntax.Name); ok {
			if f := en.sc.find(n.Name); f != nil && f.fn != nil || isTableFunc(n.Name) {
				if r := b.anyCall(x, en); r != nil {
					if r.table == nil && r.scalar != nil {
						return nil
					}
					return r.table
				}
			}
		}
	case *syntax.Datatable, *syntax.ExternalData:
		return b.tableExpr(e, en.sc)
	case *syntax.Member:
		return b.elsewhere(x)
	}
	return nil
}

func isTableFunc(name string) bool {
	return name == "_GetWatchlist" || name == "table" || name == "materialize"
}

func elements(c *rel.Const) ([]rel.Expr, bool) {
	text, _ := c.Value.(string)
	v, _ := value.ParseJSON(text)
	list, ok := v.([]any)
	if !ok {
		return nil, c.Value == nil
	}
	var out []rel.Expr
	for _, e := range list {
		out = append(out, constOf(e))
	}
	return out, true
}

// constOf gives a JSON value as a constant of its own type.
func constOf(v any) rel.Expr {
	switch v := v.(type) {
	case nil:
		return rel.Null(value.Dynamic)
	case string:
		return rel.Str(v)
	case bool:
		return rel.Bool(v)
	case int64:
		return rel.Long(v)
	case float64:
		return &rel.Const{Value: v, T: value.Real}
	}
	return &rel.Const{Value: value.JSON(v), T: value.Dynamic}
}

// constantList gives the values of the first column of a table of constants. The rows of a partition are none: each
// partition has others.
func (b *binder) constantList(r rel.Rel) ([]rel.Expr, bool) {
	if b.parts[r] {
		return nil, false
	}
	switch r := r.(type) {
	case *rel.Shared:
		return b.constantList(r.In)
	case *rel.Values:
		if len(r.Cols) == 0 {
			return nil, false
		}
		out := []rel.Expr{}
		for _, row := range r.Rows {
			c, ok := row[0].(*rel.Const)
			if !ok {
				return nil, false
			}
			out = append(out, c)
		}
		return out, true
	case *rel.Aggregate:
		if len(r.Aggs) > 0 || len(r.Keys) != 1 {
			return nil, false
		}
		return b.constantColumn(r.In, r.Keys[0].Expr)
	case *rel.Project:
		if len(r.Items) == 0 {
			return nil, false
		}
		return b.constantColumn(r.In, r.Items[0].Expr)
	}
	return nil, false
}

func (b *binder) constantColumn(in rel.Rel, e rel.Expr) ([]rel.Expr, bool) {
	if s, ok := in.(*rel.Shared); ok {
		in = s.In
	}
	if b.parts[in] {
		return nil, false
	}
	v, ok := in.(*rel.Values)
	if !ok {
		if p, isProject := in.(*rel.Project); isProject {
			if c, isCol := e.(*rel.Col); isCol {
				if i := rel.Index(p.Columns(), c.Name); i >= 0 {
					return b.constantColumn(p.In, p.Items[i].Expr)
				}
			}
		}
		return nil, false
	}
	out := []rel.Expr{}
	for _, row := range v.Rows {
		c := constantOf(e, v.Cols, row)
		if c == nil {
			return nil, false
		}
		out = append(out, c)
	}
	return out, true
}

// constantOf computes what little is computed when compiling: a column of constants, and its text or
// its text in lower case.
func constantOf(e rel.Expr, cols []rel.Column, row []rel.Expr) *rel.Const {
	switch e := e.(type) {
	case *rel.Const:
		return e
	case *rel.Col:
		if i := rel.Index(cols, e.Name); i >= 0 {
			c, _ := row[i].(*rel.Const)
			return c
		}
	case *rel.Call:
		if len(e.Args) != 1 {
			return nil
		}
		c := constantOf(e.Args[0], cols, row)
		if c == nil || c.T != value.String {
			return nil
		}
		switch e.Func {
		case "tostring":
			return c
		case "tolower":
			return rel.Str(strings.ToLower(c.Value.(string)))
		}
	}
	return nil
}

func (b *binder) inTable(e *syntax.Membership, x rel.Expr, t *table, fold, not bool) rel.Expr {
	if isUnknown(x) || t.open {
		return unknown()
	}
	if len(t.cols()) == 0 {
		b.errorf(WrongArguments, e.List[0], "", "the table has no columns")
		return unknown()
	}
	if list, ok := b.constantList(t.rel); ok && len(list) <= 10000 {
		return b.inList(e, x, list, nil, fold, not)
	}
	first := t.cols()[0]
	var col rel.Expr = &rel.Col{Name: first.Name, T: first.Type}
	if x.Type() == value.Dynamic && first.Type == value.Dynamic {
		x = call("tostring", value.String, x)
	}
	if first.Type == value.Dynamic {
		// A column of type dynamic may hold lists; their elements count.
		x2 := b.cast(x, value.String)
		flat := &rel.Expand{In: &rel.Project{In: t.rel, Items: []rel.Item{{Name: first.Name, Expr: col}}}, Items: []rel.ExpandItem{{Name: first.Name, Expr: col, T: value.String}}}
		return &rel.InTable{X: x2, Rel: flat, Fold: fold, Not: not}
	}
	lx, ly, ok := b.comparable(x, col)
	if !ok {
		b.errorf(WrongType, e, "", "found %s in a list of %s, which cannot be compared", x.Type(), first.Type)
		return unknown()
	}
	return &rel.InTable{X: lx, Rel: &rel.Project{In: t.rel, Items: []rel.Item{{Name: first.Name, Expr: ly}}}, Fold: fold, Not: not}
}

// inList binds membership in a list. Items are grouped by the type in which they compare with x.
func (b *binder) inList(e *syntax.Membership, x rel.Expr, consts, others []rel.Expr, fold, not bool) rel.Expr {
	op := "in"
	if fold {
		op = "in~"
		if x.Type() != value.String {
			if x.Type() != value.Dynamic {
				b.errorf(WrongType, e.X, "use in, or convert it with tostring()", "found a value of type %s beside in~, a string is needed", x.Type())
				return unknown()
			}
			x = call("tostring", value.String, x)
		}
	}
	type group struct {
		x    rel.Expr
		list []rel.Expr
	}
	var groups []*group
	find := func(x rel.Expr) *group {
		for _, g := range groups {
			if g.x.Type() == x.Type() {
				return g
			}
		}
		g := &group{x: x}
		groups = append(groups, g)
		return g
	}
	for _, c := range append(consts, others...) {
		k, isConst := c.(*rel.Const)
		if isConst && (k.Value == nil || k.T == value.Dynamic) {
			continue // equal to nothing
		}
		if c.Type() == value.Dynamic {
			g := &group{x: b.cast(x, value.String), list: []rel.Expr{c}}
			groups = append(groups, g)
			continue
		}
		if fold {
			c = b.convert("tostring", c)
		}
		lx, ly, ok := b.comparable(x, c)
		if !ok {
			b.errorf(WrongType, e, literalHint(c, x.Type()), "found %s in a list with %s, which cannot be compared", x.Type(), c.Type())
			return unknown()
		}
		if isNumberText(x, c, ly) {
			continue
		}
		g := find(lx)
		g.list = append(g.list, ly)
	}
	var any []rel.Expr
	for _, g := range groups {
		if len(g.list) == 1 && g.list[0].Type() == value.Dynamic {
			any = append(any, call("in_dynamic", value.Bool, g.x, g.list[0], rel.Bool(fold)))
			continue
		}
		any = append(any, call(op, value.Bool, append([]rel.Expr{g.x}, g.list...)...))
	}
	var r rel.Expr
	switch len(any) {
	case 0:
		r = rel.Bool(false)
	case 1:
		r = any[0]
	default:
		r = call("or", value.Bool, any...)
	}
	if not {
		r = call("not", value.Bool, r)
	}
	return r
}

// isNumberText says that a text which is no number was compared with a number.
func isNumberText(x, c, converted rel.Expr) bool {
	k, ok := converted.(*rel.Const)
	return ok && k.Value == nil && c.Type() == value.String && x.Type().Numeric()
}

func (b *binder) hasList(e *syntax.Membership, x rel.Expr, consts, others []rel.Expr) rel.Expr {
	op := e.Op.String()
	switch x.Type() {
	case value.String:
	case value.Dynamic:
		x = call("tostring", value.String, x)
	default:
		b.errorf(WrongType, e.X, "convert it with tostring()", "found a value of type %s beside %s, a string is needed", x.Type(), op)
		return unknown()
	}
	var parts []rel.Expr
	terms := make([]rel.Expr, 0, len(consts))
	for _, c := range consts {
		terms = append(terms, b.cast(c, value.String))
	}
	if e.Op == syntax.HasAny && len(terms) > 1 {
		parts = append(parts, call("has_any", value.Bool, append([]rel.Expr{x}, terms...)...))
	} else {
		for _, t := range terms {
			parts = append(parts, call("has", value.Bool, x, t))
		}
	}
	for _, o := range others {
		if o.Type() == value.Dynamic {
			parts = append(parts, call("has_list", value.Bool, x, o, rel.Bool(e.Op == syntax.HasAll)))
		} else {
			parts = append(parts, call("has", value.Bool, x, b.cast(o, value.String)))
		}
	}
	join := "or"
	if e.Op == syntax.HasAll {
		join = "and"
	}
	switch len(parts) {
	case 0:
		return rel.Bool(e.Op == syntax.HasAll)
	case 1:
		return parts[0]
	}
	return call(join, value.Bool, parts...)
}

// listOf makes one array of a table's first column.
func (b *binder) listOf(t *table) rel.Rel {
	c := t.cols()[0]
	x := rel.Expr(&rel.Col{Name: c.Name, T: c.Type})
	return &rel.Aggregate{In: t.rel, Aggs: []rel.Item{{Name: c.Name, Expr: call("make_set", value.Dynamic, x)}}}
}

// regexError gives why a regular expression cannot be read, or "". The engine's expressions are RE2's,
// as Kusto's are.
func regexError(s string) string {
	if len(s) > 10000 {
		return "it is longer than 10000 characters"
	}
	if _, err := regexp.Compile(s); err != nil {
		return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	}
	return ""
}
