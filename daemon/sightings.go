package daemon

import (
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/ingest"
	"glassward/ingest/graph"
	"glassward/lag"
	"glassward/schema"
)

// A watch follows one road: which of its records were seen before, so that a
// second look at a time already read is not taken for lag, and whether it still
// reads history.
type watch struct {
	started time.Time

	mu sync.Mutex
	// source is what the Source of its records begins with, estimate how long it
	// takes to read a stretch of time, nil where nobody can say.
	source   string
	estimate func(from, to time.Time) time.Duration
	// young and old hold what was seen lately, by the first bytes of the id. When
	// young is full it becomes old.
	young, old map[uint64]struct{}
	// behind says by stream whether the road has yet to read to the end of what
	// its service offers.
	behind map[string]bool
	// through is by stream the time before which nothing is unread, of roads that
	// follow the present and read history at once. Of others it is the newest record's,
	// and a quiet night makes it old.
	through map[string]time.Time
}

// A stream whose unread time began so long ago reads history, and what is older
// than the present then says nothing about the road's lag.
const (
	history = time.Hour
	present = 15 * time.Minute
)

// seenAtMost is how many ids each generation of a watch holds.
const seenAtMost = 100_000

func newWatch(now time.Time) *watch {
	return &watch{started: now, young: map[uint64]struct{}{}, behind: map[string]bool{}, through: map[string]time.Time{}}
}

// follow says which source brings the records from now on.
func (w *watch) follow(s ingest.Source) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.source = s.Name() + "/"
	w.estimate = nil
	if g, ok := s.(*graph.Source); ok {
		w.estimate = func(from, to time.Time) time.Duration { return g.Estimate(from, to).Takes }
	}
}

// reads says since when a road has history to read, and how long that takes if
// the road can say; zero if it has none.
func (w *watch) reads(now time.Time) (since time.Time, takes time.Duration) {
	w.mu.Lock()
	for _, t := range w.through {
		if now.Sub(t) > history && (since.IsZero() || t.Before(since)) {
			since = t
		}
	}
	estimate := w.estimate
	w.mu.Unlock()
	// The source asks itself, and may be handing over a batch that waits for mu.
	if !since.IsZero() && estimate != nil {
		takes = estimate(since, now)
	}
	return since, takes
}

// report learns from a source's report whether a stream reads history.
func (w *watch) report(r ingest.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case r.Polled != nil:
		w.behind[r.Stream] = r.Polled.Backlog > 0
		if w.estimate != nil {
			w.through[r.Stream] = r.Polled.Through
		}
	case r.Fault != nil:
		// What was missed meanwhile comes as history.
		w.behind[r.Stream] = true
	}
}

func (w *watch) known(id glassward.RecordID) bool {
	k := binary.LittleEndian.Uint64(id[:])
	if _, ok := w.young[k]; ok {
		return true
	}
	_, ok := w.old[k]
	if len(w.young) >= seenAtMost {
		w.old, w.young = w.young, make(map[uint64]struct{}, seenAtMost)
	}
	w.young[k] = struct{}{}
	return ok
}

// reading says whether a record that came by a stream is history. A stream is part
// of the one that reports for it: a partition of its hub, a file of its container.
// One of which nothing was heard yet reads history.
func (w *watch) reading(stream string, event, received time.Time) bool {
	for {
		if behind, ok := w.behind[stream]; ok {
			t, follows := w.through[stream]
			return behind || follows && received.Sub(t) > history && received.Sub(event) > present
		}
		if stream == "" {
			return true
		}
		stream = stream[:max(0, strings.LastIndexByte(stream, '/'))]
	}
}

// sightings gives what a batch says about the road: each record's first coming
// by it. fresh are the ids that the store did not have yet.
func (w *watch) sightings(records []glassward.Record, fresh map[glassward.RecordID]bool, now time.Time) []lag.Sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []lag.Sighting
	for i := range records {
		r := &records[i]
		if w.known(r.ID) {
			continue
		}
		received := r.Received
		if received.IsZero() {
			received = now
		}
		behind := w.reading(strings.TrimPrefix(r.Source, w.source), r.Time, received)
		out = append(out, lag.Sighting{
			Table: r.Table, ID: r.ID, Event: r.Time, Received: received, UserID: text(r, "UserId"),
			// A record that the store had and that is older than this process may have
			// come by this road before.
			Backfill: behind || !fresh[r.ID] && r.Time.Before(w.started),
		})
	}
	return out
}

// text gives a record's cell as text, empty if its table has no such column or
// the cell holds none.
func text(r *glassward.Record, column string) string {
	t, ok := schema.Lookup(r.Table)
	if !ok {
		return ""
	}
	i, ok := t.Index(column)
	if !ok || i >= len(r.Values) {
		return ""
	}
	return r.Values[i].Str
}
