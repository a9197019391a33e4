package lag

import (
	"math"
	"math/bits"
	"time"
)

// How activity is counted. A slot in which anything happened is a beat: records
// come in clusters, and a beat is as good as a hundred records to say that a
// road lives.
const (
	slot      = 10 // seconds
	hourSlots = 3600 / slot
	ringSlots = 8 * hourSlots
	weekHours = 7 * 24
	unknown   = -1
)

// How sure silence must be. needed beats have to be missing: with beats that
// come by chance that happens once in 65 million gaps. Where life is less even
// than chance, half as much again as the greatest lull that was one is needed.
const (
	needed     = 18
	mostNeeded = 60
)

// A habit is how busy a road is with a table, by the hour of the week. It is
// about the times of events, so that a road's lag is no part of it.
type habit struct {
	// Ring has a bit for each slot of the eight hours up to Head, the newest slot
	// with a beat.
	Ring [ringSlots / 64]uint64
	Head int64
	// Rate are the beats to expect by hour of the week, unknown where none was
	// seen yet.
	Rate [weekHours]float64
	// Closed is the hour up to which Rate was learned, LastBeat the last beat
	// before it.
	Closed, LastBeat int64
	// Worst is the greatest lull that was one, in beats.
	Worst float64
}

func newHabit() habit {
	var h habit
	for i := range h.Rate {
		h.Rate[i] = unknown
	}
	return h
}

// beat notes an event.
func (h *habit) beat(unix int64) {
	at := unix / slot
	switch {
	case at == h.Head || at <= 0:
		return // nearly always, on a busy road
	case h.Head == 0 || at >= h.Head+ringSlots:
		h.Ring = [len(h.Ring)]uint64{}
		if h.Head == 0 {
			h.Closed = at/hourSlots + 1 // the first hour is not whole
		}
		h.Head = at
	case at > h.Head:
		for s := h.Head + 1; s <= at; s++ {
			i := s % ringSlots
			h.Ring[i/64] &^= 1 << (i % 64)
		}
		h.Head = at
	case at <= h.Head-ringSlots:
		return
	}
	i := at % ringSlots
	h.Ring[i/64] |= 1 << (i % 64)
}

// beats counts those in the slots [from, to).
func (h *habit) beats(from, to int64) (n int) {
	from, to = max(from, h.Head-ringSlots+1), min(to, h.Head+1)
	for from < to {
		i := from % ringSlots
		if i%64 == 0 && to-from >= 64 {
			n += bits.OnesCount64(h.Ring[i/64])
			from += 64
			continue
		}
		n += int(h.Ring[i/64] >> (i % 64) & 1)
		from++
	}
	return n
}

// rate gives the beats to expect in an hour, at a time in seconds. Between the
// middles of hours it goes by ratios, as mornings do, and it is never more than
// the hour had: to expect too little costs minutes, too much costs a false alarm.
func (h *habit) rate(at int64) float64 {
	hour := at / 3600
	here := h.Rate[hour%weekHours]
	beside, part := hour-1, float64(1800-at%3600)/3600
	if part < 0 {
		beside, part = hour+1, -part
	}
	other := h.Rate[(beside+weekHours)%weekHours]
	if here == unknown || other == unknown || other == here {
		return here
	}
	return min(here, (here+1)*math.Pow((other+1)/(here+1), part)-1)
}

// fading is how fast the activity before a lull is expected to end by itself,
// where nothing better is known: in its first week a road has never seen an
// evening.
const fading = 20 * 60.0 // seconds

// An expectation is how many beats should have come since a beat.
type expectation struct {
	h     *habit
	from  int64   // seconds
	ratio float64 // of the habit: today may be a quiet day
	last  float64 // beats an hour before it
}

func (h *habit) expect(from int64) expectation {
	from = max(from, weekHours*3600) // a record may claim to be of 1960
	e := expectation{h: h, from: from, ratio: 1}
	at := from/slot + 1
	// An activity that ends is expected to go on ending.
	e.last = float64(min(h.beats(at-hourSlots, at), 3*h.beats(at-hourSlots/3, at)))
	var usual float64
	for s := at - 2*hourSlots; s < at; {
		next := min((s/hourSlots+1)*hourSlots, at)
		r := h.Rate[s/hourSlots%weekHours]
		if r == unknown {
			return e
		}
		usual += r * float64(next-s) / hourSlots
		s = next
	}
	e.ratio = min(1, max(0.05, (float64(h.beats(at-2*hourSlots, at))+2)/(usual+2)))
	return e
}

// between gives the beats to expect in [a, b), a few minutes in seconds, and
// whether that was learned.
func (e expectation) between(a, b int64) (float64, bool) {
	if r := e.h.rate((a + b) / 2); r != unknown {
		return r * e.ratio * float64(b-a) / 3600, true
	}
	x, y := float64(a-e.from), float64(b-e.from)
	return e.last / 3600 * fading * (math.Exp(-x/fading) - math.Exp(-y/fading)), false
}

// step is how finely a habit is followed.
const step = 600 // seconds

// until gives the beats to expect before a time, and whether all of that was
// learned. It does not count beyond what is needed in any case.
func (e expectation) until(to int64) (sum float64, learned bool) {
	learned = true
	for a := max(e.from, to-14*24*3600); a < to && sum < 2*mostNeeded; {
		b := min((a/step+1)*step, to)
		n, known := e.between(a, b)
		sum += n
		learned = learned && known
		a = b
	}
	return sum, learned
}

// reach gives when so many beats should have come, 0 if not within a week.
func (e expectation) reach(want float64) int64 {
	for a := e.from; a < e.from+7*24*3600; {
		b := (a/step + 1) * step
		n, _ := e.between(a, b)
		if n >= want && n > 0 {
			return a + int64(float64(b-a)*want/n)
		}
		want -= n
		a = b
	}
	return 0
}

// need gives how many missing beats are no chance, half as many again where the
// hour is not learned.
func (h *habit) need(learned bool) float64 {
	n := min(mostNeeded, max(needed, 1.5*h.Worst))
	if !learned {
		n *= 1.5
	}
	return n
}

// learn takes the hours before one into the habit. Those that skip names were
// not seen as they were.
func (h *habit) learn(before int64, skip func(from, to int64) bool) {
	if h.Head == 0 {
		return
	}
	for h.Closed = max(h.Closed, before-6); h.Closed < before; h.Closed++ {
		from, to := h.Closed*hourSlots, (h.Closed+1)*hourSlots
		for s := max(from, h.Head-ringSlots+1); s < min(to, h.Head+1); s++ {
			i := s % ringSlots
			if h.Ring[i/64]>>(i%64)&1 == 0 {
				continue
			}
			if h.LastBeat > h.Head-ringSlots && s-h.LastBeat > 6 && !skip(h.LastBeat*slot, s*slot) {
				if lull, learned := h.expect(h.LastBeat * slot).until(s * slot); learned {
					h.Worst = max(h.Worst, lull)
				}
			}
			h.LastBeat = s
		}
		h.Worst *= math.Exp2(-1.0 / (14 * 24))
		if skip(from*slot, to*slot) {
			continue
		}
		r := &h.Rate[h.Closed%weekHours]
		if n := float64(h.beats(from, to)); *r == unknown {
			*r = n
		} else {
			*r += 0.35 * (n - *r)
		}
	}
}

// seconds gives a time as the habit counts it.
func seconds(t time.Time) int64 { return t.Unix() }
