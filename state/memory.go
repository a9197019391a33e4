package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// PutMemory keeps what was learned of a subject, in place of what was kept before:
// of a tenant's roads under the tenant's id, of our own application there under
// id/application. It is no evidence, so the journal does not mention it.
func (s *Store) PutMemory(ctx context.Context, subject string, memory []byte) error {
	err := s.write(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO memory (subject, memory, sum, modified) VALUES (?, ?, ?, ?)
			ON CONFLICT (subject) DO UPDATE SET memory = excluded.memory, sum = excluded.sum, modified = excluded.modified`,
			subject, memory, bodySum(memory), micros(tx.now))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep what was learned of %s: %w", subject, err)
	}
	return nil
}

// Memory gives what PutMemory kept last, or ErrNotFound; ErrDamaged if it
// is not what was kept. Nothing is lost with it but what was learned.
func (s *Store) Memory(ctx context.Context, subject string) ([]byte, error) {
	var memory []byte
	var sum string
	err := s.readers.QueryRowContext(ctx, "SELECT memory, sum FROM memory WHERE subject = ?", subject).Scan(&memory, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("what was learned of %s: %w", subject, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read what was learned of %s: %w", subject, err)
	}
	if bodySum(memory) != sum {
		return nil, fmt.Errorf("what was learned of %s is not what was kept: %w", subject, ErrDamaged)
	}
	return memory, nil
}

// DropMemory forgets what was learned of a subject, and of every subject that ends in
// a slash and that name: of installation/across and of each tenant's across by
// "across".
func (s *Store) DropMemory(ctx context.Context, name string) error {
	err := s.write(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM memory WHERE subject = ? OR substr(subject, -length(?) - 1) = '/' || ?", name, name, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget what was learned of %s: %w", name, err)
	}
	return nil
}

// A BlindInterval is a time during which a road did not show what happened in a
// table. It goes to the journal, so that an absence of records can be told from
// an absence of events for as long as the evidence is kept.
type BlindInterval struct {
	Road  string `json:"road"`
	Table string `json:"table"`
	// From and To bound it: [From, To).
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Reason says why nothing came, e.g. "token" or "silent".
	Reason string `json:"reason"`
	// Late is how many of its records came afterwards.
	Late int `json:"late"`
	// Others are the roads that showed the table meanwhile.
	Others []string `json:"others,omitempty"`
}

// RecordBlind writes blind intervals to the journal, all or none, as entries of
// kind "blind".
func (s *Store) RecordBlind(ctx context.Context, tenant string, intervals ...BlindInterval) error {
	if len(intervals) == 0 {
		return nil
	}
	err := s.write(ctx, func(tx *tx) error {
		for _, b := range intervals {
			b.From, b.To = b.From.UTC(), b.To.UTC()
			if err := tx.journal(ctx, "blind", tenant, b, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write down that tenant %s was not seen: %w", tenant, err)
	}
	return nil
}
