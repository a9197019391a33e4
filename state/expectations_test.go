package state

import (
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/incident"
)

// A declared window from its declaration to its end, through the store.
func TestExpectations(t *testing.T) {
	now := night
	s := openStore(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	d := newDesk(t, s, nil, func() time.Time { return now })
	ctx := t.Context()
	signIn := func(n int) incident.Outcome {
		a := glassward.Alert{
			ID: glassward.AlertID(record(n).String()), RuleID: "signin", RuleName: "signin", Title: "sign-in", Severity: glassward.High,
			Columns: []string{"UserId", "IPAddress", "Outcome"}, Rows: [][]string{{ea1, "203.0.113.7", "Completed"}}, RowCount: 1,
			Records: []glassward.RecordID{record(n)}, Start: now, End: now, Received: now, Judged: now,
		}
		return incident.Outcome{Tenant: "contoso", Rule: "signin", Alerts: []incident.AlertChange{{Alert: a}}}
	}
	e, err := d.Declare(ctx, "contoso", glassward.Expectation{
		Account: "EA-01", Places: []string{"203.0.113.0/24"}, Operations: []glassward.ExpectedOperation{{Name: "sign-in", Times: 2}},
		Until: now.Add(time.Hour), Reason: "drill", By: "nora",
	})
	if err != nil || e.ID == "" || e.Account != ea1 {
		t.Fatalf("declared %+v, %v", e, err)
	}
	now = now.Add(time.Minute)
	if c, err := d.Take(ctx, signIn(1)); err != nil || len(c.Incidents)+len(c.Notices) != 0 || len(c.Alerts) != 1 || c.Alerts[0].Expected != e.ID {
		t.Fatalf("what was expected changes %+v, %v", c, err)
	}
	if c, err := d.Take(ctx, signIn(1)); err != nil || !c.Empty() {
		t.Fatalf("taken again it changes %+v, %v", c, err)
	}
	open, err := s.OpenExpectations(ctx)
	if err != nil || len(open) != 1 || len(open[0].Matches) != 1 || open[0].Matches[0].Records[0] != record(1).String() {
		t.Fatalf("open are %+v, %v", open, err)
	}
	// Its time is over, and one of two came.
	now = e.Until.Add(59 * time.Minute)
	if err := d.Due(ctx, "contoso", e); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	for range 2 {
		if err := d.Due(ctx, "contoso", e); err != nil {
			t.Fatal(err)
		}
	}
	list, _, err := s.Incidents(ctx, IncidentFilter{Tenants: []string{"contoso"}})
	if err != nil || len(list) != 1 || !strings.Contains(list[0].Title, "EA-01 and did not come: sign-in") || list[0].Severity != glassward.High {
		t.Fatalf("incidents %+v, %v", list, err)
	}
	all, err := s.Expectations(ctx, "contoso", 0)
	if err != nil || len(all) != 1 || all[0].Outcome != "incomplete" || !all[0].Settled.Equal(now) {
		t.Fatalf("expectations %+v, %v", all, err)
	}
	// It covers nothing any more.
	now = e.Until.Add(-time.Minute)
	if c, err := d.Take(ctx, signIn(2)); err != nil || len(c.Notices) == 0 {
		t.Fatalf("after the end a sign-in changes %+v, %v", c, err)
	}
	if _, err := s.Forget(ctx, "contoso", "nora"); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Expectations(ctx, "contoso", 0); err != nil || len(all) != 0 {
		t.Errorf("of a tenant that was forgotten remain %+v, %v", all, err)
	}
	if _, err := s.Verify(ctx, Mark{}, 1<<30); err != nil {
		t.Error(err)
	}
}
