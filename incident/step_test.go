package incident_test

import (
	stdcmp "cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"glassward"
	"glassward/incident"
)

const (
	ea1 = "0ea1aaaa-0000-4000-8000-000000000001"
	ea2 = "0ea2bbbb-0000-4000-8000-000000000002"

	mallory = "a77ac4e2-0000-4000-8000-00000000bad1"
	unit    = "0bec7000-0000-4000-8000-0000000000a1"
)

// drawAlert draws what a rule could say: an alert of one of a few rules over a
// few records, so that histories repeat, overlap and contradict themselves.
func drawAlert(t *rapid.T) incident.AlertChange {
	rule := rapid.SampledFrom([]string{"signin", "audit", "policy"}).Draw(t, "rule")
	first := rapid.IntRange(0, 5).Draw(t, "first")
	a := glassward.Alert{
		ID:     incident.AlertID("contoso", rule, "", fmt.Sprint(first)),
		RuleID: rule, RuleName: rule, Title: rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "title"),
		Severity: glassward.Severity(rapid.IntRange(0, 3).Draw(t, "severity")),
		Late:     rapid.Bool().Draw(t, "late"),
		Columns:  []string{"SessionId", "Other"},
	}
	a.Start = day.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "start")) * time.Hour)
	a.End = a.Start.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "length")) * time.Minute)
	for _, id := range rapid.SliceOfN(rapid.SampledFrom([]string{ea1, ea2, mallory, "adele", "megan"}), 0, 2).Draw(t, "accounts") {
		a.Entities = append(a.Entities, glassward.Entity{Type: "Account", Identifiers: map[string]string{"AadUserId": id}})
	}
	for _, ip := range rapid.SliceOfN(rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "2001:db8::1"}), 0, 2).Draw(t, "ips") {
		a.Entities = append(a.Entities, glassward.Entity{Type: "IP", Identifiers: map[string]string{"Address": ip}})
	}
	for _, s := range rapid.SliceOfN(rapid.SampledFrom([]string{"s1", "s2", "s3"}), 0, 3).Draw(t, "rows") {
		a.Rows = append(a.Rows, []string{s, rapid.SampledFrom([]string{"x", "y"}).Draw(t, "cell")})
	}
	a.RowCount = len(a.Rows)
	for _, r := range rapid.SliceOfN(rapid.IntRange(0, 9), 0, 4).Draw(t, "records") {
		a.Records = append(a.Records, glassward.RecordID{byte(r)})
	}
	if n := rapid.IntRange(0, 20).Draw(t, "details"); n < 3 {
		a.Details = map[string][]string{"Target": {[]string{"object0", "object1", unit}[n]}}
	}
	a.NoIncident = rapid.IntRange(0, 9).Draw(t, "noincident") == 0
	return incident.AlertChange{Alert: a}
}

func drawCommand(t *rapid.T, s incident.State) incident.Command {
	target := incident.Target{Number: int64(rapid.IntRange(1, 4).Draw(t, "number")), Etag: incident.AnyEtag, By: "nora"}
	for _, inc := range s.Incidents {
		if inc.Number == target.Number {
			target.Etag = inc.Etag
		}
	}
	switch rapid.IntRange(0, 5).Draw(t, "command") {
	case 0:
		return incident.Acknowledge{Target: target, Reason: "seen", Proof: rapid.SampledFrom([]incident.Proof{incident.NoProof, incident.ByConsole}).Draw(t, "proof")}
	case 1:
		return incident.Comment{Target: target, Text: "text"}
	case 2:
		return incident.Assign{Target: target, To: rapid.SampledFrom([]string{"", "omar"}).Draw(t, "to")}
	case 3:
		target.By = rapid.SampledFrom([]string{"nora", "omar"}).Draw(t, "by")
		return incident.DoTask{Target: target, Task: rapid.IntRange(1, 4).Draw(t, "task")}
	case 4:
		return incident.Explain{Target: target, Reason: "mistyped"}
	}
	for _, inc := range s.Incidents {
		// What stands in the way of closing is done first, so that much gets closed.
		if inc.Number == target.Number && inc.Status != glassward.StatusClosed {
			for _, task := range inc.Tasks {
				if task.Done.IsZero() {
					target.By = map[bool]string{true: "rita", false: "omar"}[task.Kind == glassward.TaskReview]
					return incident.DoTask{Target: target, Task: task.Number}
				}
			}
		}
	}
	return incident.Close{Target: target, Classification: glassward.Undetermined}
}

