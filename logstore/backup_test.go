package logstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"glassward"
	"glassward/internal/fault"
	"glassward/logstore"
)

// A store is backed up while batches come in from several sides. Every copy opens
// by itself and is one moment of the store: each source's cursor stands exactly
// at its rows, and whatever had been acknowledged before the backup began is
// there.
func TestBackupWhileRecordsComeIn(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "tenant")
	s, err := logstore.Open(ctx, dir, small())
	if err != nil {
		t.Fatal(err)
	}
	const sources = 3
	var acknowledged [sources]int
	var mu sync.Mutex
	var work sync.WaitGroup
	working, stop := context.WithCancel(ctx)
	defer stop()
	for n := range sources {
		work.Go(func() {
			for i := 0; working.Err() == nil; i++ {
				b := logstore.Batch{Cursor: &logstore.Cursor{Source: fmt.Sprint("source", n), Position: binary.BigEndian.AppendUint64(nil, uint64(i+1))}}
				for k := range 5 {
					r := signin(fmt.Sprint("id", n, "-", i, "-", k))
					r.Source = fmt.Sprint("source", n)
					b.Records = append(b.Records, r)
				}
				if _, err := s.Append(ctx, b); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[n] = i + 1
				mu.Unlock()
			}
		})
	}
	for round := range 4 {
		// Some of what the copy has to hold is in the file, some only in the log.
		if round == 2 {
			if _, _, err := s.Compact(ctx); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		least := acknowledged
		mu.Unlock()
		to := filepath.Join(t.TempDir(), "copy")
		if err := os.Mkdir(to, 0o700); err != nil {
			t.Fatal(err)
		}
		backup := s.Backup
		if round == 3 {
			backup = s.BackupStill
		}
		c, err := backup(ctx, to)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Backup(ctx, to); !errors.Is(err, os.ErrExist) {
			t.Errorf("onto a copy: %v", err)
		}
		back, err := logstore.Open(ctx, to, small())
		if err != nil {
			t.Fatal(err)
		}
		seq, err := back.LastSeq(ctx)
		if err != nil || seq != c.LastSeq {
			t.Errorf("the copy ends at %d (%v), and was said to end at %d", seq, err, c.LastSeq)
		}
		if r := back.Recovery(); r.Acknowledged != c.LastSeq || r.Lost {
			t.Errorf("%+v", r)
		}
		total := 0
		for n := range sources {
			at := 0
			if pos, ok, err := back.Cursor(ctx, fmt.Sprint("source", n)); err != nil {
				t.Fatal(err)
			} else if ok {
				at = int(binary.BigEndian.Uint64(pos))
			}
			if at < least[n] {
				t.Errorf("round %d: source %d stands at %d, and %d had been acknowledged before", round, n, at, least[n])
			}
			total += 5 * at
		}
		stats, err := back.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		rows := int64(0)
		for _, table := range stats.Tables {
			rows += table.Rows
		}
		if rows != int64(total) || c.Rows["SigninLogs"] != rows {
			t.Errorf("round %d: the cursors stand at %d records, the copy has %d and was said to have %v", round, total, rows, c.Rows)
		}
		// The copy is a store like any other.
		if _, err := back.Append(ctx, logstore.Batch{Records: []glassward.Record{signin("after")}}); err != nil {
			t.Error(err)
		}
		if err := back.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	work.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A backup that dies leaves the store as it was, and the folder that it wrote to
// opens as no store without somebody's noticing: it has no word of what was
// acknowledged, and its caller gave it no name.
func TestBackupFailsOnTheWay(t *testing.T) {
	ctx := t.Context()
	s, err := logstore.Open(ctx, filepath.Join(t.TempDir(), "tenant"), small())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(ctx, batch(0)); err != nil {
		t.Fatal(err)
	}
	for _, point := range []string{"logstore.backup.looked", "logstore.backup.settled", "private.copy.before", "logstore.checkpoint.before"} {
		to := filepath.Join(t.TempDir(), "copy")
		if err := os.Mkdir(to, 0o700); err != nil {
			t.Fatal(err)
		}
		disarm, err := fault.Arm(point + "=error")
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Backup(ctx, to)
		disarm()
		if !errors.Is(err, fault.Err) || !strings.Contains(err.Error(), to) {
			t.Errorf("%s: %v", point, err)
		}
		if _, err := os.Stat(filepath.Join(to, "commits")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", point, err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Backup(cancelled, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// Nothing of that keeps a checkpoint, a compaction or another backup away.
	if _, _, err := s.Compact(ctx); err != nil {
		t.Error(err)
	}
	if _, err := s.Backup(ctx, t.TempDir()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Backup(ctx, t.TempDir()); !errors.Is(err, logstore.ErrClosed) {
		t.Error(err)
	}
}

// A backup needs room, and says so before it copies.
func TestBackupWithoutRoom(t *testing.T) {
	ctx := t.Context()
	o := small()
	o.Reserve = 1
	o.DiskSpace = func(string) (int64, int64, error) { return 4096, 1 << 40, nil }
	s, err := logstore.Open(ctx, filepath.Join(t.TempDir(), "tenant"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Append(ctx, batch(0)); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if _, err := s.Backup(ctx, to); err == nil || !strings.Contains(err.Error(), "4096 bytes free") {
		t.Errorf("%v", err)
	}
	if entries, _ := os.ReadDir(to); len(entries) > 0 {
		t.Errorf("it left %v", entries)
	}
}

// prepareOlder makes an empty store as an older program left it.
func prepareOlder(t *testing.T, dir string) {
	t.Helper()
	s, err := logstore.Open(t.Context(), dir, small())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	bare, err := logstore.OpenBare(filepath.Join(dir, "logs.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if err := bare.Exec("DROP TABLE _format; CHECKPOINT"); err != nil {
		t.Fatal(err)
	}
}

// olderFixture makes a store as an older program left it: without the note of its
// form, and with fewer columns.
func olderFixture(t *testing.T, extra string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tenant")
	s, err := logstore.Open(t.Context(), dir, small())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := s.Append(t.Context(), batch(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	bare, err := logstore.OpenBare(filepath.Join(dir, "logs.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if err := bare.Exec(`DROP TABLE _format; ALTER TABLE "SigninLogs" DROP COLUMN "ResultDescription"; CHECKPOINT;` + extra); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An older store is brought up to date, after that went well on a copy, which is
// gone then. What it held is there.
func TestOlderStoreIsMigrated(t *testing.T) {
	for _, point := range []string{"", "logstore.migrate.before:2", "logstore.migrate.after:2"} {
		dir := olderFixture(t, "")
		if point != "" {
			// The copy went well and then something fails: the next start goes on.
			disarm, err := fault.Arm(point + "=error")
			if err != nil {
				t.Fatal(err)
			}
			_, err = logstore.Open(t.Context(), dir, small())
			disarm()
			if !errors.Is(err, fault.Err) {
				t.Fatalf("%s: %v", point, err)
			}
		}
		s, err := logstore.Open(t.Context(), dir, small())
		if err != nil {
			t.Fatal(err)
		}
		stats, err := s.Stats(t.Context())
		if err != nil || len(stats.Tables) == 0 || stats.LastSeq == 0 {
			t.Errorf("%s: %+v, %v", point, stats, err)
		}
		r := signin("new")
		if _, err := s.Append(t.Context(), logstore.Batch{Records: []glassward.Record{r}}); err != nil {
			t.Errorf("%s: %v", point, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.migration-*")); len(left) > 0 {
			t.Errorf("%s: the copy is left: %v", point, left)
		}
	}
}

// A process that was killed while it tried a migration leaves a copy and the copy's
// write-ahead log. One that tries again within the same second takes neither for its own.
func TestMigrationAfterAKill(t *testing.T) {
	dir := olderFixture(t, "")
	now := time.Date(2026, 11, 16, 6, 0, 0, 0, time.UTC)
	copied := filepath.Join(dir, "logs.duckdb.migration-20261116T060000Z")
	store, err := os.ReadFile(filepath.Join(dir, "logs.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, store, 0o600); err != nil {
		t.Fatal(err)
	}
	bare, err := logstore.OpenBare(copied)
	if err != nil {
		t.Fatal(err)
	}
	if err := bare.Exec("CREATE TABLE _format (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(copied + ".wal")
	if err != nil {
		t.Fatal(err)
	}
	bare.Close()
	for path, content := range map[string][]byte{copied: store, copied + ".wal": log} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := small()
	o.Now = func() time.Time { return now }
	s, err := logstore.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.migration-*")); len(left) > 0 {
		t.Errorf("the copy is left: %v", left)
	}
}

// A migration that fails, fails on the copy: the store stays as it was, byte for
// byte, and the error says where the copy lies.
func TestMigrationThatFailsTouchesNothing(t *testing.T) {
	// The engine takes names in either case for one, so that the column cannot be
	// added.
	dir := olderFixture(t, `ALTER TABLE "SigninLogs" ADD COLUMN "resultDESCRIPTION" VARCHAR; CHECKPOINT`)
	path := filepath.Join(dir, "logs.duckdb")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := logstore.Open(t.Context(), dir, small())
		var failed *logstore.MigrationError
		if !errors.As(err, &failed) || failed.Copy == "" || !strings.Contains(err.Error(), failed.Copy) || !strings.Contains(err.Error(), "untouched") {
			t.Fatalf("%v", err)
		}
		if _, err := os.Stat(failed.Copy); err != nil {
			t.Error(err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("the store's file has changed")
	}
	o := small()
	o.DiskSpace = func(string) (int64, int64, error) { return 1 << 10, 1 << 40, nil }
	if _, err := logstore.Open(t.Context(), dir, o); err == nil || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("without room: %v", err)
	}
}

// A store of a newer program is refused, whether our own note or the engine's
// says so, and stays as it is.
func TestNewerStoreIsRefused(t *testing.T) {
	var newer *logstore.NewerError
	dir := olderFixture(t, "CREATE TABLE _format (version BIGINT NOT NULL); INSERT INTO _format VALUES (99); CHECKPOINT")
	if _, err := logstore.Open(t.Context(), dir, small()); !errors.As(err, &newer) || newer.Have != 99 || !strings.Contains(err.Error(), "newer Glassward") {
		t.Errorf("%v", err)
	}

	dir = olderFixture(t, "")
	path := filepath.Join(dir, "logs.duckdb")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(file[8:12]) != "DUCK" {
		t.Fatalf("the engine's mark is %q", file[8:12])
	}
	binary.LittleEndian.PutUint64(file[12:], binary.LittleEndian.Uint64(file[12:])+1000)
	binary.LittleEndian.PutUint64(file, logstore.Checksum(file[8:4096]))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := logstore.Open(t.Context(), dir, small()); !errors.As(err, &newer) || !strings.Contains(err.Error(), "newer Glassward") {
		t.Errorf("%v", err)
	}
}

// Numbers up to which somebody has judged are never given again, not even after a
// restart.
func TestRaiseFloor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	s, err := logstore.Open(t.Context(), dir, small())
	if err != nil {
		t.Fatal(err)
	}
	for _, floor := range []int64{500, 20} {
		if err := s.RaiseFloor(t.Context(), floor); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = logstore.Open(t.Context(), dir, small()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Append(t.Context(), batch(0))
	if err != nil || c.FirstSeq != 501 {
		t.Errorf("%+v, %v", c.FirstSeq, err)
	}
}
