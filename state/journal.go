package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"glassward"
)

// A JournalEntry is one entry of the evidence journal.
type JournalEntry struct {
	Seq  int64     `json:"seq"`
	Time time.Time `json:"time"`
	// Kind is record, alert, incident, acknowledgement (any command of a person),
	// notice, delivery, configuration, token, rule, loss or restore.
	Kind   string `json:"kind"`
	Tenant string `json:"tenant"`
	// Payload is canonical JSON: keys sorted, no space, no escapes that are not
	// needed.
	Payload json.RawMessage `json:"payload"`
	// Raw is the SHA-256, in hex, of the record's bytes that belong to the entry,
	// empty if none do.
	Raw  string `json:"rawSha256,omitempty"`
	Prev string `json:"prev"`
	Hash string `json:"hash"`
}

// sum gives the hash that the entry must have: SHA-256 over its fields, each
// with its length before it, so that no two entries look alike.
func (e JournalEntry) sum() string {
	h := sha256.New()
	write := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	write([]byte("glassward journal entry 1"))
	write(binary.BigEndian.AppendUint64(nil, uint64(e.Seq)))
	write(binary.BigEndian.AppendUint64(nil, uint64(micros(e.Time))))
	for _, text := range []string{e.Kind, e.Tenant, string(e.Payload), e.Raw, e.Prev} {
		write([]byte(text))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A JournalError says where the journal is not what it was.
type JournalError struct {
	Seq  int64
	What string
}

func (e *JournalError) Error() string {
	return fmt.Sprintf("the journal is broken at entry %d: %s", e.Seq, e.What)
}

// Unwrap lets errors.Is find ErrDamaged.
func (e *JournalError) Unwrap() error { return ErrDamaged }

// journal appends an entry. raw, if there is any, is kept by its hash.
func (tx *tx) journal(ctx context.Context, kind, tenant string, payload any, raw []byte) error {
	if tx.mark == (Mark{}) {
		mark, err := lastMark(ctx, tx.Tx)
		if err != nil {
			return err
		}
		tx.mark = mark
	}
	text, err := canonical(payload)
	if err != nil {
		return fmt.Errorf("journal entry of kind %s: %w", kind, err)
	}
	e := JournalEntry{Seq: tx.mark.Seq + 1, Time: tx.now.Truncate(time.Microsecond), Kind: kind, Tenant: tenant, Payload: text, Prev: tx.mark.Hash}
	if raw != nil {
		sum := sha256.Sum256(raw)
		e.Raw = hex.EncodeToString(sum[:])
		if _, err := tx.ExecContext(ctx, "INSERT INTO evidence (sha256, raw) VALUES (?, ?) ON CONFLICT DO NOTHING", e.Raw, raw); err != nil {
			return fmt.Errorf("keep a record's bytes: %w", err)
		}
	}
	e.Hash = e.sum()
	_, err = tx.ExecContext(ctx, "INSERT INTO journal (seq, time, kind, tenant, payload, raw, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		e.Seq, micros(e.Time), e.Kind, e.Tenant, string(e.Payload), e.Raw, e.Prev, e.Hash)
	if err != nil {
		return fmt.Errorf("append to the journal: %w", err)
	}
	tx.mark, tx.wrote = Mark{Seq: e.Seq, Hash: e.Hash}, true
	return nil
}

// Record appends an entry of the caller's own, e.g. of kind "configuration".
// payload is anything that encodes to JSON; it must hold no secret.
func (s *Store) Record(ctx context.Context, kind, tenant string, payload any) error {
	return s.write(ctx, func(tx *tx) error { return tx.journal(ctx, kind, tenant, payload, nil) })
}

// canonical gives JSON with sorted keys, without space and without HTML
// escapes; numbers stay as they were written.
func canonical(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// querier is what transactions and connections have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func lastMark(ctx context.Context, q querier) (Mark, error) {
	var m Mark
	err := q.QueryRowContext(ctx, "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").Scan(&m.Seq, &m.Hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Mark{}, fmt.Errorf("read the journal's head: %w", err)
	}
	return m, nil
}

// Head gives the journal's last entry. Whoever keeps it outside the host can
// find out later that the end was cut off or written anew.
func (s *Store) Head(ctx context.Context) (Mark, error) { return lastMark(ctx, s.readers) }

// markAt gives the mark of one entry, and the zero Mark for 0 and for entries
// that are not there.
func (s *Store) markAt(ctx context.Context, seq int64) (Mark, error) {
	m := Mark{Seq: seq}
	if seq == 0 {
		return Mark{}, nil
	}
	err := s.readers.QueryRowContext(ctx, "SELECT hash FROM journal WHERE seq = ?", seq).Scan(&m.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Mark{}, nil
	}
	return m, err
}

// Journal gives at most limit entries after a number, oldest first.
func (s *Store) Journal(ctx context.Context, after int64, limit int) ([]JournalEntry, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT seq, time, kind, tenant, payload, raw, prev, hash FROM journal WHERE seq > ? ORDER BY seq LIMIT 0+?", after, bound(limit))
	return entriesOf(rows, err)
}

// Verify checks at most limit entries that follow from, which was verified
// before or is a mark kept outside the host (the zero Mark begins at the
// beginning), and gives the mark of the last one checked; it equals from when
// there are no more. The error is a *JournalError that names the first entry
// that is not what it was: a bit flipped in it or in the record that it keeps,
// one missing, one in the wrong place.
func (s *Store) Verify(ctx context.Context, from Mark, limit int) (Mark, error) {
	at, err := s.markAt(ctx, from.Seq)
	if err != nil {
		return from, err
	}
	if from.Seq > 0 && at != from {
		what := "it is missing"
		if at.Seq != 0 {
			what = "it is not the entry that was expected"
		}
		return from, &JournalError{Seq: from.Seq, What: what}
	}
	for limit > 0 {
		entries, err := s.Journal(ctx, from.Seq, min(limit, pageLimit))
		if err != nil {
			return from, err
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			switch {
			case e.Seq != from.Seq+1:
				return from, &JournalError{Seq: from.Seq + 1, What: "it is missing"}
			case e.Prev != from.Hash:
				return from, &JournalError{Seq: e.Seq, What: "it does not follow the entry before it"}
			case e.sum() != e.Hash:
				return from, &JournalError{Seq: e.Seq, What: "its content does not have its hash"}
			}
			if e.Raw != "" {
				if _, err := s.evidence(ctx, e.Raw); err != nil {
					return from, &JournalError{Seq: e.Seq, What: err.Error()}
				}
			}
			from = Mark{Seq: e.Seq, Hash: e.Hash}
		}
		limit -= len(entries)
	}
	return from, nil
}

// evidence gives the bytes that have a SHA-256.
func (s *Store) evidence(ctx context.Context, sum string) ([]byte, error) {
	var raw []byte
	err := s.readers.QueryRowContext(ctx, "SELECT raw FROM evidence WHERE sha256 = ?", sum).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("the record with SHA-256 %s is missing", sum)
	}
	if err != nil {
		return nil, fmt.Errorf("read the record with SHA-256 %s: %w", sum, err)
	}
	if got := sha256.Sum256(raw); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("the record with SHA-256 %s is not what it was", sum)
	}
	return raw, nil
}

// Evidence gives the versions of a record that alerts named, byte-exact, oldest
// first.
func (s *Store) Evidence(ctx context.Context, tenant string, id glassward.RecordID) ([][]byte, error) {
	sums, err := stringsOf(s.readers.QueryContext(ctx, "SELECT sha256 FROM evidence_records WHERE tenant = ? AND record = ? ORDER BY seq", tenant, id.String()))
	if err != nil {
		return nil, fmt.Errorf("look for the bytes of record %s: %w", id, err)
	}
	var out [][]byte
	for _, sum := range sums {
		raw, err := s.evidence(ctx, sum)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w: %w", id, ErrDamaged, err)
		}
		out = append(out, raw)
	}
	return out, nil
}

// stringsOf reads a result of one column of texts.
func stringsOf(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

// pageLimit bounds every list that is read at once.
const pageLimit = 1000

func bound(limit int) int {
	if limit <= 0 || limit > pageLimit {
		return pageLimit
	}
	return limit
}
