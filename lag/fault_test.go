package lag

import (
	"testing"
	"time"
)

// What ends a road for good is told once, with all that it has reached by then: each
// part finds it at its own poll.
func TestFaultOfAllParts(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tracker := New(Options{})
	tracker.Expect([]Road{{Name: "graph", Tables: []string{"AuditLogs", "SigninLogs"}}}, now)
	fail := func(table, kind string, lasting bool) {
		tracker.Report("graph", Report{Stream: table, Tables: []string{table}, At: now, Fault: &Fault{Kind: kind, Text: "refused", Lasting: lasting}})
	}
	for _, kind := range []string{"consent", "token"} {
		if kind == "consent" {
			fail("AuditLogs", kind, true)
		}
		if list := tracker.Tick(now); len(list) != 0 {
			t.Fatalf("one refusal cuts a road: %+v", list)
		}
		fail("SigninLogs", kind, true)
		fail("SigninLogs", kind, true)
		list := tracker.Tick(now.Add(gather))
		if len(list) != 1 || len(list[0].Tables) != 2 || list[0].Is != Cut {
			t.Errorf("%s: %+v", kind, list)
		}
		tracker = New(Options{})
		tracker.Expect([]Road{{Name: "graph", Tables: []string{"AuditLogs", "SigninLogs"}}}, now)
	}
	// Whoever is given an answer has a token: what another part said of it is over.
	fail("SigninLogs", "token", true)
	fail("SigninLogs", "token", true)
	tracker.Report("graph", Report{Stream: "AuditLogs", Tables: []string{"AuditLogs"}, At: now, Polled: &Polled{Through: now, Backlog: -1}})
	if list := tracker.Tick(now); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// A road that stands in for another is named before its first record has come.
func TestNextRoadHasYetToBegin(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tracker := New(Options{})
	tracker.Expect([]Road{{Name: "graph", Tables: []string{"SigninLogs"}}, {Name: "activity", Tables: []string{"SigninLogs"}}}, now)
	for range 2 {
		tracker.Report("graph", Report{At: now, Fault: &Fault{Kind: "licence", Text: "no P1", Lasting: true}})
	}
	list := tracker.Tick(now.Add(gather))
	if len(list) != 1 || list[0].Title != "Road graph has no licence for SigninLogs; next road: activity, which has yet to begin" {
		t.Errorf("%+v", list)
	}
}
