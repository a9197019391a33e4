package logstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"glassward"
)

// A Batch is what a source hands over at once: records, and the position up to
// which the source has been read when they are durable. Either may be missing.
// The store reads the records until Append returns and keeps none of them.
type Batch struct {
	Records []glassward.Record
	Cursor  *Cursor
}

// A Cursor is how far a source has been read; Position means something to the
// source alone.
type Cursor struct {
	Source   string
	Position []byte
}

// Committed says what became of a batch, once it is durable. Added, Updated,
// Duplicates and the conflicts make up the batch.
type Committed struct {
	// FirstSeq and LastSeq are the sequence numbers given to Records, both 0 if
	// there are none.
	FirstSeq, LastSeq int64
	// Added counts new records, Updated new versions of known ones, Duplicates
	// copies that were dropped.
	Added, Updated, Duplicates int
	// Conflicts are the copies that contradict a stored record and were kept
	// beside it; they raise a health alarm. A copy of an earlier conflict is a
	// duplicate.
	Conflicts []Conflict
	// Records are the rows that are new, with merged cells, in the order of
	// their sequence numbers: what rules have to judge. Their ids are the ids
	// under which the rows stand.
	Records []glassward.Record
}

// A Conflict is a copy of a record that says otherwise than the stored one in
// who, what or outcome.
type Conflict struct {
	Table string
	// ID is the record's, Beside the id under which the copy is kept.
	ID, Beside glassward.RecordID
	// Column is where they differ, Stored and Copy what they say, as text.
	Column, Stored, Copy         string
	StoredSource, CopySource     string
	StoredProvenance, Provenance glassward.Provenance
	// Line is the copy's line in its source.
	Line int
}

// A RecordError says that a record cannot be stored; nothing of its batch was.
type RecordError struct {
	Table  string
	Source string
	Line   int
	Cause  error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("store a record of %s (%s, line %d): %v", e.Table, e.Source, e.Line, e.Cause)
}

// Unwrap gives what is wrong with the record.
func (e *RecordError) Unwrap() error { return e.Cause }

// Append makes a batch durable: its rows and its cursor in one transaction,
// shared with what other callers append at the same time. It returns when the
// batch is on the disk. A batch that comes twice adds nothing.
//
// The error is a *DiskLowError while intake pauses, a *RecordError, ErrClosed,
// ctx's own if it ended before the store had taken the batch up, or the
// engine's; nothing of the batch is stored then, and its cursor stands where it
// stood. An error of the commit itself leaves that open, as a crash would:
// append the batch again.
func (s *Store) Append(ctx context.Context, b Batch) (Committed, error) {
	shape, err := s.check(b)
	if err != nil {
		return Committed{}, err
	}
	return s.intake.send(ctx, &request{batch: b, shape: shape})
}

// check says whether a batch can be taken in: before anything is written, so
// that nothing has to be undone for it. It gives the tables that the batch fits.
func (s *Store) check(b Batch) (*shape, error) {
	if err := s.DiskLow(); err != nil {
		return nil, err
	}
	shape := s.shape.Load()
	for i := range b.Records {
		r := &b.Records[i]
		t := shape.tables[r.Table]
		if t == nil {
			return nil, &RecordError{r.Table, r.Source, r.Line, errors.New("there is no such table")}
		}
		if err := t.check(r.Values); err != nil {
			return nil, &RecordError{r.Table, r.Source, r.Line, err}
		}
	}
	return shape, nil
}

// fits says whether the tables of the batch's records are still those that they
// were made for.
func (r *request) fits(now *shape) error {
	if r.shape == now {
		return nil
	}
	for i := range r.batch.Records {
		rec := &r.batch.Records[i]
		if now.tables[rec.Table] != r.shape.tables[rec.Table] {
			return &RecordError{rec.Table, rec.Source, rec.Line, errors.New("the table has other columns since it was read: read it again")}
		}
	}
	r.shape = now
	return nil
}

// Cursor gives the position up to which a source has been read, false if it was
// never read.
func (s *Store) Cursor(ctx context.Context, source string) ([]byte, bool, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, false, err
	}
	defer leave()
	position, ok := s.intake.cursor(source)
	return position, ok, nil
}

// said is what a row or a copy says: the cells of the schema's columns, and the
// properties that have none.
type said struct {
	cells []glassward.Value
	extra string
}

// An entry is a row about to be written.
type entry struct {
	said
	table      *table
	id         glassward.RecordID
	seq        int64
	received   time.Time
	source     string
	provenance glassward.Provenance
	from       *glassward.Record // the copy that made the entry
	replaces   *storedRow        // the row that goes
}

// A storedRow is a row as it stands in the table.
type storedRow struct {
	said
	id         glassward.RecordID
	seq        int64
	received   int64
	source     string
	provenance glassward.Provenance
}

// A history is a row of _versions about to be written: what a record said
// before, or what a copy said whose word did not go far enough.
type history struct {
	said
	table      *table
	id         glassward.RecordID
	seq        int64 // of the row that was replaced, 0 for a copy
	kind       string
	received   int64
	source     string
	provenance glassward.Provenance
	digest     []byte
}

// The kinds of history: a version that was replaced, the copy that replaced it
// (its digest only), and a copy of lower rank that would have added something.
const (
	replaced = "replaced"
	accepted = "accepted"
	outrank  = "outranked"
)

// A request is one caller's batch on its way, or a job that has to be done
// between two commits.
type request struct {
	batch  Batch
	load   *Loader // whose batch is answered when stored, not when durable
	job    func(*conn) error
	shape  *shape // the tables that the batch fits
	answer chan answer

	first, last int // its entries in the group
	out         Committed
}

type answer struct {
	committed Committed
	err       error
}

// finish fills what the caller is told from the entries written for it.
func (r *request) finish(entries []entry) {
	if len(entries) == 0 {
		return
	}
	r.out.FirstSeq = entries[0].seq
	r.out.LastSeq = entries[len(entries)-1].seq
	if r.load != nil {
		return
	}
	r.out.Records = make([]glassward.Record, len(entries))
	for i := range entries {
		e := &entries[i]
		rec := &r.out.Records[i]
		*rec = *e.from
		rec.ID = e.id
		rec.Received = e.received
		rec.Values = e.cells
		rec.Extra = e.extra
		rec.Source = e.source
		rec.Provenance = e.provenance
	}
}
