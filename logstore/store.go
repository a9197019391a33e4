package logstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"glassward"
	"glassward/internal/private"
	"glassward/schema"
)

// Options are how a store is opened. The zero value is ready for use.
type Options struct {
	// Tables are the tables to keep; nil means schema.Tables().
	Tables []*schema.Table
	// Threads is how many threads the engine may use; 0 means one a processor.
	Threads int
	// Memory bounds the engine's memory in bytes; 0 means 1 GiB. Queries share
	// three quarters of it, see Limits.Memory.
	Memory int64
	// Queries is how many interactive queries run at once, the others wait; 0
	// means 2. Rules have as many places of their own.
	Queries int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log hears what the store does by itself; nil means nobody.
	Log *slog.Logger

	// KeepRaw says of which records the bytes are kept as they came. nil means
	// those of AuditLogs and those whose bytes hold one of Watch.
	KeepRaw func(*glassward.Record) bool
	// Watch are texts, such as the object ids of emergency accounts, that make
	// the default KeepRaw keep a record's bytes. Letters match in either case.
	Watch []string

	// Places tells where addresses lie, for geo_info_from_ip_address; without it
	// the engine has no such function. Queries are to be compiled with
	// kql.Options.Addresses then.
	Places *Places

	// Retention says by table how long records are kept after they were
	// received; tables without an entry keep them as long as "" says, or for
	// DefaultRetention.
	Retention map[string]time.Duration

	// Reserve is how many bytes of the disk must stay free; intake pauses when
	// fewer are left. 0 means 1 GiB or a twentieth of the disk, whichever is
	// less.
	Reserve int64
	// DiskSpace gives the free and the whole bytes of the file system that holds
	// a folder; nil asks the operating system.
	DiskSpace func(dir string) (free, total int64, err error)

	// AcceptLoss opens a store although records that had been acknowledged are
	// lost. The damaged files are kept aside.
	AcceptLoss bool
}

// DefaultRetention is how long records are kept where nothing else is said.
const DefaultRetention = 400 * 24 * time.Hour

// fileName is the database file inside a workspace's folder.
const fileName = "logs.duckdb"

// A Store is the open event store of one workspace. All methods may be used by
// several goroutines.
type Store struct {
	options Options
	dir     string // empty: in memory
	lock    *lock
	shape   atomic.Pointer[shape]

	// still is held by who wants the blocks of the file to stay what they are, and by
	// who changes them: checkpoints, Compact, Close. It is taken before gate.
	still chan struct{}
	// read is the database's file for Backup; closed with the engine, see reader.
	read *os.File

	// gate is held for reading by everything that uses the engine, and for
	// writing by what replaces it (Compact, Close).
	gate   sync.RWMutex
	closed bool
	engine *engine
	pool   *pool

	intake   *intake
	recovery Recovery
}

// Open opens the store of one workspace in dir, which is made with mode 0700 if
// it is absent. It gives a *LockedError if another process has the store open,
// and a *DamagedError if records that had been acknowledged are lost.
func Open(ctx context.Context, dir string, options Options) (*Store, error) {
	options.fill()
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	s := &Store{options: options, dir: dir, still: make(chan struct{}, 1)}
	var err error
	if s.lock, err = takeLock(filepath.Join(dir, "lock")); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		s.lock.release()
		return nil, err
	}
	return s, nil
}

