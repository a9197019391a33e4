package logstore

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"glassward"
)

// A chunk is up to 2048 rows, held by the column in the engine's memory.
type chunk struct {
	data    duckdb.DataChunk
	columns []column
	size    int
}

// A column is one vector of a chunk.
type column struct {
	vector  duckdb.Vector
	kind    duckdb.Type
	data    unsafe.Pointer
	valid   unsafe.Pointer // nil: every row is valid
	storage duckdb.Type    // of a DECIMAL
	scale   uint8          // of a DECIMAL
	child   *column        // of a LIST
}

// A text is the engine's string_t: the length, then either up to 12 bytes in
// place or 4 bytes of prefix and a pointer (duckdb.h, duckdb_string_t).
type text struct {
	length uint32
	prefix [4]byte
	far    unsafe.Pointer
}

// inline is the longest string that a text holds in place.
const inline = 12

func (t *text) string() string {
	if t.length <= inline {
		return unsafe.String((*byte)(unsafe.Pointer(&t.prefix)), t.length)
	}
	return unsafe.String((*byte)(t.far), t.length)
}

// hugeint is the engine's 128-bit integer, also what a UUID is kept in.
type hugeint struct {
	low  uint64
	high int64
}

// uuid gives the 16 bytes of a UUID: the engine turns the first bit round, so
// that UUIDs sort as they read.
func (h hugeint) uuid() (id [16]byte) {
	high := uint64(h.high) ^ 1<<63
	for i := range 8 {
		id[i] = byte(high >> (56 - 8*i))
		id[8+i] = byte(h.low >> (56 - 8*i))
	}
	return id
}

// hugeintOf is the reverse of uuid.
func hugeintOf(id [16]byte) hugeint {
	var high, low uint64
	for i := range 8 {
		high = high<<8 | uint64(id[i])
		low = low<<8 | uint64(id[8+i])
	}
	return hugeint{low: low, high: int64(high ^ 1<<63)}
}

func (h hugeint) big() *big.Int {
	n := big.NewInt(h.high)
	n.Lsh(n, 64)
	return n.Add(n, new(big.Int).SetUint64(h.low))
}

// wrap takes over a chunk that the engine gave.
func (c *chunk) wrap(data duckdb.DataChunk) {
	c.data = data
	c.size = int(duckdb.DataChunkGetSize(data))
	n := int(duckdb.DataChunkGetColumnCount(data))
	if cap(c.columns) < n {
		c.columns = make([]column, n)
	}
	c.columns = c.columns[:n]
	for i := range c.columns {
		c.columns[i].wrap(duckdb.DataChunkGetVector(data, duckdb.IdxT(i)))
	}
}

func (c *chunk) destroy() {
	if c.data.Ptr != nil {
		duckdb.DestroyDataChunk(&c.data)
	}
}

// wrap reads a vector's type once and looks up its memory, which changes with
// every chunk.
func (c *column) wrap(v duckdb.Vector) {
	if c.kind == 0 {
		logical := duckdb.VectorGetColumnType(v)
		c.kind = duckdb.GetTypeId(logical)
		if c.kind == duckdb.TypeDecimal {
			c.storage = duckdb.DecimalInternalType(logical)
			c.scale = duckdb.DecimalScale(logical)
		}
		duckdb.DestroyLogicalType(&logical)
	}
	c.vector = v
	c.data = duckdb.VectorGetData(v)
	c.valid = duckdb.VectorGetValidity(v)
	if c.kind == duckdb.TypeList {
		if c.child == nil {
			c.child = new(column)
		}
		c.child.wrap(duckdb.ListVectorGetChild(v))
	}
}

// null says whether the row's value is NULL.
func (c *column) null(row int) bool {
	return c.valid != nil && *(*uint64)(unsafe.Add(c.valid, row/64*8))&(1<<(row%64)) == 0
}

