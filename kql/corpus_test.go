package kql_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// tables is a catalog for tests.
type tables map[string]*rel.Table

func (m tables) Table(name string) (*rel.Table, bool) { t, ok := m[name]; return t, ok }
func (m tables) TableNames() []string                 { return slices.Sorted(maps.Keys(m)) }

// sharedTables gives the tables of the material beside the repository, none if it is not there.
func sharedTables(t testing.TB) tables {
	t.Helper()
	b := shared(t, "../data/schemas.json")
	if b == nil {
		return nil
	}
	var raw map[string][]struct{ Name, Type string }
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	m := tables{}
	for name, cols := range raw {
		tab := &rel.Table{Name: name}
		for _, c := range cols {
			ty, ok := value.ParseType(c.Type)
			if !ok {
				t.Fatalf("%s.%s: no type %s", name, c.Name, c.Type)
			}
			tab.Columns = append(tab.Columns, rel.Column{Name: c.Name, Type: ty})
		}
		for _, c := range []rel.Column{{Name: "_TimeReceived", Type: value.DateTime}, {Name: "_ItemId", Type: value.GUID}, {Name: "_Source", Type: value.String}, {Name: "_Provenance", Type: value.String}, {Name: "_Extra", Type: value.Dynamic}} {
			if rel.Index(tab.Columns, c.Name) < 0 {
				tab.Columns = append(tab.Columns, c)
			}
		}
		if name == "AuditLogs" {
			for _, s := range [][3]string{{"_Who_id", "InitiatedBy", ".user.id"}, {"_Who_name", "InitiatedBy", ".user.userPrincipalName"}, {"_App_name", "InitiatedBy", ".app.displayName"},
				{"_First_name", "TargetResources", "[0].displayName"}, {"_First_id", "TargetResources", "[0].id"}, {"_Ids", "TargetResources", "[*].id"}} {
				tab.Shadows = append(tab.Shadows, rel.Shadow{Name: s[0], Column: s[1], Path: s[2], Type: value.String})
			}
		}
		m[name] = tab
	}
	return m
}

// corpusFloor is how many of the published rules and queries compile and plan at least.
const corpusFloor = 330

// TestCorpus compiles other people's rules and queries, where they are present, and lets the engine plan
// each. What does not compile must name something that is not there or is said to be unsupported.
func TestCorpus(t *testing.T) {
	dir := filepath.Join(root(t), "..", "shared", "kql")
	var files []string
	for _, p := range []string{"rules/*.yaml", "community/*.kql"} {
		m, err := filepath.Glob(filepath.Join(dir, p))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, m...)
	}
	cat := sharedTables(t)
	e := newEngine(t)
	for _, tab := range cat {
		e.create(t, tab, nil)
	}
	verbose := os.Getenv("KQLCORPUS")
	ok, local := 0, 0
	for _, name := range files {
		if verbose != "" && !strings.Contains(name, strings.TrimPrefix(verbose, "all")) {
			continue
		}
		if verbose != "" {
			t.Log(filepath.Base(name))
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if strings.HasSuffix(name, ".yaml") {
			var rule struct{ Query string }
			if err := yaml.Unmarshal(b, &rule); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			text = rule.Query
		}
		good := true
		bind := kql.Bind{Now: value.MaxTicks / 2, To: value.MaxTicks}
		explore := func(p *kql.Program) (*kql.Result, error) { return e.run(p, bind) }
		for _, o := range []kql.Options{{Catalog: cat, Explore: explore}, {Catalog: cat, Lineage: true, Window: kql.ByTime, Explore: explore}} {
			p, diags := kql.Compile(text, o)
			if p == nil {
				if verbose != "" {
					t.Logf("%s: COMPILE %v", filepath.Base(name), diags.Err())
				}
				good = false
				break
			}
			if p.NotLocal == nil && !o.Lineage {
				local++
			}
			if _, err := e.run(p, bind); err != nil {
				if verbose != "" {
					t.Logf("%s: ENGINE %v\n%s\n", filepath.Base(name), err, p.SQL)
				} else {
					t.Errorf("%s: the engine refuses the SQL: %v", filepath.Base(name), err)
				}
				good = false
				break
			}
		}
		if good {
			ok++
		}
	}
	t.Logf("%d of %d compile and plan; %d look at one record at a time", ok, len(files), local)
	if len(files) > 0 && ok < corpusFloor {
		t.Errorf("%d compile and plan, %d did before", ok, corpusFloor)
	}
}
