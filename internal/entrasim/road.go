package entrasim

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"
)

// A Road is a way on which records reach a reader.
type Road uint8

// The roads.
const (
	// Graph is Microsoft Graph.
	Graph Road = iota
	// EventHub, Storage and Workspace are what diagnostic settings feed.
	EventHub
	Storage
	Workspace
	// Activity is the Office 365 Management Activity API.
	Activity
)

// String names the road.
func (r Road) String() string {
	return [...]string{"graph", "eventhub", "storage", "workspace", "activity"}[r]
}

// A lag is how long a road takes: the median, the factor between it and the
// 84th percentile, and the least.
type lag struct {
	median, least time.Duration
	spread        float64
}

// lagOf says how long a road takes for a kind. The figures are those that have
// been published or seen: Graph 2 and 5 minutes at 95 and 99 percent with tails
// of ten and more, risk 15 minutes on average and 2 hours at most, resource logs
// 3 to 10 minutes, the activity feed 60 to 90 minutes without a limit.
func lagOf(r Road, k Kind) lag {
	risk := k == RiskDetection || k == RiskyUser
	switch r {
	case Graph:
		if risk {
			return lag{12 * time.Minute, 5 * time.Minute, 1.9}
		}
		return lag{50 * time.Second, 15 * time.Second, 1.75}
	case Activity:
		return lag{28 * time.Minute, 4 * time.Minute, 2.1}
	case Workspace:
		return lag{5 * time.Minute, 2 * time.Minute, 1.6}
	}
	if risk {
		return lag{15 * time.Minute, 5 * time.Minute, 1.9}
	}
	return lag{4 * time.Minute, 90 * time.Second, 1.6}
}

// A roadState is what a road has shown and what it will show.
type roadState struct {
	outages []Outage
	back    time.Duration // in which what an outage held back comes after it
	future  future
	held    []Appearance // due, and looked at by show
	shown   []Appearance
	seen    time.Time
}

// future are appearances to come, by time and then by creation.
type future []Appearance

func before(a, b Appearance) int {
	return cmp.Or(a.At.Compare(b.At), a.order-b.order, a.Version-b.Version)
}

// Len, Less and Swap are of a heap.
func (f future) Len() int           { return len(f) }
func (f future) Less(i, j int) bool { return before(f[i], f[j]) < 0 }
func (f future) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }

// Push is of a heap.
func (f *future) Push(x any) { *f = append(*f, x.(Appearance)) }

// Pop is of a heap.
func (f *future) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}

// What stood still in an outage comes so soon after its end.
const (
	backWithin = 5 * time.Minute
	promptBack = 2 * time.Second
)

// never is the end of an outage that nobody has ended yet.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// after moves a moment out of the outages: what stands still in one comes soon
// after it, in an order of its own.
func (s *roadState) after(at time.Time, id string) time.Time {
	for moved := true; moved; {
		moved = false
		for _, o := range s.outages {
			switch {
			case at.Before(o.From):
			case o.To.IsZero():
				return never
			case at.Before(o.To):
				at = o.To.Add(time.Duration(hashText(7, id)%uint64(s.back/100)) * 100)
				moved = true
			}
		}
	}
	return at
}

// show makes what is due visible. What an outage holds back is looked at each
// time, because the outage may have been ended meanwhile.
func (s *roadState) show(now time.Time) {
	for len(s.future) > 0 && !s.future[0].At.After(now) {
		s.held = append(s.held, heap.Pop(&s.future).(Appearance))
	}
	begin := len(s.shown)
	s.held = slices.DeleteFunc(s.held, func(a Appearance) bool {
		at := s.after(a.At, a.Event.ID)
		if at.After(now) {
			return false
		}
		if !at.After(s.seen) {
			at = s.seen.Add(100) // what readers have already passed stays as it was
		}
		a.At = at
		s.shown = append(s.shown, a)
		return true
	})
	slices.SortFunc(s.shown[begin:], before)
	s.seen = now
}

// appear plans when a road shows an event.
func (w *World) appear(e *Event, r Road) {
	for _, a := range w.Shown(e, r) {
		if !a.At.After(w.now) {
			a.At = w.now.Add(100).Truncate(100)
		}
		heap.Push(&w.roads[r].future, a)
	}
}

// Shown gives when a road that has no outages shows an event: its first version, a
// fuller one where there is one, and perhaps the same once more. It is always the
// same for the same event.
func (w *World) Shown(e *Event, r Road) []Appearance {
	d := newDice(hashText(w.base+uint64(r), e.Key(), "lag"))
	var out []Appearance
	take := func() time.Duration {
		if w.o.Prompt {
			return 500*time.Millisecond + d.within(2500*time.Millisecond)
		}
		l := lagOf(r, e.Kind)
		t := time.Duration(float64(l.median) * math.Pow(l.spread, d.NormFloat64()))
		if d.chance(0.004) { // the tail
			t += 10*time.Minute + d.within(2*time.Hour)
		}
		return max(t, l.least)
	}
	add := func(version int, at time.Time) {
		out = append(out, Appearance{Event: e, Version: version, At: at.Truncate(100), order: e.order})
	}
	first := e.At.Add(take())
	if w.o.Late > 0 && d.chance(w.o.Late) {
		first = first.Add(time.Hour + time.Duration(float64(29*time.Hour)*d.Float64()*d.Float64()))
	}
	add(1, first)
	last, version := first, 1
	if e.Versions() > 1 && r != Activity {
		version = 2
		last = first.Add(4*time.Minute + d.within(80*time.Minute))
		if w.o.Prompt {
			last = first.Add(5 * time.Second)
		}
		if !last.After(e.fuller) {
			last = e.fuller.Add(take())
		}
		add(2, last)
	}
	if w.o.Repeated > 0 && d.chance(w.o.Repeated) {
		wait := time.Minute + d.within(6*time.Hour)
		if r == Activity && d.chance(0.2) {
			wait = 24*time.Hour + d.within(96*time.Hour)
		}
		add(version, last.Add(wait))
	}
	return out
}

// Cut adds an outage, also while the world lives; what has been shown stays
// shown.
func (w *World) Cut(o Outage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.roads[o.Road].outages = append(w.roads[o.Road].outages, o)
}

// Restore ends the outages of a road at a moment, also those without an end.
func (w *World) Restore(r Road, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restore(r, at)
}

func (w *World) restore(r Road, at time.Time) {
	for i := range w.roads[r].outages {
		if o := &w.roads[r].outages[i]; o.To.IsZero() || o.To.After(at) {
			o.To = at
		}
	}
}
