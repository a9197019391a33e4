package logstore

import (
	"context"
	"sync"
	"time"
)

// A calm is a moment in which no query runs. The engine's checkpoint waits for
// whoever is scanning a table, and every commit waits for the checkpoint: one
// long query would hold up an alarm for as long as it takes. So checkpoints are
// made when it is calm.
type calm struct {
	mu      sync.Mutex
	running int
	// waits, if not nil, is closed when no query runs any more; held, if not nil,
	// is closed when people's queries may begin again.
	waits, held chan struct{}
}

// begin counts a query in. People's queries, and transforms, wait while they are
// held back; rules do not. The error is that of ctx.
func (c *calm) begin(ctx context.Context, class Class) error {
	c.mu.Lock()
	for class != Rules && c.held != nil {
		held := c.held
		c.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		c.mu.Lock()
	}
	c.running++
	c.mu.Unlock()
	return nil
}

// end counts a query out.
func (c *calm) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running--; c.running == 0 && c.waits != nil {
		close(c.waits)
		c.waits = nil
	}
}

// now says whether it is one.
func (c *calm) now() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running == 0
}

// hold keeps people's queries from beginning and waits, at most for so long, until
// those that run have ended. It says whether they have; release lets the others
// begin.
func (c *calm) hold(patience time.Duration) (release func(), ok bool) {
	c.mu.Lock()
	held := make(chan struct{})
	release = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.held = nil
		close(held)
	}
	if c.running == 0 {
		c.held = held
		c.mu.Unlock()
		return release, true
	}
	if patience <= 0 {
		c.mu.Unlock()
		return func() {}, false
	}
	c.held = held
	waits := make(chan struct{})
	c.waits = waits
	c.mu.Unlock()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-waits:
		return release, true
	case <-limit.C:
	}
	c.mu.Lock()
	c.waits = nil
	c.mu.Unlock()
	return release, false
}
