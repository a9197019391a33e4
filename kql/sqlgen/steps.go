package sqlgen

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"glassward/kql/eval"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// An UnsupportedError says what of a query cannot be run.
type UnsupportedError struct{ What string }

// Error gives what cannot be run.
func (e *UnsupportedError) Error() string { return e.What }

// steps numbers the rows, gives the rows of each partition as text to a machine of package eval, and joins what
// comes out back to the rows. What depends on a row alone is computed by the engine; the machine gets the rest
// as a program.
func (g *gen) steps(n *rel.Steps) string {
	cols := n.In.Columns()
	ids := idents(cols)
	x := &exprs{g: g, ids: ids}
	m := &machine{x: x, n: n, cells: map[string]int{}}
	m.m.Lineage = n.Causes != nil
	for _, o := range n.Out {
		m.m.Out = append(m.m.Out, eval.MachineColumn{Type: o.T.String(), Default: m.expr(o.Default)})
	}
	for _, s := range n.Steps {
		m.reads = map[int]bool{}
		step := eval.MachineStep{Optional: s.Optional, Output: s.Output, Cond: m.expr(s.Cond), Set: map[int]*eval.MachineExpr{}}
		for _, it := range s.Set {
			for i, o := range n.Out {
				if o.Name == it.Name {
					step.Set[i] = m.expr(it.Expr)
				}
			}
		}
		for i := range n.Steps {
			if m.reads[i] {
				step.Reads = append(step.Reads, i)
			}
		}
		m.m.Steps = append(m.m.Steps, step)
	}
	program, err := json.Marshal(&m.m)
	if err != nil {
		g.fail("%s", err)
	}
	if _, err := eval.ReadMachine(string(program)); err != nil {
		panic(failure{&UnsupportedError{err.Error()}})
	}

	order := ""
	if len(n.Keys) > 0 {
		order = "ORDER BY " + g.orderBy(n.Keys, cols, "")
	}
	rows := "SELECT *, row_number() OVER (" + order + ") AS \"$n\""
	for i, e := range n.Per {
		rows += ", " + x.value(e) + " AS \"$p" + strconv.Itoa(i) + "\""
	}
	for i, c := range m.sql {
		rows += ", " + g.grow(c) + " AS \"$c" + strconv.Itoa(i) + "\""
	}
	in := g.from(n.In)
	numbered := "rows_" + strconv.Itoa(len(g.ctes)+1)
	g.ctes = append(g.ctes, cte{numbered, rows + "\nFROM " + in, true})
	cells := []string{"\"$n\"::VARCHAR"}
	for i := range m.sql {
		cells = append(cells, "\"$c"+strconv.Itoa(i)+"\"::VARCHAR")
	}
	var per []string
	for i := range n.Per {
		per = append(per, "\"$p"+strconv.Itoa(i)+"\"")
	}
	matched := "SELECT min(\"$n\") AS \"$first\", kql_scan(" + text(string(program)) + ", '[' || string_agg(json_array(" + strings.Join(cells, ", ") + ")::VARCHAR, ',' ORDER BY \"$n\") || ']') AS m\n    FROM " + numbered
	if len(per) > 0 {
		matched += "\n    GROUP BY " + strings.Join(per, ", ")
	}
	unnested := "SELECT \"$first\", unnest(json_extract(m, '$[*]')) AS o, unnest(range(json_array_length(m)::BIGINT)) AS i\n  FROM (" + matched + ")"
	matches := "matches_" + strconv.Itoa(len(g.ctes)+1)
	g.ctes = append(g.ctes, cte{matches, unnested, true})
	outCols := n.Columns()
	out := idents(outCols)
	assigned := map[string]string{}
	for i, o := range n.Out {
		assigned[o.Name] = cellSQL("json_extract_string(o.o, '$["+strconv.Itoa(i+2)+"]')", o.T)
	}
	if n.Match != "" {
		assigned[n.Match] = cellSQL("json_extract_string(o.o, '$[1]')", value.Long)
	}
	causes := ""
	if n.Causes != nil && rel.Index(n.In.Columns(), n.Causes.Name) >= 0 { // unless nothing reads the ids
		// The lists of all rows that a result row was made of become one.
		l := ids[n.Causes.Name]
		causes = "\nLEFT JOIN (SELECT u.f, u.i, " + lineageMerge("c."+l) + " AS l FROM (SELECT \"$first\" AS f, i, unnest(json_extract_string(o, '$[" +
			strconv.Itoa(len(n.Out)+2) + "][*]'))::BIGINT AS n FROM " + matches + ") AS u JOIN " + numbered + " AS c ON c.\"$n\" = u.n GROUP BY u.f, u.i) AS l ON l.f = o.\"$first\" AND l.i = o.i"
		assigned[n.Causes.Name] = "l.l"
	}
	sel := make([]string, len(outCols))
	for i, c := range outCols {
		if e, ok := assigned[c.Name]; ok {
			sel[i] = e + " AS " + out[c.Name]
		} else {
			sel[i] = "r." + ids[c.Name] + " AS " + out[c.Name]
		}
	}
	if len(sel) == 0 {
		sel = []string{"1 AS \"$one\""}
	}
	return "SELECT " + strings.Join(sel, ",\n  ") + "\nFROM " + matches + " AS o\nJOIN " + numbered +
		" AS r ON r.\"$n\" = json_extract_string(o.o, '$[0]')::BIGINT" + causes + "\nORDER BY o.\"$first\", o.i"
}

