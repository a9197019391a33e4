package logstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"glassward/internal/fault"
	"glassward/internal/private"
)

// A Copy is what Backup made: a store's folder, as it was at one moment.
type Copy struct {
	// Format is the version of the store's form.
	Format int `json:"format"`
	// LastSeq is the last sequence number that had been given.
	LastSeq int64 `json:"lastSeq"`
	// Rows counts the records of each table that has any.
	Rows map[string]int64 `json:"rows"`
	// Held is how long intake waited for the backup.
	Held time.Duration `json:"-"`
}

// Backup writes a whole and consistent copy of the store into a folder, which
// must be there and hold no store: records, versions, bytes and cursors as they
// were at one moment, between two commits. Intake, rules and queries go on
// meanwhile. Opening the folder opens the copy.
//
// Between two checkpoints the engine writes only to its log and to blocks of its
// file that nothing refers to, so that file and log, up to the length that they
// had at the moment, are that moment; the copy is then opened, its log moved into
// the file, and counted. Checkpoints wait while files are copied, so the log of a
// busy store grows meanwhile.
func (s *Store) Backup(ctx context.Context, dir string) (Copy, error) {
	if s.dir == "" {
		return Copy{}, errors.New("back up the log store: it lives in memory")
	}
	c, err := s.backup(ctx, dir, s.copyFiles)
	if err != nil {
		return Copy{}, fmt.Errorf("back up the log store %s to %s: %w", s.dir, dir, err)
	}
	return c, nil
}

func (s *Store) backup(ctx context.Context, dir string, copyFiles func(context.Context, string) (moment, error)) (Copy, error) {
	if there, err := exists(filepath.Join(dir, fileName)); err != nil || there {
		return Copy{}, errors.Join(err, os.ErrExist)
	}
	// A store that closes does not wait for its copy.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.intake.ending:
			cancel(ErrClosed)
		case <-ctx.Done():
		}
	}()
	if err := s.stand(ctx); err != nil {
		return Copy{}, err
	}
	m, err := copyFiles(ctx, dir)
	s.move()
	if err != nil {
		return Copy{}, err
	}
	if err := s.finishCopy(ctx, dir, m); err != nil {
		return Copy{}, err
	}
	return Copy{Format: FormatVersion, LastSeq: m.seq, Rows: m.rows, Held: m.held}, nil
}

