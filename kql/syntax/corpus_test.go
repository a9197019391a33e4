package syntax_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"glassward/kql/diag"
	"glassward/kql/syntax"
)

type sample struct{ name, query string }

// corpus gives real queries that may lie beside the repository; where they do not, there are none, and the
// tests' own data has to do.
func corpus(t testing.TB) []sample {
	t.Helper()
	root := filepath.Join("..", "..", "..", "shared", "kql")
	var list []sample
	for _, kind := range []string{"case", "error"} {
		f, err := os.Open(filepath.Join(root, kind+"s.jsonl"))
		if err != nil {
			continue
		}
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<24)
		for s.Scan() {
			var c struct{ ID, Query string }
			if err := json.Unmarshal(s.Bytes(), &c); err != nil {
				t.Fatal(err)
			}
			list = append(list, sample{kind + ":" + c.ID, c.Query})
		}
		_ = f.Close()
	}
	rules, _ := filepath.Glob(filepath.Join(root, "rules", "*.yaml"))
	for _, name := range rules {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var r struct{ Query string }
		if err := yaml.Unmarshal(b, &r); err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		list = append(list, sample{"rule:" + filepath.Base(name), r.Query})
	}
	community, _ := filepath.Glob(filepath.Join(root, "community", "*.kql"))
	for _, name := range community {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, sample{"community:" + filepath.Base(name), string(b)})
	}
	return list
}

// TestCorpus parses real queries. Every one of them has run somewhere, save those of which the engine was seen to
// refuse them and a few that people published with a mistake; -v shows these.
func TestCorpus(t *testing.T) {
	all, bad := map[string]int{}, map[string]int{}
	for _, s := range corpus(t) {
		kind, _, _ := strings.Cut(s.name, ":")
		all[kind]++
		_, list := syntax.Parse(s.query)
		if list.HasErrors() {
			bad[kind]++
			t.Logf("%s", diag.Text(s.name, s.query, list))
		}
	}
	for kind, n := range all {
		t.Logf("%s: %d of %d parse", kind, n-bad[kind], n)
		if bad[kind]*50 > n && kind != "error" || kind == "case" && bad[kind] > 0 {
			t.Errorf("%s: %d of %d do not parse", kind, bad[kind], n)
		}
	}
}
