package syntax_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"glassward/kql/syntax"
)

// TestInspect: nodes are found wherever they stand, and what is below a node is
// left out where that is asked for.
func TestInspect(t *testing.T) {
	f, diags := syntax.Parse(`let T = (x:long) { union A, (B | where c in ((D | project e))) };
T(1) | summarize n = count() by bin(t, 1h), f.g["h"] | join kind=inner (search in (K) "l") on m`)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	var all []string
	names := func(skip bool) []string {
		var out []string
		syntax.Inspect(f, func(n syntax.Node) bool {
			all = append(all, fmt.Sprintf("%T", n))
			if x, ok := n.(*syntax.Name); ok {
				out = append(out, x.Name)
			}
			_, set := n.(*syntax.Membership)
			return !skip || !set
		})
		return out
	}
	if got, want := strings.Join(names(false), " "), "A B c D e T count bin t f inner K m"; got != want {
		t.Errorf("names %q, want %q", got, want)
	}
	for _, kind := range []string{"*syntax.FuncLit", "*syntax.Union", "*syntax.Join", "*syntax.Search", "*syntax.StringLit", "*syntax.Index", "*syntax.Summarize"} {
		if !slices.Contains(all, kind) {
			t.Errorf("no %s among %v", kind, all)
		}
	}
	if got, want := strings.Join(names(true), " "), "A B T count bin t f inner K m"; got != want {
		t.Errorf("with sets left out: %q, want %q", got, want)
	}
}
