package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// A tenant with many batches waiting delays one that comes later by what is under
// way, and by no more.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(1)
		hold, err := turns.take(t.Context(), "flood")
		if err != nil {
			t.Fatal(err)
		}
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
		gone, leave := context.WithCancel(t.Context())
		ask(gone, "left")
		ask(t.Context(), "calm")
		ask(t.Context(), "quiet")
		leave()
		synctest.Wait()
		hold()
		synctest.Wait()
		if got := order.String(); got != "fcqfff" {
			t.Errorf("turns came in the order %s", got)
		}
		if turns.free != 1 || len(turns.waiting) != 0 || len(turns.order) != 0 {
			t.Errorf("in the end %+v", turns)
		}
	})
}
