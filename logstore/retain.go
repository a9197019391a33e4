package logstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/internal/fault"
	"glassward/kql/value"
)

// Retained says what a run of retention removed.
type Retained struct {
	// Rows counts the records removed, by table.
	Rows map[string]int64
	// Spared counts records that were old enough and were spared.
	Spared int64
}

// retainStep is how many records one transaction removes: few enough that
// intake, which waits meanwhile, does not notice.
const retainStep = 50_000

// Retain removes the records that were received longer ago than their table
// keeps them, their earlier versions and their bytes, except those that spare
// gives: the records that open incidents name. It works in short transactions
// between commits of intake and stops when ctx ends. The space is used again by
// new records; Compact gives it back to the disk.
func (s *Store) Retain(ctx context.Context, spare func(context.Context) ([]glassward.RecordID, error)) (Retained, error) {
	out := Retained{Rows: map[string]int64{}}
	var ids []glassward.RecordID
	if spare != nil {
		var err error
		if ids, err = spare(ctx); err != nil {
			return out, fmt.Errorf("retention: which records open incidents name: %w", err)
		}
	}
	spared := idList(ids)
	now := s.options.Now()
	names := make([]string, 0, len(s.tables()))
	for name := range s.tables() {
		names = append(names, name)
	}
	// What is not seen any more is not kept for ever.
	declared, err := s.Declared(ctx)
	if err != nil {
		return out, fmt.Errorf("retention: which tables there are: %w", err)
	}
	for _, t := range declared {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	longest := time.Duration(0)
	for _, name := range names {
		keep := s.keeps(name)
		longest = max(longest, keep)
		n, err := s.retainTable(ctx, quote(name), `"_TimeReceived"`, `"_ItemId"`, seqColumn, now.Add(-keep), spared)
		out.Rows[name] = n
		if err != nil {
			return out, err
		}
	}
	for _, name := range [...]string{"_versions", "_raw"} {
		if _, err := s.retainTable(ctx, name, "received", "item", "rowid", now.Add(-longest), spared); err != nil {
			return out, err
		}
	}
	if len(ids) > 0 {
		err := s.intake.do(ctx, func(ctx context.Context, c *conn) error {
			for _, name := range names {
				rows, err := c.all(ctx, fmt.Sprintf(`SELECT count(*) FROM %s WHERE "_TimeReceived" < %d`, quote(name), value.FromTime(now.Add(-s.keeps(name)))), nil)
				if err != nil {
					return err
				}
				out.Spared += rows[0][0].(int64)
			}
			return nil
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// keeps gives how long a table keeps its records.
func (s *Store) keeps(table string) time.Duration {
	if d, ok := s.options.Retention[table]; ok && d > 0 {
		return d
	}
	if d := s.options.Retention[""]; d > 0 {
		return d
	}
	return DefaultRetention
}

// retainTable removes a table's old rows step by step.
func (s *Store) retainTable(ctx context.Context, table, received, item, order string, before time.Time, spared string) (int64, error) {
	where := fmt.Sprintf("%s < %d", received, value.FromTime(before))
	if spared != "" {
		where += fmt.Sprintf(" AND %s NOT IN (%s)", item, spared)
	}
	var removed int64
	for {
		var n int64
		err := s.intake.do(ctx, func(ctx context.Context, c *conn) error {
			top, err := c.all(ctx, fmt.Sprintf("SELECT max(o), count(*) FROM (SELECT %s AS o FROM %s WHERE %s ORDER BY o LIMIT %d)", order, table, where, retainStep), nil)
			if err != nil {
				return err
			}
			if n = top[0][1].(int64); n == 0 {
				return nil
			}
			// The highest number ever given is written down before its record can
			// go: rules have judged up to it, and it must not be given again.
			err = c.exec(ctx, fmt.Sprintf("BEGIN; DELETE FROM _floor; INSERT INTO _floor VALUES (%d); DELETE FROM %s WHERE %s AND %s <= %d",
				s.intake.seq, table, where, order, top[0][0]))
			if err == nil {
				err = fault.Point("logstore.retain.before")
			}
			if err == nil {
				err = c.exec(ctx, "COMMIT")
			}
			if err != nil {
				_ = c.exec(context.Background(), "ROLLBACK") // the error is what matters
				return err
			}
			return fault.Point("logstore.retain.after")
		})
		if err != nil {
			return removed, fmt.Errorf("retention of %s: %w", table, err)
		}
		removed += n
		if n < retainStep {
			return removed, nil
		}
	}
}

// idList writes ids for SQL.
func idList(ids []glassward.RecordID) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "'%s'::UUID", id)
	}
	return b.String()
}
