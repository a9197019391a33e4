package logstore

import (
	"fmt"
	"math"
	"strings"
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
	flushed bool
	room    int
	arena   arena
	cells   []glassward.Value
}

// newAppender makes an appender to the table, for whatever transaction is open
// on the connection when it is used.
func newAppender(c *conn, t *table) (*appender, error) {
	w := &appender{table: t, room: int(duckdb.VectorSize())}
	if err := w.arena.enlarge(arenaSize); err != nil {
		return nil, err
	}
	if duckdb.AppenderCreateExt(c.c, t.catalog, "main", t.schema.Name, &w.ap) == duckdb.StateError {
		err := appenderError(w.ap)
		duckdb.AppenderDestroy(&w.ap)
		w.arena.close()
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
	if err := w.reserve(need); err != nil {
		return err
	}
	t := w.table
	for i, k := range t.layout {
		col := &w.columns[i]
		switch {
		case k < len(t.schema.Columns):
			w.cell(col, t.columns[k].typ, r.cells[k])
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
			w.cell(col, t.columns[k].typ, w.cells[k-t.shadows])
		case t.columns[k].typ == value.String:
			w.text(col, "")
		default:
			w.null(col)
		}
	}
	w.rows++
	w.flushed = false
	return nil
}

// reserve makes room for a row with that many bytes of text.
func (w *appender) reserve(need int) error {
	if w.rows < w.room && w.arena.fits(need) {
		return nil
	}
	if err := w.hand(); err != nil {
		return err
	}
	if w.arena.fits(need) {
		return nil
	}
	return w.arena.enlarge(need)
}

// null makes the cell NULL and leaves nothing behind it that could be taken for
// a pointer.
func (w *appender) null(c *column) {
	c.setNull(w.rows)
	if c.kind == duckdb.TypeVarchar || c.kind == duckdb.TypeBlob {
		*at[text](c, w.rows) = text{}
	}
}

// check says whether a record's cells fit the table's columns.
func (t *table) check(cells []glassward.Value) error {
	if len(cells) != len(t.schema.Columns) {
		return fmt.Errorf("it has %d cells, the table %d columns", len(cells), len(t.schema.Columns))
	}
	for i := range cells {
		if !holds(t.columns[i].typ, cells[i].Kind) {
			return fmt.Errorf("column %s: a value of kind %d cannot stand in a column of type %v", t.columns[i].name, cells[i].Kind, t.columns[i].typ)
		}
	}
	return nil
}

// holds says whether values of a kind can stand in a column of a type.
func holds(typ value.Type, kind glassward.Kind) bool {
	switch kind {
	case glassward.KindNull:
		return true
	case glassward.KindString:
		return typ == value.String || typ == value.Dynamic || typ == value.GUID
	case glassward.KindBool:
		return typ == value.Bool
	case glassward.KindLong:
		return typ == value.Long || typ == value.DateTime || typ == value.TimeSpan || typ == value.Int || typ == value.Real
	case glassward.KindReal:
		return typ == value.Real
	}
	return false
}

// cell writes one cell of a record, which check has passed. What the type has
// no value for, a number beyond 32 bits or a text that is no GUID, is NULL.
func (w *appender) cell(c *column, typ value.Type, v glassward.Value) {
	switch {
	case typ == value.String:
		w.text(c, v.Str)
	case v.Kind == glassward.KindNull:
		w.null(c)
	case typ == value.Dynamic:
		if v.Str == "" {
			w.null(c)
		} else {
			w.text(c, v.Str)
		}
	case typ == value.GUID:
		id, err := parseUUID(v.Str)
		if err != nil {
			w.null(c)
			return
		}
		*at[hugeint](c, w.rows) = hugeintOf(id)
	case typ == value.Bool:
		*at[bool](c, w.rows) = v.Num != 0
	case typ == value.Int:
		if v.Num < math.MinInt32 || v.Num > math.MaxInt32 {
			w.null(c)
			return
		}
		*at[int32](c, w.rows) = int32(v.Num)
	case typ == value.Real && v.Kind == glassward.KindReal:
		*at[float64](c, w.rows) = v.Real
	case typ == value.Real:
		*at[float64](c, w.rows) = float64(v.Num)
	default:
		*at[int64](c, w.rows) = v.Num
	}
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
	if w.flushed {
		return nil
	}
	if err := w.hand(); err != nil {
		return err
	}
	w.flushed = true
	if duckdb.AppenderFlush(w.ap) == duckdb.StateError {
		return fmt.Errorf("append to %s: %w", w.table.schema.Name, appenderError(w.ap))
	}
	return nil
}

// drop forgets what was not flushed.
func (w *appender) drop() {
	duckdb.AppenderClear(w.ap)
	w.reset()
	w.flushed = true
}

// close drops what was not flushed and gives the memory back.
func (w *appender) close() {
	w.drop()
	w.arena.close()
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

// arenaSize is enough for the texts of a chunk of ordinary records.
const arenaSize = 4 << 20

func (a *arena) fits(n int) bool { return a.used+n <= len(a.memory) }

func (a *arena) reset() { a.used = 0 }

// enlarge makes the arena hold at least n bytes; it must be empty.
func (a *arena) enlarge(n int) error {
	memory, err := allocate(max(n, arenaSize))
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
		// A failure leaves memory behind, nothing worse.
		_ = free(a.memory)
		a.memory = nil
	}
}
