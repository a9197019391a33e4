package bind

import (
	"fmt"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// sequenceDetect gives every run of rows, one a step, in which each comes after the one before it and soon
// enough, and that agree in the dimensions.
func (p *plugin) sequenceDetect() *table {
	e := &env{sc: p.sc, cols: p.in.cols(), open: p.in.open}
	// The steps are the conditions, the dimensions what follows them.
	var steps []rel.Item
	n := newNames(nil)
	rest := p.rest
	for len(rest) > 0 {
		a := rest[0]
		if name, ok := a.Value.(*syntax.Name); ok && len(steps) > 0 {
			if i := rel.Index(p.in.cols(), name.Name); i >= 0 && p.in.cols()[i].Type != value.Bool {
				break
			}
		}
		x := p.expr(a.Value, e)
		if isUnknown(x) {
			p.failed = true
			return nil
		}
		if x.Type() != value.Bool {
			break
		}
		name := a.Name()
		if name == "" {
			name = nameOf(a.Value)
		}
		if name == "" {
			name = n.column()
		} else {
			name = n.fresh(name)
		}
		steps = append(steps, rel.Item{Name: name, Expr: x})
		rest = rest[1:]
	}
	if len(steps) == 0 || len(steps) > 16 {
		p.wrong(p.call, "write for example: sequence_detect(Time, 10m, 1h, first = A == 1, then = A == 2, User)", "sequence_detect takes 1 to 16 conditions")
		return nil
	}
	var more []rel.Item
	for i, s := range steps {
		more = append(more, rel.Item{Name: fmt.Sprintf("S%d", i), Expr: s.Expr})
	}
	l := p.timeline(-1, 0, rest, more...)
	if l == nil {
		return nil
	}
	l.distances(p, 1, 2)
	var b strings.Builder
	b.WriteString("let A = materialize(T | extend K = 1);\nA | where S0 | distinct K, T0 = Time⟨dims⟩\n")
	for i := 1; i < len(steps); i++ {
		fmt.Fprintf(&b, "| join kind=inner (A | where S%d | distinct K, T%d = Time⟨dims⟩) on K⟨dims⟩\n", i, i)
		fmt.Fprintf(&b, "| where T%d > T%d and T%d - T%d <= MaxSequenceStepWindow and T%d - T0 <= MaxSequenceSpan\n", i, i-1, i, i-1, i)
		b.WriteString("| project K⟨dims⟩")
		for k := range i + 1 {
			fmt.Fprintf(&b, ", T%d", k)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "| extend Duration = T%d - T0", len(steps)-1)
	out := [][2]string{{"dims"}}
	for i, s := range steps {
		out = append(out, [2]string{fmt.Sprintf("T%d", i), s.Name + "_" + l.time.Name})
	}
	return l.run(p, b.String(), append(out, [2]string{"Duration", "Duration"})...)
}

// funnelCompletion counts, for each of several spans, who reached each state of a sequence within the span
// after the first state.
func (p *plugin) funnelCompletion() *table {
	state, ok := p.column(5)
	if !ok {
		return nil
	}
	list := func(i int) []any {
		x := p.value(i)
		if x == nil {
			return nil
		}
		c, ok := x.(*rel.Const)
		var l []any
		if ok && c.T == value.Dynamic && c.Value != nil {
			v, _ := value.ParseJSON(c.Value.(string))
			l, _ = v.([]any)
		}
		if len(l) == 0 || len(l) > 16 {
			p.wrong(p.args[i], "write dynamic([…])", "%s of %s must be a list of 1 to 16 literals", p.f.Params[i].Name, p.f.Name)
			return nil
		}
		return l
	}
	sequence, spans := list(6), list(7)
	if p.failed {
		return nil
	}
	l := p.timeline(0, 1, nil, rel.Item{Name: "State", Expr: p.cast(&rel.Col{Name: state.Name, T: state.Type}, value.String)})
	if l == nil {
		return nil
	}
	l.points(p, 2, 3)
	l.distances(p, 4)
	var b strings.Builder
	b.WriteString("let A = materialize(T | where Time between (Start .. End) | project Id, Time, State, B = bin_at(Time, Step, Start));\n")
	b.WriteString("let F0 = materialize(A | where State == Q0 | distinct Id, B, T0 = Time, Last = Time);\n")
	for i, s := range sequence {
		l.values[fmt.Sprintf("Q%d", i)] = rel.Str(value.Text(s))
		if i > 0 {
			fmt.Fprintf(&b, "let F%d = materialize(F%d | join kind=inner (A | where State == Q%d | project Id, Next = Time) on Id | where Next > Last and Next - T0 <= Longest | summarize Last = min(Next) by Id, B, T0);\n", i, i-1, i)
		}
	}
	var longest rel.Expr
	var branches []string
	for k, s := range spans {
		x := p.spanOf(s, l.distance())
		if x == nil {
			p.wrong(p.args[7], "", "%s is no %s", value.Text(s), l.distance())
			return nil
		}
		l.values[fmt.Sprintf("P%d", k)] = x
		if longest == nil || x.Value.(int64) > longest.(*rel.Const).Value.(int64) {
			longest = x
		}
		for i := range sequence {
			branches = append(branches, fmt.Sprintf("(F%d | where Last - T0 <= P%d | summarize N = dcount(Id) by Time = B | extend Name = Q%d, Period = P%d)", i, k, i, k))
		}
	}
	l.values["Longest"] = longest
	b.WriteString("union " + strings.Join(branches, ", "))
	return l.run(p, b.String(), [2]string{"Time"}, [2]string{"Name", state.Name}, [2]string{"Period", "Period"}, [2]string{"N", "dcount"})
}

// spanOf reads an element of a list of spans, nil if it is none.
func (p *plugin) spanOf(v any, t value.Type) *rel.Const {
	switch v := v.(type) {
	case string:
		if s, ok := value.ParseTimeSpan(v); ok && t == value.TimeSpan {
			return &rel.Const{Value: int64(s), T: t}
		}
	case int64:
		if t == value.Long {
			return rel.Long(v)
		}
	}
	return nil
}
