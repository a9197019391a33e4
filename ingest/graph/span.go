package graph

import (
	"slices"
	"time"
)

// A span is a stretch of event time, both ends included. Its ends are whole
// seconds, so that a filter can say them exactly.
type span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

func (s span) width() time.Duration { return s.To.Sub(s.From) }
func (s span) empty() bool          { return !s.From.Before(s.To) }

// add gives the spans, ordered and disjoint, that cover the list and s. It does
// not change the list.
func add(list []span, s span) []span {
	if s.empty() {
		return slices.Clone(list)
	}
	out := make([]span, 0, len(list)+1)
	for _, o := range list {
		switch {
		case o.To.Before(s.From) || s.To.Before(o.From):
			out = append(out, o)
		default:
			s = span{earlier(s.From, o.From), later(s.To, o.To)}
		}
	}
	at, _ := slices.BinarySearchFunc(out, s, func(a, b span) int { return a.From.Compare(b.From) })
	return slices.Insert(out, at, s)
}

// remove gives what of the list lies outside s.
func remove(list []span, s span) []span {
	var out []span
	for _, o := range list {
		for _, left := range []span{{o.From, earlier(o.To, s.From)}, {later(o.From, s.To), o.To}} {
			if !left.empty() {
				out = append(out, left)
			}
		}
	}
	return out
}

// bounded joins the nearest spans until there are at most n: what lies between
// is read once more, and a cursor cannot grow without end.
func bounded(list []span, n int) []span {
	for len(list) > n {
		best := 1
		for i := 2; i < len(list); i++ {
			if list[i].From.Sub(list[i-1].To) < list[best].From.Sub(list[best-1].To) {
				best = i
			}
		}
		list[best-1].To = list[best].To
		list = slices.Delete(list, best, best+1)
	}
	return list
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