// clone makes a state that shares nothing with s, to find a Step that writes
// into its input.
func clone(t *rapid.T, s incident.State) incident.State {
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var out incident.State
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	for id, a := range out.Alerts {
		a.Records = slices.Clone(s.Alerts[id].Records) // not in JSON
		out.Alerts[id] = a
	}
	return out
}

func drawPolicy(t *rapid.T) incident.Policy {
	return incident.Policy{
		Accounts:  map[string]string{ea1: "EA-01", ea2: "EA-02"},
		Protected: map[string]string{unit: "the unit"},
		Groups:    rapid.SampledFrom([][]string{nil, {"oncall"}, {"oncall", "lead"}}).Draw(t, "groups"),
		MaxAlerts: rapid.SampledFrom([]int{0, 2}).Draw(t, "max"),
		Reopen:    rapid.Bool().Draw(t, "reopen"),
	}
}

func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := drawPolicy(t)
		state := incident.State{Tenant: "contoso", Next: 1}
		now := day.Add(48 * time.Hour)
		var judged []incident.AlertChange
		records := map[glassward.AlertID]map[glassward.RecordID]bool{}
		severity := map[glassward.AlertID]glassward.Severity{}
		notices := map[glassward.NoticeID]bool{}

		for range rapid.IntRange(1, 25).Draw(t, "events") {
			now = now.Add(time.Minute)
			var event incident.Event
			switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
			case kind == 0 && len(judged) > 0:
				e := rapid.SampledFrom(judged).Draw(t, "withdrawn")
				e.Withdrawn = true
				event = e
			case kind <= 2:
				event = drawCommand(t, state)
			default:
				e := drawAlert(t)
				judged = append(judged, e)
				event = e
				if records[e.Alert.ID] == nil {
					records[e.Alert.ID] = map[glassward.RecordID]bool{}
				}
				for _, r := range e.Alert.Records {
					records[e.Alert.ID][r] = true
				}
				severity[e.Alert.ID] = max(severity[e.Alert.ID], e.Alert.Severity)
			}

			before := clone(t, state)
			c, err := incident.Step(state, policy, event, now)
			again, errAgain := incident.Step(clone(t, state), policy, event, now)
			if d := cmp.Diff(c, again); d != "" || fmt.Sprint(err) != fmt.Sprint(errAgain) {
				t.Fatalf("two runs of a step differ (%v, %v):\n%s", err, errAgain, d)
			}
			if d := cmp.Diff(before, clone(t, state)); d != "" {
				t.Fatalf("the step wrote into its input:\n%s", d)
			}
			next := state.Apply(c)

			for _, n := range c.Notices {
				if notices[n.ID] {
					t.Fatalf("notice %s is owed twice: %+v", n.ID, n)
				}
				notices[n.ID] = true
			}
			for _, inc := range c.Incidents {
				checkChange(t, state, inc, c, policy)
			}
			state = next

			// What was judged before changes nothing, however long ago. (An alert
			// that was withdrawn since is not the same event: see Unconfirmed.)
			for _, e := range judged {
				if c, err := incident.Step(state, policy, e, now.Add(time.Second)); err != nil || !c.Empty() {
					t.Fatalf("%+v, taken in again, changes %+v (%v)", e, c, err)
				}
			}
			if cmd, ok := event.(incident.Command); ok && err == nil && !c.Empty() {
				if c, err := incident.Step(state, policy, cmd, now); err == nil && !c.Empty() {
					t.Fatalf("command %+v worked twice with one etag", cmd)
				}
			}
		}

		for id, want := range records {
			a := state.Alerts[id]
			for r := range want {
				if !slices.Contains(a.Records, r) {
					t.Fatalf("record %s of alert %s is lost", r, id)
				}
			}
			if a.Severity != severity[id] {
				t.Fatalf("alert %s has severity %s, want the highest, %s", id, a.Severity, severity[id])
			}
			held := slices.ContainsFunc(state.Incidents, func(inc glassward.Incident) bool {
				return inc.MergedInto == 0 && slices.Contains(inc.Alerts, id)
			})
			if !held && !a.NoIncident {
				t.Fatalf("alert %s is in no incident", id)
			}
		}
	})
}

