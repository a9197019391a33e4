package state

import (
	"slices"
	"testing"
	"time"

	"glassward"
	"glassward/incident"
)

// A page is kept with its incident: whoever opens the store again, however often
// and at whatever time, calls each step once.
func TestAPageOutlivesItsDaemon(t *testing.T) {
	dir := t.TempDir()
	c := &clock{night}
	ladders := map[string]incident.Ladder{"oncall": {From: glassward.High, Steps: []incident.Rung{{Receivers: []string{"anna"}}, {After: 3 * time.Minute, Receivers: []string{"omar"}}}}}
	told := map[glassward.NoticeID]bool{}
	with := func(f func(*Store, *incident.Desk)) {
		t.Helper()
		s := openStore(t, dir, Options{Now: c.now})
		d, err := incident.NewDesk(incident.DeskOptions{Store: s, Now: c.now, Policy: func(string) incident.Policy {
			return incident.Policy{Groups: []string{"oncall"}, Ladders: ladders}
		}})
		if err != nil {
			t.Fatal(err)
		}
		f(s, d)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	call := func(want ...string) {
		t.Helper()
		with(func(s *Store, d *incident.Desk) {
			for range 3 {
				if _, _, err := d.Call(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			list, err := s.Notices(t.Context(), "contoso", 1, 100)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range list {
				if !told[n.ID] {
					got = append(got, n.Kind)
				}
				told[n.ID] = true
			}
			if !slices.Equal(got, want) {
				t.Errorf("at %s: told %q, want %q", c.t.Format("15:04"), got, want)
			}
		})
	}
	with(func(s *Store, d *incident.Desk) {
		a := glassward.Alert{ID: "a", RuleID: "r", Severity: glassward.High, Start: c.t, End: c.t}
		if _, err := d.Take(t.Context(), incident.Outcome{Tenant: "contoso", Alerts: []incident.AlertChange{{Alert: a}}}); err != nil {
			t.Fatal(err)
		}
		if due, next, err := s.Calling(t.Context(), c.t, 10); err != nil || len(due) != 0 || !next.Equal(c.t.Add(3*time.Minute)) {
			t.Errorf("due %v, next %s, error %v", due, next, err)
		}
	})
	call("fired")
	c.t = night.Add(2 * time.Minute)
	call()
	c.t = night.Add(3 * time.Minute)
	call("escalated")
	c.t = night.Add(2 * time.Hour) // a long halt
	call("repeated")
	c.t = night.Add(time.Hour) // the clock is set back
	call()
	c.t = night.Add(time.Hour + 29*time.Minute)
	call()
	c.t = night.Add(time.Hour + 30*time.Minute)
	call("repeated")
	with(func(s *Store, d *incident.Desk) {
		ack := incident.Acknowledge{Target: incident.Target{Number: 1, Etag: incident.AnyEtag, By: "nora"}, Reason: "on it", Proof: incident.ByConsole}
		if _, err := d.Do(t.Context(), "contoso", ack); err != nil {
			t.Fatal(err)
		}
		if due, next, err := s.Calling(t.Context(), c.t.Add(24*time.Hour), 10); err != nil || len(due) != 0 || !next.IsZero() {
			t.Errorf("after it was taken up: due %v, next %s, error %v", due, next, err)
		}
	})
	c.t = night.Add(24 * time.Hour)
	call("acknowledged")
}
