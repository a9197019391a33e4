package bind

import (
	"strconv"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/value"
)

// narrow makes a row of every cell.
func (p *plugin) narrow() *table {
	var cells []rel.Expr
	for _, c := range p.in.cols() {
		cells = append(cells, call("pack_array", value.Dynamic, rel.Str(c.Name), p.cast(&rel.Col{Name: c.Name, T: c.Type}, value.String)))
	}
	row, cell := p.hiddenName("number"), p.hiddenName("cell")
	var r rel.Rel = &rel.Project{In: p.in.rel, Items: []rel.Item{{Name: row, Expr: call("row_number", value.Long, rel.Long(0))}, {Name: cell, Expr: call("pack_array", value.Dynamic, cells...)}}}
	r = &rel.Expand{In: r, Items: []rel.ExpandItem{{Name: cell, Expr: &rel.Col{Name: cell, T: value.Dynamic}, T: value.Dynamic}}, Drop: true}
	part := func(i int) rel.Expr {
		return call("tostring", value.String, &rel.Path{X: &rel.Col{Name: cell, T: value.Dynamic}, Steps: []rel.Step{rel.Element(i)}})
	}
	return p.in.with(&rel.Project{In: r, Items: []rel.Item{{Name: "Row", Expr: &rel.Col{Name: row, T: value.Long}}, {Name: "Column", Expr: part(0)}, {Name: "Value", Expr: part(1)}}})
}

// preview gives the first rows. The number of all rows, which Kusto gives as a second table, is left out: a
// query gives one table.
func (p *plugin) preview() *table {
	n := p.whole(0, 0)
	if n < 0 {
		p.wrong(p.args[0], "", "the number of rows cannot be negative")
	}
	return p.in.with(&rel.Limit{In: p.in.rel, N: rel.Long(n)})
}

// dcountIntersect counts what is in the first of several sets, in the first two of them, and so on. A set is what
// hll has kept of the values of a column.
func (p *plugin) dcountIntersect() *table {
	var sets []rel.Expr
	for _, a := range p.rest {
		x := p.expr(a.Value, &env{sc: p.sc, cols: p.in.cols(), open: p.in.open})
		if isUnknown(x) {
			return nil
		}
		if x.Type() != value.Dynamic {
			p.failed = true
			p.errorf(WrongType, a, "give what hll() gives", "found a value of type %s for a set of dcount_intersect, dynamic is needed", x.Type())
			return nil
		}
		sets = append(sets, x)
	}
	if len(sets) < 2 || len(sets) > 16 {
		p.wrong(p.call, "", "dcount_intersect takes between 2 and 16 sets, not %d", len(sets))
		return nil
	}
	counts := p.hiddenName("counts")
	r := &rel.Project{In: p.in.rel, Items: append(rel.Refs(p.in.cols()), rel.Item{Name: counts, Expr: call("hll_intersect", value.Dynamic, sets...)})}
	items, n := rel.Refs(p.in.cols()), newNames(p.in.cols())
	for i := range sets {
		items = append(items, rel.Item{Name: n.fresh("s" + strconv.Itoa(i)), Expr: p.cast(&rel.Path{X: &rel.Col{Name: counts, T: value.Dynamic}, Steps: []rel.Step{rel.Element(i)}}, value.Long)})
	}
	return p.in.with(&rel.Project{In: r, Items: items})
}

// schemaMerge makes one schema of several, as getschema gives them. With PreserveOrder a column must be at the
// same place in all of them.
const schemaMerge = `
T
| summarize Types = make_set(ColumnType), DataType = take_any(DataType), First = min(ColumnOrdinal), Last = max(ColumnOrdinal) by ColumnName
| extend Wide = iff(array_length(Types) == 1, tostring(Types[0]),
    iff(array_length(set_difference(Types, dynamic(["int", "long"]))) == 0, "long",
    iff(array_length(set_difference(Types, dynamic(["int", "long", "real"]))) == 0, "real", "")))
| extend Wrong = case(PreserveOrder and First != Last, "ERROR(columns are out of order)", Wide == "", "ERROR(conflicting types)", "")
| extend Rank = iff(Wrong == "", 0, 1)
| sort by Rank asc, Last asc, First asc, ColumnName asc
| extend ColumnOrdinal = iff(Wrong == "", row_number(0), -1),
    DataType = case(Wrong != "", strcat("ERROR(unknown CSL type:", Wrong, ")"), array_length(Types) == 1, DataType, Wide == "long", "System.Int64", "System.Double"),
    ColumnType = iff(Wrong == "", Wide, Wrong)
| project ColumnName, ColumnOrdinal, DataType, ColumnType`

