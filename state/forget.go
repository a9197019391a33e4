package state

import (
	"context"
	"errors"
	"fmt"
)

// Forgotten counts what Forget removed, and what remains.
type Forgotten struct {
	Incidents int64 `json:"incidents"`
	Alerts    int64 `json:"alerts"`
	Notices   int64 `json:"notices"`
	// Owed are notices among them that nobody had taken yet.
	Owed   int64 `json:"owed"`
	Tokens int64 `json:"tokens"`
	// Journal is how many entries of the tenant remain, Evidence how many records
	// of it remain byte for byte: the chain's hashes cover both.
	Journal  int64 `json:"journalEntries"`
	Evidence int64 `json:"evidenceRecords"`
}

// Forget removes what is kept of a tenant: incidents, alerts, notices with their
// deliveries, watermarks, what was learned, tokens. The journal keeps its entries
// and the records that these name, because each entry's hash covers the one
// before it; that the rest was removed, and by whom, becomes an entry.
func (s *Store) Forget(ctx context.Context, tenant, by string) (f Forgotten, err error) {
	if tenant == "" || tenant == AllTenants {
		return f, errors.New("forget a tenant: name one")
	}
	err = s.write(ctx, func(tx *tx) error {
		f = Forgotten{}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM deliveries WHERE status = 'pending' AND notice IN (SELECT id FROM notices WHERE tenant = ?)", tenant).Scan(&f.Owed); err != nil {
			return err
		}
		for _, d := range []struct {
			sql   string
			count *int64
		}{
			{"DELETE FROM attempts WHERE notice IN (SELECT id FROM notices WHERE tenant = ?)", nil},
			{"DELETE FROM deliveries WHERE notice IN (SELECT id FROM notices WHERE tenant = ?)", nil},
			{"DELETE FROM notices WHERE tenant = ?", &f.Notices},
			{"DELETE FROM incident_links WHERE tenant = ?", nil},
			{"DELETE FROM pages WHERE tenant = ?", nil},
			{"DELETE FROM answers WHERE tenant = ?", nil},
			{"DELETE FROM traffic WHERE tenant = ?", nil},
			{"DELETE FROM incidents WHERE tenant = ?", &f.Incidents},
			{"DELETE FROM alert_records WHERE tenant = ?", nil},
			{"DELETE FROM alerts WHERE tenant = ?", &f.Alerts},
			{"DELETE FROM expectations WHERE tenant = ?", nil},
			{"DELETE FROM watermarks WHERE tenant = ?", nil},
			{"DELETE FROM tokens WHERE tenant = ?", &f.Tokens},
			{"DELETE FROM memory WHERE subject = ?", nil},
			{"DELETE FROM memory WHERE subject = ? || '/application'", nil},
			{"DELETE FROM memory WHERE subject = ? || '/alive'", nil},
			{"DELETE FROM memory WHERE subject = ? || '/rules'", nil},
			{"DELETE FROM memory WHERE subject = ? || '/contacts'", nil},
			{"DELETE FROM memory WHERE subject = ? || '/answers'", nil},
			{"DELETE FROM memory WHERE subject = ? || '/across'", nil},
			{"DELETE FROM deeds WHERE tenant = ?", nil},
		} {
			res, err := tx.ExecContext(ctx, d.sql, tenant)
			if err != nil {
				return fmt.Errorf("%s: %w", d.sql, err)
			}
			if d.count == nil {
				continue
			}
			if *d.count, err = res.RowsAffected(); err != nil {
				return err
			}
		}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM journal WHERE tenant = ?", tenant).Scan(&f.Journal); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM evidence_records WHERE tenant = ?", tenant).Scan(&f.Evidence); err != nil {
			return err
		}
		clear(tx.s.recent)
		f.Journal++ // the entry that follows
		return tx.journal(ctx, "removal", tenant, map[string]any{"by": by, "removed": f}, nil)
	})
	if err != nil {
		return f, fmt.Errorf("remove what is kept of tenant %s: %w", tenant, err)
	}
	return f, nil
}
