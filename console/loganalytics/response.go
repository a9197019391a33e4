package loganalytics

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// An Answer is a result with what was asked for beside it.
type Answer struct {
	Result *kql.Result
	// Took is how long the query ran; it is told where Statistics says so.
	Took       time.Duration
	Statistics bool
	// Render tells how the result is to be drawn.
	Render bool
}

// Write writes an answer: a table PrimaryResult with typed columns, and behind it the
// further tables of a query that gives several; decimals, datetimes, timespans and guids
// as strings, a dynamic as a string that holds JSON, null as null. A result that was cut
// carries a PartialError, as there.
func (a Answer) Write(w io.Writer) error {
	b := bufio.NewWriterSize(w, 64<<10)
	e := &encoder{w: b}
	tables := append([]*kql.Result{a.Result}, a.Result.More...)
	b.WriteString(`{"tables":[`)
	for i, t := range tables {
		name := t.Name
		switch {
		case i == 0:
			name = "PrimaryResult"
		case name == "":
			name = "Table_" + strconv.Itoa(i)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		e.table(name, t)
	}
	b.WriteByte(']')
	if a.Render {
		b.WriteString(`,"render":`)
		e.value(rendering(a.Result.Render))
	}
	if a.Statistics {
		b.WriteString(`,"statistics":`)
		e.value(statistics(tables, a.Took, e.sizes))
	}
	for _, t := range tables {
		if t.Truncated {
			b.WriteString(`,"error":`)
			e.value(cut(t))
			break
		}
	}
	b.WriteString("}\n")
	return b.Flush()
}

// An encoder writes JSON; what fails is told by the writer's Flush.
type encoder struct {
	w *bufio.Writer
	// sizes are how many bytes the rows of each table took.
	sizes []int64
	// written counts the bytes of values.
	written int64
	space   []byte
}

func (e *encoder) value(v any) { e.write(plain(v)) }

func (e *encoder) write(text []byte) {
	e.written += int64(len(text))
	e.w.Write(text)
}

// plain gives JSON as browsers alone would not want it: with < and & as they are. What
// cannot be written is null.
func plain(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return []byte("null")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// cell writes what most cells are by itself: a result may have millions.
func (e *encoder) cell(v any) {
	switch v := v.(type) {
	case nil:
		e.write([]byte("null"))
	case int64:
		e.space = strconv.AppendInt(e.space[:0], v, 10)
		e.write(e.space)
	case string:
		for i := range len(v) {
			if c := v[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
				e.value(v)
				return
			}
		}
		e.space = append(append(append(e.space[:0], '"'), v...), '"')
		e.write(e.space)
	default:
		e.value(v)
	}
}

func (e *encoder) table(name string, t *kql.Result) {
	b := e.w
	b.WriteString(`{"name":`)
	e.value(name)
	b.WriteString(`,"columns":[`)
	for i, c := range t.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		e.value(struct {
			Name string `json:"name"`
			Type string `json:"type"`
		}{c.Name, c.Type.String()})
	}
	b.WriteString(`],"rows":[`)
	before := e.written
	for i, row := range t.Rows {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteByte('[')
		for j, cell := range row {
			if j > 0 {
				b.WriteByte(',')
			}
			e.cell(jsonCell(t.Columns[j].Type, cell))
		}
		b.WriteByte(']')
	}
	b.WriteString(`]}`)
	e.sizes = append(e.sizes, e.written-before)
}

// jsonCell gives a cell as encoding/json should write it.
func jsonCell(t value.Type, cell any) any {
	switch v := cell.(type) {
	case nil:
		return nil
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN"
		case math.IsInf(v, 1):
			return "Infinity"
		case math.IsInf(v, -1):
			return "-Infinity"
		}
		return v
	case string:
		if t == value.Dynamic {
			return Bare(v)
		}
	case int64:
		switch t {
		case value.DateTime:
			return trimFraction(value.Ticks(v).String())
		case value.TimeSpan:
			return value.Span(v).String()
		}
		return v
	}
	return cell
}

// Bare gives a dynamic as the service and its portal show it: a string stands
// without quotes, everything else as JSON.
func Bare(text string) string {
	var s string
	if strings.HasPrefix(text, `"`) && json.Unmarshal([]byte(text), &s) == nil {
		return s
	}
	return text
}

// trimFraction drops the zeros at the end of a datetime's fraction, as the
// service does: 2015-12-31T23:59:59.9Z.
func trimFraction(text string) string {
	body, ok := strings.CutSuffix(text, "Z")
	if !ok || !strings.Contains(body, ".") {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(body, "0"), ".") + "Z"
}

// rendering is how a result is to be drawn, in the members that the service's clients
// know; all are null where the query does not say.
func rendering(r *kql.Render) any {
	if r == nil {
		r = &kql.Render{}
	}
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	list := func(s string) any {
		if s == "" {
			return nil
		}
		return strings.Split(s, ",")
	}
	return map[string]any{
		"visualization": text(r.Chart), "kind": text(r.Properties["kind"]),
		"title": text(r.Properties["title"]), "xTitle": text(r.Properties["xtitle"]), "yTitle": text(r.Properties["ytitle"]),
		"xColumn": text(r.Properties["xcolumn"]), "yColumns": list(r.Properties["ycolumns"]), "series": list(r.Properties["series"]), "anomalyColumns": list(r.Properties["anomalycolumns"]),
		"xAxis": text(r.Properties["xaxis"]), "yAxis": text(r.Properties["yaxis"]), "ySplit": text(r.Properties["ysplit"]),
		"yMin": text(r.Properties["ymin"]), "yMax": text(r.Properties["ymax"]),
		"legend": text(r.Properties["legend"]), "accumulate": strings.EqualFold(r.Properties["accumulate"], "true"), "isQuerySorted": r.Sorted,
		"annotation": "", "by": nil,
	}
}

