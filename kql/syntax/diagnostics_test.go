package syntax_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward/kql/diag"
	"glassward/kql/syntax"
)

// TestDiagnostics reads testdata/diagnostics/*.txt. A case is a line `== name`, the source, a line `----` and what
// diag.Render writes. SYNTAX_UPDATE=1 writes the last part anew.
func TestDiagnostics(t *testing.T) {
	names, _ := filepath.Glob("testdata/diagnostics/*.txt")
	if len(names) == 0 {
		t.Fatal("no files")
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := strings.Cut("\n"+string(b), "\n== ")
		out := strings.TrimPrefix(head, "\n")
		for c := range strings.SplitSeq(rest, "\n== ") {
			title, body, _ := strings.Cut(c, "\n")
			src, want, _ := strings.Cut(strings.TrimRight(body, "\n")+"\n", "----\n")
			want = strings.TrimRight(want, "\n")
			f, list := syntax.Parse(strings.TrimSuffix(src, "\n"))
			got := strings.TrimRight(diag.Text("q.kql", strings.TrimSuffix(src, "\n"), list), "\n")
			if os.Getenv("SYNTAX_UPDATE") == "" && got != want {
				t.Errorf("%s: %s\n%s", name, title, cmp.Diff(want, got))
			}
			_ = syntax.Format(f) // must not fail on what is broken either
			if out != "" {
				out += "\n"
			}
			out += "== " + title + "\n" + src + "----\n" + got + "\n"
		}
		if os.Getenv("SYNTAX_UPDATE") != "" {
			if err := os.WriteFile(name, []byte(out), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
