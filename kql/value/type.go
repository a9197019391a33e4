// Package value holds Kusto's scalar types and the forms in which their values are written.
//
// A datetime is a count of 100-nanosecond ticks since 0001-01-01T00:00:00Z, a timespan a count of
// the same ticks, a dynamic value is JSON text. These are also the physical forms in the event
// store, so that nothing is lost between a query and the rows that it reads.
package value

import "strings"

// Type is one of Kusto's scalar types. The zero value is Unknown, the type of an expression that
// could not be typed; it takes part in no further complaint.
type Type uint8

// The scalar types, in the order in which Kusto's documentation lists them.
const (
	Unknown Type = iota
	Bool
	Int
	Long
	Real
	Decimal
	String
	DateTime
	TimeSpan
	GUID
	Dynamic
)

// String returns Kusto's name of the type, as written in a datatable's schema.
func (t Type) String() string {
	switch t {
	case Bool:
		return "bool"
	case Int:
		return "int"
	case Long:
		return "long"
	case Real:
		return "real"
	case Decimal:
		return "decimal"
	case String:
		return "string"
	case DateTime:
		return "datetime"
	case TimeSpan:
		return "timespan"
	case GUID:
		return "guid"
	case Dynamic:
		return "dynamic"
	}
	return "unknown"
}

// Numeric says whether arithmetic promotes the type: int, long, real and decimal.
func (t Type) Numeric() bool { return t == Int || t == Long || t == Real || t == Decimal }

// Integer says whether the type is int or long.
func (t Type) Integer() bool { return t == Int || t == Long }

// DotNet returns the name of the .NET type that Kusto's getschema reports for the type.
func (t Type) DotNet() string {
	switch t {
	case Bool:
		return "System.SByte"
	case Int:
		return "System.Int32"
	case Long:
		return "System.Int64"
	case Real:
		return "System.Double"
	case Decimal:
		return "System.Data.SqlTypes.SqlDecimal"
	case String:
		return "System.String"
	case DateTime:
		return "System.DateTime"
	case TimeSpan:
		return "System.TimeSpan"
	case GUID:
		return "System.Guid"
	case Dynamic:
		return "System.Object"
	}
	return ""
}

// ParseType returns the type that a name or one of its aliases (boolean, int32, double, date, time,
// uuid, object …) stands for. Names are matched without regard to case.
func ParseType(name string) (Type, bool) {
	switch strings.ToLower(name) {
	case "bool", "boolean":
		return Bool, true
	case "int", "int32", "uint", "uint32", "int8", "uint8", "int16", "uint16", "byte", "sbyte", "short", "ushort":
		return Int, true
	case "long", "int64", "uint64", "ulong":
		return Long, true
	case "real", "double", "float", "single":
		return Real, true
	case "decimal":
		return Decimal, true
	case "string":
		return String, true
	case "datetime", "date":
		return DateTime, true
	case "timespan", "time":
		return TimeSpan, true
	case "guid", "uuid", "uniqueid":
		return GUID, true
	case "dynamic", "object":
		return Dynamic, true
	}
	return Unknown, false
}
