package logstore

import (
	"bufio"
	"bytes"
	"context"
)

// A Bare is an engine without a store around it, for reference SQL.
type Bare struct {
	engine *engine
	conn   *conn
}

// OpenBare opens a database file with the engine's own defaults.
func OpenBare(path string) (*Bare, error) {
	e, err := openEngine(path, nil)
	if err != nil {
		return nil, err
	}
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	return &Bare{e, c}, nil
}

// Exec runs statements.
func (b *Bare) Exec(sql string) error { return b.conn.exec(context.Background(), sql) }

// Query gives all rows.
func (b *Bare) Query(sql string) ([][]any, error) { return b.conn.all(context.Background(), sql, nil) }

// Close closes the database.
func (b *Bare) Close() {
	b.conn.close()
	b.engine.close()
}

// BackupStill is Backup as it is where the engine's open file cannot be read.
func (s *Store) BackupStill(ctx context.Context, dir string) (Copy, error) {
	return s.backup(ctx, dir, s.copyStill)
}

// Checksum is the engine's, of a block or an entry of its log.
func Checksum(b []byte) uint64 { return walChecksum(b) }

// WALBody gives a write-ahead log without its head.
func WALBody(log []byte) []byte {
	n, ok, err := walHead(bufio.NewReader(bytes.NewReader(log)))
	if !ok || err != nil {
		panic("no head of a log")
	}
	return log[n:]
}
