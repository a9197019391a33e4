package lag_test

import (
	"fmt"
	"testing"
	"time"

	"glassward/lag"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// TestFourWeeks lives four weeks of offices of different sizes, with the lag that
// Graph has, without a pulse. Nights and weekends are quiet and no alarm; on the
// last day the road is cut at eleven and it is measured when that is said.
func TestFourWeeks(t *testing.T) {
	for _, size := range []struct {
		name        string
		busy, night float64 // records an hour
		bound       time.Duration
	}{
		{"large", 3000, 60, 7 * time.Minute},
		{"middle", 300, 4, 12 * time.Minute},
		{"small", 60, 0.5, 28 * time.Minute},
	} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s/%d", size.name, seed), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, monday, seed)
				w.step = time.Minute
				c := w.road(lag.Road{Name: "graph", Tables: []string{"SigninLogs", "AADProvisioningLogs"}, Added: monday.Add(-72 * time.Hour)})
				c.lag, c.jitter, c.tail = 40*time.Second, 80*time.Second, 6*time.Minute
				w.flows = []*flow{{table: "SigninLogs", rate: office(size.busy, size.night)}}
				w.advance(monday.Add(28 * 24 * time.Hour))
				if len(w.told) > 0 {
					t.Errorf("%d false alarms in four weeks:\n%s", len(w.told), tellings(w.told))
				}
				cut := monday.Add(28*24*time.Hour + 11*time.Hour)
				w.advance(cut)
				w.told = nil
				c.hold = true
				for range 120 {
					w.advance(w.now.Add(30 * time.Second))
					if len(w.told) > 0 {
						break
					}
				}
				if len(w.told) == 0 {
					t.Fatal("the cut was not found in an hour")
				}
				s := w.state("graph", "SigninLogs")
				delay := w.told[0].At.Sub(cut)
				t.Logf("found %s after the cut; learned p99 %s", delay, s.Lag.P99)
				if s.State != lag.Silent || delay > size.bound {
					t.Errorf("state %s, found %s after the cut, the bound is %s\n%s", s.State, delay, size.bound, w.told[0].Detail)
				}
			})
		}
	}
}
