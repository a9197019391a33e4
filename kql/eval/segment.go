package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"glassward/kql/value"
)

// The plugins autocluster, basket and diffpatterns look for segments: values of some columns that many rows
// share. Each is given the different rows, in which a number stands for a value of a column and -1 for one
// that is not frequent, as bags are given to reduce.

// Bounds on the search for segments. maxVisits counts cells that are looked at, some seconds' worth.
const (
	maxVisits   = 1_000_000_000
	maxSegments = 10_000
	maxWeighed  = 1_000 // candidates of diffpatterns that are held against each other
)

func segmentFunctions() []Function {
	params := types(tDyn, tReal, tReal, tReal, tLong)
	return []Function{
		segmentFunction("autocluster_segments", params, autocluster),
		segmentFunction("basket_segments", params, basket),
		segmentFunction("diffpatterns_segments", params, diffpatterns),
	}
}

// segmentFunction makes a function of: the rows, each an array of two weights and the values; what the
// weights amount to in all; a number between 0 and 1, and a whole one. It gives an array for each segment:
// its number, its two weights, what they are of all in percent, how much these differ, and its values.
func segmentFunction(name string, params []value.Type, find func(t *segmentTable, share float64, n int64) ([]segment, error)) Function {
	f := nfn(name, params, tDyn, nil)
	f.Call = func(a []any) (any, error) {
		plugin := strings.TrimSuffix(name, "_segments")
		t, err := readSegmentTable(str(a[0]))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", plugin, err)
		}
		// What a list of rows has no room for is missing in it.
		if whole := real(a[1], 0) + real(a[2], 0); math.Abs(t.total[0]+t.total[1]-whole) > 1e-6*max(1, whole) {
			return nil, fmt.Errorf("%s: there are too many different rows; project fewer columns", plugin)
		}
		found, err := find(t, real(a[3], 0), long(a[4], 0))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", plugin, err)
		}
		out := make([]any, len(found))
		for i, s := range found {
			a, b := t.percent(s, 0), t.percent(s, 1)
			cells := []any{int64(i), s.weight[0], s.weight[1], a, b, math.Abs(a - b)}
			for _, v := range s.values {
				cells = append(cells, int64(v))
			}
			out[i] = cells
		}
		return js(out), nil
	}
	return f
}

// segmentTable are different rows of whole numbers with their weights in one set of records or two.
type segmentTable struct {
	cols    int
	cells   []int32 // row by row; -1 where no value is frequent
	weights [][2]float64
	total   [2]float64
	first   []int // where a column's values begin among all of them
	items   int
	visits  int
}

// segment is some values, -1 for a column of which any will do.
type segment struct {
	values []int32
	weight [2]float64
	chosen []item // values that single out its rows
}

// item is a value of a column.
type item struct{ col, value int32 }

// readSegmentTable reads an array of arrays of numbers. They are millions, too many to be made values of first.
func readSegmentTable(text string) (*segmentTable, error) {
	t := &segmentTable{}
	var most []int32
	at := 0
	next := func(set string) string {
		for at < len(text) && strings.IndexByte(" ,\n", text[at]) >= 0 {
			at++
		}
		start := at
		for at < len(text) && strings.IndexByte(set, text[at]) >= 0 {
			at++
		}
		return text[start:at]
	}
	const digits = "0123456789+-.eE"
	if text != "" && !strings.HasPrefix(text, "[") {
		return nil, fmt.Errorf("the rows are no list")
	}
	for at = 1; at < len(text); {
		if b := next("["); b != "[" {
			break
		}
		var w [2]float64
		for i := range w {
			f, err := strconv.ParseFloat(next(digits), 64)
			if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
				return nil, fmt.Errorf("a row has no weight")
			}
			w[i] = max(0, f)
			t.total[i] += w[i]
		}
		cols := 0
		for word := next(digits); word != ""; word = next(digits) {
			n, err := strconv.Atoi(word)
			if err != nil || n < 0 || n >= MaxItems {
				n = -1
			}
			if len(t.weights) == 0 {
				most = append(most, 0)
			} else if cols >= len(most) {
				return nil, fmt.Errorf("rows are of several lengths")
			}
			t.cells = append(t.cells, int32(n))
			most[cols] = max(most[cols], int32(n)+1)
			cols++
		}
		if cols != len(most) || next("]") == "" {
			return nil, fmt.Errorf("rows are of several lengths")
		}
		t.weights = append(t.weights, w)
	}
	t.cols = len(most)
	for _, m := range most {
		t.first = append(t.first, t.items)
		t.items += int(m)
	}
	return t, nil
}

func (t *segmentTable) row(i int32) []int32 { return t.cells[int(i)*t.cols : (int(i)+1)*t.cols] }

// end gives where the values of a column end among all of them.
func (t *segmentTable) end(col int) int {
	if col+1 < len(t.first) {
		return t.first[col+1]
	}
	return t.items
}

func (t *segmentTable) index(it item) int { return t.first[it.col] + int(it.value) }

