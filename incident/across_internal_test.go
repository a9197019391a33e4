package incident

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
)

func TestTraits(t *testing.T) {
	policy := Policy{Accounts: map[string]string{ea1: "EA-01"}}
	entity := func(kind string, identifiers ...string) glassward.Entity {
		e := glassward.Entity{Type: kind, Identifiers: map[string]string{}}
		for i := 0; i < len(identifiers); i += 2 {
			e.Identifiers[identifiers[i]] = identifiers[i+1]
		}
		return e
	}
	alert := glassward.Alert{
		Severity: glassward.Medium, Columns: []string{"IPAddress"}, Rows: [][]string{{"203.0.113.9:443"}, {"192.168.1.1"}},
		Entities: []glassward.Entity{
			entity("IP", "Address", "2001:DB8:0:7::1"), entity("IP", "Address", "fd00::1"), entity("IP", "Address", "100.64.0.1"),
			entity("CloudApplication", "AppId", "0BADC0DE-0000-4000-8000-000000000001"), entity("CloudApplication", "Name", "Portal"),
			entity("Account", "AadUserId", ea1, "FullName", "ea-01@contoso.example"),
			entity("Account", "AadUserId", "0badc0de-0000-4000-8000-000000000002", "Name", "Mallory", "UPNSuffix", "attacker.example"),
			entity("Account", "DisplayName", "Microsoft Managed Policy Manager"), entity("Account", "FullName", "not a@name"),
		},
	}
	want := []Trait{
		{"actor", "0badc0de-0000-4000-8000-000000000002", "0badc0de-0000-4000-8000-000000000002"},
		{"actor", "mallory@attacker.example", "mallory@attacker.example"},
		{"address", "2001:db8:0:7::/64", "2001:db8:0:7::1"},
		{"address", "203.0.113.9", "203.0.113.9"},
		{"application", "0badc0de-0000-4000-8000-000000000001", "0badc0de-0000-4000-8000-000000000001"},
	}
	if diff := cmp.Diff(want, Traits(policy, alert)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, change := range map[string]func(a *glassward.Alert){
		"our own health": func(a *glassward.Alert) { a.RuleID = HealthRule },
		"this very rule": func(a *glassward.Alert) { a.RuleID = AcrossRule },
		"what is missed": func(a *glassward.Alert) { a.RuleID = ExpectedRule },
		"inward":         func(a *glassward.Alert) { a.Inward = true },
		"foreseen":       func(a *glassward.Alert) { a.Expected = "x" },
		"withdrawn":      func(a *glassward.Alert) { a.Unconfirmed = true },
		"informational":  func(a *glassward.Alert) { a.Severity = glassward.Informational },
	} {
		a := alert
		change(&a)
		if got := Traits(policy, a); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What is known of other tenants belongs to the incident of the alert that it is
// about, pages there, and claims no success that nobody saw.
func TestAcrossJoinsItsIncident(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	policy := Policy{Accounts: map[string]string{ea1: "EA-01"}, Groups: []string{"oncall"}}
	own := glassward.Alert{
		ID: "own", Tenant: "t", RuleID: "r", RuleName: "Sign-in", Title: "EA-01: sign-in failed", Severity: glassward.Medium, Start: now, End: now,
		Records: []glassward.RecordID{{1}}, Details: map[string][]string{"Outcome": {"Failed"}, "FirstFactor": {"no"}},
		Entities: []glassward.Entity{{Type: "Account", Identifiers: map[string]string{"AadUserId": ea1}}, {Type: "IP", Identifiers: map[string]string{"Address": "203.0.113.9"}}},
	}
	s := State{Tenant: "t"}
	step := func(e AlertChange) Changes {
		t.Helper()
		c, err := Step(s, policy, e, now)
		if err != nil {
			t.Fatal(err)
		}
		s = s.Apply(c)
		return c
	}
	step(AlertChange{Alert: own})
	across := Across(policy, Traits(policy, own)[0], own, time.Hour, now)
	c := step(across)
	if len(s.Incidents) != 1 || len(s.Incidents[0].Alerts) != 2 || len(c.Notices) != 1 || s.Incidents[0].Severity != glassward.High {
		t.Fatalf("%d notices, incidents %+v", len(c.Notices), s.Incidents)
	}
	if len(s.Incidents[0].Shows) > 0 || slices.ContainsFunc(s.Incidents[0].Tasks, func(glassward.Task) bool { return true }) {
		t.Errorf("it shows %q and wants %v", s.Incidents[0].Shows, s.Incidents[0].Tasks)
	}
	if c := step(across); !c.Empty() {
		t.Errorf("the same again changes %+v", c)
	}
}
