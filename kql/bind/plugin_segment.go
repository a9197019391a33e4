package bind

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// The plugins that find segments, values of some columns that many rows share: autocluster, basket and
// diffpatterns. The engine counts and numbers the frequent values of each column; a function in Go is given
// the different rows of numbers and chooses; the numbers it gives back become values again by a join.

// frequentValues numbers the frequent values V of a column, the commonest first.
const frequentValues = `
A
| where isnotnull(V)
| summarize NA = sum(WA), NB = sum(WB) by V
| where NA > 0 and NA >= LeastA or NB > 0 and NB >= LeastB
| sort by NA + NB desc, V asc
| take Most
| extend I = row_number(0)
| project V, I`

// Bounds: mostValues on the frequent values of a column, maxDimensions on the columns.
const (
	mostValues    = 150
	maxDimensions = 100
	maxCells      = 10_000_000 // of all different rows; the function in Go says so if there are more
)

// segments is a search for them.
type segments struct {
	p        *plugin
	function string
	weight   *rel.Column // nil if every row weighs 1
	dims     []rel.Column
	wild     map[value.Type]rel.Expr
	// setA and setB are the conditions of diffpatterns' two sets, nil for the other plugins.
	setA, setB rel.Expr
	share      float64
	number     int64
	// least says, of what a set weighs in all, how much a frequent value weighs.
	least func(total rel.Expr) rel.Expr
}

func (p *plugin) autocluster() *table {
	s := &segments{p: p, function: "autocluster_segments", weight: p.weight(1), wild: p.wildcards()}
	s.share = p.between(0, 0.5, 0, 1)
	s.number = int64(p.between(2, 25, 1, 1000))
	s.least = func(total rel.Expr) rel.Expr {
		return call("min_of", value.Real, numeral(2), call("/", value.Real, total, numeral(100)))
	}
	return s.find()
}

func (p *plugin) basket() *table {
	s := &segments{p: p, function: "basket_segments", weight: p.weight(1), wild: p.wildcards()}
	s.share = p.between(0, 0.05, 0.015, 1)
	s.number = int64(p.between(2, 5, 1, 100))
	s.least = s.part
	return s.find()
}

func (p *plugin) diffpatterns() *table {
	s := &segments{p: p, function: "diffpatterns_segments", weight: p.weight(3), wild: p.wildcards()}
	s.share = p.between(4, 0.05, 0.015, 1)
	s.number = int64(p.between(5, 100, 1, 100))
	s.least = s.part
	split, ok := p.column(0)
	if !ok {
		return nil
	}
	set := func(i int) rel.Expr {
		x := p.cast(&rel.Col{Name: split.Name, T: split.Type}, value.String)
		if split.Type == value.Bool {
			return call("=~", value.Bool, x, rel.Str(p.text(i)))
		}
		return call("==", value.Bool, x, rel.Str(p.text(i)))
	}
	s.setA, s.setB = set(1), set(2)
	for _, c := range p.in.cols() {
		if c.Name != split.Name {
			s.dims = append(s.dims, c)
		}
	}
	return s.find()
}

// isDefault says that an argument is left out, or is the text ~ that stands for it.
func isDefault(a *syntax.NamedExpr) bool {
	if a == nil {
		return true
	}
	l, ok := a.Value.(*syntax.StringLit)
	return ok && l.Value == "~"
}

// between gives a literal number between two others.
func (p *plugin) between(i int, def, least, most float64) float64 {
	if isDefault(p.args[i]) {
		return def
	}
	n := def
	switch v := p.constant(i).(type) {
	case nil:
		return def
	case int64:
		n = float64(v)
	case float64:
		n = v
	default:
		n = math.NaN()
	}
	if !(n >= least && n <= most) {
		p.wrong(p.args[i], `write "~" for the default`, "%s of %s must be a number from %g to %g", p.f.Params[i].Name, p.f.Name, least, most)
	}
	return n
}

// weight gives the column that says how much each row counts.
func (p *plugin) weight(i int) *rel.Column {
	if isDefault(p.args[i]) {
		return nil
	}
	c, ok := p.column(i)
	if ok && !c.Type.Numeric() {
		p.failed = true
		p.errorf(WrongType, p.args[i], "", "found a column of type %s as %s of %s, a number is needed", c.Type, p.f.Params[i].Name, p.f.Name)
	}
	return &c
}

