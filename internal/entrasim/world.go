package entrasim

import (
	"cmp"
	"container/heap"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"
	"time"
)

// Options say what world is made. The zero value of every field but Start is
// usable.
type Options struct {
	// Seed decides everything: the same seed and the same calls give the same
	// ids, moments and bytes, whatever the steps in which the world advances.
	Seed uint64
	// Tenant names the tenant; the zero value is the tenant of the constants.
	Tenant TenantOptions
	// Start is the moment at which life begins.
	Start time.Time
	// Users is the number of people; 200 when zero.
	Users int
	// Rates scale ordinary life; nil is Normal.
	Rates *Rates
	// Late is the share of appearances that come hours late.
	Late float64
	// Repeated is the share of appearances that a road shows again.
	Repeated float64
	// Prompt makes every road show its records within seconds, for a demo.
	Prompt bool
	// Outages are the times at which a road shows nothing.
	Outages []Outage
}

// TenantOptions name a tenant.
type TenantOptions struct{ ID, Name, Domain string }

// An Outage is a time in which a road shows nothing; what would have appeared
// then appears soon after its end. Without To it lasts until Restore.
type Outage struct {
	Road     Road
	From, To time.Time
}

// Rates are the events of ordinary life.
type Rates struct {
	// Interactive and NonInteractive are sign-ins a person and working day.
	Interactive, NonInteractive float64
	// ServicePrincipal and ManagedIdentity are sign-ins an hour of the tenant.
	ServicePrincipal, ManagedIdentity float64
	// Audit, Policy, Provisioning, Risk and CloudApp are events a working day of
	// 200 people; they grow with the number of people. Policy are changes of
	// Conditional Access, which rules report.
	Audit, Policy, Provisioning, Risk, CloudApp float64
}

// Normal is the life of an ordinary office.
func Normal() Rates {
	return Rates{Interactive: 5, NonInteractive: 12, ServicePrincipal: 25, ManagedIdentity: 18, Audit: 70, Policy: 0.6, Provisioning: 12, Risk: 1.5, CloudApp: 60}
}

// Calm is Normal without anything that a rule reports: whatever is reported
// comes from a story.
func Calm() Rates {
	r := Normal()
	r.Policy = 0
	return r
}

// Still is a world in which nothing happens but what stories do.
func Still() Rates { return Rates{} }

// A World is a living tenant: what happens in it, and when which road shows
// it. It is safe for concurrent use.
type World struct {
	o       Options
	rates   Rates
	base    uint64 // the seed and the tenant
	inverse uint32
	slice   time.Duration // what is made at once

	mu  sync.Mutex
	now time.Time
	// The hour that is made next, what will happen and what happened.
	hour    time.Time
	pending pending
	steps   []planned
	played  []Step
	events  []*Event
	made    int // events and steps planned so far, for order

	roads [Activity + 1]roadState

	special      []*User
	byKey        map[string]*User
	changed      map[int]*User
	applications []*Application
	principals   []*ServicePrincipal
	reviews      []review
	groups       []*collection
	units        []*collection
	policies     []*policy
	assignments  []roleAssignment
	passkeys     []string // models that the passkey profile takes; nil for all
	oldPasskeys  bool     // v1.0 shows no passkey profiles
	plans        map[Plan]bool
	diagnostics  bool
	azure        []resource
	azureRoles   []azureRole
	classes      map[string]class // of operations.txt, by name
}

// An Appearance is the moment at which a road shows a version of an event.
type Appearance struct {
	Event   *Event
	Version int
	At      time.Time

	order int
}

type class struct {
	list []operation
	sum  float64
}

// operations gives the operations of a class with the sum of their weights.
func (w *World) operations(name string) ([]operation, float64) {
	c := w.classes[name]
	return c.list, c.sum
}

type planned struct {
	at    time.Time
	order int
	do    func(*World)
}

// pending are events that will happen, by time and then by the order in which
// they were made.
type pending []*Event

// Len, Less, Swap, Push and Pop are those of a heap.
func (p pending) Len() int { return len(p) }
func (p pending) Less(i, j int) bool {
	return cmp.Or(p[i].At.Compare(p[j].At), p[i].order-p[j].order) < 0
}
func (p pending) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push is of a heap.
func (p *pending) Push(x any) { *p = append(*p, x.(*Event)) }

// Pop is of a heap.
func (p *pending) Pop() any {
	old := *p
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*p = old[:len(old)-1]
	return x
}

// NewWorld makes a world that has not lived yet.
func NewWorld(o Options) *World {
	if o.Tenant.ID == "" {
		o.Tenant = TenantOptions{TenantID, TenantName, Domain}
	}
	if o.Users == 0 {
		o.Users = 200
	}
	o.Start = o.Start.UTC()
	w := &World{o: o, rates: Normal(), now: o.Start, hour: o.Start.Truncate(time.Hour), slice: sliceOf(o.Users)}
	if o.Rates != nil {
		w.rates = *o.Rates
	}
	for r := range w.roads {
		w.roads[r].back = backWithin
		if o.Prompt {
			w.roads[r].back = promptBack
		}
	}
	for _, out := range o.Outages {
		w.roads[out.Road].outages = append(w.roads[out.Road].outages, out)
	}
	w.classes = map[string]class{}
	for _, name := range []string{"life", "policy"} {
		list, sum := readOperations(name)
		w.classes[name] = class{list, sum}
	}
	w.populate()
	return w
}

