package daemon

import (
	"context"
	"fmt"
)

// Running gives a channel that is closed when every workspace has started: from
// then on the daemon watches, and can be reloaded.
func (d *Daemon) Running() <-chan struct{} { return d.running }

// Alive says whether the daemon can do what an alarm needs of it: read its
// configuration and its control store. A service manager's watchdog asks, with a
// bound on the time that an answer may take.
func (d *Daemon) Alive(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() {
		d.mu.RLock()
		defer d.mu.RUnlock()
		_, err := d.state.Stats(ctx)
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the daemon does not answer itself: %w", context.Cause(ctx))
	}
}
