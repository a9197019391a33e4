package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// crashed gives the folder of a store that was killed with n outcomes
// acknowledged and still in its write-ahead log.
func crashed(t *testing.T, n int) string {
	t.Helper()
	live := t.TempDir()
	ck := &clock{night}
	s, err := Open(t.Context(), live, Options{Now: ck.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := newDesk(t, s, rawRecords{}, ck.now)
	for i := range n {
		take(t, d, outcome(i))
	}
	// A copy of the files of a store at work is what a kill leaves.
	dir := t.TempDir()
	for _, name := range []string{dbName, dbName + "-wal", headName} {
		b, err := os.ReadFile(filepath.Join(live, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// change rewrites a file of a store.
func change(t *testing.T, dir, name string, f func([]byte) []byte) {
	t.Helper()
	file := filepath.Join(dir, name)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func torn(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:max(0, len(b)-n)] } }

func zeroed(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		clear(b[max(0, len(b)-n):])
		return b
	}
}

func flipped(back int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[len(b)-back] ^= 0x10
		return b
	}
}

func junk(n int) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, strings.Repeat("\xa5", n)...) }
}

// Damage to what had been acknowledged: the store refuses, says so, and keeps
// what was there. With the loss accepted it opens, and evaluating again brings
// everything back under the same ids.
func TestAcknowledgedTailsThatAreDamaged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		file   string
		damage func([]byte) []byte
	}{
		{"log torn in its last frame", dbName + "-wal", torn(100)},
		{"log torn by several transactions", dbName + "-wal", torn(60000)},
		{"log's last frame zeroed", dbName + "-wal", zeroed(4096)},
		{"log's tail zeroed", dbName + "-wal", zeroed(50000)},
		{"bit flipped in the log's last frame", dbName + "-wal", flipped(2000)},
		{"bit flipped in the middle of the log", dbName + "-wal", flipped(40000)},
		{"log emptied", dbName + "-wal", func([]byte) []byte { return nil }},
		{"log's header zeroed", dbName + "-wal", func(b []byte) []byte { clear(b[:32]); return b }},
		{"log cut within its header", dbName + "-wal", func(b []byte) []byte { return b[:17] }},
		{"head unreadable", headName, func(b []byte) []byte { return []byte(strings.Repeat("x", len(b))) }},
		{"head emptied", headName, func(b []byte) []byte { return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := crashed(t, 4)
			change(t, dir, tt.file, tt.damage)
			before, err := os.ReadFile(filepath.Join(dir, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), dir, Options{Now: func() time.Time { return night }})
			if err == nil {
				s.Close()
				t.Fatal("the store opened as if nothing were lost")
			}
			if !errors.Is(err, ErrLost) {
				t.Fatalf("got %v, want ErrLost", err)
			}
			if tt.file != headName && len(before) > 0 && !keptAside(t, dir, before) {
				t.Errorf("the damaged file is not kept")
			}
			s, err = Open(t.Context(), dir, Options{AcceptLoss: true, Now: func() time.Time { return night }})
			if err != nil {
				t.Fatalf("with the loss accepted: %v", err)
			}
			if len(s.Notes()) == 0 {
				t.Error("nothing was said of the loss")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, dir, Options{Now: func() time.Time { return night }}) // once is enough
			d := newDesk(t, s, rawRecords{}, func() time.Time { return night })
			for i := range 4 {
				take(t, d, outcome(i))
			}
			for i := range 4 {
				if _, err := s.Alert(t.Context(), "contoso", outcome(i).Alerts[0].Alert.ID); err != nil {
					t.Error(err)
				}
			}
			if _, err := s.Verify(t.Context(), Mark{}, 10000); err != nil {
				t.Error(err)
			}
		})
	}
}

// keptAside says whether some file of the folder holds exactly these bytes.
func keptAside(t *testing.T, dir string, want []byte) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, dbName+"*.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && string(b) == string(want) && !strings.HasSuffix(f, "-wal") {
			return true
		}
	}
	return false
}

