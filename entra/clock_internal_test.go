package entra

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestReading holds that time that goes by changes nothing of what is known of the
// service's clock, that a host clock that was set changes it by as much, and that a
// time without a monotonic reading tells nothing.
func TestReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := reading{offset: time.Minute, at: time.Now()}
		time.Sleep(time.Hour)
		for _, now := range []time.Time{time.Now(), time.Now().Round(0)} {
			if d := r.later(now); d != time.Minute {
				t.Errorf("after an hour %s", d)
			}
		}
		// In ten minutes our clock went on by an hour more, or by an hour less.
		for _, step := range []time.Duration{time.Hour, -time.Hour} {
			if d := r.after(10*time.Minute+step, 10*time.Minute); d != time.Minute-step {
				t.Errorf("after a step of %s: %s", step, d)
			}
		}
	})
}
