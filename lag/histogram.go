package lag

import (
	"math/bits"
	"time"
)

// buckets of a histogram: four to a doubling, from a millisecond to 70 years, so
// that a percentile is off by an eighth at most.
const buckets = 164

// A histogram counts durations. Its counts are fractions because older ones are
// made to count less.
type histogram struct {
	n     float64
	count [buckets]float64
}

// bucket gives the bucket of a duration. What is negative is nothing.
func bucket(d time.Duration) int {
	ms := uint64(max(d, 0) / time.Millisecond)
	if ms < 4 {
		return int(ms)
	}
	octave := bits.Len64(ms) - 3 // the two bits below the first one divide it
	return min(octave*4+4+int(ms>>octave&3), buckets-1)
}

// floor gives the least duration of a bucket.
func floor(b int) time.Duration {
	if b < 4 {
		return time.Duration(b) * time.Millisecond
	}
	octave := b/4 - 1
	return time.Duration(uint64(4+b%4)<<octave) * time.Millisecond
}

func (h *histogram) add(d time.Duration, n float64) {
	h.count[bucket(d)] += n
	h.n += n
}

// quantile gives the duration below which the share q lies.
func (h *histogram) quantile(q float64) time.Duration {
	var sum float64
	for _, c := range h.count {
		sum += float64(c)
	}
	want, sum := sum*q, 0
	for b, c := range h.count {
		if c > 0 && sum+float64(c) >= want {
			low, high := floor(b), floor(b+1)
			return low + time.Duration(float64(high-low)*(want-sum)/float64(c))
		}
		sum += float64(c)
	}
	return 0
}

func (h *histogram) percentiles() Percentiles {
	return Percentiles{P50: h.quantile(0.50), P95: h.quantile(0.95), P99: h.quantile(0.99), N: float64(h.n)}
}

// fade makes all that was counted count less.
func (h *histogram) fade(by float64) {
	h.n *= by
	for i, c := range h.count {
		if c *= by; c < 1e-4 {
			h.n, c = max(h.n-c, 0), 0
		}
		h.count[i] = c
	}
}
