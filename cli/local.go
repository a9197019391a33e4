package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"glassward"
	"glassward/daemon"
	"glassward/ingest"
	"glassward/logstore"
)

// workspaceOf gives the workspace in a data folder that a name means when no
// daemon runs: that folder, or the only one there is, or "default" in a folder
// that has none yet.
func workspaceOf(data, tenant string) (string, error) {
	if tenant != "" && tenant != "default" {
		return strings.ToLower(tenant), nil
	}
	entries, err := os.ReadDir(filepath.Join(data, "workspaces"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	switch len(names) {
	case 0:
		return "default", nil
	case 1:
		return names[0], nil
	}
	return "", usagef("%s has several workspaces: say which with --tenant (%s)", data, strings.Join(names, ", "))
}

// openStore opens a workspace's store without a daemon.
func openStore(ctx context.Context, data, tenant string) (*logstore.Store, string, error) {
	name, err := workspaceOf(data, tenant)
	if err != nil {
		return nil, "", err
	}
	dir := daemon.WorkspaceDir(data, name)
	store, err := logstore.Open(ctx, dir, logstore.Options{})
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
	rejects                   []ingest.Reject
}

// readFiles decodes files into a store; what is rejected is collected.
func (a *app) readFiles(ctx context.Context, store *logstore.Store, files []string, table, tenant string, into *reading) error {
	for _, f := range files {
		if err := a.readFile(ctx, store, f, table, tenant, into); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	return nil
}

func (a *app) readFile(ctx context.Context, store *logstore.Store, path, table, tenant string, into *reading) error {
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
		into.rejects = append(into.rejects, b.Rejects...)
		if len(b.Records) == 0 {
			return nil
		}
		c, err := store.Append(ctx, logstore.Batch{Records: b.Records})
		into.added += c.Added
		into.updated += c.Updated
		into.duplicate += c.Duplicates
		into.conflicts += len(c.Conflicts)
		into.last = max(into.last, c.LastSeq)
		return err
	})
	into.sum.Add(stream.Summary())
	return err
}