// all gives all rows.
func (t *segmentTable) all() []int32 {
	rows := make([]int32, len(t.weights))
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// with gives those of rows that have the values.
func (t *segmentTable) with(rows []int32, items ...item) []int32 {
	t.visits += len(rows) * len(items)
	var out []int32
	for _, r := range rows {
		cells := t.row(r)
		if !slices.ContainsFunc(items, func(it item) bool { return cells[it.col] != it.value }) {
			out = append(out, r)
		}
	}
	return out
}

// count tells of some rows what each value weighs among them, by its index.
func (t *segmentTable) count(rows []int32) [][2]float64 {
	t.visits += len(rows)*t.cols + t.items
	out := make([][2]float64, t.items)
	for _, r := range rows {
		w := t.weights[r]
		for c, v := range t.row(r) {
			if v >= 0 {
				n := &out[t.first[c]+int(v)]
				n[0] += w[0]
				n[1] += w[1]
			}
		}
	}
	return out
}

// closed gives the segment of rows that were chosen by some values: all values that they share.
func (t *segmentTable) closed(rows []int32, chosen []item) segment {
	t.visits += len(rows) * t.cols
	s := segment{values: slices.Clone(t.row(rows[0])), chosen: chosen}
	for _, r := range rows {
		s.weight[0] += t.weights[r][0]
		s.weight[1] += t.weights[r][1]
		for c, v := range t.row(r) {
			if s.values[c] != v {
				s.values[c] = -1
			}
		}
	}
	return s
}

func (s *segment) dimensions() int {
	n := 0
	for _, v := range s.values {
		if v >= 0 {
			n++
		}
	}
	return n
}

func (s *segment) key() string {
	var b strings.Builder
	for _, v := range s.values {
		b.WriteString(strconv.Itoa(int(v)))
		b.WriteByte(',')
	}
	return b.String()
}

// largest puts segments into the order in which Kusto shows them: by weight times the number of values.
func largest(list []segment) []segment {
	slices.SortStableFunc(list, func(a, b segment) int {
		return cmp.Or(cmp.Compare(b.weight[0]*float64(b.dimensions()), a.weight[0]*float64(a.dimensions())),
			cmp.Compare(b.weight[0], a.weight[0]), slices.Compare(a.values, b.values))
	})
	return list
}

// frequent finds the segments that are frequent by the rule, of those with the same rows the one with all their
// values. most bounds how many values single one out. It stops with false when it has looked long enough.
func (t *segmentTable) frequent(rule func(w [2]float64) bool, most int64) ([]segment, bool) {
	var out []segment
	seen := map[string]bool{}
	whole := t.all()
	if len(whole) == 0 {
		return nil, true
	}
	level := [][]item{nil}
	if s := t.closed(whole, nil); s.dimensions() > 0 && rule(s.weight) {
		out, seen[s.key()] = append(out, s), true
	}
	for depth := int64(1); depth <= most && len(level) > 0; depth++ {
		var next [][]item
		for _, chosen := range level {
			rows := t.with(whole, chosen...)
			base := t.closed(rows, nil)
			counts := t.count(rows)
			for c := range base.values {
				for i := t.first[c]; i < t.end(c); i++ {
					it := item{int32(c), int32(i - t.first[c])}
					if base.values[c] >= 0 || !rule(counts[i]) {
						continue
					}
					if t.visits > maxVisits || len(out) > maxSegments {
						return out, false
					}
					s := t.closed(t.with(rows, it), append(slices.Clone(chosen), it))
					if k := s.key(); !seen[k] {
						seen[k] = true
						out = append(out, s)
						next = append(next, s.chosen)
					}
				}
			}
		}
		level = next
	}
	return out, true
}

// basket finds all segments that hold a share of the weight.
func basket(t *segmentTable, share float64, most int64) ([]segment, error) {
	out, all := t.frequent(func(w [2]float64) bool { return w[0] > 0 && w[0] >= share*t.total[0] }, most)
	if !all {
		return nil, fmt.Errorf("there are too many patterns; raise the threshold or project fewer columns")
	}
	return largest(out), nil
}

// diffpatterns finds segments whose shares of two sets differ by a threshold. Those that differ most come
// first, and one is left out if it says nothing beyond those before it: the rows that are its own do not
// differ in the same way.
func diffpatterns(t *segmentTable, share float64, most int64) ([]segment, error) {
	if t.total[0] <= 0 || t.total[1] <= 0 {
		return nil, nil
	}
	diff := func(w [2]float64) float64 { return w[0]/t.total[0] - w[1]/t.total[1] }
	list, _ := t.frequent(func(w [2]float64) bool { return w[0] >= share*t.total[0] || w[1] >= share*t.total[1] }, most)
	list = slices.DeleteFunc(list, func(s segment) bool { return math.Abs(diff(s.weight)) < share })
	slices.SortStableFunc(list, func(a, b segment) int {
		return cmp.Or(cmp.Compare(math.Abs(diff(b.weight)), math.Abs(diff(a.weight))), cmp.Compare(b.dimensions(), a.dimensions()), slices.Compare(a.values, b.values))
	})
	var out []segment
	rest := t.all()
	for _, s := range list[:min(len(list), maxWeighed)] {
		var own [2]float64
		for _, r := range t.with(rest, s.chosen...) {
			own[0] += t.weights[r][0]
			own[1] += t.weights[r][1]
		}
		if d := diff(own); math.Abs(d) < share || d > 0 != (diff(s.weight) > 0) {
			continue
		}
		out = append(out, s)
		rest = t.without(rest, s)
	}
	return out, nil
}

// percent gives what a segment's weight is of all.
func (t *segmentTable) percent(s segment, set int) float64 {
	if t.total[set] <= 0 {
		return 0
	}
	return 100 * s.weight[set] / t.total[set]
}

// without gives those of rows that are not the segment's.
func (t *segmentTable) without(rows []int32, s segment) []int32 {
	var out []int32
	for _, r := range rows {
		cells := t.row(r)
		for c, v := range s.values {
			if v >= 0 && cells[c] != v {
				out = append(out, r)
				break
			}
		}
	}
	return out
}

// scored is a segment with what autocluster thinks of it.
type scored struct {
	segment
	score float64
}

// leastScore is the part of the best segment's score that another must have.
const leastScore = 0.25

// autocluster finds some segments that tell much of the rows. A seed is a value that many rows have; it grows,
// value by value, as its score does. The score weighs how many rows a segment has against how much its
// values say, of which those that nearly all rows have say little. Then the next is sought among the rows
// that are left.
func autocluster(t *segmentTable, weight float64, seeds int64) ([]segment, error) {
	whole := t.all()
	if len(whole) == 0 {
		return nil, nil
	}
	says := make([]float64, t.items)
	for i, w := range t.count(whole) {
		says[i] = max(1-w[0]/t.total[0], 0.01)
	}
	score := func(s segment) float64 {
		about := 0.0
		for c, v := range s.values {
			if v >= 0 {
				about += says[t.first[c]+int(v)]
			}
		}
		return math.Pow(s.weight[0]/t.total[0], weight) * math.Pow(about/float64(t.cols), 1-weight)
	}
	var out []segment
	best := 0.0
	rest := whole
	for int64(len(out)) < seeds && len(rest) > 0 && t.visits <= maxVisits {
		var grown []scored
		for _, seed := range t.seeds(rest, seeds) {
			if t.visits > maxVisits {
				break
			}
			grown = append(grown, t.grow(rest, seed, score))
		}
		slices.SortStableFunc(grown, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
		found := false
		for _, g := range grown {
			if g.score == 0 || g.score < leastScore*best {
				break
			}
			// Its values are those that all its rows share, not only those that are left. Most of its rows must be left,
			// or it tells again what others told.
			s := t.closed(t.with(whole, g.chosen...), g.chosen)
			if g.weight[0] < s.weight[0]/2 {
				continue
			}
			out, found, best = append(out, s), true, max(best, g.score)
			rest = t.without(rest, s)
			break
		}
		if !found {
			break
		}
	}
	return largest(out), nil
}

// several is the weight below which rows are too few to have something in common: two records, or little where
// the weights are small.
func (t *segmentTable) several() float64 { return min(2, t.total[0]/10) }

// seeds gives the heaviest values of some rows.
func (t *segmentTable) seeds(rows []int32, n int64) []item {
	counts, least := t.count(rows), t.several()
	var out []item
	for c, first := range t.first {
		for i := first; i < t.end(c); i++ {
			if counts[i][0] >= least {
				out = append(out, item{int32(c), int32(i - first)})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b item) int {
		return cmp.Or(cmp.Compare(counts[t.index(b)][0], counts[t.index(a)][0]), cmp.Compare(a.col, b.col), cmp.Compare(a.value, b.value))
	})
	return out[:min(int64(len(out)), n)]
}

// grow adds to a value the one that leaves the best score, again and again, and gives the best of all.
func (t *segmentTable) grow(rows []int32, seed item, score func(segment) float64) scored {
	rows = t.with(rows, seed)
	if len(rows) == 0 {
		return scored{}
	}
	now := t.closed(rows, []item{seed})
	best := scored{now, score(now)}
	for t.visits <= maxVisits {
		counts := t.count(rows)
		var add item
		heaviest := 0.0
		for c, v := range now.values {
			if v >= 0 {
				continue
			}
			for i := t.first[c]; i < t.end(c); i++ {
				if counts[i][0] > heaviest {
					add, heaviest = item{int32(c), int32(i - t.first[c])}, counts[i][0]
				}
			}
		}
		if heaviest < t.several() {
			break
		}
		rows = t.with(rows, add)
		now = t.closed(rows, append(slices.Clone(now.chosen), add))
		if n := score(now); n > best.score {
			best = scored{now, n}
		}
	}
	return best
}
