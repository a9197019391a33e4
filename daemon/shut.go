package daemon

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"glassward/config"
	"glassward/console"
	"glassward/incident"
	"glassward/ingest"
	"glassward/rule"
)

// A shut workspace is one whose store cannot be opened: damaged beyond what may
// be mended unasked, held by another process, on a disk that fails. Its tenant is
// not watched, which is an alarm of that tenant. The others are.
type shut struct {
	err   error
	since time.Time
}

// openAtOnce is how many stores are opened side by side: opening one waits for
// the disk and then for a processor.
const openAtOnce = 4

// openAll opens the workspaces of every tenant. Those that cannot be opened are
// shut; if that is all of them nothing could be watched, which is an error.
func (d *Daemon) openAll(ctx context.Context, c *config.Config) error {
	opened := make([]*workspace, len(c.Each))
	faults := make([]error, len(c.Each))
	var group errgroup.Group
	group.SetLimit(max(openAtOnce, runtime.GOMAXPROCS(0)))
	for i, t := range c.Each {
		group.Go(func() error {
			opened[i], faults[i] = d.tryToOpen(ctx, t, c, d.rules)
			return nil
		})
	}
	_ = group.Wait() // each error stands in faults
	for i, t := range c.Each {
		if faults[i] == nil {
			d.workspaces[t.ID] = opened[i]
		}
	}
	if len(c.Each) > 0 && len(d.workspaces) == 0 || ctx.Err() != nil {
		return errors.Join(faults...)
	}
	for i, t := range c.Each {
		if faults[i] != nil {
			d.setShut(t, faults[i])
		}
	}
	return nil
}

// tryToOpen opens a workspace; a panic on the way is why it cannot be opened.
func (d *Daemon) tryToOpen(ctx context.Context, t config.Tenant, c *config.Config, rules *rule.Set) (w *workspace, err error) {
	err = ingest.Guard(func() (err error) {
		w, err = d.openWorkspace(ctx, t, c, rules)
		return err
	})
	if defect := (*ingest.PanicError)(nil); errors.As(err, &defect) {
		d.log.Error("opening a workspace panicked; this is a defect of ours", "tenant", t.Name, "panic", defect.Value, "stack", string(defect.Stack))
	}
	return w, err
}

func (d *Daemon) setShut(t config.Tenant, err error) {
	d.log.Error("a tenant is not watched: its event store cannot be opened", "tenant", t.Name, "error", err)
	d.mu.Lock()
	defer d.mu.Unlock()
	since := d.now()
	if before, ok := d.shut[t.ID]; ok {
		since = before.since
	}
	d.shut[t.ID] = shut{err, since}
}

func (d *Daemon) isShut(tenant string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, ok := d.shut[tenant]
	return ok
}

// find gives a tenant's workspace. Of one that is shut the caller is asked to
// come again: it may be well by then.
func (d *Daemon) find(tenant string) (*workspace, error) {
	if w, ok := d.workspace(tenant); ok {
		return w, nil
	}
	if d.isShut(tenant) {
		return nil, shutError{}
	}
	return nil, fmt.Errorf("%w: %s holds no records", console.ErrNoSuch, tenant)
}

// A shutError is what callers get of a workspace that is shut.
type shutError struct{}

func (shutError) Error() string {
	return "the event store of this tenant cannot be opened at present; glassward status says why"
}

// Unwrap makes it an error after which a caller comes again.
func (shutError) Unwrap() error { return console.ErrBusy }

// reopened forgets what was shut and is open now or no longer configured, and
// gives the tenants that are open. mu is held.
func (d *Daemon) reopened(c *config.Config) (back []config.Tenant) {
	for id := range d.shut {
		t, configured := c.Tenant(id)
		if d.workspaces[id] != nil && configured {
			back = append(back, t)
		}
		if d.workspaces[id] != nil || !configured {
			delete(d.shut, id)
		}
	}
	return back
}

// admit takes a workspace up that was opened again, and says so to whoever was told
// that it was shut.
func (d *Daemon) admit(ctx context.Context, t config.Tenant, w *workspace, c *config.Config) {
	d.mu.Lock()
	d.workspaces[t.ID] = w
	back := d.reopened(c)
	d.mu.Unlock()
	w.start(d.run)
	d.tellOpen(ctx, back)
}

// tellShut makes an alarm of a tenant that is not watched.
func (d *Daemon) tellShut(ctx context.Context, t config.Tenant) {
	d.mu.RLock()
	x, ok := d.shut[t.ID]
	d.mu.RUnlock()
	if !ok {
		return
	}
	d.tell(ctx, t.ID, incident.Health{
		Cause: "workspace", Subject: t.ID, Title: fmt.Sprintf("Tenant %s is not watched: its event store cannot be opened", t.Name),
		Detail: x.err.Error() + "\nThe other tenants are watched. It is tried again by itself; what the roads bring meanwhile is read from the cursors then.",
		Since:  x.since,
	})
}

// tellOpen ends what tellShut began.
func (d *Daemon) tellOpen(ctx context.Context, back []config.Tenant) {
	for _, t := range back {
		d.tell(ctx, t.ID, incident.Health{
			Cause: "workspace", Subject: t.ID, Title: fmt.Sprintf("Tenant %s is watched again: its event store is open", t.Name), Over: true,
		})
	}
}

// How long a shut workspace rests between two attempts to open it.
const (
	reopenAfter   = 5 * time.Second
	reopenAtLeast = 5 * time.Minute
)

// reopen tries again and again to open what is shut.
func (d *Daemon) reopen(ctx context.Context) {
	wait := reopenAfter
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if d.reopenOnce(ctx) {
			wait = min(2*wait, reopenAtLeast)
		} else {
			wait = reopenAfter
		}
	}
}

// reopenOnce tries each shut workspace once. It says whether one is still shut.
func (d *Daemon) reopenOnce(ctx context.Context) (still bool) {
	d.mu.RLock()
	none := len(d.shut) == 0
	d.mu.RUnlock()
	if none {
		return false
	}
	d.reload.Lock()
	defer d.reload.Unlock()
	d.mu.RLock()
	c, rules := d.config, d.rules
	list := slices.DeleteFunc(slices.Clone(c.Each), func(t config.Tenant) bool { _, ok := d.shut[t.ID]; return !ok })
	d.mu.RUnlock()
	for _, t := range list {
		if ctx.Err() != nil {
			return true
		}
		w, err := d.tryToOpen(ctx, t, c, rules)
		if err != nil {
			d.setShut(t, err)
			still = true
			continue
		}
		d.admit(ctx, t, w, c)
		d.log.Info("a tenant is watched again", "tenant", t.Name)
	}
	return still
}