func (p *plugin) schemaMerge() *table {
	for _, c := range []rel.Column{{Name: "ColumnName", Type: value.String}, {Name: "ColumnOrdinal", Type: value.Long}, {Name: "DataType", Type: value.String}, {Name: "ColumnType", Type: value.String}} {
		if i := rel.Index(p.in.cols(), c.Name); !p.in.open && (i < 0 || p.in.cols()[i].Type != c.Type && !(p.in.cols()[i].Type.Integer() && c.Type.Integer())) {
			p.wrong(p.call, "apply it to what getschema gives", "schema_merge needs the column %s:%s", c.Name, c.Type)
			return nil
		}
	}
	order := p.flag(0, true)
	if p.failed || p.in.open {
		return nil
	}
	return p.macro(schemaMerge, map[string]*table{"T": p.in}, map[string]rel.Expr{"PreserveOrder": rel.Bool(order)})
}

// rollingPercentile: a value counts in its own bin and in those after it whose windows reach back to it.
const rollingPercentile = `
let A = materialize(T | extend B = bin(Time, BinSize));
let Last = toscalar(A | summarize max(B));
A
| mv-expand W = range(B, min_of(B + BinSize * (BinsPerWindow - 1), Last), BinSize) to typeof(⟨type⟩)
| summarize P = percentile(Value, Percentile) by Time = W⟨dims⟩`

func (p *plugin) rollingPercentile() *table {
	v, ok := p.column(0)
	if !ok {
		return nil
	}
	l := p.timeline(-1, 2, p.rest, rel.Item{Name: "Value", Expr: &rel.Col{Name: v.Name, T: v.Type}})
	if l == nil {
		return nil
	}
	l.distances(p, 3)
	bins := p.whole(4, 1)
	pct := p.value(1)
	if p.failed {
		return nil
	}
	c, ok := pct.(*rel.Const)
	if !ok || !c.T.Numeric() {
		p.failed = true
		p.errorf(NotConstant, p.args[1], "", "Percentile of rolling_percentile must be a literal number")
		return nil
	}
	if bins < 1 || bins > 10000 {
		p.wrong(p.args[4], "", "a window has 1 to 10000 bins, not %d", bins)
		return nil
	}
	l.values["BinsPerWindow"], l.values["Percentile"] = rel.Long(bins), c
	name := "rolling_" + value.JSON(bins) + "_percentile_" + v.Name + "_" + strings.Trim(value.JSON(c.Value), `"`)
	return l.run(p, rollingPercentile, [2]string{"Time"}, [2]string{"dims"}, [2]string{"P", name})
}

// rowsNear gives the rows for which a condition holds and those close to them.
const rowsNear = `
let A = materialize(T | serialize | extend ['$at'] = row_number());
let Hits = A | where ['$hit'] | project H = ['$at'];
A
| where ['$at'] in (Hits | mv-expand N = range(H - Before, H + After, 1) to typeof(long) | project N)
| sort by ['$at'] asc`

func (p *plugin) rowsNear() *table {
	cond := p.expr(p.args[0].Value, &env{sc: p.sc, cols: p.in.cols(), open: p.in.open})
	if isUnknown(cond) {
		p.failed = true
		return nil
	}
	cond = p.condition(cond, p.args[0])
	before := p.whole(1, 0)
	after := p.whole(2, before)
	if p.failed {
		return nil
	}
	if before < 0 || after < 0 || before > 100000 || after > 100000 {
		p.wrong(p.call, "", "rows_near takes 0 to 100000 rows before and after")
		return nil
	}
	marked := p.in.with(&rel.Project{In: p.in.rel, Items: append(rel.Refs(p.in.cols()), rel.Item{Name: "$hit", Expr: cond})})
	t := p.macro(rowsNear, map[string]*table{"T": marked}, map[string]rel.Expr{"Before": rel.Long(before), "After": rel.Long(after)})
	if t == nil {
		return nil
	}
	s, ok := t.rel.(*rel.Sort)
	if !ok {
		return t
	}
	return p.in.with(&rel.Project{In: s, Items: rel.Refs(p.in.cols())})
}
