package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/schema"
)

// DecoderOptions says where a stream comes from and how it is read. The zero
// value reads anything.
type DecoderOptions struct {
	// Source and Provenance go into every record.
	Source     string
	Provenance glassward.Provenance
	// Table forces a table by its name, in any case. Empty lets each record's
	// content decide.
	Table string
	// Tenant, if not empty, is the only tenant that records may name; others are
	// rejected. Graph's entities, which name none, are given this one.
	Tenant string
	// MaxRecordBytes bounds one record, 1 MiB if 0. A longer one is rejected.
	MaxRecordBytes int
	// BatchRecords bounds the records of a batch, 1024 if 0. Fill says that a batch
	// is to be filled though more bytes must be read for it, as suits files.
	BatchRecords int
	Fill         bool
	// Growing says that the stream is a file that may still be written: what is
	// incomplete at its end is left for later, not rejected. State says where to
	// go on.
	Growing bool
	// Resume is what State gave when the stream, unpacked, had been read as far
	// as it now begins.
	Resume *State
	// Now gives the time, time.Now if nil. It serves records without a time and
	// the judgement of implausible ones.
	Now func() time.Time
}

const (
	defaultMaxRecord = 1 << 20
	defaultBatch     = 1024
	// Buffers begin small, so that a small body costs little, and double.
	firstChunk = 16 << 10
	chunkBytes = 256 << 10
	// rawLimit bounds what is kept of a record that was too long.
	rawLimit = 64 << 10
)

// A Decoder reads records from a stream. It recognises gzip, byte order marks,
// JSON (objects one after another, on lines or not, in arrays, in the bodies of
// Event Hubs, pages of Graph, answers of a query) and CSV by content.
type Decoder struct {
	o      DecoderOptions
	e      *engine
	r      io.Reader
	zip    *gzip.Reader
	opened bool
	eof    bool
	err    error // what the reader said, if it was not io.EOF

	// buf[pos:end] is not yet taken; base is the offset of buf[0] in the stream.
	// What has been read is never written again: records refer to it.
	buf      []byte
	pos, end int
	base     int64
	chunk    int // size of the last buffer

	// line is the number of the line in which buf[lineAt] stands; lineStart is
	// the offset at which that line begins.
	line      int
	lineAt    int
	lineStart int64

	started bool
	stack   []frame
	skip    *skipper
	csv     *csvHeader
	nuls    int
	ended   bool

	batch   *Batch
	current int // line of the record in hand, for warnings
	summary Summary
	last    TableShape
	lastN   int
}

// A frame is a container whose elements are records, or which has such a one
// among its members.
type frame struct {
	kind frameKind
	// columns are the ids and names of a result table's columns.
	columns []column
}

type frameKind uint8

const (
	inArray   frameKind = iota // elements are records
	inWrapper                  // an object such as {"records":[…]}
	inTables                   // the tables of a query's answer
	inTable                    // one of them
	inRows                     // its rows
)

type column struct {
	name string
	id   int32
}

