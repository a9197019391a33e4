package logstore

import (
	"context"
	"fmt"
	"time"
)

// A Loader takes in much at once: files with a year's records. Append makes
// each batch durable before it returns, which writes every record to the log
// and again to the file; a load is committed by whole blocks of the file, which
// the engine writes once, packed, and not to the log at all.
//
// Batches of other callers and of other loads may come meanwhile; what the load
// has stored so far is then committed with them. A Loader is used by one
// goroutine at a time, and sources that read apart have one each: the error that
// says that rows are lost is told once to each.
type Loader struct {
	store *Store
	// lost is what the load has to be told; of the intake's goroutine alone.
	lost error
}

// LoadRows is how many records of a load share a commit: one row group of the
// engine, which it packs and writes as a whole. Flush as often, or seldom: smaller
// groups are written twice.
const LoadRows = 122_880

const (
	// loadIdle is how long a load may pause before what it has stored is
	// committed, loadAge how long that may take while it goes on slowly.
	loadIdle = 500 * time.Millisecond
	loadAge  = 10 * time.Second
)

// A LoadError says that what a load added since its last commit is not stored.
// Begin again from the cursor that the store has.
type LoadError struct{ Cause error }

func (e *LoadError) Error() string {
	return fmt.Sprintf("the load was interrupted and goes on from the last cursor: %v", e.Cause)
}

// Unwrap gives what interrupted the load.
func (e *LoadError) Unwrap() error { return e.Cause }

// Load begins a load.
func (s *Store) Load() *Loader { return &Loader{store: s} }

// Add stores a batch, which becomes durable with a later commit: see Flush. The
// batch may be changed as soon as Add returns. Committed is without Records;
// what is new has the sequence numbers FirstSeq to LastSeq, updated records
// among them. The errors are those of Append, and *LoadError.
func (l *Loader) Add(ctx context.Context, b Batch) (Committed, error) {
	shape, err := l.store.check(b)
	if err != nil {
		return Committed{}, err
	}
	return l.store.intake.send(ctx, &request{batch: b, load: l, shape: shape})
}

// Flush returns when all that was added is durable, its cursors with it.
func (l *Loader) Flush(ctx context.Context) error {
	return l.store.intake.do(ctx, func(context.Context, *conn) error {
		return l.told()
	})
}

// told gives what the load has to be told, once. The load may be nil.
func (l *Loader) told() error {
	if l == nil || l.lost == nil {
		return nil
	}
	err := &LoadError{l.lost}
	l.lost = nil
	return err
}
