package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"glassward/internal/fault"
	"glassward/internal/private"
	"glassward/logstore"
	"glassward/state"
)

// A Source is what a backup is taken of.
type Source struct {
	// Data is the data folder.
	Data string
	// State is the open control store; nil backs up workspaces alone.
	State *state.Store
	// Stores are the open event stores, by tenant.
	Stores map[string]*logstore.Store
	// Program is this program's version.
	Program string
	// between, where it is set, is called when the control store is copied and no
	// event store yet.
	between func()
}

// A Taken says what became of a backup.
type Taken struct {
	// Path is its folder.
	Path     string   `json:"path"`
	Manifest Manifest `json:"manifest"`
	// ManifestSHA256 is the hash of the manifest's file: who keeps it elsewhere
	// can tell a backup from one that somebody changed together with its manifest.
	ManifestSHA256 string `json:"manifestSha256"`
	Bytes          int64  `json:"bytes"`
	// Held is the longest time that intake waited for the backup.
	Held time.Duration `json:"held"`
	Took time.Duration `json:"took"`
}

// Take writes a backup into a folder, which must not exist. The folder gets its
// name when everything in it is durable: one that has the name is whole.
func Take(ctx context.Context, to string, s Source) (_ *Taken, err error) {
	began := time.Now()
	to, err = filepath.Abs(to)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup to %s: %w", to, err)
		}
	}()
	if err := absent(to); err != nil {
		return nil, err
	}
	if inside(to, s.Data) {
		return nil, fmt.Errorf("it would lie in the data folder %s, and go with it: choose another disk", s.Data)
	}
	part, err := os.MkdirTemp(filepath.Dir(to), filepath.Base(to)+".part-*") // its mode is 0700
	if err != nil {
		return nil, fmt.Errorf("the folder above it must be there and writable for the daemon: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	t := &Taken{Path: to, Manifest: Manifest{Format: format, Scope: Workspace, Program: s.Program, Taken: began.UTC().Truncate(time.Second), Workspaces: []Tenant{}}}
	if s.State != nil {
		t.Manifest.Scope = Installation
		c, err := s.State.Backup(ctx, part)
		if err != nil {
			return nil, err
		}
		t.Manifest.State = &c
	}
	if err := fault.Point("backup.take.state"); err != nil {
		return nil, err
	}
	if s.between != nil {
		s.between()
	}
	for tenant, store := range s.Stores {
		dir := workspaceDir(part, tenant)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		c, err := store.Backup(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", tenant, err)
		}
		t.Held = max(t.Held, c.Held)
		t.Manifest.Workspaces = append(t.Manifest.Workspaces, Tenant{Tenant: tenant, Copy: c})
		if err := copyBeside(ctx, workspaceDir(s.Data, tenant), dir); err != nil {
			return nil, err
		}
	}
	if s.State != nil {
		if err := copyBeside(ctx, s.Data, part); err != nil {
			return nil, err
		}
	}
	if err := t.seal(ctx, part); err != nil {
		return nil, err
	}
	if err := absent(to); err != nil {
		return nil, err
	}
	if err := fault.Point("backup.take.before"); err != nil {
		return nil, err
	}
	if err := os.Rename(part, to); err != nil {
		return nil, err
	}
	if err := fault.Point("backup.take.after"); err != nil {
		return nil, err
	}
	t.Took = time.Since(began)
	return t, private.SyncDir(filepath.Dir(to))
}

// seal writes the manifest and makes every name durable.
func (t *Taken) seal(ctx context.Context, part string) error {
	var folders []string
	err := filepath.WalkDir(part, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			folders = append(folders, path)
			return nil
		}
		rel, err := filepath.Rel(part, path)
		if err != nil {
			return err
		}
		f, err := sum(ctx, path)
		if err != nil {
			return err
		}
		f.Path = filepath.ToSlash(rel)
		t.Manifest.Files = append(t.Manifest.Files, f)
		t.Bytes += f.Size
		return nil
	})
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(t.Manifest, "", "  ")
	if err != nil {
		return err
	}
	if err := private.WriteFile(filepath.Join(part, ManifestName), append(text, '\n')); err != nil {
		return err
	}
	f, err := sum(ctx, filepath.Join(part, ManifestName))
	if err != nil {
		return err
	}
	t.ManifestSHA256 = f.SHA256
	for i := len(folders) - 1; i >= 0; i-- {
		if err := private.SyncDir(folders[i]); err != nil {
			return err
		}
	}
	return nil
}

