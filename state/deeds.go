package state

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// A Deed is something that a person did and that is to stand in a tenant's tables.
type Deed struct {
	// ID is that of the record that it becomes, so that one that is written twice is
	// one; Tenant is empty where it is every tenant's.
	ID, Tenant string
	At         time.Time
	Body       json.RawMessage
}

// KeepDeeds keeps deeds until they are dropped.
func (s *Store) KeepDeeds(ctx context.Context, list []Deed) error {
	err := s.write(ctx, func(tx *tx) error {
		for _, d := range list {
			if _, err := tx.ExecContext(ctx, "INSERT INTO deeds (id, tenant, at, body) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", d.ID, d.Tenant, micros(d.At), string(d.Body)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep what was done: %w", err)
	}
	return nil
}

// Deeds gives at most limit of the deeds that are kept, oldest first, after the one
// that was given last; after none if it is zero.
func (s *Store) Deeds(ctx context.Context, after Deed, limit int) ([]Deed, error) {
	from := int64(0)
	if after.ID != "" {
		from = micros(after.At)
	}
	rows, err := s.readers.QueryContext(ctx, "SELECT id, tenant, at, body FROM deeds WHERE at > ? OR at = ? AND id > ? ORDER BY at, id LIMIT 0+?", from, from, after.ID, bound(limit))
	if err != nil {
		return nil, fmt.Errorf("read what was done: %w", err)
	}
	defer rows.Close()
	var out []Deed
	for rows.Next() {
		var d Deed
		var at int64
		var body string
		if err := rows.Scan(&d.ID, &d.Tenant, &at, &body); err != nil {
			return nil, fmt.Errorf("read what was done: %w", err)
		}
		d.At, d.Body = fromMicros(at), json.RawMessage(body)
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read what was done: %w", err)
	}
	return out, nil
}

// DropDeeds forgets deeds that stand where they are to stand.
func (s *Store) DropDeeds(ctx context.Context, list []Deed) error {
	if len(list) == 0 {
		return nil
	}
	err := s.write(ctx, func(tx *tx) error {
		for _, d := range list {
			if _, err := tx.ExecContext(ctx, "DELETE FROM deeds WHERE id = ?", d.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget what stands in the tables: %w", err)
	}
	return nil
}
