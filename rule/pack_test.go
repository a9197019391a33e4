package rule_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glassward/rule"
	"glassward/schema"
)

// TestCatalogue: docs/detections.md is what the rules say, and every rule names
// its detection and what to do first.
func TestCatalogue(t *testing.T) {
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	want := rule.Catalogue(rules, rule.Environment{Catalog: schema.Default().Catalog()})
	for line := range strings.SplitSeq(want, "\n") {
		if strings.Contains(line, "|  |") {
			t.Errorf("something is missing: %s", line)
		}
	}
	have, err := os.ReadFile(filepath.Join("..", "docs", "detections.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("docs/detections.md is not what rule/defaults says: run make docs")
	}
}

// TestEveryDetectionIsAccountedFor: each of the catalogue is told by a rule, or
// stands with the reason among those that no rule tells, and in one place alone.
func TestEveryDetectionIsAccountedFor(t *testing.T) {
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]int{}
	for _, r := range rules {
		for _, tag := range r.Tags {
			places[tag] |= 1
		}
	}
	for _, d := range rule.Untold() {
		if places[d[0]] |= 2; len(d[1]) < 20 {
			t.Errorf("%s: %q is no reason", d[0], d[1])
		}
	}
	for n := 1; n <= 74; n++ {
		switch d := fmt.Sprintf("D%02d", n); places[d] {
		case 0:
			t.Errorf("%s is told by no rule, and nobody says why", d)
		case 3:
			t.Errorf("%s is told by a rule and stands among what no rule tells", d)
		}
	}
	for d := range places {
		if len(d) != 3 || d < "D01" || d > "D74" {
			t.Errorf("there is no detection %q", d)
		}
	}
}

// TestEveryOperationIsToldOnce: whatever is done to an emergency account, by one,
// or to an object that protects them, one rule tells it and one alone, whether the
// operation is known or not.
func TestEveryOperationIsToldOnce(t *testing.T) {
	const tenant, account, object = "9f3a1c55-0d6e-4b8a-9a51-6f1b2c3d4e5f", "e0000000-0000-4000-8000-000000000001", "e0000000-0000-4000-8000-0000000000b1"
	const (
		mina  = `{"id":"77b1d9e0-2c4f-4a3b-9d5e-1f2a3b4c5d6e","userPrincipalName":"mina@contoso.example"}`
		ea    = `{"id":"` + account + `","userPrincipalName":"ea-01@contoso.example"}`
		toby  = `{"id":"0c1d2e3f-1111-4222-8333-444455556666","displayName":"Toby","type":"User","userPrincipalName":"toby@contoso.example","modifiedProperties":[]}`
		ea01  = `{"id":"` + account + `","displayName":"EA-01","type":"User","userPrincipalName":"ea-01@contoso.example","modifiedProperties":[]}`
		group = `{"id":"` + object + `","displayName":"Break-glass","type":"Group","userPrincipalName":null,"modifiedProperties":[]}`
	)
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	lists := []struct {
		name, by, targets string
		column            int // of the watchlist: which detection tells it
	}{
		{"an emergency account is the target", mina, ea01, 3},
		{"an emergency account acts", ea, toby, -1},
		{"a protected object is the target", mina, group, 4},
		{"a stranger and a protected object are", mina, toby + "," + group, 4},
		{"an emergency account and a protected object are", mina, ea01 + "," + group, 3},
		{"an emergency account acts on a protected object", ea, group, -1},
	}
	for _, c := range lists {
		t.Run(c.name, func(t *testing.T) {
			operations := []string{"reticulate user"}
			detection := map[string]string{}
			for _, row := range rule.AuditOperations().Rows {
				name := row[0].(string)
				operations = append(operations, name)
				if detection[name] = row[5].(string); detection[name] == "" && c.column >= 0 {
					detection[name] = row[c.column].(string)
				}
			}
			var records strings.Builder
			for i, name := range operations {
				resource, err := json.Marshal(name)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&records, `{"time":"2026-03-02T10:%02d:%02dZ","resourceId":"/tenants/%s/providers/Microsoft.aadiam","operationName":%s,"operationVersion":"1.0","category":"AuditLogs","tenantId":"%s","properties":{"id":"Directory_%d","category":"UserManagement","result":"success","activityDisplayName":%s,"loggedByService":"Core Directory","initiatedBy":{"user":%s},"targetResources":[%s]}}`+"\n",
					i/60, i%60, tenant, resource, tenant, i, resource, c.by, c.targets)
			}
			l, err := bench{t}.Load(t.Context(), []byte(records.String()))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			env := environment()
			env.Watchlists["EmergencyAccounts"] = rule.EmergencyAccounts(rule.Account{ObjectID: account, Name: "EA-01", UserPrincipalName: "ea-01@contoso.example", Kind: "user"})
			env.Watchlists["ProtectedObjects"] = rule.ProtectedObjects(rule.Object{ObjectID: object, Name: "Break-glass", Kind: "group"})
			book := judged(t, slices.DeleteFunc(slices.Clone(rules), func(r *rule.Rule) bool { return r.Kind != rule.NRT }), env, l)
			tags := map[string][]string{}
			for _, r := range rules {
				tags[r.Name] = r.Tags
			}
			told := map[string][]string{}
			for _, a := range book.Alerts() {
				for _, name := range a.Details["Operation"] {
					name = strings.ToLower(name)
					told[name] = append(told[name], a.RuleName)
					if d := detection[name]; d != "" && !slices.Contains(tags[a.RuleName], d) {
						t.Errorf("%s is told by %q, which is not the rule for %s", name, a.RuleName, d)
					}
				}
			}
			for _, name := range operations {
				if len(told[name]) != 1 {
					t.Errorf("%q is told by %d rules: %v", name, len(told[name]), told[name])
				}
			}
		})
	}
}

// TestFixturesHaveRules: a rule that is taken away leaves its fixture behind.
func TestFixturesHaveRules(t *testing.T) {
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("defaults/*.fixture")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, f := range files {
		want := strings.TrimSuffix(filepath.Base(f), ".fixture") + ".yaml"
		if !slices.ContainsFunc(rules, func(r *rule.Rule) bool { return r.File == want }) {
			t.Errorf("%s: there is no rule %s", f, want)
		}
	}
}
