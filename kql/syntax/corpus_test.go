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
	if f, err := os.Open(filepath.Join(root, "cases.jsonl")); err == nil {
		defer f.Close()
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<24)
		for s.Scan() {
			var c struct{ ID, Query string }
			if err := json.Unmarshal(s.Bytes(), &c); err != nil {
				t.Fatal(err)
			}
			list = append(list, sample{"case:" + c.ID, c.Query})
		}
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

func TestCorpusReport(t *testing.T) {
	good := map[string]int{}
	all := map[string]int{}
	for _, s := range corpus(t) {
		kind, _, _ := strings.Cut(s.name, ":")
		all[kind]++
		_, list := syntax.Parse(s.query)
		if list.HasErrors() {
			t.Logf("%s", diag.Text(s.name, s.query, list))
			continue
		}
		good[kind]++
	}
	t.Log(good, all)
}
