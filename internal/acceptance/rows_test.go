package acceptance_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/ingest"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// shared is where material lies that is not part of the project. Where it is
// absent, tests that go over it go over nothing.
var shared = filepath.Join("..", "..", "..", "shared")

// moment is when the records of testdata/records.ndjson are asked: it is what
// now() gives.
var moment = time.Date(2026, 3, 14, 9, 30, 0, 0, time.UTC)

// names are the abbreviations that the expected rows use for what stands in
// testdata/records.ndjson.
func names() map[string]string {
	m := map[string]string{
		"A1": "0b9e5d10-41a7-4c2e-9c33-51a7e0d40101", "A1.name": "Lantern One", "A1.upn": "lantern-one@hafenkante.onmicrosoft.example",
		"A2": "0b9e5d10-41a7-4c2e-9c33-51a7e0d40202", "A2.name": "Lantern Two", "A2.upn": "lantern-two@hafenkante.onmicrosoft.example",
		"U1": "77c1aa02-9b3d-4f60-8e11-2f40c5a70003", "U1.upn": "mara.quist@hafenkante.example",
		"U2": "77c1aa02-9b3d-4f60-8e11-2f40c5a70004", "U2.upn": "teo.brand@hafenkante.example",
		"A1.shouted": "Lantern-One@HafenKante.onmicrosoft.example", "A1.renamed": "harbour-lamp@hafenkante.onmicrosoft.example",
	}
	for i := 1; i < 100; i++ {
		m[fmt.Sprintf("S%02d", i)] = fmt.Sprintf("5197a000-0000-4000-8000-0000000000%02d", i)
		m[fmt.Sprintf("D%02d", i)] = fmt.Sprintf("Directory_HK%02d", i)
	}
	return m
}

// expected is a file of rows worked out by hand:
//
//	# why
//	order: given                       rows come in this order; any: in any
//	columns: TimeGenerated | UserId    all columns of the result, in their order
//	some columns: Id | ResultType      these columns of a result that has more
//	09:27:10 | $A1                     a row; $A1 is an abbreviation (names above)
//
// A time of day is one of 14 March 2026; null is null; "{a, b}" a list in one
// text whose order is open; "oneof(a; b)" either. What begins like JSON is
// compared as JSON in a dynamic column.
type expected struct {
	file    string
	some    bool
	ordered bool
	columns []string
	rows    [][]string
	lines   []int
}

func readExpected(t *testing.T, file string) *expected {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	e := &expected{file: file}
	known := names()
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if s, ok := strings.CutPrefix(line, "order:"); ok {
			e.ordered = strings.TrimSpace(s) == "given"
			continue
		}
		some, isSome := strings.CutPrefix(line, "some columns:")
		all, isAll := strings.CutPrefix(line, "columns:")
		if isSome || isAll {
			e.some = isSome
			e.columns = cut(some)
			if isAll {
				e.columns = cut(all)
			}
			continue
		}
		cells := cut(line)
		if len(cells) != len(e.columns) {
			t.Fatalf("%s:%d: %d cells, want %d", file, number, len(cells), len(e.columns))
		}
		for i, c := range cells {
			cells[i] = expand(t, known, c)
		}
		e.rows = append(e.rows, cells)
		e.lines = append(e.lines, number)
	}
	return e
}

