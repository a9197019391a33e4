package rel

import (
	"slices"
	"strings"

	"glassward/kql/value"
)

// DemandOp is how a Demand compares.
type DemandOp uint8

// The comparisons of a Demand.
const (
	Equals DemandOp = iota
	EqualsFold
	Contains
	ContainsFold
	HasFold // as whole terms
)

// Demand is a condition on one column of a record: one of Values equals, or is contained in, its text. One
// without Values is met by no record.
type Demand struct {
	Column string
	Op     DemandOp
	Values []string
	path   string // within a dynamic column: "[*].id"
}

// TableDemands is what one scan demands of a record of Table: all Conditions.
type TableDemands struct {
	Table      string
	Conditions []Demand
}

// anyOf is a disjunction of conjunctions of demands. One without conditions is met by every record.
type anyOf [][]Demand

// maxTerms bounds a disjunction; what is larger demands nothing.
const maxTerms = 16

// everything is met by every record, nothing by none: a demand without values.
var (
	everything = anyOf{nil}
	nothing    = anyOf{{{}}}
)

// never says whether a conjunction cannot be met.
func never(t []Demand) bool {
	return slices.ContainsFunc(t, func(d Demand) bool { return len(d.Values) == 0 })
}

func (a anyOf) all() bool {
	return slices.ContainsFunc(a, func(t []Demand) bool { return len(t) == 0 })
}

