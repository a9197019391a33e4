package daemon

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// A tenant with many batches waiting never has the last free turn, so that one
// that comes later goes at once; those that wait have one batch taken each before
// any has its second.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2)
		take := func(tenant string) func() {
			done, err := turns.take(t.Context(), tenant, turnRecords)
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		flood := take("flood")
		var order strings.Builder
		ask := func(ctx context.Context, tenant string) {
			go func() {
				done, err := turns.take(ctx, tenant, turnRecords)
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
				order.WriteString(tenant[:1])
				done()
			}()
			synctest.Wait()
		}
		for range 4 {
			ask(t.Context(), "flood")
		}
		ask(t.Context(), "calm")
		if got := order.String(); got != "c" {
			t.Errorf("beside a flood turns came in the order %q", got)
		}
		held := take("held")
		gone, leave := context.WithCancel(t.Context())
		ask(gone, "left")
		ask(t.Context(), "calm")
		ask(t.Context(), "quiet")
		ask(t.Context(), "calm")
		leave()
		synctest.Wait()
		held()
		synctest.Wait()
		// The flood still has its one, and the last is not for it.
		if got := order.String(); got != "ccqc" {
			t.Errorf("after that, in the order %q", got)
		}
		flood()
		synctest.Wait()
		if got := order.String(); got != "ccqcffff" {
			t.Errorf("in the end, in the order %q", got)
		}
		if turns.free != 2 || len(turns.waiting) != 0 || len(turns.order) != 0 || len(turns.holding) != 0 || len(turns.newest) != 0 {
			t.Errorf("in the end %+v", turns)
		}
	})
}

// Small batches share a turn until it is full, also while others wait, and those that
// waited go together.
func TestSmallBatchesShareATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2)
		var mu sync.Mutex
		var done []func()
		ask := func(tenant string, records int) {
			go func() {
				d, err := turns.take(t.Context(), tenant, records)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				done = append(done, d)
			}()
			synctest.Wait()
		}
		under := func(want int) {
			t.Helper()
			if len(done) != want {
				t.Fatalf("%d batches are under way, want %d", len(done), want)
			}
		}
		ask("flood", 400)
		ask("flood", 600)
		under(2)
		ask("flood", 1) // its turn is full, and the last free one is not for it
		ask("flood", turnRecords-1)
		ask("flood", 1)
		under(2)
		ask("calm", turnRecords+1)
		under(3)
		done[0]()
		synctest.Wait()
		under(3)
		done[1]() // with its last batch the turn is free: two of those that wait share it
		synctest.Wait()
		under(5)
		done[3]()
		done[4]()
		synctest.Wait()
		under(6)
		done[2]()
		done[5]()
		synctest.Wait()
		if turns.free != 2 || len(turns.waiting) != 0 || len(turns.order) != 0 || len(turns.holding) != 0 || len(turns.newest) != 0 {
			t.Errorf("in the end %+v", turns)
		}
	})
}
