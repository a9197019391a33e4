package lag

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
)

// Bounds of what a tracker holds. What is beyond them is not measured.
const (
	maxRoads  = 32
	maxTables = 64 // a road
	maxFaults = 256
)

// A Tracker is what is known of one tenant's roads. It may be used by several
// goroutines at once.
type Tracker struct {
	mu  sync.Mutex
	o   Options
	way *Way

	roads   map[string]*road
	streams []*stream // of all roads, by road and table
	compare map[string]*comparison

	// canary is the account of the pulse.
	canary string
	// offset is the service's clock minus the host's. All times inside are the
	// service's, so that a host whose clock jumps makes no road silent.
	offset time.Duration
	prev   time.Time // of Tick, by the host's clock
	// lastTick was the last Tick, resumed when the tracker began to be told again.
	lastTick, resumed time.Time
	started           bool
	aged              time.Time
	host              hostClock
}

// A road is what is known of a Road.
type road struct {
	t        *Tracker
	bit      uint // in comparisons
	expected bool
	tables   map[string]*stream
	faults   map[string]*trouble
	holes    []Change

	Name      string
	SameIDs   bool
	Added     time.Time
	EmptyTold bool
	// Clocked says that its service tells the time: from then on an offset of 0
	// means that the clocks agree, and not that it is unknown.
	Clocked bool
}

// New makes a tracker that knows nothing yet.
func New(o Options) *Tracker {
	return &Tracker{o: o, way: NewWay(), roads: map[string]*road{}, compare: map[string]*comparison{}}
}

// Way gives the measure of the records' way through the workspace.
func (t *Tracker) Way() *Way { return t.way }

// service gives the service's time for one of the host's clock.
func (t *Tracker) service(host time.Time) time.Time { return host.Round(0).UTC().Add(t.offset) }

// road gives the road of a name, a new one if it is not known and there is room.
func (t *Tracker) road(name string) *road {
	r := t.roads[name]
	if r == nil && len(t.roads) < maxRoads {
		var used uint32
		for _, other := range t.roads {
			used |= 1 << other.bit
		}
		r = &road{t: t, Name: name, tables: map[string]*stream{}, faults: map[string]*trouble{}}
		for used>>r.bit&1 == 1 {
			r.bit++
		}
		t.roads[name] = r
	}
	return r
}

// stream gives what is known of a table on the road, nil if there is no room.
func (r *road) stream(table string) *stream {
	s := r.tables[table]
	if s == nil && len(r.tables) < maxTables {
		s = &stream{road: r, Table: strings.Clone(table), State: Warming, Habit: newHabit(), Backlog: -1}
		s.refresh()
		r.tables[s.Table] = s
		r.t.sort()
	}
	return s
}

func (t *Tracker) sort() {
	t.streams = t.streams[:0]
	for _, r := range t.roads {
		t.streams = slices.AppendSeq(t.streams, maps.Values(r.tables))
	}
	slices.SortFunc(t.streams, func(a, b *stream) int {
		return cmp.Or(strings.Compare(a.road.Name, b.road.Name), strings.Compare(a.Table, b.Table))
	})
}

// Expect says which roads there are, after a start or a reload. What was learned
// of a road that is named again is kept.
func (t *Tracker) Expect(roads []Road, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now = t.service(now)
	if !t.started {
		t.started = true
		if down := now.Sub(t.lastTick); down > time.Minute {
			t.resumed = now
			for _, s := range t.streams {
				s.LearnFrom = now // what comes first has waited for us
			}
		}
	}
	for _, r := range t.roads {
		r.expected = false
		for _, s := range r.tables {
			s.expected = false
		}
	}
	for _, x := range roads {
		r := t.roads[x.Name]
		if r == nil && len(t.roads) >= maxRoads {
			t.dropUnexpected(roads)
		}
		if r = t.road(x.Name); r == nil {
			continue
		}
		r.expected, r.SameIDs = true, x.SameIDs
		if !x.Added.IsZero() {
			r.Added = x.Added.UTC()
		} else if r.Added.IsZero() {
			r.Added = now
		}
		for _, table := range x.Tables {
			s := r.stream(table)
			if s == nil {
				continue
			}
			s.expected = true
			if s.Since.IsZero() {
				s.Since, s.LearnFrom = now, now
				s.WarmUntil = r.Added.Add(warmUp)
				s.Why = "it has just been switched on"
				if r.Added.Before(now.Add(-warmUp)) {
					s.WarmUntil = now // not new, only unknown to us
				}
			}
		}
	}
}