// at gives the row's value as it lies in the engine's memory.
func at[T any](c *column, row int) *T {
	var zero T
	return (*T)(unsafe.Add(c.data, uintptr(row)*unsafe.Sizeof(zero)))
}

// value gives a cell as nil, bool, int64, float64, string or, for a list of
// texts or UUIDs, []string. Decimals and integers beyond 64 bits are text.
func (c *column) value(row int) any {
	if c.null(row) {
		return nil
	}
	switch c.kind {
	case duckdb.TypeBoolean:
		return *at[bool](c, row)
	case duckdb.TypeTinyInt:
		return int64(*at[int8](c, row))
	case duckdb.TypeSmallInt:
		return int64(*at[int16](c, row))
	case duckdb.TypeInteger:
		return int64(*at[int32](c, row))
	case duckdb.TypeBigInt:
		return *at[int64](c, row)
	case duckdb.TypeUTinyInt:
		return int64(*at[uint8](c, row))
	case duckdb.TypeUSmallInt:
		return int64(*at[uint16](c, row))
	case duckdb.TypeUInteger:
		return int64(*at[uint32](c, row))
	case duckdb.TypeUBigInt:
		n := *at[uint64](c, row)
		if n > math.MaxInt64 {
			return fmt.Sprint(n)
		}
		return int64(n)
	case duckdb.TypeHugeInt:
		n := at[hugeint](c, row).big()
		if !n.IsInt64() {
			return n.String()
		}
		return n.Int64()
	case duckdb.TypeFloat:
		return float64(*at[float32](c, row))
	case duckdb.TypeDouble:
		return *at[float64](c, row)
	case duckdb.TypeVarchar:
		return strings.Clone(at[text](c, row).string())
	case duckdb.TypeBlob:
		return strings.Clone(at[text](c, row).string())
	case duckdb.TypeUUID:
		return glassward.RecordID(at[hugeint](c, row).uuid()).String()
	case duckdb.TypeDecimal:
		return c.decimal(row)
	case duckdb.TypeSQLNull:
		return nil
	case duckdb.TypeList:
		entry := *at[[2]uint64](c, row)
		list := make([]string, 0, entry[1])
		for i := range entry[1] {
			if s, ok := c.child.value(int(entry[0] + i)).(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return unreadable(c.kind)
}

// unreadable stands for a value of a type that the compiler does not emit.
type unreadable duckdb.Type

// decimal writes a DECIMAL exactly, trailing zeros of the fraction dropped.
func (c *column) decimal(row int) string {
	var n *big.Int
	switch c.storage {
	case duckdb.TypeSmallInt:
		n = big.NewInt(int64(*at[int16](c, row)))
	case duckdb.TypeInteger:
		n = big.NewInt(int64(*at[int32](c, row)))
	case duckdb.TypeBigInt:
		n = big.NewInt(*at[int64](c, row))
	default:
		n = at[hugeint](c, row).big()
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
		n.Neg(n)
	}
	digits := n.String()
	scale := int(c.scale)
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	whole, fraction := digits[:len(digits)-scale], strings.TrimRight(digits[len(digits)-scale:], "0")
	if fraction == "" {
		return sign + whole
	}
	return sign + whole + "." + fraction
}

// appendRows adds the first n rows of the chunk, cell by cell.
func (c *chunk) appendRows(out [][]any, n int) ([][]any, error) {
	cells := make([]any, n*len(c.columns))
	for j := range c.columns {
		col := &c.columns[j]
		for i := range n {
			v := col.value(i)
			if kind, bad := v.(unreadable); bad {
				return out, fmt.Errorf("column %d of the result has the engine's type %d, which no query may give", j+1, int(kind))
			}
			cells[i*len(c.columns)+j] = v
		}
	}
	for i := range n {
		out = append(out, cells[i*len(c.columns):(i+1)*len(c.columns):(i+1)*len(c.columns)])
	}
	return out, nil
}
