package limit

import (
	"context"
	"slices"
	"sync"
)

// places lets so many queries work at once. Of the callers that wait, each has one before
// any has its second, and the last free place is for a caller that has none.
type places struct {
	mu      sync.Mutex
	free    int
	holding map[string]int
	waiting map[string][]*waiter
	order   []string // callers that wait, who is next first
}

// A waiter is a query that waits: ready is closed when it has its place.
type waiter struct{ ready chan struct{} }

// newPlaces makes at least two places: of one there would be none to keep free.
func newPlaces(n int) *places {
	return &places{free: max(2, n), holding: map[string]int{}, waiting: map[string][]*waiter{}}
}

// may says whether a caller may have a place now; mu is held.
func (p *places) may(who string) bool {
	return p.free > 1 || p.free == 1 && p.holding[who] == 0
}

// take waits for a place; leave gives it back and may be called once. The error is ctx's.
func (p *places) take(ctx context.Context, who string) (leave func(), err error) {
	leave = func() { p.leave(who) }
	p.mu.Lock()
	// Whoever comes does not pass its own that wait; others wait only where it may not
	// go either.
	if len(p.waiting[who]) == 0 {
		if p.may(who) {
			p.free--
			p.holding[who]++
			p.mu.Unlock()
			return leave, nil
		}
		p.order = append(p.order, who)
	}
	w := &waiter{make(chan struct{})}
	p.waiting[who] = append(p.waiting[who], w)
	p.mu.Unlock()
	select {
	case <-w.ready:
		return leave, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	i := slices.Index(p.waiting[who], w)
	if i >= 0 {
		p.waiting[who] = slices.Delete(p.waiting[who], i, i+1)
		if len(p.waiting[who]) == 0 {
			delete(p.waiting, who)
			p.order = slices.DeleteFunc(p.order, func(x string) bool { return x == who })
		}
	}
	p.mu.Unlock()
	if i < 0 {
		leave() // the place came at the same moment: it goes on to the next
	}
	return nil, context.Cause(ctx)
}

func (p *places) leave(who string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free++
	if p.holding[who]--; p.holding[who] == 0 {
		delete(p.holding, who)
	}
	for p.next() {
	}
}

// next gives a free place to the first who may have it; mu is held.
func (p *places) next() bool {
	i := slices.IndexFunc(p.order, p.may)
	if i < 0 {
		return false
	}
	who := p.order[i]
	p.order = slices.Delete(p.order, i, i+1)
	p.free--
	p.holding[who]++
	queue := p.waiting[who]
	close(queue[0].ready)
	if queue = queue[1:]; len(queue) == 0 {
		delete(p.waiting, who)
	} else {
		p.waiting[who] = queue
		p.order = append(p.order, who)
	}
	return true
}
