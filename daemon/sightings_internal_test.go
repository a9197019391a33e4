package daemon

import (
	"context"
	"errors"
	"testing"
	"time"

	"glassward"
	"glassward/ingest"
)

// What a second look, a restart or a back-fill brings says nothing about how late
// a road is; what is new says it once.
func TestSightings(t *testing.T) {
	start := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	record := func(id byte, event, received time.Time) glassward.Record {
		return glassward.Record{Table: "SigninLogs", ID: glassward.RecordID{id}, Time: event, Received: received, Source: "road/one"}
	}
	w := newWatch(start)
	w.follow(named("road"))
	look := func(r glassward.Record, fresh bool) (seen, backfill bool) {
		list := w.sightings([]glassward.Record{r}, map[glassward.RecordID]bool{r.ID: fresh}, r.Received)
		return len(list) == 1, len(list) == 1 && list[0].Backfill
	}
	expect := func(what string, r glassward.Record, fresh, wantSeen, wantBackfill bool) {
		t.Helper()
		if seen, backfill := look(r, fresh); seen != wantSeen || backfill != wantBackfill {
			t.Errorf("%s: seen %v, back-fill %v", what, seen, backfill)
		}
	}
	expect("before the first poll has ended", record(1, at(-60), at(1)), true, true, true)
	w.report(ingest.Report{Stream: "one", Polled: &ingest.Polled{Through: at(1), Backlog: -1}})
	expect("a record that is new", record(2, at(1), at(3)), true, true, false)
	expect("the same by a second look", record(2, at(1), at(9)), false, false, false)
	expect("one that the store had from before the start", record(3, at(-5), at(4)), false, true, true)
	expect("one that another road brought first", record(4, at(2), at(4)), false, true, false)
	w.report(ingest.Report{Stream: "one", Fault: errors.New("away")})
	expect("what was missed while the road was away", record(5, at(10), at(70)), true, true, true)
	w.report(ingest.Report{Stream: "one", Polled: &ingest.Polled{Through: at(71), Backlog: 7}})
	expect("while some still wait", record(6, at(12), at(71)), true, true, true)
	w.report(ingest.Report{Stream: "one", Polled: &ingest.Polled{Through: at(72)}})
	expect("after that", record(7, at(70), at(73)), true, true, false)

	// A road that follows the present and reads history at once.
	w.estimate = func(from, to time.Time) time.Duration { return to.Sub(from) / 10 }
	w.report(ingest.Report{Stream: "one", Polled: &ingest.Polled{Through: at(-600), Backlog: -1}})
	expect("history", record(8, at(-590), at(80)), true, true, true)
	expect("the present beside it", record(9, at(78), at(80)), true, true, false)
	since, takes := w.reads(at(80))
	if !since.Equal(at(-600)) || takes != 68*time.Minute {
		t.Errorf("it reads since %v, for %v", since, takes)
	}
	w.report(ingest.Report{Stream: "one", Polled: &ingest.Polled{Through: at(79)}})
	if since, _ := w.reads(at(80)); !since.IsZero() {
		t.Errorf("it has read everything and reads since %v", since)
	}
}

// A watch remembers a bounded number of ids.
func TestSightingsForget(t *testing.T) {
	w := newWatch(time.Now())
	for i := range 3 * seenAtMost {
		w.known(glassward.RecordID{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	if n := len(w.young) + len(w.old); n > 2*seenAtMost {
		t.Errorf("%d ids are remembered", n)
	}
}

type named string

func (n named) Name() string { return string(n) }
func (named) Run(context.Context, ingest.Cursors, ingest.Emit) error {
	return nil
}
