package rule_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// TestEveryOperationIsToldOnce: whatever is done to an emergency account, one
// rule tells it and one alone, whether the operation is known or not.
func TestEveryOperationIsToldOnce(t *testing.T) {
	const account, tenant = "e0000000-0000-4000-8000-000000000001", "9f3a1c55-0d6e-4b8a-9a51-6f1b2c3d4e5f"
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	operations := []string{"reticulate user"}
	detection := map[string]string{}
	for _, row := range rule.AuditOperations().Rows {
		operations = append(operations, row[0].(string))
		detection[row[0].(string)] = row[3].(string)
	}
	var records strings.Builder
	for i, name := range operations {
		resource, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&records, `{"time":"2026-03-02T10:%02d:%02dZ","resourceId":"/tenants/%s/providers/Microsoft.aadiam","operationName":%s,"operationVersion":"1.0","category":"AuditLogs","tenantId":"%s","properties":{"id":"Directory_%d","category":"UserManagement","result":"success","activityDisplayName":%s,"loggedByService":"Core Directory","initiatedBy":{"user":{"id":"77b1d9e0-2c4f-4a3b-9d5e-1f2a3b4c5d6e","userPrincipalName":"mina@contoso.example"}},"targetResources":[{"id":"%s","displayName":"EA-01","type":"User","userPrincipalName":"ea-01@contoso.example","modifiedProperties":[]}]}}`+"\n",
			i/60, i%60, tenant, resource, tenant, i, resource, account)
	}
	env := environment()
	told := map[string][]string{}
	for _, r := range rules {
		f := &rule.Fixture{File: r.File, Accounts: []rule.Account{{ObjectID: account, Name: "EA-01", UserPrincipalName: "ea-01@contoso.example", Kind: "user"}}}
		alerts, err := rule.AlertsOf(t.Context(), r, f, []byte(records.String()), env, bench{t})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			for _, name := range a.Details["Operation"] {
				told[name] = append(told[name], r.File)
				if d := detection[name]; d != "" && !strings.Contains(r.Source(), d) {
					t.Errorf("%s is told by %s, which is not the rule for %s", name, r.File, d)
				}
			}
		}
	}
	for _, name := range operations {
		if len(told[name]) != 1 {
			t.Errorf("%q is told by %d rules: %v", name, len(told[name]), told[name])
		}
	}
}
