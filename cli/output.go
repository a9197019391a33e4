package cli

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"glassward/console/loganalytics"
	"glassward/kql"
	"glassward/kql/value"
)

// formats are what -o takes for rows.
var formats = []string{"table", "json", "ndjson", "csv", "tsv"}

// writeResult writes rows in the format that was asked for. json has the shape
// of a Log Analytics query response; ndjson is one object a row with dynamics
// as JSON.
func (a *app) writeResult(format string, r *kql.Result) error {
	if format == "json" {
		return loganalytics.Answer{Result: r}.Write(a.Stdout)
	}
	for i, t := range append([]*kql.Result{r}, r.More...) {
		// Several tables stand below each other.
		if i > 0 && format != "ndjson" {
			fmt.Fprintln(a.Stdout)
		}
		if t.Name != "" && format == "table" {
			fmt.Fprintln(a.Stdout, t.Name)
		}
		if err := a.writeOne(format, t); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) writeOne(format string, r *kql.Result) error {
	switch format {
	case "table":
		return a.writeTable(r)
	case "ndjson":
		return writeLines(a.Stdout, r)
	case "csv":
		return writeCSV(a.Stdout, r)
	case "tsv":
		return writeTSV(a.Stdout, r)
	}
	return usagef("-o %q: use %s", format, strings.Join(formats, ", "))
}

// text gives a cell as people read it; null is empty.
func text(t value.Type, cell any) string {
	switch v := cell.(type) {
	case nil:
		return ""
	case string:
		if t == value.Dynamic {
			return loganalytics.Bare(v)
		}
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		switch {
		case math.IsInf(v, 1):
			return "Infinity"
		case math.IsInf(v, -1):
			return "-Infinity"
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int64:
		switch t {
		case value.DateTime:
			s := value.Ticks(v).String()
			if body, ok := strings.CutSuffix(s, "Z"); ok && strings.Contains(body, ".") {
				return strings.TrimSuffix(strings.TrimRight(body, "0"), ".") + "Z"
			}
			return s
		case value.TimeSpan:
			return value.Span(v).String()
		}
		return strconv.FormatInt(v, 10)
	}
	return fmt.Sprint(cell)
}

// widest is how many characters of a cell a table shows on a terminal; what is
// written to a file or a pipe is whole.
const widest = 60

func (a *app) writeTable(r *kql.Result) error {
	cut := 0
	if terminal(a.Stdout) {
		cut = widest
	}
	head := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		head[i] = line(c.Name)
	}
	rows := make([][]string, len(r.Rows))
	for i, row := range r.Rows {
		rows[i] = make([]string, len(row))
		for j, cell := range row {
			rows[i][j] = clip(line(text(r.Columns[j].Type, cell)), cut)
		}
	}
	if err := a.grid(head, rows); err != nil {
		return err
	}
	noun := "rows"
	if len(rows) == 1 {
		noun = "row"
	}
	a.say("%d %s", len(rows), noun)
	return nil
}

// clip cuts a text for the eye; 0 cuts nothing.
func clip(s string, n int) string {
	if n == 0 || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// grid writes a table without frames, in columns.
func (a *app) grid(head []string, rows [][]string) error {
	t := table.New().Headers(head...).Rows(rows...).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderColumn(false).BorderRow(false).BorderHeader(false).Wrap(false).
		StyleFunc(func(row, col int) lipgloss.Style { return lipgloss.NewStyle().PaddingRight(2) })
	out := bufio.NewWriter(a.Stdout)
	for i, l := range strings.Split(t.String(), "\n") {
		l = strings.TrimRight(l, " ")
		if i == 0 {
			l = a.paint(bold, l)
		}
		fmt.Fprintln(out, l)
	}
	return out.Flush()
}

func writeLines(w io.Writer, r *kql.Result) error {
	out := bufio.NewWriter(w)
	for _, row := range r.Rows {
		out.WriteByte('{')
		for j, cell := range row {
			if j > 0 {
				out.WriteByte(',')
			}
			name, _ := json.Marshal(r.Columns[j].Name)
			out.Write(name)
			out.WriteByte(':')
			out.Write(jsonValue(r.Columns[j].Type, cell))
		}
		out.WriteString("}\n")
	}
	return out.Flush()
}

func jsonValue(t value.Type, cell any) []byte {
	switch v := cell.(type) {
	case nil:
		return []byte("null")
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return []byte(strconv.Quote(text(t, v)))
		}
	case int64:
		if t == value.DateTime || t == value.TimeSpan {
			return []byte(strconv.Quote(text(t, v)))
		}
	case string:
		if t == value.Dynamic && json.Valid([]byte(v)) {
			return []byte(v)
		}
	}
	b, err := json.Marshal(cell)
	if err != nil {
		return []byte("null")
	}
	return b
}

// formula guards a CSV cell against spreadsheets that would compute it: what a
// record says must stay text.
func formula(t value.Type, s string) string {
	if s != "" && (t == value.String || t == value.Dynamic) && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func writeCSV(w io.Writer, r *kql.Result) error {
	out := csv.NewWriter(w)
	row := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		row[i] = formula(value.String, c.Name)
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for _, cells := range r.Rows {
		for j, cell := range cells {
			row[j] = formula(r.Columns[j].Type, text(r.Columns[j].Type, cell))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func writeTSV(w io.Writer, r *kql.Result) error {
	out := bufio.NewWriter(w)
	escape := strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
	for _, cells := range r.Rows {
		for j, cell := range cells {
			if j > 0 {
				out.WriteByte('\t')
			}
			_, _ = escape.WriteString(out, text(r.Columns[j].Type, cell))
		}
		out.WriteByte('\n')
	}
	return out.Flush()
}
