package kqltest

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Options say how closely tables are compared.
type Options struct {
	Ordered   bool    // the order of rows counts
	SetLike   bool    // the order of a dynamic array's elements does not
	Tolerance float64 // relative, of numbers; 0 stands for 1e-9
}

// Compare gives the first difference between a result and what was expected, or nil. Types decide how cells
// are compared: numbers by value within the tolerance, datetimes and timespans by their ticks however they are
// written, dynamics as JSON. int and long, and real and decimal, count as the same type.
func Compare(got, want Table, o Options) error {
	if o.Tolerance == 0 {
		o.Tolerance = 1e-9
	}
	if g, w := schema(got.Columns), schema(want.Columns); g != w && !sameColumns(got.Columns, want.Columns) {
		return fmt.Errorf("columns differ; got (%s), want (%s)", g, w)
	}
	g, w := cells(got, want.Columns), cells(want, want.Columns)
	if len(g) != len(w) {
		return fmt.Errorf("got %d rows, want %d; got:\n%s\nwant:\n%s", len(g), len(w), show(g), show(w))
	}
	if o.Ordered {
		for i := range w {
			if j := o.differ(g[i], w[i], want.Columns); j >= 0 {
				return fmt.Errorf("row %d, column %s: got %s, want %s", i+1, want.Columns[j].Name, g[i][j], w[i][j])
			}
		}
		return nil
	}
	used := make([]bool, len(w))
next:
	for i := range g {
		for j := range w {
			if !used[j] && o.differ(g[i], w[j], want.Columns) < 0 {
				used[j] = true
				continue next
			}
		}
		return fmt.Errorf("unexpected row %s; got:\n%s\nwant:\n%s", showRow(g[i]), show(g), show(w))
	}
	return nil
}

func schema(cs []Column) string {
	parts := make([]string, len(cs))
	for i, c := range cs {
		parts[i] = c.String()
	}
	return strings.Join(parts, ", ")
}

func sameColumns(a, b []Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || broad(a[i].Type) != broad(b[i].Type) {
			return false
		}
	}
	return true
}

// broad gives the type that stands for all that are compared alike.
func broad(t string) string {
	switch t {
	case "int", "int32", "int64":
		return "long"
	case "decimal", "double":
		return "real"
	case "boolean":
		return "bool"
	case "date":
		return "datetime"
	case "time":
		return "timespan"
	case "uuid", "uniqueid":
		return "guid"
	}
	return t
}

// cell is a value as text, or null.
type cell struct {
	text string
	null bool
}

func (c cell) String() string {
	if c.null {
		return "null"
	}
	return strconv.Quote(c.text)
}

func showRow(r []cell) string {
	parts := make([]string, len(r))
	for i, c := range r {
		parts[i] = c.String()
	}
	return strings.Join(parts, ", ")
}

