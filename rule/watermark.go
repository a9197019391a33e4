package rule

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"glassward"
	"glassward/kql/value"
)

// watermarkVersion is the version of the form that state is stored in.
const watermarkVersion = 1

// A state is what a rule has judged. Everything in it can be made again from an
// older state and the records that came since, so it may be committed as seldom
// as one likes.
type state struct {
	// seq is the sequence number up to which arrivals were looked at: judged by
	// an NRT rule, noted in open and late by a Scheduled one.
	seq int64
	// judged is the newest window that was judged; all before it were, but for
	// those in owed.
	judged int64
	// open holds windows to judge again because a source that had been silent
	// delivered into them, late those into which a record came although its source
	// had passed them, owed those that could not be judged.
	open, late, owed windowSet
	// passed is the newest event time that each source of the rule's tables has
	// delivered, by table and source.
	passed map[string]value.Ticks
	// seen says in which windows alerts were found, so that a result which later
	// data takes away is noticed. The newest are last.
	seen []sighting
	// fired is the end of the last window that gave a new alert of a rule with
	// suppression, 0 if none did.
	fired value.Ticks
	// suppressed are the windows after it whose alerts were suppressed, until the
	// next alert says so. They lie within a suppression, a day at most.
	suppressed windowSet
	// minutes are the groups of the newest alerts of an NRT rule that makes one
	// alert of a minute.
	minutes []string
	// failed is why the last evaluation failed, empty if it did not, so that a
	// rule which works again after a restart can say so.
	failed string
}

// A sighting is the windows in which an alert was found. A silent one has no
// records: its rule fires because nothing came, and windows that follow each
// other are one alert.
type sighting struct {
	alert   glassward.AlertID
	group   string
	silent  bool
	windows windowSet
}

func (s *state) clone() state {
	c := *s
	c.open, c.late, c.owed = s.open.clone(), s.late.clone(), s.owed.clone()
	c.suppressed = s.suppressed.clone()
	c.minutes = slices.Clone(s.minutes)
	c.passed = maps.Clone(s.passed)
	c.seen = slices.Clone(s.seen)
	for i := range c.seen {
		c.seen[i].windows = c.seen[i].windows.clone()
	}
	return c
}

// The stored form. Windows are written by the times at which they end.
type storedState struct {
	Version int                `json:"v"`
	Seq     int64              `json:"seq"`
	Judged  *instant           `json:"judged,omitempty"`
	Open    [][2]instant       `json:"open,omitempty"`
	Late    [][2]instant       `json:"late,omitempty"`
	Owed    [][2]instant       `json:"owed,omitempty"`
	Passed  map[string]instant `json:"passed,omitempty"`
	Seen    []storedSighting   `json:"seen,omitempty"`
	Fired   *instant           `json:"fired,omitempty"`
	// Suppressed is missing in what older versions wrote, which did not count.
	Suppressed [][2]instant `json:"suppressed,omitempty"`
	Minutes    []string     `json:"minutes,omitempty"`
	Failed     string       `json:"failed,omitempty"`
	// Begin is where a rule begins that was never judged, because it did not
	// compile.
	Begin *instant `json:"begin,omitempty"`
	// Paused says that the rule's file disables it: when it is enabled it begins
	// anew, as a new rule does.
	Paused bool `json:"paused,omitempty"`
}

type storedSighting struct {
	Alert   glassward.AlertID `json:"alert"`
	Group   string            `json:"group,omitempty"`
	Silent  bool              `json:"silent,omitempty"`
	Windows [][2]instant      `json:"windows"`
}

// encode gives the state as JSON; g is the rule's grid, zero for NRT.
func (s *state) encode(g grid) ([]byte, error) {
	out := storedState{Version: watermarkVersion, Seq: s.seq, Failed: s.failed, Minutes: s.minutes}
	if g.frequency > 0 {
		_, end := g.bounds(s.judged)
		out.Judged = new(instant)
		*out.Judged = instant(end)
		out.Open, out.Late, out.Owed = g.stored(s.open), g.stored(s.late), g.stored(s.owed)
		out.Passed = map[string]instant{}
		for k, t := range s.passed {
			out.Passed[k] = instant(t)
		}
		for _, x := range s.seen {
			out.Seen = append(out.Seen, storedSighting{x.alert, x.group, x.silent, g.stored(x.windows)})
		}
		out.Suppressed = g.stored(s.suppressed)
		if s.fired != 0 {
			out.Fired = new(instant)
			*out.Fired = instant(s.fired)
		}
	}
	return json.Marshal(out)
}

// readStored reads the stored form.
func readStored(data []byte) (in storedState, err error) {
	if err := json.Unmarshal(data, &in); err != nil {
		return in, fmt.Errorf("the watermark cannot be read: %w", err)
	}
	if in.Version != watermarkVersion {
		return in, fmt.Errorf("the watermark has version %d and this program reads %d: use the version that wrote it, or a newer one", in.Version, watermarkVersion)
	}
	return in, nil
}

