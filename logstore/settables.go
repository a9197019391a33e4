package logstore

import (
	"context"
	"fmt"
	"maps"

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
//
// MakeTables does before what may be refused.
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
		s.become(next)
		return nil
	})
}

// MakeTables makes what is missing for tables that SetTables is to have the store
// keep: it goes on keeping those that it keeps. So everything that may be refused is
// refused before anything is seen otherwise. The errors are those of SetTables.
func (s *Store) MakeTables(ctx context.Context, list []*schema.Table) error {
	return s.intake.do(ctx, func(ctx context.Context, c *conn) error {
		old := s.tables()
		p, err := s.plan(ctx, c, newShape(old, list).tables)
		if err != nil || p.sql == "" {
			return err
		}
		// Tables that get a column lie otherwise from then on, with the columns that
		// they are kept with.
		next, fresh := &shape{maps.Clone(old)}, map[string]*table{}
		for _, t := range list {
			if was := old[t.Name]; was != nil && !sameColumns(was.schema, t) {
				fresh[t.Name] = newTable(was.schema)
			}
		}
		maps.Copy(next.tables, fresh)
		if err := p.do(ctx, c, func() error { return layTables(ctx, c, fresh) }); err != nil {
			return fmt.Errorf("make tables: %w", err)
		}
		s.become(next)
		return nil
	})
}

// become has the store keep the tables of a shape. It is called by the goroutine that
// commits.
func (s *Store) become(next *shape) {
	// An appender knows the columns that its table had.
	for t, w := range s.intake.appenders {
		if next.tables[t.schema.Name] != t {
			w.close()
			delete(s.intake.appenders, t)
		}
	}
	s.shape.Store(next)
}

// Declared gives the custom tables that the store holds, with every column that they
// ever had: also those that are not kept any more.
func (s *Store) Declared(ctx context.Context) ([]*schema.Table, error) {
	var out []*schema.Table
	err := s.intake.do(ctx, func(ctx context.Context, c *conn) (err error) {
		out, err = declaredTables(ctx, c)
		return err
	})
	return out, err
}

// Schema gives every table that the store holds: those of every workspace, and its own.
func (s *Store) Schema(ctx context.Context) (*schema.Set, error) {
	own, err := s.Declared(ctx)
	if err != nil {
		return nil, err
	}
	return schema.Default().With(own...)
}

func declaredTables(ctx context.Context, c *conn) ([]*schema.Table, error) {
	rows, err := c.all(ctx, "SELECT tbl, name, type FROM "+declaredTable+" ORDER BY rowid", nil)
	if err != nil {
		return nil, err
	}
	var names []string
	columns := map[string][]schema.Column{}
	for _, r := range rows {
		name, column := r[0].(string), r[1].(string)
		if columns[name] == nil {
			names, columns[name] = append(names, name), []schema.Column{}
		}
		typ, ok := schema.ColumnType(r[2].(string))
		if !ok || schema.CheckColumnName(column) != nil {
			continue // TenantId and Type, which every table has
		}
		columns[name] = append(columns[name], schema.Column{Name: column, Type: typ})
	}
	var out []*schema.Table
	for _, name := range names {
		t, err := schema.NewCustom(name, "", columns[name])
		if err != nil {
			return nil, fmt.Errorf("a table that the log store holds: %w", err)
		}
		out = append(out, t)
	}
	return out, nil
}
