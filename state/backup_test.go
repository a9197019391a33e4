package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"glassward/internal/fault"
)

// A backup opens as a store without anybody's accepting a loss, and holds what
// was committed when it was taken, whatever goes on meanwhile.
func TestBackupOpensAsAStore(t *testing.T) {
	ck := &clock{night}
	s := openStore(t, t.TempDir(), Options{Now: ck.now})
	d := newDesk(t, s, rawRecords{}, ck.now)
	take(t, d, outcome(1))
	to := t.TempDir()
	c, err := s.Backup(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	want, err := SchemaVersion()
	if head, _ := s.Head(t.Context()); err != nil || c.Schema != want || c.Head != head || head.Seq == 0 {
		t.Errorf("%+v, want schema %d and head %+v (%v)", c, want, head, err)
	}
	take(t, d, outcome(2))
	if _, err := s.Backup(t.Context(), to); !errors.Is(err, os.ErrExist) {
		t.Errorf("onto another: %v", err)
	}

	back := openStore(t, to, Options{Now: ck.now})
	if notes := back.Notes(); len(notes) > 0 {
		t.Errorf("it was mended: %v", notes)
	}
	if _, err := back.Verify(t.Context(), Mark{}, 10000); err != nil {
		t.Error(err)
	}
	marks, err := back.Marks(t.Context(), "contoso")
	if err != nil || len(marks) != 1 || string(marks["ea-signin"]) != "mark 1" {
		t.Errorf("%q, %v", marks, err)
	}
	again := newDesk(t, back, rawRecords{}, ck.now)
	if c := take(t, again, outcome(1)); !c.Empty() {
		t.Errorf("what the backup holds was judged anew: %+v", c)
	}
	if c := take(t, again, outcome(2)); len(c.Alerts) != 1 {
		t.Errorf("what the backup lacks made %+v", c)
	}
}

// next gives the program's migrations and one more.
func next(t *testing.T, sql string) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	files, err := fs.ReadDir(migrations, "migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := "migrations/sqlite/" + f.Name()
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = &fstest.MapFile{Data: text}
	}
	all["migrations/sqlite/09000_next.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql + "\n")}
	return all
}

// The next program finds a store of this one, brings a copy up to date, then the
// store.
func TestOlderStoreIsMigrated(t *testing.T) {
	dir := filled(t)
	schema := next(t, "ALTER TABLE alerts ADD COLUMN weight INTEGER NOT NULL DEFAULT 7;")
	for _, point := range []string{"state.migrate.copied", "state.migrate.before", "state.migrate.after"} {
		disarm, err := fault.Arm(point + "=error")
		if err != nil {
			t.Fatal(err)
		}
		s, err := open(t.Context(), dir, Options{}, schema)
		disarm()
		if !errors.Is(err, fault.Err) {
			s.Close()
			t.Fatalf("%s: %v", point, err)
		}
	}
	s, err := open(t.Context(), dir, Options{}, schema)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var rows, sum int
	if err := s.readers.QueryRowContext(t.Context(), "SELECT count(*), sum(weight) FROM alerts").Scan(&rows, &sum); err != nil || rows == 0 || sum != 7*rows {
		t.Errorf("%d alerts of weight %d, %v", rows, sum, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.migration-*")); len(left) > 0 {
		t.Errorf("the copy is left: %v", left)
	}
	// And now this program finds a newer store.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrNewer) {
		s.Close()
		t.Errorf("%v", err)
	}
}

// A migration that fails, fails on the copy. The error says where that lies, and
// the program that wrote the store opens it as before.
func TestMigrationThatFailsTouchesNothing(t *testing.T) {
	dir := filled(t)
	_, err := open(t.Context(), dir, Options{}, next(t, "ALTER TABLE alerts ADD COLUMN weight INTEGER; INSERT INTO nowhere VALUES (1);"))
	var failed *MigrationError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), failed.Copy) || !strings.Contains(err.Error(), "untouched") || !strings.Contains(err.Error(), "nowhere") {
		t.Fatalf("%v", err)
	}
	copied, err := openCopy(failed.Copy)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if faults, err := integrity(context.Background(), copied); err != nil || len(faults) > 0 {
		t.Errorf("the copy: %v, %v", faults, err)
	}
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.readers.QueryContext(t.Context(), "SELECT weight FROM alerts"); err == nil {
		t.Error("the store has the column of a migration that failed")
	}
}
