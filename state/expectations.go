package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"glassward"
)

// expectationsOf reads expectations. Those that are damaged are told to damaged and
// left out: what they covered pages.
func expectationsOf(damaged func(error), rows *sql.Rows, err error) ([]glassward.Expectation, error) {
	if err != nil {
		return nil, fmt.Errorf("read expectations: %w", err)
	}
	defer rows.Close()
	var out []glassward.Expectation
	for rows.Next() {
		var tenant, id, body, sum string
		if err := rows.Scan(&tenant, &id, &body, &sum); err != nil {
			return nil, fmt.Errorf("read expectations: %w", err)
		}
		var e glassward.Expectation
		if err := json.Unmarshal([]byte(body), &e); err != nil || bodySum([]byte(body)) != sum || e.ID != id || e.Tenant != tenant {
			damaged(errors.Join(fmt.Errorf("expectation %s of tenant %q: %w", id, tenant, ErrDamaged), err))
			continue
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read expectations: %w", err)
	}
	return out, nil
}

// Expectations gives a tenant's expectations, the latest first, at most limit.
func (s *Store) Expectations(ctx context.Context, tenant string, limit int) ([]glassward.Expectation, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT tenant, id, body, sum FROM expectations WHERE tenant = ? ORDER BY until DESC, id LIMIT 0+?", tenant, bound(limit))
	return expectationsOf(s.damaged, rows, err)
}

// ExpectationsAfter gives a tenant's expectations by their ids, after one; at most
// limit.
func (s *Store) ExpectationsAfter(ctx context.Context, tenant, id string, limit int) ([]glassward.Expectation, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT tenant, id, body, sum FROM expectations WHERE tenant = ? AND id > ? ORDER BY id LIMIT 0+?", tenant, id, bound(limit))
	return expectationsOf(s.damaged, rows, err)
}

// OpenExpectations gives the expectations of all tenants that are not settled, the
// one that ends first first.
func (s *Store) OpenExpectations(ctx context.Context) ([]glassward.Expectation, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT tenant, id, body, sum FROM expectations WHERE settled = 0 ORDER BY until, tenant, id")
	return expectationsOf(s.damaged, rows, err)
}

func (tx *tx) putExpectation(ctx context.Context, e glassward.Expectation, by string) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO expectations (tenant, id, until, settled, body, sum) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (tenant, id) DO UPDATE SET settled = excluded.settled, body = excluded.body, sum = excluded.sum`,
		e.Tenant, e.ID, micros(e.Until), micros(e.Settled), string(body), bodySum(body))
	if err != nil {
		return err
	}
	return tx.journal(ctx, "expectation", e.Tenant, map[string]any{
		"id": e.ID, "account": e.Account, "places": e.Places, "actors": e.Actors, "operations": e.Operations, "from": e.From, "until": e.Until,
		"reason": e.Reason, "declaredBy": e.By, "via": e.Via, "outcome": e.Outcome, "by": by, "matches": len(e.Matches), "body": bodySum(body),
	}, nil)
}
