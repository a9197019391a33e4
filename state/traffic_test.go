package state

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/incident"
)

// Four hundred alarms in a minute are one notice with a count and a digest, over a
// restart in their middle; every incident is listed, every notice kept, and a new
// emergency account is told by itself.
func TestAStorm(t *testing.T) {
	dir := t.TempDir()
	c := &clock{night}
	ctx := t.Context()
	var s *Store
	var d *incident.Desk
	open := func() {
		t.Helper()
		var err error
		if s, err = Open(ctx, dir, Options{Now: c.now}); err != nil {
			t.Fatal(err)
		}
		if d, err = incident.NewDesk(incident.DeskOptions{Store: s, Policy: policy, Now: c.now}); err != nil {
			t.Fatal(err)
		}
	}
	shut := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	alarms := func(count int, account string) {
		t.Helper()
		o := incident.Outcome{Tenant: "contoso"}
		for range count {
			n++
			a := glassward.Alert{ID: glassward.AlertID(fmt.Sprint("a", n)), RuleID: "r", RuleName: "Rule", Title: fmt.Sprint("alarm ", n), Severity: glassward.High, Start: c.t, End: c.t}
			a.Entities = append(a.Entities, glassward.Entity{Type: "IP", Identifiers: map[string]string{"Address": fmt.Sprint("192.0.2.", n)}})
			if account != "" {
				a.Entities = append(a.Entities, glassward.Entity{Type: "Account", Identifiers: map[string]string{"AadUserId": account}})
			}
			o.Alerts = append(o.Alerts, incident.AlertChange{Alert: a})
		}
		if _, err := d.Take(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	// out gives the notices that are owed to somebody, and takes them.
	out := func() (list []string, last glassward.Notice) {
		t.Helper()
		jobs, err := s.Claim(ctx, c.t, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs {
			if j.Receiver == "" {
				if err := s.Route(ctx, j.Notice.ID, []string{"oncall/mail"}); err != nil {
					t.Fatal(err)
				}
				list, last = append(list, j.Notice.Kind), j.Notice
			}
		}
		return list, last
	}
	open()
	alarms(300, "")
	if kinds, page := out(); len(kinds) != 1 || kinds[0] != "storm" || page.Subject != "300 alarms within a minute" || !strings.Contains(page.Text, "and 260 incidents more") {
		t.Fatalf("told %v: %+v", kinds, page)
	}
	c.t = c.t.Add(30 * time.Second)
	shut()
	open()
	alarms(99, "")
	if kinds, _ := out(); len(kinds) != 0 {
		t.Errorf("told %v in the storm", kinds)
	}
	alarms(1, ea1)
	if kinds, page := out(); len(kinds) != 1 || kinds[0] != "fired" || page.Incident != 400 {
		t.Errorf("the emergency account: told %v: %+v", kinds, page)
	}
	call := func() {
		t.Helper()
		if _, _, err := d.Call(ctx); err != nil {
			t.Fatal(err)
		}
	}
	c.t = c.t.Add(4 * time.Minute)
	call()
	if kinds, _ := out(); len(kinds) != 0 {
		t.Errorf("told %v before the calm", kinds)
	}
	shut()
	open()
	c.t = c.t.Add(time.Minute)
	call()
	call()
	kinds, digest := out()
	// The incident of the storm's notice and that of the account are called about,
	// and the storm is over.
	if got := strings.Join(kinds, " "); strings.Count(got, "digest") != 1 || strings.Count(got, "repeated") > 2 {
		t.Errorf("told %s", got)
	}
	for _, note := range [...]string{"399 alarms in 399 incidents"} {
		if found, err := s.Notices(ctx, "contoso", 0, 10); err != nil || len(found) != 1 || !strings.Contains(found[0].Subject, note) {
			t.Errorf("the digest %+v (%+v): %v", found, digest, err)
		}
	}
	stats, err := s.Stats(ctx)
	if err != nil || stats.Open["contoso"] != 400 || stats.Unrouted != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
	var kept int
	if err := s.readers.QueryRowContext(ctx, "SELECT COUNT(*) FROM notices WHERE tenant = 'contoso' AND body LIKE '%\"kind\":\"fired\"%'").Scan(&kept); err != nil || kept != 400 {
		t.Errorf("%d notices are kept of 400: %v", kept, err)
	}
	shut()
}
