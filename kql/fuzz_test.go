package kql_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// forbidden are words that reach outside the store. They may stand in texts and quoted names only.
var forbidden = regexp.MustCompile(`(?i)\b(read_csv|read_csv_auto|read_json|read_json_auto|read_parquet|parquet_scan|read_text|read_blob|glob|copy|attach|detach|pragma|install|load|export|import|create|insert|update|delete|drop|set|call|getenv)\b`)

// quoted matches string literals and quoted names.
var quoted = regexp.MustCompile(`E'(?:[^'\\\\]|\\\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"`)

// FuzzCompile holds that no text makes the compiler panic or think for long, that the engine can read and plan
// the SQL, and that the SQL never names what reaches outside the store.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		"S | where u == 'x' | summarize n = count(), make_set(u) by bin(t, 1h)",
		"let f = (a:long, T:(*)) { T | extend x = a }; f(1, S) | join kind=leftouter (S) on u | top 3 by t",
		"S | mv-expand d | extend x = d.a[0]['b c'] | mv-apply d on (where d > 1 | summarize sum(toint(d)))",
		"print x = strcat(\"a'b\\n\", '\"', @'c:\\x'), y = dynamic({\"a\":[1,null]}) | extend ['a\"b'] = x",
		"S | parse u with * 'a' x:long 'b' y | make-series c = count() default=0 on t from ago(1d) to now() step 1h",
		"S | sort by t | extend p = prev(u), r = row_number(1, u != prev(u)) | where row_cumsum(1) < 5",
		"union S*, (S | project u) | where u in ((S | distinct u)) and u has_any ('a', 'b')",
		"print read_csv('/etc/passwd')",
		"['read_csv(x)'] | take 5; DROP TABLE x",
		"range x from 1 to 10 step 1 | extend y = x * x / 3 % 2 | evaluate bag_unpack(y)",
		"S | evaluate ipv4_lookup(S, u, u, return_unmatched=true) | evaluate rows_near(u == 'x', 1) | evaluate narrow()",
		"S | evaluate new_activity_metrics(u, t, ago(7d), now(), 1d, S) | evaluate pivot(from_t) : (a:long)",
		"S | evaluate sequence_detect(t, 1h, 1d, a = u == 'x', b = u == 'y', u) | evaluate rolling_percentile(t, 5, t, 1d, 3)",
	} {
		f.Add(s)
	}
	cat := tables{"S": {Name: "S", Columns: []rel.Column{
		{Name: "u", Type: value.String}, {Name: "t", Type: value.DateTime}, {Name: "d", Type: value.Dynamic}, {Name: "TimeGenerated", Type: value.DateTime}, {Name: "_ItemId", Type: value.GUID},
	}}}
	addOwn(f, cat)
	e := newSmallEngine(f)
	for _, t := range cat {
		e.create(f, t, nil)
	}
	lists := map[string]*kql.Watchlist{"Emergency": {Columns: []rel.Column{{Name: "ObjectId", Type: value.String}, {Name: "Owner", Type: value.String}}, Rows: [][]any{{"aaaa-1", "ann"}}}}
	f.Fuzz(func(t *testing.T, source string) {
		compile := func(source string, o kql.Options) bool {
			start := time.Now()
			p, diags := kql.Compile(source, o)
			if d := time.Since(start); d > 10*time.Second {
				t.Fatalf("%v for %q", d, source)
			}
			if p == nil {
				if !diags.HasErrors() {
					t.Fatal("no program and no error")
				}
				return false
			}
			for _, p := range append([]*kql.Program{p}, p.More...) {
				bare := quoted.ReplaceAllString(p.SQL, "''")
				if m := forbidden.FindString(bare); m != "" {
					t.Fatalf("%q in the SQL of %q:\n%s", m, source, p.SQL)
				}
				if strings.Contains(bare, ";") || strings.Contains(bare, "--") || strings.Contains(bare, "/*") {
					t.Fatalf("statement end or comment in the SQL of %q:\n%s", source, p.SQL)
				}
				if err := e.plan(p); err != nil {
					t.Fatalf("%v\n%q\n%s", err, source, p.SQL)
				}
			}
			return true
		}
		// Who writes the records names columns: what the data say goes into the SQL as well.
		data := func(p *kql.Program) (*kql.Result, error) {
			r := &kql.Result{Columns: p.Columns, Rows: [][]any{{source, any("long")}, {"\"" + source, any("string")}}}
			if len(p.Columns) < 2 || p.Columns[1].Type == value.Long {
				r.Rows = [][]any{{source, int64(2)}, {"'" + source, int64(1)}}
			}
			return r, nil
		}
		external := func(want kql.ExternalData) ([][]any, error) { return [][]any{{source, source}}, nil }
		workspace := func(name string) (kql.Catalog, bool) { return cat, name == "own" }
		o := kql.Options{Catalog: cat, Watchlists: lists, Addresses: true, External: external, Workspace: workspace, Placeholders: map[string]any{"x": source}}
		if !compile(source, o) {
			return
		}
		o.Lineage, o.Window = true, kql.BySeq
		compile(source, o)
		o.Window, o.Explore = kql.ByTime, data
		compile(source, o)
		compile("S | evaluate bag_unpack(d)", o)
		compile("S | evaluate pivot(u, count(), t)", o)
	})
}

// addOwn begins a fuzz target with the project's own queries, and with those of others where GLASSWARD_FUZZ is
// "all" and they are present. It adds the tables that they read to the catalog.
func addOwn(f *testing.F, cat tables) {
	f.Helper()
	for _, s := range samples(f) {
		if s.rows == nil && os.Getenv("GLASSWARD_FUZZ") != "all" {
			continue
		}
		f.Add(s.query)
		for name, table := range s.catalog {
			merged := cat[name]
			if merged == nil {
				merged = &rel.Table{Name: name}
				cat[name] = merged
			}
			for _, c := range table.Columns {
				if !slices.ContainsFunc(merged.Columns, func(m rel.Column) bool { return strings.EqualFold(m.Name, c.Name) }) {
					merged.Columns = append(merged.Columns, c)
				}
			}
		}
	}
}

// plan lets the engine read and plan a program's SQL without running it.
func (e *engine) plan(p *kql.Program) error {
	stmt, err := e.conn.PrepareContext(context.Background(), p.SQL)
	if err != nil {
		return err
	}
	return stmt.Close()
}

func BenchmarkCompile(b *testing.B) {
	cat := tables{"S": {Name: "S", Columns: []rel.Column{
		{Name: "Id", Type: value.String}, {Name: "UserId", Type: value.String}, {Name: "TimeGenerated", Type: value.DateTime}, {Name: "Who", Type: value.Dynamic}, {Name: "Targets", Type: value.Dynamic}, {Name: "_ItemId", Type: value.GUID},
	}}}
	const query = `
let ids = dynamic(["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"]);
S
| extend Initiator = tostring(Who.user.id), Address = tostring(Who.user.ipAddress)
| mv-expand Target = Targets to typeof(dynamic)
| extend TargetId = tostring(Target.id)
| where Initiator in (ids) or TargetId in (ids)
| summarize At = max(TimeGenerated), Watched = make_set_if(TargetId, TargetId in (ids)), any(Address) by Id
| extend Kind = case(array_length(Watched) > 0, "target", "initiator"), Text = strcat_array(Watched, ", ")
| sort by At desc`
	for b.Loop() {
		if p, diags := kql.Compile(query, kql.Options{Catalog: cat, Lineage: true, Window: kql.BySeq}); p == nil {
			b.Fatal(diags.Err())
		}
	}
}
