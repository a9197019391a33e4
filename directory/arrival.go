package directory

import (
	"slices"
	"time"
)

// ArrivalDays is how far back a snapshot asks for the newest record of a log.
const ArrivalDays = 7

// A LogArrival says when the newest record that a workspace holds of a log was made.
type LogArrival struct {
	Workspace string // its id
	Table     string // SigninLogs, AuditLogs
	// Newest is TimeGenerated of that record, zero if there is none of the last ArrivalDays.
	Newest time.Time
}

// arrivals takes in the answer to a query for the newest records. Log Analytics tells the
// table in the form of its own interface, name and type, and Resource Manager in the older
// one, ColumnName and DataType, with further tables of the query's fate.
func (l *loader) arrivals(d *decoder, page node, r *Reading) {
	told := page.get("value").kind() == '[' // where there was no workspace to ask
	d.object(page, nil, func(key string, v node) bool {
		if key == "tables" {
			d.array(v, func(v node) {
				columns, rows := table(d, v)
				w, t, at := slices.Index(columns, "Workspace"), slices.Index(columns, "Table"), slices.Index(columns, "Newest")
				if w < 0 || t < 0 || at < 0 {
					return
				}
				told = true
				for _, row := range rows {
					var cells []node
					d.array(row, func(v node) { cells = append(cells, v) })
					if len(cells) != len(columns) {
						d.wrong(row, "a row of its table")
						r.fail("a row could not be read")
						continue
					}
					before := len(d.problems)
					a := &LogArrival{Workspace: d.text(cells[w]), Table: d.text(cells[t]), Newest: d.time(cells[at])}
					if len(d.problems) > before {
						r.fail("a row could not be read")
						continue
					}
					l.c.LogArrivals = append(l.c.LogArrivals, a)
				}
			})
		}
		return true
	})
	if !told {
		r.fail("an answer holds no table of newest records")
	}
}

// table gives the names of the columns of a table that a query gave, and its rows.
func table(d *decoder, n node) (columns []string, rows []node) {
	d.object(n, nil, func(key string, v node) bool {
		switch key {
		case "columns":
			d.array(v, func(v node) {
				name := ""
				d.object(v, nil, func(key string, v node) bool {
					if key == "name" || key == "columnName" {
						name = d.text(v)
					}
					return true
				})
				columns = append(columns, name)
			})
		case "rows":
			d.array(v, func(v node) { rows = append(rows, v) })
		}
		return true
	})
	return columns, rows
}
