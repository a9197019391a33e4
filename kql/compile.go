package kql

import (
	"errors"
	"slices"
	"strings"

	"glassward/kql/bind"
	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/sqlgen"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// maxTree bounds the operators and expressions that a query stands for.
const maxTree = 100_000

// maxSource bounds a query's text, in bytes.
const maxSource = 1 << 20

// Compile turns a query into a Program. The Program is nil if the diagnostics hold an error; warnings
// come with one.
func Compile(source string, o Options) (*Program, diag.List) {
	return compile(source, o, nil)
}

// rewrites gives what happens to a tree before it becomes SQL.
func rewrites(o Options) []rel.Rewrite {
	var asked []rel.Rewrite
	switch o.Window {
	case ByTime:
		asked = append(asked, rel.Rewrite{Name: "window", Doc: "only records of the window of time are read", Apply: rel.ByTime})
	case BySeq:
		asked = append(asked, rel.Rewrite{Name: "window", Doc: "only records that have come since are read", Apply: rel.BySeq})
	}
	if o.Lineage {
		asked = append(asked, rel.Rewrite{Name: "lineage", Doc: "every row carries the ids of the records that it was made of", Apply: rel.Lineage})
	}
	steps := rel.Rewrites(asked...)
	if o.Few {
		steps = slices.DeleteFunc(steps, func(r rel.Rewrite) bool { return r.Hastens })
	}
	return steps
}

// compile is Compile; watch, if not nil, is shown the bound tree, with an empty name, and the tree after each
// rewrite.
func compile(source string, o Options, watch func(r rel.Rewrite, tree rel.Rel)) (*Program, diag.List) {
	if len(source) > maxSource {
		var l diag.List
		l.Errorf(bind.TooLarge, diag.At(0, 0), "", "the query is longer than %d bytes", maxSource)
		return nil, l
	}
	file, diags := syntax.Parse(source)
	bound, more := bind.Bind(file, o.bind())
	read := slices.Clone(diags)
	for _, d := range more {
		if !follows(d, read) {
			diags.Add(d)
		}
	}
	diags.Sort()
	if diags.HasErrors() || bound == nil {
		return nil, diags
	}
	p := program(bound, bound.Rel, file.Span(), o, watch, &diags)
	if p == nil {
		return nil, diags
	}
	p.Name, p.Render = bound.Name, render(bound.Render, bound.Rel)
	p.MaxRows, p.MaxBytes = bound.Limits.Records, bound.Limits.Bytes
	for _, t := range bound.More {
		q := program(bound, t.Rel, file.Span(), o, nil, &diags)
		if q == nil {
			return nil, diags
		}
		q.Name, q.Render = t.Name, render(t.Render, t.Rel)
		p.More = append(p.More, q)
	}
	return p, diags
}

// render gives what the operator says of drawing the rows of a tree.
func render(o *syntax.Render, tree rel.Rel) *Render {
	if o == nil {
		return nil
	}
	r := &Render{Chart: o.Chart, Properties: map[string]string{}}
	for _, p := range o.With {
		values := []string{p.Word()}
		for _, x := range p.More {
			values = append(values, (&syntax.Param{Value: x}).Word())
		}
		r.Properties[strings.ToLower(p.Name)] = strings.Join(values, ",")
	}
	for {
		switch n := tree.(type) {
		case *rel.Sort:
			r.Sorted = true
		case *rel.Limit:
			if len(n.Keys) == 0 {
				tree = n.In
				continue
			}
			sample, ok := n.Keys[0].Expr.(*rel.Call)
			r.Sorted = !ok || sample.Func != "rand"
		case *rel.Project:
			tree = n.In
			continue
		}
		return r
	}
}

// program makes a bound tree a Program, nil if it grows too large.
func program(bound *bind.Result, tree rel.Rel, whole diag.Span, o Options, watch func(r rel.Rewrite, tree rel.Rel), diags *diag.List) *Program {
	if d := rel.Depth(tree); d > bind.MaxSteps {
		diags.Errorf(bind.TooLarge, whole, bind.StepsHint, "the query has %d steps one after the other, at most %d can be compiled", d, bind.MaxSteps)
		return nil
	}
	if rel.Size(tree, maxTree) > maxTree {
		diags.Errorf(bind.TooLarge, whole, "name what is used several times with materialize()", "the query grows beyond what can be compiled")
		return nil
	}
	p := &Program{Columns: slices.Clone(tree.Columns()), Lineage: o.Lineage}
	p.Tables = tables(tree)
	p.Prefilters, p.Barren = prefilters(tree), rel.Barren(tree)
	if n, why := rel.NotLocal(tree); n != nil {
		at, ok := bound.Places[n]
		if !ok {
			at = whole
		}
		p.NotLocal = &diag.Diagnostic{Code: notLocal, Severity: diag.Info, Span: at, Message: why, Hint: "run the rule as Scheduled"}
	}
	if watch != nil {
		watch(rel.Rewrite{}, tree)
	}
	if err := p.write(tree, o, watch); err != nil {
		code := bind.TooLarge
		if errors.As(err, new(*sqlgen.UnsupportedError)) {
			code = bind.Unsupported
		}
		diags.Errorf(code, whole, "", "%s", err)
		return nil
	}
	return p
}

// write rewrites the tree and writes it as SQL.
func (p *Program) write(tree rel.Rel, o Options, watch func(r rel.Rewrite, tree rel.Rel)) error {
	for _, r := range rewrites(o) {
		tree = r.Apply(tree)
		if watch != nil {
			watch(r, tree)
		}
	}
	tree, elsewhere := rel.Separate(tree)
	if err := p.sql(tree, o); err != nil {
		return err
	}
	for _, e := range elsewhere {
		part := &Program{Columns: slices.Clone(e.Rel.Columns())}
		if err := part.sql(e.Rel, o); err != nil {
			return err
		}
		p.Elsewhere = append(p.Elsewhere, Elsewhere{e.Workspace, e.Table, part})
	}
	return nil
}

// sql writes a tree whose tables lie in one workspace.
func (p *Program) sql(tree rel.Rel, o Options) error {
	q, err := sqlgen.DuckDB(tree, sqlgen.Options{Few: o.Few})
	if err != nil {
		return err
	}
	p.SQL, p.Params = q.SQL, q.Params
	return nil
}

// explore runs a part of the query that is being compiled, in the same window.
func explore(r rel.Rel, o Options) ([][]any, error) {
	if rel.Size(r, maxTree) > maxTree {
		return nil, sqlgen.ErrTooLarge
	}
	p := &Program{Columns: slices.Clone(r.Columns()), Tables: tables(r)}
	o.Lineage = false
	if err := p.write(r, o, nil); err != nil {
		return nil, err
	}
	res, err := o.Explore(p)
	if err != nil {
		return nil, err
	}
	if res.Truncated {
		return nil, errors.New("the data give too many of them")
	}
	return res.Rows, nil
}

// bind gives what names in a query may stand for.
func (o *Options) bind() bind.Options {
	bo := bind.Options{Placeholders: o.Placeholders, Parameters: o.Parameters, Addresses: o.Addresses, Watchlists: map[string]*rel.Values{}}
	if o.Catalog != nil {
		bo.Catalog = o.Catalog
	}
	for name, w := range o.Watchlists {
		bo.Watchlists[name] = w.values()
	}
	if o.Functions != nil {
		bo.Functions = o.Functions.byName
	}
	if o.External != nil {
		bo.External = func(want bind.ExternalData) (*rel.Values, error) {
			rows, err := o.External(want)
			if err != nil {
				return nil, err
			}
			v := &rel.Values{Cols: want.Columns, Rows: make([][]rel.Expr, len(rows))}
			for i, r := range rows {
				v.Rows[i] = make([]rel.Expr, len(want.Columns))
				for j, c := range want.Columns {
					v.Rows[i][j] = rel.Null(c.Type)
					if j < len(r) {
						v.Rows[i][j] = cellConst(r[j], c.Type)
					}
				}
			}
			return v, nil
		}
	}
	if o.Explore != nil {
		bo.Explore = func(r rel.Rel) ([][]any, error) { return explore(r, *o) }
	}
	if o.Workspace != nil {
		bo.Workspace = func(name string) (bind.Catalog, bool) { return o.Workspace(name) }
	}
	for _, c := range o.Beside {
		bo.Beside = append(bo.Beside, c)
	}
	if o.Window == ByTime {
		bo.Start, bo.End = &rel.Param{Name: "from", T: value.DateTime}, &rel.Param{Name: "to", T: value.DateTime}
	} else {
		epoch, _ := value.ParseDateTime("1970-01-01")
		bo.Start, bo.End = &rel.Const{Value: int64(epoch), T: value.DateTime}, &rel.Param{Name: "now", T: value.DateTime}
	}
	return bo
}

// follows says that what the binder found is told already: the text at its place could not be read, or is the same
// mistake as the one before.
func follows(d diag.Diagnostic, read diag.List) bool {
	if d.Severity != diag.Error {
		return false
	}
	for _, p := range read {
		if p.Severity != diag.Error {
			continue
		}
		if d.Code == bind.NoQuery || p.Span.Start < d.Span.End && d.Span.Start < p.Span.End || p.Span == d.Span {
			return true
		}
	}
	return false
}

// notLocal is the code of Program.NotLocal.
const notLocal diag.Code = "KQL0301"

func tables(r rel.Rel) []string {
	var out []string
	rel.Walk(r, func(r rel.Rel) {
		if s, ok := r.(*rel.Scan); ok {
			out = append(out, s.Table.Name)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// prefilters gives what the tree's conditions demand of the records of each table.
func prefilters(r rel.Rel) []Prefilter {
	var out []Prefilter
	for _, d := range rel.Demands(r) {
		p := Prefilter{Table: d.Table}
		for _, c := range d.Conditions {
			op := map[rel.DemandOp]CondOp{rel.Equals: Equals, rel.EqualsFold: EqualsFold, rel.Contains: Contains, rel.ContainsFold: ContainsFold, rel.HasFold: HasFold}[c.Op]
			p.Conditions = append(p.Conditions, Condition{c.Column, op, c.Values})
		}
		out = append(out, p)
	}
	return out
}

// values gives a watchlist as a table of constants, with the columns that Sentinel adds.
func (w *Watchlist) values() *rel.Values {
	v := &rel.Values{Cols: slices.Clone(w.Columns)}
	add := func(name string, t value.Type) bool {
		if rel.Index(v.Cols, name) >= 0 {
			return false
		}
		v.Cols = append(v.Cols, rel.Column{Name: name, Type: t})
		return true
	}
	item, key := add("_DTItemId", value.String), add("SearchKey", value.String)
	updated := add("LastUpdatedTimeUTC", value.DateTime)
	for i, r := range w.Rows {
		row := make([]rel.Expr, 0, len(v.Cols))
		for j, c := range w.Columns {
			var cell any
			if j < len(r) {
				cell = r[j]
			}
			row = append(row, cellConst(cell, c.Type))
		}
		if item {
			row = append(row, rel.Str(itemID(i)))
		}
		if key {
			text := ""
			if len(row) > 0 {
				if c, ok := row[0].(*rel.Const); ok && c.Value != nil {
					text = strings.Trim(value.JSON(c.Value), `"`)
				}
			}
			row = append(row, rel.Str(text))
		}
		if updated {
			row = append(row, rel.Null(value.DateTime))
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

func itemID(i int) string { return "item-" + strings.Trim(value.JSON(int64(i)), `"`) }

// cellConst gives a cell of a watchlist as a constant of its column's type, null if it is of another.
func cellConst(v any, t value.Type) *rel.Const {
	switch x := v.(type) {
	case bool:
		if t == value.Bool {
			return rel.Bool(x)
		}
	case int:
		return cellConst(int64(x), t)
	case int64:
		switch t {
		case value.Int, value.Long, value.DateTime, value.TimeSpan:
			return &rel.Const{Value: x, T: t}
		case value.Real:
			return &rel.Const{Value: float64(x), T: t}
		case value.Decimal:
			return &rel.Const{Value: value.DecOf(x), T: t}
		case value.String:
			return rel.Str(value.JSON(x))
		}
	case float64:
		switch t {
		case value.Real:
			return &rel.Const{Value: x, T: t}
		case value.Decimal:
			if d, ok := value.DecOfReal(x, value.ConstantDigits); ok {
				return &rel.Const{Value: d, T: t}
			}
		}
	case string:
		switch t {
		case value.String:
			return rel.Str(x)
		case value.Decimal:
			if d, ok := value.ParseDec(x); ok {
				return &rel.Const{Value: d, T: t}
			}
		case value.GUID:
			if g, ok := value.ParseGUID(x); ok {
				return &rel.Const{Value: g, T: t}
			}
		case value.DateTime:
			if d, ok := value.ParseDateTime(x); ok {
				return &rel.Const{Value: int64(d), T: t}
			}
		case value.TimeSpan:
			if d, ok := value.ParseTimeSpan(x); ok {
				return &rel.Const{Value: int64(d), T: t}
			}
		case value.Dynamic:
			if _, ok := value.ParseJSON(x); ok {
				return &rel.Const{Value: x, T: t}
			}
		}
	}
	return rel.Null(t)
}
