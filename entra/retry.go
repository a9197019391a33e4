package entra

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	firstPause   = 10 * time.Second
	longestPause = 5 * time.Minute
	// longestGate bounds what we believe of a Retry-After: asking once an hour hurts
	// nobody, and a service or a proxy that says "next year" must not silence us.
	longestGate = time.Hour
)

// retryAfter reads how long a service wants to be left alone: seconds, whole or
// with a fraction, or a date, which is compared with the answer's own Date so
// that our clock has no part in it. Zero means that it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if d := seconds(h.Get(name), 1e-3); d > 0 {
			return d
		}
	}
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if d := seconds(text, 1); d > 0 {
		return d
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if d := at.Sub(now); d > 0 {
		return min(d, longestGate)
	}
	return 0
}

// RetryAfter reads from the headers of a response how long the service wants to be
// left alone; zero if it does not say. A response within a $batch has headers of its
// own.
func RetryAfter(h http.Header, now time.Time) time.Duration { return retryAfter(h, now) }

// seconds reads a positive decimal number of units.
func seconds(text string, unit float64) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(n) || n <= 0 {
		return 0
	}
	if n*unit >= longestGate.Seconds() {
		return longestGate
	}
	return max(time.Duration(n*unit*float64(time.Second)), time.Nanosecond)
}

// A Backoff says how long to wait after a failure: about twice as long each
// time, with jitter, up to a ceiling, and never less than the service asked for.
// The zero value begins at ten seconds and ends at five minutes. It belongs to
// one goroutine.
type Backoff struct {
	First, Ceiling time.Duration
	failures       int
}

// Next gives the pause after a failure.
func (b *Backoff) Next(err error) time.Duration {
	d := pause(b.First, b.Ceiling, b.failures)
	b.failures++
	var f *Fault
	if errors.As(err, &f) && f.RetryAfter > d {
		// A little more than asked, or all who were refused come back at once.
		d = f.RetryAfter + rand.N(f.RetryAfter/10+time.Millisecond)
	}
	return d
}

// pause is the n-th pause: between three quarters and the whole of first·2ⁿ.
func pause(first, ceiling time.Duration, n int) time.Duration {
	if first <= 0 {
		first = firstPause
	}
	if ceiling <= 0 {
		ceiling = longestPause
	}
	d := ceiling
	if n < 32 && first < ceiling>>n {
		d = first << n
	}
	return d - rand.N(d/4+1)
}

// Failures is how many failures came since the last success.
func (b *Backoff) Failures() int { return b.failures }

// Reset forgets the failures, after a success.
func (b *Backoff) Reset() { b.failures = 0 }

// Wait sleeps through the pause after a failure. It gives the context's error if
// that ends first.
func (b *Backoff) Wait(ctx context.Context, err error) error {
	t := time.NewTimer(b.Next(err))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