// dropUnexpected forgets roads that are not named any more, to make room.
func (t *Tracker) dropUnexpected(named []Road) {
	for name := range t.roads {
		if !slices.ContainsFunc(named, func(r Road) bool { return r.Name == name }) {
			delete(t.roads, name)
		}
	}
	t.sort()
}

// Seen notes records that came by a road.
func (t *Tracker) Seen(road string, list []Sighting) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.road(road)
	if r == nil {
		return
	}
	var s *stream
	var c *comparison
	for i := range list {
		x := &list[i]
		if s == nil || s.Table != x.Table {
			if s = r.stream(x.Table); s == nil {
				continue
			}
			c = t.compare[x.Table]
		}
		now := x.Received.Add(t.offset)
		event := x.Event
		if ahead := event.Sub(now); ahead > 0 {
			if ahead > 2*time.Minute && !x.Backfill {
				t.host.future(now, ahead)
			}
			event = now
		}
		s.see(x, event, now)
		if c != nil && r.SameIDs {
			c.see(s, x, event, now)
		}
	}
}

// Report notes what a source says of a road.
func (t *Tracker) Report(name string, rep Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.road(name)
	if r == nil {
		return
	}
	if rep.Polled != nil && (rep.Polled.Offset != 0 || r.Clocked) {
		r.Clocked = true
		t.host.offset(t, rep.Polled.Offset, rep.At)
	}
	now := t.service(rep.At)
	var hit []*stream
	for _, s := range t.streams {
		if s.road == r && (len(rep.Tables) == 0 || slices.Contains(rep.Tables, s.Table)) {
			hit = append(hit, s)
		}
	}
	switch {
	case rep.Polled != nil:
		r.disprove(rep.Stream, now)
		for _, s := range hit {
			s.LastPoll, s.Backlog = now, rep.Polled.Backlog
			// Records count when they are seen; a poll says of which table they are
			// only if it is of one.
			if s.Open && rep.Polled.Records == 0 {
				s.EmptyPolls++
			}
		}
	case rep.Fault != nil:
		f := r.faults[rep.Stream]
		if f == nil || !f.Disproved.IsZero() {
			if f == nil && len(r.faults) >= maxFaults {
				return
			}
			f = &trouble{Stream: strings.Clone(rep.Stream), Since: now}
			r.faults[f.Stream] = f
		}
		if f.Kind != rep.Fault.Kind {
			f.Times = 0
		}
		f.Kind, f.Lasting, f.Text = rep.Fault.Kind, rep.Fault.Lasting, cut(rep.Fault.Text, 2000)
		f.Tables, f.Last = slices.Clone(rep.Tables), now
		f.Times++
	case rep.Hole != nil && len(r.holes) < 64:
		r.holes = append(r.holes, r.hole(rep, hit, now))
	}
}

// PulseSent notes that a pulse was sent.
func (t *Tracker) PulseSent(p Pulse) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.UserID == "" {
		return
	}
	if !strings.EqualFold(p.UserID, t.canary) {
		t.canary = strings.Clone(p.UserID)
	}
	at := t.service(p.At)
	for _, s := range t.streams {
		if !s.expected || !slices.Contains(p.Tables, s.Table) {
			continue
		}
		s.Every = p.Every
		if s.Every <= 0 {
			s.Every = max(at.Sub(s.PulseAt), time.Minute)
			if s.PulseAt.IsZero() {
				s.Every = time.Hour
			}
		}
		s.PulseAt = at
		if len(s.Pulses) == maxPulses {
			// The oldest says since when, the newest are those that may still come.
			s.Pulses = append(s.Pulses[:1], s.Pulses[2:]...)
		}
		s.Pulses = append(s.Pulses, at)
	}
}

