package kqltest_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"glassward/kql/kqltest"
)

// echo gives back the table that the query names.
func echo(in kqltest.Input) (kqltest.Output, error) {
	if in.Query == "wrong" {
		return kqltest.Output{Diagnostics: in.File + ":1:1: error KQL0000: wrong\n"}, nil
	}
	out := kqltest.Output{Compiled: true, SQL: "SELECT '" + in.Options["dialect"] + "'\n", Tree: "scan " + in.Query + "\n"}
	for _, t := range in.Tables {
		if t.Name == in.Query {
			out.Columns, out.Rows = t.Columns, t.Rows
			return out, nil
		}
	}
	if len(in.Tables) > 0 {
		return out, errors.New("no table " + in.Query)
	}
	return out, nil
}

func TestLanguage(t *testing.T) {
	kqltest.Run(t, "testdata/*.txt", kqltest.EngineFunc(echo))
}

func TestRoundTrip(t *testing.T) {
	f, err := kqltest.ReadFile("testdata/language.txt")
	if err != nil {
		t.Fatal(err)
	}
	g, err := kqltest.Parse("again", f.String())
	if err != nil {
		t.Fatal(err)
	}
	if f.String() != g.String() {
		t.Errorf("got:\n%s\nwant:\n%s", g.String(), f.String())
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"-- query --\nT\n", "x:1: a section stands before the first case"},
		{"== a\ntext\n", "x:2: this line stands in no section"},
		{"== a\n-- rows (a:long) --\n1\n", "x:1: a: the case has no query"},
		{"== a\n-- query --\nT\n-- rows (a:long, b:long) --\n1\n", "x:4: a: row 1: 1 cells for 2 columns"},
		{"== a\n-- query --\nT\n-- rows (a:long) --\n1 2\n", "x:4: a: row 1: invalid character"},
		{"== a\n-- query --\nT\n-- rows (a) --\n", `x:4: a: the column "a" has no type`},
		{"== a\n-- query --\nT\n-- rows (a:long,) --\n", "x:4: a: nothing follows the last comma"},
		{"== a\n-- query --\nT\n-- other --\n", `x:4: a: there is no section "other"`},
		{"== a\n-- query --\nT\n-- table (a:long) --\n", "x:4: a: the table has no name"},
		{"== a\n-- query --\nT\n-- options --\nx\n", `x:4: a: the option "x" has no =`},
		{"== a\n-- query --\nT\n== a\n-- query --\nT\n", `x:4: the case "a" is in line 1 already`},
	} {
		_, err := kqltest.Parse("x", tt.text)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
}

func TestCompare(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, tt := range []struct {
		typ       string
		got, want any
		same      bool
	}{
		{"long", int64(5), text("5"), true},
		{"int", int64(5), text("6"), false},
		{"long", nil, text("0"), false},
		{"long", int64(9007199254740993), text("9007199254740992"), false},
		{"long", nil, nil, true},
		{"real", 1.0, text("1"), true},
		{"real", 1.0 / 3, text("0.33333333333"), true},
		{"real", 0.3, text("0.4"), false},
		{"real", math.NaN(), text("NaN"), true},
		{"real", math.Inf(1), text("∞"), true},
		{"real", math.Inf(-1), text("Infinity"), false},
		{"decimal", json.Number("1.50"), text("1.5"), true},
		{"bool", true, text("1"), true},
		{"bool", true, text("false"), false},
		{"string", "a", text("A"), false},
		{"string", "", nil, false},
		{"datetime", int64(0), text("0001-01-01"), true},
		{"datetime", time.Date(2024, 2, 29, 1, 2, 3, 4500, time.UTC), text("2024-02-29 01:02:03.0000045"), true},
		{"datetime", "2024-02-29T00:00:00Z", text("2024-02-29T00:00:01Z"), false},
		{"datetime", "2024-02-30", text("2024-03-01"), false},
		{"timespan", int64(-1), text("-00:00:00.0000001"), true},
		{"timespan", 36 * time.Hour, text("1.12:00:00"), true},
		{"timespan", int64(math.MinInt64), text("-10675199.02:48:05.4775808"), true},
		{"guid", "74BE27DE-1E4E-49D9-B579-FE0B331D3642", text("74be27de-1e4e-49d9-b579-fe0b331d3642"), true},
		{"dynamic", `{"a":[1,2],"b":null}`, text(`{"b":null,"a":[1.0,2]}`), true},
		{"dynamic", map[string]any{"a": 1.0}, text(`{"a":1}`), true},
		{"dynamic", `[1,2]`, text(`[2,1]`), false},
		{"dynamic", `["2022-01-01T00:00:00Z"]`, text(`["2022-01-01T00:00:00.0000000Z"]`), true},
		{"dynamic", `"x"`, text(`x`), true},
		{"dynamic", `true`, text(`1`), false},
		{"dynamic", nil, text(`null`), true},
	} {
		cols := []kqltest.Column{{Name: "x", Type: tt.typ}}
		err := kqltest.Compare(kqltest.Table{Columns: cols, Rows: [][]any{{tt.got}}}, kqltest.Table{Columns: cols, Rows: [][]any{{tt.want}}}, kqltest.Options{})
		if (err == nil) != tt.same {
			t.Errorf("%s: %v against %v: %v", tt.typ, tt.got, tt.want, err)
		}
	}
}