// Demands gives, for every stored table that a tree reads, what a record must meet to cause a result row.
// Several entries of one table are alternatives; an entry without conditions is met by every record.
// The demands are a superset: a record that meets none can cause nothing.
func Demands(r Rel) []TableDemands {
	d := demandsOf(r)
	var out []TableDemands
	var names []string
	for _, s := range d.order {
		if !slices.Contains(names, s.Table.Name) {
			names = append(names, s.Table.Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		var terms anyOf
		for _, s := range d.order {
			if s.Table.Name == name {
				terms = append(terms, d.scans[s]...)
			}
		}
		if terms.all() || len(terms) > maxTerms {
			terms = everything
		}
		var seen []string
		for _, t := range terms {
			if k := termKey(t); !slices.Contains(seen, k) {
				seen = append(seen, k)
				out = append(out, TableDemands{name, t})
			}
		}
	}
	return out
}

func termKey(t []Demand) string {
	var b strings.Builder
	for _, d := range t {
		b.WriteString(d.Column)
		b.WriteByte(byte('0' + d.Op))
		b.WriteString(strings.Join(d.Values, "\x00"))
		b.WriteByte(1)
	}
	return b.String()
}

type demands struct {
	scans  map[*Scan]anyOf
	order  []*Scan
	visits int
}

func demandsOf(r Rel) *demands {
	d := &demands{scans: map[*Scan]anyOf{}}
	d.visit(r, nil)
	return d
}

// elementOf is the function by which a column made by mv-expand is traced to what was expanded.
const elementOf = "element_of"

// maxVisits and maxConds bound the work; beyond them nothing is demanded.
const (
	maxVisits = 5000
	maxConds  = 500
)

// visit goes down with the conditions that rows of r must meet, over r's columns.
func (d *demands) visit(r Rel, conds []Expr) {
	if d.visits++; d.visits > maxVisits {
		conds = nil
	}
	r.Exprs(func(e Expr) Expr {
		WalkExpr(e, func(e Expr) {
			switch e := e.(type) {
			case *InTable:
				d.open(e.Rel)
			case *Scalar:
				d.open(e.Rel)
			}
		})
		return e
	})
	switch n := r.(type) {
	case *Scan:
		if _, ok := d.scans[n]; !ok {
			d.order = append(d.order, n)
		}
		f := everything
		for _, c := range conds {
			f = both(f, demandOf(c))
		}
		d.scans[n] = append(d.scans[n], f...)
	case *Filter:
		if n.mixes() != "" {
			d.visit(n.In, nil)
			return
		}
		d.visit(n.In, append(slices.Clone(conds), Conjuncts(n.Cond)...))
	case *Project:
		if n.mixes() != "" {
			d.visit(n.In, nil)
			return
		}
		d.visit(n.In, substituteAll(conds, n.Items))
	case *Expand:
		var items []Item
		for _, c := range n.In.Columns() {
			items = append(items, Item{c.Name, &Col{Name: c.Name, T: c.Type}})
		}
		for _, it := range n.Items {
			items = slices.DeleteFunc(items, func(o Item) bool { return o.Name == it.Name })
			items = append(items, Item{it.Name, &Call{elementOf, []Expr{it.Expr}, it.T}})
		}
		if n.Index != "" {
			items = slices.DeleteFunc(items, func(o Item) bool { return o.Name == n.Index })
		}
		d.visit(n.In, substituteAll(conds, items))
	case *Aggregate:
		if len(n.Keys) == 0 {
			conds = nil
		}
		d.visit(n.In, substituteAll(conds, n.Keys))
	case *Sort:
		d.visit(n.In, conds)
	case *Shared:
		d.visit(n.In, conds)
	case *Union:
		for _, in := range n.Ins {
			var items []Item
			cols := in.Columns()
			for i, c := range n.Columns() {
				items = append(items, Item{c.Name, &Col{Name: cols[i].Name, T: cols[i].Type}})
			}
			d.visit(in, substituteAll(conds, items))
		}
	case *Join:
		var left, right []Item
		for _, o := range n.Out {
			c := Item{o.Name, &Col{Name: o.From.Name, T: o.From.T}}
			if o.From.Side == Left {
				left = append(left, c)
			} else {
				right = append(right, c)
			}
		}
		var lc, rc []Expr
		switch n.Kind {
		case Inner:
			lc, rc = substituteAll(conds, left), substituteAll(conds, right)
		case LeftOuter, LeftSemi, LeftAnti:
			lc = substituteAll(conds, left)
		case RightOuter, RightSemi, RightAnti:
			rc = substituteAll(conds, right)
		}
		d.visit(n.L, lc)
		d.visit(n.R, rc)
	default:
		// Limits, series and what is not known here: which rows come out depends on all that go in.
		for _, in := range r.Inputs() {
			d.visit(in, nil)
		}
	}
}

// open notes the scans of a table within an expression; nothing is demanded of their records.
func (d *demands) open(r Rel) { d.visit(r, nil) }

// substituteAll expresses conditions over an operator's result as conditions over its input. Those that
// speak of a column that the items do not give are left out.
func substituteAll(conds []Expr, items []Item) []Expr {
	var out []Expr
	for _, c := range conds {
		ok := true
		e := MapExpr(c, func(e Expr) Expr {
			col, is := e.(*Col)
			if !is {
				return e
			}
			for _, it := range items {
				if it.Name == col.Name {
					return it.Expr
				}
			}
			ok = false
			return e
		})
		if !ok {
			continue
		}
		size := 0
		WalkExpr(e, func(x Expr) {
			size++
			if k, isCall := x.(*Call); isCall && (k.Func == "rand" || k.Func == "new_guid" || IsWindow(k.Func)) {
				ok = false
			}
		})
		if ok && size < maxConds*10 && len(out) < maxConds {
			out = append(out, e)
		}
	}
	return out
}

// both is what meets two disjunctions. Where it grows too large, the second is left out.
func both(a, b anyOf) anyOf {
	if b.all() {
		return a
	}
	if a.all() {
		return b
	}
	if len(a)*len(b) > maxTerms {
		return a
	}
	var out anyOf
	for _, x := range a {
		for _, y := range b {
			out = append(out, append(slices.Clone(x), y...))
		}
	}
	return out
}

// demandOf gives what a condition over columns demands of them.
func demandOf(e Expr) anyOf {
	if k, ok := e.(*Const); ok && k.Value == false {
		return nothing
	}
	c, ok := e.(*Call)
	if !ok {
		return everything
	}
	switch c.Func {
	case "and":
		f := everything
		for _, a := range c.Args {
			f = both(f, demandOf(a))
		}
		return f
	case "or":
		var out anyOf
		for _, a := range c.Args {
			f := demandOf(a)
			if f.all() || len(out)+len(f) > 4*maxTerms {
				return everything
			}
			out = append(out, f...)
		}
		if out = merge(out); len(out) > maxTerms {
			return everything
		}
		return out
	case "==":
		if cond, ok := chosen(c.Args[0], c.Args[1]); ok {
			return demandOf(cond)
		}
		return comparison(c.Args[0], c.Args[1:], false, false)
	case "=~":
		return comparison(c.Args[0], c.Args[1:], true, false)
	case "in":
		return comparison(c.Args[0], c.Args[1:], false, false)
	case "in~":
		return comparison(c.Args[0], c.Args[1:], true, false)
	case "has", "has_any":
		f := comparison(c.Args[0], c.Args[1:], true, true)
		if !f.all() {
			f[0][0].Op = HasFold
		}
		return f
	case "contains", "startswith", "endswith", "hasprefix", "hassuffix":
		return comparison(c.Args[0], c.Args[1:], true, true)
	case "contains_cs", "has_cs", "startswith_cs", "endswith_cs", "hasprefix_cs", "hassuffix_cs":
		return comparison(c.Args[0], c.Args[1:], false, true)
	case "tobool":
		return demandOf(c.Args[0])
	}
	return everything
}

// merge joins alternatives that are one condition each on the same column.
func merge(terms anyOf) anyOf {
	var out anyOf
next:
	for _, t := range terms {
		if never(t) {
			continue
		}
		if len(t) == 1 {
			for i := range out {
				if o := out[i]; len(o) == 1 && o[0].Column == t[0].Column && o[0].Op == t[0].Op && o[0].path == t[0].path {
					m := o[0]
					m.Values = union(m.Values, t[0].Values)
					out[i] = []Demand{m}
					continue next
				}
			}
		}
		out = append(out, t)
	}
	if len(out) == 0 && len(terms) > 0 {
		return nothing
	}
	return out
}

// union gives the values of both, each once.
func union(a, b []string) []string {
	seen := make(map[string]bool, len(a)+len(b))
	out := make([]string, 0, len(a)+len(b))
	for _, list := range [][]string{a, b} {
		for _, v := range list {
			if !seen[v] {
				seen[v] = true
				out = append(out, v)
			}
		}
	}
	return out
}

// chosen gives the condition that holds where iff(condition, a, b) equals a constant, or where a truth
// value made a number does.
func chosen(x, y Expr) (Expr, bool) {
	k, ok := y.(*Const)
	if !ok || k.Value == nil {
		return nil, false
	}
	c, ok := x.(*Call)
	if !ok {
		return nil, false
	}
	switch c.Func {
	case "iff":
		a, ok1 := c.Args[1].(*Const)
		b, ok2 := c.Args[2].(*Const)
		if ok1 && ok2 && a.Value != nil && b.Value != nil && same(a, k) && !same(b, k) {
			return c.Args[0], true
		}
	case "toint", "tolong":
		if c.Args[0].Type() == value.Bool && k.Value == int64(1) {
			return c.Args[0], true
		}
		if in, ok := c.Args[0].(*Call); ok && (in.Func == "toint" || in.Func == "tolong" || in.Func == "iff") {
			return chosen(in, y)
		}
	}
	if x.Type() == value.Bool && k.Value == true {
		return x, true
	}
	return nil, false
}

func same(a, b *Const) bool { return a.Value == b.Value }

// comparison gives the demand that an expression's text equals, or contains, one of several constants.
func comparison(x Expr, consts []Expr, fold, part bool) anyOf {
	col, path, inside, folded := origin(x)
	if col == nil || len(consts) == 0 {
		return everything
	}
	fold = fold || folded
	d := Demand{Column: col.Name, path: path}
	seen := make(map[string]bool, len(consts))
	for _, e := range consts {
		k, ok := e.(*Const)
		if !ok || k.Value == nil {
			return everything
		}
		s, isText := k.Value.(string)
		if !isText || k.T != value.String && k.T != value.GUID {
			return everything
		}
		if inside && (!plainID(s) || likeNumber(s)) || fold && !ascii(s) || s == "" {
			return everything
		}
		if !seen[s] {
			seen[s] = true
			d.Values = append(d.Values, s)
		}
	}
	if col.T == value.GUID {
		fold = true
	}
	switch {
	case inside || part:
		d.Op = Contains
		if fold {
			d.Op = ContainsFold
		}
	case fold:
		d.Op = EqualsFold
	}
	return anyOf{{d}}
}

// origin traces a text to the column that holds it. inside says that the text is part of the column's
// JSON; folded that case was taken from it.
func origin(e Expr) (col *Col, path string, inside, folded bool) {
	switch e := e.(type) {
	case *Col:
		if e.T == value.String || e.T == value.GUID {
			return e, "", false, false
		}
		if e.T == value.Dynamic {
			return e, "", true, false
		}
	case *Path:
		col, path, _, folded = origin(e.X)
		return col, path + StepsText(e.Steps), true, folded
	case *Call:
		if len(e.Args) != 1 {
			return nil, "", false, false
		}
		switch e.Func {
		case elementOf:
			if e.T != value.Dynamic && e.T != value.String {
				// What was converted is written in another way than the text.
				return nil, "", false, false
			}
			col, path, _, folded = origin(e.Args[0])
			return col, path + "[*]", true, folded
		case "tostring", "dynamic_text":
			if t := e.Args[0].Type(); t == value.Dynamic || t == value.String || t == value.GUID {
				return origin(e.Args[0])
			}
		case "tolower":
			col, path, inside, _ = origin(e.Args[0])
			return col, path, inside, true
		}
	}
	return nil, "", false, false
}

// plainID says that a text has only characters that JSON never escapes and that ids are made of.
func plainID(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '.' || c == '_' || c == '@' || c == '-' || c == ' ') {
			return false
		}
	}
	return true
}

