package logstore

import (
	"fmt"
	"math"
	"strings"
	"syscall"
	"unicode/utf8"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"glassward"
	"glassward/kql/value"
)

// An appender writes rows into one table of the open transaction, by the
// column and 2048 rows at a time. Texts are copied into an arena outside of
// Go's heap, which the engine reads when the chunk is handed over: no call into
// C a cell, and no Go pointer in the engine's memory.
type appender struct {
	table   *table
	ap      duckdb.Appender
	data    duckdb.DataChunk
	types   []duckdb.LogicalType
	columns []column // by the engine's order
	rows    int
	room    int
	arena   *arena
	cells   []glassward.Value
}

// newAppender begins to append to the table on the connection.
func newAppender(c *conn, t *table, a *arena) (*appender, error) {
	w := &appender{table: t, arena: a, room: int(duckdb.VectorSize())}
	if duckdb.AppenderCreateExt(c.c, "", "main", t.schema.Name, &w.ap) == duckdb.StateError {
		err := appenderError(w.ap)
		duckdb.AppenderDestroy(&w.ap)
		return nil, fmt.Errorf("append to %s: %w", t.schema.Name, err)
	}
	w.columns = make([]column, len(t.layout))
	for i := range w.columns {
		logical := duckdb.AppenderColumnType(w.ap, duckdb.IdxT(i))
		w.columns[i].kind = duckdb.GetTypeId(logical)
		w.types = append(w.types, logical)
	}
	w.data = duckdb.CreateDataChunk(w.types)
	w.reset()
	return w, nil
}

func appenderError(ap duckdb.Appender) error {
	data := duckdb.AppenderErrorData(ap)
	defer duckdb.DestroyErrorData(&data)
	return &engineError{Kind: duckdb.ErrorDataErrorType(data), Message: duckdb.ErrorDataMessage(data)}
}

// reset makes the chunk empty.
func (w *appender) reset() {
	duckdb.DataChunkReset(w.data)
	for i := range w.columns {
		c := &w.columns[i]
		c.vector = duckdb.DataChunkGetVector(w.data, duckdb.IdxT(i))
		c.data = duckdb.VectorGetData(c.vector)
		duckdb.VectorEnsureValidityWritable(c.vector)
		c.valid = duckdb.VectorGetValidity(c.vector)
	}
	w.arena.reset()
	w.rows = 0
}

// add appends one record under its id and sequence number.
func (w *appender) add(r *entry) error {
	need := 0
	for i := range r.cells {
		need += len(r.cells[i].Str)
	}
	need += len(r.extra)
	w.cells = w.table.schema.AppendShadows(w.cells[:0], r.cells)
	for i := range w.cells {
		need += len(w.cells[i].Str)
	}
	need += len(r.source) + len(r.provenance)
	if w.rows == w.room || !w.arena.fits(need) {
		if err := w.hand(); err != nil {
			return err
		}
		if !w.arena.fits(need) {
			if err := w.arena.enlarge(need); err != nil {
				return err
			}
		}
	}
	t := w.table
	for i, k := range t.layout {
		col := &w.columns[i]
		switch {
		case k < len(t.schema.Columns):
			if err := w.cell(col, t.columns[k].typ, r.cells[k]); err != nil {
				return fmt.Errorf("column %s: %w", t.columns[k].name, err)
			}
		case k == t.received:
			*at[int64](col, w.rows) = int64(value.FromTime(r.received))
		case k == t.item:
			*at[hugeint](col, w.rows) = hugeintOf(r.id)
		case k == t.source:
			w.text(col, r.source)
		case k == t.provenance:
			w.text(col, string(r.provenance))
		case k == t.extra:
			if r.extra != "" {
				w.text(col, r.extra)
			} else {
				w.null(col)
			}
		case k == t.seq:
			*at[int64](col, w.rows) = r.seq
		case k >= t.shadows && k < t.shadows+len(t.schema.Shadows):
			if err := w.cell(col, t.columns[k].typ, w.cells[k-t.shadows]); err != nil {
				return fmt.Errorf("column %s: %w", t.columns[k].name, err)
			}
		default:
			w.null(col)
		}
	}
	w.rows++
	return nil
}

// null makes the cell NULL and leaves nothing behind it that could be taken for
// a pointer.
func (w *appender) null(c *column) {
	c.setNull(w.rows)
	if c.kind == duckdb.TypeVarchar || c.kind == duckdb.TypeBlob {
		*at[text](c, w.rows) = text{}
	}
}

