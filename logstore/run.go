package logstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
	"golang.org/x/sync/semaphore"

	"glassward/kql"
)

// A Class says on whose behalf a query runs. Each class has its own places, so
// that people's queries cannot keep rules waiting, nor rules people.
type Class uint8

// The classes of queries. Intake is what has to be worked out of records before
// they can be stored: see Transform.
const (
	Interactive Class = iota
	Rules
	Intake
	classes
)

// Limits bound one query. A zero field means its default.
type Limits struct {
	Class Class
	// Timeout counts from when the query gets its place; default one minute.
	Timeout time.Duration
	// MaxRows and MaxBytes cut the result, which then says Truncated. Defaults
	// are 500,000 rows and 64 MiB, as in Kusto.
	MaxRows  int
	MaxBytes int64
	// Memory is how much of the queries' common memory the query reserves while
	// it runs; it waits until that much is free. Default a quarter of it.
	Memory int64
}

func (l *Limits) fill(o *Options) {
	if l.Timeout <= 0 {
		l.Timeout = time.Minute
	}
	if l.MaxRows <= 0 {
		l.MaxRows = 500_000
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = 64 << 20
	}
	share := o.Memory / 4 * 3
	if l.Memory <= 0 {
		l.Memory = share / 4
	}
	l.Memory = min(l.Memory, share)
}

// A TimeoutError says that a query ran longer than its limit.
type TimeoutError struct{ Limit time.Duration }

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("the query ran longer than its limit of %v: narrow its time range, or filter before it joins or aggregates", e.Limit)
}

// Unwrap makes errors.Is(err, context.DeadlineExceeded) true.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// A MemoryError says that a query wanted more memory than the store may use.
type MemoryError struct{ Cause error }

func (e *MemoryError) Error() string {
	return fmt.Sprintf("the query needs more memory than the store may use: filter before it joins or aggregates (%v)", e.Cause)
}

// Unwrap gives the engine's own error.
func (e *MemoryError) Unwrap() error { return e.Cause }

// Run runs a compiled query over what is committed now and gives its rows, cut
// at the limits. The further tables of a query that gives several count for the
// same limits. Cancelling ctx interrupts the engine. The error is ctx's own,
// a *TimeoutError, a *MemoryError, ErrClosed, or what the engine or a function
// of the query said.
//
// A query is planned every time. The engine plans by statistics of the data as
// they are at that moment and does not plan a kept statement again when data
// comes: one that was kept while no record matched goes on finding none
// (TestKeptStatementsGoStale). What a hundred rules would pay for planning is
// saved before it comes to a query at all, by the programs' prefilters.
func (s *Store) Run(ctx context.Context, p *kql.Program, bind kql.Bind, limits Limits) (*kql.Result, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	limits.fill(&s.options)
	if p.MaxRows > 0 {
		limits.MaxRows = int(min(int64(limits.MaxRows), p.MaxRows))
	}
	if p.MaxBytes > 0 {
		limits.MaxBytes = min(limits.MaxBytes, p.MaxBytes)
	}
	whole := limits
	var result *kql.Result
	err = s.pool.with(ctx, limits, func(ctx context.Context, c *conn) error {
		for i, p := range append([]*kql.Program{p}, p.More...) {
			args, err := arguments(p, bind)
			if err != nil {
				return err
			}
			r := &kql.Result{Name: p.Name, Columns: p.Columns, Render: p.Render}
			if i == 0 {
				result = r
			} else {
				result.More = append(result.More, r)
			}
			take, err := c.give(ctx, p, bind.Rows)
			if err != nil {
				return err
			}
			bytes, err := c.fill(ctx, p, args, limits, r)
			if err = errors.Join(err, take()); err != nil {
				return err
			}
			if limits.MaxRows -= len(r.Rows); r.Truncated && limits.MaxRows == 0 {
				r.MaxRows = int64(whole.MaxRows)
			} else if r.Truncated {
				r.MaxBytes = whole.MaxBytes
			}
			limits.MaxBytes -= bytes
		}
		return nil
	})
	if err != nil {
		return nil, s.damage(err)
	}
	return result, nil
}

