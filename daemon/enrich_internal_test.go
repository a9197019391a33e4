package daemon

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/config"
	"glassward/incident"
	"glassward/logstore"
)

// What a responder would look up first stands in the alert, and an alert goes out
// without it where the store does not answer.
func TestAnAlertKnowsWhatWasAround(t *testing.T) {
	const (
		ea1     = "0ea1aaaa-0000-4000-8000-000000000001"
		mallory = "a77ac4e2-0000-4000-8000-00000000bad1"
		unit    = "0bec7000-0000-4000-8000-0000000000a1"
	)
	_, w, _ := bare(t)
	store, err := logstore.Open(t.Context(), filepath.Join(t.TempDir(), "store"), logstore.Options{Memory: 256 << 20, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	w.store = store
	night := time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)
	signIn := func(ago time.Duration, who, name, result string) glassward.Record {
		return ownRecord("SigninLogs", night.Add(-ago), map[string]any{
			"UserId": who, "UserPrincipalName": name, "IPAddress": "203.0.113.7", "Location": "NO", "AppDisplayName": "Azure Portal", "ResultType": result,
			"ConditionalAccessStatus": "success", "AuthenticationDetails": []map[string]string{{"authenticationMethod": "FIDO2 security key"}, {"authenticationMethod": "FIDO2 security key"}},
		})
	}
	audit := func(ago time.Duration, operation, by, target string) glassward.Record {
		return ownRecord("AuditLogs", night.Add(-ago), map[string]any{
			"OperationName": operation, "Result": "success",
			"InitiatedBy":     map[string]any{"user": map[string]string{"id": by, "userPrincipalName": "mallory@contoso.example"}},
			"TargetResources": []map[string]string{{"id": target, "displayName": "a target"}},
		})
	}
	records := []glassward.Record{
		signIn(300*24*time.Hour, ea1, "ea-01@contoso.example", "0"), signIn(200*24*time.Hour, ea1, "ea-01@contoso.example", "0"), signIn(time.Hour, ea1, "ea-01@contoso.example", "50126"),
		signIn(2*time.Hour, mallory, "mallory@contoso.example", "0"), signIn(time.Hour, "11111111-2222-4333-8444-555555555555", "adele@contoso.example", "0"),
		audit(0, "Reset password", mallory, ea1), audit(10*time.Minute, "Update administrative unit", "9d2c6a7b-0000-4000-8000-000000000002", unit),
		audit(30*time.Hour, "Update administrative unit", mallory, unit), audit(time.Hour, "Update user", "9d2c6a7b-0000-4000-8000-000000000002", "11111111-2222-4333-8444-555555555555"),
	}
	if _, err := store.Append(t.Context(), logstore.Batch{Records: records}); err != nil {
		t.Fatal(err)
	}
	policy := incident.Policy{
		Accounts: map[string]string{ea1: "EA-01"}, Protected: map[string]string{unit: "the unit"}, Holders: map[string][]string{ea1: {"N. Ito", "O. Vik"}},
	}
	alerts := func() []incident.Outcome {
		about := glassward.Alert{
			RuleName: "reset", Columns: []string{"AccountId", "ActorId"}, Rows: [][]string{{ea1, mallory}}, Records: []glassward.RecordID{records[5].ID},
			Start: night, End: night,
		}
		return []incident.Outcome{{Alerts: []incident.AlertChange{{Alert: about}, {Alert: glassward.Alert{RuleName: "other", Start: night, End: night}}, {Alert: about, Grew: true}}}}
	}
	out := alerts()
	w.enrich(t.Context(), policy, out)
	use := func(account string, ago time.Duration, result string, n int) glassward.SignIn {
		return glassward.SignIn{Account: account, Time: night.Add(-ago), Address: "203.0.113.7", Place: "NO", Application: "Azure Portal", Method: "FIDO2 security key",
			ConditionalAccess: "success", Result: result, Record: records[n].ID.String()}
	}
	want := &glassward.Context{
		SignIns:  []glassward.SignIn{use("EA-01", time.Hour, "50126", 2), use("mallory@contoso.example", 2*time.Hour, "0", 3)},
		LastUses: []glassward.SignIn{use("EA-01", 200*24*time.Hour, "0", 1)},
		Changes: []glassward.DirectoryChange{{
			Time: night.Add(-10 * time.Minute), Operation: "Update administrative unit", Result: "success", By: "mallory@contoso.example", Target: "a target", Record: records[6].ID.String(),
		}},
		Keys: []string{"EA-01: N. Ito, O. Vik"},
	}
	got := out[0].Alerts[0].Alert.Context
	if got == nil || got.Asked.IsZero() {
		t.Fatalf("the context is %+v", got)
	}
	want.Asked = got.Asked
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the context (-want +got):\n%s", d)
	}
	if out[0].Alerts[1].Alert.Context != nil || out[0].Alerts[2].Alert.Context != nil {
		t.Error("an alert about nothing that is protected, or one that grew, has a context")
	}

	// One that went out without is looked up later, and says so no more.
	w.d.config = &config.Config{Each: []config.Tenant{{ID: "t", EmergencyAccounts: []config.EmergencyAccount{{ObjectID: ea1, Name: "EA-01", Holders: []string{"N. Ito"}}}}}}
	after := w.d.now().Add(time.Hour)
	w.enrichAfter.Store(&after)
	out = alerts()
	out[0].Tenant, out[0].Alerts = "t", out[0].Alerts[:1]
	out[0].Alerts[0].Alert.ID = "a1"
	w.enrich(t.Context(), policy, out)
	changes, err := w.d.desk.Take(t.Context(), out...)
	if err != nil {
		t.Fatal(err)
	}
	w.unlooked = make(chan glassward.Alert, 1)
	w.later(changes.Alerts)
	if err := w.lookAgain(t.Context(), <-w.unlooked); err != nil {
		t.Fatal(err)
	}
	kept, err := w.d.state.Alert(t.Context(), "t", "a1")
	if err != nil || kept.Context == nil || kept.Context.Missing != "" || len(kept.Context.LastUses) != 1 || len(kept.Records) != 1 {
		t.Errorf("looked up later, the alert has %+v (%v)", kept.Context, err)
	}
	w.enrichAfter.Store(nil)

	// A store that does not answer is asked once, and left alone for a while.
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, missing := range []string{"could not be had in time", "it was not asked"} {
		out = alerts()
		w.enrich(t.Context(), policy, out)
		if got := out[0].Alerts[0].Alert.Context; got == nil || !strings.Contains(got.Missing, missing) || len(got.Keys) != 1 {
			t.Errorf("without a store the context is %+v, want missing %q", got, missing)
		}
	}
}