// A move is a stream's change of state, before moves are put together.
type move struct {
	s          *stream
	was        State
	v          verdict
	cause      string
	since      time.Time
	tell, over bool
	dark       span
	lateIn     int
}

// Tick says what has changed. Asking again for the same time gives nothing.
func (t *Tracker) Tick(host time.Time) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Change
	if c, ok := t.host.tick(t, host); ok {
		out = append(out, c)
	}
	now := t.service(host)
	t.grow(now)
	var moves []move
	for _, s := range t.streams {
		if !t.started {
			break // nothing is known of which roads there are
		}
		moves = append(moves, t.apply(s, now)...)
	}
	out = append(out, t.gather(moves, now)...)
	for _, name := range slices.Sorted(maps.Keys(t.roads)) {
		r := t.roads[name]
		out = append(out, r.holes...)
		r.holes = nil
		if c, ok := r.empty(now); ok {
			out = append(out, c)
		}
	}
	out = append(out, t.compareRoads(now)...)
	t.lastTick = now
	return out
}

// grow learns what the time since the last Tick can teach.
func (t *Tracker) grow(now time.Time) {
	if t.aged.IsZero() {
		t.aged = now
	}
	since := now.Sub(t.aged)
	if since < time.Hour {
		since = 0
	} else {
		t.aged = now
	}
	for _, s := range t.streams {
		if since > 0 {
			s.age(since)
		}
		s.refresh()
		settled := now.Add(-min(max(s.p99(), 10*time.Minute), 5*time.Hour))
		s.Habit.learn(seconds(settled)/3600, s.skip)
		s.expire(now)
	}
}

// expire drops pulses that will not come any more, and counts those that did not
// although other records came.
func (s *stream) expire(now time.Time) {
	s.Pulses = slices.DeleteFunc(s.Pulses, func(p time.Time) bool {
		if now.Before(p.Add(2 * s.p99())) {
			return false
		}
		if s.Answered.IsZero() || !s.expected {
			return true // it comes in another table, or by another road
		}
		if !s.NewestEvent.After(p) {
			return false
		}
		if !s.Open && !p.Before(s.LearnFrom) {
			s.Missed++
		}
		return true
	})
}

// apply judges a stream and makes it what it was found to be.
func (t *Tracker) apply(s *stream, now time.Time) []move {
	v := verdict{s.State, "removed", "the road is not asked for this table any more"}
	if s.expected {
		grace := t.resumed
		if !grace.IsZero() {
			grace = grace.Add(max(5*time.Minute, s.p99()))
		}
		v = s.judge(now, grace)
		if !s.steady(v, now) {
			return nil
		}
	} else if s.Open {
		v.state = Warming
	} else {
		return nil
	}
	var out []move
	m := move{s: s, was: s.State, v: v, cause: "road", since: now}
	down := v.state == Silent || v.state == Cut
	turned := v.state != s.State || v.state == Cut && v.reason != s.Reason
	switch {
	case down && !s.Open:
		s.Open, s.Dark, s.Back, s.Clean, s.EmptyPolls, s.LateIn = true, span{From: s.lastGood(v, now)}, time.Time{}, 0, 0, 0
		m.tell, m.since = true, s.Dark.From
	case down:
		m.tell, m.since = v.state == Cut && turned, s.Dark.From
		s.Back, s.Clean, s.EmptyPolls = time.Time{}, 0, 0
	case s.Open && v.state != Late:
		if s.Dark.To = s.Back; s.Back.IsZero() {
			s.Dark.To = now
		}
		m.over, m.dark, m.lateIn = true, s.Dark, s.LateIn
		s.Open, s.LearnFrom = false, s.Dark.To
	case s.Open && s.State == Cut:
		s.Clean, s.EmptyPolls = 0, 0
		if s.Back.IsZero() {
			s.Back = now
		}
	}
	if s.LateTold && v.state != Late {
		s.LateTold = false
		out = append(out, move{s: s, was: m.was, v: v, cause: "late", since: now, over: true})
	}
	if v.state == Late && s.State == Late && !s.Open && !s.LateTold && now.Sub(s.Since) >= max(s.p99(), 10*time.Minute) {
		s.LateTold = true
		out = append(out, move{s: s, was: Late, v: v, cause: "late", since: s.Since, tell: true})
	}
	if turned {
		s.Since = m.since
	}
	s.State, s.Reason, s.Why = v.state, v.reason, v.why
	if turned || m.over {
		out = append(out, m)
	}
	return out
}

