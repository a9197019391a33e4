package logstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"glassward"
	"glassward/kql"
	"glassward/logstore"
	"glassward/schema"
)

// batch is the n-th batch of a source: ten records, and a cursor that says n.
func batch(n int) logstore.Batch {
	b := logstore.Batch{Cursor: &logstore.Cursor{Source: "graph", Position: fmt.Append(nil, n)}}
	for i := range 10 {
		r := signin(fmt.Sprintf("%d-%d", n, i), "UserId", fmt.Sprint("user", i), "UserAgent", strings.Repeat("agent ", 20))
		if i == 9 && n > 0 {
			// A new version of a record of the batch before.
			r = signin(fmt.Sprintf("%d-0", n-1), "UserId", "user0", "RiskState", fmt.Sprint("risk", n))
		}
		b.Records = append(b.Records, r)
	}
	return b
}

// crashed makes a store with n acknowledged batches and gives its files as they
// are on the disk while it is open: what a power loss leaves. The first half
// has been moved into the database file.
func crashed(t *testing.T, n int) map[string][]byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tenant")
	s := open(t, dir, small())
	for i := range n {
		if i == n/2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, small())
		}
		if _, err := s.Append(context.Background(), batch(i)); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string][]byte{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.IsDir() || f.Name() == "lock" {
			continue
		}
		if files[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// put writes files into a new folder.
func put(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tenant")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	wal      = "logs.duckdb.wal"
	database = "logs.duckdb"
)

// with gives the files with one of them changed.
func with(files map[string][]byte, name string, change func([]byte) []byte) map[string][]byte {
	out := map[string][]byte{}
	for n, data := range files {
		out[n] = data
	}
	out[name] = change(bytes.Clone(files[name]))
	return out
}

// small are options of a store with one table, which opens sooner.
func small() logstore.Options {
	t, _ := schema.Lookup("SigninLogs")
	return logstore.Options{Now: now, Tables: []*schema.Table{t}}
}

func accepting() logstore.Options {
	o := small()
	o.AcceptLoss = true
	return o
}

// batches says how many whole batches a store has, and fails if it has a part of
// one or a cursor ahead of its rows.
func batches(t *testing.T, s *logstore.Store) int {
	t.Helper()
	position, _, err := s.Cursor(context.Background(), "graph")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if position != nil {
		fmt.Sscan(string(position), &n)
		n++
	}
	want := n * 9
	if n > 0 {
		want++ // the first batch has ten new records
	}
	if got := rows(t, s, 2, `SELECT count(*), count(DISTINCT "_ItemId") FROM "SigninLogs"`); got[0] != fmt.Sprintf("%d|%[1]d", want) {
		t.Errorf("the cursor says %d batches, that is %d rows; rows and ids: %s", n, want, got[0])
	}
	if got := rows(t, s, 1, `SELECT count(*) FROM "SigninLogs" WHERE "RiskState" <> ''`); got[0] != fmt.Sprint(max(0, n-1)) {
		t.Errorf("%s of %d versions", got[0], n-1)
	}
	return n
}

// again appends all batches from the first on and says that the store is then as
// if nothing had happened.
func again(t *testing.T, s *logstore.Store, n int) {
	t.Helper()
	have := batches(t, s)
	for i := range n {
		c, err := s.Append(context.Background(), batch(i))
		if err != nil {
			t.Fatal(err)
		}
		if i < have && c.Duplicates != 10 {
			t.Errorf("batch %d of %d that are there: %+v", i, have, c)
		}
	}
	if got := batches(t, s); got != n {
		t.Errorf("%d batches after all were appended again, want %d", got, n)
	}
}

// TestPowerLoss damages the end of the write-ahead log behind everything that
// was acknowledged, as a power loss in the next commit does.
func TestPowerLoss(t *testing.T) {
	files := crashed(t, 6)
	log := files[wal]
	body := logstore.WALBody(log)
	for name, tail := range map[string][]byte{
		"nothing":             nil,
		"torn head":           body[:7],
		"torn entry":          body[:40],
		"whole, not ended":    firstEntry(body),
		"zeroed":              make([]byte, 100_000),
		"torn, then zeroed":   append(bytes.Clone(body[:40]), make([]byte, 4096)...),
		"noise":               bytes.Repeat([]byte{0xa5, 1, 0x77}, 3000),
		"whole, then flipped": flip(bytes.Clone(body), 300),
	} {
		t.Run(name, func(t *testing.T) {
			dir := put(t, with(files, wal, func(b []byte) []byte { return append(b, tail...) }))
			s := open(t, dir, small())
			if got := batches(t, s); got != 6 {
				t.Errorf("%d batches, want 6", got)
			}
			r := s.Recovery()
			if r.Lost || r.Cut != int64(len(tail)) || len(r.Aside) != min(1, len(tail)) {
				t.Errorf("recovery %+v", r)
			}
			for _, path := range r.Aside {
				if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, append(bytes.Clone(log), tail...)) {
					t.Errorf("%s: %v", path, err)
				}
			}
			again(t, s, 8)
		})
	}
}

// firstEntry gives the first entry of a log.
func firstEntry(body []byte) []byte {
	return body[:16+int(binary.LittleEndian.Uint64(body))]
}

func flip(b []byte, at int) []byte {
	b[at%len(b)] ^= 0x10
	return b
}

// TestLostAcknowledged damages the log where acknowledged commits are: the store
// must not open as if nothing had happened, at any place of the damage.
func TestLostAcknowledged(t *testing.T) {
	files := crashed(t, 6)
	log := files[wal]
	step := max(1, len(log)/7)
	for _, kind := range []string{"torn", "zeroed", "flipped"} {
		t.Run(kind, func(t *testing.T) {
			for at := 0; at < len(log); at += step {
				damaged := with(files, wal, func(b []byte) []byte {
					switch kind {
					case "torn":
						return b[:at]
					case "zeroed":
						clear(b[at:])
						return b
					}
					return flip(b, at)
				})
				dir := put(t, damaged)
				var said *logstore.DamagedError
				for try := range 2 {
					// It stays damaged until somebody decides.
					if s, err := logstore.Open(context.Background(), dir, small()); !errors.As(err, &said) {
						if err == nil {
							s.Close()
						}
						t.Fatalf("at byte %d, try %d: opened with %v", at, try, err)
					}
				}
				if !strings.Contains(said.Error(), "--accept-loss") {
					t.Errorf("no cure in %q", said)
				}
				s := open(t, dir, accepting())
				if !s.Recovery().Lost {
					t.Errorf("at byte %d: recovery %+v", at, s.Recovery())
				}
				if got := batches(t, s); got < 3 || got > 5 {
					t.Errorf("at byte %d: %d batches are left", at, got)
				}
				// Numbers that were given are not given again.
				if c, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{signin("new")}}); err != nil || c.FirstSeq <= 60 {
					t.Errorf("at byte %d: %+v, %v", at, c, err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				// The loss was accepted once; now the store opens.
				s = open(t, dir, small())
				if s.Recovery().Lost {
					t.Error("the loss is told twice")
				}
				s.Close()
			}
		})
	}
}

// TestDamagedDatabase damages the database file. Blocks that opening does not
// read may pass it; then what reads them says so, and nothing is ever given
// wrongly.
func TestDamagedDatabase(t *testing.T) {
	files := crashed(t, 6)
	size := len(files[database])
	good := open(t, put(t, files), small())
	everything := `SELECT md5(string_agg(x, '|' ORDER BY x)) FROM (SELECT CAST(COLUMNS(s.*) AS VARCHAR) AS x FROM (SELECT s::VARCHAR AS x FROM "SigninLogs" s) s)`
	want := rows(t, good, 1, everything)
	noticed := 0
	for _, kind := range []string{"torn", "zeroed", "flipped"} {
		for at := 0; at < size; at += size/9 + 1 {
			dir := put(t, with(files, database, func(b []byte) []byte {
				switch kind {
				case "torn":
					return b[:at]
				case "zeroed":
					clear(b[at:])
					return b
				}
				return flip(b, at)
			}))
			s, err := logstore.Open(context.Background(), dir, small())
			var said *logstore.DamagedError
			if err != nil {
				if noticed++; !errors.As(err, &said) {
					t.Errorf("%s at byte %d of %d: %v", kind, at, size, err)
				}
				continue
			}
			r, err := s.Run(context.Background(), program(everything, "x"), kql.Bind{}, logstore.Limits{})
			switch {
			case err != nil:
				if noticed++; !errors.As(err, &said) {
					t.Errorf("%s at byte %d of %d: reading: %v", kind, at, size, err)
				}
			case r.Rows[0][0] != want[0]:
				t.Errorf("%s at byte %d of %d: other rows", kind, at, size)
			}
			s.Close()
		}
	}
	if noticed == 0 {
		t.Error("no damage was noticed")
	}
}

// TestDamagedJournal loses the commit journal: the proof is missing, which is
// no proof of a loss as long as the log is whole.
func TestDamagedJournal(t *testing.T) {
	files := crashed(t, 6)
	for name, change := range map[string]func([]byte) []byte{
		"torn":          func(b []byte) []byte { return b[:10] },
		"zeroed":        func(b []byte) []byte { clear(b); return b },
		"one flipped":   func(b []byte) []byte { return flip(b, 4096+20) },
		"other flipped": func(b []byte) []byte { return flip(b, 20) },
		"both flipped":  func(b []byte) []byte { return flip(flip(b, 20), 4096+20) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, put(t, with(files, "commits", change)), small())
			if got := batches(t, s); got != 6 {
				t.Errorf("%d batches", got)
			}
			again(t, s, 7)
		})
	}
	t.Run("both damaged", func(t *testing.T) {
		damaged := with(files, "commits", func(b []byte) []byte { clear(b); return b })
		damaged = with(damaged, wal, func(b []byte) []byte { return flip(b, len(b)/2) })
		dir := put(t, damaged)
		// It is refused until somebody accepts the loss, and not only the first time.
		for i := range 3 {
			var said *logstore.DamagedError
			if _, err := logstore.Open(context.Background(), dir, small()); !errors.As(err, &said) || len(said.Aside) != 1 {
				t.Errorf("time %d: opened with %v", i+1, err)
			}
		}
		o := small()
		o.AcceptLoss = true
		s := open(t, dir, o)
		if !s.Recovery().Lost {
			t.Error("it does not say that records may be lost")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again(t, open(t, dir, small()), 7)
	})
}

// A store that is refused leaves nothing running: whoever tries again and again,
// as the daemon does, would gather it.
func TestRefusedStoreLeavesNothingRunning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	s := open(t, dir, small())
	if _, err := s.Append(t.Context(), batch(0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"logs.duckdb", wal} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
		var said *logstore.DamagedError
		if s, err := logstore.Open(t.Context(), dir, small()); !errors.As(err, &said) {
			if err == nil {
				s.Close()
			}
			t.Errorf("a store without its records: %v", err)
		}
	})
}
