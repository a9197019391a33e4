package entra

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Pace is how many requests may be made in how much time. It is kept exactly: in
// no span of Per are there more than Requests. The zero Pace means the one that
// suits the service.
type Pace struct {
	Requests int
	Per      time.Duration
}

// A Priority says who goes first when requests wait for the pace.
type Priority uint8

// The priorities. Normal is what a context without a priority has.
const (
	Normal Priority = iota
	Urgent          // declared accounts
	Bulk            // back-fill
)

type priorityKey struct{}

// WithPriority marks what is asked with this context. Urgent requests go before
// normal ones and those before bulk; bulk leaves one place of the pace free, so
// that an urgent request does not find it used up.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

// priorityOf reads the mark, as the index of a queue: 0 goes first.
func priorityOf(ctx context.Context) int {
	switch p, _ := ctx.Value(priorityKey{}).(Priority); p {
	case Urgent:
		return 0
	case Bulk:
		return 2
	}
	return 1
}

// A lane is a set of requests that a service counts together. Its places are
// taken when a request is sent, whatever becomes of it, because services count
// what they refuse. It keeps time by the time package, so that a host clock that
// is set does not disturb it.
type lane struct {
	pace Pace

	mu     sync.Mutex
	sent   []time.Time // the last pace.Requests that were let go, oldest first
	gate   time.Time   // nobody goes before
	misses int         // refusals in a row
	queues [3][]*waiter
	timer  *time.Timer
}

type waiter struct {
	ready chan struct{}
	gone  bool // let go
}

// wait returns when a request may be sent.
func (l *lane) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{ready: make(chan struct{})}
	q := priorityOf(ctx)
	l.mu.Lock()
	l.queues[q] = append(l.queues[q], w)
	l.dispatch()
	l.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.gone {
		return nil // it has its place already; the request itself will find the context ended
	}
	l.queues[q] = slices.DeleteFunc(l.queues[q], func(x *waiter) bool { return x == w })
	l.dispatch()
	return ctx.Err()
}

// dispatch lets go whoever may, and sets the timer for who may next.
func (l *lane) dispatch() {
	for {
		q := slices.IndexFunc(l.queues[:], func(ws []*waiter) bool { return len(ws) > 0 })
		if q < 0 {
			if l.timer != nil {
				l.timer.Stop()
			}
			return
		}
		now := time.Now()
		if at := l.next(q, now); at.After(now) {
			if l.timer == nil {
				l.timer = time.AfterFunc(at.Sub(now), func() {
					l.mu.Lock()
					defer l.mu.Unlock()
					l.dispatch()
				})
			} else {
				l.timer.Reset(at.Sub(now))
			}
			return
		}
		w := l.queues[q][0]
		l.queues[q] = l.queues[q][1:]
		if len(l.sent) == l.pace.Requests {
			l.sent = slices.Delete(l.sent, 0, 1)
		}
		l.sent = append(l.sent, now)
		w.gone = true
		close(w.ready)
	}
}

// next says when the head of a queue may go.
func (l *lane) next(q int, now time.Time) time.Time {
	at := now
	if l.gate.After(at) {
		at = l.gate
	}
	places := l.pace.Requests
	if q == 2 && places > 1 {
		places--
	}
	if n := len(l.sent); n >= places {
		if free := l.sent[n-places].Add(l.pace.Per); free.After(at) {
			at = free
		}
	}
	return at
}

// refused closes the lane for as long as the service asked, or, where it did not
// say, for longer each time; it gives how long that is.
func (l *lane) refused(asked time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	// Requests that were on their way together are refused together: once is what
	// counts.
	together := l.gate.After(now)
	if asked <= 0 && together {
		return l.gate.Sub(now)
	}
	if asked <= 0 {
		asked = pause(firstPause, longestPause, l.misses)
	}
	if !together {
		l.misses++
	}
	if until := now.Add(asked); until.After(l.gate) {
		l.gate = until
	}
	return asked
}

// accepted forgets the refusals.
func (l *lane) accepted() {
	l.mu.Lock()
	l.misses = 0
	l.mu.Unlock()
}