// statistics are what is known of a query's run. Of the members that the service has,
// those of its caches and processors have no counterpart here and are left out.
func statistics(tables []*kql.Result, took time.Duration, sizes []int64) any {
	type set struct {
		Rows int   `json:"tableRowCount"`
		Size int64 `json:"tableSize"`
	}
	sets := make([]set, len(tables))
	for i, t := range tables {
		sets[i] = set{len(t.Rows), sizes[i]}
	}
	return map[string]any{"query": map[string]any{"executionTime": took.Seconds(), "datasetStatistics": sets}}
}

// An Error is what a request is answered that failed, or a result that is not whole.
type Error struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Details []Error `json:"details,omitempty"`
	// Inner says it more exactly. Line and Pos, from 1, are where in the query.
	Inner *Error `json:"innererror,omitempty"`
	Line  int    `json:"line,omitempty"`
	Pos   int    `json:"pos,omitempty"`
	// Severity is 2 and SeverityName "Error" in what an engine said.
	Severity     int    `json:"severity,omitempty"`
	SeverityName string `json:"severityName,omitempty"`
	// CorrelationID finds the request in the log of glassward serve.
	CorrelationID string `json:"correlationId,omitempty"`
}

// cut says that a result was cut at its limit.
func cut(t *kql.Result) Error {
	what := "Query result set has exceeded its limits"
	switch {
	case t.MaxRows > 0:
		what = fmt.Sprintf("Query result set has exceeded the internal record count limit %d", t.MaxRows)
	case t.MaxBytes > 0:
		what = fmt.Sprintf("Query result set has exceeded the internal data size limit %d", t.MaxBytes)
	}
	return Error{Code: "PartialError", Message: "There were some errors when processing your query.", Details: []Error{{
		Code: "EngineError", Message: "Something went wrong processing your query on the server.",
		Inner: &Error{Code: "-2133196797", Message: what + " (E_QUERY_RESULT_SET_TOO_LARGE). Narrow the query, or summarize.", Severity: 2, SeverityName: "Error"},
	}}}
}

// ReadAnswer reads the tables that Write wrote. A dynamic that is a string holding JSON
// comes back as that JSON: the form does not tell them apart.
func ReadAnswer(r io.Reader) (*kql.Result, error) {
	var body struct {
		Tables []struct {
			Name    string
			Columns []struct{ Name, Type string }
			Rows    [][]json.RawMessage
		}
		Error *struct{ Code string }
	}
	if err := json.NewDecoder(r).Decode(&body); err != nil {
		return nil, fmt.Errorf("read the answer to a query: %w", err)
	}
	if len(body.Tables) == 0 {
		return nil, errors.New("read the answer to a query: it has no table")
	}
	var out *kql.Result
	for i, t := range body.Tables {
		r, err := readTable(t.Columns, t.Rows)
		if err != nil {
			return nil, err
		}
		r.Truncated = body.Error != nil
		if i == 0 {
			out = r
			continue
		}
		r.Name = t.Name
		out.More = append(out.More, r)
	}
	return out, nil
}

// readTable reads one table of an answer.
func readTable(columns []struct{ Name, Type string }, rows [][]json.RawMessage) (*kql.Result, error) {
	out := &kql.Result{}
	for _, c := range columns {
		t, ok := value.ParseType(c.Type)
		if !ok {
			return nil, fmt.Errorf("read the answer to a query: unknown type %q", c.Type)
		}
		out.Columns = append(out.Columns, rel.Column{Name: c.Name, Type: t})
	}
	for _, cells := range rows {
		if len(cells) != len(out.Columns) {
			return nil, fmt.Errorf("read the answer to a query: a row has %d cells for %d columns", len(cells), len(out.Columns))
		}
		row := make([]any, len(cells))
		for i, cell := range cells {
			v, err := goCell(out.Columns[i].Type, cell)
			if err != nil {
				return nil, fmt.Errorf("read the answer to a query: column %s: %w", out.Columns[i].Name, err)
			}
			row[i] = v
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// goCell reads one cell as a Result holds it.
func goCell(t value.Type, cell json.RawMessage) (any, error) {
	if string(cell) == "null" {
		return nil, nil
	}
	switch t {
	case value.Bool:
		var b bool
		err := json.Unmarshal(cell, &b)
		return b, err
	case value.Int, value.Long:
		return strconv.ParseInt(string(cell), 10, 64)
	case value.Real:
		return strconv.ParseFloat(strings.Trim(string(cell), `"`), 64)
	}
	var text string
	if err := json.Unmarshal(cell, &text); err != nil {
		return nil, err
	}
	switch t {
	case value.Dynamic:
		if !json.Valid([]byte(text)) {
			return string(plain(text)), nil
		}
	case value.DateTime:
		v, ok := value.ParseDateTime(text)
		if !ok {
			return nil, fmt.Errorf("%q is no datetime", text)
		}
		return int64(v), nil
	case value.TimeSpan:
		v, ok := value.ParseTimeSpan(text)
		if !ok {
			return nil, fmt.Errorf("%q is no timespan", text)
		}
		return int64(v), nil
	}
	return text, nil
}
