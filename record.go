package glassward

import (
	"encoding/hex"
	"time"
)

// A Kind says which member of a Value holds it.
type Kind uint8

// The kinds of a Value. Datetimes and timespans are KindLong, as 64-bit counts
// of 100 ns ticks; dynamics are KindString holding JSON text.
const (
	KindNull Kind = iota
	KindBool
	KindLong
	KindReal
	KindString
)

// A Value is one cell of a Record. It is a struct and not an interface so that
// decoding a record does not allocate once for every cell.
type Value struct {
	Kind Kind
	Num  int64   // KindBool (0 or 1), KindLong
	Real float64 // KindReal
	Str  string  // KindString
}

// Null, Bool, Long, Real and String make a Value of that kind.
func Null() Value           { return Value{} }
func Long(n int64) Value    { return Value{Kind: KindLong, Num: n} }
func Real(f float64) Value  { return Value{Kind: KindReal, Real: f} }
func String(s string) Value { return Value{Kind: KindString, Str: s} }
func Bool(b bool) Value {
	if b {
		return Value{Kind: KindBool, Num: 1}
	}
	return Value{Kind: KindBool}
}

// ValueOf makes a Value of a cell of a query's result: a bool, an int64, a float64 or a string.
// Anything else is null.
func ValueOf(cell any) Value {
	switch c := cell.(type) {
	case bool:
		return Bool(c)
	case int64:
		return Long(c)
	case float64:
		return Real(c)
	case string:
		return String(c)
	}
	return Null()
}

// A RecordID is the identity of a record inside one workspace: the first 128
// bits of SHA-256 over the table's name and Entra's own id, or over the table's
// name and the record's canonical content where Entra gives none. Queries see
// it as the column _ItemId, lineage and journals name records by it.
type RecordID [16]byte

// String gives the id in the form of a GUID, lower case.
func (id RecordID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], id[10:16])
	return string(b[:])
}

// A Provenance says how far a record's word can be trusted.
type Provenance string

// Pulled records were read by us from Microsoft's service; pushed ones were
// handed to us by a token's holder; files were given by the operator. What was
// pushed never displaces what was pulled.
const (
	Pulled Provenance = "pulled"
	File   Provenance = "file"
	Pushed Provenance = "pushed"
)

// A Record is one log record, normalised to the columns of its table.
type Record struct {
	Table string
	ID    RecordID
	// EntraID is the record's own Id as Entra wrote it, empty where it has none.
	EntraID string
	// Tenant is the Entra tenant that the record names, lower case, empty where
	// it names none.
	Tenant string
	// Time is TimeGenerated: when the event happened, in UTC.
	Time time.Time
	// Received is when we got the record; the log store fills it if zero.
	Received time.Time
	// Values holds a cell for each column of schema.Table(Table), in its order,
	// without the store's own columns.
	Values []Value
	// Extra holds the properties that have no column, as one JSON object, empty
	// if there are none.
	Extra string
	// Raw is the record byte-exact as it came.
	Raw []byte
	// Source names the road by which the record came, e.g. "file:signins.json".
	Source     string
	Provenance Provenance
	// Line is the 1-based line (or element) of the record in its source.
	Line int
}