// lastGood gives the time up to which events are known to have been shown.
func (s *stream) lastGood(v verdict, now time.Time) time.Time {
	good := s.NewestEvent
	if v.state == Cut {
		// A poll that ended well has shown what the service had by then.
		if polled := s.LastPoll.Add(-s.p99()); !s.LastPoll.IsZero() && polled.After(good) {
			good = polled
		}
		if f := s.road.fault(s, now); good.IsZero() && f != nil {
			good = f.Since
		}
	}
	if good.IsZero() || good.After(now) {
		good = now
	}
	return good
}

// gather puts moves together that people would call one.
func (t *Tracker) gather(moves []move, now time.Time) []Change {
	type key struct {
		road, cause, reason string
		was, is             State
		tell, over          bool
	}
	groups := map[key][]move{}
	var order []key
	for _, m := range moves {
		k := key{m.s.road.Name, m.cause, m.v.reason, m.was, m.v.state, m.tell, m.over}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], m)
	}
	var out []Change
	told := map[string]int{} // the last change that ends a cause of a road
	for _, k := range order {
		c := t.change(groups[k], now)
		if k.over {
			told[k.road+"\x00"+k.cause] = len(out)
		}
		out = append(out, c)
	}
	for at, i := range told {
		name, cause, _ := strings.Cut(at, "\x00")
		still := false
		for _, s := range t.roads[name].tables {
			still = still || cause == "road" && s.Open || cause == "late" && s.LateTold
		}
		out[i].Over, out[i].Tell = !still, !still
	}
	return out
}

// change makes the words of moves of one road.
func (t *Tracker) change(moves []move, now time.Time) Change {
	m := moves[0]
	c := Change{
		At: now, Road: m.s.road.Name, Was: m.was, Is: m.v.state, Since: m.since, Cause: m.cause, Subject: m.s.road.Name,
		Tell: m.tell, Reason: m.v.reason, Lag: m.s.p, Severity: glassward.Low,
	}
	carriers := map[string]bool{}
	for _, m := range moves {
		c.Tables = append(c.Tables, m.s.Table)
		c.LateCount += m.s.LateCount
		if m.since.Before(c.Since) {
			c.Since = m.since
		}
		if m.over && m.cause == "road" {
			c.Intervals = append(c.Intervals, Interval{Table: m.s.Table, From: m.dark.From, To: m.dark.To, Late: m.lateIn})
		}
		shown := false
		for _, s := range t.streams {
			if s.Table == m.s.Table && s.expected && (s.State == Fresh || s.State == Late) {
				shown = true
				if s.road != m.s.road {
					carriers[s.road.Name] = true
				}
			}
		}
		if !shown {
			c.Blind = append(c.Blind, m.s.Table)
		}
	}
	c.Others = slices.Sorted(maps.Keys(carriers))
	// Another table that goes on speaks against a road that is cut.
	alive := slices.ContainsFunc(t.streams, func(s *stream) bool {
		return s.road == m.s.road && s.expected && s.State == Fresh && s.NewestReceived.After(c.Since.Add(2*m.s.p99()))
	})
	switch {
	case m.cause == "late" || m.v.state != Cut && m.v.state != Silent:
	case len(c.Blind) > 0 && (m.v.reason != "habit" || !alive):
		c.Severity = glassward.High
	case len(c.Blind) > 0 || m.v.state == Cut:
		c.Severity = glassward.Medium
	}
	t.describe(&c, m)
	return c
}