// An alarm never waits longer than it was to wait for what was around it, however the
// store behaves: one that does not even hear that it is to stop is left to itself, and
// not asked again before it has answered. What it had said by then stands in the alert.
func TestThePageDoesNotWait(t *testing.T) {
	const ea1 = "0ea1aaaa-0000-4000-8000-000000000001"
	policy := incident.Policy{Accounts: map[string]string{ea1: "EA-01"}}
	for _, c := range []struct {
		name string
		// takes is how long each question takes; hears says that the store stops when it
		// is to.
		takes   []time.Duration
		hears   bool
		waits   time.Duration
		missing string
		signIns int
	}{
		{"quick", []time.Duration{time.Millisecond}, true, 3 * time.Millisecond, "", 1},
		{"slow, and hears", []time.Duration{time.Minute}, true, enrichWithin, "could not be had in time", 0},
		{"slow, and deaf", []time.Duration{time.Minute}, false, enrichWithin, "had not answered within 300ms", 0},
		{"slower and slower", []time.Duration{100 * time.Millisecond, 250 * time.Millisecond}, false, enrichWithin, "had not answered within 300ms", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int64
				w := &workspace{d: provider()}
				w.log = w.d.log
				w.asks = func(ctx context.Context, query string) ([][]string, error) {
					takes := c.takes[min(int(asked.Add(1)), len(c.takes))-1]
					if c.hears {
						select {
						case <-time.After(takes):
						case <-ctx.Done():
							return nil, ctx.Err()
						}
					} else {
						time.Sleep(takes)
					}
					return [][]string{{ea1, "2026-03-14T02:00:00Z", "203.0.113.7", "NO", "Portal", "", "success", "0", "r", "ea-01"}}, nil
				}
				look := func() (*glassward.Context, time.Duration) {
					out := []incident.Outcome{{Alerts: []incident.AlertChange{{Alert: glassward.Alert{RuleName: "signin", Columns: []string{"AccountId"}, Rows: [][]string{{ea1}}}}}}}
					began := time.Now()
					w.enrich(t.Context(), policy, out)
					return out[0].Alerts[0].Alert.Context, time.Since(began)
				}
				got, waited := look()
				if waited != c.waits || !strings.Contains(got.Missing, c.missing) || (got.Missing == "") != (c.missing == "") || len(got.SignIns) != c.signIns {
					t.Errorf("waited %s: %+v", waited, got)
				}
				// While a deaf store is at it, the next alarm does not wait at all, even when the
				// pause is over.
				before := asked.Load()
				time.Sleep(enrichRest)
				if got, waited = look(); c.missing != "" && !c.hears && c.takes[0] > enrichRest && (waited != 0 || asked.Load() != before || !strings.Contains(got.Missing, "still busy")) {
					t.Errorf("the next waited %s: %+v", waited, got)
				}
				w.work.Wait()
			})
		})
	}
}