// cellSQL reads a value from the text that stands for it between a machine and the engine.
func cellSQL(s string, t value.Type) string {
	switch t {
	case value.String:
		return "coalesce(" + s + ", '')"
	case value.Dynamic:
		return s
	}
	return s + "::" + sqlType(t)
}

// machine writes the program of Steps.
type machine struct {
	x     *exprs
	n     *rel.Steps
	m     eval.Machine
	sql   []string       // the cells of a row
	cells map[string]int // by their SQL
	reads map[int]bool   // the steps that the current step's expressions read
	state []string       // the names of what is kept
}

// expr writes an expression of a step.
func (m *machine) expr(e rel.Expr) *eval.MachineExpr {
	t := e.Type().String()
	if c, ok := e.(*rel.Const); ok {
		return constExpr(c)
	}
	if !readsState(e) {
		return &eval.MachineExpr{F: "cell", T: t, I: m.cell(m.x.value(e), t)}
	}
	switch e := e.(type) {
	case *rel.Path:
		p := &eval.MachineExpr{F: "path", T: t, A: []*eval.MachineExpr{m.expr(e.X)}}
		for _, s := range e.Steps {
			p.P = append(p.P, eval.MachinePath{Key: s.Key, At: s.Index})
		}
		return p
	case *rel.Call:
		if e.Func == rel.StepValue {
			return m.value(e)
		}
		c := &eval.MachineExpr{F: e.Func, T: t}
		for _, a := range e.Args {
			c.A = append(c.A, m.expr(a))
		}
		return c
	}
	panic(failure{&UnsupportedError{"a table is looked at over the state of a step, which is not supported in scan"}})
}

// cell gives the place of a cell, added if it is new.
func (m *machine) cell(sql, t string) int {
	if i, ok := m.cells[sql+"\x00"+t]; ok {
		return i
	}
	m.sql = append(m.sql, sql)
	m.m.Cells = append(m.m.Cells, t)
	m.cells[sql+"\x00"+t] = len(m.sql) - 1
	return len(m.sql) - 1
}

// value writes the reading of a kept value, which is kept from now on.
func (m *machine) value(e *rel.Call) *eval.MachineExpr {
	step, _ := e.Args[0].(*rel.Const).Value.(int64)
	name, _ := e.Args[1].(*rel.Const).Value.(string)
	m.reads[int(step)] = true
	for i, s := range m.state {
		if s == name {
			return &eval.MachineExpr{F: "state", T: e.T.String(), S: int(step), I: i}
		}
	}
	kept := eval.MachineState{Cell: -1, Empty: constExpr(rel.Null(e.T))}
	found := false
	for i, o := range m.n.Out {
		if o.Name == name {
			kept.Out, found = i, true
			if c, ok := o.Default.(*rel.Const); ok {
				kept.Empty = constExpr(c)
			}
		}
	}
	if !found {
		kept.Cell = m.cell(m.x.value(e.Args[2]), e.T.String())
	}
	m.state = append(m.state, name)
	m.m.State = append(m.m.State, kept)
	return &eval.MachineExpr{F: "state", T: e.T.String(), S: int(step), I: len(m.state) - 1}
}

func readsState(e rel.Expr) bool {
	found := false
	rel.WalkExpr(e, func(e rel.Expr) {
		if c, ok := e.(*rel.Call); ok && c.Func == rel.StepValue {
			found = true
		}
	})
	return found
}

func constExpr(c *rel.Const) *eval.MachineExpr {
	e := &eval.MachineExpr{F: "const", T: c.T.String()}
	var s string
	switch v := c.Value.(type) {
	case nil:
		return e
	case string:
		s = v
	case value.Dec:
		s = string(v)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
		if math.IsInf(v, 0) || math.IsNaN(v) {
			s = fmt.Sprint(v)
		}
	default:
		s = fmt.Sprint(v)
	}
	e.V = &s
	return e
}
