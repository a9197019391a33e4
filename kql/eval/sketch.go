package eval

import (
	"encoding/base64"
	"math"
	"math/bits"
	"slices"
	"sort"
	"strconv"

	"glassward/kql/value"
)

// sketchFunctions are hll and tdigest: what dcount and percentile need to know of many values, in little
// space. Their form is our own, and they are exact as long as there are few values. Microsoft's sketches
// cannot be read.
//
// hll is [[1024, precision], ["hash", …], []] while there are at most 1/8 of 2^precision hashes, as Kusto
// shows it, and afterwards [[1024, precision], [], ["registers in base64"]]. tdigest is [["type"],
// [value, …], [weight, …]] with the values in order; from 2048 values on, neighbours are joined in their
// middle, fewer near the ends.
func sketchFunctions() []Function {
	return []Function{
		// The aggregate gives the hashes of its values as an array.
		nfn("hll_of", types(tDyn, tLong), tDyn, func(a []any) any {
			h := newHLL(a[1])
			list, _ := array(a[0])
			for _, e := range list {
				h.add(uint64(long(e, 0)))
			}
			return h.json()
		}),
		nfn("hll_merge_all", types(tDyn), tDyn, func(a []any) any {
			list, _ := array(a[0])
			return mergeHLL(list)
		}),
		vfn("hll_merge", types(tDyn), tDyn, func(a []any) any {
			list, _ := array(a[0])
			return mergeHLL(list)
		}),
		vfn("hll_intersect", types(tDyn), tDyn, func(a []any) any {
			list, _ := array(a[0])
			return intersectHLL(list)
		}),
		fn("dcount_hll", types(tDyn), tLong, func(a []any) any {
			h, ok := readHLL(dyn(a[0]))
			if !ok {
				return nil
			}
			return h.count()
		}),
		// The aggregate gives its values as an array, those with a weight as pairs, and their type.
		nfn("tdigest_of", types(tDyn, tStr), tDyn, func(a []any) any {
			d := &digest{kind: str(a[1])}
			list, _ := array(a[0])
			for _, e := range list {
				d.addPair(e)
			}
			return d.json()
		}),
		nfn("tdigest_merge_all", types(tDyn), tDyn, func(a []any) any {
			list, _ := array(a[0])
			return mergeDigests(list)
		}),
		vfn("tdigest_merge", types(tDyn), tDyn, func(a []any) any {
			list, _ := array(a[0])
			return mergeDigests(list)
		}),
		fn("percentile_tdigest", types(tDyn, tReal), tDyn, func(a []any) any {
			d, ok := readDigest(dyn(a[0]))
			if !ok {
				return nil
			}
			return js(d.percentile(real(a[1], 0)))
		}),
		vfn("percentiles_array_tdigest", types(tDyn, tDyn), tDyn, func(a []any) any {
			d, ok := readDigest(dyn(a[0]))
			if !ok {
				return nil
			}
			out := []any{}
			ps, _ := array(a[1])
			for _, p := range ps {
				if l, isList := p.([]any); isList {
					for _, p := range l {
						out = append(out, d.percentile(real(p, 0)))
					}
					continue
				}
				out = append(out, d.percentile(real(p, 0)))
			}
			return js(out)
		}),
		fn("rank_tdigest", types(tDyn, tDyn), tReal, func(a []any) any {
			d, ok := readDigest(dyn(a[0]))
			if !ok {
				return nil
			}
			return d.rank(dyn(a[1]))
		}),
		fn("percentrank_tdigest", types(tDyn, tDyn), tReal, func(a []any) any {
			d, ok := readDigest(dyn(a[0]))
			if !ok || d.total() == 0 {
				return nil
			}
			return d.rank(dyn(a[1])) / d.total() * 100
		}),
		fn("tdigest_isvalid", types(tDyn), tBool, func(a []any) any { _, ok := readDigest(dyn(a[0])); return ok }),
		fn("hll_isvalid", types(tDyn), tBool, func(a []any) any { _, ok := readHLL(dyn(a[0])); return ok }),
		// The aggregate gives values and weights as pairs.
		nfn("percentile_weighted", types(tDyn, tReal), tDyn, func(a []any) any {
			d := &digest{exact: true}
			list, _ := array(a[0])
			for _, e := range list {
				d.addPair(e)
			}
			return js(d.percentile(real(a[1], 0)))
		}),
	}
}

type hll struct {
	p      int
	sparse map[uint64]bool
	dense  []byte
}

func newHLL(accuracy any) *hll {
	p := 14
	if a := long(accuracy, 1); a >= 0 && a <= 4 {
		p = []int{12, 14, 16, 17, 18}[a]
	}
	return &hll{p: p, sparse: map[uint64]bool{}}
}

