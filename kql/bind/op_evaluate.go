package bind

import (
	"slices"
	"strings"

	"glassward/kql/builtin"
	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// evaluate applies a plugin. Its hints tell Kusto where to run and have no meaning here.
func (b *binder) evaluate(o *syntax.Evaluate, in *table, sc *scope) *table {
	if o.Call == nil {
		return openTable()
	}
	n, ok := o.Call.Func.(*syntax.Name)
	if !ok {
		return openTable()
	}
	f, ok := builtin.Lookup(builtin.Plugin, n.Name)
	if !ok {
		hint := ""
		if near := diag.Nearest(n.Name, builtin.Names(builtin.Plugin)); near != "" {
			hint = "did you mean " + near + "?"
		}
		b.errorf(UnknownFunction, n, hint, "there is no plugin %s", n.Name)
		return openTable()
	}
	if f.Unsupported != "" {
		b.unsupported(o.Call, f.Unsupported)
		return openTable()
	}
	if !b.argCount(f, o.Call) {
		return openTable()
	}
	if in.open && len(in.cols()) == 0 && !b.diags.HasErrors() {
		b.errorf(NotTable, o.Call, "write a table before it: Table | evaluate "+n.Name+"(…)", "%s needs a table", n.Name)
		return openTable()
	}
	p := &plugin{binder: b, f: f, call: o.Call, schema: o.Schema, in: in, sc: sc}
	p.arrange()
	t := p.apply()
	switch {
	case t == nil || p.failed:
		return openTable()
	case o.Schema != nil && f.Name != "bag_unpack" && f.Name != "pivot":
		return p.declare(t)
	}
	return t
}

// plugin is a call of a plugin being bound.
type plugin struct {
	*binder
	f      *builtin.Function
	call   *syntax.Call
	schema *syntax.Schema // nil if the columns are not named
	in     *table
	sc     *scope
	args   []*syntax.NamedExpr // by parameter; nil where there is none
	rest   []*syntax.NamedExpr // those of the parameter that may come any number of times
	failed bool                // a mistake was said
}

// apply gives the plugin's table, nil if the arguments were wrong.
func (p *plugin) apply() *table {
	switch p.f.Name {
	case "bag_unpack":
		return p.bagUnpack()
	case "pivot":
		return p.pivot()
	case "narrow":
		return p.narrow()
	case "preview":
		return p.preview()
	case "dcount_intersect":
		return p.dcountIntersect()
	case "schema_merge":
		return p.schemaMerge()
	case "ipv4_lookup":
		return p.ipLookup("ipv4")
	case "ipv6_lookup":
		return p.ipLookup("ipv6")
	case "autocluster":
		return p.autocluster()
	case "basket":
		return p.basket()
	case "diffpatterns":
		return p.diffpatterns()
	case "rolling_percentile":
		return p.rollingPercentile()
	case "rows_near":
		return p.rowsNear()
	case "sequence_detect":
		return p.sequenceDetect()
	case "funnel_sequence_completion":
		return p.funnelCompletion()
	case "session_count":
		return p.sessionCount()
	case "sliding_window_counts":
		return p.slidingWindowCounts()
	case "active_users_count":
		return p.activeUsersCount()
	case "activity_counts_metrics":
		return p.activityCounts()
	case "activity_metrics":
		return p.activityMetrics()
	case "activity_engagement":
		return p.activityEngagement()
	case "new_activity_metrics":
		return p.newActivityMetrics()
	}
	p.wrong(p.call, "", "the plugin %s is not supported", p.f.Name)
	return nil
}

// wrong says a mistake in the call.
func (p *plugin) wrong(at syntax.Node, hint, format string, args ...any) {
	p.failed = true
	p.errorf(WrongArguments, at, hint, format, args...)
}

// arrange finds the argument of each parameter: by its name, else by its place.
func (p *plugin) arrange() {
	p.args = make([]*syntax.NamedExpr, len(p.f.Params))
	last := len(p.f.Params) - 1
	position := 0
	for _, a := range p.call.Args {
		if i := slices.IndexFunc(p.f.Params, func(q builtin.Param) bool { return !q.Repeated && strings.EqualFold(q.Name, a.Name()) }); i >= 0 && a.Name() != "" {
			p.args[i] = a
			continue
		}
		for position < last && p.args[position] != nil {
			position++
		}
		switch {
		case position <= last && p.f.Params[position].Repeated:
			p.rest = append(p.rest, a)
		case position <= last && p.args[position] == nil:
			p.args[position] = a
			position++
		default:
			p.wrong(a, "its form is "+p.f.Signature(), "%s takes no further argument", p.f.Name)
		}
	}
	for i, q := range p.f.Params {
		if !q.Optional && !q.Repeated && p.args[i] == nil {
			p.wrong(p.call, "its form is "+p.f.Signature(), "%s lacks its argument %s", p.f.Name, q.Name)
		}
	}
}

// column gives the column of the input that argument i names.
func (p *plugin) column(i int) (rel.Column, bool) {
	if p.args[i] == nil {
		return rel.Column{}, false
	}
	return p.columnAt(p.args[i], p.in)
}

func (p *plugin) columnAt(a *syntax.NamedExpr, in *table) (rel.Column, bool) {
	c, ok := p.columnRef(a.Value, in)
	p.failed = p.failed || !ok
	return c, ok
}

// dimensions gives the columns named by further arguments.
func (p *plugin) dimensions(args []*syntax.NamedExpr) []rel.Column {
	var out []rel.Column
	for _, a := range args {
		if c, ok := p.columnAt(a, p.in); ok && rel.Index(out, c.Name) < 0 {
			out = append(out, c)
		}
	}
	return out
}

// value gives the value of an argument, which must not depend on the rows, nil if there is none.
func (p *plugin) value(i int) rel.Expr {
	if p.args[i] == nil {
		return nil
	}
	x := p.expr(p.args[i].Value, &env{sc: p.sc})
	p.failed = p.failed || isUnknown(x)
	return x
}

// constant gives the value of an argument that must be known when compiling.
func (p *plugin) constant(i int) any {
	x := p.value(i)
	if x == nil || isUnknown(x) {
		return nil
	}
	c, ok := x.(*rel.Const)
	if !ok || c.Value == nil {
		p.failed = true
		p.errorf(NotConstant, p.args[i], "", "%s of %s must be a literal", p.f.Params[i].Name, p.f.Name)
		return nil
	}
	return c.Value
}

// text gives a literal text, "" if there is no argument.
func (p *plugin) text(i int) string {
	v := p.constant(i)
	s, ok := v.(string)
	if v != nil && !ok {
		p.wrong(p.args[i], "", "%s of %s must be a text", p.f.Params[i].Name, p.f.Name)
	}
	return s
}

// whole gives a literal whole number.
func (p *plugin) whole(i int, def int64) int64 {
	if p.args[i] == nil {
		return def
	}
	v := p.constant(i)
	n, ok := v.(int64)
	if v != nil && !ok {
		p.wrong(p.args[i], "", "%s of %s must be a whole number", p.f.Params[i].Name, p.f.Name)
	}
	return n
}

// flag gives a literal bool.
func (p *plugin) flag(i int, def bool) bool {
	if p.args[i] == nil {
		return def
	}
	v := p.constant(i)
	f, ok := v.(bool)
	if v != nil && !ok {
		p.wrong(p.args[i], "write true or false", "%s of %s must be a bool", p.f.Params[i].Name, p.f.Name)
	}
	return f
}

// declare gives a plugin's table the columns that the query names after the call.
func (p *plugin) declare(t *table) *table {
	cols := p.declared(p.schema.Columns)
	var items []rel.Item
	if p.schema.Star {
		for _, c := range t.cols() {
			if rel.Index(cols, c.Name) < 0 {
				items = append(items, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: c.Type}})
			}
		}
	}
	for i, c := range cols {
		at := rel.Index(t.cols(), c.Name)
		if at < 0 {
			var names []string
			for _, c := range t.cols() {
				names = append(names, c.Name)
			}
			p.errorf(UnknownColumn, p.schema.Columns[i], "it gives: "+strings.Join(names, ", "), "%s gives no column %s", p.f.Name, c.Name)
			return openTable()
		}
		items = append(items, rel.Item{Name: c.Name, Expr: p.cast(&rel.Col{Name: c.Name, T: t.cols()[at].Type}, c.Type)})
	}
	return t.with(&rel.Project{In: t.rel, Items: items})
}

