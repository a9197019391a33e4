package daemon

import (
	"context"
	"slices"
	"sync"
	"time"

	"glassward/incident"
)

const (
	// retellEvery is how often faults are told again that could not be committed.
	retellEvery = 5 * time.Second
	// untoldAtMost bounds how many wait: a store that takes nothing for so long has
	// other alarms.
	untoldAtMost = 10_000
)

// An untold is a fault of our own that the control store did not take yet.
type untold struct {
	tenant string
	fault  incident.Health
}

// about names what it is about: what is told of one thing is told in its order.
func (u untold) about() [3]string { return [3]string{u.tenant, string(u.fault.Cause), u.fault.Subject} }

// A backlog holds the faults that wait to be told.
type backlog struct {
	mu   sync.Mutex
	list []untold
	more chan struct{} // has a word when the list begins
}

func newBacklog() *backlog { return &backlog{more: make(chan struct{}, 1)} }

// waits says whether something about the same thing waits.
func (b *backlog) waits(u untold) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.list, func(x untold) bool { return x.about() == u.about() })
}

// add has a fault told later. It says whether there was room.
func (b *backlog) add(u untold) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) >= untoldAtMost {
		return false
	}
	b.list = append(b.list, u)
	select {
	case b.more <- struct{}{}:
	default:
	}
	return true
}

// drain tells what waits, in its order, and keeps what is not taken. It says
// whether anything is left.
func (b *backlog) drain(tell func(untold) error) bool {
	b.mu.Lock()
	list := slices.Clone(b.list)
	b.mu.Unlock()
	failed := map[[3]string]bool{}
	var left []untold
	for _, u := range list {
		if failed[u.about()] || tell(u) != nil {
			failed[u.about()] = true
			left = append(left, u)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(left, b.list[len(list):]...)
	return len(b.list) > 0
}

// retell tells what could not be told, until ctx ends.
func (d *Daemon) retell(ctx context.Context) {
	tell := func(u untold) error { return d.report(context.WithoutCancel(ctx), u.tenant, u.fault) }
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.untold.more:
		}
		for {
			select {
			case <-ctx.Done():
				d.untold.drain(tell)
				return
			case <-time.After(retellEvery):
			}
			if !d.untold.drain(tell) {
				break
			}
		}
	}
}