func (h *hll) add(v uint64) {
	if h.dense == nil {
		h.sparse[v] = true
		if len(h.sparse) <= 1<<h.p/8 {
			return
		}
		h.dense = make([]byte, 1<<h.p)
		for k := range h.sparse {
			h.register(k)
		}
		h.sparse = nil
		return
	}
	h.register(v)
}

func (h *hll) register(v uint64) {
	i := v >> (64 - h.p)
	r := byte(bits.LeadingZeros64(v<<h.p|1<<(h.p-1)) + 1)
	h.dense[i] = max(h.dense[i], r)
}

func (h *hll) count() int64 {
	if h.dense == nil {
		return int64(len(h.sparse))
	}
	m := float64(len(h.dense))
	sum, empty := 0.0, 0.0
	for _, r := range h.dense {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			empty++
		}
	}
	e := 0.7213 / (1 + 1.079/m) * m * m / sum
	if e <= 2.5*m && empty > 0 {
		e = m * math.Log(m/empty)
	}
	return int64(math.Round(e))
}

func (h *hll) json() any {
	head := []any{int64(1024), int64(h.p)}
	if h.dense != nil {
		return js([]any{head, []any{}, []any{base64.StdEncoding.EncodeToString(h.dense)}})
	}
	keys := make([]int64, 0, len(h.sparse))
	for k := range h.sparse {
		keys = append(keys, int64(k))
	}
	slices.Sort(keys)
	out := make([]any, len(keys))
	for i, k := range keys {
		out[i] = strconv.FormatInt(k, 10)
	}
	return js([]any{head, out, []any{}})
}

func readHLL(v any) (*hll, bool) {
	l, ok := v.([]any)
	if !ok || len(l) != 3 {
		return nil, false
	}
	head, _ := l[0].([]any)
	hashes, ok1 := l[1].([]any)
	registers, ok2 := l[2].([]any)
	if len(head) != 2 || !ok1 || !ok2 || len(registers) > 1 {
		return nil, false
	}
	p, ok := head[1].(int64)
	if !ok || p < 4 || p > 18 {
		return nil, false
	}
	h := &hll{p: int(p), sparse: map[uint64]bool{}}
	if len(registers) == 0 {
		for _, e := range hashes {
			s, _ := e.(string)
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return nil, false
			}
			h.add(uint64(n))
		}
		return h, true
	}
	text, _ := registers[0].(string)
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != 1<<p {
		return nil, false
	}
	for i := range b {
		b[i] = min(b[i], 64)
	}
	h.sparse, h.dense = nil, b
	return h, true
}

// maxDenseSets is how many sets of which not every value is kept can be intersected.
const maxDenseSets = 6

// intersectHLL counts what is in the first set, in the first two, and so on. Where the values are kept they are
// compared, else the numbers are estimated from those of the sets together; nil where that is not possible.
func intersectHLL(list []any) any {
	hs, kept := make([]*hll, len(list)), true
	for i, e := range list {
		h, ok := readHLL(e)
		if !ok {
			return nil
		}
		hs[i], kept = h, kept && h.dense == nil
	}
	out := make([]any, len(hs))
	if kept {
		for i, h := range hs {
			if i > 0 {
				for k := range h.sparse {
					if !hs[i-1].sparse[k] {
						delete(h.sparse, k)
					}
				}
			}
			out[i] = h.count()
		}
		return js(out)
	}
	if len(hs) > maxDenseSets {
		return nil
	}
	sizes := make([]float64, 1<<len(hs)) // of the sets together, by which of them
	for some := 1; some < len(sizes); some++ {
		var parts []any
		for i := range hs {
			if some>>i&1 == 1 {
				parts = append(parts, list[i])
			}
		}
		all, _ := readHLL(dyn(mergeHLL(parts)))
		sizes[some] = float64(all.count())
	}
	least := math.Inf(1)
	for i := range hs {
		n := 0.0
		for some := 1; some < 1<<(i+1); some++ {
			if bits.OnesCount(uint(some))%2 == 1 {
				n += sizes[some]
			} else {
				n -= sizes[some]
			}
		}
		least = min(least, max(n, 0))
		out[i] = int64(least)
	}
	return js(out)
}

// mergeHLL makes one of several; what is none is passed over. The least precision wins.
func mergeHLL(list []any) any {
	var hs []*hll
	for _, e := range list {
		if h, ok := readHLL(e); ok {
			hs = append(hs, h)
		}
	}
	if len(hs) == 0 {
		return nil
	}
	out := &hll{p: hs[0].p, sparse: map[uint64]bool{}}
	for _, h := range hs {
		out.p = min(out.p, h.p)
	}
	for _, h := range hs {
		if h.dense == nil {
			for k := range h.sparse {
				out.add(k)
			}
			continue
		}
		if out.dense == nil {
			out.dense = make([]byte, 1<<out.p)
			for k := range out.sparse {
				out.register(k)
			}
			out.sparse = nil
		}
		for i, r := range h.dense {
			if r == 0 {
				continue
			}
			d := h.p - out.p
			j := i >> d
			if low := uint64(i) & (1<<d - 1); low != 0 {
				// The bits that are no longer part of the place come first in what is counted.
				r = byte(bits.LeadingZeros64(low<<(64-d)) + 1)
			} else {
				r += byte(d)
			}
			out.dense[j] = max(out.dense[j], r)
		}
	}
	return out.json()
}

