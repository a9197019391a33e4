package graph

import (
	"encoding/binary"
	"hash/maphash"
	"time"

	"glassward/ingest"
)

// known remembers the rows of a stream that the store has taken: by it a look
// back gives on only what is new or fuller, and can tell how many rows came late.
// It is bounded and forgets the oldest hours first; a row that it has forgotten
// is given on once more, which the store's ids make harmless.
type known struct {
	seed  maphash.Seed
	hours map[int64]map[uint64]uint64 // by hour of the event: row → content
	rows  int
	limit int
	// All rows of [from, to] that the service showed so far are remembered, and
	// none is forgotten from floor on.
	from, to, floor time.Time
}

const knownRows = 1 << 16

func newKnown() known {
	return known{seed: maphash.MakeSeed(), hours: make(map[int64]map[uint64]uint64), limit: knownRows}
}

// A mark is a row that is remembered once the store has it.
type mark struct {
	hour         int64
	row, content uint64
}

// fresh takes out of a batch what is known already. It gives the marks of what
// is left, and how many rows of it a look before should have shown. at is the time
// under which rejects are remembered.
func (k *known) fresh(b *ingest.Batch, at time.Time, marks []mark) (_ []mark, late int) {
	n := 0
	for i := range b.Records {
		r := &b.Records[i]
		m := mark{r.Time.Unix() / 3600, binary.LittleEndian.Uint64(r.ID[:8]), maphash.Bytes(k.seed, r.Raw)}
		content, ok := k.hours[m.hour][m.row]
		if ok && content == m.content {
			continue
		}
		if !ok && !k.from.IsZero() && !r.Time.Before(k.from) && r.Time.Before(k.to) {
			late++
		}
		marks = append(marks, m)
		b.Records[n], b.Shapes[n] = b.Records[i], b.Shapes[i]
		n++
	}
	b.Records, b.Shapes = b.Records[:n], b.Shapes[:n]
	n = 0
	for _, r := range b.Rejects {
		h := maphash.Bytes(k.seed, r.Raw)
		m := mark{at.Unix() / 3600, h, ^h}
		// The hour of a reject is that of its window, which moves.
		if k.hours[m.hour][h] == ^h || k.hours[m.hour-1][h] == ^h {
			continue
		}
		marks = append(marks, m)
		b.Rejects[n] = r
		n++
	}
	b.Rejects = b.Rejects[:n]
	return marks, late
}

// keep remembers rows that the store has taken.
func (k *known) keep(marks []mark) {
	for _, m := range marks {
		rows := k.hours[m.hour]
		if rows == nil {
			rows = make(map[uint64]uint64)
			k.hours[m.hour] = rows
		}
		k.rows -= len(rows)
		rows[m.row] = m.content
		k.rows += len(rows)
	}
	for k.rows > k.limit && len(k.hours) > 1 {
		oldest := k.oldest()
		k.rows -= len(k.hours[oldest])
		delete(k.hours, oldest)
		k.floor = later(k.floor, time.Unix((oldest+1)*3600, 0))
		k.from = later(k.from, k.floor)
	}
	if k.rows > 2*k.limit {
		// One hour alone is too much.
		*k = newKnown()
	}
}

// covers says that w has been read whole.
func (k *known) covers(w span) {
	switch {
	case k.from.IsZero() || w.From.After(k.to):
		k.from, k.to = w.From, w.To
	case !w.To.Before(k.from):
		k.from, k.to = earlier(k.from, w.From), later(k.to, w.To)
	}
	k.from = later(k.from, k.floor)
}

func (k *known) oldest() int64 {
	first, ok := int64(0), false
	for h := range k.hours {
		if !ok || h < first {
			first, ok = h, true
		}
	}
	return first
}
