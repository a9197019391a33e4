package rule_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"glassward/rule"
)

// TestLint reads testdata/lint/*.txtar: rule files, and what is to be said of
// each with its query compiled.
func TestLint(t *testing.T) {
	names, _ := filepath.Glob("testdata/lint/*.txtar")
	if len(names) == 0 {
		t.Fatal("no testdata")
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(a.Files); i += 2 {
			_, p := rule.Lint(a.Files[i].Name, a.Files[i].Data, environment())
			var b strings.Builder
			if err := p.Render(&b); err != nil {
				t.Fatal(err)
			}
			got := b.String()
			if got == "" {
				got = "no findings\n"
			}
			if *rule.Update {
				a.Files[i+1].Data = []byte(got)
			} else if diff := cmp.Diff(string(a.Files[i+1].Data), got); diff != "" {
				t.Errorf("%s: findings (-want +got):\n%s", a.Files[i].Name, diff)
			}
		}
		if *rule.Update {
			if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLintMeasuredLag: what was measured takes the place of what is usual.
func TestLintMeasuredLag(t *testing.T) {
	const text = "name: measured\nkind: Scheduled\nseverity: Low\nqueryFrequency: 5m\nqueryPeriod: 30m\nquery: SigninLogs | where UserId == 'x'\n"
	for _, c := range []struct {
		lag  map[string]time.Duration
		want string
	}{
		{nil, ""},
		{map[string]time.Duration{"SigninLogs": 30 * time.Minute}, ""},
		{map[string]time.Duration{"SigninLogs": 30*time.Minute + 20*time.Second}, "measured.yaml:5:14: RULE0109: records of SigninLogs were measured to be 30m20s late, and Sentinel would miss those later than 30m; here a late record has its windows judged again (make queryPeriod at least 31m)"},
		{map[string]time.Duration{"SigninLogs": time.Second, "AuditLogs": time.Hour}, ""},
	} {
		env := environment()
		env.Lag = c.lag
		_, p := rule.Lint("measured.yaml", []byte(text), env)
		got := ""
		if len(p.List) > 0 {
			got = p.Error()
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.lag, got, c.want)
		}
	}
}
