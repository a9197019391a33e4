package logstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"glassward/internal/fault"
	"glassward/internal/private"
)

// Compact copies the store into a new file, without the space that removed
// records have left, and puts it in the old one's place by a rename. Intake and
// queries wait meanwhile; at every moment one whole file is in place. It gives
// the bytes of the file before and after. ctx may end the copying, not the
// change of files.
func (s *Store) Compact(ctx context.Context) (before, after int64, err error) {
	if s.dir == "" {
		return 0, 0, nil
	}
	if err := s.stand(ctx); err != nil {
		return 0, 0, err
	}
	defer s.move()
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return 0, 0, ErrClosed
	}
	if err := s.intake.seal(); err != nil {
		return 0, 0, fmt.Errorf("compact: %w", err)
	}
	if err := s.intake.checkpoint(ctx); err != nil {
		return 0, 0, fmt.Errorf("compact: %w", err)
	}
	before = fileSize(s.path())
	free, _, err := s.options.DiskSpace(s.dir)
	if err == nil && free < before {
		return before, before, fmt.Errorf("compact: %s is free and the copy may need %s; free some space first", size(free), size(before))
	}
	seq := s.intake.seq
	s.pool.close()
	s.intake.detach()
	s.closeEngine()
	// Whatever happens from here on, the engine is opened again on the file that
	// is in place.
	err = s.copyOver(ctx)
	err = errors.Join(err, s.reopen(seq))
	return before, fileSize(s.path()), err
}

func (s *Store) compactPath() string { return s.path() + ".compact" }

// copyOver writes the copy and puts it in place.
func (s *Store) copyOver(ctx context.Context) error {
	if err := s.finishCompact(); err != nil {
		return err
	}
	if there, err := exists(s.path() + ".wal"); err != nil || there {
		return errors.Join(err, errors.New("compact: the engine left a write-ahead log behind"))
	}
	if err := s.copyDatabase(ctx); err != nil {
		return errors.Join(fmt.Errorf("compact: %w", err), s.finishCompact())
	}
	if err := fault.Point("logstore.compact.copied"); err != nil {
		return err
	}
	if err := private.Sync(s.compactPath()); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	if err := fault.Point("logstore.compact.synced"); err != nil {
		return err
	}
	if err := os.Rename(s.compactPath(), s.path()); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	if err := fault.Point("logstore.compact.renamed"); err != nil {
		return err
	}
	if err := private.SyncDir(s.dir); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	return fault.Point("logstore.compact.done")
}

// copyDatabase copies all tables, in an engine of its own that may read and
// write these two files, and counts the rows on both sides.
func (s *Store) copyDatabase(ctx context.Context) error {
	settings := s.options.settings(s.dir)
	delete(settings, "enable_external_access")
	delete(settings, "lock_configuration")
	e, err := openEngine("", settings)
	if err != nil {
		return err
	}
	defer e.close()
	c, err := e.connect()
	if err != nil {
		return err
	}
	defer c.close()
	literal := func(path string) string { return "'" + strings.ReplaceAll(path, "'", "''") + "'" }
	if err := c.exec(ctx, fmt.Sprintf("ATTACH %s AS old (READ_ONLY); ATTACH %s AS new; COPY FROM DATABASE old TO new; CHECKPOINT new", literal(s.path()), literal(s.compactPath()))); err != nil {
		return err
	}
	for name := range s.tables() {
		rows, err := c.all(ctx, fmt.Sprintf("SELECT (SELECT count(*) FROM old.%s), (SELECT count(*) FROM new.%[1]s)", quote(name)), nil)
		if err != nil {
			return err
		}
		if rows[0][0] != rows[0][1] {
			return fmt.Errorf("the copy of %s has %d rows, the original %d", name, rows[0][1], rows[0][0])
		}
	}
	return c.exec(ctx, "DETACH new; DETACH old")
}

// finishCompact removes a copy that did not come into place.
func (s *Store) finishCompact() error {
	for _, path := range [...]string{s.compactPath(), s.compactPath() + ".wal"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove an unfinished copy: %w", err)
		}
	}
	return nil
}

// reopen opens the engine again for an intake that is waiting at the gate.
func (s *Store) reopen(seq int64) (err error) {
	fail := func(err error) error {
		s.closed = true
		return fmt.Errorf("open the log store again: %w", err)
	}
	if s.engine, err = openEngine(s.path(), s.options.settings(s.dir)); err != nil {
		return fail(err)
	}
	s.pool = newPool(s.engine, s.options)
	if s.intake.conn, err = s.engine.connect(); err != nil {
		return fail(err)
	}
	if err := s.prepare(context.Background(), s.intake.conn); err != nil {
		return fail(err)
	}
	s.intake.seq = seq
	return nil
}
