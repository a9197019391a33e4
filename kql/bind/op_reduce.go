package bind

import (
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// reduce groups texts that are alike. A function is given all different texts with their counts and gives the pattern
// of each; the rows find theirs by a join.
func (b *binder) reduce(o *syntax.Reduce, in *table, sc *scope) *table {
	e := &env{sc: sc, cols: in.cols(), open: in.open}
	x := b.expr(o.By, e)
	if isUnknown(x) {
		return openTable()
	}
	if x.Type() != value.String {
		if x.Type() != value.Dynamic {
			b.errorf(WrongType, o.By, convertHint(x.Type(), value.String), "found a value of type %s to reduce, a string is needed", x.Type())
			return openTable()
		}
		x = b.cast(x, value.String)
	}
	threshold, characters := rel.Expr(&rel.Const{Value: 0.1, T: value.Real}), rel.Expr(rel.Str(""))
	for _, p := range o.With {
		v := b.expr(p.Value, &env{sc: sc})
		c, ok := v.(*rel.Const)
		switch {
		case isUnknown(v):
		case !ok:
			b.errorf(NotConstant, p, "", "%s must be a literal", p.Name)
		case strings.EqualFold(p.Name, "threshold") && c.T.Numeric():
			threshold = b.cast(c, value.Real)
		case strings.EqualFold(p.Name, "characters") && c.T == value.String:
			characters = c
		default:
			b.errorf(WrongArguments, p, "write with threshold=0.2, characters=\"-_\"", "reduce takes a number threshold and a text characters")
		}
	}
	text, pattern := b.hiddenName("text"), "Pattern"
	rows := &rel.Project{In: in.rel, Items: append(rel.Refs(in.cols()), rel.Item{Name: text, Expr: x})}
	col := &rel.Col{Name: text, T: value.String}
	const n = "$n"
	counted := &rel.Aggregate{In: rows, Keys: []rel.Item{{Name: text, Expr: col}}, Aggs: []rel.Item{{Name: n, Expr: countCall()}}}
	pair := call("bag_pack", value.Dynamic, rel.Str("v"), col, rel.Str("n"), &rel.Col{Name: n, T: value.Long})
	listed := &rel.Aggregate{In: counted, Aggs: []rel.Item{{Name: "$list", Expr: call("make_list", value.Dynamic, pair)}}}
	patterns := call("reduce_patterns", value.Dynamic, &rel.Scalar{Rel: listed, T: value.Dynamic}, threshold, characters)
	one := &rel.Values{Cols: []rel.Column{{Name: "$found", Type: value.Dynamic}}, Rows: [][]rel.Expr{{patterns}}}
	found := &rel.Col{Name: "$found", T: value.Dynamic}
	field := func(key string) rel.Expr {
		return b.cast(&rel.Path{X: found, Steps: []rel.Step{rel.Field(key)}}, value.String)
	}
	table := &rel.Project{In: &rel.Expand{In: one, Items: []rel.ExpandItem{{Name: "$found", Expr: found, T: value.Dynamic}}},
		Items: []rel.Item{{Name: "$v", Expr: field("v")}, {Name: "$p", Expr: field("p")}, {Name: "$r", Expr: field("r")}}}
	j := &rel.Join{Kind: rel.Inner, L: rows, R: table, On: []rel.JoinKey{{L: &rel.Col{Name: text, T: value.String, Side: rel.Left}, R: &rel.Col{Name: "$v", T: value.String, Side: rel.Right}}}}
	p, r := rel.Column{Name: "$p", Type: value.String}, rel.Column{Name: "$r", Type: value.String}
	out := func(c rel.Column) {
		j.Out = append(j.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Right}})
	}
	if o.Params.Word("kind") != "source" {
		out(p)
		out(r)
		return in.with(&rel.Aggregate{In: j, Keys: []rel.Item{{Name: pattern, Expr: &rel.Col{Name: "$p", T: value.String}}},
			Aggs: []rel.Item{{Name: "Count", Expr: countCall()}, {Name: "Representative", Expr: call("max", value.String, &rel.Col{Name: "$r", T: value.String})}}})
	}
	for _, c := range in.cols() {
		j.Out = append(j.Out, rel.JoinColumn{Name: c.Name, From: rel.Col{Name: c.Name, T: c.Type, Side: rel.Left}})
	}
	out(p)
	names := newNames(in.cols())
	return in.with(&rel.Project{In: j, Items: append(rel.Refs(in.cols()), rel.Item{Name: names.fresh(pattern), Expr: &rel.Col{Name: "$p", T: value.String}})})
}
