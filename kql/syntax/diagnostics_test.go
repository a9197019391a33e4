package syntax_test

import (
	"path/filepath"
	"testing"

	"glassward/kql/diag"
	"glassward/kql/kqltest"
	"glassward/kql/syntax"
)

// TestDiagnostics reads testdata/diagnostics/*.txt: what diag.Render writes of each source.
func TestDiagnostics(t *testing.T) {
	names, _ := filepath.Glob("testdata/diagnostics/*.txt")
	if len(names) == 0 {
		t.Fatal("no files")
	}
	for _, name := range names {
		kqltest.Golden(t, name, func(t *testing.T, src string) string {
			f, list := syntax.Parse(src)
			_ = syntax.Format(f) // must not fail on what is broken either
			return diag.Text("q.kql", src, list)
		})
	}
}
