package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"glassward"
	"glassward/incident"
	"glassward/internal/fault"
	"glassward/internal/filelock"
	"glassward/internal/private"
	"glassward/notify"
)

// The names of the files in the store's folder.
const (
	dbName   = "state.db"
	headName = "state.head"
	lockName = "state.lock"
)

// The ways in which a store cannot be opened or read.
var (
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("the control store is in use by another process")
	// ErrDamaged: the file is damaged where it cannot be mended.
	ErrDamaged = errors.New("the control store is damaged")
	// ErrLost: the store opens, but entries that had been acknowledged are gone.
	ErrLost = errors.New("the control store has lost acknowledged entries")
	// ErrNewer: the store was written by a newer program.
	ErrNewer = errors.New("the control store was written by a newer Glassward")
	// ErrFull: the disk is full. Nothing of the transaction was kept, and it can be
	// done again.
	ErrFull = errors.New("the disk is full")
	// ErrCursor: the cursor is not one that a page gave.
	ErrCursor = errors.New("this is no cursor of a page")
	// ErrNotFound: there is no such thing.
	ErrNotFound = errors.New("not found")

	errClosed = errors.New("the control store is closed")
)

// Options are what a store can be told. The zero value will do.
type Options struct {
	// Damaged is told of every stored thing that was found to be not what it was.
	// It is passed over, so that one damaged incident stops no alarm. It must be
	// quick and safe for concurrent use; nil means that nobody is told.
	Damaged func(error)
	// Wrote is called after each commit that wrote to the journal. It must be quick
	// and must not ask the store; nil means that nobody is told.
	Wrote func()
	// AcceptLoss opens a store that has lost acknowledged entries. The loss is
	// written to the journal.
	AcceptLoss bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// A Store is the control store of one installation. It may be used by several
// goroutines at once: one writes at a time, readers do not wait for it.
type Store struct {
	dir     string
	now     func() time.Time
	damaged func(error)
	wrote   func()
	writer  *sql.DB // one connection, immediate transactions
	readers *sql.DB
	turn    chan struct{} // holds one token: the writer's turn
	closed  chan struct{}
	head    *headFile
	lock    *os.File
	notes   []string
	recent  map[incidentKey]glassward.Incident // the writer's, see remember

	settleMu  sync.Mutex
	settlings []*settling // that wait for the writer

	commits     atomic.Int64
	checkpoints chan struct{}
	stop        context.CancelFunc
	done        sync.WaitGroup
}

var (
	_ incident.Store  = (*Store)(nil)
	_ notify.Outbox   = (*Store)(nil)
	_ notify.Hastener = (*Store)(nil)
)

const readConnections = 4

// Open opens the store in a folder, which is made with mode 0700 if it is not
// there. It finishes what a crash left, brings the schema up to date (on a copy
// first, see MigrationError) and checks the file: damage that lies behind
// everything acknowledged is copied aside and cut (see Notes); anything else is
// ErrDamaged or ErrLost, and the files stay as they are.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	return open(ctx, dir, o, migrations)
}

