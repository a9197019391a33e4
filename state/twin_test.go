package state

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glassward"
	"glassward/incident"
)

// A twin is the store in a few lines: Book gives everything that there is. What
// the desk makes with it is what it has to make with the real store, whose Book
// gives only what a query names.
type twin struct {
	state  incident.State
	marks  map[string]string
	owners map[string]glassward.AlertID // by rule and record
	// traffic is by group; a twin has one tenant.
	traffic map[string]incident.Traffic
}

func (w *twin) Commit(_ context.Context, f func(incident.Tx) error) error {
	before := w.state
	if err := f(w); err != nil {
		w.state = before
		return err
	}
	return nil
}

func (w *twin) Book(_ context.Context, q incident.Query) (incident.State, error) {
	s := w.state.Apply(incident.Changes{})
	if a, ok := s.Alerts[q.Alert]; ok { // of its records only those that the query names
		a.Records = slices.DeleteFunc(slices.Clone(a.Records), func(id glassward.RecordID) bool { return !slices.Contains(q.Records, id) })
		s.Alerts[q.Alert] = a
	}
	return s, nil
}

func (w *twin) Collecting(context.Context, time.Time, int) ([]incident.GroupRef, time.Time, error) {
	return nil, time.Time{}, nil
}

func (w *twin) Storms(context.Context, string, int64) ([]glassward.Notice, error) { return nil, nil }

func (w *twin) Held(context.Context, string, []string) (map[string][]glassward.Notice, error) {
	return nil, nil
}

func (w *twin) Traffic(_ context.Context, tenant, group string) (incident.Traffic, error) {
	return w.traffic[group], nil
}

func (w *twin) PutTraffic(_ context.Context, tenant, group string, t incident.Traffic) error {
	w.traffic[group] = t
	return nil
}

func (w *twin) Answered(context.Context, string, string) (bool, error) { return false, nil }

func (w *twin) Calling(context.Context, time.Time, int) ([]incident.Ref, time.Time, error) {
	return nil, time.Time{}, nil
}

func (w *twin) AlertsByRecords(_ context.Context, _, rule, _ string, records []glassward.RecordID) (map[glassward.RecordID]glassward.AlertID, error) {
	out := map[glassward.RecordID]glassward.AlertID{}
	for _, id := range records {
		if owner, ok := w.owners[rule+id.String()]; ok {
			out[id] = owner
		}
	}
	return out, nil
}

func (w *twin) Put(_ context.Context, e incident.Entry) error {
	w.state = w.state.Apply(e.Changes)
	for _, a := range e.Changes.Alerts {
		for _, id := range a.Records {
			if _, ok := w.owners[a.RuleID+id.String()]; !ok {
				w.owners[a.RuleID+id.String()] = a.ID
			}
		}
	}
	if e.Watermark != nil {
		w.marks[e.Rule] = string(e.Watermark)
	}
	return nil
}

