package lag

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"glassward"
)

// maxAwaited bounds the ids of a table that are awaited on other roads. Beyond
// it a sample is taken, by the ids themselves: all roads sample the same records.
const maxAwaited = 512

// When a road is said to lose records.
const (
	leastMissing = 5
	mostMissing  = 0.02
	fewMissing   = 0.005
)

// A comparison awaits what one road shows on the others.
type comparison struct {
	// limit bounds the first four bytes of the ids that are awaited, window is how
	// long the slowest road has time.
	limit  uint64
	window time.Duration
	raised time.Time
	await  map[glassward.RecordID]*awaited
}

// An awaited record was shown by the roads in seen at first; judged are the roads
// that were found to show it in time or not. Bits are roads'.
type awaited struct {
	event        time.Time
	seen, judged uint32
}

func newComparison() *comparison {
	return &comparison{limit: 1 << 32, await: map[glassward.RecordID]*awaited{}}
}

func rank(id glassward.RecordID) uint64 { return uint64(binary.BigEndian.Uint32(id[:4])) }

// see notes that a road shows a record.
func (c *comparison) see(s *stream, x *Sighting, event, now time.Time) {
	if rank(x.ID) >= c.limit {
		return
	}
	a := c.await[x.ID]
	if a == nil {
		// What comes later than that may have been shown by the others long ago.
		if x.Backfill || now.Sub(event) > c.window {
			return
		}
		a = &awaited{event: event}
		c.await[x.ID] = a
		if len(c.await) > maxAwaited {
			c.limit /= 2
			c.raised = now
			maps.DeleteFunc(c.await, func(id glassward.RecordID, _ *awaited) bool { return rank(id) >= c.limit })
		}
	}
	a.seen |= 1 << s.road.bit
}

// carriers gives the roads of a table that can be compared.
func (t *Tracker) carriers(table string) []*stream {
	var out []*stream
	for _, s := range t.streams {
		if s.Table == table && s.expected && s.road.SameIDs {
			out = append(out, s)
		}
	}
	return out
}

// compareRoads judges the records that every road must have shown by now.
func (t *Tracker) compareRoads(now time.Time) []Change {
	tables := map[string]bool{}
	for _, s := range t.streams {
		tables[s.Table] = true
	}
	var out []Change
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		roads := t.carriers(table)
		if len(roads) < 2 {
			delete(t.compare, table)
		} else if c := t.compare[table]; c == nil {
			c = newComparison()
			t.compare[table] = c
			c.judge(roads, now)
		} else {
			c.judge(roads, now)
		}
		for _, s := range t.streams {
			if s.Table == table && s.expected {
				if c, ok := t.degraded(s, roads, now); ok {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

func (c *comparison) judge(roads []*stream, now time.Time) {
	if len(c.await) < maxAwaited/4 && c.limit < 1<<32 && now.Sub(c.raised) > time.Hour {
		c.limit, c.raised = c.limit*2, now
	}
	c.window = 0
	for _, s := range roads {
		c.window = max(c.window, 2*s.p99())
	}
	missing := map[*stream][]string{}
	for id, a := range c.await {
		all := true
		for _, s := range roads {
			bit := uint32(1) << s.road.bit
			if a.judged&bit != 0 {
				continue
			}
			due := a.event.Add(2 * s.p99())
			// Only a road that still gives records has left one out.
			if now.Before(due) || a.seen&bit == 0 && !s.Open && s.NewestReceived.Before(due) && now.Before(due.Add(time.Hour)) {
				all = false
				continue
			}
			a.judged |= bit
			// A road that is known not to give everything is not blamed again.
			if !s.Began || s.Open || a.seen&bit == 0 && s.NewestReceived.Before(due) || s.State != Fresh || a.event.Before(s.LearnFrom) {
				continue
			}
			if a.seen&bit != 0 {
				s.Met++
				continue
			}
			s.Missing++
			missing[s] = append(missing[s], fmt.Sprintf("%s of %s", id, clock(a.event)))
		}
		if all {
			delete(c.await, id)
		}
	}
	for s, list := range missing {
		slices.Sort(list) // a map has no order of its own
		s.Examples = append(s.Examples, list...)
		s.Examples = slices.Clone(s.Examples[max(0, len(s.Examples)-5):])
	}
}

// degraded says when a road begins to lose records that others show, or pulses,
// and when it does no more.
func (t *Tracker) degraded(s *stream, roads []*stream, now time.Time) (Change, bool) {
	n := s.Met + s.Missing
	lossy := n >= 20 && s.Missing >= leastMissing && s.Missing/n >= mostMissing
	pulses := s.Missed >= cleanNeeds
	c := Change{
		At: now, Road: s.road.Name, Tables: []string{s.Table}, Was: s.State, Is: s.State, Since: now, Cause: "degraded",
		Subject: s.road.Name + " " + s.Table, Tell: true, Reason: "missing", Severity: glassward.Medium, Lag: s.p, LateCount: s.LateCount,
	}
	for _, o := range roads {
		if o != s {
			c.Others = append(c.Others, o.road.Name)
		}
	}
	switch {
	case !s.Degraded && lossy:
		s.Degraded = true
		c.Title = fmt.Sprintf("Road %s is degraded: it does not show %.1f %% of what %s shows of %s", s.road.Name, 100*s.Missing/n, list(c.Others), s.Table)
		c.Detail = fmt.Sprintf("Of about %.0f records compared in the last hours, %.0f had not come within %s.\nThe latest of them: %s.", n, s.Missing, words(2*s.p99()), strings.Join(s.Examples, "; "))
		return c, true
	case !s.Degraded && pulses:
		s.Degraded = true
		c.Reason = "pulse"
		c.Title = fmt.Sprintf("Road %s is degraded: pulses do not come in %s", s.road.Name, s.Table)
		c.Detail = fmt.Sprintf("The last %d pulses have not come although other records did: the road loses some records, or the canary's sign-ins are kept from it.", s.Missed)
		return c, true
	case s.Degraded && !pulses && (n < 1 || s.Missing/n < fewMissing):
		s.Degraded, s.Missing, s.Examples = false, 0, nil
		c.Over, c.Title = true, fmt.Sprintf("Road %s shows all of %s again", s.road.Name, s.Table)
		return c, true
	}
	return Change{}, false
}
