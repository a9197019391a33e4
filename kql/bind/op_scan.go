package bind

import (
	"slices"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// scanSteps is what the expressions of scan may refer to besides the row.
type scanSteps struct {
	names    []string
	columns  []rel.Column // of the input
	declared []rel.StepColumn
}

// initial gives the value that a declared column has before a step assigns it: what its bare name stands for.
func (s *scanSteps) initial(name string) (rel.Expr, bool) {
	if s == nil {
		return nil, false
	}
	for _, d := range s.declared {
		if d.Name == name {
			return d.Default, true
		}
	}
	return nil, false
}

// stepValue binds step.column, the value that the last record of a step has.
func (b *binder) stepValue(e *syntax.Member, en *env) (rel.Expr, bool) {
	n, ok := e.X.(*syntax.Name)
	if !ok || en.steps == nil {
		return nil, false
	}
	k := slices.Index(en.steps.names, n.Name)
	if k < 0 {
		return nil, false
	}
	name := e.Name.Name
	args := []rel.Expr{rel.Long(int64(k)), rel.Str(name)}
	for _, d := range en.steps.declared {
		if d.Name == name {
			return call(rel.StepValue, d.T, args...), true
		}
	}
	if i := rel.Index(en.steps.columns, name); i >= 0 {
		t := en.steps.columns[i].Type
		return call(rel.StepValue, t, append(args, &rel.Col{Name: name, T: t})...), true
	}
	if !en.open {
		cols := slices.Clone(en.steps.columns)
		for _, d := range en.steps.declared {
			cols = append(cols, rel.Column{Name: d.Name, Type: d.T})
		}
		b.unknownColumn(&e.Name, name, cols, nil)
	}
	return unknown(), true
}

// scanOp binds the operator that follows sequences of rows.
func (b *binder) scanOp(o *syntax.Scan, in *table, sc *scope) *table {
	n := &rel.Steps{In: in.rel, Match: o.Params.Word("with_match_id")}
	steps := &scanSteps{columns: in.cols()}
	names := newNames(in.cols())
	for _, p := range o.Declare {
		t, ok := value.ParseType(p.Type)
		if !ok {
			b.errorf(WrongType, p, "", "there is no type %s", p.Type)
			continue
		}
		if names.used[p.Name.Name] {
			b.errorf(DuplicateColumn, p, "give it another name", "the column %s comes twice", p.Name.Name)
			continue
		}
		names.add(p.Name.Name)
		var def rel.Expr = rel.Null(t)
		if p.Default != nil {
			x := b.assign(b.expr(p.Default, &env{sc: sc}), t, p.Default, "the column "+p.Name.Name)
			if usesColumns(x) {
				b.errorf(NotConstant, p.Default, "", "the first value of a declared column must not depend on the rows")
			} else if !isUnknown(x) {
				def = x
			}
		}
		steps.declared = append(steps.declared, rel.StepColumn{Name: p.Name.Name, T: t, Default: def})
	}
	if n.Match != "" && names.used[n.Match] {
		b.errorf(DuplicateColumn, o.Params.Get("with_match_id"), "give it another name", "the column %s comes twice", n.Match)
		n.Match = ""
	}
	n.Out = slices.Clone(steps.declared)
	for _, s := range o.Steps {
		if slices.Contains(steps.names, s.Name.Name) {
			b.errorf(DuplicateColumn, &s.Name, "", "the step %s comes twice", s.Name.Name)
		}
		steps.names = append(steps.names, s.Name.Name)
	}
	e := &env{sc: sc, cols: in.cols(), open: in.open, steps: steps}
	if len(o.OrderBy) > 0 {
		_, n.Keys = b.orderKeys(o.OrderBy, in, sc)
	}
	for _, p := range o.PartitionBy {
		if x := b.expr(p, &env{sc: sc, cols: in.cols(), open: in.open}); !isUnknown(x) {
			n.Per = append(n.Per, x)
		}
	}
	for _, s := range o.Steps {
		step := rel.ScanStep{Name: s.Name.Name, Optional: s.Optional, Output: "all", Cond: b.condition(b.expr(s.Cond, e), s.Cond)}
		switch s.Output {
		case "", "all":
		case "last", "none":
			step.Output = s.Output
		default:
			b.errorf(WrongArguments, s, "use all, last or none", "a step has no output %s", s.Output)
		}
		for _, it := range s.Assign {
			if x, ok := b.stepAssign(it, n, e, in); ok {
				step.Set = append(step.Set, x)
			}
		}
		n.Steps = append(n.Steps, step)
	}
	if len(n.Steps) == 0 {
		return &table{rel: in.rel, open: true}
	}
	for _, s := range n.Steps {
		if isUnknown(s.Cond) {
			return &table{rel: &rel.Values{Cols: n.Columns()}, open: true}
		}
	}
	return in.with(n)
}

// stepAssign binds the assignment of a step. A column of the input may be assigned as a declared one is.
func (b *binder) stepAssign(it *syntax.NamedExpr, n *rel.Steps, e *env, in *table) (rel.Item, bool) {
	if it.Value == nil {
		return rel.Item{}, false
	}
	if it.Name() == "" {
		b.errorf(WrongArguments, it, "write Column = value", "a step assigns values to declared columns")
		return rel.Item{}, false
	}
	name := it.Name()
	x := b.expr(it.Value, e)
	i := slices.IndexFunc(n.Out, func(c rel.StepColumn) bool { return c.Name == name })
	if i < 0 {
		k := rel.Index(in.cols(), name)
		if k < 0 {
			if !in.open {
				b.errorf(UnknownColumn, it, "declare it: scan declare ("+name+":long) with (…)", "there is no column %s", name)
			}
			return rel.Item{}, false
		}
		t := in.cols()[k].Type
		n.Out = append(n.Out, rel.StepColumn{Name: name, T: t, Default: &rel.Col{Name: name, T: t}})
		i = len(n.Out) - 1
	}
	if x = b.assign(x, n.Out[i].T, it, "the column "+name); isUnknown(x) {
		return rel.Item{}, false
	}
	return rel.Item{Name: name, Expr: x}, true
}
