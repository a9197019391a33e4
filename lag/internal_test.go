package lag

import (
	"testing"
	"time"
)

// TestClockStep moves the host's wall clock by an hour (S17): no road becomes
// silent for it, and it is told at once.
func TestClockStep(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tracker := New(Options{})
	tracker.Expect([]Road{{Name: "graph", Tables: []string{"SigninLogs"}, Added: start.Add(-72 * time.Hour)}}, start)
	life := func(from, to time.Time, host time.Duration) {
		for now := from; now.Before(to); now = now.Add(10 * time.Second) {
			tracker.Seen("graph", []Sighting{{Table: "SigninLogs", Event: now.Add(-time.Minute), Received: now.Add(host)}})
			if got := tracker.Tick(now.Add(host)); len(got) > 0 && got[0].Tell {
				t.Fatalf("%s: %s", now, got[0].Title)
			}
		}
	}
	noon := start.Add(3 * time.Hour)
	life(start, noon, 0)
	c, ok := tracker.host.check(tracker, noon.Add(time.Hour), time.Hour)
	if !ok || !c.Tell || c.Title != "The host's clock jumped ahead by 1h0m" || !c.At.Equal(noon) {
		t.Errorf("%v %+v", ok, c)
	}
	life(noon, noon.Add(time.Hour), time.Hour)
	for range 2 {
		tracker.Report("graph", Report{At: noon.Add(2 * time.Hour), Polled: &Polled{Offset: -time.Hour + 20*time.Millisecond, Backlog: -1}})
	}
	life(noon.Add(time.Hour), noon.Add(2*time.Hour), time.Hour)
	if got := tracker.Status(noon.Add(3 * time.Hour))[0]; got.State != Fresh || got.Lag.P99 > 2*time.Minute {
		t.Errorf("%s, p99 %s", got.State, got.Lag.P99)
	}
	// Somebody sets it right.
	tracker.host.check(tracker, noon.Add(2*time.Hour), -time.Hour)
	for range 2 {
		tracker.Report("graph", Report{At: noon.Add(2 * time.Hour), Polled: &Polled{Offset: 30 * time.Millisecond, Backlog: -1}})
	}
	if c, ok := tracker.host.check(tracker, noon.Add(2*time.Hour), 0); !ok || !c.Over {
		t.Errorf("%v %+v", ok, c)
	}
	life(noon.Add(2*time.Hour), noon.Add(3*time.Hour), 0)
}

// TestClockAgreesAgain holds that a clock that was set right is found to be right:
// a source whose service's clock and the host's agree says 0, and before the step
// has gone out of the last answers it says the old offset once more. A road that
// has no clock says 0 for ever and does not count.
func TestClockAgreesAgain(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tracker := New(Options{})
	tracker.Expect([]Road{{Name: "graph", Tables: []string{"SigninLogs"}}, {Name: "eventhub", Tables: []string{"SigninLogs"}}}, start)
	tell := func(road string, d time.Duration) {
		for range 2 {
			tracker.Report(road, Report{At: start, Polled: &Polled{Offset: d, Backlog: -1}})
		}
	}
	tell("graph", -time.Hour)
	tell("eventhub", 0)
	if c, ok := tracker.host.check(tracker, start, 0); !ok || c.Over || tracker.offset != -time.Hour {
		t.Fatalf("%v %+v, offset %s", ok, c, tracker.offset)
	}
	tracker.host.check(tracker, start.Add(-time.Hour), -time.Hour) // it is set right
	tell("graph", -time.Hour)
	again, err := Restore(tracker.Memory(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []*Tracker{tracker, again} {
		tracker = x
		tell("graph", 0)
		if c, ok := x.host.check(x, start.Add(-time.Hour), 0); !ok || !c.Over || x.offset != 0 {
			t.Errorf("%v %+v, offset %s", ok, c, x.offset)
		}
	}
}

func TestJump(t *testing.T) {
	now := time.Now()
	if d := jump(now, now.Add(time.Minute)); d != 0 {
		t.Errorf("a minute that went by is a jump of %s", d)
	}
	// Without a monotonic reading nothing can be told.
	if d := jump(now.Round(0), now.Add(time.Minute)); d != 0 {
		t.Errorf("%s", d)
	}
}

func TestFutureRecords(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tracker := New(Options{})
	tracker.Expect([]Road{{Name: "eventhub", Tables: []string{"SigninLogs"}}}, start)
	for range 12 {
		tracker.Seen("eventhub", []Sighting{{Table: "SigninLogs", Event: start.Add(time.Hour), Received: start}})
	}
	got := tracker.Tick(start)
	if len(got) == 0 || got[0].Cause != "clock" || !got[0].Tell {
		t.Errorf("%+v", got)
	}
	if s := tracker.Status(start)[0]; s.NewestEvent.After(start) {
		t.Errorf("the newest event is of %s", s.NewestEvent)
	}
}

// TestOldEvents gives records of impossible times.
func TestOldEvents(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	tracker := New(Options{})
	tracker.Expect([]Road{{Name: "graph", Tables: []string{"SigninLogs"}}}, start)
	for i, event := range []time.Time{{}, time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		now := start.Add(time.Duration(i) * time.Hour)
		tracker.Seen("graph", []Sighting{{Table: "SigninLogs", Event: event, Received: now}})
		tracker.Tick(now)
		tracker.Status(now)
		if _, err := Restore(tracker.Memory(), Options{}); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzRemember gives the JSON of a memory past its checksum.
func FuzzRemember(f *testing.F) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	roads := []Road{{Name: "graph", Tables: []string{"SigninLogs"}, SameIDs: true}, {Name: "eventhub", Tables: []string{"SigninLogs"}, SameIDs: true}}
	tracker := New(Options{})
	tracker.Expect(roads, start)
	tracker.Tick(start)
	tracker.PulseSent(Pulse{At: start, UserID: "c", Tables: []string{"SigninLogs"}})
	tracker.Seen("graph", []Sighting{{Table: "SigninLogs", Event: start, Received: start.Add(time.Minute)}})
	tracker.Report("graph", Report{At: start, Fault: &Fault{Kind: "token", Text: "no"}})
	body, err := open(tracker.Memory())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, b []byte) {
		tracker := New(Options{})
		if tracker.remember(b) != nil {
			return
		}
		tracker.Expect(roads, start)
		tracker.Seen("graph", []Sighting{{Table: "SigninLogs", Event: start, Received: start.Add(time.Minute)}})
		for i := range 3 {
			tracker.Tick(start.Add(time.Duration(i) * time.Hour))
		}
		tracker.Status(start)
		if _, err := Restore(tracker.Memory(), Options{}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		90 * time.Second: "1m30s", 5 * time.Minute: "5m", time.Hour: "1h0m", 26*time.Hour + 10*time.Minute: "26h10m", 72 * time.Hour: "3.0 days", 1500 * time.Millisecond: "1.5s", 10 * time.Minute: "10m",
	} {
		if got := words(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
