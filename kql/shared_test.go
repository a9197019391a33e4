package kql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glassward/kql"
	"glassward/kql/kqltest"
	"glassward/kql/value"
)

// root finds the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// shared reads a file of material beside the repository, nil if it is not there.
func shared(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root(t), "..", "shared", "kql", name))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// casesFloor is how many of the published cases pass at least.
const casesFloor = 739

// TestPublishedCases runs queries with the results that Microsoft's emulator gave, where they are present.
func TestPublishedCases(t *testing.T) {
	text := shared(t, "cases.jsonl")
	records, err := kqltest.ReadRecords(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	now, _ := value.ParseDateTime("2026-11-21T00:00:00Z")
	passed := 0
	verbose := os.Getenv("KQLCASES")
	for _, r := range records {
		why := check(e, r, kql.Bind{Now: now})
		if why == "" {
			passed++
		} else if verbose != "" && strings.Contains(r.ID+why+r.Query, strings.TrimPrefix(verbose, "all")) {
			t.Logf("%s\n%s\n%s\n", r.ID, r.Query, why)
		}
	}
	t.Logf("%d of %d cases pass", passed, len(records))
	if len(records) > 0 && passed < casesFloor {
		t.Errorf("%d cases pass, %d did before", passed, casesFloor)
	}
}

func check(e *engine, r *kqltest.Record, b kql.Bind) string {
	p, diags := kql.Compile(r.Query, kql.Options{File: r.ID, Explore: func(p *kql.Program) (*kql.Result, error) { return e.run(p, b) }})
	if p == nil {
		return "COMPILE " + diags.Err().Error()
	}
	res, err := e.run(p, b)
	if err != nil {
		return "ENGINE " + err.Error() + "\n" + p.SQL
	}
	var cols []kqltest.Column
	for _, c := range res.Columns {
		cols = append(cols, kqltest.Column{Name: c.Name, Type: c.Type.String()})
	}
	if err := r.Check(cols, res.Rows); err != nil {
		return "ROWS " + err.Error() + "\n" + p.SQL
	}
	return ""
}

// TestPublishedErrors holds that what Microsoft's emulator refuses is refused here too.
func TestPublishedErrors(t *testing.T) {
	text := shared(t, "errors.jsonl")
	records, err := kqltest.ReadRecords(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	refused := 0
	for _, r := range records {
		p, diags := kql.Compile(r.Query, kql.Options{Explore: func(p *kql.Program) (*kql.Result, error) { return e.run(p, kql.Bind{}) }})
		if p == nil {
			refused++
			if os.Getenv("KQLCASES") != "" {
				t.Logf("%s\n%v", r.Query, diags.Err())
			}
			continue
		}
		t.Logf("not refused: %s", r.Query)
	}
	t.Logf("%d of %d are refused", refused, len(records))
	if refused < min(len(records), errorsFloor) {
		t.Errorf("%d are refused, %d were before", refused, errorsFloor)
	}
}

// errorsFloor is how many of them are refused at least.
const errorsFloor = 38
