package kusto_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/console/kusto"
	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// activity is a request at a time that stands still.
func activity() kusto.Activity {
	now := time.Date(2026, 11, 20, 12, 0, 1, 500_000_000, time.UTC)
	return kusto.Activity{ID: "74be27de-1e4e-49d9-b579-fe0b331d3642", ClientRequestID: "KGC.execute;1", Kind: "Query", Began: now.Add(-1500 * time.Millisecond), Now: func() time.Time { return now }}
}

func ticks(text string) int64 {
	t, ok := value.ParseDateTime(text)
	if !ok {
		panic(text)
	}
	return int64(t)
}

// results are what the scripts in testdata write, by name.
func results() map[string]*kql.Result {
	every := []rel.Column{
		{Name: "b", Type: value.Bool}, {Name: "i", Type: value.Int}, {Name: "l", Type: value.Long}, {Name: "r", Type: value.Real}, {Name: "m", Type: value.Decimal},
		{Name: "s", Type: value.String}, {Name: "d", Type: value.DateTime}, {Name: "t", Type: value.TimeSpan}, {Name: "g", Type: value.GUID}, {Name: "j", Type: value.Dynamic},
	}
	one := []rel.Column{{Name: "a", Type: value.Long}}
	nan, inf := 0.0, 1.0
	nan, inf = nan/nan, inf/(inf-1)
	return map[string]*kql.Result{
		"every": {Columns: every, Rows: [][]any{
			{true, int64(-7), int64(9223372036854775807), 1.0, "0.10", "a\"\\\n\t\x01\u2028<é\xff", ticks("2020-03-04T14:05:01.3109965Z"), int64(-94327_0000000), "74be27de-1e4e-49d9-b579-fe0b331d3642", "{\n \"a\": [1, \"x\"]\n}"},
			{false, int64(2147483647), int64(-9223372036854775808), 1e300, "79228162514264337593543950335", "", ticks("0001-01-01"), int64(0), "00000000-0000-0000-0000-000000000000", `"text"`},
			{nil, nil, nil, nan, nil, nil, nil, nil, nil, nil},
			{nil, nil, nil, inf, nil, nil, ticks("9999-12-31T23:59:59.9999999Z"), nil, nil, `12`},
			{nil, nil, nil, -inf, nil, nil, nil, nil, nil, `[]`},
		}},
		"empty": {Columns: one},
		"several": {Columns: one, Rows: [][]any{{int64(1)}}, Render: &kql.Render{Chart: "timechart", Sorted: true, Properties: map[string]string{"title": "Sign-ins", "ycolumns": "a,b", "ymin": "0", "ymax": "x"}},
			More: []*kql.Result{{Name: "Second", Columns: one, Rows: [][]any{{int64(2)}, {int64(3)}}}, {Columns: one}}},
		"cut":       {Columns: one, Rows: [][]any{{int64(1)}, {int64(2)}}, Truncated: true, MaxRows: 2},
		"cut-bytes": {Columns: one, Rows: [][]any{{int64(1)}}, Truncated: true, MaxBytes: 64, More: []*kql.Result{{Columns: one, Truncated: true, MaxBytes: 64}}},
	}
}

// TestFrames writes each result that testdata/frames.txt names with the options that it has, and compares
// every byte.
func TestFrames(t *testing.T) {
	golden(t, "testdata/frames.txt", func(name string) []byte {
		result, rest, _ := strings.Cut(name, " ")
		form, options, _ := strings.Cut(rest, " ")
		text, err := json.Marshal(map[string]any{"db": "d", "csl": "q", "properties": `{"Options":` + options + `}`})
		if err != nil {
			t.Fatal(err)
		}
		request, err := kusto.ReadRequest(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		a := kusto.Answer{Result: results()[result], Options: request.Options, Activity: activity()}
		var out bytes.Buffer
		if form == "v1" {
			err = a.WriteV1(&out)
		} else {
			err = a.WriteV2(context.Background(), &out)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(out.Bytes()) {
			t.Errorf("%s is not JSON", name)
		}
		return out.Bytes()
	})
}

// golden compares what make gives for each part of a file with what stands there. UPDATE=1 writes it
// anew: read the difference.
func golden(t *testing.T, path string, make func(name string) []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	a := txtar.Parse(text)
	if len(a.Files) == 0 {
		t.Fatalf("%s has no parts", path)
	}
	for i, f := range a.Files {
		got := make(f.Name)
		if !bytes.Equal(got, f.Data) && os.Getenv("UPDATE") == "" {
			t.Errorf("%s: %s\n got %s\nwant %s", path, f.Name, got, f.Data)
		}
		a.Files[i].Data = got
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(filepath.FromSlash(path), txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFragmentsAreBounded holds that rows come in frames of bounded size, whatever there are, and all of them.
func TestFragmentsAreBounded(t *testing.T) {
	r := &kql.Result{Columns: []rel.Column{{Name: "s", Type: value.String}}}
	for i := range 5000 {
		r.Rows = append(r.Rows, []any{fmt.Sprint(i, strings.Repeat("x", 300))})
	}
	a := kusto.Answer{Result: r, Options: kusto.Options{Fragments: true, Newlines: true}, Activity: activity()}
	var out bytes.Buffer
	if err := a.WriteV2(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	fragments, rows := 0, 0
	for line := range strings.Lines(out.String()) {
		if len(line) > 258<<10 {
			t.Errorf("a frame has %d bytes", len(line))
		}
		if !strings.Contains(line, `"TableFragment"`) {
			continue
		}
		fragments++
		var f struct{ Rows [][]string }
		if err := json.Unmarshal([]byte(line[1:]), &f); err != nil {
			t.Fatal(err)
		}
		for _, row := range f.Rows {
			if !strings.HasPrefix(row[0], fmt.Sprint(rows)+"x") {
				t.Fatalf("row %d is %.20q", rows, row[0])
			}
			rows++
		}
	}
	if rows != 5000 || fragments < 6 {
		t.Errorf("%d rows in %d frames", rows, fragments)
	}
}

// TestCancelled holds that an answer whose request has ended says so, and is still JSON.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, o := range []kusto.Options{{}, {Fragments: true, Newlines: true}} {
		a := kusto.Answer{Result: results()["several"], Options: o, Activity: activity()}
		var out bytes.Buffer
		if err := a.WriteV2(ctx, &out); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(out.Bytes()) || !strings.Contains(out.String(), `"Cancelled":true`) || strings.Contains(out.String(), `"DataAppend"`) {
			t.Errorf("a cancelled answer: %s", out.String())
		}
	}
}