// empty says once that a road has given nothing at all since it was switched on.
func (r *road) empty(now time.Time) (Change, bool) {
	if !r.expected || len(r.tables) == 0 {
		return Change{}, false
	}
	began, due := false, true
	var tables []string
	for _, s := range r.t.streams {
		if s.road == r && s.expected {
			began = began || s.Began || s.Reason == licence
			due = due && s.State == Warming && !now.Before(s.WarmUntil) && !now.Before(r.t.resumed.Add(warmUp))
			tables = append(tables, s.Table)
		}
	}
	if len(tables) == 0 {
		return Change{}, false
	}
	c := Change{At: now, Road: r.Name, Tables: tables, Was: Warming, Is: Warming, Since: r.Added, Cause: "empty", Subject: r.Name, Tell: true, Reason: "never", Severity: glassward.Medium}
	switch {
	case due && !began && !r.EmptyTold:
		r.EmptyTold = true
		c.Title = fmt.Sprintf("Road %s has given no record since it was switched on", r.Name)
		c.Detail = fmt.Sprintf("It was switched on at %s, and Microsoft gives a new road up to two days. Its service may answer; records do not come.\nLook whether the diagnostic setting, the subscription or the permission covers these tables: %s.", clock(r.Added), list(tables))
		return c, true
	case began && r.EmptyTold:
		r.EmptyTold = false
		c.Over, c.Title = true, fmt.Sprintf("Road %s gives records", r.Name)
		return c, true
	}
	return Change{}, false
}

// hole makes the change of what a road can never give.
func (r *road) hole(rep Report, hit []*stream, now time.Time) Change {
	c := Change{
		At: now, Road: r.Name, Cause: "hole", Subject: r.Name, Tell: true, Reason: "lost", Since: now, Severity: glassward.High,
		Title: fmt.Sprintf("Road %s has lost records for good", r.Name), Detail: cut(rep.Hole.What, 2000),
	}
	others := map[string]bool{}
	for _, s := range hit {
		c.Tables = append(c.Tables, s.Table)
		c.Was, c.Is = s.State, s.State
		if !rep.Hole.From.IsZero() || !rep.Hole.To.IsZero() {
			c.Intervals = append(c.Intervals, Interval{Table: s.Table, From: rep.Hole.From.UTC(), To: rep.Hole.To.UTC()})
		}
		for _, o := range r.t.streams {
			if o.Table == s.Table && o.road != r && o.expected && (o.State == Fresh || o.State == Late) {
				others[o.road.Name] = true
			}
		}
	}
	if c.Others = slices.Sorted(maps.Keys(others)); len(c.Others) > 0 {
		c.Severity = glassward.Medium
		c.Detail += fmt.Sprintf("\nThe same records may have come by %s.", list(c.Others))
	}
	if !rep.Hole.From.IsZero() {
		c.Detail += fmt.Sprintf("\nMissing: from %s to %s.", clock(rep.Hole.From), clock(rep.Hole.To))
	}
	return c
}

// Late says whether a record came later than the road is known for.
func (t *Tracker) Late(road, table string, event, received time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	lag := received.Add(t.offset).Sub(event)
	if r := t.roads[road]; r != nil {
		if s := r.tables[table]; s != nil {
			return lag > s.p99()
		}
	}
	return lag > prior(Road{Name: road}.Kind(), table).P99
}

// Status says how every road stands with every table, by road and table.
func (t *Tracker) Status(host time.Time) []Stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.service(host)
	var out []Stream
	for _, s := range t.streams {
		if !s.expected {
			continue
		}
		x := Stream{
			Road: s.road.Name, Table: s.Table, State: s.State, Since: s.Since, Why: s.Why,
			NewestEvent: s.NewestEvent, NewestReceived: s.NewestReceived, Lag: s.p, Learned: s.learned,
			Count: s.Count, LateCount: s.LateCount, Backlog: s.Backlog, LastPoll: s.LastPoll, Offset: t.offset,
			Next: s.next(now), Compared: int(s.Met + s.Missing + 0.5), Degraded: s.Degraded,
		}
		if n := s.Met + s.Missing; n > 0 {
			x.Missing = s.Missing / n
		}
		for _, f := range s.road.faults {
			if f.hits(s) && f.Last.After(x.FaultAt) {
				x.LastFault, x.FaultKind, x.FaultAt = f.Text, f.Kind, f.Last
			}
		}
		out = append(out, x)
	}
	return out
}