// cut splits a line of cells.
func cut(s string) []string {
	cells := strings.Split(" "+strings.TrimSpace(s)+" ", "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// expand replaces the abbreviations of a cell.
func expand(t *testing.T, known map[string]string, cell string) string {
	t.Helper()
	if _, err := time.Parse("15:04:05", cell); err == nil {
		return "2026-03-14T" + cell + "Z"
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(cell, '$')
		if i < 0 {
			b.WriteString(cell)
			return b.String()
		}
		b.WriteString(cell[:i])
		cell = cell[i+1:]
		n := 0
		for n < len(cell) && (cell[n] == '.' || '0' <= cell[n] && cell[n] <= '9' || 'A' <= cell[n] && cell[n] <= 'Z' || 'a' <= cell[n] && cell[n] <= 'z') {
			n++
		}
		v, ok := known[cell[:n]]
		if !ok {
			t.Fatalf("$%s is no abbreviation", cell[:n])
		}
		b.WriteString(v)
		cell = cell[n:]
	}
}

// cellText gives a cell as the files of expected rows write it.
func cellText(typ value.Type, cell any) string {
	switch v := cell.(type) {
	case nil:
		return "null"
	case int64:
		switch typ {
		case value.DateTime:
			s := strings.TrimSuffix(value.Ticks(v).String(), "Z")
			if strings.Contains(s, ".") {
				s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
			}
			return s + "Z"
		case value.TimeSpan:
			return value.Span(v).String()
		}
	}
	return fmt.Sprint(cell)
}

func cellMatches(typ value.Type, want string, cell any) bool {
	have := cellText(typ, cell)
	if want == have {
		return true
	}
	if typ == value.Dynamic {
		var a, b any
		return json.Unmarshal([]byte(want), &a) == nil && json.Unmarshal([]byte(have), &b) == nil && reflect.DeepEqual(a, b)
	}
	if in, ok := strings.CutPrefix(want, "oneof("); ok {
		for alternative := range strings.SplitSeq(strings.TrimSuffix(in, ")"), ";") {
			if strings.TrimSpace(alternative) == have {
				return true
			}
		}
		return false
	}
	if strings.HasPrefix(want, "{") && strings.HasSuffix(want, "}") {
		a, b := strings.Split(want[1:len(want)-1], ", "), strings.Split(have, ", ")
		slices.Sort(a)
		slices.Sort(b)
		return slices.Equal(a, b)
	}
	return false
}

// compare reports every row that is missing or too many.
func (e *expected) compare(t *testing.T, r *kql.Result) {
	t.Helper()
	var have []string
	for _, c := range r.Columns {
		have = append(have, c.Name)
	}
	at := make([]int, len(e.columns))
	for i, c := range e.columns {
		at[i] = slices.Index(have, c)
	}
	if !e.some && !slices.Equal(have, e.columns) || slices.Contains(at, -1) {
		t.Fatalf("columns are %s\nwant %s", strings.Join(have, " | "), strings.Join(e.columns, " | "))
	}
	matches := func(want []string, row []any) bool {
		for i, c := range at {
			if !cellMatches(r.Columns[c].Type, want[i], row[c]) {
				return false
			}
		}
		return true
	}
	show := func(row []any) string {
		var cells []string
		for _, c := range at {
			cells = append(cells, cellText(r.Columns[c].Type, row[c]))
		}
		return strings.Join(cells, " | ")
	}
	left := slices.Clone(r.Rows)
	if e.ordered {
		for i := range max(len(e.rows), len(left)) {
			switch {
			case i >= len(left):
				t.Errorf("%s:%d: missing row\n  %s", e.file, e.lines[i], strings.Join(e.rows[i], " | "))
			case i >= len(e.rows):
				t.Errorf("row %d is too many\n  %s", i+1, show(left[i]))
			case !matches(e.rows[i], left[i]):
				t.Errorf("%s:%d: row %d is\n  %s\nwant\n  %s", e.file, e.lines[i], i+1, show(left[i]), strings.Join(e.rows[i], " | "))
			}
		}
		return
	}
	for i, want := range e.rows {
		found := slices.IndexFunc(left, func(row []any) bool { return matches(want, row) })
		if found < 0 {
			t.Errorf("%s:%d: missing row\n  %s", e.file, e.lines[i], strings.Join(want, " | "))
			continue
		}
		left = slices.Delete(left, found, found+1)
	}
	for _, row := range left {
		t.Errorf("a row too many\n  %s", show(row))
	}
}

// load reads records into a store of their own, and gives what was rejected.
func load(t *testing.T, records io.Reader) (*logstore.Store, ingest.Summary, []ingest.Reject) {
	t.Helper()
	store, err := logstore.OpenMemory(t.Context(), logstore.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	sum, rejects := take(t, store, "records", records)
	return store, sum, rejects
}

// take reads records into a store.
func take(t *testing.T, store *logstore.Store, name string, records io.Reader) (ingest.Summary, []ingest.Reject) {
	t.Helper()
	var rejects []ingest.Reject
	stream := ingest.NewStream(name, records, ingest.DecoderOptions{Source: name, Provenance: glassward.File})
	err := stream.Run(t.Context(), nil, func(ctx context.Context, b *ingest.Batch, _ *ingest.Cursor) error {
		rejects = append(rejects, b.Rejects...)
		if len(b.Records) == 0 {
			return nil
		}
		_, err := store.Append(ctx, logstore.Batch{Records: b.Records})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return stream.Summary(), rejects
}

// ask runs a query that has to compile.
func ask(t *testing.T, store *logstore.Store, name, query string) *kql.Result {
	t.Helper()
	p, list := kql.Compile(query, kql.Options{Catalog: schema.Default().Catalog(), File: name})
	if list.HasErrors() {
		t.Fatalf("%s does not compile:\n%v\n%s", name, list, query)
	}
	r, err := store.Run(t.Context(), p, kql.Bind{Now: value.FromTime(moment)}, logstore.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// lines gives the lines of a file, without their ends.
func lines(t *testing.T, file string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		if len(bytes.TrimSpace(s.Bytes())) > 0 {
			out = append(out, bytes.Clone(s.Bytes()))
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
