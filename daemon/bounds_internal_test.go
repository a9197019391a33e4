package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/config"
	"glassward/console"
	"glassward/ingest"
	"glassward/notify"
	"glassward/rule"
	"glassward/state"
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
	dir := t.TempDir()
	s, err := state.Open(t.Context(), dir, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := provider()
	d.state, d.ready = s, make(chan struct{})
	d.deeds, d.audited = make(chan doing, 1), make(chan struct{})
	go d.keepAudit()
	d.audit(deed{operation: "query"}) // which is kept when it comes back
	if list, err := s.Deeds(t.Context(), state.Deed{}, 10); err != nil || len(list) != 1 {
		t.Errorf("%d deeds are kept: %v", len(list), err)
	}
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
	// What was noted is kept, though it never came to writing it.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = state.Open(t.Context(), dir, state.Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.Deeds(t.Context(), state.Deed{}, 1000)
	if err != nil || len(list) == 0 || len(list) > 801 || deedRecord(list[0]).Table != auditTable {
		t.Errorf("%d deeds are kept: %v", len(list), err)
	}
}

// Deeds that were kept and not written are written at the next start, once; those of
// a tenant that is no more are dropped.
func TestDeedsOfBefore(t *testing.T) {
	x := dependable{t, t.TempDir()}
	x.receivers("kim@elsewhere.example")
	x.tenant("")
	_, end := x.run()
	end()
	s, err := state.Open(t.Context(), filepath.Join(x.dir, "data"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var list []state.Deed
	for i, tenant := range []string{dependentID, "", "bbbbbbbb-51b2-4c7d-8f01-9d2c6a7b0000"} {
		y := deed{tenant: tenant, at: time.Now().Add(-time.Minute), operation: fmt.Sprint("deed ", i), actor: "Kim"}
		list = append(list, y.row())
	}
	for range 2 { // the same again is no second
		if err := s.KeepDeeds(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d, end := x.run()
	defer end()
	until := time.Now().Add(time.Minute)
	for {
		left, err := d.state.Deeds(t.Context(), state.Deed{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("left: %+v", left)
		}
		time.Sleep(10 * time.Millisecond)
	}
	result, err := gateway{d}.Query(t.Context(), dependentID, console.Question{Text: `GlasswardAudit | where OperationName startswith "deed" | sort by OperationName asc | project OperationName, Actor`, Who: "test"})
	if err != nil || len(result.Rows) != 2 || fmt.Sprint(result.Rows[0][0]) != "deed 0" || fmt.Sprint(result.Rows[1][0]) != "deed 1" {
		t.Errorf("%+v %v", result, err)
	}
}

// A restart gives nobody fresh tries.
func TestWrongAnswersAreKept(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC)
	ctx := t.Context()
	restart := func(do func(*tally)) {
		t.Helper()
		s, err := state.Open(ctx, dir, state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		do(newTally(s, slog.New(slog.DiscardHandler)))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range wrongAtMost {
		restart(func(y *tally) {
			if !y.allowed(ctx, now, "oncall/kim", "t", 7) {
				t.Fatalf("try %d is not looked at", i)
			}
			if last := y.note(ctx, now, "Oncall/Kim", "t", 7, true); last != (i == wrongAtMost-1) {
				t.Errorf("try %d is the last: %v", i, last)
			}
		})
	}
	restart(func(y *tally) {
		if y.allowed(ctx, now.Add(answerPause), "oncall/kim", "t", 7) {
			t.Error("a restart gives fresh tries")
		}
		if !y.allowed(ctx, now, "oncall/lee", "t", 7) {
			t.Error("somebody else may not answer")
		}
		if !y.allowed(ctx, now.Add(answerPause+time.Second), "oncall/kim", "t", 7) {
			t.Error("the pause does not end")
		}
	})
	// Many letters, each with a few tries, about one incident.
	restart(func(y *tally) {
		for i := range aboutAtMost {
			y.note(ctx, now, fmt.Sprint("oncall/", i), "t", 8, false)
		}
	})
	restart(func(y *tally) {
		if y.allowed(ctx, now, "oncall/nobody", "t", 8) || !y.allowed(ctx, now, "oncall/nobody", "t", 9) {
			t.Error("what was tried about one incident is not counted")
		}
	})
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
