package logstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"glassward"
)

// wanted is an id that the store may have, and the blocks of sequence numbers
// in which it may be.
type wanted struct {
	id     glassward.RecordID
	blocks []uint64
}

// received gives when the record was received: what it says itself, else now.
func (d *draft) received(rec *glassward.Record) time.Time {
	if rec.Received.IsZero() {
		return d.now
	}
	return rec.Received
}

// lookUp fetches all stored rows that records of the group may be copies of,
// table by table, so that a batch of known records costs one query and not one
// a record.
func (in *intake) lookUp(ctx context.Context, group []*request, d *draft) error {
	list := map[*table][]wanted{}
	var room []uint64
	for _, r := range group {
		for i := range r.batch.Records {
			rec := &r.batch.Records[i]
			room = in.index.find(rec.ID, room[:0])
			if len(room) > 0 && !d.asked[rec.ID] {
				d.asked[rec.ID] = true
				t := r.shape.tables[rec.Table]
				list[t] = append(list[t], wanted{rec.ID, slices.Clone(room)})
			}
		}
	}
	for t, w := range list {
		if err := in.fetch(ctx, t, w, d); err != nil {
			return err
		}
	}
	return nil
}

// A span is a range of blocks with the ids that may lie in it.
type span struct {
	first, last uint64
	ids         []glassward.RecordID
}

// maxSpans is how many separate ranges of a table a look-up reads; beyond that
// neighbours are read together.
const maxSpans = 64

// fetchIDs is how many ids one statement names.
const fetchIDs = 4096

// spans gathers the blocks into few ranges, sorted.
func spans(list []wanted) []span {
	var all []span
	for _, w := range list {
		for _, b := range w.blocks {
			all = append(all, span{b, b, []glassward.RecordID{w.id}})
		}
	}
	slices.SortFunc(all, func(a, b span) int {
		switch {
		case a.first < b.first:
			return -1
		case a.first > b.first:
			return 1
		}
		return 0
	})
	for gap := uint64(1); ; gap *= 4 {
		out := all[:0:0]
		for _, s := range all {
			if n := len(out); n > 0 && s.first <= out[n-1].last+gap && len(out[n-1].ids) < fetchIDs {
				out[n-1].last = max(out[n-1].last, s.last)
				out[n-1].ids = append(out[n-1].ids, s.ids...)
				continue
			}
			s.ids = slices.Clone(s.ids)
			out = append(out, s)
		}
		if len(out) <= max(maxSpans, len(list)/fetchIDs*2) || gap > 1<<blockBits {
			return out
		}
	}
}

// fetch reads the rows of the ids into d.seen.
func (in *intake) fetch(ctx context.Context, t *table, list []wanted, d *draft) error {
	for _, w := range list {
		d.asked[w.id] = true
	}
	if err := in.flush(); err != nil {
		return err
	}
	for _, s := range spans(list) {
		first, _ := blockRange(s.first)
		_, last := blockRange(s.last)
		var sql strings.Builder
		sql.WriteString("SELECT ")
		n := len(t.schema.Columns)
		for i := range n {
			sql.WriteString(quote(t.columns[i].name))
			sql.WriteString(", ")
		}
		fmt.Fprintf(&sql, `"_TimeReceived", "_ItemId", "_Source", "_Provenance", "_Extra", %[1]s FROM %[2]s WHERE %[1]s BETWEEN %[3]d AND %[4]d AND "_ItemId" IN (`,
			seqColumn, quote(t.schema.Name), first, last)
		for i, id := range s.ids {
			if i > 0 {
				sql.WriteByte(',')
			}
			fmt.Fprintf(&sql, "'%s'::UUID", id)
		}
		sql.WriteByte(')')
		if err := in.fetchRows(ctx, sql.String(), n, d); err != nil {
			return err
		}
	}
	return nil
}

func (in *intake) fetchRows(ctx context.Context, sql string, n int, d *draft) error {
	st, err := in.conn.prepare(sql)
	if err != nil {
		return err
	}
	defer st.close()
	rows, err := st.query(ctx, nil)
	if err != nil {
		return err
	}
	defer rows.close()
	for {
		ch, err := rows.next()
		if err != nil || ch == nil {
			return err
		}
		for i := range ch.size {
			row := &storedRow{
				said:       said{cells: make([]glassward.Value, n), extra: ch.columns[n+4].record(i).Str},
				received:   *at[int64](&ch.columns[n], i),
				id:         at[hugeint](&ch.columns[n+1], i).uuid(),
				source:     ch.columns[n+2].record(i).Str,
				provenance: glassward.Provenance(ch.columns[n+3].record(i).Str),
				seq:        *at[int64](&ch.columns[n+5], i),
			}
			for j := range n {
				row.cells[j] = ch.columns[j].record(i)
			}
			d.seen[row.id] = row
		}
	}
}

// record gives a cell as a record has it.
func (c *column) record(row int) glassward.Value {
	if c.null(row) {
		return glassward.Null()
	}
	switch c.kind {
	case duckdb.TypeBoolean:
		return glassward.Bool(*at[bool](c, row))
	case duckdb.TypeInteger:
		return glassward.Long(int64(*at[int32](c, row)))
	case duckdb.TypeBigInt:
		return glassward.Long(*at[int64](c, row))
	case duckdb.TypeDouble:
		return glassward.Real(*at[float64](c, row))
	case duckdb.TypeUUID:
		return glassward.String(glassward.RecordID(at[hugeint](c, row).uuid()).String())
	}
	return glassward.String(strings.Clone(at[text](c, row).string()))
}

// comeBefore gives the digests of the copies of an id that the history knows.
// The first question asks for all rows that were looked up.
func (in *intake) comeBefore(ctx context.Context, id glassward.RecordID, d *draft) (map[string]bool, error) {
	if d.digests[id] != nil {
		return d.digests[id], nil
	}
	var ids []glassward.RecordID
	if d.digests == nil {
		d.digests = map[glassward.RecordID]map[string]bool{}
		for other := range d.seen {
			ids = append(ids, other)
		}
	}
	if d.seen[id] == nil || len(ids) == 0 {
		ids = append(ids, id)
	}
	for _, id := range ids {
		d.digests[id] = map[string]bool{}
	}
	for part := range slices.Chunk(ids, fetchIDs) {
		var sql strings.Builder
		sql.WriteString("SELECT item, digest FROM _versions WHERE item IN (")
		for i, id := range part {
			if i > 0 {
				sql.WriteByte(',')
			}
			fmt.Fprintf(&sql, "'%s'::UUID", id)
		}
		sql.WriteByte(')')
		rows, err := in.conn.all(ctx, sql.String(), nil)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			item, err := parseUUID(r[0].(string))
			if err != nil {
				return nil, err
			}
			d.digests[item][r[1].(string)] = true
		}
	}
	return d.digests[id], nil
}
