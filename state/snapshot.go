package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"glassward/internal/fault"
	"glassward/internal/private"
)

// Snapshot writes a whole and consistent copy of the store to a file that must
// not exist, while the store goes on working. The copy is checked before it gets
// its name. Backup makes a folder of it that opens as a store.
func (s *Store) Snapshot(ctx context.Context, file string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("snapshot of the control store to %s: %w", file, err)
		}
	}()
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(err, os.ErrExist)
	}
	part := file + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	defer os.Remove(part)
	if err := s.copyTo(ctx, part); err != nil {
		return err
	}
	if err := checkCopy(ctx, part); err != nil {
		return err
	}
	if err := private.Sync(part); err != nil {
		return err
	}
	if err := fault.Point("state.snapshot.before"); err != nil {
		return err
	}
	if err := os.Rename(part, file); err != nil {
		return err
	}
	if err := fault.Point("state.snapshot.after"); err != nil {
		return err
	}
	return private.SyncDir(filepath.Dir(file))
}

// copyTo writes what is committed now to a file that must not exist.
func (s *Store) copyTo(ctx context.Context, file string) error {
	// SQLite would make it readable to others.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	own, err := s.connect("", 1) // the readers' connections may not write, not even elsewhere
	if err != nil {
		return err
	}
	_, err = own.ExecContext(ctx, "VACUUM INTO ?", file)
	return full(errors.Join(err, own.Close()))
}

// checkCopy reads a copy for damage.
func checkCopy(ctx context.Context, file string) error {
	copied, err := openCopy(file)
	if err != nil {
		return err
	}
	faults, err := integrity(ctx, copied)
	if err = errors.Join(err, copied.Close()); err != nil {
		return err
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %s", ErrDamaged, first(faults, nil))
	}
	return nil
}
