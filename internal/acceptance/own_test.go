package acceptance_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"glassward/daemon"
	"glassward/internal/entrasim"
)

// The rules of the house that watch over Glassward's own tables. Each finds what its
// own alert would write, if that were written.
var watchingRules = map[string]string{
	"glassward.yaml": mainFile(25, "oncall@example.org") + "rules: rules\n",
	"rules/alerts.yaml": `id: 1d0f3c52-98b5-4f55-8a27-7a3c5c2b9d01
name: Any alert
kind: NRT
severity: Low
query: GlasswardAlerts | where AlertRuleName !has "nothing"
`,
	"rules/deliveries.yaml": `id: 1d0f3c52-98b5-4f55-8a27-7a3c5c2b9d02
name: Any delivery
kind: Scheduled
severity: Low
queryFrequency: 5m
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: GlasswardDeliveries | project Receiver, Status
`,
	"rules/health.yaml": `id: 1d0f3c52-98b5-4f55-8a27-7a3c5c2b9d03
name: Own health
kind: NRT
severity: Medium
query: GlasswardHealth | where OperationName == "Condition" and Status != "Success"
`,
}

// What became of alarms stands in the tables, once over restarts; rules judge it, and
// their own alerts do not feed them.
func TestOwnTables(t *testing.T) {
	t.Parallel()
	rates := entrasim.Calm()
	virtually(t, setting{world: entrasim.Options{Seed: 5, Users: 20, Rates: &rates}, tenant: byGraph, files: watchingRules}, func(v *virtual) {
		time.Sleep(time.Hour)
		v.world.Advance(time.Now())
		if err := v.world.Do("sign-in EA-01 0 with key"); err != nil {
			t.Fatal(err)
		}
		// It dies and comes back while the alarm is under way, and again.
		for range few(12) {
			time.Sleep(97 * time.Second)
			v.stop()
			v.start()
		}
		time.Sleep(30 * time.Minute)

		want := func(query string, rows ...string) {
			t.Helper()
			var got []string
			for _, r := range v.rows(query) {
				got = append(got, strings.Join(r, " | "))
			}
			if !slices.Equal(got, rows) {
				t.Errorf("%s\n%s", query, strings.Join(got, "\n"))
			}
		}
		if n := v.rows(`GlasswardAlerts | where AlertSeverity == "High" | summarize by SystemAlertId, AlertRuleName`); len(n) != 1 {
			t.Errorf("alerts of severity High: %v", n)
		}
		want(`GlasswardAlerts | where AlertSeverity == "High" | project Status, HasEntities = array_length(Entities) > 0, Lag = TimeReceived >= EndTime, IsLate | take 1`, "New | true | true | false")
		want(`GlasswardIncidents | where Severity == "High" | project Status, Accounts = array_length(EmergencyAccounts), Alerts = array_length(AlertIds), ModifiedBy | take 1`, "New | 1 | 1 | Glassward")
		want(`GlasswardDeliveries | where Severity == "High" and NoticeKind != "repeated" | project NoticeKind, Receiver, Attempt, Status, LagSeconds < 60`, "fired | emergency/oncall-at-example.org | 1 | delivered | true")
		// Nothing stands twice.
		for _, table := range []string{"GlasswardAlerts", "GlasswardIncidents", "GlasswardDeliveries", "GlasswardHealth"} {
			want(table + " | summarize n = count() by Id | where n > 1")
		}
		// What a rule finds in them is told, and is not written into them.
		want(`GlasswardAlerts | where AlertRuleName in ("Any alert", "Any delivery", "Own health")`)
		want(`GlasswardIncidents | where Title in ("Any alert", "Any delivery", "Own health")`)
		var list struct {
			Value []struct {
				RuleIDs []string `json:"relatedAnalyticRuleIds"`
				Alerts  []string `json:"alertIds"`
			}
		}
		if err := v.call("GET", "/v1/workspaces/"+entrasim.TenantName+"/incidents", nil, &list); err != nil {
			t.Fatal(err)
		}
		// The one about the alert joins its incident, by the account that both name.
		seen := map[string]int{}
		for _, inc := range list.Value {
			for _, id := range inc.RuleIDs {
				seen[id] += len(inc.Alerts)
			}
		}
		if seen["1d0f3c52-98b5-4f55-8a27-7a3c5c2b9d01"] != 2 || seen["1d0f3c52-98b5-4f55-8a27-7a3c5c2b9d02"] != 1 {
			t.Errorf("the rules over our own tables saw %v", seen)
		}
		alerts := len(v.rows("GlasswardAlerts"))
		// An hour later there is nothing more: no alarm about alarms.
		time.Sleep(time.Hour)
		if n := len(v.rows("GlasswardAlerts")); n != alerts {
			t.Errorf("%d records of alerts became %d", alerts, n)
		}
	})
}

