package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A RuleVersion is the text of a rule as it once judged, so that every alert can
// be traced to the words that made it.
type RuleVersion struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	// QueryHash is the SHA-256 of the query, in hex, as alerts carry it.
	QueryHash string    `json:"queryHash"`
	Name      string    `json:"name"`
	Text      string    `json:"text"`
	FirstSeen time.Time `json:"firstSeen"`
}

// PutRuleVersions keeps rules as they are now. Those that are known already
// change nothing; a new one is written to the journal.
func (s *Store) PutRuleVersions(ctx context.Context, rules ...RuleVersion) error {
	err := s.write(ctx, func(tx *tx) error {
		for _, r := range rules {
			res, err := tx.ExecContext(ctx, "INSERT INTO rules (id, version, query_hash, name, text, first_seen) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
				r.ID, r.Version, r.QueryHash, r.Name, r.Text, micros(tx.now))
			if err != nil {
				return fmt.Errorf("rule %s: %w", r.ID, err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return fmt.Errorf("rule %s: %w", r.ID, err)
			}
			if n == 0 {
				continue
			}
			if err := tx.journal(ctx, "rule", "", map[string]any{"id": r.ID, "version": r.Version, "queryHash": r.QueryHash, "name": r.Name, "text": bodySum([]byte(r.Text))}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep rule versions: %w", err)
	}
	return nil
}

// RuleVersion gives the rule that an alert names, or ErrNotFound.
func (s *Store) RuleVersion(ctx context.Context, id, version, queryHash string) (RuleVersion, error) {
	r := RuleVersion{ID: id, Version: version, QueryHash: queryHash}
	var seen int64
	err := s.readers.QueryRowContext(ctx, "SELECT name, text, first_seen FROM rules WHERE id = ? AND version = ? AND query_hash = ?", id, version, queryHash).Scan(&r.Name, &r.Text, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("rule %s version %s: %w", id, version, ErrNotFound)
	}
	if err != nil {
		return r, fmt.Errorf("read rule %s: %w", id, err)
	}
	r.FirstSeen = fromMicros(seen)
	return r, nil
}
