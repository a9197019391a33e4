package directory_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/directory"
)

// What Azure Resource Manager answers is read as testdata/azure.txtar says.
func TestAzure(t *testing.T) {
	a, err := txtar.ParseFile("testdata/azure.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir, wants := t.TempDir(), map[string]string{}
	for _, f := range a.Files {
		if strings.HasSuffix(f.Name, ".json") {
			if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		} else {
			wants[f.Name] = string(f.Data)
		}
	}
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var have strings.Builder
	c := reflect.ValueOf(s.Contents())
	for _, name := range []string{"DiagnosticSettings", "Subscriptions", "Workspaces", "WorkspaceTables", "CollectionRules",
		"AlertRules", "ActivityAlerts", "ActionGroups", "ProcessingRules", "Locks", "AzureAssignments",
		"LogArrivals", "OnboardingStates", "AnalyticsRules", "AutomationRules"} {
		list := c.FieldByName(name)
		for i := range list.Len() {
			x := reflect.New(list.Index(i).Elem().Type()).Elem()
			x.Set(list.Index(i).Elem())
			if f := x.FieldByName("Properties"); f.IsValid() {
				if f.Len() == 0 {
					t.Errorf("%s: the properties are lost", name)
				}
				f.SetZero()
			}
			text := fmt.Sprintf("%s %+v\n", name, x.Interface())
			have.WriteString(text)
		}
	}
	if have.String() != wants["want"] {
		t.Errorf("have\n%s\nwant\n%s", have.String(), wants["want"])
	}
	var problems []string
	for _, p := range s.Problems() {
		problems = append(problems, p.String()+"\n")
	}
	if got := strings.Join(problems, ""); got != wants["problems"] {
		t.Errorf("problems\n%s\nwant\n%s", got, wants["problems"])
	}
	x := s.Contents()
	if x.WorkspaceTables[0].Workspace() != "/s/workspaces/law" || x.Locks[0].Scope() != "/subscriptions/5b/resourceGroups/rg" {
		t.Error("a table's workspace, or a lock's scope")
	}
	for _, id := range []string{x.OnboardingStates[0].Workspace(), x.AnalyticsRules[0].Workspace(), x.AutomationRules[0].Workspace()} {
		if id != "/s/workspaces/law" {
			t.Errorf("%q is no workspace of Sentinel's", id)
		}
	}
}

// A list that says that there is more is not whole, as Resource Manager says it.
func TestAzureNextLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "locks.json"), []byte(`{"value":[],"nextLink":"https://management.azure.com/x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Reading(directory.Locks, ""); r.State != directory.Incomplete {
		t.Errorf("%+v", r)
	}
}

func TestScopes(t *testing.T) {
	const law = "/subscriptions/5B/resourceGroups/RG/providers/Microsoft.OperationalInsights/workspaces/law"
	for scope, want := range map[string]bool{
		"/": true, "": true, "/subscriptions/5b": true, "/subscriptions/5b/resourcegroups/rg/": true, law: true,
		"/subscriptions/5": false, "/subscriptions/5b/resourceGroups/r": false, law + "/tables/x": false,
	} {
		if directory.Within(law, scope) != want {
			t.Errorf("%s: want %v", scope, want)
		}
	}
	if directory.SubscriptionOf(law) != "5b" || directory.SubscriptionOf("providers/x") != "" || directory.SameResource("", "") {
		t.Error("a subscription, or ids that are none")
	}
}

// An answer in which the newest records do not stand, or not all, is not whole; nobody to
// ask is.
func TestLogArrivals(t *testing.T) {
	const whole = `{"tables":[{"name":"PrimaryResult","columns":[{"name":"Table","type":"string"},{"name":"Newest","type":"datetime"},{"name":"Workspace","type":"string"}],"rows":[["SigninLogs",%s,"/w"]]}]}`
	for text, want := range map[string]struct {
		state directory.State
		rows  int
	}{
		`{"value":[]}`: {directory.Read, 0},
		fmt.Sprintf(whole, `"2026-06-01T11:00:00Z"`): {directory.Read, 1},
		fmt.Sprintf(whole, `null`):                   {directory.Read, 1},
		fmt.Sprintf(whole, `"noon"`):                 {directory.Incomplete, 0},
		fmt.Sprintf(whole, `"", ""`):                 {directory.Incomplete, 0},
		`{"tables":[]}`:                              {directory.Incomplete, 0},
		`{}`:                                         {directory.Incomplete, 0},
		`{"tables":[],"error":{"code":"x"}}`:         {directory.Unread, 0},
		fmt.Sprintf(whole, `null`) + `{"tables":[]}`: {directory.Incomplete, 1},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "logArrivals.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := directory.Open(dir, directory.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Reading(directory.LogArrivals, ""); r.State != want.state || len(s.Contents().LogArrivals) != want.rows {
			t.Errorf("%s: %+v, %d rows", text, r, len(s.Contents().LogArrivals))
		}
	}
}
