package backup

import (
	"context"
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

// A restore is staged in the data folder under the first name. When everything in
// it is durable and has been opened once, it gets the second: from then on it
// only has to be moved into place, and Finish does that if a crash came between.
const (
	partName  = "restore.part"
	readyName = "restore.ready"
)

// asideName is a file in what is ready, which names the workspace that has to be
// put aside, and how.
const asideName = "restore.aside"

// replacedMark stands in the name of a workspace's folder that a restore has put
// aside.
const replacedMark = ".replaced-"

// A Target is where a backup is restored to.
type Target struct {
	// Data is the data folder. A whole installation wants one that is absent or
	// empty.
	Data string
	// Tenant restores one workspace alone, also from the backup of a whole
	// installation.
	Tenant string
	// Replace puts a workspace that is there aside. Without it nothing is replaced.
	Replace bool
	// State is the open control store of the data folder, nil where none is there
	// or the backup brings it.
	State *state.Store
	// Judged gives the sequence number up to which a rule's stored watermark says
	// that it has judged.
	Judged  func(mark []byte) (int64, error)
	Program string
	Now     func() time.Time
}

// A Restored says what was put in place.
type Restored struct {
	Manifest Manifest `json:"manifest"`
	// Tenants are the workspaces that were restored, Aside the folders of those
	// that were there before.
	Tenants []string `json:"tenants"`
	Aside   []string `json:"aside,omitempty"`
}

// A Staged is a backup that has been checked and copied into the data folder, and
// opened there once, and is not yet in place.
type Staged struct {
	target   Target
	manifest *Manifest
	tenants  []Tenant
}

// Stage verifies a backup against its manifest before it writes anything, copies
// it beside what is there, opens the copies, and leaves the rest to Commit.
func Stage(ctx context.Context, from string, to Target) (_ *Staged, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("restore %s: %w", from, err)
		}
	}()
	if from, err = filepath.EvalSymlinks(from); err != nil {
		return nil, err
	}
	if inside(absolute(from), to.Data) {
		return nil, fmt.Errorf("the backup lies in the data folder itself: move it elsewhere first")
	}
	m, err := Verify(ctx, from)
	if err != nil {
		return nil, err
	}
	s := &Staged{target: to, manifest: m, tenants: m.Workspaces}
	if err := s.fits(); err != nil {
		return nil, err
	}
	part := filepath.Join(to.Data, partName)
	if err := errors.Join(private.MkdirAll(to.Data), os.RemoveAll(part)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	if err := s.copy(ctx, from, part); err != nil {
		return nil, err
	}
	if err := s.open(ctx, part); err != nil {
		return nil, err
	}
	return s, fault.Point("backup.restore.staged")
}

// fits says whether the backup can go where it shall.
func (s *Staged) fits() error {
	to := s.target
	if to.Tenant == "" && s.manifest.Scope == Workspace {
		to.Tenant = s.manifest.Workspaces[0].Tenant
		s.target.Tenant = to.Tenant
	}
	if to.Tenant == "" {
		entries, err := os.ReadDir(to.Data)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if name := e.Name(); name != partName && name != "lost+found" {
				return fmt.Errorf("%s is not empty (it has %s): nothing is written over; move it away, or restore one workspace with --tenant", to.Data, name)
			}
		}
		return nil
	}
	t, ok := s.manifest.tenant(to.Tenant)
	if !ok {
		return fmt.Errorf("it holds no workspace %s", to.Tenant)
	}
	s.tenants = []Tenant{t}
	if _, err := os.Stat(filepath.Join(workspaceDir(to.Data, t.Tenant), "logs.duckdb")); err == nil && !to.Replace {
		return fmt.Errorf("%s has a workspace %s: nothing is written over; with --replace it is put aside", to.Data, t.Tenant)
	}
	return nil
}

