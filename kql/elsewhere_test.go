package kql_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// TestElsewhere: what a query of several workspaces works out in each, and what is left
// to it. The texts are testdata/elsewhere.txtar: each file is a query, and below the line
// what becomes of it. KQLTEST_UPDATE=1 writes them anew.
func TestElsewhere(t *testing.T) {
	tables := func(workspace string) rel.Tables {
		columns := []rel.Column{{Name: "TimeGenerated", Type: value.DateTime}, {Name: "UserId", Type: value.String}, {Name: "n", Type: value.Long}, {Name: "bag", Type: value.Dynamic}}
		return rel.Tables{{Name: "SigninLogs", Workspace: workspace, Columns: columns}, {Name: "AuditLogs", Workspace: workspace, Columns: columns[:3]}}
	}
	const file = "testdata/elsewhere.txtar"
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range a.Files {
		query, want, _ := strings.Cut(string(f.Data), "----\n")
		o := kql.Options{Catalog: tables(""), Window: kql.ByTime, Workspace: func(name string) (kql.Catalog, bool) {
			return tables(map[string]string{"b": "b", "c": "c"}[name]), name == "a" || name == "b" || name == "c"
		}}
		if strings.HasPrefix(f.Name, "beside") {
			o.Beside = []kql.Catalog{tables("b"), tables("c")}
		}
		var got strings.Builder
		p, diags := kql.Compile(query, o)
		if p == nil {
			fmt.Fprintf(&got, "%v\n", diags.Err())
		} else {
			for _, e := range p.Elsewhere {
				fmt.Fprintf(&got, "%s of %s:\n%s\n", e.Table, e.Workspace, e.Program.SQL)
			}
			fmt.Fprintf(&got, "here:\n%s\n", p.SQL)
		}
		if got.String() != want {
			t.Errorf("%s: got\n%s\nwant\n%s", f.Name, got.String(), want)
		}
		a.Files[i].Data = []byte(query + "----\n" + got.String())
	}
	if os.Getenv("KQLTEST_UPDATE") != "" {
		if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
