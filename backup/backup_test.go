package backup_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"glassward"
	"glassward/backup"
	"glassward/incident"
	"glassward/internal/fault"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
	"glassward/state"
)

const tenant = "11111111-2222-3333-4444-555555555555"

// A house is a data folder with open stores, in which records come and are
// judged.
type house struct {
	t     testing.TB
	data  string
	state *state.Store
	logs  *logstore.Store
	n     int
}

func options() logstore.Options {
	table, _ := schema.Lookup("SigninLogs")
	return logstore.Options{Tables: []*schema.Table{table}, Threads: 1}
}

func newHouse(t testing.TB, data string) *house {
	t.Helper()
	h := &house{t: t, data: data}
	var err error
	if h.state, err = state.Open(t.Context(), data, state.Options{}); err != nil {
		t.Fatal(err)
	}
	if h.logs, err = logstore.Open(t.Context(), backup.WorkspaceDir(data, tenant), options()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "link.key"), []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) close() {
	h.t.Helper()
	if err := errors.Join(h.logs.Close(), h.state.Close()); err != nil {
		h.t.Error(err)
	}
}

func (h *house) source() backup.Source {
	return backup.Source{Data: h.data, State: h.state, Stores: map[string]*logstore.Store{tenant: h.logs}, Program: "test"}
}

func mark(seq int64) []byte { return fmt.Appendf(nil, `{"v":1,"seq":%d}`, seq) }

func judgedTo(mark []byte) (int64, error) {
	var m struct{ Seq int64 }
	return m.Seq, json.Unmarshal(mark, &m)
}