// maxCentroids is how many values a digest keeps at most.
const maxCentroids = 2048

type centroid struct {
	v any
	w float64
}

type digest struct {
	kind   string
	c      []centroid
	exact  bool
	sorted bool
}

func (d *digest) add(v any, w float64) {
	if v == nil || !(w > 0) || math.IsInf(w, 0) {
		return
	}
	if rank(v) != 1 {
		if _, ok := v.(string); !ok {
			return
		}
	}
	d.c = append(d.c, centroid{v, w})
	d.sorted = false
	if len(d.c) >= 8*maxCentroids && !d.exact {
		d.compress()
	}
}

// addPair adds a value, or a value with its weight.
func (d *digest) addPair(e any) {
	if p, ok := e.([]any); ok && len(p) == 2 {
		d.add(p[0], real(p[1], 0))
		return
	}
	d.add(e, 1)
}

func (d *digest) sort() {
	if !d.sorted {
		slices.SortStableFunc(d.c, func(a, b centroid) int { return compareValues(a.v, b.v) })
		d.sorted = true
	}
}

// compress joins neighbours until maxCentroids are left, by the scale of t-digest.
func (d *digest) compress() {
	d.sort()
	if len(d.c) <= maxCentroids || d.exact {
		return
	}
	total := d.total()
	scale := func(q float64) float64 { return maxCentroids * (math.Asin(2*q-1)/math.Pi + 0.5) }
	out := d.c[:1:1]
	done := 0.0
	for _, c := range d.c[1:] {
		last := &out[len(out)-1]
		if scale(math.Min(1, (done+last.w+c.w)/total))-scale(done/total) <= 1 && rank(c.v) == 1 && rank(last.v) == 1 {
			m := real(last.v, 0) + (real(c.v, 0)-real(last.v, 0))*c.w/(last.w+c.w)
			if _, whole := c.v.(int64); whole {
				last.v = int64(math.Round(m))
			} else {
				last.v = m
			}
			last.w += c.w
			continue
		}
		done += last.w
		out = append(out, c)
	}
	d.c = slices.Clone(out)
}

func (d *digest) total() float64 {
	t := 0.0
	for _, c := range d.c {
		t += c.w
	}
	return t
}

// percentile is the value at the nearest rank.
func (d *digest) percentile(p float64) any {
	d.sort()
	if len(d.c) == 0 || math.IsNaN(p) {
		return nil
	}
	want := math.Min(math.Max(p, 0), 100) / 100 * d.total()
	sum := 0.0
	for _, c := range d.c {
		if sum += c.w; sum >= want-1e-9 {
			return c.v
		}
	}
	return d.c[len(d.c)-1].v
}

// rank counts the values that are not greater.
func (d *digest) rank(v any) float64 {
	d.sort()
	n := sort.Search(len(d.c), func(i int) bool { return compareValues(d.c[i].v, v) > 0 })
	sum := 0.0
	for _, c := range d.c[:n] {
		sum += c.w
	}
	return sum
}

func (d *digest) json() any {
	d.compress()
	values, weights := make([]any, len(d.c)), make([]any, len(d.c))
	for i, c := range d.c {
		values[i], weights[i] = c.v, c.w
		if c.w == math.Trunc(c.w) && c.w < 1<<53 {
			weights[i] = int64(c.w)
		}
	}
	return js([]any{[]any{d.kind}, values, weights})
}

func readDigest(v any) (*digest, bool) {
	l, ok := v.([]any)
	if !ok || len(l) != 3 {
		return nil, false
	}
	kind, ok1 := l[0].([]any)
	values, ok2 := l[1].([]any)
	weights, ok3 := l[2].([]any)
	if !ok1 || !ok2 || !ok3 || len(kind) != 1 || len(values) != len(weights) {
		return nil, false
	}
	d := &digest{kind: value.Text(kind[0])}
	for i := range values {
		d.add(values[i], real(weights[i], 0))
	}
	return d, true
}

func mergeDigests(list []any) any {
	out := &digest{}
	for _, e := range list {
		if d, ok := readDigest(e); ok {
			out.kind = d.kind
			for _, c := range d.c {
				out.add(c.v, c.w)
			}
		}
	}
	if out.kind == "" {
		return nil
	}
	return out.json()
}
