package drift_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"glassward/access"
	"glassward/directory"
	"glassward/posture"
	"glassward/posture/drift"
)

func options() posture.Options {
	return posture.Options{
		Accounts: []posture.Account{
			{ID: "ea000000-0000-4000-8000-000000000001", UPN: "ea-01@contoso.onmicrosoft.com"},
			{ID: "ea000000-0000-4000-8000-000000000002", UPN: "ea-02@contoso.onmicrosoft.com"},
		},
		Group:     "9a000000-0000-4000-8000-000000000001",
		Unlockers: []string{"9a000000-0000-4000-8000-000000000004"},
		Policies:  []string{"ca000000-0000-4000-8000-000000000001", "ca000000-0000-4000-8000-000000000002"},
		Strength:  "57000000-0000-4000-8000-000000000001",
		Models:    []string{"cb69481e-8ff7-4039-93ec-0a2729a154a8", "eabb46cc-e241-80bf-ae9e-96fa6d2975cf"},
	}
}

// tenant is the good tenant of package posture with lines of a script: "replace PART TEXT
// => TEXT" and "without PART". Each text must be there.
func tenant(t *testing.T, which, script string) *directory.Snapshot {
	t.Helper()
	a, err := txtar.ParseFile("../testdata/tenant.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for line := range strings.Lines(script) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), which+" ")
		if !ok {
			continue
		}
		word, rest, _ := strings.Cut(rest, " ")
		part, rest, _ := strings.Cut(rest, " ")
		found := false
		for i, f := range a.Files {
			if f.Name != part+".json" {
				continue
			}
			switch from, to, _ := strings.Cut(rest, " => "); word {
			case "replace":
				found = bytes.Contains(f.Data, []byte(from))
				a.Files[i].Data = bytes.ReplaceAll(f.Data, []byte(from), []byte(to))
			case "without":
				found = true
				a.Files[i].Name = "not-" + part
			}
		}
		if !found {
			t.Fatalf("nothing is done by %q", line)
		}
	}
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "not-") {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s.With(func(c *directory.Contents) { c.Taken = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) })
}

// What becomes of the good tenant by one change each. GLASSWARD_GOLDEN=1 writes what is
// told anew: read the difference.
func TestCompare(t *testing.T) {
	const file = "testdata/drift.txtar"
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range a.Files {
		t.Run(f.Name, func(t *testing.T) {
			script, want, _ := strings.Cut(string(f.Data), "--- told\n")
			d, err := drift.Compare(tenant(t, "old", script), tenant(t, "new", script), options())
			if err != nil {
				t.Fatal(err)
			}
			got := describe(d)
			a.Files[i].Data = []byte(script + "--- told\n" + got)
			if diff := cmp.Diff(want, got); diff != "" && os.Getenv("GLASSWARD_GOLDEN") == "" {
				t.Error(diff)
			}
		})
	}
	if os.Getenv("GLASSWARD_GOLDEN") != "" {
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// shown are the checks whose shifts are described: each new check would change all texts.
var shown = []string{"ACC-01", "ACC-02", "ACC-03", "GRP-03", "GRP-04", "CA-01", "CA-02"}

func describe(d *drift.Drift) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if d.Maturity != d.WasMaturity {
		say("maturity %s, was %s", d.Maturity, d.WasMaturity)
	}
	for _, x := range d.Access {
		say("access %s %s: %s -> %s", x.Name, x.Direction, outcome(x.Before), outcome(x.After))
	}
	for _, x := range d.Checks {
		if !slices.Contains(shown, x.Check.ID) {
			continue
		}
		say("check %s %s: %s -> %s", x.Check.ID, x.Direction, x.Before, x.After)
		for _, s := range x.New {
			say("  new %s", s)
		}
		for _, s := range x.Gone {
			say("  gone %s", s)
		}
	}
	for _, x := range d.Changes {
		say("change %s %s %s %s: %s -> %s", x.Kind, x.Name, x.Property, x.Element, short(x.Before), short(x.After))
		for _, h := range x.Hands {
			say("  %s %s: %s %s", h.Kind, h.Name, h.How, h.When)
		}
		if len(x.NotRead) > 0 {
			say("  not read: %v", x.NotRead)
		}
	}
	if d.Others > 0 {
		say("others %d", d.Others)
	}
	say("worse %v", d.Worse())
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

func outcome(o access.Outcome) string {
	return fmt.Sprintf("%s (%s to %s)", o.Verdict, o.Worst, o.Best)
}

func short(j json.RawMessage) string {
	if len(j) == 0 {
		return "nothing"
	}
	if len(j) > 80 {
		return string(j[:80]) + "…"
	}
	return string(j)
}

// Snapshots of two tenants are not compared, and neither is anything without accounts.
func TestRefused(t *testing.T) {
	s := tenant(t, "", "")
	other := s.With(func(c *directory.Contents) { c.Tenant = "22222222-2222-4222-8222-222222222222" })
	if _, err := drift.Compare(s, other, options()); err == nil || !strings.Contains(err.Error(), "two tenants") {
		t.Errorf("two tenants: %v", err)
	}
	if _, err := drift.Compare(s, s, posture.Options{}); err == nil {
		t.Error("no accounts are compared")
	}
}
