package state

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"glassward/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// A MigrationError says that the store could not be brought up to date. It was
// tried on a copy, and the store is as it was.
type MigrationError struct {
	// Have is the version of the store's schema, Want the one that this program
	// works with.
	Have, Want int64
	// Copy is where the copy lies on which it failed.
	Copy  string
	Cause error
}

func (e *MigrationError) Error() string {
	return fmt.Sprintf("its schema has to be brought from version %d to %d, and that failed on a copy: %v. The store is untouched, and the Glassward that wrote it can still open it; the copy is kept as %s", e.Have, e.Want, e.Cause, e.Copy)
}

// Unwrap gives what went wrong.
func (e *MigrationError) Unwrap() error { return e.Cause }

// SchemaVersion is the version of the schema that this program works with.
func SchemaVersion() (int64, error) {
	files, err := fs.ReadDir(migrations, "migrations/sqlite")
	if err != nil {
		return 0, err
	}
	var newest int64
	for _, f := range files {
		version, err := goose.NumericComponent(f.Name())
		if err != nil {
			return 0, fmt.Errorf("migrations: %w", err)
		}
		newest = max(newest, version)
	}
	return newest, nil
}

// Fits says whether this program can open the control store in a folder, as far as
// can be told without opening it: nil where there is none, ErrNewer where a newer
// Glassward wrote it. It changes nothing, and a daemon may run.
func Fits(ctx context.Context, dir string) error {
	file := filepath.Join(dir, dbName)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	db, err := openCopy(file)
	if err != nil {
		return err
	}
	defer db.Close()
	want, err := SchemaVersion()
	if err != nil {
		return err
	}
	var have int64
	if err := db.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version").Scan(&have); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	return newer(have, want)
}

func newer(have, want int64) error {
	if have > want {
		return fmt.Errorf("%w (its schema has version %d and this program knows %d): run that one, or restore a backup that this one made", ErrNewer, have, want)
	}
	return nil
}

// provider gives what brings a database up to date.
func provider(db *sql.DB, schema fs.FS) (*goose.Provider, error) {
	files, err := fs.Sub(schema, "migrations/sqlite")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return p, nil
}

// migrate brings the schema up to date, on a copy first if there is anything to
// lose.
func (s *Store) migrate(ctx context.Context, schema fs.FS) error {
	p, err := provider(s.writer, schema)
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// The table of versions is there or is made: what else is wrong with it is damage.
		return fmt.Errorf("read the schema's version: %w: %w", ErrDamaged, err)
	}
	if err := newer(have, want); err != nil {
		return err
	}
	if have == want {
		return nil
	}
	if have > 0 {
		copied := filepath.Join(s.dir, fmt.Sprintf("%s.migration-%d-to-%d", dbName, have, want))
		if err := s.tryOn(ctx, copied, schema); err != nil {
			return &MigrationError{Have: have, Want: want, Copy: copied, Cause: err}
		}
		if err := removeDatabase(copied); err != nil {
			return err
		}
	}
	if err := fault.Point("state.migrate.before"); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return fault.Point("state.migrate.after")
}

// tryOn brings a copy of the store up to date, and reads it for damage.
func (s *Store) tryOn(ctx context.Context, copied string, schema fs.FS) error {
	if err := removeDatabase(copied); err != nil {
		return err
	}
	if err := s.copyTo(ctx, copied); err != nil {
		return err
	}
	if err := fault.Point("state.migrate.copied"); err != nil {
		return err
	}
	db, err := connect(copied, "_txlock=immediate", 1)
	if err != nil {
		return err
	}
	err = func() error {
		p, err := provider(db, schema)
		if err != nil {
			return err
		}
		if _, err := p.Up(ctx); err != nil {
			return err
		}
		faults, err := integrity(ctx, db)
		if err == nil && len(faults) > 0 {
			err = errors.New(first(faults, nil))
		}
		return err
	}()
	return errors.Join(err, db.Close())
}

// removeDatabase removes a database and what SQLite keeps beside it.
func removeDatabase(file string) error {
	for _, name := range [...]string{file, file + "-wal", file + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
