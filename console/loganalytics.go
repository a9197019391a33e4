package console

import (
	"bufio"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"

	"glassward/kql"
	"glassward/kql/value"
)

// WriteQueryResponse writes a result as the Log Analytics query API v1 does:
// one table PrimaryResult with typed columns; decimals, datetimes, timespans
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
	b.WriteString(`{"tables":[{"name":"PrimaryResult","columns":[`)
	for i, c := range r.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		enc(struct {
			Name string `json:"name"`
			Type string `json:"type"`
		}{c.Name, c.Type.String()})
	}
	b.WriteString(`],"rows":[`)
	for i, row := range r.Rows {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteByte('[')
		for j, cell := range row {
			if j > 0 {
				b.WriteByte(',')
			}
			enc(jsonCell(r.Columns[j].Type, cell))
		}
		b.WriteByte(']')
	}
	b.WriteString(`]}]`)
	if r.Truncated {
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
		case t == value.Decimal:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return v
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

// trimFraction drops the zeros at the end of a datetime's fraction, as the
// service does: 2015-12-31T23:59:59.9Z.
func trimFraction(text string) string {
	body, ok := strings.CutSuffix(text, "Z")
	if !ok || !strings.Contains(body, ".") {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(body, "0"), ".") + "Z"
}