// wildcards gives by type what stands in a column whose value is not part of a segment.
func (p *plugin) wildcards() map[value.Type]rel.Expr {
	out := map[value.Type]rel.Expr{}
	for _, a := range p.rest {
		if isDefault(a) {
			continue
		}
		x := p.expr(a.Value, &env{sc: p.sc})
		c, ok := x.(*rel.Const)
		switch {
		case isUnknown(x):
			p.failed = true
		case !ok:
			p.failed = true
			p.errorf(NotConstant, a, `write a literal of each type: "*", int(-1), real(-1)`, "a wildcard of %s must be a literal", p.f.Name)
		default:
			out[c.T] = c
		}
	}
	return out
}

// part is the share of a weight.
func (s *segments) part(total rel.Expr) rel.Expr {
	return call("*", value.Real, numeral(s.share), total)
}

func (s *segments) find() *table {
	p := s.p
	if p.failed || p.in.open {
		p.failed = true
		return nil
	}
	if s.setA == nil {
		s.dims = p.in.cols()
	}
	var dims []rel.Column
	for _, c := range s.dims {
		if s.weight == nil || c.Name != s.weight.Name {
			dims = append(dims, c)
		}
	}
	if s.dims = dims; len(dims) == 0 || len(dims) > maxDimensions {
		p.wrong(p.call, "choose them with project before it", "%s looks at 1 to %d columns, there are %d", p.f.Name, maxDimensions, len(dims))
		return nil
	}
	rows := s.rows()
	totals := &rel.Shared{Name: "weights", In: &rel.Aggregate{In: rows, Aggs: []rel.Item{{Name: "A", Expr: call("sum", value.Real, realCol("WA"))}, {Name: "B", Expr: call("sum", value.Real, realCol("WB"))}}}}
	total := func(name string) rel.Expr {
		return &rel.Scalar{Rel: &rel.Project{In: totals, Items: []rel.Item{{Name: name, Expr: realCol(name)}}}, T: value.Real}
	}
	tables := map[string]*table{"A": p.in.with(rows)}
	for i, c := range s.dims {
		v := rel.Column{Name: dimension(i), Type: textForm(c.Type)}
		one := &rel.Project{In: rows, Items: []rel.Item{{Name: "V", Expr: &rel.Col{Name: v.Name, T: v.Type}}, {Name: "WA", Expr: realCol("WA")}, {Name: "WB", Expr: realCol("WB")}}}
		t := p.macro(frequentValues, map[string]*table{"A": p.in.with(one)}, map[string]rel.Expr{"LeastA": s.least(total("A")), "LeastB": s.least(total("B")), "Most": rel.Long(mostValues)})
		if t == nil {
			return nil
		}
		named := &rel.Project{In: t.rel, Items: []rel.Item{{Name: v.Name, Expr: &rel.Col{Name: "V", T: v.Type}}, {Name: numberOf(i), Expr: &rel.Col{Name: "I", T: value.Long}}}}
		tables["F"+v.Name] = p.in.with(&rel.Shared{Name: "values of " + c.Name, In: named})
	}
	listed := s.macro(tables, "A", func(i int) string { return dimension(i) }, func(numbers string) string {
		return "\n| summarize NA = sum(WA), NB = sum(WB) by " + numbers + "\n| project R = pack_array(NA, NB, " + s.each(func(i int) string { return "coalesce(" + numberOf(i) + ", -1)" }) + ")\n| summarize L = make_list(pack_array(R), " + strconv.Itoa(maxCells/len(s.dims)) + ")"
	})
	if listed == nil {
		return nil
	}
	found := s.chosen(call(s.function, value.Dynamic, &rel.Scalar{Rel: listed.rel, T: value.Dynamic}, total("A"), total("B"), numeral(s.share), rel.Long(s.number)))
	tables["P"] = p.in.with(found)
	named := s.macro(tables, "P", numberOf, func(string) string { return "\n| sort by S asc" })
	if named == nil {
		return nil
	}
	return s.result(named)
}

func numeral(f float64) rel.Expr { return &rel.Const{Value: f, T: value.Real} }

func realCol(name string) rel.Expr { return &rel.Col{Name: name, T: value.Real} }

func numberOf(i int) string { return "I" + dimension(i) }

// textForm gives the type in which values are compared: those of dynamic columns as texts.
func textForm(t value.Type) value.Type {
	if t == value.Dynamic {
		return value.String
	}
	return t
}

