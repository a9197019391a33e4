package kql_test

import (
	"os"
	"testing"

	"glassward/kql"
)

// TestExplain prints what the query in the file $KQLFILE becomes.
func TestExplain(t *testing.T) {
	name := os.Getenv("KQLFILE")
	if name == "" {
		return
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p, diags := kql.Compile(string(b), kql.Options{Catalog: sharedTables(t), Lineage: os.Getenv("KQLLINEAGE") != ""})
	t.Log(diags)
	if p != nil {
		t.Logf("\n%s\n%s\n%s\nlocal: %v\n%+v", p.Tree, p.Rewritten, p.SQL, p.NotLocal, p.Prefilters)
	}
}