// arguments gives the values of a program's parameters.
func arguments(p *kql.Program, bind kql.Bind) (map[string]any, error) {
	args := make(map[string]any, len(p.Params)+len(p.Args))
	for name, v := range p.Args {
		args[name] = v
	}
	for _, name := range p.Params {
		v, ok := bind.Value(name)
		if !ok {
			return nil, fmt.Errorf("run a query: the program asks for an unknown parameter $%s", name)
		}
		args[name] = v
	}
	return args, nil
}

// stated gives SQL with those of its parameters written out that are whole numbers:
// the times and sequence numbers of a window. The engine plans a statement that has
// parameters twice, when it is prepared and when they are known, and planning is most
// of what a rule costs.
func stated(sql string, args map[string]any) string {
	var b strings.Builder
	for {
		i := strings.IndexAny(sql, `'"$`)
		if i < 0 {
			b.WriteString(sql)
			return b.String()
		}
		b.WriteString(sql[:i])
		end := i + 1
		if quote := sql[i]; quote != '$' {
			// A quote within is doubled, and so is two texts side by side here.
			n := strings.IndexByte(sql[end:], quote)
			if n < 0 {
				b.WriteString(sql[i:])
				return b.String()
			}
			b.WriteString(sql[i : end+n+1])
			sql = sql[end+n+1:]
			continue
		}
		for end < len(sql) && (sql[end] == '_' || sql[end] >= 'a' && sql[end] <= 'z' || sql[end] >= 'A' && sql[end] <= 'Z' || sql[end] >= '0' && sql[end] <= '9') {
			end++
		}
		if n, ok := args[sql[i+1:end]].(int64); ok {
			fmt.Fprintf(&b, "(%d)", n)
		} else {
			b.WriteString(sql[i:end])
		}
		sql = sql[end:]
	}
}

// fill runs the program's SQL and adds its rows to the result. It says how many
// bytes they take.
func (c *conn) fill(ctx context.Context, p *kql.Program, args map[string]any, limits Limits, result *kql.Result) (bytes int64, err error) {
	st, err := c.prepare(stated(p.SQL, args))
	if err != nil {
		if strings.Contains(err.Error(), "Max expression depth") {
			return bytes, fmt.Errorf("plan the query: its conditions are too deep for the engine: let one sub-query or list stand for several (%w)", err)
		}
		return bytes, fmt.Errorf("plan the query: %w", err)
	}
	defer st.close()
	if !st.selects() {
		return bytes, errors.New("run a query: its SQL is no SELECT")
	}
	rows, err := st.query(ctx, args)
	if err != nil {
		return bytes, fmt.Errorf("run the query: %w", err)
	}
	defer rows.close()
	width := len(p.Columns)
	if p.Lineage {
		width += 2
	}
	none := width == 0 // a row without a column has a cell in SQL, which is left out
	if none {
		width = 1
	}
	for {
		ch, err := rows.next()
		if err != nil {
			return bytes, fmt.Errorf("run the query: %w", err)
		}
		if ch == nil {
			return bytes, nil
		}
		if len(ch.columns) != width {
			return bytes, fmt.Errorf("run the query: the engine gives %d columns, the program has %d", len(ch.columns), width)
		}
		n := min(ch.size, limits.MaxRows-len(result.Rows))
		// Bytes are counted before rows are copied out of the engine, so that a
		// chunk of huge values does not come whole.
		for i := range n {
			if bytes += ch.bytes(i); bytes > limits.MaxBytes {
				n = i
				break
			}
		}
		if result.Rows, err = ch.appendRows(result.Rows, n); err != nil {
			return bytes, fmt.Errorf("run the query: %w", err)
		}
		if none {
			for i := len(result.Rows) - n; i < len(result.Rows); i++ {
				result.Rows[i] = []any{}
			}
		}
		if n < ch.size {
			result.Truncated = true
		}
		if p.Lineage {
			for i := len(result.Rows) - n; i < len(result.Rows); i++ {
				row := result.Rows[i]
				ids, _ := row[width-2].([]string)
				over, _ := row[width-1].(bool)
				result.Lineage = append(result.Lineage, ids)
				result.LineageOverflow = append(result.LineageOverflow, over)
				result.Rows[i] = row[: width-2 : width-2]
			}
		}
		if result.Truncated {
			return bytes, nil
		}
	}
}