// cell writes one cell of a record.
func (w *appender) cell(c *column, typ value.Type, v glassward.Value) error {
	switch v.Kind {
	case glassward.KindNull:
		if typ == value.String {
			*at[text](c, w.rows) = text{}
		} else {
			w.null(c)
		}
		return nil
	case glassward.KindString:
		switch {
		case typ == value.String:
			w.text(c, v.Str)
			return nil
		case typ == value.Dynamic:
			if v.Str == "" {
				w.null(c)
			} else {
				w.text(c, v.Str)
			}
			return nil
		case typ == value.GUID:
			id, err := parseUUID(v.Str)
			if err != nil {
				w.null(c)
				return nil
			}
			*at[hugeint](c, w.rows) = hugeintOf(id)
			return nil
		}
	case glassward.KindBool:
		if typ == value.Bool {
			*at[bool](c, w.rows) = v.Num != 0
			return nil
		}
	case glassward.KindLong:
		switch typ {
		case value.Long, value.DateTime, value.TimeSpan:
			*at[int64](c, w.rows) = v.Num
			return nil
		case value.Int:
			if v.Num < math.MinInt32 || v.Num > math.MaxInt32 {
				w.null(c)
				return nil
			}
			*at[int32](c, w.rows) = int32(v.Num)
			return nil
		case value.Real:
			*at[float64](c, w.rows) = float64(v.Num)
			return nil
		}
	case glassward.KindReal:
		if typ == value.Real {
			*at[float64](c, w.rows) = v.Real
			return nil
		}
	}
	return fmt.Errorf("a value of kind %d cannot stand in a column of type %v", v.Kind, typ)
}

// text writes a text. Bytes that are no UTF-8 become a question mark, which
// makes no text longer: the engine would refuse them, and with them the whole
// transaction.
func (w *appender) text(c *column, s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "?")
	}
	t := at[text](c, w.rows)
	t.length = uint32(len(s))
	if len(s) <= inline {
		t.prefix, t.far = [4]byte{}, nil
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&t.prefix)), inline), s)
		return
	}
	copy(t.prefix[:], s)
	t.far = w.arena.copy(s)
}

// hand gives the engine the rows of the chunk.
func (w *appender) hand() error {
	if w.rows == 0 {
		return nil
	}
	duckdb.DataChunkSetSize(w.data, duckdb.IdxT(w.rows))
	if duckdb.AppendDataChunk(w.ap, w.data) == duckdb.StateError {
		return fmt.Errorf("append to %s: %w", w.table.schema.Name, appenderError(w.ap))
	}
	w.reset()
	return nil
}

// flush hands over what is left and makes it part of the transaction.
func (w *appender) flush() error {
	if err := w.hand(); err != nil {
		return err
	}
	if duckdb.AppenderFlush(w.ap) == duckdb.StateError {
		return fmt.Errorf("append to %s: %w", w.table.schema.Name, appenderError(w.ap))
	}
	return nil
}

// close drops what was not flushed.
func (w *appender) close() {
	duckdb.AppenderClear(w.ap)
	duckdb.AppenderDestroy(&w.ap)
	duckdb.DestroyDataChunk(&w.data)
	for i := range w.types {
		duckdb.DestroyLogicalType(&w.types[i])
	}
}

// An arena is memory outside of Go's heap, filled from the front.
type arena struct {
	memory []byte
	used   int
}

const arenaSize = 16 << 20

func newArena() (*arena, error) {
	a := new(arena)
	return a, a.enlarge(arenaSize)
}

func (a *arena) fits(n int) bool { return a.used+n <= len(a.memory) }

func (a *arena) reset() { a.used = 0 }

// enlarge makes the arena hold at least n bytes; it must be empty.
func (a *arena) enlarge(n int) error {
	memory, err := syscall.Mmap(-1, 0, max(n, arenaSize), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("memory for %d bytes of texts: %w", n, err)
	}
	a.close()
	a.memory, a.used = memory, 0
	return nil
}

func (a *arena) copy(s string) unsafe.Pointer {
	p := unsafe.Pointer(&a.memory[a.used])
	a.used += copy(a.memory[a.used:], s)
	return p
}

func (a *arena) close() {
	if a.memory != nil {
		// An unmapping that fails leaves memory behind, nothing worse.
		_ = syscall.Munmap(a.memory)
		a.memory = nil
	}
}
