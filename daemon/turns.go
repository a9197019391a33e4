package daemon

import (
	"context"
	"slices"
	"sync"
)

// turns decides whose batch is taken in next. A few batches are under way at
// once; of the tenants that wait, each has one batch taken before any has its
// second, and the last free turn is for a tenant that has none under way. So a
// tenant in flood delays the others by the share of the machine that its batches
// under way have, and not by those that it has waiting.
type turns struct {
	mu      sync.Mutex
	free    int
	holding map[string]int // batches under way, by tenant
	waiting map[string][]chan struct{}
	order   []string // tenants that wait, who is next first
}

func newTurns(atOnce int) *turns {
	return &turns{free: max(2, atOnce), holding: map[string]int{}, waiting: map[string][]chan struct{}{}}
}

// may says whether a tenant may have a turn now; mu is held.
func (t *turns) may(tenant string) bool {
	return t.free > 1 || t.free == 1 && t.holding[tenant] == 0
}

// take waits for a turn of the tenant; done has to be called when the batch is
// durable. The error is ctx's.
func (t *turns) take(ctx context.Context, tenant string) (done func(), err error) {
	done = func() { t.done(tenant) }
	t.mu.Lock()
	// Whoever comes does not pass those of its own that wait; others wait only
	// where it may not go either.
	if len(t.waiting[tenant]) == 0 && t.may(tenant) {
		t.free--
		t.holding[tenant]++
		t.mu.Unlock()
		return done, nil
	}
	turn := make(chan struct{})
	if len(t.waiting[tenant]) == 0 {
		t.order = append(t.order, tenant)
	}
	t.waiting[tenant] = append(t.waiting[tenant], turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return done, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting[tenant], turn)
	if i < 0 {
		// The turn came at the same moment: it goes on to the next.
		t.release(tenant)
		return nil, ctx.Err()
	}
	t.waiting[tenant] = slices.Delete(t.waiting[tenant], i, i+1)
	if len(t.waiting[tenant]) == 0 {
		delete(t.waiting, tenant)
		t.order = slices.DeleteFunc(t.order, func(x string) bool { return x == tenant })
	}
	return nil, ctx.Err()
}

func (t *turns) done(tenant string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.release(tenant)
}

// release takes a turn back and gives what is free to those who wait; mu is held.
func (t *turns) release(tenant string) {
	t.free++
	if t.holding[tenant]--; t.holding[tenant] == 0 {
		delete(t.holding, tenant)
	}
	for t.next() {
	}
}

// next gives one free turn to the first who may have it.
func (t *turns) next() bool {
	i := slices.IndexFunc(t.order, t.may)
	if i < 0 {
		return false
	}
	tenant := t.order[i]
	t.order = slices.Delete(t.order, i, i+1)
	t.free--
	t.holding[tenant]++
	queue := t.waiting[tenant]
	close(queue[0])
	if queue = queue[1:]; len(queue) == 0 {
		delete(t.waiting, tenant)
	} else {
		t.waiting[tenant] = queue
		t.order = append(t.order, tenant)
	}
	return true
}
