// Package trial tries a query on one made-up record, in memory and without an engine: how
// many rows would it give if this record, and nothing else, had come?
//
// It is three-valued. A record says what some of its columns hold; the others hold
// anything. What a row hangs on that is not known, a column or a function that this
// package does not compute, is named, so that a rule that fires for some of the sign-ins
// that a record stands for is told from one that fires for all. Least and Most bound the
// rows over all records that the record stands for; they may be wide, never wrong.
package trial

import (
	"errors"
	"slices"
	"time"

	"glassward/kql/bind"
	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// A Query is a bound query.
type Query struct {
	tree   rel.Rel
	tables []string
}

// A Record is what comes: what it holds as far as it is said.
type Record struct {
	Table string
	// Cells are values by column: bool, int64, float64, string, time.Time; of a column of
	// type dynamic its JSON text.
	Cells map[string]any
	// Filled are columns that hold something, and it is not said what.
	Filled []string
	// Alone are the tables that are taken to be empty: those that other records would
	// have to come to. Every other table may hold anything.
	Alone []string
}

// A Verdict says how many rows a query gives.
type Verdict struct {
	// Least and Most bound the rows; Most is Many where there is no bound.
	Least, Most int
	// Columns are those of the record on which it hangs and that it does not say; Others
	// are functions and operators that are not computed, and tables that may hold anything.
	Columns, Others []string
}

// Many is more rows than anybody counts.
const Many = 1 << 30

// maxTree bounds the operators and expressions of a query, and maxSource its text.
const (
	maxTree   = 100_000
	maxSource = 1 << 20
)

// New binds a query to the tables of a catalog. An error says why it cannot be tried: it
// is no KQL, names what is not there, or gives several tables.
func New(text string, catalog bind.Catalog) (*Query, error) {
	if len(text) > maxSource {
		return nil, errors.New("the query is too long")
	}
	file, diags := syntax.Parse(text)
	if err := failed(diags); err != nil {
		return nil, err
	}
	epoch, _ := value.ParseDateTime("1970-01-01")
	bound, diags := bind.Bind(file, bind.Options{Catalog: catalog,
		Start: &rel.Const{Value: int64(epoch), T: value.DateTime}, End: &rel.Param{Name: "now", T: value.DateTime}})
	if err := failed(diags); err != nil {
		return nil, err
	}
	switch {
	case bound == nil:
		return nil, errors.New("there is no query")
	case len(bound.More) > 0:
		return nil, errors.New("the query gives several tables")
	case rel.Depth(bound.Rel) > bind.MaxSteps, rel.Size(bound.Rel, maxTree) > maxTree:
		return nil, errors.New("the query is too large")
	}
	q := &Query{tree: bound.Rel}
	rel.Walk(bound.Rel, func(r rel.Rel) {
		if s, ok := r.(*rel.Scan); ok {
			q.tables = append(q.tables, s.Table.Name)
		}
	})
	slices.Sort(q.tables)
	q.tables = slices.Compact(q.tables)
	return q, nil
}

func failed(list diag.List) error {
	for _, d := range list {
		if d.Severity == diag.Error {
			return errors.New(d.Message)
		}
	}
	return nil
}

// Tables gives the names of the stored tables that the query reads, sorted.
func (q *Query) Tables() []string { return q.tables }

// Try says how many rows the query gives at a time for a record.
func (q *Query) Try(r Record, now time.Time) Verdict {
	t := &trial{record: r, now: int64(value.FromTime(now)), done: map[rel.Rel]*table{}}
	res := t.rel(q.tree)
	v := Verdict{Most: len(res.rows)}
	var why reasons
	for _, x := range res.rows {
		switch {
		case x.is.isTrue():
			v.Least++
		case x.is.isFalse():
			v.Most--
		default:
			why = why.and(x.is.why)
		}
	}
	if len(res.open) > 0 {
		v.Most = Many
		why = why.and(res.open)
	}
	for _, w := range why {
		if w.column {
			v.Columns = append(v.Columns, w.name)
		} else {
			v.Others = append(v.Others, w.name)
		}
	}
	slices.Sort(v.Columns)
	slices.Sort(v.Others)
	return v
}

// A reason is something on which a value hangs.
type reason struct {
	name   string
	column bool // of the record, else what is not computed
}

type reasons []reason

// and joins reasons.
func (r reasons) and(more reasons) reasons {
	out := slices.Clone(r)
	for _, m := range more {
		if !slices.Contains(out, m) && len(out) < 20 {
			out = append(out, m)
		}
	}
	return out
}

func other(name string) reasons { return reasons{{name: name}} }

// A cell is a value, or why it is not known.
type cell struct {
	v   any // nil, bool, int64, float64, string, or dyn
	why reasons
	// full says of one that is not known that it is not empty.
	full bool
}

// dyn is a dynamic value: what encoding/json makes of it.
type dyn struct{ v any }

func (c cell) known() bool { return len(c.why) == 0 }

func (c cell) isTrue() bool  { b, ok := c.v.(bool); return c.known() && ok && b }
func (c cell) isFalse() bool { b, ok := c.v.(bool); return c.known() && ok && !b }

func yes(b bool) cell { return cell{v: b} }

// hangs gives a value that is not known; one that hangs on nothing is a null, of which
// operators make what is not computed here.
func hangs(why reasons) cell {
	if len(why) == 0 {
		why = other("null")
	}
	return cell{why: why}
}

// A row is one of a table: whether it is there, and its cells by column.
type row struct {
	is    cell // bool
	cells map[string]cell
}

// A table is what an operator gives; open says why there may be more rows.
type table struct {
	rows []row
	open reasons
}

// maxRows bounds the rows of a table: beyond it there may be any number.
const maxRows = 2000

// A trial is one query on one record.
type trial struct {
	record Record
	now    int64
	done   map[rel.Rel]*table
}

// rel gives the rows of an operator; one that is used twice is tried once.
func (t *trial) rel(r rel.Rel) *table {
	if d, ok := t.done[r]; ok {
		return d
	}
	d := t.operator(r)
	if len(d.rows) > maxRows {
		d = &table{open: other("more than a few rows")}
	}
	t.done[r] = d
	return d
}

func (t *trial) operator(r rel.Rel) *table {
	switch n := r.(type) {
	case *rel.Scan:
		return t.scan(n)
	case *rel.Values:
		out := &table{}
		for _, exprs := range n.Rows {
			x := row{yes(true), map[string]cell{}}
			for i, e := range exprs {
				x.cells[n.Cols[i].Name] = t.expr(e, env{})
			}
			out.rows = append(out.rows, x)
		}
		return out
	case *rel.Shared:
		return t.rel(n.In)
	case *rel.Filter:
		in := t.rel(n.In)
		out := &table{open: in.open}
		for _, x := range in.rows {
			is := and(x.is, t.expr(n.Cond, env{row: x.cells}))
			if !is.isFalse() {
				out.rows = append(out.rows, row{is, x.cells})
			}
		}
		return out
	case *rel.Project:
		in := t.rel(n.In)
		out := &table{open: in.open}
		for _, x := range in.rows {
			y := row{x.is, map[string]cell{}}
			for _, it := range n.Items {
				y.cells[it.Name] = t.expr(it.Expr, env{row: x.cells})
			}
			out.rows = append(out.rows, y)
		}
		return out
	case *rel.Union:
		out := &table{}
		for _, in := range n.Ins {
			x := t.rel(in)
			out.rows = append(out.rows, x.rows...)
			out.open = out.open.and(x.open)
		}
		return out
	case *rel.Sort:
		return t.rel(n.In)
	case *rel.Limit:
		return t.limit(n)
	case *rel.Aggregate:
		return t.aggregate(n)
	case *rel.Expand:
		return t.expand(n)
	case *rel.Join:
		return t.join(n)
	}
	return &table{open: other("an operator that is not tried")}
}

func (t *trial) scan(n *rel.Scan) *table {
	switch {
	case n.Table.Name == t.record.Table:
	case slices.Contains(t.record.Alone, n.Table.Name):
		return &table{}
	default:
		return &table{open: other("the table " + n.Table.Name)}
	}
	x := row{yes(true), map[string]cell{}}
	for _, c := range n.Cols {
		v, ok := t.record.Cells[c.Name]
		if !ok {
			x.cells[c.Name] = cell{why: reasons{{c.Name, true}}, full: slices.Contains(t.record.Filled, c.Name)}
			continue
		}
		x.cells[c.Name] = cellOf(v, c.Type)
	}
	return &table{rows: []row{x}}
}

// cellOf makes a cell of a value of Go's.
func cellOf(v any, as value.Type) cell {
	switch x := v.(type) {
	case time.Time:
		return cell{v: int64(value.FromTime(x))}
	case string:
		if as == value.Dynamic {
			return parseDynamic(x)
		}
	}
	return cell{v: v}
}

// limit keeps some rows: which, hangs on their order, so that beyond the number none is
// certain, unless all of them are kept.
func (t *trial) limit(n *rel.Limit) *table {
	in := t.rel(n.In)
	most, ok := t.expr(n.N, env{}).v.(int64)
	switch {
	case len(n.Per) > 0, !ok:
		most = 0 // one of each group at least is kept, which need not be known
		if ok {
			if k, _ := t.expr(n.N, env{}).v.(int64); k >= int64(len(in.rows)) {
				return in
			}
		}
	case int64(len(in.rows)) <= most && len(in.open) == 0:
		return in
	case most <= 0:
		return &table{}
	}
	out := &table{}
	if len(n.Per) > 0 || !ok {
		out.open = in.open
	}
	for i, x := range in.rows {
		if len(n.Per) == 0 && ok && int64(i) >= most {
			break
		}
		// Another row may take its place: that one is there, what it holds is not known.
		y := row{x.is, map[string]cell{}}
		for name := range x.cells {
			y.cells[name] = hangs(other("take"))
		}
		if len(n.Per) > 0 || !ok {
			y.is = hangs(other("take"))
		}
		out.rows = append(out.rows, y)
	}
	if len(in.open) > 0 && len(n.Per) == 0 && ok {
		for int64(len(out.rows)) < min(most, maxRows) {
			out.rows = append(out.rows, row{hangs(in.open), blank(n.Columns(), in.open)})
		}
		if most > maxRows {
			out.open = in.open
		}
	}
	return out
}

// blank gives cells of which nothing is known.
func blank(cols []rel.Column, why reasons) map[string]cell {
	m := map[string]cell{}
	for _, c := range cols {
		m[c.Name] = hangs(why)
	}
	return m
}

// aggregate makes groups. Several rows may be one group or several: one is certain if a
// row is.
func (t *trial) aggregate(n *rel.Aggregate) *table {
	in := t.rel(n.In)
	certain := len(in.open) == 0 // which rows there are
	there := yes(false)
	for _, x := range in.rows {
		there = or(there, x.is)
		certain = certain && x.is.isTrue()
	}
	why := in.open
	for _, x := range in.rows {
		why = why.and(x.is.why)
	}
	if len(why) == 0 {
		why = other("summarize")
	}
	result := func(items []rel.Item, single bool) map[string]cell {
		m := map[string]cell{}
		for _, it := range items {
			m[it.Name] = hangs(why)
			if single && certain {
				m[it.Name] = t.aggregated(it.Expr, in.rows)
			}
		}
		return m
	}
	if len(n.Keys) == 0 {
		return &table{rows: []row{{yes(true), result(n.Aggs, true)}}}
	}
	out := &table{open: in.open}
	for i, x := range in.rows {
		single := len(in.rows) == 1
		if single {
			// The group of the only row: if it is not there, neither is the group.
			certain = len(in.open) == 0
		}
		cells := result(n.Aggs, single)
		for _, k := range n.Keys {
			cells[k.Name] = hangs(other("summarize"))
			if single {
				cells[k.Name] = t.expr(k.Expr, env{row: x.cells})
			}
		}
		is := there
		if i > 0 {
			is = and(x.is, hangs(other("summarize"))) // it may be a group of its own
		}
		if !is.isFalse() {
			out.rows = append(out.rows, row{is, cells})
		}
	}
	return out
}

// aggregated computes an aggregate over rows that are there, where it is simple.
func (t *trial) aggregated(e rel.Expr, rows []row) cell {
	c, ok := e.(*rel.Call)
	if !ok {
		return hangs(other("summarize"))
	}
	switch c.Func {
	case "count":
		return cell{v: int64(len(rows))}
	case "countif":
		n := int64(0)
		for _, x := range rows {
			switch is := t.expr(c.Args[0], env{row: x.cells}); {
			case is.isTrue():
				n++
			case !is.isFalse():
				return hangs(is.why)
			}
		}
		return cell{v: n}
	case "min", "max", "take_any", "any", "arg_max", "arg_min":
		if len(rows) == 1 && len(c.Args) > 0 {
			return t.expr(c.Args[0], env{row: rows[0].cells})
		}
	case "dcount", "count_distinct":
		if len(rows) == 1 && len(c.Args) > 0 {
			if x := t.expr(c.Args[0], env{row: rows[0].cells}); x.known() && x.v != nil {
				return cell{v: int64(1)}
			}
		}
	case "make_set", "make_list":
		return cell{why: other(c.Func + "()")}
	}
	return hangs(other(c.Func + "()"))
}

func (t *trial) expand(n *rel.Expand) *table {
	in := t.rel(n.In)
	out := &table{open: in.open}
	if n.Limit > 0 || n.Array || n.Index != "" || len(n.Items) != 1 {
		return t.somehow(n, in, "mv-expand")
	}
	it := n.Items[0]
	for _, x := range in.rows {
		v := t.expr(it.Expr, env{row: x.cells})
		add := func(c cell) {
			y := row{x.is, map[string]cell{}}
			for k, old := range x.cells {
				y.cells[k] = old
			}
			if it.T != value.Dynamic {
				c = convertDynamic(c, it.T)
			}
			y.cells[it.Name] = c
			out.rows = append(out.rows, y)
		}
		d, isDynamic := v.v.(dyn)
		list, isList := d.v.([]any)
		_, isBag := d.v.(map[string]any)
		switch {
		case !v.known():
			out.open = out.open.and(v.why)
		case isList:
			for _, e := range list {
				add(dynamicCell(e))
			}
		case v.v == nil || isDynamic && d.v == nil:
			if !n.Drop {
				add(cell{})
			}
		case isBag || !isDynamic:
			out.open = out.open.and(other("mv-expand"))
		default:
			out.open = out.open.and(other("mv-expand"))
		}
	}
	return out
}

// somehow gives what an operator that is not computed may give: anything, if its input
// gives something.
func (t *trial) somehow(n rel.Rel, in *table, name string) *table {
	out := &table{open: in.open}
	if len(in.rows) > 0 {
		out.open = out.open.and(other(name))
	}
	return out
}

func (t *trial) join(n *rel.Join) *table {
	l, r := t.rel(n.L), t.rel(n.R)
	match := func(a, b row) cell {
		is := and(a.is, b.is)
		for _, k := range n.On {
			is = and(is, compare("==", t.expr(k.L, env{row: a.cells, left: a.cells}), t.expr(k.R, env{row: b.cells, right: b.cells})))
		}
		return is
	}
	pair := func(is cell, a, b map[string]cell) row {
		y := row{is, map[string]cell{}}
		for _, o := range n.Out {
			from := a
			if o.From.Side == rel.Right {
				from = b
			}
			c, ok := from[o.From.Name]
			if !ok {
				c = rel0(o.From.T)
			}
			y.cells[o.Name] = c
		}
		return y
	}
	out := &table{}
	switch n.Kind {
	case rel.Inner:
		out.open = nil
		if len(l.open) > 0 && (len(r.rows) > 0 || len(r.open) > 0) {
			out.open = out.open.and(l.open)
		}
		if len(r.open) > 0 && (len(l.rows) > 0 || len(l.open) > 0) {
			out.open = out.open.and(r.open)
		}
		for _, a := range l.rows {
			for _, b := range r.rows {
				if is := match(a, b); !is.isFalse() {
					out.rows = append(out.rows, pair(is, a.cells, b.cells))
				}
			}
		}
		return out
	case rel.LeftSemi, rel.LeftAnti:
		out.open = l.open
		for _, a := range l.rows {
			any := yes(false)
			if len(r.open) > 0 {
				any = hangs(r.open)
			}
			for _, b := range r.rows {
				any = or(any, match(a, b))
			}
			if n.Kind == rel.LeftAnti {
				any = not(any)
			}
			if is := and(a.is, any); !is.isFalse() {
				out.rows = append(out.rows, pair(is, a.cells, nil))
			}
		}
		return out
	case rel.LeftOuter:
		if len(r.rows) == 0 {
			// With nothing on the right a row stays as it is; with something it stays once at
			// least.
			out.open = l.open
			for _, a := range l.rows {
				y := pair(a.is, a.cells, map[string]cell{})
				if len(r.open) > 0 {
					for _, o := range n.Out {
						if o.From.Side == rel.Right {
							y.cells[o.Name] = hangs(r.open)
						}
					}
				}
				out.rows = append(out.rows, y)
			}
			if len(l.rows) > 0 {
				out.open = out.open.and(r.open)
			}
			return out
		}
	}
	if len(l.rows)+len(r.rows)+len(l.open)+len(r.open) == 0 {
		return out
	}
	out.open = l.open.and(r.open).and(other("join"))
	return out
}

// rel0 gives the null of a type; of a string the empty one.
func rel0(t value.Type) cell {
	if t == value.String {
		return cell{v: ""}
	}
	return cell{}
}

// NewTransformation binds the transformation of a data collection rule, in which source
// stands for what comes into a table.
func NewTransformation(text, table string, c bind.Catalog) (*Query, error) {
	t, ok := c.Table(table)
	if !ok {
		return nil, errors.New("there is no table " + table)
	}
	source := *t
	source.Name = "source"
	return New(text, incoming{c, &source})
}

// incoming is a catalog with the table source.
type incoming struct {
	bind.Catalog
	source *rel.Table
}

func (i incoming) Table(name string) (*rel.Table, bool) {
	if name == i.source.Name {
		return i.source, true
	}
	return i.Catalog.Table(name)
}