// copy copies the files that are wanted, and compares what it wrote.
func (s *Staged) copy(ctx context.Context, from, part string) error {
	for _, f := range s.manifest.Files {
		if s.target.Tenant != "" && !strings.HasPrefix(f.Path, "workspaces/"+s.tenants[0].Tenant+"/") {
			continue
		}
		path := filepath.Join(part, filepath.FromSlash(f.Path))
		if err := private.MkdirAll(filepath.Dir(path)); err != nil {
			return err
		}
		if err := private.Copy(ctx, filepath.Join(from, filepath.FromSlash(f.Path)), path, -1); err != nil {
			return err
		}
		if have, err := sum(ctx, path); err != nil {
			return err
		} else if have.SHA256 != f.SHA256 {
			return fmt.Errorf("%s changed while it was copied", f.Path)
		}
	}
	return nil
}

// open opens the copies once, which brings older ones up to date, and writes down
// that they were restored.
func (s *Staged) open(ctx context.Context, part string) error {
	for _, t := range s.tenants {
		floor, err := s.judged(ctx, t.Tenant)
		if err != nil {
			return err
		}
		store, err := logstore.Open(ctx, workspaceDir(part, t.Tenant), logstore.Options{Threads: 1, Memory: 512 << 20})
		if err != nil {
			return fmt.Errorf("tenant %s: %w", t.Tenant, err)
		}
		seq, err := store.LastSeq(ctx)
		if err == nil && seq != t.LastSeq {
			err = fmt.Errorf("the store ends at record %d, and the manifest says %d", seq, t.LastSeq)
		}
		if err == nil {
			// Rules of this installation may have judged records that the backup has not:
			// what comes now must not get their numbers, or nobody would judge it.
			err = store.RaiseFloor(ctx, floor)
		}
		if err = errors.Join(err, store.Close()); err != nil {
			return fmt.Errorf("tenant %s: %w", t.Tenant, err)
		}
	}
	if s.target.Tenant != "" {
		return nil
	}
	control, err := state.Open(ctx, part, state.Options{})
	if err != nil {
		return err
	}
	return errors.Join(s.note(ctx, control), control.Close())
}

// judged gives the number of the last record that any rule of the data folder has
// judged in a workspace.
func (s *Staged) judged(ctx context.Context, tenant string) (int64, error) {
	if s.target.Tenant == "" || s.target.State == nil {
		return 0, nil
	}
	marks, err := s.target.State.Marks(ctx, tenant)
	if err != nil {
		return 0, err
	}
	var last int64
	for rule, mark := range marks {
		seq, err := s.target.Judged(mark)
		if err != nil {
			return 0, fmt.Errorf("the watermark of rule %s: %w", rule, err)
		}
		last = max(last, seq)
	}
	return last, nil
}

// note writes down in a journal that a backup was restored: from here on nobody
// can take the store for one that never lost a day.
func (s *Staged) note(ctx context.Context, control *state.Store) error {
	tenants := []string{}
	for _, t := range s.tenants {
		tenants = append(tenants, t.Tenant)
	}
	return control.Record(ctx, "restore", s.target.Tenant, map[string]any{
		"taken": s.manifest.Taken, "madeBy": s.manifest.Program, "restoredBy": s.target.Program, "tenants": tenants,
	})
}

// Commit puts a staged backup in place. Stores that it replaces must be closed.
func (s *Staged) Commit(ctx context.Context) (*Restored, error) {
	out := &Restored{Manifest: *s.manifest}
	data := s.target.Data
	for _, t := range s.tenants {
		out.Tenants = append(out.Tenants, t.Tenant)
	}
	if s.target.Tenant != "" && s.target.State != nil {
		if err := s.note(ctx, s.target.State); err != nil {
			return nil, err
		}
	}
	if s.target.Tenant != "" && s.target.Replace {
		aside, err := s.askAside()
		if err != nil {
			return nil, err
		}
		out.Aside = aside
	}
	if err := syncTree(filepath.Join(data, partName)); err != nil {
		return nil, err
	}
	if err := fault.Point("backup.restore.before"); err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(data, partName), filepath.Join(data, readyName)); err != nil {
		return nil, err
	}
	if err := private.SyncDir(data); err != nil {
		return nil, err
	}
	if err := fault.Point("backup.restore.after"); err != nil {
		return nil, err
	}
	return out, Finish(data)
}

