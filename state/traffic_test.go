package state

import (
	"fmt"
	"slices"
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
		for _, n := range owed(t, s, c.t) {
			list, last = append(list, n.Kind), n
		}
		return list, last
	}
	open()
	alarms(300, "")
	if kinds, page := out(); len(kinds) != 1 || kinds[0] != "storm" || page.Subject != "300 alarms within a minute" || !strings.Contains(page.Text, "and 260 incidents more") {
		t.Fatalf("told %v: %+v", kinds, page)
	}
	if stats, err := s.Stats(ctx); err != nil || stats.Collecting != 1 {
		t.Errorf("in the storm: %+v, %v", stats, err)
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
	found, err := s.Notices(ctx, "contoso", 1, 100) // all can be taken up by the incident that stood for them
	if i := slices.IndexFunc(found, func(n glassward.Notice) bool { return n.Kind == "digest" }); err != nil || i < 0 || !strings.Contains(found[i].Subject, "399 alarms in 399 incidents") {
		t.Errorf("the digest %+v (%+v): %v", found, digest, err)
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

// Whoever takes up the incident of a storm's page takes up what it named, and each of
// them says so; one notice tells it. What came since waits for the digest, by which it
// can be taken up though the incident that stood for all is closed.
func TestTakingUpAStorm(t *testing.T) {
	c := &clock{night}
	ctx := t.Context()
	s, err := Open(ctx, t.TempDir(), Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d, err := incident.NewDesk(incident.DeskOptions{Store: s, Policy: policy, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	alarms := func(count int) {
		t.Helper()
		o := incident.Outcome{Tenant: "contoso"}
		for range count {
			n++
			o.Alerts = append(o.Alerts, incident.AlertChange{Alert: glassward.Alert{
				ID: glassward.AlertID(fmt.Sprint("a", n)), RuleID: "r", RuleName: "Rule", Title: fmt.Sprint("alarm ", n), Severity: glassward.High, Start: c.t, End: c.t,
				Entities: []glassward.Entity{{Type: "IP", Identifiers: map[string]string{"Address": fmt.Sprint("192.0.2.", n)}}},
			}})
		}
		if _, err := d.Take(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	by := func(number int64, who string) (glassward.Incident, error) {
		return d.Do(ctx, "contoso", incident.Acknowledge{
			Target: incident.Target{Number: number, Etag: incident.AnyEtag, By: who}, Reason: "on it", Proof: incident.ByPIN, Via: "page", Receiver: "oncall/mail", Storm: true,
		})
	}
	taken := func() (list []int64) {
		t.Helper()
		for number := int64(1); number <= int64(n); number++ {
			inc, err := s.Incident(ctx, "contoso", number)
			if err != nil {
				t.Fatal(err)
			}
			if !inc.Acknowledged.IsZero() {
				list = append(list, number)
			}
		}
		return list
	}
	kinds := func() map[string]int {
		t.Helper()
		out := map[string]int{}
		for _, n := range owed(t, s, c.t) {
			out[n.Kind]++
		}
		return out
	}
	alarms(30)
	if got := kinds(); got["storm"] != 1 || len(got) != 1 {
		t.Fatalf("told %v", got)
	}
	for group, want := range map[string]int64{"OnCall": 1, "elsewhere": 0} {
		if number, err := s.StormOf(ctx, "contoso", group, night.Add(-time.Hour)); err != nil || number != want {
			t.Errorf("the storm of %s stands as incident %d: %v", group, number, err)
		}
	}
	if number, err := s.StormOf(ctx, "contoso", "oncall", night.Add(time.Hour)); err != nil || number != 0 {
		t.Errorf("a storm of long ago: incident %d, %v", number, err)
	}
	c.t = c.t.Add(10 * time.Second)
	alarms(5) // nobody has been told of these
	inc, err := by(1, "Kim")
	if err != nil || inc.Number != 1 {
		t.Fatalf("%+v %v", inc, err)
	}
	if last := inc.Timeline[len(inc.Timeline)-1]; last.Kind != "acknowledge" || !strings.HasSuffix(last.Text, "together with 29 other incidents that were told with it") {
		t.Errorf("the one that stands for all: %+v", last)
	}
	if got := taken(); len(got) != 30 {
		t.Errorf("taken up: %v", got)
	}
	other, err := s.Incident(ctx, "contoso", 17)
	if err != nil {
		t.Fatal(err)
	}
	if last := other.Timeline[len(other.Timeline)-1]; last.Kind != "acknowledge" || last.Actor != "Kim" || !strings.HasSuffix(last.Text, "with incident 1, which stood for it in a storm") || other.Owner != "Kim" {
		t.Errorf("one of the others: %+v", last)
	}
	if got := kinds(); got["acknowledged"] != 1 || len(got) != 1 {
		t.Errorf("told %v", got)
	}
	// Those that nobody has taken up are called about when the storm is over.
	c.t = c.t.Add(6 * time.Minute)
	for range 2 {
		if _, _, err := d.Call(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := kinds(); got["digest"] != 1 {
		t.Fatalf("told %v", got)
	}
	// Something new about one of them, and the one that stands for all is closed.
	if _, err := d.Do(ctx, "contoso", incident.Close{Target: incident.Target{Number: 1, Etag: incident.AnyEtag, By: "Kim"}, Classification: glassward.Undetermined}); err != nil {
		t.Fatal(err)
	}
	c.t = c.t.Add(10 * time.Minute)
	grown, err := s.Incident(ctx, "contoso", 33)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Take(ctx, incident.Outcome{Tenant: "contoso", Alerts: []incident.AlertChange{{Alert: glassward.Alert{
		ID: "more", RuleID: "r", RuleName: "Rule", Title: "more", Severity: glassward.High, Start: c.t, End: c.t,
		Entities: []glassward.Entity{{Type: "IP", Identifiers: map[string]string{"Address": "192.0.2.33"}}, {Type: "IP", Identifiers: map[string]string{"Address": "198.51.100.1"}}},
	}}}}); err != nil {
		t.Fatal(err)
	}
	inc, err = by(1, "Lee")
	if err != nil || inc.Number == 1 {
		t.Fatalf("by the digest: %+v %v", inc, err)
	}
	want := 35
	if after, err := s.Incident(ctx, "contoso", 33); err != nil || len(after.Alerts) > len(grown.Alerts) {
		want-- // of this something new was told since
	}
	if got := taken(); len(got) != want {
		t.Errorf("taken up by the digest: %d, want %d: %v", len(got), want, got)
	}
}

// owed gives the notices that are owed to somebody at a time, and routes them.
func owed(t *testing.T, s *Store, now time.Time) (list []glassward.Notice) {
	t.Helper()
	jobs, err := s.Claim(t.Context(), now, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Receiver == "" {
			if err := s.Route(t.Context(), j.Notice.ID, []string{"oncall/mail"}); err != nil {
				t.Fatal(err)
			}
			list = append(list, j.Notice)
		}
	}
	return list
}
