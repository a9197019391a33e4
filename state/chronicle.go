package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"glassward"
	"glassward/notify"
)

// JournalOf gives at most limit entries of a tenant and of the installation that
// follow a number, oldest first, without the records of kind record.
func (s *Store) JournalOf(ctx context.Context, tenant string, after int64, limit int) ([]JournalEntry, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT seq, time, kind, tenant, payload, raw, prev, hash FROM journal
		WHERE seq > ? AND tenant IN (?, '') AND kind <> 'record' ORDER BY seq LIMIT 0+?`, after, tenant, bound(limit))
	return entriesOf(rows, err)
}

// AlertEntries gives at most limit entries of kind alert that follow a number, whatever
// tenant they concern, oldest first.
func (s *Store) AlertEntries(ctx context.Context, after int64, limit int) ([]JournalEntry, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT seq, time, kind, tenant, payload, raw, prev, hash FROM journal
		WHERE seq > ? AND kind = 'alert' AND tenant <> '' ORDER BY seq LIMIT 0+?`, after, bound(limit))
	return entriesOf(rows, err)
}

func entriesOf(rows *sql.Rows, err error) ([]JournalEntry, error) {
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer rows.Close()
	var out []JournalEntry
	for rows.Next() {
		var e JournalEntry
		var at int64
		var payload string
		if err := rows.Scan(&e.Seq, &at, &e.Kind, &e.Tenant, &payload, &e.Raw, &e.Prev, &e.Hash); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		e.Time, e.Payload = fromMicros(at), json.RawMessage(payload)
		out = append(out, e)
	}
	return out, rows.Err()
}

// Stands says whether the journal has the entry that a mark names, as it was.
func (s *Store) Stands(ctx context.Context, m Mark) (bool, error) {
	at, err := s.markAt(ctx, m.Seq)
	return at == m, err
}

// Before gives the newest entry of a kind before a number, ErrNotFound if there is
// none.
func (s *Store) Before(ctx context.Context, kind string, seq int64) (JournalEntry, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT seq, time, kind, tenant, payload, raw, prev, hash FROM journal WHERE kind = ? AND seq < ? ORDER BY seq DESC LIMIT 1", kind, seq)
	list, err := entriesOf(rows, err)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return JournalEntry{}, err
	}
	return list[0], nil
}

// Drop takes a notice of kind heartbeat out of the outbox. What else a notice is
// stays.
func (s *Store) Drop(ctx context.Context, id glassward.NoticeID) error {
	err := s.write(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM notices WHERE id = ? AND json_extract(body, '$.kind') = ? AND routed = 0", string(id), notify.Beat)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop notice %s: %w", id, err)
	}
	return nil
}

// Notice gives a notice, or ErrNotFound.
func (s *Store) Notice(ctx context.Context, id glassward.NoticeID) (glassward.Notice, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT "+noticeColumns+" FROM notices n WHERE n.id = ?", string(id))
	list, err := s.noticesOf(rows, err)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && len(list) == 0:
		return glassward.Notice{}, fmt.Errorf("notice %s: %w", id, ErrNotFound)
	case err != nil:
		return glassward.Notice{}, err
	}
	return list[0], nil
}