// checkChange checks one changed incident against what it was.
func checkChange(t *rapid.T, before incident.State, inc glassward.Incident, c incident.Changes, p incident.Policy) {
	var old glassward.Incident
	for _, o := range before.Incidents {
		if o.Number == inc.Number {
			old = o
		}
	}
	if max := stdcmp.Or(p.MaxAlerts, 150); len(inc.Alerts) > max {
		t.Fatalf("incident %d holds %d alerts, more than %d", inc.Number, len(inc.Alerts), max)
	}
	if inc.Status == glassward.StatusClosed && inc.MergedInto == 0 && old.Status != glassward.StatusClosed && len(inc.Shows) > 0 &&
		slices.ContainsFunc(inc.Tasks, func(t glassward.Task) bool { return t.Done.IsZero() }) {
		t.Fatalf("incident %d was closed with open tasks: %+v", inc.Number, inc.Tasks)
	}
	if inc.MergedInto != 0 && (inc.MergedInto >= inc.Number || inc.Status != glassward.StatusClosed) {
		t.Fatalf("incident %d is %s and goes on in %d", inc.Number, inc.Status, inc.MergedInto)
	}
	owed := slices.ContainsFunc(c.Notices, func(n glassward.Notice) bool { return n.Incident == inc.Number })
	switch {
	case len(inc.Seen) > len(old.Seen) && old.Number != 0 && inc.Status == glassward.StatusClosed:
		t.Fatalf("closed incident %d saw something new and stayed closed", inc.Number)
	case len(inc.Seen) > len(old.Seen) && !owed:
		t.Fatalf("incident %d saw something new and owes no notice: %v → %v", inc.Number, old.Seen, inc.Seen)
	case inc.Severity > old.Severity && !owed:
		t.Fatalf("incident %d became worse in silence", inc.Number)
	case inc.Severity < old.Severity:
		t.Fatalf("incident %d became milder", inc.Number)
	case old.Status == glassward.StatusClosed && len(inc.Alerts) > len(old.Alerts) && !p.Reopen:
		t.Fatalf("closed incident %d swallowed an alert", inc.Number)
	case inc.Etag == old.Etag:
		t.Fatalf("incident %d changed and kept its etag", inc.Number)
	case inc.Etag != incident.Etag(inc):
		t.Fatalf("incident %d has an etag that is not its own", inc.Number)
	case len(inc.Timeline) < len(old.Timeline):
		t.Fatalf("incident %d forgot part of its timeline", inc.Number)
	}
	for _, a := range c.Alerts {
		if slices.Contains(inc.Alerts, a.ID) && inc.MergedInto == 0 && inc.Severity < a.Severity {
			t.Fatalf("incident %d is milder than its alert", inc.Number)
		}
	}
}

// Two alerts that have nothing in common may come in either order.
func TestIndependentAlertsCommute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := drawPolicy(t)
		policy.MaxAlerts = 0
		a, b := drawAlert(t), drawAlert(t)
		a.Alert.RuleID, b.Alert.RuleID = "a", "b"
		a.Alert.ID, b.Alert.ID = "a", "b"
		b.Alert.Entities = nil // and so no account
		sets := func(events ...incident.AlertChange) [][]glassward.AlertID {
			s := incident.State{Tenant: "contoso", Next: 1}
			for _, e := range events {
				c, err := incident.Step(s, policy, e, day)
				if err != nil {
					t.Fatal(err)
				}
				s = s.Apply(c)
			}
			var out [][]glassward.AlertID
			for _, inc := range s.Incidents {
				out = append(out, slices.Sorted(slices.Values(inc.Alerts)))
			}
			slices.SortFunc(out, slices.Compare)
			return out
		}
		if d := cmp.Diff(sets(a, b), sets(b, a)); d != "" {
			t.Fatalf("order changes the incidents (-ab +ba):\n%s", d)
		}
	})
}
