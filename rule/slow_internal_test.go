package rule

import (
	"testing"
	"time"
)

// Windows that take longer than the rule's frequency are counted in a row.
func TestSlowWindows(t *testing.T) {
	j := &judge{grid: newGrid(time.Minute, time.Hour)}
	for i, c := range []struct {
		took time.Duration
		slow int
	}{{30 * time.Second, 0}, {61 * time.Second, 1}, {5 * time.Minute, 2}, {time.Minute, 0}, {2 * time.Minute, 1}} {
		if j.lasted(c.took); j.slow != c.slow || j.took != c.took {
			t.Errorf("%d: %d in a row after %s", i, j.slow, c.took)
		}
	}
}