// NewDecoder makes a Decoder. The error says that the options name a table that
// is not there.
func NewDecoder(r io.Reader, o DecoderOptions) (*Decoder, error) {
	if o.MaxRecordBytes <= 0 {
		o.MaxRecordBytes = defaultMaxRecord
	}
	if o.BatchRecords <= 0 {
		o.BatchRecords = defaultBatch
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Decoder{o: o, r: r, line: 1}
	d.e = newEngine(&d.o, builtinMapping())
	d.e.warn = d.warn
	if o.Table != "" {
		if d.e.table = d.e.m.tables[strings.ToLower(o.Table)]; d.e.table == nil {
			return nil, fmt.Errorf("there is no table %q; the tables are %s", o.Table, tableNames(d.e.m.incoming))
		}
	}
	if o.Resume != nil {
		d.resume(o.Resume)
	}
	return d, nil
}

func tableNames(tables []*schema.Table) string {
	var names []string
	for _, t := range tables {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// A State is how far a stream has been read and what is needed to go on there.
// It can be kept as JSON.
type State struct {
	// Offset is the byte in the unpacked stream, Line the 1-based line it is in
	// and LineStart where that line begins.
	Offset    int64 `json:"offset"`
	Line      int   `json:"line"`
	LineStart int64 `json:"lineStart"`
	// Begun says that what the stream is has been decided.
	Begun bool `json:"begun,omitempty"`
	// Open holds the arrays and objects that are open at Offset.
	Open []OpenContainer `json:"open,omitempty"`
	// Header is the header of a CSV file.
	Header []string `json:"header,omitempty"`
}

// An OpenContainer is one array or object of a State.
type OpenContainer struct {
	Kind    uint8    `json:"kind"`
	Columns []string `json:"columns,omitempty"`
}

// State gives how far the stream has been read. Whatever lies before it has been
// given as a record or a reject by the last call of Next or an earlier one.
func (d *Decoder) State() State {
	s := State{Line: d.lineOf(d.pos), Offset: d.base + int64(d.pos), LineStart: d.lineStart, Begun: d.started}
	if d.skip != nil {
		s.Line, s.Offset, s.LineStart = d.skip.line, d.skip.offset, d.skip.offset-int64(d.skip.column-1)
	}
	for _, f := range d.stack {
		c := OpenContainer{Kind: uint8(f.kind)}
		for _, col := range f.columns {
			c.Columns = append(c.Columns, col.name)
		}
		s.Open = append(s.Open, c)
	}
	if d.csv != nil {
		s.Header = d.csv.cells
	}
	return s
}

// resume takes up the work where a State left it.
func (d *Decoder) resume(s *State) {
	d.base, d.line, d.lineStart = s.Offset, max(1, s.Line), s.LineStart
	// The stream does not begin here, so that no mark of its beginning is sought.
	d.opened = s.Offset > 0
	d.started = s.Begun
	for _, c := range s.Open {
		f := frame{kind: frameKind(c.Kind)}
		for _, name := range c.Columns {
			f.columns = append(f.columns, column{name, d.e.key(name)})
		}
		d.stack = append(d.stack, f)
	}
	if len(s.Header) > 0 {
		d.e.cells = append(d.e.cells[:0], s.Header...)
		d.csv, _ = d.csvColumns()
	}
}

// final reports whether no more bytes will come and what is there is to be
// judged. It is not where the reader failed: the error tells that.
func (d *Decoder) final() bool { return d.eof && !d.o.Growing && d.err == nil }

// Summary counts what has been read so far.
func (d *Decoder) Summary() Summary {
	d.count(TableShape{})
	s := d.summary.clone()
	s.Bytes = d.base + int64(d.pos)
	return s
}

// Next empties the batch and fills it with the next records. It gives what is
// there rather than wait for more, unless the options say Fill. At the end it returns io.EOF with an empty
// batch; an error of the reader comes after everything that was read before it.
func (d *Decoder) Next(batch *Batch) error {
	batch.Reset()
	d.batch = batch
	defer func() { d.batch = nil }()
	for len(batch.Records) < d.o.BatchRecords && len(batch.Rejects) < d.o.BatchRecords {
		switch d.step() {
		case advanced:
		case hungry:
			has := len(batch.Records)+len(batch.Rejects) > 0
			switch {
			case d.eof && !has && len(batch.Warnings) == 0:
				// A growing stream has no more for now.
				return d.ending()
			case d.eof || has && !d.o.Fill:
				return nil
			}
			d.fill()
		case finished:
			if len(batch.Records)+len(batch.Rejects)+len(batch.Warnings) > 0 {
				return nil
			}
			return d.ending()
		}
	}
	return nil
}

func (d *Decoder) ending() error {
	if d.err != nil {
		return d.err
	}
	return io.EOF
}

type progress uint8

const (
	advanced progress = iota
	hungry            // more bytes are needed
	finished
)

// fill reads more of the stream.
func (d *Decoder) fill() {
	if d.eof {
		return
	}
	if !d.opened {
		d.opened = true
		d.open()
		if d.eof {
			return
		}
	}
	const least = 4 << 10
	if cap(d.buf)-slack-d.end < least {
		d.lineOf(d.pos)
		rest := d.buf[d.pos:d.end]
		d.chunk = min(max(firstChunk, 2*d.chunk), chunkBytes)
		buf := make([]byte, max(d.chunk, 2*len(rest))+slack)
		copy(buf, rest)
		d.base += int64(d.pos)
		d.lineAt -= d.pos
		d.buf, d.pos, d.end = buf, 0, len(rest)
	}
	for range 100 {
		n, err := d.r.Read(d.buf[d.end : len(d.buf)-slack])
		d.end += n
		clear(d.buf[d.end : d.end+slack])
		if err != nil {
			d.eof = true
			if err != io.EOF {
				d.err = fmt.Errorf("%s: after %d bytes: %w", d.name(), d.base+int64(d.end), err)
			}
			return
		}
		if n > 0 {
			return
		}
	}
	d.eof, d.err = true, fmt.Errorf("%s: %w", d.name(), io.ErrNoProgress)
}

func (d *Decoder) name() string {
	if d.o.Source == "" {
		return "input"
	}
	return d.o.Source
}

// open looks at the first bytes and unpacks gzip and UTF-16.
func (d *Decoder) open() {
	var head [3]byte
	n, err := io.ReadFull(d.r, head[:])
	d.r = io.MultiReader(bytes.NewReader(head[:n]), d.r)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		d.eof, d.err = true, fmt.Errorf("%s: %w", d.name(), err)
		return
	}
	switch {
	case n >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		if d.zip, err = gzip.NewReader(d.r); err != nil {
			d.eof, d.err = true, fmt.Errorf("%s: the file begins as gzip does: %w", d.name(), err)
			return
		}
		d.r = d.zip
	case n >= 2 && head[0] == 0xff && head[1] == 0xfe:
		d.r = &utf16Reader{r: d.r}
	case n >= 2 && head[0] == 0xfe && head[1] == 0xff:
		d.r = &utf16Reader{r: d.r, big: true}
	}
}

// lineOf gives the line in which a byte of the buffer stands. Positions must not
// go back.
func (d *Decoder) lineOf(i int) int {
	if i > d.lineAt {
		part := d.buf[d.lineAt:i]
		if n := bytes.Count(part, []byte{'\n'}); n > 0 {
			d.line += n
			d.lineStart = d.base + int64(d.lineAt+bytes.LastIndexByte(part, '\n')+1)
		}
		d.lineAt = i
	}
	return d.line
}

func (d *Decoder) warn(kind WarningKind, name, text string) {
	if d.summary.Warnings == nil {
		d.summary.Warnings = make(map[WarningKind]int)
	}
	d.summary.Warnings[kind]++
	if d.batch != nil && len(d.batch.Warnings) < maxWarnings {
		// The name may refer to the buffer; a warning must not keep that alive.
		d.batch.Warnings = append(d.batch.Warnings, Warning{Kind: kind, Source: d.o.Source, Line: d.current, Name: strings.Clone(name), Text: text})
	}
}

// count adds the records of one table and shape to the summary.
func (d *Decoder) count(ts TableShape) {
	if d.lastN > 0 && ts != d.last {
		if d.summary.By == nil {
			d.summary.By = make(map[TableShape]int)
		}
		d.summary.By[d.last] += d.lastN
		d.lastN = 0
	}
	d.last = ts
}

// reject takes buf[from:to] as something that gives no record.
func (d *Decoder) reject(from, to int, reason string) {
	line := d.lineOf(from)
	d.rejectRaw(line, int(d.base+int64(from)-d.lineStart)+1, d.base+int64(from), int64(to-from), reason, d.buf[from:to:to], false)
	d.pos = to
}

func (d *Decoder) rejectRaw(line, column int, offset, length int64, reason string, raw []byte, partial bool) {
	d.summary.Rejected++
	d.batch.Rejects = append(d.batch.Rejects, Reject{
		Source: d.o.Source, Line: line, Column: column, Offset: offset, Length: length, Reason: reason, Raw: raw, Partial: partial,
	})
}

// step takes one record, one bracket or one stretch of garbage off the buffer.
func (d *Decoder) step() progress {
	if d.skip != nil {
		return d.skipStep()
	}
	if d.csv != nil {
		return d.csvStep()
	}
	b := d.buf
	i := d.pos
between:
	for i < d.end {
		switch b[i] {
		case ' ', '\t', '\n', '\r', ',', 0x1e:
			i++
		case 0:
			d.nuls++
			i++
		case 0xef:
			if i+3 > d.end && !d.final() {
				d.pos = i
				return hungry
			}
			if b[i+1] != 0xbb || b[i+2] != 0xbf {
				break between
			}
			i += 3
		default:
			break between
		}
	}
	d.pos = i
	if i >= d.end {
		if !d.final() {
			return hungry
		}
		d.finish()
		return finished
	}
	if d.nuls > 0 {
		d.current = d.lineOf(i)
		d.warn(SkippedBytes, "", strconv.Itoa(d.nuls)+" NUL bytes stand between records")
		d.nuls = 0
	}
	if !d.started {
		if b[i] != '{' && b[i] != '[' {
			switch p := d.csvBegin(); p {
			case advanced:
				d.started = true
				return advanced
			case hungry:
				return hungry
			}
		}
		d.started = true
	}
	d.e.b, d.e.end = b, d.end
	top := d.top()
	switch c := b[i]; {
	case c == '{':
		if top != nil && top.kind == inTables {
			d.stack = append(d.stack, frame{kind: inTable})
			d.pos++
			return advanced
		}
		return d.object(i)
	case c == '[':
		if top != nil && top.kind == inRows {
			return d.row(i, top.columns)
		}
		d.stack = append(d.stack, frame{kind: inArray})
		d.pos++
		return d.deep()
	case c == ']' && top != nil && top.kind != inWrapper && top.kind != inTable,
		c == '}' && top != nil && (top.kind == inWrapper || top.kind == inTable):
		d.stack = d.stack[:len(d.stack)-1]
		d.pos++
		return advanced
	case c == '"' && top != nil && (top.kind == inWrapper || top.kind == inTable):
		return d.wrapperMember(i, top)
	}
	return d.garbage(i)
}

// deep forgets the outermost containers of input that opens too many.
func (d *Decoder) deep() progress {
	if len(d.stack) > maxDepth {
		d.stack = d.stack[1:]
	}
	return advanced
}

func (d *Decoder) top() *frame {
	if len(d.stack) == 0 {
		return nil
	}
	return &d.stack[len(d.stack)-1]
}

// finish says what is odd about the stream's end.
func (d *Decoder) finish() {
	if d.ended {
		return
	}
	d.ended = true
	d.current = d.lineOf(d.pos)
	if d.nuls > 0 {
		d.warn(SkippedBytes, "", strconv.Itoa(d.nuls)+" NUL bytes stand at the end")
		d.nuls = 0
	}
	if len(d.stack) > 0 {
		d.warn(CutOff, "", "the input ends inside an array or object; what it held so far was read")
	}
}

// object takes an object: a wrapper, whose inside is entered, or a record.
func (d *Decoder) object(i int) progress {
	kind, at, more := d.wrapper(i)
	switch {
	case kind != 0:
		d.stack = append(d.stack, frame{kind: inWrapper}, frame{kind: kind - 1})
		d.pos = at
		return d.deep()
	case more && !d.final() && d.end-i <= d.o.MaxRecordBytes:
		return hungry
	}
	d.e.header = nil
	end := d.e.scanRecord(i)
	if end < 0 {
		return d.broken(i)
	}
	if end-i > d.o.MaxRecordBytes {
		return d.beginSkip(i, untilClosed)
	}
	d.pos = end
	d.emit(i, end)
	return advanced
}

// broken takes a record at i that is no valid JSON.
func (d *Decoder) broken(i int) progress {
	failure := d.e.err
	if failure.at-i > d.o.MaxRecordBytes {
		return d.beginSkip(i, untilClosed)
	}
	if failure.more && !d.final() {
		return hungry
	}
	to, ok := d.resync(i)
	if !ok {
		if !d.final() && d.end-i <= d.o.MaxRecordBytes {
			return hungry
		}
		to = d.end
	}
	if to-i > d.o.MaxRecordBytes {
		return d.beginSkip(i, untilClosed)
	}
	reason := "the record is cut off: " + failure.msg
	if !failure.more {
		line := d.lineOf(i) + bytes.Count(d.buf[i:failure.at], []byte{'\n'})
		column := failure.at - bytes.LastIndexByte(d.buf[:failure.at], '\n')
		if start := d.base + int64(failure.at) - d.lineStart; line == d.line {
			column = int(start) + 1
		}
		reason = fmt.Sprintf("not valid JSON at line %d, column %d: %s", line, column, failure.msg)
	}
	d.reject(i, to, reason)
	return advanced
}

// resync finds where reading can go on after a broken record at i: where its
// brackets close, where a line ends inside a string, or at the next line that
// begins with a bracket, whichever comes first.
func (d *Decoder) resync(i int) (int, bool) {
	s := skipper{until: untilClosed}
	for k := i; k < d.end; k++ {
		if to, ok := s.ends(d.buf[k], k); ok {
			return to, true
		}
	}
	return 0, false
}

// garbage takes what is no JSON at all: the line, or if records stand before it
// on the same line, all up to the next brace.
func (d *Decoder) garbage(i int) progress {
	d.lineOf(i)
	start := max(0, int(d.lineStart-d.base))
	alone := d.lineStart >= d.base && len(bytes.Trim(d.buf[start:i], " \t\r\x00\ufeff")) == 0
	until := untilBrace
	if alone {
		until = untilLine
	}
	to := -1
	k := skipper{until: until}
	for at := i; at < d.end && to < 0; at++ {
		if end, ok := k.ends(d.buf[at], at); ok {
			to = end
		}
	}
	if to < 0 {
		if !d.final() && d.end-i <= d.o.MaxRecordBytes {
			return hungry
		}
		to = d.end
	}
	if to-i > d.o.MaxRecordBytes {
		return d.beginSkip(i, until)
	}
	d.reject(i, to, "not JSON and not CSV with a known header: "+strconv.Quote(shorten(string(d.buf[i:min(to, i+48)]), 40)))
	return advanced
}

// wrapper reports whether the object at i has its records in an array, as
// {"records":[…]}, {"value":[…]} and {"tables":[…]} do, and where the array's
// inside begins. kind is a frameKind plus one. Only keys that say nothing
// themselves may stand before the array.
func (d *Decoder) wrapper(i int) (kind frameKind, at int, more bool) {
	s := &d.e.scanner
	b := d.buf
	begin := i
	i = s.space(i + 1)
	// Nearly every record begins with another letter.
	for b[i] == '"' {
		switch b[i+1] {
		case '@', 'r', 'v', 't', 'n', 'c', 'R', 'V', 'T', 'C', 'N', 'o':
		default:
			return 0, 0, false
		}
		end, _ := s.str(i + 1)
		if end < 0 {
			return 0, 0, s.err.more
		}
		key := str(b[i+1 : end])
		kind := wrapperKind(key)
		if kind == 0 && !strings.HasPrefix(key, "@") && !strings.HasPrefix(key, "odata.") && !strings.EqualFold(key, "nextLink") && !strings.EqualFold(key, "count") {
			return 0, 0, false
		}
		i = s.space(end + 1)
		if b[i] != ':' {
			return 0, 0, i >= d.end
		}
		i = s.space(i + 1)
		if i >= d.end {
			return 0, 0, true
		}
		if kind != 0 {
			if b[i] != '[' {
				return 0, 0, false
			}
			if i-begin > d.o.MaxRecordBytes {
				return 0, 0, false
			}
			return kind, i + 1, false
		}
		if i, _, _ = s.value(i); i < 0 {
			return 0, 0, s.err.more
		}
		if i = s.space(i); b[i] != ',' {
			return 0, 0, i >= d.end
		}
		i = s.space(i + 1)
	}
	return 0, 0, i >= d.end
}

// wrapperKind gives the kind, plus one, of the array that a key holds.
func wrapperKind(key string) frameKind {
	switch key {
	case "records", "Records", "value", "Value":
		return inArray + 1
	case "tables", "Tables":
		return inTables + 1
	case "rows", "Rows":
		return inRows + 1
	}
	return 0
}

// wrapperMember takes a member of a wrapper or of a result table.
func (d *Decoder) wrapperMember(i int, top *frame) progress {
	s := &d.e.scanner
	end, f := s.str(i + 1)
	if end < 0 {
		return d.broken(i)
	}
	key, _ := d.e.decodeString(str(d.buf[i+1:end]), f)
	v := s.space(end + 1)
	if d.buf[v] != ':' {
		s.fail(v, "a colon is expected after the key")
		return d.broken(i)
	}
	if v = s.space(v + 1); v >= d.end {
		s.fail(v, "")
		return d.broken(i)
	}
	if kind := wrapperKind(key); kind != 0 && d.buf[v] == '[' {
		kind--
		if (kind == inRows) == (top.kind == inTable) {
			if kind == inRows && top.columns == nil {
				s.fail(v, "the table's columns must stand before its rows")
				return d.broken(i)
			}
			d.stack = append(d.stack, frame{kind: kind, columns: top.columns})
			d.pos = v + 1
			return d.deep()
		}
	}
	to, k, _ := s.value(v)
	if to < 0 {
		return d.broken(i)
	}
	if to-i > d.o.MaxRecordBytes {
		return d.beginSkip(i, untilClosed)
	}
	if top.kind == inTable && k == kArray && strings.EqualFold(key, "columns") {
		eachElement(str(d.buf[v:to]), func(raw string) {
			name, ok := member(raw, "name")
			if !ok {
				name, _ = member(raw, "columnname")
			}
			text := ""
			if len(name) >= 2 && name[0] == '"' {
				text, _ = d.e.decodeString(name[1:len(name)-1], fEscape)
			}
			top.columns = append(top.columns, column{text, d.e.key(text)})
		})
	}
	d.pos = to
	return advanced
}

// row takes one row of a query's answer.
func (d *Decoder) row(i int, columns []column) progress {
	s := &d.e.scanner
	end, _, _ := s.value(i)
	if end < 0 {
		return d.broken(i)
	}
	if end-i > d.o.MaxRecordBytes {
		return d.beginSkip(i, untilClosed)
	}
	d.e.begin()
	d.e.header = columns
	n := 0
	eachElement(str(d.buf[i:end]), func(raw string) {
		if n < len(columns) {
			en := rawEntry(columns[n].name, raw)
			en.id = columns[n].id
			d.e.add(en)
		}
		n++
	})
	if n != len(columns) {
		d.reject(i, end, fmt.Sprintf("the row has %d cells and the table %d columns", n, len(columns)))
		return advanced
	}
	d.pos = end
	d.emit(i, end)
	return advanced
}

// emit makes a record of the tape, which holds buf[from:to].
func (d *Decoder) emit(from, to int) {
	d.current = d.lineOf(from)
	cells := len(d.batch.cells)
	rec, shape, reason := d.e.record(d.batch)
	if reason != "" {
		d.batch.cells = d.batch.cells[:min(cells, len(d.batch.cells))]
		raw := d.buf[from:to:to]
		if d.csv != nil || len(d.stack) > 0 && d.top().kind == inRows {
			// A row says nothing without its header.
			raw = d.e.object()
		}
		d.rejectRaw(d.current, int(d.base+int64(from)-d.lineStart)+1, d.base+int64(from), int64(to-from), reason, raw, false)
		return
	}
	rec.Raw = d.buf[from:to:to]
	rec.Source = d.o.Source
	rec.Provenance = d.o.Provenance
	rec.Line = d.current
	d.batch.Records = append(d.batch.Records, rec)
	d.batch.Shapes = append(d.batch.Shapes, shape)
	d.summary.Records++
	if ts := (TableShape{rec.Table, shape}); ts != d.last {
		d.count(ts)
	}
	d.lastN++
}

// object writes the tape as one JSON object.
func (e *engine) object() []byte {
	out := []byte{'{'}
	for i := range e.tape {
		en := &e.tape[i]
		if en.level != 0 || en.dead {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendQuoted(out, en.key)
		out = append(out, ':')
		out = e.appendValue(out, en)
	}
	return append(out, '}')
}