// stand waits until no checkpoint runs and keeps others from beginning, until
// move is called.
func (s *Store) stand(ctx context.Context) error {
	select {
	case s.still <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Store) move() {
	<-s.still
	s.intake.keeper.wake() // which may have waited with a checkpoint
}

// A moment is what a store is between two commits.
type moment struct {
	database, log int64 // lengths of the files
	seq           int64
	rows          map[string]int64
	held          time.Duration
}

// look takes the moment while the intake waits, and leaves a transaction open on
// c that sees it.
func (s *Store) look(ctx context.Context, c *conn) (moment, error) {
	began := time.Now()
	m := moment{seq: s.intake.seq}
	// A transaction sees the moment in which it first reads.
	if err := c.exec(ctx, "BEGIN; SELECT count(*) FROM _floor"); err != nil {
		return m, err
	}
	// A log that the engine writes while a checkpoint runs cannot be there now; a
	// crash may have left one that the engine has not taken up.
	if there, err := exists(s.path() + ".wal.checkpoint"); err != nil || there {
		return m, errors.Join(err, errors.New("the engine has left a second write-ahead log; it is gone after the next checkpoint: try again in a minute"))
	}
	m.database, m.log = fileSize(s.path()), fileSize(s.path()+".wal")
	m.held = time.Since(began)
	return m, nil
}

// countRows counts the records of each table that has any.
func (s *Store) countRows(ctx context.Context, c *conn) (map[string]int64, error) {
	counts := map[string]int64{}
	for name := range s.tables() {
		rows, err := c.all(ctx, "SELECT count(*) FROM "+quote(name), nil)
		if err != nil {
			return nil, err
		}
		if n := rows[0][0].(int64); n > 0 {
			counts[name] = n
		}
	}
	return counts, nil
}

// roomFor says whether a folder's disk has room for a copy of n bytes.
func (s *Store) roomFor(dir string, n int64) error {
	if free, _, err := s.options.DiskSpace(dir); err == nil && free < n {
		return fmt.Errorf("%s has %s free and the copy may need %s: free some space or choose another disk", dir, size(free), size(n))
	}
	return nil
}

// copyLive copies the files as they are at one moment while the store works.
func (s *Store) copyLive(ctx context.Context, dir string) (m moment, err error) {
	leave, err := s.enter()
	if err != nil {
		return m, err
	}
	defer leave()
	c, err := s.engine.connect()
	if err != nil {
		return m, err
	}
	defer c.close()
	if err := s.intake.do(ctx, func(ctx context.Context, _ *conn) (err error) {
		m, err = s.look(ctx, c)
		return err
	}); err != nil {
		return m, err
	}
	if m.rows, err = s.countRows(ctx, c); err != nil {
		return m, err
	}
	if err := c.exec(ctx, "ROLLBACK"); err != nil {
		return m, err
	}
	// The log is moved into the file of the copy.
	if err := s.roomFor(dir, m.database+2*m.log); err != nil {
		return m, err
	}
	in, err := s.reader()
	if err != nil {
		return m, err
	}
	if err := fault.Point("logstore.backup.looked"); err != nil {
		return m, err
	}
	if err := private.CopyFrom(ctx, io.NewSectionReader(in, 0, m.database), filepath.Join(dir, fileName), -1); err != nil {
		return m, err
	}
	if m.log > 0 {
		err = private.Copy(ctx, s.path()+".wal", filepath.Join(dir, fileName+".wal"), m.log)
	}
	return m, err
}

// reader gives the database's file for reading. It stays open as long as the
// engine has the file: closing it would give up the lock by which the engine
// keeps other programs away, since the operating system keeps such locks by
// process.
func (s *Store) reader() (*os.File, error) {
	if s.read == nil {
		f, err := os.Open(s.path())
		if err != nil {
			return nil, err
		}
		s.read = f
	}
	return s.read, nil
}

// copyStill copies the files while the store stands still, with its engine
// closed: where an open file cannot be read.
func (s *Store) copyStill(ctx context.Context, dir string) (m moment, err error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return m, ErrClosed
	}
	began := time.Now()
	if err := s.intake.seal(); err != nil {
		return m, err
	}
	if err := s.intake.checkpoint(ctx); err != nil {
		return m, err
	}
	if m, err = s.look(ctx, s.intake.conn); err != nil {
		return m, err
	}
	if m.rows, err = s.countRows(ctx, s.intake.conn); err != nil {
		return m, err
	}
	if err := s.intake.conn.exec(ctx, "ROLLBACK"); err != nil {
		return m, err
	}
	if err := s.roomFor(dir, m.database); err != nil {
		return m, err
	}
	s.pool.close()
	s.intake.detach()
	s.closeEngine()
	// Whatever happens from here on, the engine is opened again.
	err = private.Copy(ctx, s.path(), filepath.Join(dir, fileName), -1)
	err = errors.Join(err, s.reopen(m.seq))
	m.held = time.Since(began)
	return m, err
}

// finishCopy makes one file of the copied ones, sees that it holds what the store
// held, and notes what was acknowledged in it.
func (s *Store) finishCopy(ctx context.Context, dir string, m moment) error {
	path := filepath.Join(dir, fileName)
	o := s.options
	o.Threads, o.Memory = 1, min(o.Memory, 512<<20)
	e, err := openEngine(path, o.settings(dir))
	if err != nil {
		return fmt.Errorf("open the copy: %w", err)
	}
	have, err := s.settle(ctx, e)
	e.close()
	if err != nil {
		return fmt.Errorf("read the copy: %w", err)
	}
	for name, n := range m.rows {
		if have[name] != n {
			return fmt.Errorf("the copy of %s has %d records, the store had %d", name, have[name], n)
		}
	}
	if there, err := exists(path + ".wal"); err != nil || there {
		return errors.Join(err, errors.New("the engine left a write-ahead log beside the copy"))
	}
	if err := ignoreAbsent(os.Remove(filepath.Join(dir, "tmp"))); err != nil {
		return err
	}
	if err := fault.Point("logstore.backup.settled"); err != nil {
		return err
	}
	if err := private.Sync(path); err != nil {
		return err
	}
	j, err := openJournal(filepath.Join(dir, "commits"))
	if err != nil {
		return err
	}
	defer j.close()
	if err := j.note(m.seq); err != nil {
		return err
	}
	return private.SyncDir(dir)
}

// settle moves the copy's log into its file, and counts.
func (s *Store) settle(ctx context.Context, e *engine) (map[string]int64, error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.checkpoint(ctx); err != nil {
		return nil, err
	}
	return s.countRows(ctx, c)
}

// RaiseFloor has numbers up to seq never given to a record again, whatever
// records are there: somebody has judged up to them.
func (s *Store) RaiseFloor(ctx context.Context, seq int64) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	return s.intake.do(ctx, func(context.Context, *conn) error {
		if seq <= s.intake.seq {
			return nil
		}
		if err := fault.Point("logstore.floor.before"); err != nil {
			return err
		}
		s.intake.seq = seq
		return s.intake.raiseFloor()
	})
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
