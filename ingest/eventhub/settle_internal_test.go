package eventhub

import (
	"context"
	"strings"
	"testing"
	"time"

	"glassward/ingest"
)

// While a look asks for the ends of a partition, more of it may be read and
// committed. What the look found is then of an earlier place: it must not be
// taken for a hub that was made anew, which would tell a loss that is none and read
// everything again.
func TestWhatWasReadDuringALookIsNoNewHub(t *testing.T) {
	then := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for name, x := range map[string]struct {
		looked, done position
		latest       int64
		newer        int64
		lost         string
		from         int64
	}{
		"the end that was seen was passed":         {position{Offset: 40, Enqueued: then}, position{Offset: 50, Enqueued: then.Add(time.Hour)}, 45, -1, "", 50},
		"the newer message that was seen was read": {position{Offset: 40, Enqueued: then}, position{Offset: 50, Enqueued: then.Add(time.Hour)}, 60, 41, "", 50},
		"nothing was read and it ends before":      {position{Offset: 40, Enqueued: then}, position{Offset: 40, Enqueued: then}, 3, -1, "made anew", 0},
		"nothing was read and it began again":      {position{Offset: 40, Enqueued: then}, position{Offset: 40, Enqueued: then}, 90, 7, "made anew", 0},
		// It was made anew before the look; the little that was read since is no proof
		// of the opposite.
		"read on in a hub that began again": {position{Offset: 40, Enqueued: then}, position{Offset: 50, Enqueued: then.Add(time.Hour)}, 90, 7, "made anew", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var told, cursor string
			s := &Source{o: Options{Namespace: "hubs.example", Now: time.Now, Observe: func(r ingest.Report) {
				if r.Hole != nil {
					told = r.Hole.What
				}
			}}, partitions: map[place]*partition{}, hubs: map[string]*hub{}}
			p := &partition{hub: "h", key: "k", done: x.done, began: true}
			r := &reading{Source: s, emit: func(_ context.Context, _ *ingest.Batch, c *ingest.Cursor) error {
				cursor = string(c.Position)
				return nil
			}}
			l := &look{seen: []*seen{{p: p, done: x.looked, began: true, latest: x.latest, newer: x.newer}}}
			if err := r.settle(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			if p.done.Offset != x.from {
				t.Errorf("it goes on at %d, not at %d", p.done.Offset, x.from)
			}
			if x.lost == "" && told+cursor != "" || !strings.Contains(told, x.lost) {
				t.Errorf("it tells %q (%s)", told, cursor)
			}
		})
	}
}
