package lag

import (
	"fmt"
	"time"

	"glassward"
)

// Steps of the clock that matter.
const (
	leastStep   = 5 * time.Second // more than an hour's drift is slewed away
	leastOffset = time.Minute
)

// A hostClock is what is known of the host's clock.
type hostClock struct {
	// wrong says that people were told; since when, and how often the service has
	// said otherwise.
	wrong   bool
	since   time.Time
	strange int // offsets in a row that are too great
	fine    int // and that are not

	futures int
	firstAt time.Time
	ahead   time.Duration
}

// offset takes what a service's Date said.
func (h *hostClock) offset(t *Tracker, d time.Duration, _ time.Time) {
	t.offset = d
	if d.Abs() >= leastOffset {
		h.strange, h.fine = h.strange+1, 0
	} else {
		h.strange, h.fine = 0, h.fine+1
	}
}

// future notes a record from the future.
func (h *hostClock) future(now time.Time, ahead time.Duration) {
	if now.Sub(h.firstAt) > 10*time.Minute {
		h.futures, h.firstAt = 0, now
	}
	h.futures++
	h.ahead = max(ahead, h.ahead)
}

// jump gives by how much the wall clock moved more than time went by. A time
// without a monotonic reading tells nothing.
func jump(prev, now time.Time) time.Duration {
	return now.Round(0).Sub(prev.Round(0)) - now.Sub(prev)
}

// tick compares the wall clock with the time that went by.
func (h *hostClock) tick(t *Tracker, host time.Time) (Change, bool) {
	var step time.Duration
	if !t.prev.IsZero() {
		step = jump(t.prev, host)
	}
	t.prev = host
	return h.check(t, host, step)
}

// check judges the host's clock after a step of its wall time.
func (h *hostClock) check(t *Tracker, host time.Time, step time.Duration) (Change, bool) {
	if step.Abs() >= leastStep {
		t.offset -= step // until a service tells the time
	}
	now := t.service(host)
	c := Change{At: now, Road: "host", Cause: "clock", Subject: "host", Tell: true, Reason: "clock", Since: now, Severity: glassward.High}
	const todo = "\nSet the host's time service right (chronyc tracking, w32tm /query /status). Glassward reckons with the services' time meanwhile; times that the host itself gives are wrong by as much."
	switch {
	case step.Abs() >= leastStep:
		h.wrong, h.since, h.fine = true, now, 0
		way := "ahead"
		if step < 0 {
			way = "back"
		}
		c.Title = fmt.Sprintf("The host's clock jumped %s by %s", way, words(step.Abs()))
		c.Detail = fmt.Sprintf("It now says %s where %s was expected; a host that slept looks the same.", clock(host), clock(now)) + todo
		return c, true
	case !h.wrong && h.strange >= 2:
		h.wrong, h.since, h.fine = true, now, 0
		way := "behind"
		if t.offset < 0 {
			way = "ahead of"
		}
		c.Title = fmt.Sprintf("The host's clock is %s %s Microsoft's", words(t.offset.Abs()), way)
		c.Detail = fmt.Sprintf("It says %s, the services say %s.", clock(host), clock(now)) + todo
		return c, true
	case !h.wrong && h.futures >= 10 && now.Sub(h.firstAt) <= 10*time.Minute:
		h.wrong, h.since, h.fine = true, now, 0
		c.Title = "Records come from the future"
		c.Detail = fmt.Sprintf("%d records in ten minutes are of times up to %s after they were received: the host's clock is behind, or what sends them is ahead.", h.futures, words(h.ahead)) + todo
		h.futures, h.ahead = 0, 0
		return c, true
	case h.wrong && h.fine >= 2 && t.offset.Abs() < leastOffset:
		h.wrong = false
		c.Over, c.Since = true, h.since
		c.Title = "The host's clock agrees with Microsoft's again"
		return c, true
	}
	return Change{}, false
}
