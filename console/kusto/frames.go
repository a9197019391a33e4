package kusto

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// fragmentBytes is how large the rows of one frame grow before it ends: a reader holds a frame whole.
const fragmentBytes = 256 << 10

// An Answer is what a query gave.
type Answer struct {
	Result   *kql.Result
	Options  Options
	Activity Activity
}

// primary gives the tables of the result, of which each may be cut.
func (a *Answer) primary() []*kql.Result { return append([]*kql.Result{a.Result}, a.Result.More...) }

// rows gives the rows of a table that are written, and why others are not.
func (a *Answer) rows(t *kql.Result) ([][]any, *Error) {
	if n := a.Options.TakeRecords; n > 0 && int64(len(t.Rows)) >= n {
		// That many were asked for: nothing is missing.
		return t.Rows[:n], nil
	}
	if t.Truncated {
		return t.Rows, limitsExceeded(t.MaxRows, t.MaxBytes)
	}
	return t.Rows, nil
}

func (a *Answer) name(t *kql.Result) string {
	if t.Name != "" {
		return t.Name
	}
	return "PrimaryResult"
}

// A frameWriter writes the frames of an answer. Its writer keeps the first error.
type frameWriter struct {
	*bufio.Writer
	newlines, begun bool
	buf             []byte
	written         int64 // of primary rows, in bytes
}

// begin begins a frame, which ends with end.
func (w *frameWriter) begin() {
	switch {
	case !w.begun:
		w.WriteByte('[')
	case w.newlines:
		w.WriteString("\n,")
	default:
		w.WriteByte(',')
	}
	w.begun = true
}

func (w *frameWriter) printf(format string, args ...any) { fmt.Fprintf(w, format, args...) }

// WriteV2 writes the answer as frames. When ctx ends before all rows are written the answer says that it
// was cancelled, and ends. The error is the writer's.
func (a *Answer) WriteV2(ctx context.Context, to io.Writer) error {
	w := &frameWriter{Writer: bufio.NewWriterSize(to, 64<<10), newlines: a.Options.Newlines}
	w.begin()
	w.printf(`{"FrameType":"DataSetHeader","IsProgressive":false,"Version":"v2.0","IsFragmented":%t,"ErrorReportingPlacement":%q}`, a.Options.Fragments, a.Options.Errors)
	tables := a.primary()
	w.dataTable(0, "QueryProperties", "@ExtendedProperties", propertyColumns, a.properties(tables))
	var (
		errs      []*Error
		counts    []tableCount
		cancelled bool
	)
	for i, t := range tables {
		if cancelled = ctx.Err() != nil; cancelled {
			break
		}
		rows, cut := a.rows(t)
		before := w.written
		n := len(rows)
		if a.Options.Fragments {
			n = w.fragments(ctx, i+1, a, t, rows, cut)
		} else {
			w.whole(i+1, a, t, rows, cut)
		}
		cancelled = n < len(rows)
		counts = append(counts, tableCount{int64(n), w.written - before})
		if cut != nil && !slices.ContainsFunc(errs, func(e *Error) bool { return e.Message == cut.Message }) {
			errs = append(errs, cut)
		}
		if cancelled {
			break
		}
	}
	w.dataTable(len(tables)+1, "QueryCompletionInformation", "QueryCompletionInformation", completionColumns, a.completion(errs, counts))
	w.begin()
	w.printf(`{"FrameType":"DataSetCompletion","HasErrors":%t,"Cancelled":%t%s}`, len(errs) > 0, cancelled, a.oneAPIErrors(errs...))
	if w.newlines {
		w.WriteByte('\n')
	}
	w.WriteString("]\n")
	return w.Flush()
}

// oneAPIErrors gives the key with the errors and the comma before it, nothing where there are none: a list
// without errors is read as an error that nobody knows.
func (a *Answer) oneAPIErrors(errs ...*Error) string {
	errs = slices.DeleteFunc(slices.Clone(errs), func(e *Error) bool { return e == nil })
	if len(errs) == 0 {
		return ""
	}
	return `,"OneApiErrors":` + string(a.list(errs))
}

func (a *Answer) list(errs []*Error) []byte {
	list := make([]any, len(errs))
	for i, e := range errs {
		list[i] = e.oneAPI(a.Activity)
	}
	text, _ := json.Marshal(list) // texts, numbers and truths
	return text
}

