package trial

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glassward/kql/kqltest"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// testCell makes a cell of one of a case's table.
func testCell(v any, t value.Type) cell {
	switch x := v.(type) {
	case nil:
		return cell{}
	case json.Number:
		if t == value.Long || t == value.Int {
			if n, err := x.Int64(); err == nil {
				return cell{v: n}
			}
		}
		if t == value.Real {
			if f, err := x.Float64(); err == nil {
				return cell{v: f}
			}
		}
		return hangs(other("a number"))
	case string:
		switch t {
		case value.String, value.GUID:
			return cell{v: x}
		case value.DateTime:
			if d, ok := value.ParseDateTime(x); ok {
				return cell{v: int64(d)}
			}
		}
		return hangs(other("a text"))
	case bool:
		return cell{v: x}
	}
	if b, err := json.Marshal(v); err == nil && t == value.Dynamic {
		return parseDynamic(string(b))
	}
	return hangs(other("a value"))
}

// What engines answer to the queries of the language's tests lies within the bounds, and
// cells that are said to be known are those of the answers.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	now, _ := value.ParseDateTime("2026-11-21T04:00:00Z")
	tried, exact, cells := 0, 0, 0
	for _, name := range files {
		f, err := kqltest.ReadFile(name)
		if err != nil {
			continue // not a file of cases
		}
		for _, c := range f.Cases {
			if c.Rows == nil || len(c.Options) > 0 {
				continue // of those with options most see a part of the records
			}
			var list rel.Tables
			rows := map[string][]row{}
			for _, x := range c.Tables {
				table := &rel.Table{Name: x.Name}
				for _, col := range x.Columns {
					k, _ := value.ParseType(col.Type)
					table.Columns = append(table.Columns, rel.Column{Name: col.Name, Type: k})
				}
				for _, r := range x.Rows {
					y := row{yes(true), map[string]cell{}}
					for i, v := range r {
						y.cells[x.Columns[i].Name] = testCell(v, table.Columns[i].Type)
					}
					rows[x.Name] = append(rows[x.Name], y)
				}
				list = append(list, table)
			}
			q, err := New(c.Query, list)
			if err != nil {
				continue // what the language refuses, or needs more than tables
			}
			x := &trial{now: int64(now), done: map[rel.Rel]*table{}}
			rel.Walk(q.tree, func(r rel.Rel) {
				if s, ok := r.(*rel.Scan); ok {
					x.done[r] = &table{rows: rows[s.Table.Name]}
				}
			})
			res := x.rel(q.tree)
			least, most := 0, len(res.rows)
			for _, r := range res.rows {
				if r.is.isTrue() {
					least++
				} else if r.is.isFalse() {
					most--
				}
			}
			tried++
			if want := len(c.Rows.Rows); least > want || most < want && len(res.open) == 0 {
				t.Errorf("%s:%d: %s: %d rows, bounds %d and %d\n%s", name, c.Line, c.Name, want, least, most, c.Query)
				continue
			} else if least != want || most != want || len(res.open) > 0 {
				continue
			}
			exact++
			cols := q.tree.Columns()
			for i, col := range cols {
				var have, want []string
				known := col.Type == value.String || col.Type == value.Bool || col.Type == value.Long || col.Type == value.Int
				for _, r := range res.rows {
					v := r.cells[col.Name]
					known = known && v.known()
					have = append(have, fmt.Sprint(v.v))
				}
				if !known || i >= len(c.Rows.Columns) {
					continue
				}
				for _, r := range c.Rows.Rows {
					want = append(want, fmt.Sprint(testCell(r[i], col.Type).v))
				}
				cells += len(have)
				slices.Sort(have)
				slices.Sort(want)
				if !slices.Equal(have, want) {
					t.Errorf("%s:%d: %s: column %s: %v, want %v\n%s", name, c.Line, c.Name, col.Name, have, want, c.Query)
				}
			}
		}
	}
	t.Logf("%d queries tried, of %d all rows are known, %d cells", tried, exact, cells)
	if tried < 250 || exact < 120 || cells < 250 {
		t.Error("too few queries were tried: the test has lost its cases")
	}
}

// A query that is none, whatever it is, is an error; and bounds are bounds.
func FuzzTry(f *testing.F) {
	for _, q := range []string{"SigninLogs | where UserId == 'a'", "T | mv-expand x | summarize count() by y", "print x = 1 | take 0", "union A, B | join kind=leftanti (C) on k"} {
		f.Add(q)
	}
	cols := []rel.Column{{Name: "UserId", Type: value.String}, {Name: "x", Type: value.Dynamic}, {Name: "y", Type: value.Long}, {Name: "k", Type: value.String}}
	list := rel.Tables{{Name: "SigninLogs", Columns: cols}, {Name: "T", Columns: cols}, {Name: "A", Columns: cols}, {Name: "B", Columns: cols}, {Name: "C", Columns: cols}}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "range") || len(text) > 2000 {
			return
		}
		q, err := New(text, list)
		if err != nil {
			return
		}
		now, _ := value.ParseDateTime("2026-11-21T04:00:00Z")
		v := q.Try(Record{Table: "T", Cells: map[string]any{"UserId": "a", "x": `[1,{"a":"b"}]`}, Filled: []string{"k"}, Alone: []string{"A"}}, now.Time())
		if v.Least > v.Most || v.Least < 0 {
			t.Fatalf("%+v", v)
		}
	})
}
