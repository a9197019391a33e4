package cloud

import (
	"cmp"
	"slices"
	"sort"
	"sync"
	"time"

	"glassward/internal/entrasim"
)

// A seen is an event with the version that Graph shows.
type seen struct {
	event   *entrasim.Event
	version int
}

// A view is what Graph shows of a world: of each event its latest version, by
// kind, in order of time.
type view struct {
	world *entrasim.World
	mu    sync.Mutex
	upTo  time.Time
	at    map[string]*seen
	kinds map[entrasim.Kind][]*seen
}

func newView(w *entrasim.World) *view {
	return &view{world: w, at: map[string]*seen{}, kinds: map[entrasim.Kind][]*seen{}}
}

func inOrder(a, b *seen) int {
	return cmp.Or(a.event.At.Compare(b.event.At), cmp.Compare(a.event.ID, b.event.ID))
}

// refresh takes in what has become visible until now.
func (v *view) refresh(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !now.After(v.upTo) {
		return
	}
	fresh, moved := map[entrasim.Kind]bool{}, map[entrasim.Kind]bool{}
	for _, a := range v.world.Appearances(entrasim.Graph, v.upTo, now) {
		// What the world has not shown yet, because it has not lived until
		// now, comes with the next look.
		k := a.Event.Kind
		if s := v.at[a.Event.ID]; s != nil {
			if s.event != a.Event {
				if a.Event.At.Before(s.event.At) {
					continue // an older state of the same risky user
				}
				*s = seen{a.Event, a.Version}
				moved[k] = true
				continue
			}
			s.version = max(s.version, a.Version)
			continue
		}
		s := &seen{a.Event, a.Version}
		v.at[a.Event.ID] = s
		list := v.kinds[k]
		if n := len(list); n > 0 && inOrder(list[n-1], s) > 0 {
			fresh[k] = true
		}
		v.kinds[k] = append(list, s)
	}
	for k := range v.kinds {
		if fresh[k] || moved[k] {
			slices.SortFunc(v.kinds[k], inOrder)
		}
	}
	v.upTo = earlier(now, v.world.Now())
}

// walk visits what is visible of some kinds in a span of time, both ends
// included, until f says that it is enough.
func (v *view) walk(kinds []entrasim.Kind, from, to time.Time, newest bool, f func(*seen) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []*seen
	for i, k := range kinds {
		list := v.kinds[k]
		a := sort.Search(len(list), func(i int) bool { return !list[i].event.At.Before(from) })
		b := sort.Search(len(list), func(i int) bool { return list[i].event.At.After(to) })
		if b <= a {
			continue
		}
		if list = list[a:b:b]; len(out) == 0 {
			out = list
		} else {
			out = append(out, list...)
		}
		if i > 0 {
			out = slices.Clone(out)
			slices.SortFunc(out, inOrder)
		}
	}
	for i := range out {
		if newest {
			i = len(out) - 1 - i
		}
		if !f(out[i]) {
			return
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
