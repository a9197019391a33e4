package daemon

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/config"
	"glassward/ingest"
	"glassward/notify"
	"glassward/rule"
)

// provider is a daemon of two tenants with groups of their own, one that is
// nobody's in particular, and a tenant that a reload took away.
func provider() *Daemon {
	return &Daemon{
		log: slog.New(slog.DiscardHandler), now: time.Now,
		config: &config.Config{
			Config: notify.Config{ActionGroups: []notify.ActionGroup{{Name: "a"}, {Name: "a-too"}, {Name: "b"}, {Name: "gone"}, {Name: "house"}}},
			Each:   []config.Tenant{{ID: "ta", ActionGroups: []string{"A", "a-too"}}, {ID: "tb", ActionGroups: []string{"b"}}},
		},
		former: map[string][]string{"tc": {"gone"}},
	}
}

func TestNobodyHearsOfAnotherTenant(t *testing.T) {
	d := provider()
	for _, c := range []struct {
		tenant string
		want   []string
	}{
		{"ta", []string{"A", "a-too"}}, {"tb", []string{"b"}}, {"tc", []string{"gone"}}, {"never seen", nil},
		{"", []string{"a", "a-too", "b", "gone", "house"}},
	} {
		if diff := cmp.Diff(c.want, d.groups(c.tenant)); diff != "" {
			t.Errorf("groups of %q (-want +got):\n%s", c.tenant, diff)
		}
	}
	for _, c := range []struct {
		tenant, failing string
		want            []string
	}{
		{"ta", "a", []string{"a-too", "house"}},
		{"tb", "b", []string{"house"}},
		{"", "b", []string{"a", "a-too", "gone", "house"}},
	} {
		if diff := cmp.Diff(c.want, d.otherGroups(c.tenant, c.failing)); diff != "" {
			t.Errorf("who hears that %s of %q fails (-want +got):\n%s", c.failing, c.tenant, diff)
		}
	}
}

// A request may outlive the daemon's patience: what it does is noted after the
// audit has ended.
func TestADeedThatComesTooLate(t *testing.T) {
	d := provider()
	d.deeds, d.audited = make(chan deed, 1), make(chan struct{})
	go d.keepAudit()
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 100 {
				d.audit(deed{operation: "query"})
			}
		})
	}
	if err := d.endAudit(); err != nil {
		t.Fatal(err)
	}
	work.Wait()
	d.audit(deed{operation: "query"})
}

// Slow rules do not fill the memory: what waits beyond a bound is read from the
// store again, up to its last record.
func TestWhatWaitsForRulesIsBounded(t *testing.T) {
	w := &workspace{d: provider(), wake: make(chan struct{}, 1)}
	const size = 1000
	var last int64
	for range 3*mostWaiting/size + 5 {
		w.offer(rule.Batch{From: last, To: last + size, Records: make([]glassward.Record, size)})
		last += size
		if w.waiting > mostWaiting {
			t.Fatalf("%d records wait", w.waiting)
		}
	}
	var head int64
	for {
		b, ok, wait := w.take(head, time.Time{})
		if wait != 0 {
			t.Fatalf("after %d it waits %v", head, wait)
		}
		if !ok {
			break
		}
		// The engine reads from the store what does not begin where it stands.
		if b.From == head && len(b.Records) == 0 {
			t.Fatalf("the batch to %d stands as if it had no records", b.To)
		}
		head = max(head, b.To)
	}
	if head != last || w.waiting != 0 {
		t.Errorf("taken up to %d of %d, %d wait", head, last, w.waiting)
	}
}

func TestRejectsLeaveTheReserveOfTheDisk(t *testing.T) {
	low := errors.New("low")
	f := &rejectsFile{path: filepath.Join(t.TempDir(), "rejects.jsonl"), low: func() error { return low }}
	if err := f.add([]ingest.Reject{{Reason: "no JSON"}}); !errors.Is(err, low) {
		t.Errorf("on a full disk: %v", err)
	}
	if _, err := os.Stat(f.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
}
