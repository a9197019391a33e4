package logstore

import (
	"fmt"
	"sync"
	"time"
)

// The engine keeps to its memory_limit with what it takes from its own buffers. It takes more from the system without
// counting it: the state of quantiles, and the texts that functions of Go give. A few lines of a query are enough to
// fill the machine with those. So what the process really has is looked at while queries run.

// growthEvery is how often that is.
const growthEvery = 2 * time.Millisecond

// A growth stops queries when the process has grown by more than a bound since the first of them began. Nobody can say
// which of them takes the memory: the youngest has to go, people's before rules', and the others only if that is not enough.
type growth struct {
	bound    int64
	resident func() int64 // bytes that the process has, 0 where the system does not say

	mu      sync.Mutex
	base    int64
	running []*grower // the oldest first
	stopped *grower   // is told to stop and has not yet
	looking bool      // look comes soon
}

// A grower is a query that runs.
type grower struct {
	class Class
	stop  func(error)
}

// watch looks at the process until the function that it gives is called; stop ends the query.
func (g *growth) watch(class Class, stop func(error)) (release func()) {
	q := &grower{class, stop}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.running) == 0 {
		g.base = g.resident()
	}
	if !g.looking && g.base > 0 {
		g.looking = true
		time.AfterFunc(growthEvery, g.look)
	}
	g.running = append(g.running, q)
	return func() { g.leave(q) }
}

func (g *growth) leave(q *grower) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, r := range g.running {
		if r == q {
			g.running = append(g.running[:i], g.running[i+1:]...)
			break
		}
	}
	if g.stopped == q {
		// What the system has not got back yet is not the others' doing.
		g.stopped, g.base = nil, g.resident()
	}
}

// look stops a query if the process has grown too much, and looks again later while there are queries.
func (g *growth) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.looking = len(g.running) > 0; !g.looking {
		return
	}
	time.AfterFunc(growthEvery, g.look)
	now := g.resident()
	if g.stopped != nil || now-g.base <= g.bound {
		return
	}
	q := g.running[len(g.running)-1]
	for i := len(g.running) - 1; i >= 0 && q.class != Interactive; i-- {
		if g.running[i].class == Interactive {
			q = g.running[i]
		}
	}
	g.stopped = q
	q.stop(&MemoryError{fmt.Errorf("the process grew by %d MiB while it ran", (now-g.base)>>20)})
}