// likeNumber says that a text may be, or be part of, a number or a truth value: JSON may write those in
// another way than their text is.
func likeNumber(s string) bool {
	for _, w := range [...]string{"true", "false", "infinity", "nan"} {
		if strings.Contains(w, strings.ToLower(s)) {
			return true
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		sign := c == '-' && (i == 0 || s[i-1]|0x20 == 'e')
		if !(c >= '0' && c <= '9' || c == '.' || c|0x20 == 'e' || sign) {
			return false
		}
	}
	return true
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Prefilter puts what a scan demands of the JSON text of its dynamic columns right above the scan, as a
// search for the text, so that most rows are dropped before their JSON is read. A column of ids that the
// store keeps beside is searched instead where there is one.
func Prefilter(r Rel) Rel {
	d := demandsOf(r)
	return Map(r, func(r Rel) Rel {
		s, ok := r.(*Scan)
		if !ok {
			return r
		}
		terms, ok := d.scans[s]
		if !ok || terms.all() || len(terms) > maxTerms || slices.ContainsFunc(terms, never) {
			return r
		}
		inside := false
		cols := slices.Clone(s.Cols)
		use := func(name string, t value.Type) *Col {
			if Index(cols, name) < 0 {
				cols = append(cols, Column{name, t})
			}
			return &Col{Name: name, T: t}
		}
		var any []Expr
		for _, t := range terms {
			var all []Expr
			for _, dm := range t {
				ct := value.Unknown
				if i := Index(s.Table.Columns, dm.Column); i >= 0 {
					ct = s.Table.Columns[i].Type
				}
				for _, sh := range s.Table.Shadows {
					if sh.Name == dm.Column {
						ct = sh.Type
					}
				}
				if ct == value.Unknown {
					return r
				}
				var c *Col
				if ct == value.Dynamic {
					inside = true
					name := dm.Column
					for _, sh := range s.Table.Shadows {
						if sh.Column == dm.Column && sh.Path == dm.path && sh.Type == value.String {
							name, ct = sh.Name, value.String
						}
					}
					c = use(name, ct)
				} else {
					c = use(dm.Column, ct)
				}
				all = append(all, dm.condition(c))
			}
			any = append(any, join(all, "and"))
		}
		if !inside {
			return r
		}
		var out Rel = &Filter{&Scan{s.Table, cols}, join(any, "or")}
		if len(cols) != len(s.Cols) {
			out = &Project{out, Refs(s.Cols)}
		}
		return out
	})
}

// PrefilterElements puts what a filter demands of the JSON text of the elements that mv-expand made right
// above it, as a search for the text: most elements are dropped before their JSON is read.
func PrefilterElements(r Rel) Rel {
	return Map(r, func(r Rel) Rel {
		f, ok := r.(*Filter)
		if !ok || f.mixes() != "" {
			return r
		}
		x, ok := f.In.(*Expand)
		if !ok {
			return r
		}
		terms := everything
		for _, c := range Conjuncts(f.Cond) {
			terms = both(terms, demandOf(c))
		}
		var any []Expr
		for _, t := range terms {
			var all []Expr
			if never(t) {
				return r
			}
			for _, dm := range t {
				for _, it := range x.Items {
					if it.Name == dm.Column && it.T == value.Dynamic {
						all = append(all, dm.condition(&Col{Name: it.Name, T: it.T}))
					}
				}
			}
			if len(all) == 0 {
				return r
			}
			any = append(any, join(all, "and"))
		}
		return &Filter{&Filter{x, join(any, "or")}, f.Cond}
	})
}

func join(es []Expr, op string) Expr {
	if len(es) == 1 {
		return es[0]
	}
	return &Call{op, es, value.Bool}
}

// condition writes a demand on a column as an expression.
func (d *Demand) condition(c *Col) Expr {
	var x Expr = c
	many := func(function string) Expr {
		list := []Expr{x}
		for _, v := range d.Values {
			list = append(list, Str(v))
		}
		return &Call{function, list, value.Bool}
	}
	switch d.Op {
	case Contains:
		return many("text_contains")
	case ContainsFold, HasFold:
		return many("text_contains_fold")
	case EqualsFold:
		if c.T != value.String {
			x = &Call{"tostring", []Expr{c}, value.String}
		}
		if len(d.Values) == 1 {
			return many("=~")
		}
		return many("in~")
	}
	if len(d.Values) > 1 && c.T == value.String {
		return many("in")
	}
	var any []Expr
	for _, v := range d.Values {
		any = append(any, &Call{"==", []Expr{c, Str(v)}, value.Bool})
	}
	return join(any, "or")
}
