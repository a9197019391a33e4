package kusto

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"glassward/kql/rel"
	"glassward/kql/value"
)

// dotnet gives the type of .NET that the older form names beside Kusto's.
func dotnet(t value.Type) string {
	switch t {
	case value.Bool:
		return "Boolean"
	case value.Int:
		return "Int32"
	case value.Long:
		return "Int64"
	case value.Real:
		return "Double"
	case value.Decimal:
		return "SqlDecimal"
	case value.DateTime:
		return "DateTime"
	case value.TimeSpan:
		return "TimeSpan"
	case value.GUID:
		return "Guid"
	case value.Dynamic:
		return "Object"
	}
	return "String"
}

// A tableWriter writes tables in the older form. Its writer keeps the first error.
type tableWriter struct {
	*bufio.Writer
	tables int
	buf    []byte
	bytes  int64 // of rows
}

// table writes a table; exceptions say, among its rows, why it is not whole.
func (w *tableWriter) table(columns []rel.Column, rows [][]any, exceptions []string) {
	if w.tables == 0 {
		w.WriteString(`{"Tables":[`)
	} else {
		w.WriteByte(',')
	}
	b := fmt.Appendf(w.buf[:0], `{"TableName":"Table_%d","Columns":[`, w.tables)
	for i, c := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"ColumnName":`...), c.Name)
		b = fmt.Appendf(b, `,"DataType":%q,"ColumnType":%q}`, dotnet(c.Type), c.Type)
	}
	w.Write(append(b, `],"Rows":[`...))
	for i, row := range rows {
		if i > 0 {
			w.WriteByte(',')
		}
		b = appendRow(b[:0], columns, row)
		w.bytes += int64(len(b))
		w.Write(b)
	}
	if len(exceptions) > 0 {
		if len(rows) > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, `{"Exceptions":%s}`, texts(exceptions))
	}
	w.WriteString(`]}`)
	w.buf = b
	w.tables++
}

func texts(list []string) []byte {
	out, _ := json.Marshal(list) // texts
	return out
}

// end ends the answer.
func (w *tableWriter) end(exceptions []string) error {
	w.WriteByte(']')
	if len(exceptions) > 0 {
		fmt.Fprintf(w, `,"Exceptions":%s`, texts(exceptions))
	}
	w.WriteString("}\n")
	return w.Flush()
}

// WriteTable writes a table alone in the older form, as commands are answered. The error is the writer's.
func WriteTable(to io.Writer, t Table) error {
	w := &tableWriter{Writer: bufio.NewWriterSize(to, 64<<10)}
	w.table(t.Columns, t.Rows, nil)
	return w.end(nil)
}

var (
	statusColumns = []rel.Column{
		{Name: "Timestamp", Type: value.DateTime}, {Name: "Severity", Type: value.Int}, {Name: "SeverityName", Type: value.String}, {Name: "StatusCode", Type: value.Int},
		{Name: "StatusDescription", Type: value.String}, {Name: "Count", Type: value.Int}, {Name: "RequestId", Type: value.GUID}, {Name: "ActivityId", Type: value.GUID},
		{Name: "SubActivityId", Type: value.GUID}, {Name: "ClientActivityId", Type: value.String},
	}
	contentColumns = []rel.Column{
		{Name: "Ordinal", Type: value.Long}, {Name: "Kind", Type: value.String}, {Name: "Name", Type: value.String}, {Name: "Id", Type: value.String}, {Name: "PrettyName", Type: value.String},
	}
)

// WriteV1 writes the answer in the older form: the primary tables, how they are to be drawn, how the query
// went, and a table of contents. The error is the writer's.
func (a *Answer) WriteV1(to io.Writer) error {
	w := &tableWriter{Writer: bufio.NewWriterSize(to, 64<<10)}
	var (
		drawn, contents [][]any
		counts          []tableCount
		exceptions      []string
	)
	content := func(kind, name string) {
		contents = append(contents, []any{int64(len(contents)), kind, name, "00000000-0000-0000-0000-" + leftZeros(len(contents)), ""})
	}
	now := int64(value.FromTime(a.Activity.Now()))
	status := func(severity int64, name string, code int64, text string) []any {
		id := a.Activity.ID
		return []any{now, severity, name, code, text, int64(1), id, id, id, a.Activity.ClientRequestID}
	}
	var statuses [][]any
	for _, t := range a.primary() {
		rows, cut := a.rows(t)
		var among []string
		if cut != nil {
			among = []string{cut.Message}
			if len(exceptions) == 0 {
				exceptions = among
				statuses = append(statuses, status(2, "Error", resultTooLarge, cut.Message))
			}
		}
		before := w.bytes
		w.table(t.Columns, rows, among)
		counts = append(counts, tableCount{int64(len(rows)), w.bytes - before})
		content("QueryResult", a.name(t))
		drawn = append(drawn, []any{visualization(t.Render)})
	}
	if len(exceptions) == 0 {
		statuses = append(statuses, status(4, "Info", 0, "Query completed successfully"))
	}
	statuses = append(statuses, status(6, "Stats", 0, a.statistics(counts)))
	w.table([]rel.Column{{Name: "Value", Type: value.String}}, drawn, nil)
	content("QueryProperties", "@ExtendedProperties")
	w.table(statusColumns, statuses, nil)
	content("QueryStatus", "QueryStatus")
	w.table(contentColumns, contents, nil)
	return w.end(exceptions)
}

// leftZeros gives a number in twelve digits: the end of a table's id, which is unique in its answer.
func leftZeros(n int) string {
	text := strconv.Itoa(n)
	return "000000000000"[len(text):] + text
}
