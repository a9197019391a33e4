package logstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// The engine is DuckDB through its C interface, as Go's own driver binds it,
// without database/sql between: rows are appended by the column, results are
// read by the column and can be cut while the query still runs, and a
// cancelled call is interrupted until it has returned.

// An engine is one open database.
type engine struct {
	db duckdb.Database

	mu    sync.Mutex
	conns map[uint64]*conn // by the engine's own number
}

// caller gives the connection of a number, nil if it is none of ours.
func (e *engine) caller(id uint64) *conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conns[id]
}

// openEngine opens the database at path, which "" makes one in memory.
func openEngine(path string, settings map[string]string) (*engine, error) {
	var config duckdb.Config
	if duckdb.CreateConfig(&config) == duckdb.StateError {
		return nil, errors.New("open the engine: no configuration")
	}
	defer duckdb.DestroyConfig(&config)
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	// What forbids further settings comes last.
	slices.SortFunc(names, func(a, b string) int {
		if x, y := locks(a), locks(b); x != y {
			return x - y
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		if duckdb.SetConfig(config, name, settings[name]) == duckdb.StateError {
			return nil, fmt.Errorf("open the engine: it refuses the setting %s=%s", name, settings[name])
		}
	}
	e := &engine{conns: map[uint64]*conn{}}
	var message string
	var state duckdb.State
	yielding(func() { state = duckdb.OpenExt(path, &e.db, config, &message) })
	if state == duckdb.StateError {
		return nil, &engineError{Message: message}
	}
	return e, nil
}

// locks gives the order in which a setting must stand.
func locks(setting string) int {
	switch setting {
	case "enable_external_access":
		return 1
	case "lock_configuration":
		return 2
	}
	return 0
}

// close closes the database. All connections must have been closed.
func (e *engine) close() { duckdb.Close(&e.db) }

// connect makes a connection. A conn is used by one goroutine at a time.
func (e *engine) connect() (*conn, error) {
	c := &conn{engine: e}
	if duckdb.Connect(e.db, &c.c) == duckdb.StateError {
		return nil, errors.New("connect to the engine: it refused")
	}
	var own duckdb.ClientContext
	duckdb.ConnectionGetClientContext(c.c, &own)
	c.id = uint64(duckdb.ClientContextGetConnectionId(own))
	duckdb.DestroyClientContext(&own)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns[c.id] = c
	return c, nil
}

// An engineError is what the engine says, with its own class of error.
type engineError struct {
	Kind    duckdb.ErrorType
	Message string
}

func (e *engineError) Error() string {
	// The engine appends hints and a stack; what happened stands first.
	text, _, _ := strings.Cut(e.Message, "\n\nStack Trace")
	return strings.TrimSpace(text)
}

// A conn is one connection with a transaction of its own.
type conn struct {
	engine *engine
	id     uint64
	c      duckdb.Connection

	job atomic.Pointer[job] // of the query that runs, nil where nobody limits it
}

// A job is one query as functions of Go see it: stopped says that it is over, so
// that they give up between two rows, where the engine does not interrupt them;
// exhausted that one of them found no memory for what it gives.
type job struct{ stopped, exhausted atomic.Bool }

func (c *conn) close() {
	c.engine.mu.Lock()
	delete(c.engine.conns, c.id)
	c.engine.mu.Unlock()
	duckdb.Disconnect(&c.c)
}

// interruptEvery is how often a cancelled call is interrupted again: the engine
// forgets an interrupt that comes just before a statement starts.
const interruptEvery = 5 * time.Millisecond

// watch interrupts whatever the connection does once ctx is done, until the
// function that it gives is called. That function returns when no interrupt can
// come any more.
func (c *conn) watch(ctx context.Context) (release func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	over := make(chan struct{})
	var gone sync.WaitGroup
	gone.Add(1)
	stop := context.AfterFunc(ctx, func() {
		defer gone.Done()
		tick := time.NewTicker(interruptEvery)
		defer tick.Stop()
		for {
			duckdb.Interrupt(c.c)
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		close(over)
		if !stop() {
			gone.Wait()
		}
	}
}

// exec runs statements that give no rows.
func (c *conn) exec(ctx context.Context, sql string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer c.watch(ctx)()
	var result duckdb.Result
	defer duckdb.DestroyResult(&result)
	if duckdb.Query(c.c, sql, &result) == duckdb.StateError {
		return errors.Join(ctx.Err(), &engineError{Kind: duckdb.ResultErrorType(&result), Message: duckdb.ResultError(&result)})
	}
	return nil
}

// run prepares sql, runs it with the arguments and gives the number of rows
// that it changed.
func (c *conn) run(ctx context.Context, sql string, args map[string]any) (int64, error) {
	st, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	defer st.close()
	rows, err := st.query(ctx, args)
	if err != nil {
		return 0, err
	}
	defer rows.close()
	return rows.changed(), nil
}

// all gives every row of a small result.
func (c *conn) all(ctx context.Context, sql string, args map[string]any) ([][]any, error) {
	st, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	defer st.close()
	rows, err := st.query(ctx, args)
	if err != nil {
		return nil, err
	}
	defer rows.close()
	var out [][]any
	for {
		ch, err := rows.next()
		if err != nil {
			return nil, err
		}
		if ch == nil {
			return out, nil
		}
		if out, err = ch.appendRows(out, ch.size); err != nil {
			return nil, err
		}
	}
}

// A statement is one prepared statement of a connection.
type statement struct {
	conn   *conn
	st     duckdb.PreparedStatement
	params map[string]duckdb.IdxT
}

// prepare parses, binds and optimises one statement.
func (c *conn) prepare(sql string) (*statement, error) {
	s := &statement{conn: c, params: map[string]duckdb.IdxT{}}
	if duckdb.Prepare(c.c, sql, &s.st) == duckdb.StateError {
		err := &engineError{Message: duckdb.PrepareError(s.st)}
		duckdb.DestroyPrepare(&s.st)
		return nil, err
	}
	for i := range duckdb.NParams(s.st) {
		s.params[duckdb.ParameterName(s.st, i+1)] = i + 1
	}
	return s, nil
}

func (s *statement) close() { duckdb.DestroyPrepare(&s.st) }

// selects says whether the statement is a SELECT.
func (s *statement) selects() bool {
	return duckdb.PreparedStatementType(s.st) == duckdb.StatementTypeSelect
}

// bind gives the parameters their values: nil, bool, int64, float64, string or
// []byte. Arguments that the statement does not name are ignored.
func (s *statement) bind(args map[string]any) error {
	duckdb.ClearBindings(s.st)
	for name, i := range s.params {
		v, ok := args[name]
		if !ok {
			return fmt.Errorf("the statement asks for a parameter $%s that it is not given", name)
		}
		state := duckdb.StateError
		switch v := v.(type) {
		case nil:
			state = duckdb.BindNull(s.st, i)
		case bool:
			state = duckdb.BindBoolean(s.st, i, v)
		case int64:
			state = duckdb.BindInt64(s.st, i, v)
		case int:
			state = duckdb.BindInt64(s.st, i, int64(v))
		case float64:
			state = duckdb.BindDouble(s.st, i, v)
		case string:
			state = duckdb.BindVarcharLength(s.st, i, v, duckdb.IdxT(len(v)))
		case []byte:
			state = duckdb.BindBlob(s.st, i, v)
		default:
			return fmt.Errorf("parameter $%s: a %T cannot be bound", name, v)
		}
		if state == duckdb.StateError {
			return fmt.Errorf("parameter $%s: %w", name, &engineError{Message: duckdb.PrepareError(s.st)})
		}
	}
	return nil
}

// query starts the statement. The rows come while it runs.
func (s *statement) query(ctx context.Context, args map[string]any) (*rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.bind(args); err != nil {
		return nil, err
	}
	r := &rows{ctx: ctx, release: s.conn.watch(ctx)}
	var pending duckdb.PendingResult
	defer duckdb.DestroyPending(&pending)
	if duckdb.PendingPreparedStreaming(s.st, &pending) == duckdb.StateError {
		err := errors.Join(ctx.Err(), &engineError{Message: duckdb.PendingError(pending)})
		r.release()
		return nil, err
	}
	if duckdb.ExecutePending(pending, &r.result) == duckdb.StateError {
		err := errors.Join(ctx.Err(), &engineError{Kind: duckdb.ResultErrorType(&r.result), Message: duckdb.ResultError(&r.result)})
		r.close()
		return nil, err
	}
	return r, nil
}

// rows is a result that is being read. It must be closed before its connection
// does anything else.
type rows struct {
	ctx     context.Context // of the call that reads the rows; ends it
	result  duckdb.Result
	release func()
	current chunk
}

// next gives the next rows, nil after the last. The chunk is valid until the
// following call.
func (r *rows) next() (*chunk, error) {
	r.current.destroy()
	data := duckdb.FetchChunk(r.result)
	if data.Ptr == nil {
		if text := duckdb.ResultError(&r.result); text != "" {
			return nil, errors.Join(r.ctx.Err(), &engineError{Kind: duckdb.ResultErrorType(&r.result), Message: text})
		}
		return nil, nil
	}
	r.current.wrap(data)
	return &r.current, nil
}

// changed gives the number of rows that an INSERT, UPDATE or DELETE touched.
func (r *rows) changed() int64 {
	ch, err := r.next()
	if err != nil || ch == nil || ch.size == 0 || len(ch.columns) == 0 {
		return 0
	}
	n, _ := ch.columns[0].value(0).(int64)
	return n
}

func (r *rows) close() {
	r.current.destroy()
	r.release()
	duckdb.DestroyResult(&r.result)
}