func TestCompareRows(t *testing.T) {
	cols := []kqltest.Column{{Name: "x", Type: "long"}}
	rows := func(vs ...any) kqltest.Table {
		table := kqltest.Table{Columns: cols}
		for _, v := range vs {
			table.Rows = append(table.Rows, []any{v})
		}
		return table
	}
	for _, tt := range []struct {
		got, want kqltest.Table
		o         kqltest.Options
		err       string
	}{
		{rows(1, 2), rows(2, 1), kqltest.Options{}, ""},
		{rows(1, 2), rows(2, 1), kqltest.Options{Ordered: true}, `row 1, column x: got "1", want "2"`},
		{rows(1, 1), rows(1, 2), kqltest.Options{}, `unexpected row "1"`},
		{rows(1), rows(), kqltest.Options{}, "got 1 rows, want 0"},
		{rows(1000), rows(1010), kqltest.Options{Tolerance: 0.02}, ""},
		{rows(1000), rows(1100), kqltest.Options{Tolerance: 0.02}, "unexpected row"},
		{kqltest.Table{Columns: []kqltest.Column{{Name: "y", Type: "long"}}}, rows(), kqltest.Options{}, "columns differ"},
		{kqltest.Table{Columns: []kqltest.Column{{Name: "x", Type: "int"}}}, rows(), kqltest.Options{}, ""},
		{kqltest.Table{Columns: []kqltest.Column{{Name: "x", Type: "string"}}}, rows(), kqltest.Options{}, "columns differ"},
	} {
		err := kqltest.Compare(tt.got, tt.want, tt.o)
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err)) {
			t.Errorf("got %v, want %q", err, tt.err)
		}
	}
}

func TestRecord(t *testing.T) {
	list, err := kqltest.ReadRecords(strings.NewReader(
		`{"id":"a","query":"T","columns":[{"name":"x","type":"long"},{"name":"l","type":"dynamic"}],"rows":[["1000","[1,2]"],[null,null]],"approx":true,"setlike":true}` + "\n"))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	cols := []kqltest.Column{{Name: "x", Type: "long"}, {Name: "l", Type: "dynamic"}}
	if err := list[0].Check(cols, [][]any{{nil, nil}, {int64(1001), "[2,1]"}}); err != nil {
		t.Error(err)
	}
	if err := list[0].Check(cols, [][]any{{nil, nil}, {int64(1001), "[2,2]"}}); err == nil {
		t.Error("a wrong element passed")
	}
	if _, err := kqltest.ReadRecords(strings.NewReader("{\n")); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("== a\n-- query --\nT\n-- rows (a:long) --\n1\n")
	f.Add("-- x --\n== \n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := kqltest.Parse("x", text)
		if err != nil {
			return
		}
		if _, err := kqltest.Parse("x", file.String()); err != nil {
			t.Errorf("%v\n%s", err, file.String())
		}
	})
}