// absent gives an error if something has a name already.
func absent(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%w: nothing is written over; choose another name", fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// inside says whether a path lies in a folder.
func inside(path, dir string) bool {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(abs, path)
	return err == nil && filepath.IsLocal(rel)
}

func workspaceDir(data, tenant string) string { return filepath.Join(data, "workspaces", tenant) }

// ours are the beginnings of the names that the stores themselves copy, or that
// mean something to a running process alone.
var ours = [...]string{"state.db", "state.head", "state.lock", "logs.duckdb", "commits", "lock", "control.sock", "tmp", "workspaces", "restore.", ManifestName}

// copyBeside copies what lies beside a store: keys, rejects, and whatever else is
// kept there. What was damaged and kept aside stays where it is.
func copyBeside(ctx context.Context, from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
next:
	for _, e := range entries {
		name := e.Name()
		for _, begin := range ours {
			if strings.HasPrefix(name, begin) {
				continue next
			}
		}
		if strings.Contains(name, ".damaged-") || strings.Contains(name, ".part") || strings.HasSuffix(name, ".new") {
			continue
		}
		source, target := filepath.Join(from, name), filepath.Join(to, name)
		switch {
		case e.IsDir():
			if err := os.Mkdir(target, 0o700); err != nil {
				return err
			}
			if err := copyBeside(ctx, source, target); err != nil {
				return err
			}
		case e.Type().IsRegular():
			if err := private.Copy(ctx, source, target, -1); errors.Is(err, fs.ErrNotExist) {
				continue // it was taken away meanwhile
			} else if err != nil {
				return err
			}
			if strings.HasSuffix(name, ".jsonl") {
				if err := wholeLines(target); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// wholeLines cuts off a last line that was just being written.
func wholeLines(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	end := info.Size()
	buf := make([]byte, 64<<10)
	for end > 0 {
		n := min(end, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return errors.Join(err, f.Close())
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			end = end - n + int64(i) + 1
			break
		}
		end -= n
	}
	if end < info.Size() {
		err = f.Truncate(end)
	}
	return errors.Join(err, f.Close(), private.Sync(path))
}

// Open opens what a data folder holds, where no daemon runs over it: all of it,
// or one tenant's store. The function that it gives closes it again.
func Open(ctx context.Context, data, tenant, program string) (_ Source, closer func() error, err error) {
	s := Source{Data: data, Stores: map[string]*logstore.Store{}, Program: program}
	closeAll := func() error {
		var errs []error
		for _, store := range s.Stores {
			errs = append(errs, store.Close())
		}
		if s.State != nil {
			errs = append(errs, s.State.Close())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll())
		}
	}()
	var tenants []string
	if tenant != "" {
		tenants = []string{tenant}
	} else {
		if _, err := os.Stat(filepath.Join(data, "state.db")); err != nil {
			return s, nil, fmt.Errorf("%s is no data folder: %w", data, err)
		}
		if s.State, err = state.Open(ctx, data, state.Options{}); err != nil {
			return s, nil, err
		}
		if tenants, err = Tenants(data); err != nil {
			return s, nil, err
		}
	}
	for _, name := range tenants {
		dir := workspaceDir(data, name)
		if _, err := os.Stat(dir); err != nil {
			return s, nil, fmt.Errorf("there is no workspace %s: %w", name, err)
		}
		store, err := logstore.Open(ctx, dir, logstore.Options{})
		if err != nil {
			return s, nil, fmt.Errorf("tenant %s: %w", name, err)
		}
		s.Stores[name] = store
	}
	return s, closeAll, nil
}

// Tenants gives the workspaces that a data folder has.
func Tenants(data string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(data, "workspaces"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.Contains(e.Name(), replacedMark) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