// bytes gives roughly what a row takes in a result.
func (c *chunk) bytes(row int) int64 {
	var n int64
	for j := range c.columns {
		col := &c.columns[j]
		switch {
		case col.kind == duckdb.TypeVarchar || col.kind == duckdb.TypeBlob:
			if !col.null(row) {
				n += 16 + int64(at[text](col, row).length)
			}
		case col.kind == duckdb.TypeList:
			n += 24 + 52*int64(at[[2]uint64](col, row)[1])
		default:
			n += 16
		}
	}
	return n
}

// A pool keeps the connections of queries and lets so many of each class work
// at once.
type pool struct {
	engine *engine
	slots  [classes]*semaphore.Weighted
	memory *semaphore.Weighted
	halted context.Context
	halt   context.CancelCauseFunc
	calm   calm
	growth growth

	mu   sync.Mutex
	idle []*conn
}

func newPool(e *engine, o Options) *pool {
	p := &pool{engine: e, memory: semaphore.NewWeighted(o.Memory / 4 * 3), growth: growth{bound: 2 * o.Memory, resident: residentBytes}}
	for i := range p.slots {
		p.slots[i] = semaphore.NewWeighted(int64(o.Queries))
	}
	p.halted, p.halt = context.WithCancelCause(context.Background())
	return p
}

// with calls f with a connection of its own as soon as the class has a place
// and the memory is free. The context that f gets ends with ctx, with the
// limit of time and with the store.
func (p *pool) with(ctx context.Context, limits Limits, f func(context.Context, *conn) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.halted, func() { cancel(ErrClosed) })()
	slot := p.slots[limits.Class]
	if err := slot.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer slot.Release(1)
	// Rules do not queue for memory behind people's queries: their share is what
	// those leave by the size of the whole.
	if limits.Class != Rules {
		if err := p.memory.Acquire(ctx, limits.Memory); err != nil {
			return context.Cause(ctx)
		}
		defer p.memory.Release(limits.Memory)
	}
	if err := p.calm.begin(ctx, limits.Class); err != nil {
		return err
	}
	defer p.calm.end()
	timeout := &TimeoutError{limits.Timeout}
	timed, stop := context.WithTimeoutCause(ctx, limits.Timeout, timeout)
	defer stop()
	c, err := p.take()
	if err != nil {
		return err
	}
	defer p.give(c)
	j := new(job)
	c.job.Store(j)
	defer c.job.Store(nil)
	// Planning computes what is constant, which the engine's interrupt does not end.
	defer context.AfterFunc(timed, func() { j.stopped.Store(true) })()
	defer p.growth.watch(limits.Class, cancel)()
	if limits.Class == Interactive {
		yielding(func() { err = f(timed, c) })
	} else {
		err = f(timed, c)
	}
	if err == nil {
		return nil
	}
	if timed.Err() != nil {
		return context.Cause(timed)
	}
	var said *engineError
	if j.exhausted.Load() || errors.As(err, &said) && said.Kind == duckdb.ErrorTypeOutOfMemory {
		return &MemoryError{err}
	}
	return err
}

func (p *pool) take() (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return c, nil
	}
	return p.engine.connect()
}

func (p *pool) give(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

// stop interrupts what runs and refuses what comes.
func (p *pool) stop() { p.halt(ErrClosed) }

// close closes the connections; nothing may run any more.
func (p *pool) close() {
	p.halt(ErrClosed)
	for _, c := range p.idle {
		c.close()
	}
	p.idle = nil
}
