package ingest

import (
	"maps"

	"glassward"
)

// A Shape is the form in which a record arrived.
type Shape uint8

// The shapes. Diagnostic is the envelope of diagnostic settings (Event Hubs,
// storage accounts); Graph is an entity of Microsoft Graph; Columns is the form
// of Log Analytics (JSON, rows of a query's answer, CSV); Activity is an event of
// the Azure activity log's REST interface; Management is a record of the
// Microsoft 365 Management Activity API.
const (
	UnknownShape Shape = iota
	Diagnostic
	Graph
	Columns
	Activity
	Management
	shapeCount
)

var shapeNames = [shapeCount]string{"unknown", "diagnostic", "graph", "columns", "activity", "management"}

// String gives the shape's name as mapping.txt and summaries write it.
func (s Shape) String() string {
	if s < shapeCount {
		return shapeNames[s]
	}
	return "unknown"
}

// A Batch is what one call of Decoder.Next gives. A batch that is passed to Next
// again is emptied first and its memory for cells is used again; texts in it
// stay valid for as long as somebody holds them.
type Batch struct {
	Records []glassward.Record
	// Shapes holds the shape of each record.
	Shapes  []Shape
	Rejects []Reject
	// Warnings holds at most maxWarnings; Summary counts them all.
	Warnings []Warning
	// Bulk says that the source is far behind and that more follows at once: what
	// takes the batch may make it durable together with what follows. See Bulk.
	Bulk bool

	cells []glassward.Value
}

const maxWarnings = 1000

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Records = b.Records[:0]
	b.Shapes = b.Shapes[:0]
	b.Rejects = b.Rejects[:0]
	b.Warnings = b.Warnings[:0]
	b.Bulk = false
	b.cells = b.cells[:0]
}

// row gives n cells that belong to the batch.
func (b *Batch) row(n int) []glassward.Value {
	if len(b.cells)+n > cap(b.cells) {
		// Earlier rows keep the old array alive for as long as they are held.
		b.cells = make([]glassward.Value, 0, max(16*n, 2*cap(b.cells)))
	}
	start := len(b.cells)
	b.cells = b.cells[:start+n]
	return b.cells[start : start+n : start+n]
}

// A Reject is a stretch of the input that gave no record.
type Reject struct {
	// Source is the decoder's source, Line and Column the 1-based place in it
	// (Column counts bytes), Offset the 0-based byte in the (unpacked) stream,
	// Length the bytes that were rejected.
	Source string
	Line   int
	Column int
	Offset int64
	Length int64
	// Reason says what is wrong and, where there is one, the cure.
	Reason string
	// Raw is the text as it came; of a row of a table, which says nothing without
	// its header, the row as an object. Partial says that it is only the beginning.
	Raw     []byte
	Partial bool
}

// A WarningKind says what was odd about a record that was kept.
type WarningKind string

// The kinds of warnings.
const (
	WrongType    WarningKind = "wrong type"        // a value does not fit its column; it is in Extra
	BadTime      WarningKind = "implausible time"  // far in the past or the future; kept as it is
	NoTime       WarningKind = "no time"           // no time that can be read; TimeGenerated is when it was received
	BadText      WarningKind = "damaged text"      // invalid UTF-8, NUL or half a surrogate pair was replaced by U+FFFD
	DuplicateKey WarningKind = "duplicate key"     // the last value was taken
	SkippedBytes WarningKind = "skipped bytes"     // NUL bytes between records
	CutOff       WarningKind = "cut off"           // the stream ends inside an array whose elements so far were read
	UnknownZone  WarningKind = "unknown time zone" // a CSV column in local time; read as UTC
)

// A Warning is something odd about a record that was kept.
type Warning struct {
	Kind   WarningKind
	Source string
	Line   int
	// Name is the property or column concerned, empty where there is none.
	Name string
	Text string
}

// TableShape names one kind of record in a Summary.
type TableShape struct {
	Table string
	Shape Shape
}

// A Summary counts what a decoder has read.
type Summary struct {
	Records  int
	Rejected int
	// Bytes counts the unpacked stream.
	Bytes    int64
	By       map[TableShape]int
	Warnings map[WarningKind]int
}

// Add adds the counts of another summary.
func (s *Summary) Add(o Summary) {
	s.Records += o.Records
	s.Rejected += o.Rejected
	s.Bytes += o.Bytes
	if s.By == nil {
		s.By = make(map[TableShape]int)
	}
	for k, n := range o.By {
		s.By[k] += n
	}
	if s.Warnings == nil {
		s.Warnings = make(map[WarningKind]int)
	}
	for k, n := range o.Warnings {
		s.Warnings[k] += n
	}
}

func (s Summary) clone() Summary {
	s.By = maps.Clone(s.By)
	s.Warnings = maps.Clone(s.Warnings)
	return s
}