// show gives at most twenty rows.
func show(rows [][]cell) string {
	var b strings.Builder
	for i, r := range rows {
		if i == 20 {
			fmt.Fprintf(&b, "  … and %d more\n", len(rows)-i)
			break
		}
		b.WriteString("  " + showRow(r) + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func cells(t Table, columns []Column) [][]cell {
	rows := make([][]cell, len(t.Rows))
	for i, r := range t.Rows {
		rows[i] = make([]cell, len(r))
		for j, v := range r {
			typ := ""
			if j < len(columns) {
				typ = broad(columns[j].Type)
			}
			rows[i][j] = toCell(v, typ)
		}
	}
	return rows
}

// toCell gives a value as text.
func toCell(v any, typ string) cell {
	switch v := v.(type) {
	case nil:
		return cell{null: true}
	case *string:
		if v == nil {
			return cell{null: true}
		}
		return cell{text: *v}
	case string:
		return cell{text: v}
	case bool:
		return cell{text: strconv.FormatBool(v)}
	case float64:
		if typ == "dynamic" && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return cell{text: marshal(v)}
		}
		return cell{text: strconv.FormatFloat(v, 'g', -1, 64)}
	case time.Time:
		return cell{text: v.UTC().Format("2006-01-02T15:04:05.0000000Z")}
	case time.Duration:
		return cell{text: spanText(int64(v / 100))}
	case json.Number:
		return cell{text: v.String()}
	case int64:
		switch typ {
		case "datetime":
			return cell{text: datetimeText(v)}
		case "timespan":
			return cell{text: spanText(v)}
		}
		return cell{text: strconv.FormatInt(v, 10)}
	case int, int32, int16, int8, uint8, uint16, uint32, uint64, float32:
		return cell{text: fmt.Sprint(v)}
	case fmt.Stringer:
		return cell{text: v.String()}
	}
	return cell{text: marshal(v)}
}

// ticksPerSecond is how many 100 ns ticks a second has.
const ticksPerSecond = 10_000_000

// year1 is 0001-01-01, from which datetime ticks count.
var year1 = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)

func datetimeText(ticks int64) string {
	t := time.Unix(year1.Unix()+ticks/ticksPerSecond, ticks%ticksPerSecond*100).UTC()
	return t.Format("2006-01-02T15:04:05.0000000Z")
}

func spanText(ticks int64) string {
	sign, n := "", uint64(ticks)
	if ticks < 0 {
		sign, n = "-", -n
	}
	sec := n / ticksPerSecond
	s := fmt.Sprintf("%02d:%02d:%02d", sec/3600%24, sec/60%60, sec%60)
	if d := sec / 86400; d > 0 {
		s = fmt.Sprintf("%d.%s", d, s)
	}
	if f := n % ticksPerSecond; f > 0 {
		s += fmt.Sprintf(".%07d", f)
	}
	return sign + s
}

// differ gives the first column in which two rows differ, or -1.
func (o Options) differ(a, b []cell, columns []Column) int {
	for j := range columns {
		if j >= len(a) || j >= len(b) || !o.same(a[j], b[j], broad(columns[j].Type)) {
			return j
		}
	}
	return -1
}

func (o Options) same(a, b cell, typ string) bool {
	if a == b {
		return true
	}
	if a.null || b.null {
		// A dynamic null is the JSON text null.
		return typ == "dynamic" && (a.null || a.text == "null") && (b.null || b.text == "null")
	}
	switch typ {
	case "long":
		x, errX := strconv.ParseInt(a.text, 10, 64)
		y, errY := strconv.ParseInt(b.text, 10, 64)
		if errX == nil && errY == nil && (x == y || o.Tolerance <= 1e-9) {
			return x == y
		}
		return o.sameNumber(a.text, b.text)
	case "real":
		return o.sameNumber(a.text, b.text)
	case "bool":
		x, okX := toBool(a.text)
		y, okY := toBool(b.text)
		return okX && okY && x == y
	case "datetime":
		x, okX := datetimeTicks(a.text)
		y, okY := datetimeTicks(b.text)
		return okX && okY && x == y
	case "timespan":
		x, okX := spanTicks(a.text)
		y, okY := spanTicks(b.text)
		return okX && okY && x == y
	case "guid":
		return strings.EqualFold(a.text, b.text)
	case "dynamic":
		return o.sameJSON(looseJSON(a.text), looseJSON(b.text))
	}
	return false
}

func toBool(s string) (bool, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

func toNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "nan":
		return math.NaN(), true
	case "inf", "+inf", "infinity", "+infinity", "∞":
		return math.Inf(1), true
	case "-inf", "-infinity", "-∞":
		return math.Inf(-1), true
	case "true":
		return 1, true
	case "false":
		return 0, true
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func (o Options) sameNumber(a, b string) bool {
	x, okX := toNumber(a)
	y, okY := toNumber(b)
	return okX && okY && o.sameFloat(x, y)
}

func (o Options) sameFloat(x, y float64) bool {
	switch {
	case math.IsNaN(x) || math.IsNaN(y):
		return math.IsNaN(x) && math.IsNaN(y)
	case x == y:
		return true
	case math.IsInf(x, 0) || math.IsInf(y, 0):
		return false
	}
	return math.Abs(x-y) <= max(1e-12, o.Tolerance*max(math.Abs(x), math.Abs(y)))
}

// looseJSON decodes a text; what is no JSON is the string itself.
func looseJSON(s string) any {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return s
	}
	return v
}

func (o Options) sameJSON(a, b any) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case json.Number:
		switch y := b.(type) {
		case json.Number:
			return x == y || o.sameNumber(x.String(), y.String())
		case string:
			return o.sameNumber(x.String(), y)
		}
		return false
	case string:
		switch y := b.(type) {
		case string:
			return x == y || sameMoment(x, y)
		case json.Number:
			return o.sameNumber(x, y.String())
		}
		return false
	case []any:
		y, ok := b.([]any)
		return ok && o.sameArray(x, y)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !o.sameJSON(v, w) {
				return false
			}
		}
		return true
	}
	return false
}

func (o Options) sameArray(x, y []any) bool {
	if len(x) != len(y) {
		return false
	}
	same := true
	for i := range x {
		same = same && o.sameJSON(x[i], y[i])
	}
	if same || !o.SetLike {
		return same
	}
	used := make([]bool, len(y))
next:
	for _, v := range x {
		for j, w := range y {
			if !used[j] && o.sameJSON(v, w) {
				used[j] = true
				continue next
			}
		}
		return false
	}
	return true
}

// sameMoment reports whether two strings are the same datetime or timespan, written differently.
func sameMoment(a, b string) bool {
	if x, ok := datetimeTicks(a); ok {
		y, ok := datetimeTicks(b)
		return ok && x == y
	}
	if x, ok := spanTicks(a); ok {
		y, ok := spanTicks(b)
		return ok && x == y
	}
	return false
}

var (
	datetimeForm = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7})\d*)?)?)?\s*Z?$`)
	spanForm     = regexp.MustCompile(`^(-)?(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?$`)
)

// datetimeTicks reads a datetime as Kusto prints it.
func datetimeTicks(s string) (int64, bool) {
	m := datetimeForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	n := func(i int) int { v, _ := strconv.Atoi(m[i]); return v }
	t := time.Date(n(1), time.Month(n(2)), n(3), n(4), n(5), n(6), 0, time.UTC)
	if t.Day() != n(3) || t.Month() != time.Month(n(2)) {
		return 0, false
	}
	return (t.Unix()-year1.Unix())*ticksPerSecond + fraction(m[7]), true
}

// spanTicks reads a timespan as Kusto prints it.
func spanTicks(s string) (int64, bool) {
	m := spanForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	n := func(i int) int64 { v, _ := strconv.ParseInt(m[i], 10, 64); return v }
	t := (((n(2)*24+n(3))*60+n(4))*60+n(5))*ticksPerSecond + fraction(m[6])
	if m[1] != "" {
		t = -t
	}
	return t, true
}

func fraction(digits string) int64 {
	v, _ := strconv.ParseInt((digits + "0000000")[:7], 10, 64)
	return v
}