// OpenMemory opens an empty store that lives in memory.
func OpenMemory(ctx context.Context, options Options) (*Store, error) {
	options.fill()
	s := &Store{options: options, still: make(chan struct{}, 1)}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (o *Options) fill() {
	if o.Tables == nil {
		o.Tables = schema.Tables()
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Memory <= 0 {
		o.Memory = 1 << 30
	}
	if o.Queries <= 0 {
		o.Queries = 2
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.KeepRaw == nil {
		o.KeepRaw = KeepWatched(o.Watch)
	}
	if o.DiskSpace == nil {
		o.DiskSpace = DiskSpace
	}
}

// makeDir makes the workspace's folder, for nobody's eyes but the owner's.
func makeDir(dir string) error {
	if err := private.MkdirAll(dir); err != nil {
		return fmt.Errorf("open the log store: %w", err)
	}
	if err := private.Check(dir); err != nil {
		return fmt.Errorf("open the log store: folder %s: %w", dir, err)
	}
	return nil
}

// path gives the database file, empty in memory.
func (s *Store) path() string {
	if s.dir == "" {
		return ""
	}
	return filepath.Join(s.dir, fileName)
}

// settings are the engine's. What a query could reach the world with is off and
// stays off: the configuration is locked once the store is open. Checkpoints
// are the store's own business (checkpoint.go): none may fall into a commit.
func (o *Options) settings(dir string) map[string]string {
	settings := map[string]string{
		"threads":                      fmt.Sprint(o.Threads),
		"memory_limit":                 fmt.Sprintf("%dB", o.Memory),
		"enable_external_access":       "false",
		"autoinstall_known_extensions": "false",
		"autoload_known_extensions":    "false",
		"allow_community_extensions":   "false",
		"allow_persistent_secrets":     "false",
		"checkpoint_threshold":         "1TB",
		"preserve_insertion_order":     "true",
		// Newer storage is smaller, and quicker to write; nothing older than this
		// engine has to read the file. Log columns repeat, so that a dictionary
		// packs them as well as what is tried and left out here, in half the time.
		"storage_compatibility_version": "latest",
		"disabled_compression_methods":  "fsst,dict_fsst,zstd",
		// See keeper.
		"max_vacuum_tasks":   "1",
		"lock_configuration": "true",
	}
	if dir != "" {
		settings["temp_directory"] = filepath.Join(dir, "tmp")
	} else {
		settings["temp_directory"] = ""
	}
	if o.Threads <= 2 {
		// The engine's own threads stand back (see yielding). Where there are as few as this, one of
		// them takes a task that intake waits for and then does not get to run, so
		// there are none: each caller's thread does its own work.
		settings["external_threads"] = settings["threads"]
	}
	return settings
}

// open opens the engine, repairs what has to be repaired, makes the tables that
// are missing and learns which records are there.
func (s *Store) open(ctx context.Context) (err error) {
	if s.dir != "" {
		if err := s.finishCompact(); err != nil {
			return err
		}
		if err := s.repair(ctx); err != nil {
			return err
		}
	}
	s.engine, err = openEngine(s.path(), s.options.settings(s.dir))
	for err != nil && s.options.AcceptLoss && corrupt(err) {
		// The log without which it opens, else the whole file, is given up.
		if given, err := s.giveUp(); err != nil || !given {
			break
		}
		s.engine, err = openEngine(s.path(), s.options.settings(s.dir))
	}
	if err != nil {
		return s.openFailed(err)
	}
	defer func() {
		if err != nil {
			s.shut()
		}
	}()
	if err := s.migrate(ctx); err != nil {
		return s.openFailed(err)
	}
	s.pool = newPool(s.engine, s.options)
	c, err := s.engine.connect()
	if err != nil {
		return err
	}
	if err := s.prepare(ctx, c); err != nil {
		c.close()
		return s.openFailed(err)
	}
	if s.intake, err = newIntake(ctx, s, c); err != nil {
		c.close()
		return s.openFailed(err)
	}
	if err := s.proveWhole(); err != nil {
		return err
	}
	s.intake.start()
	return nil
}

// prepare makes functions and learns how the tables lie.
func (s *Store) prepare(ctx context.Context, c *conn) error {
	for _, f := range functions(s.options.Places) {
		if err := c.register(f); err != nil {
			return err
		}
	}
	s.knowTables()
	return layTables(ctx, c, s.tables())
}

// A shape is the tables that a store keeps, by name. It is made anew where they
// change (SetTables): whoever appends looks at it at any time, also while a
// compaction opens the engine again.
type shape struct{ tables map[string]*table }

// tables gives the tables as they are now.
func (s *Store) tables() map[string]*table { return s.shape.Load().tables }

// knowTables makes the tables that the store is opened with.
func (s *Store) knowTables() {
	if s.shape.Load() == nil {
		s.shape.Store(newShape(nil, s.options.Tables))
	}
}

// newShape makes the tables of schemas. Those that old has with the same columns
// stay what they are.
func newShape(old map[string]*table, list []*schema.Table) *shape {
	out := &shape{make(map[string]*table, len(list))}
	for _, t := range list {
		if was := old[t.Name]; was != nil && was.schema.Custom == t.Custom && sameColumns(was.schema, t) {
			out.tables[t.Name] = was
		} else {
			out.tables[t.Name] = newTable(t)
		}
	}
	return out
}

// sameColumns says whether records of two tables have the same cells.
func sameColumns(a, b *schema.Table) bool {
	return a == b || slices.EqualFunc(a.Columns, b.Columns, func(x, y schema.Column) bool { return x.Name == y.Name && x.Type == y.Type }) &&
		len(a.Shadows) == len(b.Shadows)
}

// Close ends the store: what was accepted is committed, running queries are
// interrupted, a checkpoint is made.
func (s *Store) Close() error {
	s.gate.RLock()
	s.pool.stop()
	s.gate.RUnlock()
	s.intake.stop()
	s.still <- struct{}{}
	defer func() { <-s.still }()
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.intake.checkpoint(context.Background())
	s.shut()
	return errors.Join(err, s.lock.release())
}

// shut closes the engine.
func (s *Store) shut() {
	if s.intake != nil {
		s.intake.close()
	}
	if s.pool != nil {
		s.pool.close()
	}
	if s.engine != nil {
		s.closeEngine()
		s.engine = nil
	}
}

// closeEngine closes the engine, and then what was read of its file: the other
// way round the file would lose its lock.
func (s *Store) closeEngine() {
	s.engine.close()
	if s.read != nil {
		_ = s.read.Close() // it was only read
		s.read = nil
	}
}

// ErrClosed is given by every method of a store that has been closed.
var ErrClosed = errors.New("the log store is closed")

// enter keeps the engine in place until leave is called.
func (s *Store) enter() (leave func(), err error) {
	s.gate.RLock()
	if s.closed {
		s.gate.RUnlock()
		return nil, ErrClosed
	}
	return s.gate.RUnlock, nil
}

// Recovery says what Open found and did.
func (s *Store) Recovery() Recovery { return s.recovery }

// quote writes a name for SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// exists says whether a file is there.
func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