// Damage behind everything that was acknowledged is cut off; the damaged file
// stays, a note says so, and nothing is missing.
func TestTailsThatNobodyWasPromised(t *testing.T) {
	for _, tt := range []struct {
		name   string
		file   string
		damage func([]byte) []byte
		note   bool
	}{
		{"half a frame behind the log", dbName + "-wal", junk(1000), true},
		{"zeros behind the log", dbName + "-wal", func(b []byte) []byte { return append(b, make([]byte, 4120*3)...) }, false},
		{"a frame of this log with a wrong checksum", dbName + "-wal", func(b []byte) []byte {
			frame := append([]byte(nil), b[len(b)-4120:]...)
			frame[3000] ^= 1
			return append(b, frame...)
		}, true},
		{"the older slot of the head", headName, func(b []byte) []byte {
			older := 0
			if a, _ := parseSlot(b[:slotSize]); true {
				if z, _ := parseSlot(b[slotSize:]); z.Seq < a.Seq {
					older = slotSize
				}
			}
			b[older+30] ^= 1
			return b
		}, true},
		{"nothing", dbName + "-wal", func(b []byte) []byte { return b }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := crashed(t, 4)
			change(t, dir, tt.file, tt.damage)
			s := openStore(t, dir, Options{})
			if (len(s.Notes()) > 0) != tt.note {
				t.Errorf("notes %q", s.Notes())
			}
			list, _, err := s.Alerts(t.Context(), AlertFilter{Tenant: "contoso"})
			if err != nil || len(list) != 4 {
				t.Errorf("%d alerts, %v", len(list), err)
			}
			files, err := filepath.Glob(filepath.Join(dir, "*damaged*"))
			if err != nil || (len(files) > 0) != (tt.note && tt.file != headName) {
				t.Errorf("kept aside: %v, %v", files, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*unchecked*")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

// Damage in state.db itself is found, whatever part of it is hit: the store is
// refused, or mended without loss, or what was hit is told and left out. It is
// never believed.
func TestTheFileItselfIsDamaged(t *testing.T) {
	dir := filled(t)
	whole, err := os.ReadFile(filepath.Join(dir, dbName))
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(filepath.Join(dir, headName))
	if err != nil {
		t.Fatal(err)
	}
	pages := len(whole) / 4096
	outcomes := map[string]int{}
	try := func(name string, b []byte) {
		t.Helper()
		dir := t.TempDir()
		for file, content := range map[string][]byte{dbName: b, headName: head} {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var told []error
		s, err := Open(t.Context(), dir, Options{Damaged: func(err error) { told = append(told, err) }})
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrLost) {
				t.Errorf("%s: got %v, want ErrDamaged or ErrLost", name, err)
			}
			if errors.Is(err, ErrDamaged) && strings.Contains(err.Error(), "kept as") && !keptAside(t, dir, b) {
				t.Errorf("%s: the damaged file is not kept: %v", name, err)
			}
			outcomes["refused"]++
			return
		}
		defer s.Close()
		inc, err := s.Incident(t.Context(), "contoso", 1)
		alerts, _, err2 := s.Alerts(t.Context(), AlertFilter{Tenant: "contoso"})
		jobs, err3 := s.Claim(t.Context(), night, 10)
		_, err4 := s.Verify(t.Context(), Mark{}, 1000)
		switch {
		case len(s.Notes()) > 0 || len(told) > 0 || err != nil || err2 != nil || err3 != nil || err4 != nil:
			outcomes["told"]++
		case len(inc.Alerts) == 3 && len(alerts) == 3 && len(jobs) == 3:
			outcomes["harmless"]++ // a free byte, or a column that nothing is decided by
		default:
			t.Errorf("%s: damage was believed: %d alerts, %d of them in the incident, %d jobs", name, len(alerts), len(inc.Alerts), len(jobs))
		}
	}
	for page := range pages {
		b := append([]byte(nil), whole...)
		clear(b[page*4096 : (page+1)*4096])
		try(fmt.Sprintf("page %d zeroed", page+1), b)
		for _, at := range []int{3, 60, 4096 - 7, 4096 - 400, 4096 - 1500} {
			b := append([]byte(nil), whole...)
			b[page*4096+at] ^= 0x04
			try(fmt.Sprintf("bit flipped in page %d at %d", page+1, at), b)
		}
	}
	for _, n := range []int{1, 100, 4096, 3 * 4096, len(whole) - 50} {
		try(fmt.Sprintf("torn by %d", n), append([]byte(nil), whole[:len(whole)-n]...))
	}
	t.Logf("%d pages: %v", pages, outcomes)
	if outcomes["refused"] < pages {
		t.Errorf("only %d refused of %d pages: %v", outcomes["refused"], pages, outcomes)
	}
}

func TestSnapshotIsRestored(t *testing.T) {
	ck := &clock{night}
	dir := t.TempDir()
	s := openStore(t, dir, Options{Now: ck.now})
	d := newDesk(t, s, rawRecords{}, ck.now)
	take(t, d, outcome(1))
	file := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Snapshot(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if err := s.Snapshot(t.Context(), file); !errors.Is(err, os.ErrExist) {
		t.Errorf("a snapshot was written over another: %v", err)
	}
	take(t, d, outcome(2))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	change(t, dir, dbName, func([]byte) []byte { return b })
	if s, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrLost) {
		s.Close()
		t.Fatalf("an older store was taken for the newer: %v", err)
	}
	s = openStore(t, dir, Options{AcceptLoss: true, Now: ck.now})
	d = newDesk(t, s, rawRecords{}, ck.now)
	if c := take(t, d, outcome(1)); !c.Empty() {
		t.Errorf("what the snapshot holds was judged anew: %+v", c)
	}
	if c := take(t, d, outcome(2)); len(c.Alerts) != 1 {
		t.Errorf("what the snapshot lacks made %+v", c)
	}
}

func FuzzInspectLog(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x37\x7f\x06\x82\x00\x2d\xe2\x18\x00\x00\x10\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "wal")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := inspectLog(name); err != nil || r.Committed > int64(len(b)) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func FuzzParseSlot(f *testing.F) {
	f.Add(formatSlot(Mark{Seq: 7, Hash: "ab"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := parseSlot(b); ok {
			if again, ok := parseSlot(formatSlot(m)); !ok || again != m {
				t.Errorf("%q is read as %+v and written as something else", b, m)
			}
		}
	})
}
