package graph_test

import (
	"runtime"
	"testing"
	"time"

	"glassward/directory"
	"glassward/directory/graph"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// What is held in memory does not grow with the number of people: their pages go to
// the disk as they come. How long it takes is the vendor's limits' affair, and said.
func TestLargeTenant(t *testing.T) {
	const users = 15000 // of 150,000 it takes two minutes of the clock, and the memory is the same
	play(t, users, cloud.Limits{}, func(x *tenant) {
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		var peak uint64
		began := time.Now()
		_, err := graph.Read(x.t.Context(), graph.Options{Graph: x.graph, Tenant: x.world.Tenant().ID, Dir: x.dir, Accounts: []string{entrasim.EA01}, Progress: func(p directory.Part, n, _ int) {
			if p == directory.Users && n%1200 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		t.Logf("%d people: %s by the vendor's limits, %d KB more memory at most", users, took.Round(time.Second), peak>>10)
		if peak > 16<<20 || took > 5*time.Minute {
			t.Errorf("%d bytes, %s", peak, took)
		}
	})
}
