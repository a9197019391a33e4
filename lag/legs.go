package lag

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Leg is a part of the way from an event to the person who knows of it.
type Leg string

// The legs. The first two are of a source, the others of a receiver.
const (
	EventToReceipt  Leg = "event → receipt"
	ReceiptToAlert  Leg = "receipt → alert"
	AlertToDelivery Leg = "alert → delivery"
	DeliveryToAck   Leg = "delivery → acknowledgement"
)

var legOrder = []Leg{EventToReceipt, ReceiptToAlert, AlertToDelivery, DeliveryToAck}

const (
	// mostLegs bounds how many sources and receivers are told apart.
	mostLegs = 2000
	// legsFadeEvery and legsFade make what is older count less: half after a week.
	legsFadeEvery = 24 * time.Hour
	legsFade      = 0.9
	// worstKept is how long the worst is remembered.
	worstKept = 30 * 24 * time.Hour
)

// LegTimes are how long a leg takes, by source or receiver.
type LegTimes struct {
	Tenant string
	Leg    Leg
	// Of is the source or the receiver.
	Of string
	Percentiles
	// Worst is the longest within thirty days, at WorstAt.
	Worst   time.Duration
	WorstAt time.Time
}

type legKey struct {
	tenant string
	leg    Leg
	of     string
}

type leg struct {
	Histogram histogram
	Worst     time.Duration
	WorstAt   time.Time
}

// Legs measures legs. It may be used by several goroutines at once.
type Legs struct {
	mu    sync.Mutex
	m     map[legKey]*leg
	aged  time.Time
	dirty bool
}

// Took notes that a leg took so long, n times, as was found at a time. What is
// negative, as when a clock was set back, counts as nothing.
func (l *Legs) Took(tenant string, of Leg, name string, d time.Duration, n int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil {
		l.m = map[legKey]*leg{}
	}
	k := legKey{tenant, of, name}
	x := l.m[k]
	if x == nil {
		if len(l.m) >= mostLegs {
			return
		}
		x = &leg{}
		l.m[k] = x
	}
	l.dirty = true
	d = max(d, 0)
	x.Histogram.add(d, float64(n))
	if d >= x.Worst {
		x.Worst, x.WorstAt = d, at.UTC()
	}
}

// age makes what is older count less.
func (l *Legs) age(now time.Time) {
	if l.aged.IsZero() || now.Before(l.aged) {
		l.aged = now
	}
	if now.Sub(l.aged) < legsFadeEvery {
		return
	}
	l.aged = now
	for k, x := range l.m {
		x.Histogram.fade(legsFade)
		if now.Sub(x.WorstAt) > worstKept {
			// The worst of the rest is not known apart; its 99th percentile is.
			x.Worst, x.WorstAt = x.Histogram.quantile(0.99), now.UTC()
		}
		if x.Histogram.n < 0.01 {
			delete(l.m, k)
		}
	}
	l.dirty = true
}

// List gives what was measured, by tenant, leg and name.
func (l *Legs) List(now time.Time) []LegTimes {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age(now)
	var out []LegTimes
	for k, x := range l.m {
		t := LegTimes{Tenant: k.tenant, Leg: k.leg, Of: k.of, Percentiles: x.Histogram.percentiles(), Worst: x.Worst, WorstAt: x.WorstAt}
		// A bucket ends behind what lies in it.
		t.P50, t.P95, t.P99 = min(t.P50, t.Worst), min(t.P95, t.Worst), min(t.P99, t.Worst)
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b LegTimes) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(slices.Index(legOrder, a.Leg), slices.Index(legOrder, b.Leg)), cmp.Compare(a.Of, b.Of))
	})
	return out
}

type legMemory struct {
	Aged time.Time
	Legs []legEntry
}

type legEntry struct {
	Tenant string
	Leg    Leg
	Of     string
	leg
}

// Memory gives what was measured, to be kept, and false if nothing has changed since
// it was given last.
func (l *Legs) Memory(now time.Time) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age(now)
	if !l.dirty {
		return nil, false
	}
	m := legMemory{Aged: l.aged}
	for k, x := range l.m {
		m.Legs = append(m.Legs, legEntry{k.tenant, k.leg, k.of, *x})
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic("lag: legs that cannot be written: " + err.Error()) // there is nothing in them that cannot be
	}
	l.dirty = false
	return text, true
}

// Restore takes up what Memory gave, but for tenants that are not there any more.
func (l *Legs) Restore(text []byte, there func(tenant string) bool) error {
	var m legMemory
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("how long alarms took cannot be read and is measured anew: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.m, l.aged = map[legKey]*leg{}, m.Aged
	for _, e := range m.Legs {
		if len(l.m) < mostLegs && (e.Tenant == "" || there(e.Tenant)) {
			x := e.leg
			l.m[legKey{e.Tenant, e.Leg, e.Of}] = &x
		}
	}
	return nil
}
