package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"glassward/internal/fault"
	"glassward/internal/private"
)

// keepLog copies a write-ahead log that a crash left, before SQLite recovers
// from it and removes it. It gives the copy's name, empty if there was no log.
// The name says "damaged" if the log is; otherwise dropLog removes the copy when
// the store turns out to be whole.
func (s *Store) keepLog() (string, error) {
	wal := filepath.Join(s.dir, dbName+"-wal")
	info, err := os.Stat(wal)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	report, err := inspectLog(wal)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", wal, err)
	}
	if report.Damage == "" {
		aside := filepath.Join(s.dir, dbName+"-wal.unchecked")
		return aside, copyFile(wal, aside)
	}
	aside := s.asideName(dbName + "-wal")
	if err := copyFile(wal, aside); err != nil {
		return "", err
	}
	s.note("the write-ahead log %s was damaged (%s); it is kept as %s, and what lies before the damage was recovered", wal, report.Damage, aside)
	return aside, nil
}

// giveUp names the copy of a log so that nothing overwrites it: the store was
// not whole.
func (s *Store) giveUp(aside string, err error) error {
	if !strings.HasSuffix(aside, ".unchecked") {
		return err
	}
	name := s.asideName(dbName + "-wal")
	if faultErr := fault.Point("state.giveup.before"); faultErr != nil {
		return errors.Join(err, faultErr)
	}
	if renameErr := os.Rename(aside, name); renameErr != nil {
		return errors.Join(err, renameErr)
	}
	if faultErr := fault.Point("state.giveup.after"); faultErr != nil {
		return errors.Join(err, faultErr)
	}
	return fmt.Errorf("%w (the write-ahead log as it was found is kept as %s)", err, name)
}

// dropLog removes the copy of a log that was not needed.
func (s *Store) dropLog(aside string) error {
	if !strings.HasSuffix(aside, ".unchecked") {
		return nil
	}
	return os.Remove(aside)
}

func (s *Store) asideName(base string) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s.damaged-%s", base, s.now().UTC().Format("20060102T150405.000000")))
}

func (s *Store) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// checkFile reads the whole file for damage. Damaged indexes are built anew,
// from the rows that are whole; anything else is ErrDamaged, with the file
// copied aside.
func (s *Store) checkFile(ctx context.Context) error {
	faults, err := integrity(ctx, s.writer)
	if err == nil && len(faults) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	file := filepath.Join(s.dir, dbName)
	aside := s.asideName(dbName)
	if copyErr := copyFile(file, aside); copyErr != nil {
		return errors.Join(fmt.Errorf("%w: %v", ErrDamaged, first(faults, err)), copyErr)
	}
	if err == nil && onlyIndexes(faults) {
		if _, err = s.writer.ExecContext(ctx, "REINDEX"); err == nil {
			faults, err = integrity(ctx, s.writer)
		}
		if err == nil && len(faults) == 0 {
			s.note("indexes of %s were damaged and have been built anew; the file as it was is kept as %s", file, aside)
			return nil
		}
	}
	return fmt.Errorf("%w: %v. The file is kept as %s. Put the latest snapshot in its place (state.db, without state.db-wal) and start once with the loss accepted: what is newer than the snapshot is gone from the store, the notices of that time were delivered or are owed by the rules' next evaluation", ErrDamaged, first(faults, err), aside)
}

func first(faults []string, err error) string {
	if err != nil {
		return err.Error()
	}
	if len(faults) > 1 {
		return fmt.Sprintf("%s (and %d more faults)", faults[0], len(faults)-1)
	}
	return faults[0]
}

// integrity gives SQLite's findings, none if the file is whole.
func integrity(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "PRAGMA integrity_check(20)")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var faults []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if text != "ok" {
			faults = append(faults, text)
		}
	}
	return faults, rows.Err()
}

func onlyIndexes(faults []string) bool {
	for _, f := range faults {
		if !strings.Contains(f, "missing from index") && !strings.Contains(f, "wrong # of entries in index") {
			return false
		}
	}
	return len(faults) > 0
}

// tailLength is how many of the last entries Open verifies. The rest is for
// Verify, at leisure.
const tailLength = 1000

// checkJournal verifies the journal's end and compares it with the head that
// was acknowledged last.
func (s *Store) checkJournal(ctx context.Context, acceptLoss bool) error {
	mark, err := s.Head(ctx)
	if err != nil {
		return err
	}
	from, err := s.markAt(ctx, max(0, mark.Seq-tailLength))
	if err != nil {
		return err
	}
	if _, err := s.Verify(ctx, from, tailLength); err != nil {
		return err
	}
	if s.head.torn {
		s.note("one of the two copies in %s was damaged; the other is whole", headName)
	}
	var lost string
	switch acknowledged := s.head.last; {
	case !s.head.readable && mark.Seq > 0:
		lost = fmt.Sprintf("%s is missing or cannot be read, so nobody can tell whether the journal, which ends at entry %d, is whole", headName, mark.Seq)
	case mark.Seq < acknowledged.Seq:
		lost = fmt.Sprintf("the journal ends at entry %d, and entry %d had been acknowledged", mark.Seq, acknowledged.Seq)
	case acknowledged.Seq > 0:
		at, err := s.markAt(ctx, acknowledged.Seq)
		if err != nil {
			return err
		}
		if at != acknowledged {
			lost = fmt.Sprintf("entry %d of the journal is not the one that had been acknowledged", acknowledged.Seq)
		}
	}
	if lost == "" {
		if mark.Seq > s.head.last.Seq || !s.head.readable {
			// A crash between the commit and its acknowledgement, or a new store.
			return s.head.write(mark)
		}
		return nil
	}
	if !acceptLoss {
		return fmt.Errorf("%w: %s. Bring back the file, or %s-wal, from a copy; or accept the loss: rules judge again what they had judged since", ErrLost, lost, dbName)
	}
	s.note("%s; the loss was accepted", lost)
	acknowledged := s.head.last
	err = s.write(ctx, func(tx *tx) error {
		return tx.journal(ctx, "loss", "", map[string]any{"found": mark, "acknowledged": acknowledged, "reason": lost}, nil)
	})
	if err != nil {
		return err
	}
	// Both slots: the other one still holds the mark that was lost.
	return s.head.write(s.head.last)
}

// copyFile copies a file durably, its name included.
func copyFile(from, to string) error {
	if err := copyContent(from, to); err != nil {
		return err
	}
	return private.Sync(filepath.Dir(to))
}

func copyContent(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := fault.Point("state.aside.before"); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := out.Sync(); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := fault.Point("state.aside.after"); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}
