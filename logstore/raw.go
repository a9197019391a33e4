package logstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/kql/value"
)

// A Raw is a record byte-exact as one source gave it.
type Raw struct {
	ID       glassward.RecordID
	Received time.Time
	// SHA256 was taken when the record came in.
	SHA256 [32]byte
	Bytes  []byte
}

// Raw gives the bytes that are kept of the records, every copy that made a row
// or a version of one, oldest first. Records of which none are kept are absent.
func (s *Store) Raw(ctx context.Context, ids []glassward.RecordID) ([]Raw, error) {
	var out []Raw
	limits := Limits{Class: Rules}
	limits.fill(&s.options)
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	err = s.pool.with(ctx, limits, func(ctx context.Context, c *conn) error {
		for part := range slices.Chunk(ids, fetchIDs) {
			var sql strings.Builder
			sql.WriteString("SELECT item, received, sha256, bytes FROM _raw WHERE item IN (")
			for i, id := range part {
				if i > 0 {
					sql.WriteByte(',')
				}
				fmt.Fprintf(&sql, "'%s'::UUID", id)
			}
			sql.WriteString(") ORDER BY seq")
			rows, err := c.all(ctx, sql.String(), nil)
			if err != nil {
				return err
			}
			for _, r := range rows {
				id, err := parseUUID(r[0].(string))
				if err != nil {
					return err
				}
				raw := Raw{ID: id, Received: value.Ticks(r[1].(int64)).Time(), Bytes: []byte(r[3].(string))}
				copy(raw.SHA256[:], r[2].(string))
				out = append(out, raw)
			}
		}
		return nil
	})
	return out, err
}

// KeepWatched gives the default of Options.KeepRaw for the texts of
// Options.Watch: it keeps the bytes of AuditLogs, and of every record that Naming
// finds.
func KeepWatched(watch []string) func(*glassward.Record) bool {
	named := Naming(watch)
	return func(r *glassward.Record) bool { return r.Table == "AuditLogs" || named(r) }
}

// Naming gives a function that says whether a record's bytes hold one of the
// texts, letters in either case. Ids (GUIDs) are found in one pass however many
// there are; every other text costs a pass of its own.
func Naming(list []string) func(*glassward.Record) bool {
	ids := map[[guidLength]byte]bool{}
	var texts [][]byte
	for _, w := range list {
		lower := bytes.ToLower([]byte(w))
		switch {
		case len(lower) == guidLength && guidAt(lower, 0):
			ids[[guidLength]byte(lower)] = true
		case len(lower) > 0:
			texts = append(texts, lower)
		}
	}
	return func(r *glassward.Record) bool {
		if len(ids) > 0 && holdsID(r.Raw, ids) {
			return true
		}
		if len(texts) == 0 {
			return false
		}
		lower := bytes.ToLower(r.Raw)
		return slices.ContainsFunc(texts, func(t []byte) bool { return bytes.Contains(lower, t) })
	}
}

const guidLength = 36

// guidAt says whether the dashes of a GUID stand at their places from i on.
func guidAt(b []byte, i int) bool {
	return i >= 0 && i+guidLength <= len(b) && b[i+8] == '-' && b[i+13] == '-' && b[i+18] == '-' && b[i+23] == '-'
}

// holdsID says whether one of the ids, in lower case, stands in b in either.
func holdsID(b []byte, ids map[[guidLength]byte]bool) bool {
	for at := 0; ; {
		next := bytes.IndexByte(b[at:], '-')
		if next < 0 {
			return false
		}
		at += next
		if guidAt(b, at-8) {
			var id [guidLength]byte
			for i, c := range b[at-8 : at-8+guidLength] {
				if 'A' <= c && c <= 'Z' {
					c += 'a' - 'A'
				}
				id[i] = c
			}
			if ids[id] {
				return true
			}
		}
		at++
	}
}

// A rawRow is a row of _raw about to be written.
type rawRow struct {
	id       glassward.RecordID
	received int64
	bytes    []byte
}

// keepRaw puts the record's bytes into the draft if they are to be kept.
func (in *intake) keepRaw(rec *glassward.Record, id glassward.RecordID, d *draft) {
	if len(rec.Raw) > 0 && in.store.options.KeepRaw(rec) {
		d.raws = append(d.raws, rawRow{id, int64(value.FromTime(d.received(rec))), rec.Raw})
	}
}

// rawTable lets the appender write _raw like any other table.
func (in *intake) writeRaws(ctx context.Context, d *draft) error {
	if len(d.raws) == 0 {
		return nil
	}
	st, err := in.conn.prepare("INSERT INTO _raw VALUES ($item::UUID, $seq, $received, $sha256, $bytes)")
	if err != nil {
		return err
	}
	defer st.close()
	for i := range d.raws {
		r := &d.raws[i]
		sum := sha256.Sum256(r.bytes)
		rows, err := st.query(ctx, map[string]any{"item": r.id.String(), "seq": in.seq + 1, "received": r.received, "sha256": sum[:], "bytes": r.bytes})
		if err != nil {
			return err
		}
		rows.close()
	}
	return nil
}
