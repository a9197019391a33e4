package lag

import (
	"sync"
	"time"
)

// A Step is a part of a record's way.
type Step uint8

// The steps: from the event until we received its record, until it was committed,
// until the rules had judged it, until the first receiver took the alert; and
// from the event to the receiver as a whole.
const (
	Received Step = iota
	Committed
	Judged
	Told
	Whole
	steps
)

// String names the step.
func (s Step) String() string {
	return [...]string{"event → received", "received → committed", "committed → judged", "judged → told", "event → told"}[s]
}

// A Way measures how long records take from the event to the alarm.
type Way struct {
	mu sync.Mutex
	h  [steps]histogram
}

// NewWay makes a Way that has measured nothing.
func NewWay() *Way { return &Way{} }

// Took notes that n records took so long for a step.
func (w *Way) Took(s Step, d time.Duration, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.h[s].add(d, float64(n))
}

// Percentiles gives what was measured of a step.
func (w *Way) Percentiles(s Step) Percentiles {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.h[s].percentiles()
}