// maxLooks bounds how often one query may ask the data for columns.
const maxLooks = 32

// maxDataColumns bounds the columns that the data give.
const maxDataColumns = 1000

// explore gives the rows of a small table made of the plugin's input. example is the schema to write
// where nothing can be explored. It gives false if a mistake was said.
func (p *plugin) explore(r rel.Rel, example string) ([][]any, bool) {
	p.failed = true
	switch {
	case p.in.open || p.diags.HasErrors():
		return nil, false
	case p.o.Explore == nil && p.guessing:
		p.failed = false
		return nil, true
	case p.o.Explore == nil:
		p.vacant = true
		p.errorf(DataColumns, p.call, "name them: "+example, "the columns of %s depend on the data", p.f.Name)
		return nil, false
	}
	if p.looks++; p.looks > maxLooks {
		p.errorf(TooLarge, p.call, "name the columns: "+example, "the data are asked for columns more than %d times", maxLooks)
		return nil, false
	}
	rows, err := p.o.Explore(&rel.Limit{In: r, N: rel.Long(maxDataColumns + 1)})
	switch {
	case err != nil:
		p.errorf(NotExplored, p.call, "name the columns: "+example, "the columns of %s could not be found in the data: %s", p.f.Name, err)
		return nil, false
	case len(rows) > maxDataColumns:
		p.errorf(TooLarge, p.call, "name those that are needed: "+example, "%s gives more than %d columns", p.f.Name, maxDataColumns)
		return nil, false
	}
	p.failed = false
	p.vacant = p.vacant || len(rows) == 0
	return rows, true
}

// assume gives the names that the query has and nothing gives, for a plugin whose data give no column. Two
// plugins one after the other could both have them, and no guess is made.
func (p *plugin) assume(have []rel.Column, example string) []string {
	var out []string
	for _, name := range p.assumed {
		if slices.Contains(out, name) {
			continue
		}
		if rel.Index(have, name) < 0 {
			out = append(out, name)
		} else if p.guessed {
			p.failed = true
			p.errorf(DataColumns, p.call, "name them: "+example, "the columns of %s depend on the data", p.f.Name)
			return nil
		}
	}
	for _, name := range out {
		p.guessed = true
		p.diags.Warnf(Guessed, p.call.Span(), "to have others too, name them: "+example, "the column %s is taken to be one of those that %s gives", name, p.f.Name)
	}
	return out
}

// dataName gives the name of a column that the data name. Names that begin with $ are those of hidden columns,
// and a column without a name cannot be.
func dataName(name string, n *names) string {
	switch {
	case name == "":
		return n.column()
	case name[0] == '$':
		return n.fresh("_" + name)
	}
	return n.fresh(name)
}

// identifier writes a column's name as a query does.
func identifier(name string) string { return (&rel.Col{Name: name, T: value.String}).String() }
