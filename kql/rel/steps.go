package rel

import (
	"slices"
	"strings"

	"glassward/kql/value"
)

// Steps follows sequences of rows: the operator scan. Every row is held against the steps, the last first; a
// row that a step matches comes out with the columns that the step assigns. Rows come in the input's order, or
// by Keys, and those that agree in Per are followed by themselves.
type Steps struct {
	In    Rel
	Per   []Expr
	Keys  []SortKey
	Out   []StepColumn
	Steps []ScanStep
	Match string // name of the column with the number of the sequence, or ""
	// Causes names the column that holds the ids of the rows behind a result row, for lineage.
	Causes *Column
}

// StepColumn is a column that steps assign: one of the input's by that name, or a new one. Default is its value
// where a step assigns none, over the row.
type StepColumn struct {
	Name    string
	T       value.Type
	Default Expr
}

// ScanStep is one step of Steps. Output is "all", "last" or "none". Cond and the values of Set are over the input's
// columns; StepValue within them reads the state.
type ScanStep struct {
	Name     string
	Optional bool
	Output   string
	Cond     Expr
	Set      []Item
}

// StepValue is the function that reads what a step's last record has in a column: its arguments are the number of
// the step, the column's name as a text and, for one of the input's, the column.
const StepValue = "step_value"

// Columns gives the input's columns, then the new ones.
func (n *Steps) Columns() []Column {
	cols := slices.Clone(n.In.Columns())
	for _, o := range n.Out {
		if Index(n.In.Columns(), o.Name) < 0 {
			cols = append(cols, Column{o.Name, o.T})
		}
	}
	if n.Match != "" {
		cols = append(cols, Column{n.Match, value.Long})
	}
	return cols
}
func (n *Steps) Inputs() []Rel { return []Rel{n.In} }
func (n *Steps) With(in []Rel) Rel {
	c := *n
	c.In = in[0]
	return &c
}
func (n *Steps) Exprs(f func(Expr) Expr) Rel {
	c := *n
	c.Per = make([]Expr, len(n.Per))
	for i, e := range n.Per {
		c.Per[i] = f(e)
	}
	c.Keys = mapKeys(n.Keys, f)
	c.Out = slices.Clone(n.Out)
	for i := range c.Out {
		c.Out[i].Default = f(c.Out[i].Default)
	}
	c.Steps = slices.Clone(n.Steps)
	for i := range c.Steps {
		c.Steps[i].Cond = f(c.Steps[i].Cond)
		c.Steps[i].Set = mapItems(c.Steps[i].Set, f)
	}
	return &c
}
func (n *Steps) describe(b *strings.Builder) {
	b.WriteString("scan rows")
	for _, s := range n.Steps {
		b.WriteString(" step " + quoteName(s.Name) + ": " + s.Cond.String())
		if len(s.Set) > 0 {
			b.WriteString(" => ")
			describeItems(b, s.Set)
		}
		b.WriteByte(';')
	}
}

func (n *Steps) carry(col Column, in []Rel, _ []bool) Rel {
	c := *n
	c.In = in[0]
	c.Causes = &col
	// The input's list stands before the new columns; it goes behind them.
	return &Project{&c, append(Refs(n.Columns()), Item{col.Name, &Col{Name: col.Name, T: col.Type}})}
}

func (n *Steps) mixes() string { return "scan follows sequences of records" }
