package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// WriteQueryResponse writes a result as the Log Analytics query API v1 does:
// a table PrimaryResult with typed columns, and behind it the further tables of
// a query that gives several; decimals, datetimes, timespans
// and guids as strings, a dynamic as a string that holds JSON, null as null.
// A result that was cut carries a PartialError, as there.
func WriteQueryResponse(w io.Writer, r *kql.Result) error {
	b := bufio.NewWriterSize(w, 64<<10)
	enc := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte("null")
		}
		b.Write(text)
	}
	b.WriteString(`{"tables":[`)
	cut := false
	for i, t := range append([]*kql.Result{r}, r.More...) {
		name := "PrimaryResult"
		if i > 0 {
			b.WriteByte(',')
			if name = t.Name; name == "" {
				name = "Table_" + strconv.Itoa(i)
			}
		}
		b.WriteString(`{"name":`)
		enc(name)
		b.WriteString(`,"columns":[`)
		for i, c := range t.Columns {
			if i > 0 {
				b.WriteByte(',')
			}
			enc(struct {
				Name string `json:"name"`
				Type string `json:"type"`
			}{c.Name, c.Type.String()})
		}
		b.WriteString(`],"rows":[`)
		for i, row := range t.Rows {
			if i > 0 {
				b.WriteString(",\n")
			}
			b.WriteByte('[')
			for j, cell := range row {
				if j > 0 {
					b.WriteByte(',')
				}
				enc(jsonCell(t.Columns[j].Type, cell))
			}
			b.WriteByte(']')
		}
		b.WriteString(`]}`)
		cut = cut || t.Truncated
	}
	b.WriteString(`]`)
	if cut {
		b.WriteString(`,"error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[{"code":"EngineError","message":"The result was cut at the limit of rows or bytes (E_QUERY_RESULT_SET_TOO_LARGE). Narrow the query, or summarize."}]}`)
	}
	b.WriteString("}\n")
	return b.Flush()
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

// ReadQueryResponse reads what WriteQueryResponse wrote. A dynamic that is a
// string holding JSON comes back as that JSON: the form does not tell them apart.
func ReadQueryResponse(r io.Reader) (*kql.Result, error) {
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
			quoted, err := json.Marshal(text)
			return string(quoted), err
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
