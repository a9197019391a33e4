package daemon

import (
	"context"
	"errors"
	"strings"
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
			done, err := turns.take(t.Context(), tenant)
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		flood := take("flood")
		var order strings.Builder
		ask := func(ctx context.Context, tenant string) {
			go func() {
				done, err := turns.take(ctx, tenant)
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
		if turns.free != 2 || len(turns.waiting) != 0 || len(turns.order) != 0 || len(turns.holding) != 0 {
			t.Errorf("in the end %+v", turns)
		}
	})
}
