package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"glassward/backup"
	"glassward/console"
	"glassward/logstore"
	"glassward/rule"
)

// A Compacted says what a compaction gained in one workspace.
type Compacted struct {
	Tenant string `json:"tenant"`
	// Before and After are bytes of the file.
	Before int64 `json:"before"`
	After  int64 `json:"after"`
}

// Backup writes a backup of everything, or of one workspace, while it all goes
// on.
func (o operator) Backup(ctx context.Context, b console.Backup, who string) (any, error) {
	d := o.d
	if !filepath.IsAbs(b.To) {
		return nil, fmt.Errorf("%w: the daemon has another working folder than you: give the whole path, not %q", console.ErrInvalid, b.To)
	}
	s := backup.Source{Data: d.o.Config.Data, Stores: map[string]*logstore.Store{}, Program: d.o.Version}
	if b.Tenant == "" {
		s.State = d.state
	}
	for _, w := range d.open() {
		if id := w.tenantID(); b.Tenant == "" || id == b.Tenant {
			s.Stores[id] = w.store
		}
	}
	if b.Tenant != "" && len(s.Stores) == 0 {
		return nil, fmt.Errorf("workspace %s %w", b.Tenant, console.ErrNoSuch)
	}
	// Workspaces that no tenant file names any more are kept too; nobody writes to
	// them, so that their stores can be opened for it.
	extra, err := d.idle(ctx, s.Stores, b.Tenant)
	if err != nil {
		return nil, err
	}
	taken, err := backup.Take(ctx, b.To, s)
	for _, store := range extra {
		err = errors.Join(err, store.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", console.ErrInvalid, err)
	}
	d.audit(deed{tenant: b.Tenant, operation: "backup", via: who, target: b.To, detail: "manifest " + taken.ManifestSHA256, result: "success"})
	d.log.Info("backup", "to", b.To, "bytes", taken.Bytes, "took", taken.Took, "intake waited at most", taken.Held)
	return taken, nil
}

// idle opens the stores in the data folder that no workspace has, and adds them.
func (d *Daemon) idle(ctx context.Context, into map[string]*logstore.Store, tenant string) (opened []*logstore.Store, err error) {
	if tenant != "" {
		return nil, nil
	}
	names, err := backup.Tenants(d.o.Config.Data)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if into[name] != nil {
			continue
		}
		store, err := logstore.Open(ctx, WorkspaceDir(d.o.Config.Data, name), logstore.Options{Threads: 1, Memory: 512 << 20})
		if err != nil {
			for _, s := range opened {
				err = errors.Join(err, s.Close())
			}
			return nil, fmt.Errorf("workspace %s, which no tenant file names: %w", name, err)
		}
		opened, into[name] = append(opened, store), store
	}
	return opened, nil
}

// Compact gives the space of removed records back to the disk, one workspace
// after the other. Each waits while it is copied.
func (o operator) Compact(ctx context.Context, tenant, who string) (any, error) {
	out := []Compacted{}
	for _, w := range o.d.open() {
		id := w.tenantID()
		if tenant != "" && id != tenant {
			continue
		}
		before, after, err := w.store.Compact(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w: tenant %s: %w", console.ErrInvalid, id, err)
		}
		out = append(out, Compacted{id, before, after})
		o.d.audit(deed{tenant: id, operation: "compact", via: who, target: id, detail: fmt.Sprintf("%d bytes before, %d after", before, after), result: "success"})
	}
	if tenant != "" && len(out) == 0 {
		return nil, fmt.Errorf("workspace %s %w", tenant, console.ErrNoSuch)
	}
	return out, nil
}

// Restore puts one workspace back from a backup while the others go on. The
// workspace itself is away for the moment between the two folders.
func (o operator) Restore(ctx context.Context, r console.Restore, who string) (any, error) {
	d := o.d
	if !filepath.IsAbs(r.From) {
		return nil, fmt.Errorf("%w: the daemon has another working folder than you: give the whole path, not %q", console.ErrInvalid, r.From)
	}
	if r.Tenant == "" {
		return nil, fmt.Errorf("%w: while the daemon runs, one workspace is restored at a time: say which with --tenant; a whole installation is restored into an empty data folder, without a daemon", console.ErrInvalid)
	}
	// No reload opens or closes workspaces meanwhile.
	d.reload.Lock()
	defer d.reload.Unlock()
	d.mu.RLock()
	config, rules := d.config, d.rules
	d.mu.RUnlock()
	tenant, ok := config.Tenant(r.Tenant)
	if !ok {
		return nil, fmt.Errorf("workspace %s %w", r.Tenant, console.ErrNoSuch)
	}
	staged, err := backup.Stage(ctx, r.From, backup.Target{
		Data: d.o.Config.Data, Tenant: r.Tenant, Replace: r.Replace, State: d.state, Judged: rule.Judged, Program: d.o.Version, Now: d.now,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", console.ErrInvalid, err)
	}
	// From here on the way leads back to an open workspace, whoever asked may have
	// gone away.
	ctx = context.WithoutCancel(ctx)
	// One whose store cannot be opened is there to be replaced all the same.
	if w, ok := d.workspace(tenant.ID); ok {
		if err := w.close(); err != nil {
			d.log.Error("a workspace that is being replaced did not close well", "tenant", r.Tenant, "error", err)
		}
	}
	restored, failed := staged.Commit(ctx)
	if failed != nil {
		failed = errors.Join(failed, staged.Discard())
	}
	again, err := d.openWorkspace(ctx, tenant, config, rules)
	if err != nil {
		// A workspace that is not there judges nothing: that must not go on quietly.
		err = errors.Join(failed, err)
		d.log.Error("a workspace could not be opened again after a restore", "tenant", r.Tenant, "error", err)
		d.mu.Lock()
		delete(d.workspaces, tenant.ID)
		d.mu.Unlock()
		d.setShut(tenant, err)
		d.tellShut(ctx, tenant)
		return nil, fmt.Errorf("%w: %w", console.ErrInvalid, err)
	}
	d.admit(ctx, tenant, again, config)
	if failed != nil {
		return nil, fmt.Errorf("%w: the workspace is as it was: %w", console.ErrInvalid, failed)
	}
	d.audit(deed{tenant: tenant.ID, operation: "restore", via: who, target: r.From, result: "success"})
	d.log.Warn("a workspace was restored from a backup", "tenant", tenant.Name, "taken", restored.Manifest.Taken, "aside", restored.Aside)
	return restored, nil
}
