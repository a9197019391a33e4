package lag_test

import (
	"testing"
	"time"
)

// BenchmarkTick asks a tracker of three streams that has learned two days.
func BenchmarkTick(b *testing.B) {
	w := troubled(b, 1)
	w.advance(monday.Add(34 * time.Hour))
	for b.Loop() {
		w.now = w.now.Add(time.Millisecond)
		w.tracker.Tick(w.now)
	}
	b.ReportMetric(float64(len(w.tracker.Memory())), "memory-bytes")
}
