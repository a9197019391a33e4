package logstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"glassward/internal/fault"
	"glassward/internal/private"
)

// migrate brings the file up to date: it makes the tables that are missing and
// adds the columns that a newer schema has. On a file that holds something it is
// tried on a copy first; if that fails, the store is left as it was and the copy
// as it became.
func (s *Store) migrate(ctx context.Context) error {
	s.knowTables()
	p, err := s.planNow(ctx)
	if err != nil || p.sql == "" {
		return err
	}
	if !p.fresh && s.dir != "" {
		if err := s.tryOut(ctx, p); err != nil {
			return err
		}
	}
	c, err := s.engine.connect()
	if err != nil {
		return err
	}
	defer c.close()
	if err := p.do(ctx, c, nil); err != nil {
		return fmt.Errorf("migrate the log store: %w", err)
	}
	return nil
}

func (s *Store) planNow(ctx context.Context) (plan, error) {
	c, err := s.engine.connect()
	if err != nil {
		return plan{}, err
	}
	defer c.close()
	return s.plan(ctx, c, s.tables())
}

// A MigrationError says that a store could not be brought up to date. The store is
// as it was.
type MigrationError struct {
	Path string
	// Copy is where the copy lies on which it was tried, empty if there is none.
	Copy  string
	Cause error
}

func (e *MigrationError) Error() string {
	if e.Copy == "" {
		return fmt.Sprintf("the log store %s has to be brought up to date and cannot be: %v. It is untouched, and the Glassward that wrote it can still open it", e.Path, e.Cause)
	}
	return fmt.Sprintf("the log store %s has to be brought up to date, and that failed on a copy: %v. The store is untouched, and the Glassward that wrote it can still open it; the copy is kept as %s", e.Path, e.Cause, e.Copy)
}

// Unwrap gives what went wrong.
func (e *MigrationError) Unwrap() error { return e.Cause }

// tryOut carries a plan out on a copy of the file. The engine is closed and
// opened again for it.
func (s *Store) tryOut(ctx context.Context, p plan) error {
	if err := s.checkpointNow(ctx); err != nil {
		return err
	}
	if err := s.roomFor(s.dir, fileSize(s.path())); err != nil {
		return &MigrationError{Path: s.path(), Cause: err}
	}
	s.closeEngine()
	copied := filepath.Join(s.dir, fmt.Sprintf("%s.migration-%s", fileName, s.options.Now().UTC().Format("20060102T150405Z")))
	tried := s.tryOn(ctx, p, copied)
	var err error
	if s.engine, err = openEngine(s.path(), s.options.settings(s.dir)); err != nil {
		return errors.Join(tried, err)
	}
	if tried != nil {
		return &MigrationError{Path: s.path(), Copy: copied, Cause: tried}
	}
	s.options.Log.Info("the log store is brought up to date; on a copy that went well", "file", s.path())
	return removeCopy(copied)
}

// removeCopy removes a database file with its write-ahead log, which the engine would
// else apply to the next file of that name.
func removeCopy(path string) error {
	return errors.Join(ignoreAbsent(os.Remove(path+".wal")), ignoreAbsent(os.Remove(path)))
}

func (s *Store) checkpointNow(ctx context.Context) error {
	c, err := s.engine.connect()
	if err != nil {
		return err
	}
	defer c.close()
	return c.checkpoint(ctx)
}

// tryOn carries a plan out on a copy of the file, and counts what it holds before
// and after.
func (s *Store) tryOn(ctx context.Context, p plan, copied string) error {
	// One that a crash left, within the same second.
	if err := removeCopy(copied); err != nil {
		return err
	}
	began := time.Now()
	if err := private.Copy(ctx, s.path(), copied, -1); err != nil {
		return err
	}
	if err := fault.Point("logstore.migrate.copied"); err != nil {
		return err
	}
	e, err := openEngine(copied, s.options.settings(s.dir))
	if err != nil {
		return err
	}
	defer e.close()
	c, err := e.connect()
	if err != nil {
		return err
	}
	defer c.close()
	before, err := countAll(ctx, c)
	if err != nil {
		return err
	}
	if err := p.do(ctx, c, nil); err != nil {
		return err
	}
	after, err := countAll(ctx, c)
	if err != nil {
		return err
	}
	for name, n := range before {
		if name != "_format" && name != declaredTable && after[name] != n {
			return fmt.Errorf("%s had %d rows and has %d", name, n, after[name])
		}
	}
	if err := c.checkpoint(ctx); err != nil {
		return err
	}
	s.options.Log.Info("a migration was tried on a copy", "file", copied, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// countAll counts the rows of every table that the file has.
func countAll(ctx context.Context, c *conn) (map[string]int64, error) {
	names, err := c.all(ctx, "SELECT table_name FROM duckdb_tables() WHERE NOT internal", nil)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, r := range names {
		name := r[0].(string)
		rows, err := c.all(ctx, "SELECT count(*) FROM "+quote(name), nil)
		if err != nil {
			return nil, err
		}
		counts[name] = rows[0][0].(int64)
	}
	return counts, nil
}
