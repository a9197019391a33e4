package rule

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"glassward/kql/value"
)

// A grid is the windows of a Scheduled rule. Each covers period and ends at a
// multiple of frequency, counted from the year 1 as bin() counts; its beginning
// is inside it and its end is not. A window is named by the number of its end on
// the grid.
type grid struct {
	frequency, period value.Span
}

func newGrid(frequency, period time.Duration) grid {
	return grid{value.Span(frequency / 100), value.Span(period / 100)}
}

// bounds gives the window with the end n.
func (g grid) bounds(n int64) (from, to value.Ticks) {
	to = value.Ticks(n * int64(g.frequency))
	return to - value.Ticks(g.period), to
}

// last gives the newest window that is over at a time.
func (g grid) last(now value.Ticks) int64 { return floorDiv(int64(now), int64(g.frequency)) }

// covering gives the first and the last window in which an event at a time
// lies.
func (g grid) covering(t value.Ticks) (first, last int64) {
	return floorDiv(int64(t), int64(g.frequency)) + 1, floorDiv(int64(t)+int64(g.period), int64(g.frequency))
}

// coveringRange gives the windows in which an event from [from, to] may lie.
func (g grid) coveringRange(from, to value.Ticks) (first, last int64) {
	first, _ = g.covering(from)
	_, last = g.covering(to)
	return first, last
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// A run is the windows from first to last, both included.
type run struct{ first, last int64 }

// A windowSet is a set of windows as sorted runs that do not touch. The zero
// value is empty.
type windowSet []run

// add puts the windows from first to last in.
func (s *windowSet) add(first, last int64) {
	if first > last {
		return
	}
	// i is the first run that could touch the new one, j the first after it that
	// cannot.
	i, _ := slices.BinarySearchFunc(*s, first, func(r run, n int64) int {
		if r.last+1 < n {
			return -1
		}
		return 1
	})
	j := i
	for j < len(*s) && (*s)[j].first <= last+1 {
		first, last = min(first, (*s)[j].first), max(last, (*s)[j].last)
		j++
	}
	*s = slices.Replace(*s, i, j, run{first, last})
}

// remove takes the windows from first to last out.
func (s *windowSet) remove(first, last int64) {
	if first > last {
		return
	}
	out := make(windowSet, 0, len(*s)+1)
	for _, r := range *s {
		if r.last < first || r.first > last {
			out = append(out, r)
			continue
		}
		if r.first < first {
			out = append(out, run{r.first, first - 1})
		}
		if r.last > last {
			out = append(out, run{last + 1, r.last})
		}
	}
	*s = out
}

func (s windowSet) has(n int64) bool {
	for _, r := range s {
		if n <= r.last {
			return n >= r.first
		}
	}
	return false
}

// size is the number of windows in the set.
func (s windowSet) size() (n int64) {
	for _, r := range s {
		n += r.last - r.first + 1
	}
	return n
}

// windows gives the windows in ascending order.
func (s windowSet) windows() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for _, r := range s {
			for n := r.first; n <= r.last; n++ {
				if !yield(n) {
					return
				}
			}
		}
	}
}

func (s windowSet) clone() windowSet { return slices.Clone(s) }

// An instant is a time in a watermark: RFC 3339 with up to seven digits of the
// second.
type instant value.Ticks

func (t instant) MarshalJSON() ([]byte, error) {
	return json.Marshal(value.Ticks(t).String())
}

func (t *instant) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, ok := value.ParseDateTime(s)
	if !ok {
		return fmt.Errorf("%q is no time", s)
	}
	*t = instant(v)
	return nil
}

// stored gives a set as the ends of its runs, so that it can be read again
// after the rule's frequency was changed.
func (g grid) stored(s windowSet) [][2]instant {
	var out [][2]instant
	for _, r := range s {
		_, first := g.bounds(r.first)
		_, last := g.bounds(r.last)
		out = append(out, [2]instant{instant(first), instant(last)})
	}
	return out
}

// restored reads what stored wrote, on this or another grid: no window that
// ended in a run is lost.
func (g grid) restored(runs [][2]instant) windowSet {
	var s windowSet
	for _, r := range runs {
		first := -floorDiv(-int64(r[0]), int64(g.frequency))
		last := -floorDiv(-int64(r[1]), int64(g.frequency))
		s.add(first, last)
	}
	return s
}