// head writes a frame's begin up to its columns.
func (w *frameWriter) head(frame string, id int, kind, name string, columns []rel.Column) {
	w.begin()
	b := fmt.Appendf(w.buf[:0], `{"FrameType":%q,"TableId":%d,"TableKind":%q,"TableName":`, frame, id, kind)
	b = append(appendString(b, name), `,"Columns":[`...)
	for i, c := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(append(b, `{"ColumnName":`...), c.Name), `,"ColumnType":"`...)
		b = append(append(b, c.Type.String()...), `"}`...)
	}
	w.Write(append(b, ']'))
	w.buf = b
}

// row adds a row as JSON.
func appendRow(b []byte, columns []rel.Column, row []any) []byte {
	b = append(b, '[')
	for i, cell := range row {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(b, columns[i].Type, cell)
	}
	return append(b, ']')
}

// dataTable writes a table in one frame.
func (w *frameWriter) dataTable(id int, kind, name string, columns []rel.Column, rows [][]any) {
	w.head("DataTable", id, kind, name, columns)
	w.WriteString(`,"Rows":[`)
	for i, row := range rows {
		if i > 0 {
			w.WriteByte(',')
		}
		w.buf = appendRow(w.buf[:0], columns, row)
		w.Write(w.buf)
	}
	w.WriteString(`]}`)
}

// whole writes a primary table in one frame. What is wrong with it can stand among its rows alone.
func (w *frameWriter) whole(id int, a *Answer, t *kql.Result, rows [][]any, cut *Error) {
	w.head("DataTable", id, "PrimaryResult", a.name(t), t.Columns)
	w.WriteString(`,"Rows":[`)
	for i, row := range rows {
		if i > 0 {
			w.WriteByte(',')
		}
		w.buf = appendRow(w.buf[:0], t.Columns, row)
		w.written += int64(len(w.buf))
		w.Write(w.buf)
	}
	if cut != nil && a.Options.Errors == InData {
		if len(rows) > 0 {
			w.WriteByte(',')
		}
		w.printf(`{"OneApiErrors":%s}`, a.list([]*Error{cut}))
	}
	w.WriteString(`]}`)
}

// fragments writes a primary table in pieces and gives how many of its rows were written: fewer than all
// where ctx ended.
func (w *frameWriter) fragments(ctx context.Context, id int, a *Answer, t *kql.Result, rows [][]any, cut *Error) (done int) {
	w.head("TableHeader", id, "PrimaryResult", a.name(t), t.Columns)
	w.WriteByte('}')
	inData := cut != nil && a.Options.Errors == InData
	for done < len(rows) || inData {
		if ctx.Err() != nil {
			break
		}
		w.begin()
		w.printf(`{"FrameType":"TableFragment","TableFragmentType":"DataAppend","TableId":%d,"Rows":[`, id)
		size := 0
		for ; done < len(rows) && size < fragmentBytes; done++ {
			if size > 0 {
				w.WriteByte(',')
			}
			w.buf = appendRow(w.buf[:0], t.Columns, rows[done])
			size += len(w.buf)
			w.Write(w.buf)
		}
		w.written += int64(size)
		if inData && done == len(rows) {
			if size > 0 {
				w.WriteByte(',')
			}
			w.printf(`{"OneApiErrors":%s}`, a.list([]*Error{cut}))
			inData = false
		}
		w.WriteString(`]}`)
	}
	w.begin()
	errs := ""
	if a.Options.Errors == EndOfTable {
		errs = a.oneAPIErrors(cut)
	}
	w.printf(`{"FrameType":"TableCompletion","TableId":%d,"RowCount":%d%s}`, id, done, errs)
	return done
}

var propertyColumns = []rel.Column{{Name: "TableId", Type: value.Int}, {Name: "Key", Type: value.String}, {Name: "Value", Type: value.Dynamic}}

// properties gives the rows that say how each primary table is to be drawn: dynamics that are texts.
func (a *Answer) properties(tables []*kql.Result) [][]any {
	var rows [][]any
	for i, t := range tables {
		text, _ := json.Marshal(visualization(t.Render)) // a text
		rows = append(rows, []any{int64(i + 1), "Visualization", string(text)})
	}
	return rows
}