// A condition is a record when it is raised and when it is over, with its code, what
// has it and what to do; so is a configuration that changes.
func TestConditionsAreRecords(t *testing.T) {
	t.Parallel()
	rates := entrasim.Calm()
	virtually(t, setting{world: entrasim.Options{Seed: 5, Users: 20, Rates: &rates}, tenant: byGraph, files: map[string]string{
		"glassward.yaml":   mainFile(25, "oncall@example.org") + "rules: rules\n",
		"rules/wrong.yaml": "id: 8d0f3c52-98b5-4f55-8a27-7a3c5c2b9d04\nname: Wrong\nkind: NRT\nseverity: Low\nquery: SigninLogs\nsevrity: High\n",
	}}, func(v *virtual) {
		time.Sleep(time.Minute)
		rows := v.rows(`GlasswardHealth | where Condition == "rule-file" | project Status, Subject, Severity, isnotempty(Cure), Description has "wrong.yaml"`)
		if len(rows) != 1 || strings.Join(rows[0], " ") != "Failure wrong.yaml High true true" {
			t.Errorf("a broken rule file: %v", rows)
		}
		v.write(tenantPath, v.text(tenantPath)+"# changed\n")
		if err := v.call("POST", "/v1/reload", nil, new(any)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		rows = v.rows(`GlasswardHealth | where OperationName == "Configuration" | project Status, Severity, Description has "nordlicht.yaml"`)
		if len(rows) != 1 || strings.Join(rows[0], " ") != "Success Informational true" {
			t.Errorf("a configuration that changed: %v", rows)
		}
	})
}

// status tells how long each part of an alarm's way took, by source and receiver, with
// the worst, also after a restart.
func TestHowLongAlarmsTake(t *testing.T) {
	t.Parallel()
	rates := entrasim.Calm()
	virtually(t, setting{world: entrasim.Options{Seed: 5, Users: 20, Rates: &rates}, tenant: byGraph}, func(v *virtual) {
		time.Sleep(time.Hour)
		v.world.Advance(time.Now())
		if err := v.world.Do("sign-in EA-01 0 with key"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		if err := v.call("POST", "/v1/workspaces/"+entrasim.TenantName+"/incidents/1/acknowledge", strings.NewReader(`{"by":"kim","reason":"it is me"}`), new(any)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		v.stop()
		v.start()
		var s daemon.Status
		if err := v.call("GET", "/v1/status", nil, &s); err != nil {
			t.Fatal(err)
		}
		legs := map[string]daemon.LegStatus{}
		for _, l := range slices.Concat(s.Workspaces[0].Latency, s.Latency) {
			legs[l.Leg+" of "+l.Of] = l
			if l.P50 > l.P95 || l.P95 > l.P99 || l.P99 > l.Worst || l.N <= 0 || l.WorstAt.IsZero() {
				t.Errorf("%+v", l)
			}
		}
		const mail = "emergency/oncall-at-example.org"
		for leg, most := range map[string]time.Duration{
			"event → receipt of graph": time.Hour, "receipt → alert of graph": time.Minute,
			"alert → delivery of " + mail: time.Minute, "delivery → acknowledgement of " + mail: 21 * time.Minute,
		} {
			if l, ok := legs[leg]; !ok || l.Worst > most.Seconds() {
				t.Errorf("%s: %+v", leg, l)
			}
		}
		if l := legs["delivery → acknowledgement of "+mail]; l.N != 1 || l.Worst < 10*60 {
			t.Errorf("%+v", l)
		}
		if len(legs) != 4 {
			t.Errorf("%v", legs)
		}
	})
}