// Tenant tells whose world it is.
func (w *World) Tenant() TenantOptions { return w.o.Tenant }

// Now is the moment until which the world has lived.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Advance lets the world live until to. Going back does nothing.
func (w *World) Advance(to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	to = to.UTC()
	for {
		// The hour that holds the next moment has to be made before it is lived.
		next := to
		if len(w.steps) > 0 && w.steps[0].at.Before(next) {
			next = w.steps[0].at
		}
		for !w.hour.After(next) {
			for _, e := range w.ordinary(w.hour) {
				if !e.At.Before(w.o.Start) {
					w.plan(e)
				}
			}
			w.hour = w.hour.Add(w.slice)
		}
		for len(w.pending) > 0 && !w.pending[0].At.After(next) {
			w.happen(heap.Pop(&w.pending).(*Event))
		}
		if len(w.steps) == 0 || w.steps[0].at.After(to) {
			break
		}
		s := w.steps[0]
		w.steps = w.steps[1:]
		if w.now.Before(s.at) {
			w.now = s.at
		}
		s.do(w)
	}
	if w.now.Before(to) {
		w.now = to
	}
	for r := range w.roads {
		w.roads[r].show(w.now)
	}
}

// plan lets an event happen at its time, at the earliest after now.
func (w *World) plan(e *Event) {
	w.made++
	e.order = w.made
	heap.Push(&w.pending, e)
}

// happen makes an event part of the truth and plans its appearances.
func (w *World) happen(e *Event) {
	e.order = len(w.events)
	w.events = append(w.events, e)
	if w.now.Before(e.At) {
		w.now = e.At
	}
	for r := Graph; r <= Activity; r++ {
		if !e.On(r) || !w.diagnostics && r != Graph && r != Activity {
			continue
		}
		w.appear(e, r)
	}
}

// Appearances gives what a road shows after one moment and up to another, in
// order of time, then of creation. Nothing appears that lies beyond Now.
func (w *World) Appearances(r Road, after, upTo time.Time) []Appearance {
	w.mu.Lock()
	defer w.mu.Unlock()
	shown := w.roads[r].shown
	from := sort.Search(len(shown), func(i int) bool { return shown[i].At.After(after) })
	to := sort.Search(len(shown), func(i int) bool { return shown[i].At.After(upTo) })
	if to <= from {
		return nil
	}
	return slices.Clone(shown[from:to])
}

// Settled is the last moment at which some road shows something of what has
// happened so far.
func (w *World) Settled() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.now
	for r := range w.roads {
		for _, list := range [][]Appearance{w.roads[r].future, w.roads[r].held} {
			for _, a := range list {
				if at := w.roads[r].after(a.At, a.Event.ID); at.After(last) && at.Before(never) {
					last = at
				}
			}
		}
	}
	return last
}

// Events gives all that has happened so far, in order of time.
func (w *World) Events() []*Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// Quiet ends ordinary life from the next hour on; stories and what is on its
// way go on.
func (w *World) Quiet() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rates = Rates{}
}

// Forget lets go of events and appearances before a moment, so that a world can
// live for months in bounded memory.
func (w *World) Forget(before time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := sort.Search(len(w.events), func(i int) bool { return !w.events[i].At.Before(before) })
	w.events = slices.Clone(w.events[n:])
	w.played = slices.DeleteFunc(w.played, func(s Step) bool { return s.At.Before(before) })
	for r := range w.roads {
		shown := w.roads[r].shown
		n := sort.Search(len(shown), func(i int) bool { return !shown[i].At.Before(before) })
		w.roads[r].shown = slices.Clone(shown[n:])
	}
}

// Live gives the ordinary life of a time without keeping any of it, for
// tenants whose week fits into no memory. The events are those that Advance
// makes of the same hours.
func (w *World) Live(from, to time.Time) iter.Seq[*Event] {
	return func(yield func(*Event) bool) {
		var open []*Event
		for h := from.UTC().Truncate(time.Hour); h.Before(to); h = h.Add(w.slice) {
			w.mu.Lock()
			open = append(open, w.ordinary(h)...)
			w.mu.Unlock()
			slices.SortStableFunc(open, func(a, b *Event) int { return a.At.Compare(b.At) })
			// What runs over into the next hour waits for it.
			n := sort.Search(len(open), func(i int) bool { return !open[i].At.Before(h.Add(w.slice)) })
			for _, e := range open[:n] {
				if e.At.Before(from) || !e.At.Before(to) {
					continue
				}
				if !yield(e) {
					return
				}
			}
			open = slices.Clone(open[n:])
		}
	}
}

// A dice gives the chances of one thing: the same for the same thing.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))} }

func (d dice) guid() string          { return guid(d.Uint64(), d.Uint64()) }
func (d dice) chance(p float64) bool { return d.Float64() < p }
func pick[T any](d dice, list []T) T { return list[d.IntN(len(list))] }
func (d dice) within(t time.Duration) time.Duration {
	return time.Duration(d.Int64N(int64(t)/100)) * 100 // Entra counts in 100 nanoseconds
}

// poisson draws how many times something happens that is expected mean times.
func (d dice) poisson(mean float64) int {
	if mean <= 0 {
		return 0
	}
	if mean > 60 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*d.NormFloat64())))
	}
	n, p, limit := 0, d.Float64(), math.Exp(-mean)
	for p > limit {
		p *= d.Float64()
		n++
	}
	return n
}