// Histories at random: the real store and the twin come to the same incidents,
// alerts and watermarks, and taking the whole history again changes nothing.
func TestTheStoreAndItsTwin(t *testing.T) {
	now := night.Add(48 * time.Hour)
	clock := func() time.Time { return now }
	s := openStore(t, t.TempDir(), Options{Now: clock})
	ctx := t.Context()
	tenants := 0
	rapid.Check(t, func(t *rapid.T) {
		tenants++
		tenant := fmt.Sprint("tenant", tenants)
		p := func(string) incident.Policy {
			return incident.Policy{Accounts: map[string]string{ea1: "EA-01"}, MaxAlerts: 3, Groups: []string{"oncall"}}
		}
		w := &twin{state: incident.State{Tenant: tenant, Next: 1, Alerts: map[glassward.AlertID]glassward.Alert{}}, marks: map[string]string{}, owners: map[string]glassward.AlertID{}, traffic: map[string]incident.Traffic{}}
		desk := func(store incident.Store) *incident.Desk {
			d, err := incident.NewDesk(incident.DeskOptions{Store: store, Policy: p, Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		real, model := desk(s), desk(w)
		var history []incident.Outcome
		for i := range rapid.IntRange(1, 12).Draw(t, "outcomes") {
			now = now.Add(time.Millisecond)
			if rapid.IntRange(0, 6).Draw(t, "close") == 0 {
				target := incident.Target{Number: int64(rapid.IntRange(1, 3).Draw(t, "number")), Etag: incident.AnyEtag, By: "nora"}
				for _, inc := range w.state.Incidents {
					if inc.Number != target.Number {
						continue
					}
					for _, task := range inc.Tasks {
						done := incident.DoTask{Target: target, Task: task.Number}
						if task.Kind != glassward.TaskReview {
							done.By = "omar"
						}
						_, err := real.Do(ctx, tenant, done)
						_, err2 := model.Do(ctx, tenant, done)
						if (err == nil) != (err2 == nil) {
							t.Fatalf("task %d gave %v and %v", task.Number, err, err2)
						}
					}
				}
				c := incident.Close{Target: target, Classification: glassward.Undetermined}
				_, err := real.Do(ctx, tenant, c)
				_, err2 := model.Do(ctx, tenant, c)
				if (err == nil) != (err2 == nil) {
					t.Fatalf("closing gave %v and %v", err, err2)
				}
				continue
			}
			o := incident.Outcome{Tenant: tenant, Rule: rapid.SampledFrom([]string{"signin", "audit"}).Draw(t, "rule"), Watermark: fmt.Append(nil, i)}
			for range rapid.IntRange(0, 3).Draw(t, "alerts") {
				a := glassward.Alert{RuleID: o.Rule, RuleName: o.Rule, Title: "t", Severity: glassward.Severity(rapid.IntRange(0, 3).Draw(t, "severity"))}
				a.Start = night.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "hour")) * time.Hour)
				a.End = a.Start.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "length")) * time.Minute)
				if rapid.Bool().Draw(t, "account") {
					a.Entities = append(a.Entities, glassward.Entity{Type: "Account", Identifiers: map[string]string{"AadUserId": ea1}})
				}
				a.Entities = append(a.Entities, glassward.Entity{Type: "IP", Identifiers: map[string]string{"Address": rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2"}).Draw(t, "ip")}})
				for _, n := range rapid.SliceOfN(rapid.IntRange(0, 8), 1, 3).Draw(t, "records") {
					a.Records = append(a.Records, record(n))
				}
				slices.SortFunc(a.Records, func(x, y glassward.RecordID) int { return bytes.Compare(x[:], y[:]) })
				a.Records = slices.Compact(a.Records)
				a.ID = incident.AlertID(tenant, o.Rule, "", a.Records[0].String())
				o.Alerts = append(o.Alerts, incident.AlertChange{Alert: a, Withdrawn: rapid.IntRange(0, 9).Draw(t, "withdrawn") == 0})
			}
			history = append(history, o)
			c1, err1 := real.Take(ctx, o)
			c2, err2 := model.Take(ctx, o)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if d := cmp.Diff(c2, c1); d != "" {
				t.Fatalf("outcome %d changes (-twin +store):\n%s", i, d)
			}
		}
		incidents, _, err := s.Incidents(ctx, IncidentFilter{Tenants: []string{tenant}})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(incidents, func(a, b glassward.Incident) int { return int(a.Number - b.Number) })
		if d := cmp.Diff(w.state.Incidents, incidents); d != "" {
			t.Fatalf("incidents (-twin +store):\n%s", d)
		}
		for id, a := range w.state.Alerts {
			got, err := s.Alert(ctx, tenant, id)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(a, got); d != "" {
				t.Fatalf("alert (-twin +store):\n%s", d)
			}
		}
		for rule, want := range w.marks {
			if got, err := s.Watermark(ctx, tenant, rule); err != nil || string(got) != want {
				t.Fatalf("watermark of %s is %q, want %q (%v)", rule, got, want, err)
			}
		}
		for _, o := range history {
			// Withdrawing twice is not the same event if it was confirmed meanwhile.
			o.Alerts = slices.DeleteFunc(slices.Clone(o.Alerts), func(c incident.AlertChange) bool { return c.Withdrawn })
			if c, err := real.Take(ctx, o); err != nil || !c.Empty() {
				t.Fatalf("the outcome again changes %+v (%v)", c, err)
			}
		}
	})
	if _, err := s.Verify(ctx, Mark{}, 1<<30); err != nil {
		t.Error(err)
	}
}