// rows gives the columns as D00, D01, … and what each row weighs in the first set and in the second.
func (s *segments) rows() rel.Rel {
	p := s.p
	var items []rel.Item
	for i, c := range s.dims {
		items = append(items, rel.Item{Name: dimension(i), Expr: p.cast(&rel.Col{Name: c.Name, T: c.Type}, textForm(c.Type))})
	}
	var w rel.Expr = numeral(1)
	if s.weight != nil {
		w = call("coalesce", value.Real, p.cast(&rel.Col{Name: s.weight.Name, T: s.weight.Type}, value.Real), numeral(0))
		w = call("max_of", value.Real, w, numeral(0))
	}
	in := func(set rel.Expr) rel.Expr { return call("iff", value.Real, set, w, numeral(0)) }
	a, b := w, rel.Expr(numeral(0))
	if s.setA != nil {
		a, b = in(s.setA), in(s.setB)
	}
	items = append(items, rel.Item{Name: "WA", Expr: a}, rel.Item{Name: "WB", Expr: b})
	weighs := call(">", value.Bool, call("+", value.Real, realCol("WA"), realCol("WB")), numeral(0))
	return &rel.Shared{Name: "rows", In: &rel.Filter{In: &rel.Project{In: p.in.rel, Items: items}, Cond: weighs}}
}

func (s *segments) each(f func(i int) string) string {
	parts := make([]string, len(s.dims))
	for i := range parts {
		parts[i] = f(i)
	}
	return strings.Join(parts, ", ")
}

// macro looks up each column of a table in the table of its frequent values, by value or by number.
func (s *segments) macro(tables map[string]*table, from string, by func(int) string, then func(numbers string) string) *table {
	var b strings.Builder
	b.WriteString(from)
	for i := range s.dims {
		fmt.Fprintf(&b, "\n| lookup kind=leftouter F%s on %s", dimension(i), by(i))
	}
	b.WriteString(then(s.each(numberOf)))
	return s.p.macro(b.String(), tables, nil)
}

// chosen makes a table of the segments that the function gives.
func (s *segments) chosen(x rel.Expr) rel.Rel {
	const found = "$found"
	one := &rel.Values{Cols: []rel.Column{{Name: found, Type: value.Dynamic}}, Rows: [][]rel.Expr{{x}}}
	col := &rel.Col{Name: found, T: value.Dynamic}
	part := func(i int, t value.Type) rel.Expr {
		return s.p.cast(&rel.Path{X: col, Steps: []rel.Step{rel.Element(i)}}, t)
	}
	items := []rel.Item{{Name: "S", Expr: part(0, value.Long)}, {Name: "NA", Expr: part(1, value.Real)}, {Name: "NB", Expr: part(2, value.Real)},
		{Name: "PA", Expr: part(3, value.Real)}, {Name: "PB", Expr: part(4, value.Real)}, {Name: "D", Expr: part(5, value.Real)}}
	for i := range s.dims {
		items = append(items, rel.Item{Name: numberOf(i), Expr: part(6+i, value.Long)})
	}
	return &rel.Project{In: &rel.Expand{In: one, Items: []rel.ExpandItem{{Name: found, Expr: col, T: value.Dynamic}}}, Items: items}
}

// result gives the columns of the result.
func (s *segments) result(t *table) *table {
	p := s.p
	whole := func(name string) rel.Expr {
		return p.cast(call("round", value.Real, realCol(name)), value.Long)
	}
	items := []rel.Item{{Name: "SegmentId", Expr: &rel.Col{Name: "S", T: value.Long}}}
	if s.setA == nil {
		items = append(items, rel.Item{Name: "Count", Expr: whole("NA")}, rel.Item{Name: "Percent", Expr: realCol("PA")})
	} else {
		rounded := func(name string) rel.Expr { return call("round", value.Real, realCol(name), rel.Long(2)) }
		items = append(items, rel.Item{Name: "CountA", Expr: whole("NA")}, rel.Item{Name: "CountB", Expr: whole("NB")},
			rel.Item{Name: "PercentA", Expr: rounded("PA")}, rel.Item{Name: "PercentB", Expr: rounded("PB")}, rel.Item{Name: "PercentDiffAB", Expr: rounded("D")})
	}
	names := newNames(itemCols(items))
	for i, c := range s.dims {
		var v rel.Expr = &rel.Col{Name: dimension(i), T: textForm(c.Type)}
		if c.Type == value.Dynamic {
			v = p.convert("parse_json", v)
		}
		wild, ok := s.wild[c.Type]
		if !ok {
			wild = rel.Null(c.Type)
		}
		chosen := call(">=", value.Bool, &rel.Col{Name: numberOf(i), T: value.Long}, rel.Long(0))
		items = append(items, rel.Item{Name: names.fresh(c.Name), Expr: call("iff", c.Type, chosen, v, wild)})
	}
	return p.in.with(&rel.Project{In: t.rel, Items: items})
}
