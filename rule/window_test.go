package rule

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"glassward/kql/value"
)

func at(text string) value.Ticks {
	t, ok := value.ParseDateTime(text)
	if !ok {
		panic(text)
	}
	return t
}

func TestGrid(t *testing.T) {
	g := newGrid(5*time.Minute, time.Hour)
	n := g.last(at("2026-03-02T10:07:00Z"))
	from, to := g.bounds(n)
	if from != at("2026-03-02T09:05:00Z") || to != at("2026-03-02T10:05:00Z") {
		t.Errorf("the last window at 10:07 is %v to %v", from, to)
	}
	// An event at 10:02 lies in the twelve windows that end from 10:05 to 11:00.
	first, last := g.covering(at("2026-03-02T10:02:00Z"))
	_, a := g.bounds(first)
	_, b := g.bounds(last)
	if a != at("2026-03-02T10:05:00Z") || b != at("2026-03-02T11:00:00Z") || last-first != 11 {
		t.Errorf("10:02 lies in windows ending %v to %v", a, b)
	}
	// A window's beginning is inside it, its end is not.
	first, last = g.covering(at("2026-03-02T10:00:00Z"))
	_, a = g.bounds(first)
	_, b = g.bounds(last)
	if a != at("2026-03-02T10:05:00Z") || b != at("2026-03-02T11:00:00Z") {
		t.Errorf("10:00 lies in windows ending %v to %v", a, b)
	}
}

func TestGridCovering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Int64Range(1, 20).Draw(t, "frequency")
		g := grid{value.Span(f), value.Span(rapid.Int64Range(f, 60).Draw(t, "period"))}
		x := value.Ticks(rapid.Int64Range(-100, 1000).Draw(t, "time"))
		first, last := g.covering(x)
		for n := first - 3; n <= last+3; n++ {
			from, to := g.bounds(n)
			if inside := from <= x && x < to; inside != (first <= n && n <= last) {
				t.Fatalf("grid %v: %v in window %d [%v,%v): %v, covering gives %d to %d", g, x, n, from, to, inside, first, last)
			}
		}
	})
}

func TestWindowSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s windowSet
		naive := map[int64]bool{}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			a := rapid.Int64Range(-20, 60).Draw(t, "first")
			b := a + rapid.Int64Range(-1, 15).Draw(t, "length")
			if rapid.Bool().Draw(t, "add") {
				s.add(a, b)
				for n := a; n <= b; n++ {
					naive[n] = true
				}
			} else {
				s.remove(a, b)
				for n := a; n <= b; n++ {
					delete(naive, n)
				}
			}
			want := slices.Sorted(maps.Keys(naive))
			if got := slices.Collect(s.windows()); !slices.Equal(got, want) {
				t.Fatalf("the set is %v, want %v", got, want)
			}
			for i := 1; i < len(s); i++ {
				if s[i].first <= s[i-1].last+1 {
					t.Fatalf("runs touch: %v", s)
				}
			}
			if s.size() != int64(len(naive)) || s.has(a) != naive[a] {
				t.Fatalf("size %d, has(%d) %v; want %d, %v", s.size(), a, s.has(a), len(naive), naive[a])
			}
		}
		g := grid{7, 21}
		if again := g.restored(g.stored(s)); !slices.Equal(again, s) {
			t.Fatalf("stored and restored: %v, want %v", again, s)
		}
	})
}
