package builtin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glassward/kql/builtin"
)

func TestTable(t *testing.T) {
	all := builtin.All()
	if len(all) < 250 {
		t.Fatalf("%d names", len(all))
	}
	for _, f := range all {
		if f.Unsupported == "" && !strings.HasSuffix(f.Doc, ".") && !strings.HasSuffix(f.Doc, "…") {
			t.Errorf("%s %s: the sentence does not end: %q", f.Kind, f.Name, f.Doc)
		}
		if f.Kind == builtin.Aggregate && f.Prefix == "" && !f.FirstName {
			t.Errorf("aggregate %s has no name for its result", f.Name)
		}
		for i, p := range f.Params {
			if p.Repeated && i != len(f.Params)-1 {
				t.Errorf("%s: %s repeats before the end", f.Name, p.Name)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	f, ok := builtin.Lookup(builtin.Scalar, "todynamic")
	if !ok || f.Name != "parse_json" {
		t.Fatalf("todynamic: %v, %v", f, ok)
	}
	if got, want := f.Signature(), "parse_json(value:string/dynamic) → dynamic"; got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
	if _, ok := builtin.Lookup(builtin.Scalar, "ToString"); ok {
		t.Error("names regard case")
	}
}

// TestSupport holds that the documentation says what the table says.
func TestSupport(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "kql-support.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != builtin.Support() {
		t.Error("docs/kql-support.md is not what kql/builtin/functions.txt says: run make docs")
	}
}