// state gives the state on a grid. windows is false if it has none of windows,
// because the rule was NRT then or was never judged.
func (in *storedState) state(g grid) (s state, windows bool) {
	s.seq, s.failed, s.minutes = in.Seq, in.Failed, in.Minutes
	s.passed = map[string]value.Ticks{}
	if g.frequency == 0 || in.Judged == nil {
		return s, false
	}
	s.judged = g.last(value.Ticks(*in.Judged))
	s.open, s.late, s.owed = g.restored(in.Open), g.restored(in.Late), g.restored(in.Owed)
	for k, t := range in.Passed {
		s.passed[k] = value.Ticks(t)
	}
	for _, x := range in.Seen {
		if windows := g.restored(x.Windows); len(windows) > 0 {
			s.seen = append(s.seen, sighting{x.Alert, x.Group, x.Silent, windows})
		}
	}
	s.suppressed = g.restored(in.Suppressed)
	if in.Fired != nil {
		s.fired = value.Ticks(*in.Fired)
	}
	return s, true
}

// toJudge gives the windows before judged that are to be judged still or again.
func (s *state) toJudge() windowSet {
	all := s.open.clone()
	for _, set := range []windowSet{s.late, s.owed} {
		for _, r := range set {
			all.add(r.first, r.last)
		}
	}
	return all
}

// maxMinutes bounds minutes.
const maxMinutes = 256

// minute notes an alert's group and says whether it was known.
func (s *state) minute(group string) bool {
	if slices.Contains(s.minutes, group) {
		return true
	}
	s.minutes = append(s.minutes, group)
	if n := len(s.minutes) - maxMinutes; n > 0 {
		s.minutes = slices.Delete(s.minutes, 0, n)
	}
	return false
}

// maxSources bounds what is remembered of sources. A source that is forgotten
// counts as silent: what it delivers is judged and not marked late.
const maxSources = 256

func passKey(table, source string) string { return table + " " + source }

// pass notes that sources have delivered events of these times.
func (s *state) pass(newest map[string]value.Ticks) {
	for k, t := range newest {
		if t > s.passed[k] {
			s.passed[k] = t
		}
	}
	for len(s.passed) > maxSources {
		oldest := ""
		for k, t := range s.passed {
			if oldest == "" || t < s.passed[oldest] || t == s.passed[oldest] && k < oldest {
				oldest = k
			}
		}
		delete(s.passed, oldest)
	}
}

// arrive notes that a record with an event time from [from, to] came for windows
// that may have been judged.
func (s *state) arrive(g grid, key string, from, to value.Ticks) {
	first, last := g.coveringRange(from, to)
	last = min(last, s.judged)
	if first > last {
		return
	}
	// The windows that this source had passed were closed.
	if closed := min(last, g.last(s.passed[key])); s.passed[key] != 0 && first <= closed {
		s.late.add(first, closed)
		first = closed + 1
	}
	s.open.add(first, last)
}

// Bounds on sightings: beyond them a result that disappears is no longer
// noticed.
const (
	maxSightings  = 4096
	keepSightings = value.Span(14 * 24 * 3600 * 1e7)
)

// sight notes in which alerts window n found a result, and gives the alerts that
// were found there before and in no other window now. A window without result
// was removed from nothing if it is judged for the first time.
func (s *state) sight(n int64, found []sighting) (withdrawn []sighting) {
	kept := s.seen[:0]
	for _, x := range s.seen {
		still := slices.ContainsFunc(found, func(f sighting) bool { return f.alert == x.alert })
		if x.windows.has(n) && !still {
			x.windows.remove(n, n)
			if len(x.windows) == 0 {
				withdrawn = append(withdrawn, x)
				continue
			}
		}
		kept = append(kept, x)
	}
	s.seen = kept
	for _, f := range found {
		i := slices.IndexFunc(s.seen, func(x sighting) bool { return x.alert == f.alert })
		if i < 0 {
			i = len(s.seen)
			s.seen = append(s.seen, sighting{alert: f.alert, group: f.group, silent: f.silent})
		}
		s.seen[i].windows.add(n, n)
	}
	return withdrawn
}

// silence gives the alert of a silence that window n continues or precedes.
func (s *state) silence(group string, n int64) (glassward.AlertID, bool) {
	for i := len(s.seen) - 1; i >= 0; i-- {
		x := s.seen[i]
		if x.silent && x.group == group && (x.windows.has(n-1) || x.windows.has(n) || x.windows.has(n+1)) {
			return x.alert, true
		}
	}
	return "", false
}

// prune forgets sightings that are too old or too many.
func (s *state) prune(g grid, now value.Ticks) {
	oldest := g.last(now - value.Ticks(keepSightings))
	s.seen = slices.DeleteFunc(s.seen, func(x sighting) bool { return x.windows[len(x.windows)-1].last < oldest })
	if n := len(s.seen) - maxSightings; n > 0 {
		s.seen = slices.Delete(s.seen, 0, n)
	}
}

// openSince gives the time up to which every source of the tables delivered.
func (s *state) openSince(tables []string) value.Ticks {
	var least value.Ticks
	for k, t := range s.passed {
		table, _, _ := strings.Cut(k, " ")
		if slices.Contains(tables, table) && (least == 0 || t < least) {
			least = t
		}
	}
	return least
}
