package bind

import (
	"maps"
	"strings"

	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// macro binds a plugin that is written in KQL. Its text is ours; what the query gives it stands for names:
// tables and values that are bound already. It sees none of the query's own names.
func (p *plugin) macro(text string, tables map[string]*table, values map[string]rel.Expr) *table {
	sc := newScope(nil)
	sc.depth = p.sc.depth + 1
	for name, t := range tables {
		sc.names[name] = &binding{table: t}
	}
	for name, x := range values {
		sc.names[name] = &binding{scalar: x}
	}
	file, mistakes := syntax.Parse(text)
	// Places within the text are none of the query: all that is made stands for the call.
	diags, places := p.diags, p.places
	ours := p.ours
	p.diags, p.places, p.ours = nil, map[rel.Rel]diag.Span{}, true
	var last *table
	for _, s := range file.Stmts {
		if t := p.statement(s, sc); t != nil {
			last = t
		}
	}
	made := p.places
	mistakes = append(mistakes, p.diags...)
	p.diags, p.places, p.ours = diags, places, ours
	for n := range maps.Keys(made) {
		p.places[n] = p.call.Span()
	}
	for _, d := range mistakes {
		if d.Severity == diag.Error {
			p.wrong(p.call, "its form is "+p.f.Signature(), "the arguments of %s do not fit together: %s", p.f.Name, d.Message)
			return nil
		}
	}
	return last
}

// timeline is what the plugins have in common that look at who was active when.
type timeline struct {
	time   rel.Column // as the input has it
	t      value.Type // as it is computed with: an int counts as long
	dims   []rel.Column
	table  *table              // the input's columns as Id, Time, D0, D1, …
	values map[string]rel.Expr // the arguments by the names of the plugin's parameters
}

// timeline reads the arguments idAt (-1 if there is none) and timeAt as columns, the further ones as
// dimensions and all others as values of the timeline's type, its distances as distances.
func (p *plugin) timeline(idAt, timeAt int, rest []*syntax.NamedExpr, more ...rel.Item) *timeline {
	l := &timeline{values: map[string]rel.Expr{}}
	c, ok := p.column(timeAt)
	if !ok {
		return nil
	}
	l.time, l.t = c, c.Type
	if c.Type == value.Int {
		l.t = value.Long
	}
	if !c.Type.Numeric() && c.Type != value.DateTime && c.Type != value.TimeSpan {
		p.failed = true
		p.errorf(WrongType, p.args[timeAt], "", "found a column of type %s as the timeline of %s, a datetime or a number is needed", c.Type, p.f.Name)
		return nil
	}
	items := []rel.Item{{Name: "Time", Expr: p.cast(&rel.Col{Name: c.Name, T: c.Type}, l.t)}}
	if idAt >= 0 {
		id, ok := p.column(idAt)
		if !ok {
			return nil
		}
		var x rel.Expr = &rel.Col{Name: id.Name, T: id.Type}
		if id.Type == value.Dynamic {
			x = p.cast(x, value.String)
		}
		items = append(items, rel.Item{Name: "Id", Expr: x})
	}
	l.dims = p.dimensions(rest)
	for i, d := range l.dims {
		items = append(items, rel.Item{Name: dimension(i), Expr: &rel.Col{Name: d.Name, T: d.Type}})
	}
	items = append(items, more...)
	// Rows without a time stand in no bin.
	var r rel.Rel = &rel.Project{In: p.in.rel, Items: items}
	r = &rel.Filter{In: r, Cond: call("isnotnull", value.Bool, &rel.Col{Name: "Time", T: l.t})}
	l.table = p.in.with(r)
	if p.failed {
		return nil
	}
	return l
}

// points and distances read arguments as values on the timeline, or as lengths of it.
func (l *timeline) points(p *plugin, at ...int)    { l.read(p, l.t, at, false) }
func (l *timeline) distances(p *plugin, at ...int) { l.read(p, l.distance(), at, true) }

// distance is the type of a length of the timeline.
func (l *timeline) distance() value.Type {
	if l.t == value.DateTime {
		return value.TimeSpan
	}
	return l.t
}

func (l *timeline) read(p *plugin, t value.Type, at []int, length bool) {
	for _, i := range at {
		x := p.value(i)
		if x == nil || isUnknown(x) {
			continue
		}
		if x.Type() != t && !(x.Type().Numeric() && t.Numeric()) {
			p.failed = true
			p.errorf(WrongType, p.args[i], "", "found a value of type %s for %s of %s, %s is needed", x.Type(), p.f.Params[i].Name, p.f.Name, t)
			continue
		}
		x = p.cast(x, t)
		if c, ok := x.(*rel.Const); ok && length && !positive(c) {
			p.wrong(p.args[i], "", "%s of %s must be greater than zero", p.f.Params[i].Name, p.f.Name)
			continue
		}
		l.values[p.f.Params[i].Name] = x
	}
}

// positive says whether a length is one: bins of no length would never end.
func positive(c *rel.Const) bool {
	switch v := c.Value.(type) {
	case int64:
		return v > 0
	case float64:
		return v > 0
	case value.Dec:
		return v.Sign() > 0
	}
	return false
}

func dimension(i int) string { return "D" + string(rune('0'+i/10)) + string(rune('0'+i%10)) }

// text fills the marks of a macro: ⟨dims⟩ the names of the dimensions with a comma before each, ⟨on⟩ the same
// as conditions of a join, ⟨type⟩ the timeline's type.
func (l *timeline) text(text string) string {
	var dims strings.Builder
	for i := range l.dims {
		dims.WriteString(", " + dimension(i))
	}
	return strings.NewReplacer("⟨dims⟩", dims.String(), "⟨type⟩", l.t.String()).Replace(text)
}

// run binds the macro over the timeline and gives its columns: names are what the macro calls them and what
// the result does; dims stands for the dimensions.
func (l *timeline) run(p *plugin, text string, out ...[2]string) *table {
	if p.failed {
		return nil
	}
	if len(l.dims) > 100 {
		p.wrong(p.call, "", "%s takes at most 100 dimensions", p.f.Name)
		return nil
	}
	t := p.macro(l.text(text), map[string]*table{"T": l.table}, l.values)
	if t == nil {
		return nil
	}
	var items []rel.Item
	n := newNames(nil)
	add := func(from, to string, as value.Type) {
		i := rel.Index(t.cols(), from)
		if i < 0 {
			p.wrong(p.call, "its form is "+p.f.Signature(), "the arguments of %s do not fit together", p.f.Name)
			return
		}
		var x rel.Expr = &rel.Col{Name: from, T: t.cols()[i].Type}
		if as != value.Unknown {
			x = p.cast(x, as)
		}
		items = append(items, rel.Item{Name: n.fresh(to), Expr: x})
	}
	for _, o := range out {
		switch o[0] {
		case "dims":
			for i, d := range l.dims {
				add(dimension(i), d.Name, value.Unknown)
			}
		case "Time", "From", "To":
			add(o[0], o[1]+l.time.Name, l.time.Type)
		default:
			add(o[0], o[1], value.Unknown)
		}
	}
	return p.in.with(&rel.Project{In: t.rel, Items: items})
}
