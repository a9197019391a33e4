package kql_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glassward/internal/corpus"
	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
	"glassward/schema"
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

// Floors of the corpus: how many of the published rules and community queries compile and run at least.
const (
	rulesFloor     = 68
	communityFloor = 339
)

// TestCorpus compiles other people's rules and queries, where they are present, and runs each over empty
// and over filled tables. What does not compile has a reason in internal/corpus/testdata/reasons.txt.
// With KQLCORPUS=all, or a part of a file's name, it tells of each.
func TestCorpus(t *testing.T) {
	queries, err := corpus.Read(filepath.Join(root(t), "..", "shared", "kql"))
	if err != nil {
		t.Fatal(err)
	}
	cat := schema.Default().Catalog()
	standIns, err := corpus.StandIns(kql.Options{Catalog: cat, Addresses: true})
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := corpus.ReadReasons()
	if err != nil {
		t.Fatal(err)
	}
	now, _ := value.ParseDateTime(testNow)
	empty, filled := newEngine(t), newEngine(t)
	for _, name := range cat.TableNames() {
		tab, _ := cat.Table(name)
		empty.create(t, tab, nil)
		filled.create(t, tab, sampleRows(tab, now))
	}
	verbose := os.Getenv("KQLCORPUS")
	all, ok, local := map[bool]int{}, map[bool]int{}, 0
	for _, q := range queries {
		if verbose != "" && !strings.Contains(q.Name, strings.TrimPrefix(verbose, "all")) {
			continue
		}
		all[q.Rule]++
		good := true
		for what, e := range map[string]*engine{"empty": empty, "filled": filled} {
			bind := kql.Bind{Now: now, From: now - 30*value.Ticks(value.Day), To: now + 1}
			explore := func(p *kql.Program) (*kql.Result, error) { return e.run(p, bind) }
			for _, o := range []kql.Options{{Window: kql.AllRecords}, {Lineage: true, Window: kql.ByTime}} {
				o.Catalog, o.Functions, o.Explore, o.Addresses = cat, standIns, explore, true
				p, diags, _ := corpus.Compile(q, o)
				if p == nil {
					good = false
					if why, explained := reasons.Explain(diags); !explained {
						t.Errorf("%s does not compile over %s tables, without a reason: %v", q.Name, what, diags.Err())
					} else if verbose != "" {
						t.Logf("%s: %s", q.Name, why[0].Why)
					}
					break
				}
				if p.NotLocal == nil && !o.Lineage && what == "empty" {
					local++
				}
				if _, err := e.run(p, bind); err != nil {
					t.Errorf("%s over %s tables: the engine refuses the SQL: %v", q.Name, what, err)
					if verbose != "" {
						t.Logf("%s", p.SQL)
					}
					good = false
				}
			}
		}
		if good {
			ok[q.Rule]++
		}
	}
	for _, r := range reasons {
		if r.Used == 0 && !r.Wants && verbose == "" && len(queries) > 0 {
			t.Errorf("reasons.txt: this explains nothing any more: %s", r.Why)
		}
	}
	t.Logf("%d of %d rules and %d of %d community queries compile and run; %d look at one record at a time", ok[true], all[true], ok[false], all[false], local)
	if verbose == "" && len(queries) > 0 && (ok[true] < rulesFloor || ok[false] < communityFloor) {
		t.Errorf("%d rules and %d queries compile and run, %d and %d did before", ok[true], ok[false], rulesFloor, communityFloor)
	}
}

// sampleRows gives rows of corpus.Sample as the engine's table has them.
func sampleRows(tab *rel.Table, now value.Ticks) [][]any {
	rows := corpus.Sample(tab, 24, now)
	for i, r := range rows {
		r = append(r, int64(i+1))
		for _, s := range tab.Shadows {
			text, _ := r[rel.Index(tab.Columns, s.Column)].(string)
			if s.Type == value.String {
				r = append(r, shadowText(text, s.Path))
			} else {
				r = append(r, nil)
			}
		}
		rows[i] = r
	}
	return rows
}
