package kql_test

import (
	"strings"
	"testing"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/kqltest"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// emergency is a watchlist for tests.
var emergency = map[string]*kql.Watchlist{"EmergencyAccounts": {
	Columns: []rel.Column{{Name: "ObjectId", Type: value.String}, {Name: "Owner", Type: value.String}},
	Rows:    [][]any{{"aaaa-1", "ann"}, {"bbbb-2", "bob"}},
}}

// TestExplain holds what explain prints. A first line `// lineage` or `// time` or `// seq` gives the options.
func TestExplain(t *testing.T) {
	kqltest.Golden(t, "testdata/explain/explain.txt", func(t *testing.T, text string) string {
		o := kql.Options{Catalog: entra(), Watchlists: emergency}
		first, _, _ := strings.Cut(text, "\n")
		if words, ok := strings.CutPrefix(first, "// with "); ok {
			for w := range strings.FieldsSeq(words) {
				switch w {
				case "lineage":
					o.Lineage = true
				case "time":
					o.Window = kql.ByTime
				case "seq":
					o.Window = kql.BySeq
				}
			}
		}
		x, diags := kql.Explain(text, o)
		if x == nil {
			return diag.Text("query", text, diags)
		}
		if p, _ := kql.Compile(text, o); p == nil || p.SQL != x.Program.SQL {
			t.Errorf("Compile gives another program")
		}
		// The SQL is another test's.
		out := x.String()
		sql := "  " + strings.ReplaceAll(x.Program.SQL, "\n", "\n  ")
		if !strings.Contains(out, sql) {
			t.Errorf("the SQL is not shown")
		}
		return strings.Replace(out, sql, "  …", 1)
	})
}
