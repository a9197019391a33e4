package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/ingest"
)

// store keeps what sources emit, as a log store does: records and cursor
// together.
type store struct {
	mu       sync.Mutex
	ids      []string // "id source:line" of every record, in order
	rejects  []string
	cursors  map[string][]byte
	fail     int // emits until one fails, 0 for none
	failures int
}

var errFull = errors.New("disk is full")

func (s *store) Cursor(_ context.Context, source string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.cursors[source]
	return p, ok, nil
}

func (s *store) emit(_ context.Context, b *ingest.Batch, c *ingest.Cursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail > 0 {
		if s.fail--; s.fail == 0 {
			s.failures++
			return errFull
		}
	}
	for _, r := range b.Records {
		s.ids = append(s.ids, fmt.Sprintf("%s %s:%d", r.EntraID, filepath.Base(r.Source), r.Line))
	}
	for _, x := range b.Rejects {
		s.rejects = append(s.rejects, fmt.Sprintf("%s:%d", filepath.Base(x.Source), x.Line))
	}
	if c != nil {
		if s.cursors == nil {
			s.cursors = make(map[string][]byte)
		}
		s.cursors[c.Source] = bytes.Clone(c.Position)
	}
	return nil
}

// take gives what came since the last call.
func (s *store) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sort.Strings(s.ids)
	out := strings.Join(s.ids, ", ")
	if len(s.rejects) > 0 {
		out += " rejected " + strings.Join(s.rejects, ", ")
	}
	s.ids, s.rejects = nil, nil
	return out
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func add(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func pack(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.json", r("a1")+"\n"+r("a2"))
	write(t, dir+"/b.json.gz", pack(t, "["+r("b1")+","+r("b2")+"]"))
	write(t, dir+"/c.json", "oops")
	write(t, dir+"/d.json.gz", pack(t, r("d1"))[:20])
	if err := os.Mkdir(dir+"/e.json", 0o700); err != nil {
		t.Fatal(err)
	}
	s := &store{}
	f, err := ingest.NewFiles([]string{dir + "/a.json", dir + "/*.json*"}, ingest.DecoderOptions{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Paths()) != 4 || f.Name() != "files" {
		t.Errorf("%s %v", f.Name(), f.Paths())
	}
	err = f.Run(t.Context(), nil, s.emit)
	if err == nil || !strings.Contains(err.Error(), "d.json.gz") {
		t.Errorf("the damaged file gives %v", err)
	}
	if got := s.take(); got != "a1 a.json:1, a2 a.json:2, b1 b.json.gz:1, b2 b.json.gz:1 rejected c.json:1" {
		t.Error(got)
	}
	if sum := f.Summary(); sum.Records != 4 || sum.Rejected != 1 {
		t.Errorf("%+v", sum)
	}

	for _, pattern := range []string{dir + "/nothing.json", dir + "/x*.json", dir} {
		if _, err := ingest.NewFiles([]string{pattern}, ingest.DecoderOptions{}); err == nil || !strings.Contains(err.Error(), pattern) {
			t.Errorf("%s gives %v", pattern, err)
		}
	}
}

// TestFilesGoOn holds that a file is read on from its cursor after a failure,
// packed or not, with what was open there.
func TestFilesGoOn(t *testing.T) {
	var text strings.Builder
	text.WriteString(`{"records":[`)
	for i := range 25 {
		fmt.Fprintf(&text, "%s,\n", r(fmt.Sprint("id", i)))
	}
	text.WriteString(r("last") + "]}")
	for name, content := range map[string]string{"x.json": text.String(), "x.json.gz": pack(t, text.String())} {
		path := filepath.Join(t.TempDir(), name)
		write(t, path, content)
		s := &store{fail: 3}
		var total int
		for {
			f, err := ingest.NewFiles([]string{path}, ingest.DecoderOptions{Now: clock, BatchRecords: 10})
			if err != nil {
				t.Fatal(err)
			}
			err = f.Run(t.Context(), s, s.emit)
			total += len(s.ids)
			if err == nil {
				break
			}
			if !errors.Is(err, errFull) {
				t.Fatal(err)
			}
			if n := len(s.ids); n != 20 {
				t.Errorf("%s: %d records before the failure", name, n)
			}
			s.ids = nil
		}
		if total != 26 || len(s.rejects) != 0 || s.failures != 1 || len(s.ids) != 6 {
			t.Errorf("%s: %d records, %d after the failure, rejects %v", name, total, len(s.ids), s.rejects)
		}
	}
}

func TestStream(t *testing.T) {
	s := &store{}
	in := ingest.NewStream("stdin", strings.NewReader(r("a")+r("b")), ingest.DecoderOptions{Now: clock, Provenance: glassward.Pushed})
	if err := in.Run(t.Context(), nil, s.emit); err != nil {
		t.Fatal(err)
	}
	if got := s.take(); got != "a stdin:1, b stdin:1" || in.Name() != "stdin" || in.Summary().Records != 2 {
		t.Error(got, in.Name(), in.Summary())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ingest.NewStream("stdin", strings.NewReader(r("a")), ingest.DecoderOptions{}).Run(ctx, nil, s.emit); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled stream gives %v", err)
	}
}

// TestFolder follows a folder through the life of its files. Time is virtual.
func TestFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := &store{}
		var problems []string
		run := func() (stop func()) {
			f, err := ingest.NewFolder(dir, ingest.FolderOptions{
				Poll: time.Second, Settle: 10 * time.Second,
				Problem: func(path string, err error) {
					name := filepath.Base(path)
					if err == nil {
						name += " is well"
					}
					problems = append(problems, name)
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- f.Run(ctx, s, s.emit) }()
			return func() {
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("Run ends with %v", err)
				}
			}
		}
		want := func(what, text string) {
			t.Helper()
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			if got := s.take(); got != text {
				t.Errorf("%s: got %q, want %q", what, got, text)
			}
		}

		write(t, dir+"/a.json", r("a1")+"\n")
		stop := run()
		want("what is there", "a1 a.json:1")
		want("nothing new", "")

		add(t, dir+"/a.json", r("a2")+"\n"+r("a3")[:30])
		want("a file grows", "a2 a.json:2")
		add(t, dir+"/a.json", r("a3")[30:]+"\n")
		want("a partial line is completed", "a3 a.json:3")

		write(t, dir+"/y=2026/m=11/PT1H.json", r("b1")+"\n")
		write(t, dir+"/c.csv", "TimeGenerated,Id,OperationName\n2026-11-20T10:00:00Z,c1,x\n2026-11-20T10:00:00Z,c2")
		write(t, dir+"/.hidden.json", r("h"))
		write(t, dir+"/d.json.tmp", r("h"))
		write(t, dir+"/notes.md", "# notes")
		want("new files, one in a folder", "b1 PT1H.json:1, c1 c.csv:2")
		add(t, dir+"/c.csv", ",y\n2026-11-20T10:00:00Z,c3,z")
		want("CSV grows", "c2 c.csv:3")
		time.Sleep(10 * time.Second)
		want("its last line has no end and stays", "c3 c.csv:4")

		if err := os.Rename(dir+"/d.json.tmp", dir+"/d.json"); err != nil {
			t.Fatal(err)
		}
		want("a file is given its name", "h d.json:1")

		add(t, dir+"/a.json", r("a4")+"\n")
		if err := os.Rename(dir+"/a.json", dir+"/a-1.json"); err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/a.json", r("n1")+"\n")
		want("a file is renamed and another takes its name", "a4 a-1.json:4, n1 a.json:1")
		add(t, dir+"/a-1.json", r("a5")+"\n")
		want("the renamed file grows", "a5 a-1.json:5")

		write(t, dir+"/a.json", r("m1")+"\n")
		want("a file is rewritten in place", "m1 a.json:1")
		write(t, dir+"/a-1.json", "")
		want("a file is cut", "")
		add(t, dir+"/a-1.json", r("p1")+"\n")
		want("and filled again", "p1 a-1.json:1")

		add(t, dir+"/d.json", "\n"+r("d2")[:40])
		want("a line is cut off", "")
		time.Sleep(10 * time.Second)
		want("and never completed", " rejected d.json:2")

		write(t, dir+"/e.json.gz", pack(t, r("e1")+"\n"+r("e2"))[:30])
		want("a packed file is being written", "")
		if len(problems) == 0 || problems[len(problems)-1] != "e.json.gz" {
			t.Errorf("problems %v", problems)
		}
		write(t, dir+"/e.json.gz", pack(t, r("e1")+"\n"+r("e2")))
		want("and complete", "e1 e.json.gz:1, e2 e.json.gz:2")
		if problems[len(problems)-1] != "e.json.gz is well" {
			t.Errorf("problems %v", problems)
		}

		stop()
		add(t, dir+"/y=2026/m=11/PT1H.json", r("b2")+"\n")
		if err := os.Rename(dir+"/a.json", dir+"/a-2.json"); err != nil {
			t.Fatal(err)
		}
		add(t, dir+"/a-2.json", r("m2")+"\n")
		write(t, dir+"/a.json", r("q1")+"\n")
		stop = run()
		want("after a restart", "b2 PT1H.json:2, m2 a-2.json:2, q1 a.json:1")
		if err := os.Remove(dir + "/a.json"); err != nil {
			t.Fatal(err)
		}
		want("a file is removed", "")
		stop()
	})
}

// TestFolderEmitFails holds that a failure of the store ends the source and that
// nothing is lost or told twice to a store that forgets nothing.
func TestFolderEmitFails(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		write(t, fmt.Sprintf("%s/%d.json", dir, i), r(fmt.Sprint("id", i))+"\n")
	}
	s := &store{fail: 3}
	f, err := ingest.NewFolder(dir, ingest.FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context(), s, s.emit); !errors.Is(err, errFull) {
		t.Fatalf("Run ends with %v", err)
	}
	if got := s.take(); got != "id0 0.json:1, id1 1.json:1" {
		t.Error(got)
	}
	synctest.Test(t, func(t *testing.T) {
		f, err := ingest.NewFolder(dir, ingest.FolderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := f.Run(ctx, s, s.emit); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	})
	if got := s.take(); got != "id2 2.json:1, id3 3.json:1, id4 4.json:1" {
		t.Error(got)
	}
}
