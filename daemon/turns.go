package daemon

import (
	"context"
	"slices"
	"sync"
)

// turns decides whose batch is taken in next. A few batches are under way at
// once; of the tenants that wait, each has one batch taken before any has its
// second. So a tenant in flood delays the others by the batches under way, and
// not by those that it has waiting.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting map[string][]chan struct{}
	order   []string // tenants that wait, who is next first
}

func newTurns(atOnce int) *turns {
	return &turns{free: max(1, atOnce), waiting: map[string][]chan struct{}{}}
}

// take waits for a turn of the tenant; done has to be called when the batch is
// durable. The error is ctx's.
func (t *turns) take(ctx context.Context, tenant string) (done func(), err error) {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return t.done, nil
	}
	turn := make(chan struct{})
	if len(t.waiting[tenant]) == 0 {
		t.order = append(t.order, tenant)
	}
	t.waiting[tenant] = append(t.waiting[tenant], turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return t.done, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting[tenant], turn)
	if i < 0 {
		// The turn came at the same moment: it goes on to the next.
		t.next()
		return nil, ctx.Err()
	}
	t.waiting[tenant] = slices.Delete(t.waiting[tenant], i, i+1)
	if len(t.waiting[tenant]) == 0 {
		delete(t.waiting, tenant)
		t.order = slices.DeleteFunc(t.order, func(x string) bool { return x == tenant })
	}
	return nil, ctx.Err()
}

func (t *turns) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next()
}

// next gives a free turn to who waits, or keeps it.
func (t *turns) next() {
	if len(t.order) == 0 {
		t.free++
		return
	}
	tenant := t.order[0]
	t.order = t.order[1:]
	queue := t.waiting[tenant]
	close(queue[0])
	if queue = queue[1:]; len(queue) == 0 {
		delete(t.waiting, tenant)
		return
	}
	t.waiting[tenant] = queue
	t.order = append(t.order, tenant)
}
