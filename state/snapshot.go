package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"glassward/internal/fault"
	"glassward/internal/private"
)

// Snapshot writes a whole and consistent copy of the store to a file that must
// not exist, while the store goes on working. The copy is checked before it gets
// its name. To restore it, put it in the place of state.db, without a
// state.db-wal, and open the store once with AcceptLoss.
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
	own, err := s.connect("", 1) // the readers' connections may not write, not even elsewhere
	if err != nil {
		return err
	}
	_, err = own.ExecContext(ctx, "VACUUM INTO ?", part)
	if err = errors.Join(err, own.Close()); err != nil {
		return err
	}
	copied, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(part)}).String()+"?mode=ro")
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
	if err := os.Chmod(part, 0o600); err != nil {
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
	return private.Sync(filepath.Dir(file))
}