// visualization gives what clients read of the operator render, as JSON.
func visualization(r *kql.Render) string {
	v := struct {
		Visualization, Title, XColumn        *string
		Series, YColumns, AnomalyColumns     []string
		XTitle, YTitle, XAxis, YAxis, Legend *string
		YSplit                               *string
		Accumulate, IsQuerySorted            bool
		Kind                                 *string
		Ymin, Ymax                           any
		Xmin, Xmax                           any
	}{Ymin: "NaN", Ymax: "NaN"}
	if r != nil {
		text := func(name string) *string {
			if s, ok := r.Properties[name]; ok {
				return &s
			}
			return nil
		}
		list := func(name string) []string {
			if s := text(name); s != nil {
				return strings.Split(*s, ",")
			}
			return nil
		}
		bound := func(name string, none any) any {
			if s := text(name); s != nil && json.Valid([]byte(*s)) {
				return json.RawMessage(*s)
			}
			return none
		}
		v.Visualization, v.Title, v.XColumn = &r.Chart, text("title"), text("xcolumn")
		v.Series, v.YColumns, v.AnomalyColumns = list("series"), list("ycolumns"), list("anomalycolumns")
		v.XTitle, v.YTitle, v.XAxis, v.YAxis, v.Legend = text("xtitle"), text("ytitle"), text("xaxis"), text("yaxis"), text("legend")
		v.YSplit, v.Kind = text("ysplit"), text("kind")
		v.Accumulate, v.IsQuerySorted = strings.EqualFold(r.Properties["accumulate"], "true"), r.Sorted
		v.Ymin, v.Ymax, v.Xmin, v.Xmax = bound("ymin", "NaN"), bound("ymax", "NaN"), bound("xmin", nil), bound("xmax", nil)
	}
	out, _ := json.Marshal(v) // texts, truths and numbers that were checked
	return string(out)
}

var completionColumns = []rel.Column{
	{Name: "Timestamp", Type: value.DateTime}, {Name: "ClientRequestId", Type: value.String}, {Name: "ActivityId", Type: value.GUID}, {Name: "SubActivityId", Type: value.GUID},
	{Name: "ParentActivityId", Type: value.GUID}, {Name: "Level", Type: value.Int}, {Name: "LevelName", Type: value.String}, {Name: "StatusCode", Type: value.Int},
	{Name: "StatusCodeName", Type: value.String}, {Name: "EventType", Type: value.Int}, {Name: "EventTypeName", Type: value.String}, {Name: "Payload", Type: value.String},
}

// A tableCount is how many rows of a table were written, and how large they are as JSON.
type tableCount struct{ rows, bytes int64 }

// completion gives the rows of the table that says how the query went.
func (a *Answer) completion(errs []*Error, counts []tableCount) [][]any {
	now := int64(value.FromTime(a.Activity.Now()))
	row := func(level int64, levelName string, code int64, codeName string, event int64, eventName, payload string) []any {
		id := a.Activity.ID
		return []any{now, a.Activity.ClientRequestID, id, id, id, level, levelName, code, codeName, event, eventName, payload}
	}
	var rows [][]any
	for _, e := range errs {
		rows = append(rows, row(2, "Error", resultTooLarge, "E_QUERY_RESULT_SET_TOO_LARGE (80DA0003)", 4, "QueryInfo", info(e.Message)))
	}
	if len(errs) == 0 {
		rows = append(rows, row(4, "Info", 0, "S_OK (0)", 4, "QueryInfo", info("Query completed successfully")))
	}
	return append(rows, row(6, "Stats", 0, "S_OK (0)", 0, "QueryResourceConsumption", a.statistics(counts)))
}

// resultTooLarge is 0x80DA0003 as an int.
const resultTooLarge = 0x80DA0003 - 1<<32

func info(text string) string {
	out, _ := json.Marshal(struct {
		Count int
		Text  string
	}{1, text})
	return string(out)
}

// statistics gives how long the query took and how large its tables are, as JSON.
func (a *Answer) statistics(counts []tableCount) string {
	type table struct {
		Rows  int64 `json:"table_row_count"`
		Bytes int64 `json:"table_size"`
	}
	s := struct {
		ExecutionTime float64
		Tables        []table `json:"dataset_statistics"`
	}{a.Activity.Now().Sub(a.Activity.Began).Seconds(), []table{}}
	for _, c := range counts {
		s.Tables = append(s.Tables, table{c.rows, c.bytes})
	}
	out, _ := json.Marshal(s) // numbers
	return string(out)
}
