package storage_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward/entra"
	"glassward/ingest"
	"glassward/ingest/storage"
)

const tenant = "0f4d2c1e-7a39-4b65-8d5e-3f1c9a7b2d40"

// store keeps rows and cursors together, each id once.
type store struct {
	mu      sync.Mutex
	rows    map[string]bool
	rejects []ingest.Reject
	cursors map[string][]byte
	fails   func() (before, after bool)
	bulk    bool // the last batch was bulk
	records int
}

var errKilled = errors.New("killed")

func newStore() *store { return &store{rows: map[string]bool{}, cursors: map[string][]byte{}} }

func (s *store) Cursor(_ context.Context, source string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.cursors[source]
	return c, ok, nil
}

func (s *store) emit(_ context.Context, b *ingest.Batch, c *ingest.Cursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var before, after bool
	if s.fails != nil {
		before, after = s.fails()
	}
	if before {
		return errKilled
	}
	for i := range b.Records {
		s.rows[b.Records[i].EntraID] = true
	}
	s.records += len(b.Records)
	s.rejects = append(s.rejects, b.Rejects...)
	s.cursors[c.Source] = slices.Clone(c.Position)
	s.bulk = b.Bulk
	if after {
		return errKilled
	}
	return nil
}

func (s *store) ids() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id := range s.rows {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

type running struct {
	*storage.Source
	mu      sync.Mutex
	reports []ingest.Report
	cancel  context.CancelFunc
	done    chan error
}

func run(t *testing.T, dir string, s *store) *running {
	t.Helper()
	r := &running{done: make(chan error, 1)}
	var err error
	r.Source, err = storage.New(storage.Options{Tenant: tenant, Folder: dir, Observe: func(x ingest.Report) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.reports = append(r.reports, x)
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- r.Run(ctx, s, s.emit) }()
	return r
}

func (r *running) stop() { r.cancel(); <-r.done }

func (r *running) faults() (f []*entra.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.reports {
		var fault *entra.Fault
		if errors.As(x.Fault, &fault) {
			f = append(f, fault)
		}
	}
	r.reports = nil
	return f
}

func audit(id string) string {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"time":%q,"category":"AuditLogs","operationName":"Update user","tenantId":%q,"properties":{"id":%q,"activityDisplayName":"Update user","activityDateTime":%q}}`, now, tenant, id, now)
}

// file gives the path of an hour's file.
func file(dir, container, who string, at time.Time) string {
	at = at.UTC()
	return filepath.Join(dir, container, who, at.Format("y=2006"), at.Format("m=01"), at.Format("d=02"), at.Format("h=15"), "m=00", "PT1H.json")
}

const who = "tenantId=" + tenant

// add appends to a file as an append blob grows, and gives it the time.
func add(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close(), os.Chtimes(path, time.Now(), time.Now())); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	add(t, path, text)
}

func want(t *testing.T, s *store, ids string) {
	t.Helper()
	if diff := cmp.Diff(ids, s.ids()); diff != "" {
		t.Error(diff)
	}
}

func TestFilesOfTheExport(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		r := run(t, dir, s)
		time.Sleep(65 * time.Second)
		if f := r.faults(); len(f) == 0 || f[0].Kind != entra.FaultSubscription {
			t.Errorf("of an empty folder: %v", f)
		}
		const c = "insights-logs-auditlogs"
		now := file(dir, c, who, time.Now())
		add(t, now, audit("a")+"\n"+audit("b")+"\n"+audit("c")[:40])
		// Any case, the resourceId form, another tenant's, another file.
		add(t, filepath.Join(dir, "INSIGHTS-LOGS-SIGNINLOGS", "ResourceId=", "TENANTS", "x", strings.ToUpper(strings.TrimPrefix(file("", "", "", time.Now()), "/"))), audit("upper")+"\r\n")
		add(t, file(dir, c, "tenantId=11111111-2222-3333-4444-555555555555", time.Now()), audit("other")+"\n")
		add(t, filepath.Join(dir, c, who, "notes.json"), audit("notes")+"\n")
		time.Sleep(65 * time.Second)
		want(t, s, "a b upper")
		add(t, now, audit("c")[40:]+"\n")
		time.Sleep(65 * time.Second)
		want(t, s, "a b c upper")

		// The old file grows after the turn of the hour, and a day later.
		time.Sleep(90 * time.Minute)
		add(t, now, audit("d")+"\n")
		time.Sleep(65 * time.Second)
		want(t, s, "a b c d upper")
		time.Sleep(30 * time.Hour)
		add(t, now, audit("e")+"\n")
		time.Sleep(61 * time.Minute)
		want(t, s, "a b c d e upper")
		time.Sleep(96 * time.Hour)
		add(t, now, audit("f")+"\n"+audit("g")) // without an end, and now it is late enough
		time.Sleep(25 * time.Hour)
		want(t, s, "a b c d e f g upper")

		// Two settings write the same; the old form in one object; a packed copy.
		now = file(dir, c, who, time.Now())
		add(t, now, audit("h")+"\n"+audit("h")+"\n")
		old := file(dir, "insights-logs-riskyusers", who, time.Now())
		add(t, old, `{"records":[`+audit("i")+`,`+audit("j")+`]}`)
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		fmt.Fprintln(z, audit("k"))
		z.Close()
		add(t, file(dir, "insights-logs-copied", who, time.Now())+".gz", packed.String())
		time.Sleep(65 * time.Second)
		want(t, s, "a b c d e f g h i j k upper")
		if f := r.faults(); len(f) != 0 || len(s.rejects) != 0 {
			t.Error(f, s.rejects)
		}
		r.stop()
	})
}

func TestAFileThatIsWrittenAnewIsToldAndReadAgain(t *testing.T) {
	for name, again := range map[string]string{
		"shorter":      "x",
		"another head": "xab",
		"another end":  "axb",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newStore()
				r := run(t, dir, s)
				path := file(dir, "insights-logs-auditlogs", who, time.Now())
				lines := func(ids string) (text string) {
					for _, id := range strings.Split(ids, "") {
						text += audit(id) + "\n"
					}
					return text
				}
				whole := lines("ab")
				add(t, path, whole)
				time.Sleep(65 * time.Second)
				// The same bytes by a copying tool are no change.
				put(t, path, whole+lines("c"))
				time.Sleep(65 * time.Second)
				want(t, s, "a b c")
				if f := r.faults(); slices.ContainsFunc(f, func(f *entra.Fault) bool { return f.Kind == entra.FaultPosition }) {
					t.Error(f)
				}
				put(t, path, lines(again))
				time.Sleep(65 * time.Second)
				want(t, s, "a b c x")
				if f := r.faults(); len(f) != 1 || f[0].Kind != entra.FaultPosition || f[0].Code != "Rewritten" {
					t.Error(f)
				}
				r.stop()
			})
		})
	}
}

// TestYearsOfFiles: cursors stay within bounds, what is old is loaded in bulk,
// and a second run reads nothing again.
func TestYearsOfFiles(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		for i := range 700 {
			id := fmt.Sprintf("%04d", i)
			ids = append(ids, id)
			add(t, file(dir, "insights-logs-auditlogs", who, time.Now().Add(-time.Duration(i)*11*time.Hour)), audit(id)+"\n")
		}
		s := newStore()
		r := run(t, dir, s)
		time.Sleep(65 * time.Second)
		want(t, s, strings.Join(ids, " "))
		if s.bulk {
			t.Error("the last batch is bulk: nothing says that the loading is over")
		}
		r.stop()
		bytes := 0
		for _, c := range s.cursors {
			bytes += len(c)
		}
		if len(s.cursors) > 193 || bytes > 100_000 {
			t.Errorf("%d cursors, %d bytes", len(s.cursors), bytes)
		}
		r = run(t, dir, s)
		time.Sleep(65 * time.Second)
		r.stop()
		if s.records != len(ids) {
			t.Errorf("%d records were read, %d are there", s.records, len(ids))
		}
	})
}

// TestKilledAtAnyEmit kills the source before or after any commit while files
// grow byte by byte.
func TestKilledAtAnyEmit(t *testing.T) {
	for seed := range uint64(4) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			rng, kill := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
			s := newStore()
			s.fails = func() (bool, bool) { return kill.IntN(5) == 0, kill.IntN(5) == 0 }
			r := run(t, dir, s)
			again := func() {
				select {
				case err := <-r.done:
					if !errors.Is(err, errKilled) {
						t.Fatal(err)
					}
					r.cancel()
					r = run(t, dir, s)
				default:
				}
			}
			var ids []string
			text := map[string]string{}
			flush := func(path string, n int) {
				n = min(n, len(text[path]))
				add(t, path, text[path][:n])
				text[path] = text[path][n:]
			}
			for i := range 80 {
				id := fmt.Sprintf("%03d", i)
				ids = append(ids, id)
				path := file(dir, []string{"insights-logs-auditlogs", "insights-logs-signinlogs"}[rng.IntN(2)], who, time.Now().Add(-time.Duration(rng.IntN(3))*time.Hour))
				text[path] += audit(id) + "\n"
				flush(path, rng.IntN(400))
				time.Sleep(time.Duration(rng.IntN(20)) * time.Second)
				again()
			}
			for path := range text {
				flush(path, 1<<20)
			}
			s.mu.Lock()
			s.fails = nil
			s.mu.Unlock()
			for range 3 {
				time.Sleep(2 * time.Minute)
				again()
			}
			time.Sleep(2 * time.Hour)
			want(t, s, strings.Join(ids, " "))
			r.stop()
		})
	}
}

func TestNoFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "-missing"} {
		if _, err := storage.New(storage.Options{Folder: p}); err == nil {
			t.Errorf("%s is taken", p)
		}
	}
}
