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
	var out [1]time.Duration
	h.quantiles([]float64{q}, out[:])
	return out[0]
}

// quantiles gives those of several shares, which rise.
func (h *histogram) quantiles(qs []float64, out []time.Duration) {
	var total, sum float64
	for _, c := range h.count {
		total += c
	}
	i := 0
	for b, c := range h.count {
		for ; c > 0 && i < len(qs) && sum+c >= total*qs[i]; i++ {
			low, high := floor(b), floor(b+1)
			out[i] = low + time.Duration(float64(high-low)*(total*qs[i]-sum)/c)
		}
		sum += c
	}
}

func (h *histogram) percentiles() Percentiles {
	var p [3]time.Duration
	h.quantiles([]float64{0.50, 0.95, 0.99}, p[:])
	return Percentiles{P50: p[0], P95: p[1], P99: p[2], N: h.n}
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