// Discard removes what was staged.
func (s *Staged) Discard() error { return os.RemoveAll(filepath.Join(s.target.Data, partName)) }

// askAside has Finish put the workspace that is there aside, and gives where. What
// is to be done lies with what is ready: a crash in between neither forgets nor
// repeats it.
func (s *Staged) askAside() ([]string, error) {
	tenant := s.tenants[0].Tenant
	if _, err := os.Stat(workspaceDir(s.target.Data, tenant)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	now := time.Now
	if s.target.Now != nil {
		now = s.target.Now
	}
	// Two may be put aside in one second: after a crash the first is finished, and the
	// same restore is asked for again.
	name := tenant + replacedMark + now().UTC().Format("20060102T150405Z")
	for n, first := 1, name; ; n++ {
		_, err := os.Lstat(workspaceDir(s.target.Data, name))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		name = fmt.Sprintf("%s-%d", first, n)
	}
	if err := private.WriteFile(filepath.Join(s.target.Data, partName, asideName), []byte(tenant+"\n"+name+"\n")); err != nil {
		return nil, err
	}
	return []string{workspaceDir(s.target.Data, name)}, nil
}

// putAside does what askAside asked for, unless it is done.
func putAside(ready, data string) error {
	text, err := os.ReadFile(filepath.Join(ready, asideName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names := strings.Fields(string(text))
	if len(names) != 2 || !filepath.IsLocal(names[0]) || !filepath.IsLocal(names[1]) {
		return fmt.Errorf("%s is damaged", filepath.Join(ready, asideName))
	}
	if _, err := os.Stat(workspaceDir(ready, names[0])); err == nil {
		if err := fault.Point("backup.aside.before"); err != nil {
			return err
		}
		if err := os.Rename(workspaceDir(data, names[0]), workspaceDir(data, names[1])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := fault.Point("backup.aside.after"); err != nil {
			return err
		}
		if err := private.SyncDir(filepath.Join(data, "workspaces")); err != nil {
			return err
		}
	}
	return nil
}

// Finish moves a restore into place that a crash interrupted when it was ready,
// and gives an error where one was interrupted before. A daemon calls it before
// it opens anything.
func Finish(data string) error {
	ready := filepath.Join(data, readyName)
	switch _, err := os.Stat(ready); {
	case err == nil:
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if _, err := os.Stat(filepath.Join(data, partName)); err == nil {
			if _, err := os.Stat(filepath.Join(data, "state.db")); err == nil {
				return nil // a workspace was to be restored; what was there still is
			}
			return fmt.Errorf("a restore into %s did not finish: run glassward restore again, or remove %s to begin with nothing", data, filepath.Join(data, partName))
		}
		return nil
	}
	if err := putAside(ready, data); err != nil {
		return fmt.Errorf("finish the restore of %s: %w", data, err)
	}
	if err := merge(ready, data); err != nil {
		return fmt.Errorf("finish the restore of %s: %w", data, err)
	}
	if err := fault.Point("backup.finish.merged"); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(ready), private.SyncDir(data))
}

// merge moves what is in one folder to another, and never over anything.
func merge(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == asideName {
			continue
		}
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		if _, err := os.Lstat(target); err == nil {
			if !e.IsDir() {
				return fmt.Errorf("%s is in the way: %w", target, fs.ErrExist)
			}
			if err := merge(source, target); err != nil {
				return err
			}
			continue
		}
		if err := fault.Point("backup.merge.before"); err != nil {
			return err
		}
		if err := os.Rename(source, target); err != nil {
			return err
		}
		if err := fault.Point("backup.merge.after"); err != nil {
			return err
		}
	}
	return private.SyncDir(to)
}

// syncTree makes the names in a folder and below durable; files were flushed when
// they were written.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return private.SyncDir(path)
	})
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
