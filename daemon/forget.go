package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"

	"glassward/console"
	"glassward/logstore"
	"glassward/state"
)

// Forgotten says what Forget removed, and what remains.
type Forgotten struct {
	Tenant string `json:"tenant"`
	// Folder is the workspace's folder that was removed, empty if there was none.
	Folder string `json:"folder,omitempty"`
	state.Forgotten
}

// Forget removes the workspace of a tenant that nobody watches any more, and what
// the control store keeps of it. It can be done again where it was interrupted.
// A store that somebody has open is left alone.
func Forget(ctx context.Context, data, tenant string, control *state.Store, by string) (Forgotten, error) {
	f := Forgotten{Tenant: tenant}
	id, err := Kept(data, tenant)
	switch {
	case errors.Is(err, console.ErrNoSuch):
		// The folder is gone, what the control store keeps may not be.
	case err != nil:
		return f, err
	default:
		dir := WorkspaceDir(data, id)
		if err := free(ctx, dir); err != nil {
			return f, err
		}
		if err := os.RemoveAll(dir); err != nil {
			return f, fmt.Errorf("remove the workspace: %w; run it again", err)
		}
		f.Folder = dir
	}
	f.Forgotten, err = control.Forget(ctx, tenant, by)
	return f, err
}

// free gives an error if somebody has the store in a folder open. One that is
// damaged is free: it is to be removed.
func free(ctx context.Context, dir string) error {
	store, err := logstore.Open(ctx, dir, logstore.Options{Threads: 1, Memory: idleMemory})
	var locked *logstore.LockedError
	if errors.As(err, &locked) {
		return err
	}
	if err != nil {
		return nil
	}
	return store.Close()
}

// Forget removes what is kept of a tenant that the configuration does not name.
func (o operator) Forget(ctx context.Context, tenant, who string) (any, error) {
	d := o.d
	// No reload opens it meanwhile.
	d.reload.Lock()
	defer d.reload.Unlock()
	d.mu.RLock()
	t, configured := d.config.Tenant(tenant)
	d.mu.RUnlock()
	if configured || d.isWatched(tenant) {
		return nil, fmt.Errorf("%w: tenant %s is watched: remove its file and reload first", console.ErrInvalid, t.Name)
	}
	f, err := Forget(ctx, d.o.Config.Data, tenant, d.state, who)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", console.ErrInvalid, err)
	}
	d.mu.Lock()
	delete(d.former, tenant)
	c, problems := d.config, d.problems
	d.mu.Unlock()
	d.keepFormer(ctx, c, problems)
	d.audit(deed{operation: "remove a tenant's data", via: who, target: tenant, detail: fmt.Sprintf("%+v", f.Forgotten), result: "success"})
	d.log.Warn("what was kept of a tenant was removed", "tenant", tenant, "folder", f.Folder)
	return f, nil
}
