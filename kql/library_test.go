package kql_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/kqltest"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// TestLibrary runs testdata/library.txt: what queries take from outside themselves. A part that begins
// "file NAME" in the folder testdata/functions is a stored function's.
func TestLibrary(t *testing.T) {
	cat := tables{
		"Signs": {Name: "Signs", Columns: []rel.Column{{Name: "TimeGenerated", Type: value.DateTime}, {Name: "User", Type: value.String}, {Name: "Result", Type: value.Long}, {Name: "_ItemId", Type: value.GUID}}},
	}
	var files []kql.FunctionFile
	entries, err := os.ReadDir("testdata/functions")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range entries {
		text, err := os.ReadFile("testdata/functions/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, kql.FunctionFile{Name: f.Name(), Text: string(text)})
	}
	functions, problems := kql.ReadFunctions(files, kql.Options{Catalog: cat})
	var wrong strings.Builder
	for _, p := range problems {
		wrong.WriteString(p.Text())
	}
	if want, err := os.ReadFile("testdata/functions.problems"); err != nil || wrong.String() != string(want) {
		t.Errorf("problems of testdata/functions:\n%s\nwant\n%s", wrong.String(), want)
	}
	e := newEngine(t)
	e.create(t, cat["Signs"], [][]any{
		{ticksOf("2026-11-20T10:00:00Z"), "ann", int64(0), "00000000-0000-0000-0000-000000000001", int64(1)},
		{ticksOf("2026-11-20T11:00:00Z"), "bob", int64(7), "00000000-0000-0000-0000-000000000002", int64(2)},
		{ticksOf("2026-11-19T23:00:00Z"), "ann", int64(7), "00000000-0000-0000-0000-000000000003", int64(3)},
	})
	kqltest.Run(t, "testdata/library/*.txt", kqltest.EngineFunc(func(in kqltest.Input) (kqltest.Output, error) {
		o := kql.Options{Catalog: cat, Functions: functions, Placeholders: map[string]any{}, Parameters: map[string]string{}}
		for k, v := range in.Options {
			if name, ok := strings.CutPrefix(k, "placeholder."); ok {
				o.Placeholders[name] = v
			}
			if name, ok := strings.CutPrefix(k, "parameter."); ok {
				o.Parameters[name] = v
			}
		}
		if in.Options["window"] == "time" {
			o.Window = kql.ByTime
		}
		o.Watchlists = map[string]*kql.Watchlist{"Emergency": {Columns: []rel.Column{{Name: "ObjectId", Type: value.String}}}, "Others": {}}
		if in.Options["external"] != "off" {
			o.External = func(want kql.ExternalData) ([][]any, error) {
				if want.URIs[0] != "https://lists.example/users.csv" {
					return nil, errors.New("reading " + want.URIs[0] + " is not allowed")
				}
				return [][]any{{"ann", "1"}, {"cid", "x"}}[:min(2, 2*len(want.Columns))], nil
			}
		}
		o.Workspace = func(name string) (kql.Catalog, bool) { return cat, name == "own" }
		x, diags := kql.Explain(in.Query, o)
		out := kqltest.Output{Diagnostics: diag.Text("query", in.Query, diags)}
		if x == nil {
			return out, nil
		}
		p := x.Program
		out.Compiled, out.SQL, out.Tree = true, p.SQL, x.Tree()
		res, err := e.run(p, kql.Bind{Now: ticksOf(testNow), From: ticksOf("2026-11-20"), To: ticksOf("2026-11-21")})
		if err != nil {
			return out, err
		}
		for _, c := range res.Columns {
			out.Columns = append(out.Columns, kqltest.Column{Name: c.Name, Type: c.Type.String()})
		}
		out.Rows = res.Rows
		return out, nil
	}))
	if got := functions.Names(); !slices.Contains(got, "SignsOf") || slices.Contains(got, "Broken") {
		t.Errorf("functions %v", got)
	}
}

func ticksOf(s string) value.Ticks {
	t, ok := value.ParseDateTime(s)
	if !ok {
		panic(s)
	}
	return t
}

// TestStoredFunctions is what clients are told of stored functions, in each of the forms of a file.
func TestStoredFunctions(t *testing.T) {
	functions, problems := kql.ReadFunctions([]kql.FunctionFile{
		{Name: "a.kql", Text: ".create-or-alter function with (docstring=\"Both.\") Both(T:(User:string, ['a b']:long), of:(*), n:long = 5, s:string = \"x\") {\n  T | take n\n}\n"},
		{Name: "b.kql", Text: "let Names = datatable(User:string)[\"ann\"];"},
		{Name: "Recent.kql", Text: "// functionParameters: since:timespan = 1d\nprint now() - since // to its end\n"},
	}, kql.Options{})
	for _, p := range problems {
		t.Error(p.Text())
	}
	var got strings.Builder
	for _, f := range functions.List() {
		params := make([]string, len(f.Parameters))
		for i, p := range f.Parameters {
			params[i] = p.String()
		}
		fmt.Fprintf(&got, "%s(%s) %s\n%s\n", f.Name, strings.Join(params, ", "), f.Doc, f.Body)
	}
	const want = `Both(T:(User:string, ['a b']:long), of:(*), n:long=5, s:string="x") Both.
{
  T | take n
}
Names() 
{
datatable(User:string)["ann"]
}
Recent(since:timespan=1d) 
{
print now() - since
}
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