// come takes one batch in and judges it: a record, a reject, a cursor, then the
// watermark behind it.
func (h *house) come() error {
	h.n++
	table, _ := schema.Lookup("SigninLogs")
	id := fmt.Sprint("record", h.n)
	values := make([]glassward.Value, len(table.Columns))
	at, _ := table.Index("Id")
	values[at] = glassward.String(id)
	at, _ = table.Index("TimeGenerated")
	values[at] = glassward.Long(int64(value.FromTime(time.Now())))
	sum := sha256.Sum256([]byte(id))
	f, err := os.OpenFile(filepath.Join(backup.WorkspaceDir(h.data, tenant), "rejects.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "{\"n\":%d}\n", h.n)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	c, err := h.logs.Append(context.Background(), logstore.Batch{
		Records: []glassward.Record{{Table: "SigninLogs", ID: glassward.RecordID(sum[:16]), EntraID: id, Time: time.Now(), Received: time.Now(), Values: values, Source: "graph", Provenance: glassward.Pulled}},
		Cursor:  &logstore.Cursor{Source: "graph", Position: []byte(strconv.Itoa(h.n))},
	})
	if err != nil {
		return err
	}
	return h.state.Commit(context.Background(), func(tx incident.Tx) error {
		return tx.Put(context.Background(), incident.Entry{Tenant: tenant, Rule: "r", Watermark: mark(c.LastSeq)})
	})
}

// consistent says whether a data folder holds what the invariants ask for, and
// how many records it has.
func consistent(t testing.TB, data string) (records int, err error) {
	t.Helper()
	s, err := state.Open(t.Context(), data, state.Options{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	logs, err := logstore.Open(t.Context(), backup.WorkspaceDir(data, tenant), options())
	if err != nil {
		return 0, err
	}
	defer logs.Close()
	seq, err := logs.LastSeq(t.Context())
	if err != nil {
		return 0, err
	}
	marks, err := s.Marks(t.Context(), tenant)
	if err != nil {
		return 0, err
	}
	for rule, m := range marks {
		if at, err := judgedTo(m); err != nil || at > seq {
			return 0, fmt.Errorf("rule %s has judged up to %d, and the records end at %d (%v)", rule, at, seq, err)
		}
	}
	position, _, err := logs.Cursor(t.Context(), "graph")
	if err != nil {
		return 0, err
	}
	cursor, _ := strconv.Atoi(string(position))
	stats, err := logs.Stats(t.Context())
	if err != nil {
		return 0, err
	}
	for _, table := range stats.Tables {
		records += int(table.Rows)
	}
	if cursor != records {
		return 0, fmt.Errorf("the cursor stands at %d, with %d records", cursor, records)
	}
	rejects, err := os.ReadFile(filepath.Join(backup.WorkspaceDir(data, tenant), "rejects.jsonl"))
	if err != nil && records > 0 {
		return 0, err
	}
	if n := strings.Count(string(rejects), "\n"); n < records || len(rejects) > 0 && rejects[len(rejects)-1] != '\n' {
		return 0, fmt.Errorf("%d rejects, or a broken line, beside %d records", n, records)
	}
	return records, nil
}

func restore(ctx context.Context, from string, to backup.Target) (*backup.Restored, error) {
	to.Judged, to.Program = judgedTo, "test"
	s, err := backup.Stage(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return s.Commit(ctx)
}

// A backup is taken under load and restored: no watermark is ahead of the
// records, no cursor ahead of its rows, and nothing that was there when it began
// is missing.
func TestRestoredBackupOfALoadedHouse(t *testing.T) {
	h := newHouse(t, filepath.Join(t.TempDir(), "data"))
	for range 5 {
		if err := h.come(); err != nil {
			t.Fatal(err)
		}
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := h.come(); err != nil {
				done <- err
				return
			}
		}
	}()
	last := 5
	for range 4 {
		to := filepath.Join(t.TempDir(), "backup")
		taken, err := backup.Take(t.Context(), to, h.source())
		if err != nil {
			t.Fatal(err)
		}
		if taken.Manifest.Scope != backup.Installation || taken.Bytes == 0 || len(taken.ManifestSHA256) != 64 {
			t.Errorf("%+v", taken)
		}
		data := filepath.Join(t.TempDir(), "restored")
		if _, err := restore(t.Context(), to, backup.Target{Data: data}); err != nil {
			t.Fatal(err)
		}
		n, err := consistent(t, data)
		if err != nil || n < last {
			t.Errorf("%d records, %d were there before: %v", n, last, err)
		}
		last = n
		if key, err := os.ReadFile(filepath.Join(data, "link.key")); err != nil || len(key) != 32 {
			t.Errorf("the key of links: %d bytes, %v", len(key), err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	h.close()
}

// Which store is copied first decides. What comes and is judged between the two
// copies shows it: with the control store first the backup is consistent; were
// the event store first, a watermark would be ahead of the records, which the
// second half of this test makes happen with the same parts.
func TestControlStoreIsCopiedFirst(t *testing.T) {
	h := newHouse(t, filepath.Join(t.TempDir(), "data"))
	defer h.close()
	if err := h.come(); err != nil {
		t.Fatal(err)
	}
	s := h.source()
	more := func() {
		for range 3 {
			if err := h.come(); err != nil {
				t.Error(err)
			}
		}
	}
	s.Between(more)
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := backup.Take(t.Context(), to, s); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "restored")
	if _, err := restore(t.Context(), to, backup.Target{Data: data}); err != nil {
		t.Fatal(err)
	}
	if n, err := consistent(t, data); err != nil || n != 4 {
		t.Errorf("%d records, %v", n, err)
	}

	wrong := t.TempDir()
	if err := os.MkdirAll(backup.WorkspaceDir(wrong, tenant), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := h.logs.Backup(t.Context(), backup.WorkspaceDir(wrong, tenant)); err != nil {
		t.Fatal(err)
	}
	more()
	if _, err := h.state.Backup(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	if n, err := consistent(t, wrong); err == nil || !strings.Contains(err.Error(), "has judged up to") {
		t.Errorf("the wrong order went unnoticed: %d records, %v", n, err)
	}
}

// One workspace goes back into an installation whose rules have judged further:
// new records get numbers that nobody has judged, and what was there is put aside.
func TestRestoreOneWorkspace(t *testing.T) {
	h := newHouse(t, filepath.Join(t.TempDir(), "data"))
	for range 3 {
		if err := h.come(); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := backup.Take(t.Context(), to, backup.Source{Data: h.data, Stores: h.source().Stores, Program: "test"}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := h.come(); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.logs.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(t.Context(), to, backup.Target{Data: h.data, State: h.state}); err == nil || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("over what is there: %v", err)
	}
	// People name the newest backup by a link.
	latest := filepath.Join(filepath.Dir(to), "latest")
	if err := os.Symlink(to, latest); err != nil {
		t.Fatal(err)
	}
	r, err := restore(t.Context(), latest, backup.Target{Data: h.data, State: h.state, Replace: true})
	if err != nil || len(r.Aside) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := os.Stat(filepath.Join(r.Aside[0], "logs.duckdb")); err != nil {
		t.Error(err)
	}
	if names, err := backup.Tenants(h.data); err != nil || len(names) != 1 {
		t.Errorf("the workspaces are %v, %v", names, err)
	}
	entries, err := h.state.Journal(t.Context(), 0, 100)
	if err != nil || len(entries) != 1 || entries[0].Kind != "restore" {
		t.Errorf("the journal says %+v, %v", entries, err)
	}
	if h.logs, err = logstore.Open(t.Context(), backup.WorkspaceDir(h.data, tenant), options()); err != nil {
		t.Fatal(err)
	}
	h.n = 3
	before, err := h.state.Marks(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.come(); err != nil {
		t.Fatal(err)
	}
	after, err := h.state.Marks(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	was, _ := judgedTo(before["r"])
	is, _ := judgedTo(after["r"])
	if is <= was {
		t.Errorf("a record that came after the restore got number %d, and rules had judged up to %d", is, was)
	}

	// Two restores in one second put two folders aside.
	if err := h.logs.Close(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	aside := map[string]bool{}
	for range 3 {
		r, err := restore(t.Context(), latest, backup.Target{Data: h.data, State: h.state, Replace: true, Now: func() time.Time { return now }})
		if err != nil || len(r.Aside) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		if _, err := os.Stat(filepath.Join(r.Aside[0], "logs.duckdb")); err != nil {
			t.Error(err)
		}
		aside[r.Aside[0]] = true
	}
	if names, err := backup.Tenants(h.data); err != nil || len(names) != 1 || len(aside) != 3 {
		t.Errorf("the workspaces are %v, %v, put aside are %v", names, err, aside)
	}
	if h.logs, err = logstore.Open(t.Context(), backup.WorkspaceDir(h.data, tenant), options()); err != nil {
		t.Fatal(err)
	}
	h.close()
}

// A backup that is not what it was is refused before anything is written, and so
// is one of a newer program.
func TestRestoreRefuses(t *testing.T) {
	h := newHouse(t, filepath.Join(t.TempDir(), "data"))
	if err := h.come(); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(t.TempDir(), "backup")
	if _, err := backup.Take(t.Context(), good, h.source()); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Take(t.Context(), good, h.source()); !errors.Is(err, os.ErrExist) {
		t.Errorf("a backup over a backup: %v", err)
	}
	if _, err := backup.Take(t.Context(), filepath.Join(h.data, "backup"), h.source()); err == nil {
		t.Error("a backup into the data folder")
	}
	h.close()
	edit := func(old, new string) func(string) error {
		return func(dir string) error {
			name := filepath.Join(dir, backup.ManifestName)
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if !strings.Contains(string(b), old) {
				return fmt.Errorf("the manifest has no %s", old)
			}
			return os.WriteFile(name, []byte(strings.Replace(string(b), old, new, 1)), 0o600)
		}
	}
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  string
	}{
		"a flipped bit": {func(dir string) error {
			name := filepath.Join(backup.WorkspaceDir(dir, tenant), "logs.duckdb")
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(name, b, 0o600)
		}, "is not what it was"},
		"a file cut":            {func(dir string) error { return os.Truncate(filepath.Join(dir, "state.db"), 4096) }, "is not what it was"},
		"a file gone":           {func(dir string) error { return os.Remove(filepath.Join(dir, "link.key")) }, "link.key"},
		"a file too many":       {func(dir string) error { return os.WriteFile(filepath.Join(dir, "extra"), nil, 0o600) }, "is not in its manifest"},
		"no manifest":           {func(dir string) error { return os.Remove(filepath.Join(dir, backup.ManifestName)) }, "did not finish"},
		"a newer form":          {edit(`"format": 1`, `"format": 2`), "newer Glassward"},
		"a newer control store": {edit(`"schema": `, `"schema": 999`), "newer Glassward"},
		"a path that leads out": {edit(`"path": "link.key"`, `"path": "../link.key"`), "cannot be"},
		"a file of a restore":   {edit(`"path": "link.key"`, `"path": "restore.aside"`), "cannot be"},
		"a workspace elsewhere": {edit(`"tenant": "`+tenant+`"`, `"tenant": "../../elsewhere"`), "which cannot be"},
		"a workspace above":     {edit(`"tenant": "`+tenant+`"`, `"tenant": ".."`), "which cannot be"},
		"a workspace put aside": {edit(`"tenant": "`+tenant+`"`, `"tenant": "`+tenant+`.replaced-1"`), "which cannot be"},
		"no workspace": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, backup.ManifestName), []byte(`{"format":1,"scope":"workspace","workspaces":[],"files":[]}`), 0o600)
		}, "names 0"},
		"a link for a file": {func(dir string) error {
			name, to := filepath.Join(dir, "link.key"), filepath.Join(filepath.Dir(dir), "elsewhere.key")
			if err := os.Rename(name, to); err != nil {
				return err
			}
			return os.Symlink(to, name)
		}, "is no file"},
		"another end": {edit(`"lastSeq": 1`, `"lastSeq": 2`), "the manifest says 2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "backup")
			if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			data := filepath.Join(t.TempDir(), "data")
			_, err := restore(t.Context(), dir, backup.Target{Data: data})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if entries, _ := os.ReadDir(data); len(entries) > 0 {
				t.Errorf("it left %v", entries)
			}
		})
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "state.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(t.Context(), good, backup.Target{Data: full}); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("over a data folder: %v", err)
	}
}

// story is the variable that makes the test binary a process to be killed: it
// takes a backup of the folder named, restores it to another, and replaces the
// workspace of the first.
const story = "GLASSWARD_BACKUP_STORY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(story); dir != "" {
		if err := tell(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func tell(dir string) error {
	ctx := context.Background()
	data := filepath.Join(dir, "data")
	s, closeAll, err := backup.Open(ctx, data, "", "test")
	if err != nil {
		return err
	}
	if _, err := backup.Take(ctx, filepath.Join(dir, "backup"), s); err != nil {
		return err
	}
	if err := closeAll(); err != nil {
		return err
	}
	if _, err := restore(ctx, filepath.Join(dir, "backup"), backup.Target{Data: filepath.Join(dir, "restored")}); err != nil {
		return err
	}
	control, err := state.Open(ctx, data, state.Options{})
	if err != nil {
		return err
	}
	_, err = restore(ctx, filepath.Join(dir, "backup"), backup.Target{Data: data, Tenant: tenant, Replace: true, State: control})
	return errors.Join(err, control.Close())
}

// The process is killed at every point of this package. A backup that has its
// name is whole; a folder that was restored to is whole, or finishes when it is
// opened, or says that it did not finish; the folder that was there loses nothing.
func TestKilled(t *testing.T) {
	points, err := fault.Points(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(points) < 9 {
		t.Errorf("%d points, there were more: %v", len(points), points)
	}
	first := t.TempDir()
	h := newHouse(t, filepath.Join(first, "data"))
	for range 3 {
		if err := h.come(); err != nil {
			t.Fatal(err)
		}
	}
	h.close()
	for _, point := range points {
		for _, nth := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s:%d", point, nth), func(t *testing.T) {
				t.Parallel() // mostly waits for processes and the disk
				dir := t.TempDir()
				if err := os.CopyFS(filepath.Join(dir, "data"), os.DirFS(filepath.Join(first, "data"))); err != nil {
					t.Fatal(err)
				}
				for _, d := range []string{"data", "data/workspaces", "data/workspaces/" + tenant} {
					if err := os.Chmod(filepath.Join(dir, d), 0o700); err != nil {
						t.Fatal(err)
					}
				}
				cmd := exec.CommandContext(t.Context(), os.Args[0])
				cmd.Env = append(os.Environ(), story+"="+dir, fmt.Sprintf("%s=%s:%d=kill", fault.Variable, point, nth))
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				dead := false
				if errors.As(err, &exit) {
					status, ok := exit.Sys().(syscall.WaitStatus)
					dead = ok && status.Signaled()
				}
				if err != nil && !dead {
					t.Fatalf("%v: %s", err, out)
				}
				if !dead && nth == 1 {
					t.Error("nothing passes the point: it protects nothing")
				}
				back := filepath.Join(dir, "backup")
				if _, err := os.Stat(back); err == nil {
					if _, err := backup.Verify(t.Context(), back); err != nil {
						t.Errorf("a backup that has its name: %v", err)
					}
				}
				restored := filepath.Join(dir, "restored")
				if entries, _ := os.ReadDir(restored); len(entries) > 0 {
					if err := backup.Finish(restored); err != nil {
						if !strings.Contains(err.Error(), "did not finish") {
							t.Error(err)
						}
						if _, err := restore(t.Context(), back, backup.Target{Data: restored}); err != nil {
							t.Errorf("restored again: %v", err)
						}
					}
					if n, err := consistent(t, restored); err != nil || n != 3 {
						t.Errorf("restored: %d records, %v", n, err)
					}
				}
				data := filepath.Join(dir, "data")
				if err := backup.Finish(data); err != nil {
					t.Error(err)
				}
				if n, err := consistent(t, data); err != nil || n != 3 {
					t.Errorf("the folder that was there: %d records, %v", n, err)
				}
			})
		}
	}
}
