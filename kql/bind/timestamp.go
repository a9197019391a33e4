package bind

import (
	"glassward/kql/rel"
	"glassward/kql/value"
)

// timestampColumn is what Defender's hunting tables call the time that Log Analytics calls
// TimeGenerated. In Microsoft's portal a query may use either, so here every table that has
// TimeGenerated answers to both. The name is no column of the table: it is added only to a query that
// cannot be understood without it, so that no result has a column nobody asked for.
const timestampColumn = "Timestamp"

// scan reads a stored table, with the column Timestamp if the query needs it.
func (b *binder) scan(t *rel.Table) rel.Rel {
	s := rel.NewScan(t)
	if !b.timestamp || rel.Index(t.Columns, timestampColumn) >= 0 {
		return s
	}
	i := rel.Index(t.Columns, rel.TimeColumn)
	if i < 0 || t.Columns[i].Type != value.DateTime {
		return s
	}
	time := &rel.Col{Name: rel.TimeColumn, T: value.DateTime}
	return &rel.Project{In: s, Items: append(rel.Refs(t.Columns), rel.Item{Name: timestampColumn, Expr: time})}
}
