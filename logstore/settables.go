package logstore

import (
	"context"
	"fmt"

	"glassward/schema"
)

// SetTables has the store keep other tables from now on, between two commits:
// tables and columns that are new are made, in one transaction, while queries and
// intake go on. What is no longer among them stays stored, and is there again when
// it is declared again; nothing more can be appended to it. The tables that the
// store was opened with have to be among them.
//
// The error is a *ColumnError where the store holds a custom table otherwise than
// it is declared, ErrClosed, ctx's own, or the engine's. Everything is as it was
// then, unless the commit itself failed.
func (s *Store) SetTables(ctx context.Context, list []*schema.Table) error {
	return s.intake.do(ctx, func(ctx context.Context, c *conn) error {
		old := s.tables()
		next := newShape(old, list)
		p, err := s.plan(ctx, c, next.tables)
		if err != nil {
			return err
		}
		fresh := map[string]*table{}
		for name, t := range next.tables {
			if old[name] != t {
				fresh[name] = t
			}
		}
		if err := p.do(ctx, c, func() error { return layTables(ctx, c, fresh) }); err != nil {
			return fmt.Errorf("keep other tables: %w", err)
		}
		if p.sql == "" {
			if err := layTables(ctx, c, fresh); err != nil {
				return err
			}
		}
		// The ids of a table that was kept before, and not of late, are not known.
		for name := range fresh {
			if old[name] == nil {
				if err := s.intake.learnTable(ctx, name); err != nil {
					return err
				}
			}
		}
		// An appender knows the columns that the table had.
		for t, w := range s.intake.appenders {
			if next.tables[t.schema.Name] != t {
				w.close()
				delete(s.intake.appenders, t)
			}
		}
		s.shape.Store(next)
		return nil
	})
}
