package logstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestCalm holds people's queries back while a calm is waited for, and rules
// never.
func TestCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calm
		began := func(class Class) chan error {
			done := make(chan error, 1)
			go func() { done <- c.begin(t.Context(), class) }()
			synctest.Wait()
			return done
		}
		is := func(done chan error, want bool) {
			t.Helper()
			synctest.Wait()
			if got := len(done) == 1; got != want {
				t.Errorf("began is %v", got)
			}
		}
		// Nothing runs: it is calm at once, and a query waits for the end of it.
		release, ok := c.hold(0)
		if !ok {
			t.Error("it is calm")
		}
		first := began(Interactive)
		is(first, false)
		rule := began(Rules)
		is(rule, true)
		release()
		is(first, true)
		// Two run: it is not calm, and who does not wait for it holds nobody back.
		if release, ok = c.hold(0); ok {
			t.Error("two queries run")
		}
		second := began(Interactive)
		is(second, true)
		release()
		// Who waits gets it when the last has ended.
		time.AfterFunc(3*time.Second, func() { c.end(); c.end(); c.end() })
		begin := time.Now()
		if release, ok = c.hold(5 * time.Second); !ok || time.Since(begin) != 3*time.Second {
			t.Error(ok, time.Since(begin))
		}
		third := began(Interactive)
		is(third, false)
		release()
		is(third, true)
		// Or gives up, and whom it held goes on.
		if release, ok = c.hold(5 * time.Second); ok {
			t.Error("one query runs")
		}
		fourth := began(Interactive)
		is(fourth, false)
		// Who is held back may give up too.
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if err := c.begin(ctx, Interactive); !errors.Is(err, gone) {
			t.Error(err)
		}
		release()
		is(fourth, true)
		c.end()
		c.end()
		if release, ok = c.hold(0); !ok {
			t.Error("all have ended")
		}
		release()
	})
}
