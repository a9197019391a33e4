package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"glassward/internal/private"
)

// A Copy is what Backup made: a store's folder, as it was at one moment.
type Copy struct {
	// Schema is the version of the store's schema.
	Schema int64 `json:"schema"`
	// Head is the journal's end in it.
	Head Mark `json:"head"`
}

// Backup writes a whole and consistent copy of the store into a folder, which
// must be there and hold no store, while the store goes on working. Opening the
// folder opens the copy; its journal ends where it ended at that moment.
func (s *Store) Backup(ctx context.Context, dir string) (Copy, error) {
	file := filepath.Join(dir, dbName)
	if err := s.Snapshot(ctx, file); err != nil {
		return Copy{}, err
	}
	c, err := headOf(ctx, file)
	if err != nil {
		return Copy{}, fmt.Errorf("back up the control store to %s: %w", dir, err)
	}
	// Written through openHead, every byte is durable when it returns.
	h, err := openHead(filepath.Join(dir, headName))
	if err != nil {
		return Copy{}, fmt.Errorf("back up the control store: %w", err)
	}
	if err := errors.Join(h.write(c.Head), h.close(), private.SyncDir(dir)); err != nil {
		return Copy{}, fmt.Errorf("back up the control store to %s: %w", dir, err)
	}
	return c, nil
}

// openCopy opens a file that is only read.
func openCopy(file string) (*sql.DB, error) {
	return sql.Open("sqlite", fileURL(file)+"?mode=ro&_pragma=query_only(1)")
}

// headOf reads a copy's schema version and the end of its journal.
func headOf(ctx context.Context, file string) (c Copy, err error) {
	db, err := openCopy(file)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&c.Schema); err != nil {
		return c, fmt.Errorf("read the schema's version: %w", err)
	}
	switch err := db.QueryRowContext(ctx, "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").Scan(&c.Head.Seq, &c.Head.Hash); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return c, fmt.Errorf("read the journal's end: %w", err)
	}
	return c, nil
}

// Marks gives how far every rule has come in a tenant's records, by rule.
func (s *Store) Marks(ctx context.Context, tenant string) (map[string][]byte, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT rule, mark FROM watermarks WHERE tenant = ?", tenant)
	if err != nil {
		return nil, fmt.Errorf("read the watermarks of %s: %w", tenant, err)
	}
	defer rows.Close()
	marks := map[string][]byte{}
	for rows.Next() {
		var rule string
		var mark []byte
		if err := rows.Scan(&rule, &mark); err != nil {
			return nil, fmt.Errorf("read the watermarks of %s: %w", tenant, err)
		}
		marks[rule] = mark
	}
	return marks, rows.Err()
}
