package logstore

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestGrowthStopsTheYoungest lets the process grow twice while queries of people and of rules run.
func TestGrowthStopsTheYoungest(t *testing.T) { synctest.Test(t, growthStopsTheYoungest) }

func growthStopsTheYoungest(t *testing.T) {
	has := int64(1000)
	g := growth{bound: 100, resident: func() int64 { return has }}
	said := make(chan string, 10)
	begin := func(name string, class Class) (release func()) {
		return g.watch(class, func(err error) {
			var much *MemoryError
			if !errors.As(err, &much) {
				t.Errorf("%s: %v", name, err)
			}
			said <- name
		})
	}
	grow := func(n int64) {
		g.mu.Lock()
		defer g.mu.Unlock()
		has += n
	}
	wait := func(want string) {
		t.Helper()
		select {
		case got := <-said:
			if got != want {
				t.Errorf("%q is stopped, not %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q is not stopped", want)
		}
	}
	first, second, rule := begin("first", Interactive), begin("second", Interactive), begin("rule", Rules)
	grow(101)
	wait("second")
	// One at a time: what it had may come back yet.
	grow(500)
	time.Sleep(5 * growthEvery)
	second()
	grow(101)
	wait("first")
	first()
	grow(101)
	wait("rule")
	rule()
	if len(said) > 0 || len(g.running) > 0 {
		t.Errorf("%s is stopped, too; %d run", <-said, len(g.running))
	}
	// Whoever comes later begins anew.
	begin("later", Interactive)()
	time.Sleep(5 * growthEvery)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.looking || len(said) > 0 {
		t.Error("nothing runs, and it goes on looking")
	}
}
