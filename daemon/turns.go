package daemon

import (
	"context"
	"slices"
	"sync"
)

// turns decides whose batch is taken in next. A few turns are under way at once; of
// the tenants that wait, each has one before any has its second, and the last free
// turn is for a tenant that has none. So a tenant in flood delays the others by the
// share of the machine that its turns under way have, and not by what it has waiting.
//
// Small batches of a tenant share a turn: its store commits together what waits, and
// a commit costs by the tables that it touches more than by its records.
type turns struct {
	mu      sync.Mutex
	free    int
	holding map[string]int   // turns under way, by tenant
	newest  map[string]*turn // that a tenant's next batch may share
	waiting map[string][]*waiter
	order   []string // tenants that wait, who is next first
}

// turnRecords is how many records the batches of one turn have together at most,
// unless a single one has more. Those that are durable already count: a turn ends.
const turnRecords = 1000

// A turn is what batches of one tenant hold while they are taken in.
type turn struct {
	tenant           string
	batches, records int
}

// A waiter is a batch that waits; turn is there when ready is closed.
type waiter struct {
	records int
	turn    *turn
	ready   chan struct{}
}

func newTurns(atOnce int) *turns {
	return &turns{free: max(2, atOnce), holding: map[string]int{}, newest: map[string]*turn{}, waiting: map[string][]*waiter{}}
}

// may says whether a tenant may have a turn now; mu is held.
func (t *turns) may(tenant string) bool {
	return t.free > 1 || t.free == 1 && t.holding[tenant] == 0
}

// begin gives a tenant a turn; mu is held.
func (t *turns) begin(tenant string) {
	t.free--
	t.holding[tenant]++
	t.newest[tenant] = &turn{tenant: tenant}
}

// join puts a batch into its tenant's newest turn, nil if there is none or it is full;
// mu is held.
func (t *turns) join(tenant string, records int) *turn {
	n := t.newest[tenant]
	if n == nil || n.batches > 0 && n.records+records > turnRecords {
		return nil
	}
	n.batches++
	n.records += records
	return n
}

// take waits for a turn of the tenant for a batch of so many records; done has to be
// called when the batch is durable. The error is ctx's.
func (t *turns) take(ctx context.Context, tenant string, records int) (done func(), err error) {
	t.mu.Lock()
	// Whoever comes does not pass those of its own that wait; others wait only
	// where it may not go either.
	if len(t.waiting[tenant]) == 0 {
		n := t.join(tenant, records)
		if n == nil && t.may(tenant) {
			t.begin(tenant)
			n = t.join(tenant, records)
		}
		if n != nil {
			t.mu.Unlock()
			return func() { t.done(n) }, nil
		}
		t.order = append(t.order, tenant)
	}
	w := &waiter{records: records, ready: make(chan struct{})}
	t.waiting[tenant] = append(t.waiting[tenant], w)
	t.mu.Unlock()
	select {
	case <-w.ready:
		return func() { t.done(w.turn) }, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting[tenant], w)
	if i < 0 {
		// The turn came at the same moment: it goes on to the next.
		t.release(w.turn)
		return nil, ctx.Err()
	}
	t.waiting[tenant] = slices.Delete(t.waiting[tenant], i, i+1)
	if len(t.waiting[tenant]) == 0 {
		delete(t.waiting, tenant)
		t.order = slices.DeleteFunc(t.order, func(x string) bool { return x == tenant })
	}
	return nil, ctx.Err()
}

func (t *turns) done(n *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.release(n)
}

// release takes a batch's part of a turn back, and with the last the turn, and gives
// what is free to those who wait; mu is held.
func (t *turns) release(n *turn) {
	if n.batches--; n.batches > 0 {
		return
	}
	t.free++
	if t.newest[n.tenant] == n {
		delete(t.newest, n.tenant)
	}
	if t.holding[n.tenant]--; t.holding[n.tenant] == 0 {
		delete(t.holding, n.tenant)
	}
	for t.next() {
	}
}

// next gives one free turn to the first who may have it, for as many of its batches
// as fit.
func (t *turns) next() bool {
	i := slices.IndexFunc(t.order, t.may)
	if i < 0 {
		return false
	}
	tenant := t.order[i]
	t.order = slices.Delete(t.order, i, i+1)
	t.begin(tenant)
	queue := t.waiting[tenant]
	for len(queue) > 0 {
		n := t.join(tenant, queue[0].records)
		if n == nil {
			break
		}
		queue[0].turn = n
		close(queue[0].ready)
		queue = queue[1:]
	}
	if len(queue) == 0 {
		delete(t.waiting, tenant)
	} else {
		t.waiting[tenant] = queue
		t.order = append(t.order, tenant)
	}
	return true
}
