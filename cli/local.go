package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"glassward"
	"glassward/config"
	"glassward/daemon"
	"glassward/ingest"
	"glassward/logstore"
)

// workspaceOf gives the workspace in a data folder that a name means when no
// daemon runs: that folder, or the tenant's whom the configuration of this folder
// calls so, or the only one there is, or "default" in a folder that has none yet.
func workspaceOf(data, tenant string) (string, error) {
	if tenant != "" && tenant != "default" {
		if _, err := os.Stat(daemon.WorkspaceDir(data, strings.ToLower(tenant))); err != nil {
			if c, _ := config.Load("glassward.yaml"); c != nil && sameFolder(c.Data, data) {
				if t, ok := c.Tenant(tenant); ok {
					return t.ID, nil
				}
			}
		}
		return strings.ToLower(tenant), nil
	}
	names, err := workspacesIn(data)
	if err != nil {
		return "", err
	}
	switch len(names) {
	case 0:
		return "default", nil
	case 1:
		return names[0], nil
	}
	return "", usagef("%s has several workspaces: say which with --tenant (%s)", data, strings.Join(names, ", "))
}

// workspacesIn names the workspaces of a data folder.
func workspacesIn(data string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(data, "workspaces"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// tenantFor finds what a configuration says of the workspace that records are
// taken into: its name, which a folder must have to be watched, and the accounts
// whose records are kept byte for byte. Without a configuration it has to be an
// id, or a workspace that is there.
func (a *app) tenantFor(file string, given bool, data, tenant string) (name string, accounts []string, err error) {
	var c *config.Config
	if _, gone := os.Stat(file); gone == nil || given {
		var problems []config.Problem
		if c, problems = config.Load(file); c == nil {
			a.printProblems(problems)
			return "", nil, errors.New("the configuration cannot be used")
		}
		if !given && !sameFolder(c.Data, data) {
			c = nil // it is about another installation
		}
	}
	if c != nil && tenant == "" && len(c.Each) == 1 {
		tenant = c.Each[0].ID
	}
	if c != nil {
		if t, ok := c.Tenant(tenant); ok {
			return t.ID, t.Watched(), nil
		}
	}
	if name, err = workspaceOf(data, tenant); err != nil || name == "default" {
		return name, nil, err
	}
	if c != nil {
		if t, ok := c.Tenant(name); ok {
			return t.ID, t.Watched(), nil
		}
	}
	_, gone := os.Stat(daemon.WorkspaceDir(data, name))
	if config.CheckName(name) == nil && gone != nil {
		// A name that is no id and no folder: nobody would ever look there.
		return "", nil, hint(fmt.Errorf("no workspace is called %s", name), "give the tenant's id, or the configuration that knows the name with --config")
	}
	return name, nil, nil
}

// sameFolder says whether two paths are one folder.
func sameFolder(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	if err == nil && err2 == nil {
		return os.SameFile(x, y)
	}
	p, err := filepath.Abs(a)
	q, err2 := filepath.Abs(b)
	return err == nil && err2 == nil && p == q
}

// errNoWorkspace says that a data folder has no such workspace.
var errNoWorkspace = errors.New("no such workspace")

// openStore opens a workspace's store that is there, without a daemon.
func openStore(ctx context.Context, data, tenant string) (*logstore.Store, string, error) {
	const fill = "glassward ingest fills a data folder, --data names it; query --from asks files without one"
	if _, err := os.Stat(data); err != nil {
		return nil, "", hint(fmt.Errorf("%w: %w", errNoWorkspace, err), fill)
	}
	name, err := workspaceOf(data, tenant)
	if err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(daemon.WorkspaceDir(data, name)); errors.Is(err, os.ErrNotExist) {
		there, err := workspacesIn(data)
		if err != nil {
			return nil, "", err
		}
		if len(there) == 0 {
			return nil, "", hint(fmt.Errorf("%w: %s has none", errNoWorkspace, data), fill)
		}
		return nil, "", hint(fmt.Errorf("%w: %s has none that is called %s", errNoWorkspace, data, name), "there are: %s", strings.Join(there, ", "))
	}
	return openWatching(ctx, data, name, nil)
}

// openWatching opens a workspace's store that keeps the bytes of records which
// name one of the accounts.
func openWatching(ctx context.Context, data, name string, accounts []string) (*logstore.Store, string, error) {
	dir := daemon.WorkspaceDir(data, name)
	store, err := logstore.Open(ctx, dir, logstore.Options{Watch: accounts})
	var locked *logstore.LockedError
	if errors.As(err, &locked) {
		return nil, "", hint(err, "another glassward has this folder open; if it is glassward serve, name its data folder with --data")
	}
	return store, name, err
}

// filesOf gives the files that patterns mean, in their order; "-" is standard
// input.
func filesOf(patterns []string) ([]string, error) {
	var files []string
	for _, p := range patterns {
		if p == "-" {
			files = append(files, p)
			continue
		}
		info, err := os.Stat(p)
		if err == nil && !info.IsDir() {
			files = append(files, p)
			continue
		}
		if err == nil {
			return nil, hint(usagef("%s is a folder", p), "name its files, e.g. '%s'", filepath.Join(p, "*.json"))
		}
		found, bad := filepath.Glob(p)
		if bad != nil {
			return nil, usagef("%s: %v", p, bad)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: no such file", p)
		}
		files = append(files, found...)
	}
	return files, nil
}

// reading is what reading files has given.
type reading struct {
	sum                       ingest.Summary
	added, updated, duplicate int
	conflicts                 int
	last                      int64 // sequence number of the newest record
	// rejects are the first that were not understood, for showing; keep, where it
	// is set, gets all of them.
	rejects []ingest.Reject
	keep    func([]ingest.Reject) error
}

// maxShown is how many rejects a reading remembers for showing.
const maxShown = 100

func (r *reading) reject(list []ingest.Reject) error {
	r.rejects = append(r.rejects, list[:min(len(list), maxShown-len(r.rejects))]...)
	if r.keep == nil || len(list) == 0 {
		return nil
	}
	return r.keep(list)
}

func (r *reading) committed(c logstore.Committed) {
	r.added += c.Added
	r.updated += c.Updated
	r.duplicate += c.Duplicates
	r.conflicts += len(c.Conflicts)
	r.last = max(r.last, c.LastSeq)
}

// sayRejects shows a few of those that were not understood.
func (a *app) sayRejects(r reading) {
	const shown = 10
	for i, x := range r.rejects {
		if i == shown {
			a.say("… and %d more were not understood", r.sum.Rejected-shown)
			return
		}
		a.say("%s:%d: not understood: %s", line(strings.TrimPrefix(x.Source, "file:")), x.Line, line(x.Reason))
	}
}

// readFiles loads files into a store. A load is committed by large blocks, and
// all of it when readFiles returns without an error; after an error the same
// files can be read again, for what is there already adds nothing.
func (a *app) readFiles(ctx context.Context, store *logstore.Store, files []string, table, tenant string, into *reading) error {
	load := store.Load()
	for _, f := range files {
		if err := a.readFile(ctx, load, f, table, tenant, into); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", f, err), load.Flush(ctx))
		}
	}
	return load.Flush(ctx)
}

func (a *app) readFile(ctx context.Context, load *logstore.Loader, path, table, tenant string, into *reading) error {
	r := a.Stdin
	name := "stdin"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return errors.Unwrap(err)
		}
		defer f.Close()
		r, name = f, "file:"+path
	}
	meter := a.meter(path, r)
	defer meter.done()
	stream := ingest.NewStream(name, meter, ingest.DecoderOptions{Source: name, Provenance: glassward.File, Table: table, Tenant: tenant})
	err := stream.Run(ctx, nil, func(ctx context.Context, b *ingest.Batch, _ *ingest.Cursor) error {
		if err := into.reject(b.Rejects); err != nil {
			return err
		}
		if len(b.Records) == 0 {
			return nil
		}
		c, err := load.Add(ctx, logstore.Batch{Records: b.Records})
		into.committed(c)
		return err
	})
	into.sum.Add(stream.Summary())
	return err
}
