package logstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// TestPublishedQueries runs other people's queries, where they are present, on
// the store's own engine: whatever compiles must run there and give cells of
// the kinds that results have. What the rows are is the compiler's business.
func TestPublishedQueries(t *testing.T) {
	queries := map[string]string{}
	if f, err := os.Open("../../shared/kql/cases.jsonl"); err == nil {
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var c struct{ ID, Query string }
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatal(err)
			}
			queries[c.ID] = c.Query
		}
	}
	files, err := filepath.Glob("../../shared/kql/community/*.kql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		queries[filepath.Base(name)] = string(text)
	}
	s := memory(t)
	appendTo(t, s, signin("a", "UserId", "u1", "ResultType", "0"), record("AuditLogs", "b", "OperationName", "Update policy"))
	catalog := schema.Default().Catalog()
	ran := 0
	for name, text := range queries {
		for _, lineage := range []bool{false, true} {
			bind := kql.Bind{Now: value.FromTime(clock), From: value.FromTime(clock.Add(-time.Hour)), To: value.FromTime(clock), SeqTo: 10}
			run := func(p *kql.Program) (*kql.Result, error) {
				return s.Run(context.Background(), p, bind, logstore.Limits{MaxRows: 1000, Timeout: 20 * time.Second})
			}
			p, diags := kql.Compile(text, kql.Options{Catalog: catalog, Lineage: lineage, Explore: run})
			if p == nil || failed(diags) {
				continue
			}
			r, err := run(p)
			if err != nil {
				// Functions say what is wrong with their arguments; the engine has
				// nothing to complain about.
				if !strings.Contains(err.Error(), "kql_") {
					t.Errorf("%s, lineage %v: %v\n%s", name, lineage, err, text)
				}
				continue
			}
			ran++
			if lineage != (r.Lineage != nil) && len(r.Rows) > 0 {
				t.Errorf("%s: lineage %v, has %v", name, lineage, r.Lineage)
			}
			for _, row := range r.Rows {
				if len(row) != len(r.Columns) {
					t.Fatalf("%s: %d cells for %d columns", name, len(row), len(r.Columns))
				}
				for i, v := range row {
					if !fits(v, r.Columns[i].Type) {
						t.Errorf("%s: column %s of type %v has a %T", name, r.Columns[i].Name, r.Columns[i].Type, v)
					}
				}
			}
		}
	}
	if len(queries) > 0 && ran < len(queries)/2 {
		t.Errorf("only %d of %d queries ran", ran, 2*len(queries))
	}
	t.Logf("%d of %d queries ran", ran, 2*len(queries))
}

// TestColumnsOfTheData learns columns from the records that the store has at that moment, within the window
// and the limits of the query.
func TestColumnsOfTheData(t *testing.T) {
	s := memory(t)
	catalog := schema.Default().Catalog()
	bind := kql.Bind{Now: value.FromTime(clock)}
	limits := logstore.Limits{MaxRows: 1000, Timeout: 20 * time.Second}
	ask := func() string {
		run := func(p *kql.Program) (*kql.Result, error) { return s.Run(context.Background(), p, bind, limits) }
		p, diags := kql.Compile(`SigninLogs | project d = bag_pack(UserId, ResultType) | evaluate bag_unpack(d)`, kql.Options{Catalog: catalog, Explore: run})
		if p == nil {
			return diags.Err().Error()
		}
		r, err := run(p)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range r.Columns {
			names = append(names, c.Name+":"+c.Type.String())
		}
		return strings.Join(names, " ")
	}
	if got := ask(); got != "" {
		t.Errorf("without records there are the columns %s", got)
	}
	appendTo(t, s, signin("a", "UserId", "u2", "ResultType", "0"), signin("b", "UserId", "u1", "ResultType", "5"))
	if got := ask(); got != "u1:string u2:string" {
		t.Errorf("columns %s", got)
	}
	limits.MaxRows = 1
	if got := ask(); !strings.Contains(got, "KQL0241") {
		t.Errorf("what goes beyond the limits gives: %s", got)
	}
}

func failed(list diag.List) bool {
	for _, d := range list {
		if d.Severity == diag.Error {
			return true
		}
	}
	return false
}

// fits says whether a result's cell is of a kind that its column's type allows.
func fits(v any, t value.Type) bool {
	switch v.(type) {
	case nil:
		return t != value.String
	case bool:
		return t == value.Bool
	case int64:
		return t == value.Int || t == value.Long || t == value.DateTime || t == value.TimeSpan
	case float64:
		return t == value.Real
	case string: // a decimal is the text of its 34 digits
		return t == value.String || t == value.Dynamic || t == value.GUID || t == value.Decimal
	}
	return false
}