func open(ctx context.Context, dir string, o Options, schema fs.FS) (_ *Store, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	// A file: URI takes the first name of a relative path for a host.
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open control store: %w", err)
	}
	if err := private.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("open control store: %w", err)
	}
	if o.Damaged == nil {
		o.Damaged = func(error) {}
	}
	if o.Wrote == nil {
		o.Wrote = func() {}
	}
	s := &Store{dir: dir, now: o.Now, damaged: o.Damaged, wrote: o.Wrote, turn: make(chan struct{}, 1), closed: make(chan struct{}), checkpoints: make(chan struct{}, 1), recent: map[incidentKey]glassward.Incident{}}
	s.turn <- struct{}{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open control store %s: %w", dir, err), s.release())
		}
	}()
	if s.lock, err = lockFolder(filepath.Join(dir, lockName)); err != nil {
		return nil, err
	}
	aside, err := s.keepLog()
	if err != nil {
		return nil, err
	}
	if s.head, err = openHead(filepath.Join(dir, headName)); err != nil {
		return nil, err
	}
	// SQLite would make it readable to others.
	db, err := os.OpenFile(filepath.Join(dir, dbName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	if s.writer, err = s.connect("_txlock=immediate", 1); err != nil {
		return nil, err
	}
	if s.readers, err = s.connect("_pragma=query_only(1)", readConnections); err != nil {
		return nil, err
	}
	if err := s.checkFile(ctx); err != nil {
		return nil, s.giveUp(aside, err)
	}
	if err := s.migrate(ctx, schema); err != nil {
		return nil, err
	}
	if err := s.checkJournal(ctx, o.AcceptLoss); err != nil {
		return nil, s.giveUp(aside, err)
	}
	if err := s.dropLog(aside); err != nil {
		return nil, err
	}
	// The names of new files are as durable as what will be acknowledged in them.
	if err := private.Sync(dir); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Go(func() { s.checkpointLoop(background) })
	return s, nil
}

// connect gives connections to the file. They flush at every commit, wait for
// each other, and check foreign keys.
func (s *Store) connect(extra string, n int) (*sql.DB, error) {
	return connect(filepath.Join(s.dir, dbName), extra, n)
}

func connect(file, extra string, n int) (*sql.DB, error) {
	name := fileURL(file)
	c, err := newConnector(name + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=wal_autocheckpoint(0)&_pragma=trusted_schema(0)&" + extra)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// fileURL gives the URI by which SQLite opens a file. On Windows it begins with
// a slash before the drive's letter.
func fileURL(file string) string {
	path := filepath.ToSlash(file)
	if filepath.VolumeName(file) != "" {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// Notes are sentences about what Open found and mended, for an alarm. They are
// empty where all was well.
func (s *Store) Notes() []string { return s.notes }

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// Close waits for the writer, moves the write-ahead log into the file and
// closes the store.
func (s *Store) Close() error {
	select {
	case <-s.closed:
		return nil
	case <-s.turn: // never given back: nobody writes again
	}
	close(s.closed)
	return s.release()
}

func (s *Store) release() error {
	if s.stop != nil {
		s.stop()
		s.done.Wait()
	}
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		// The last connection to close checkpoints and removes the log.
		errs = append(errs, s.writer.Close())
	}
	if s.head != nil {
		errs = append(errs, s.head.close())
	}
	if s.lock != nil {
		errs = append(errs, filelock.Release(s.lock))
	}
	return errors.Join(errs...)
}

// Commit runs f in one transaction (transaction B). When it gives nil, all that
// f put is on the disk.
func (s *Store) Commit(ctx context.Context, f func(incident.Tx) error) error {
	return s.write(ctx, func(tx *tx) error { return f(tx) })
}

// A tx is the one writing transaction.
type tx struct {
	*sql.Tx
	s   *Store
	now time.Time
	// mark is the journal's end as this transaction sees it; wrote says that it
	// moved it.
	mark  Mark
	wrote bool
}

// write runs f in one transaction and acknowledges it: flushed, and named by
// the head file if it wrote to the journal.
func (s *Store) write(ctx context.Context, f func(*tx) error) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.closed:
		return errClosed
	case <-s.turn:
	}
	defer func() { s.turn <- struct{}{} }()
	return full(s.transact(ctx, f))
}

// full makes SQLite's word for a full disk ours.
func full(err error) error {
	const sqliteFull = 13 // https://sqlite.org/rescode.html#full
	if e := (*sqlite.Error)(nil); errors.As(err, &e) && e.Code()&0xff == sqliteFull {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

func (s *Store) transact(ctx context.Context, f func(*tx) error) error {
	t, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer t.Rollback() // after a commit it does nothing
	w := &tx{Tx: t, s: s, now: s.now().UTC()}
	if err := f(w); err != nil {
		return err
	}
	if err := fault.Point("state.commit.before"); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := fault.Point("state.commit.after"); err != nil {
		return err
	}
	if w.wrote {
		defer s.wrote()
		if err := s.head.write(w.mark); err != nil {
			// The transaction stands and nobody was told: the caller does it again,
			// which changes nothing.
			return fmt.Errorf("write the journal's head: %w", err)
		}
	}
	s.commits.Add(1)
	select {
	case s.checkpoints <- struct{}{}:
	default:
	}
	return nil
}

// The write-ahead log is moved into the file after this many commits, or sooner
// when it has grown by this many bytes.
const (
	walCommits = 200
	walGrowth  = 4 << 20
)

// checkpointLoop moves the write-ahead log into the file beside the writer,
// which does not wait for it: a checkpoint flushes megabytes and would show in
// the slowest commits. The log's file does not shrink; SQLite writes it from the
// beginning again.
func (s *Store) checkpointLoop(ctx context.Context) {
	wal := filepath.Join(s.dir, dbName+"-wal")
	var size, done int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.checkpoints:
		}
		commits := s.commits.Load()
		info, err := os.Stat(wal)
		if err != nil || commits-done < walCommits && info.Size()-size < walGrowth {
			continue
		}
		// A failure leaves a longer log, which the next round tries again.
		if err := s.checkpoint(ctx); err == nil {
			size, done = info.Size(), commits
		}
	}
}

func (s *Store) checkpoint(ctx context.Context) error {
	db, err := s.connect("", 1)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := fault.Point("state.checkpoint.before"); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return fault.Point("state.checkpoint.after")
}

// micros and fromMicros convert times for storage.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
