package logstore

/*
#include <stdint.h>
#include <stdlib.h>

void glasswardScalar(void *info, void *input, void *output);
void glasswardRelease(void *extra);
void glasswardBind(void *bind);
int glasswardAssign(void *vector, uint64_t index, const char *text, uint64_t length);
*/
import "C"

import (
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/cgo"
	"strings"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"glassward/kql/eval"
	"glassward/kql/value"
)

// A scalar is a Go function that queries call: one value a row, from the row's
// arguments. Values are nil, bool, int64, float64 or string, see physical.
type scalar struct {
	name   string
	params []value.Type
	result value.Type
	// nullIn gives the function its NULLs; without it a NULL argument makes the
	// result NULL and the function is not called.
	nullIn bool
	call   func(args []any) (any, error)
	// until is call for a function of which one call may take long; nil for the others.
	until  func(args []any, over func() bool) (any, error)
	engine *engine // that it is registered with
}

// errStopped says that a function was given up because its query is over, and
// errNoMemory that the engine has no memory left for what a function gives.
var (
	errStopped  = errors.New("the query is over")
	errNoMemory = errors.New("the engine has no more memory")
)

// physical gives the engine's type for one of Kusto's: datetime and timespan
// are 64-bit ticks, dynamic is JSON text, decimal the text of
// a value.Dec.
func physical(t value.Type) duckdb.Type {
	switch t {
	case value.Bool:
		return duckdb.TypeBoolean
	case value.Int:
		return duckdb.TypeInteger
	case value.Long, value.DateTime, value.TimeSpan:
		return duckdb.TypeBigInt
	case value.Real:
		return duckdb.TypeDouble
	case value.GUID:
		return duckdb.TypeUUID
	}
	return duckdb.TypeVarchar
}

// register makes the function known to every connection of the database.
func (c *conn) register(s *scalar) error {
	s.engine = c.engine
	f := duckdb.CreateScalarFunction()
	defer duckdb.DestroyScalarFunction(&f)
	duckdb.ScalarFunctionSetName(f, s.name)
	for _, p := range s.params {
		t := duckdb.CreateLogicalType(physical(p))
		duckdb.ScalarFunctionAddParameter(f, t)
		duckdb.DestroyLogicalType(&t)
	}
	t := duckdb.CreateLogicalType(physical(s.result))
	duckdb.ScalarFunctionSetReturnType(f, t)
	duckdb.DestroyLogicalType(&t)
	// The engine then hands NULLs to the callback instead of guessing; the
	// callback decides by nullIn.
	duckdb.ScalarFunctionSetSpecialHandling(f)
	// The engine keeps the function for as long as the database is open; what it
	// holds is a handle in C memory, because it may hold no Go pointer.
	extra := C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0))))
	*(*cgo.Handle)(extra) = cgo.NewHandle(s)
	duckdb.ScalarFunctionSetExtraInfo(f, extra, unsafe.Pointer(C.glasswardRelease))
	duckdb.ScalarFunctionSetBind(f, unsafe.Pointer(C.glasswardBind))
	duckdb.ScalarFunctionSetFunction(f, unsafe.Pointer(C.glasswardScalar))
	if duckdb.RegisterScalarFunction(c.c, f) == duckdb.StateError {
		return fmt.Errorf("register the function %s: the engine refused", s.name)
	}
	return nil
}

//export glasswardRelease
func glasswardRelease(extra unsafe.Pointer) {
	(*(*cgo.Handle)(extra)).Delete()
	C.free(extra)
}

//export glasswardScalar
func glasswardScalar(info, input, output unsafe.Pointer) {
	at := duckdb.FunctionInfo{Ptr: info}
	s := (*(*cgo.Handle)(duckdb.ScalarFunctionGetExtraInfo(at))).Value().(*scalar)
	var j *job
	if id := (*uint64)(duckdb.ScalarFunctionGetBindData(at)); id != nil {
		if c := s.engine.caller(*id); c != nil {
			j = c.job.Load()
		}
	}
	if err := s.apply(duckdb.DataChunk{Ptr: input}, duckdb.Vector{Ptr: output}, j); err != nil {
		duckdb.ScalarFunctionSetError(at, err.Error())
	}
}

// apply calls the function for every row of the chunk, until the job, if
// there is one, is over. A panic in it is an error of the query, never the end of the program: what it was given may come from a record that an
// attacker wrote.
func (s *scalar) apply(input duckdb.DataChunk, output duckdb.Vector, j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: internal error: %v", s.name, p)
		}
	}()
	var in chunk
	in.wrap(input)
	out := column{kind: physical(s.result)}
	out.wrap(output)
	duckdb.VectorEnsureValidityWritable(output)
	out.valid = duckdb.VectorGetValidity(output)
	args := make([]any, len(in.columns))
	for row := range in.size {
		if j != nil && j.stopped.Load() {
			return errStopped
		}
		null := false
		for j := range in.columns {
			if col := &in.columns[j]; s.params[j] == value.Dynamic && !col.null(row) && at[text](col, row).length > eval.MaxJSON {
				args[j] = nil // no value of a query is as large, and what reads it would take many times as much
			} else {
				args[j] = col.value(row)
			}
			null = null || args[j] == nil
		}
		if null && !s.nullIn {
			out.setNull(row)
			continue
		}
		var v any
		if s.until != nil && j != nil {
			v, err = s.until(args, j.stopped.Load)
		} else {
			v, err = s.call(args)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := out.set(row, v); err != nil {
			if j != nil && errors.Is(err, errNoMemory) {
				j.exhausted.Store(true)
			}
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// setNull makes a cell NULL. The vector's validity must be writable.
func (c *column) setNull(row int) {
	*(*uint64)(unsafe.Add(c.valid, row/64*8)) &^= 1 << (row % 64)
}

// set gives a cell of a result vector its value.
func (c *column) set(row int, v any) error {
	switch v := v.(type) {
	case nil:
		c.setNull(row)
		return nil
	case bool:
		if c.kind == duckdb.TypeBoolean {
			*at[bool](c, row) = v
			return nil
		}
	case int64:
		switch c.kind {
		case duckdb.TypeInteger:
			*at[int32](c, row) = int32(v)
			return nil
		case duckdb.TypeBigInt:
			*at[int64](c, row) = v
			return nil
		case duckdb.TypeDouble:
			*at[float64](c, row) = float64(v)
			return nil
		}
	case float64:
		if c.kind == duckdb.TypeDouble {
			*at[float64](c, row) = v
			return nil
		}
	case string:
		switch c.kind {
		case duckdb.TypeVarchar:
			v = strings.ToValidUTF8(v, "\uFFFD")
			if C.glasswardAssign(c.vector.Ptr, C.uint64_t(row), (*C.char)(unsafe.Pointer(unsafe.StringData(v))), C.uint64_t(len(v))) == 0 {
				return errNoMemory
			}
			return nil
		case duckdb.TypeUUID:
			id, err := parseUUID(v)
			if err != nil {
				return err
			}
			*at[hugeint](c, row) = hugeintOf(id)
			return nil
		}
	}
	return fmt.Errorf("it gave a %T where the engine's type %d is wanted", v, int(c.kind))
}

// parseUUID reads a GUID with or without hyphens and braces.
func parseUUID(s string) (id [16]byte, err error) {
	digits := strings.NewReplacer("-", "", "{", "", "}", "").Replace(s)
	if n, err := hex.Decode(id[:], []byte(digits)); err != nil || n != 16 || len(digits) != 32 {
		return id, fmt.Errorf("%q is no GUID", s)
	}
	return id, nil
}
