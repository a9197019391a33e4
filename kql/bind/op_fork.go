package bind

import (
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// A Table is a result of a query text, with its name, "" if it has none.
type Table struct {
	Name string
	Rel  rel.Rel
	// Render is the operator of that name with which it ends, nil where there is none.
	Render *syntax.Render
}

// several gives the first of several tables as the operator's result and keeps the others as further results of the
// text. Only the last operator of a statement may give several.
func (b *binder) several(o syntax.Operator, tables []*table, names []string) *table {
	if b.last != o {
		b.errorf(MisplacedCall, o, "put it at the end of the statement", "%s gives several tables, and one is needed here", o.Keyword())
		return openTable()
	}
	for i, t := range tables[1:] {
		b.more = append(b.more, Table{Name: names[i+1], Rel: t.rel})
	}
	b.firstName = names[0]
	return tables[0]
}

// fork gives a table for each of several branches.
func (b *binder) fork(o *syntax.Fork, in *table, sc *scope) *table {
	var tables []*table
	var names []string
	for _, br := range o.Branches {
		t := b.pipeline(br.Body, in, sc)
		name := br.Name.Name
		if name == "" {
			name = t.name
		}
		tables, names = append(tables, t), append(names, name)
	}
	if len(tables) == 0 {
		return openTable()
	}
	return b.several(o, tables, names)
}

// facet gives the rows, after operators of its own, and a table of the values of each column with their counts.
func (b *binder) facet(o *syntax.Facet, in *table, sc *scope) *table {
	var tables []*table
	var names []string
	if o.With != nil {
		tables, names = append(tables, b.pipeline(o.With, in, sc)), append(names, "")
	}
	for _, e := range o.By {
		c, ok := b.columnRef(e, in)
		if !ok {
			continue
		}
		if c.Type == value.Dynamic {
			b.errorf(WrongType, e, "convert it, for example with tostring()", "rows cannot be grouped by a value of type dynamic")
			continue
		}
		key := rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: c.Type}}
		count := rel.Item{Name: "count_" + c.Name, Expr: countCall()}
		tables, names = append(tables, in.with(&rel.Aggregate{In: in.rel, Keys: []rel.Item{key}, Aggs: []rel.Item{count}})), append(names, c.Name)
	}
	if len(tables) == 0 {
		return openTable()
	}
	return b.several(o, tables, names)
}
