package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
)

const (
	// settle is how long after its ingestion time a record may become visible; the
	// looks back find what takes longer.
	settle  = 10 * time.Second
	overlap = 5 * time.Minute
	// Each hour the last hours are looked through again.
	farther = 3 * time.Hour
	// A window is at most longest and at least least. One that fails for reasons
	// that are not its size is not cut below small.
	longest = 24 * time.Hour
	usual   = time.Hour
	small   = time.Minute
	least   = time.Millisecond
	// A small window is given up after so many tries in so long a time.
	enoughTries = 10
	enoughTime  = 24 * time.Hour
	// maxRecent bounds the ids that are remembered to count what is late.
	maxRecent = 200_000
	// A position so far ahead of the service's clock is wrong; so much is read again
	// then.
	farAhead  = 2 * time.Minute
	clockBack = 36 * time.Hour
	lookAgain = time.Hour
)

// A stream reads one table.
type stream struct {
	*Source
	table    string
	emit     ingest.Emit
	position position
	began    bool // position holds something
	retries  entra.Backoff

	// recent are the ids read since knownFrom, by ingestion time.
	recent    map[glassward.RecordID]struct{}
	knownFrom time.Time
}

// An emitError is an error of emit: the source has to end.
type emitError struct{ error }

func (e emitError) Unwrap() error { return e.error }

// key gives the key of the stream's cursor.
func (s *stream) key() string { return s.Name() + "/" + s.table }

func (s *stream) run(ctx context.Context, cursors ingest.Cursors) error {
	if cursors != nil {
		text, ok, err := cursors.Cursor(ctx, s.key())
		if err != nil {
			return err
		}
		if ok {
			if p, err := readPosition(text); err == nil {
				s.position, s.began = p, true
			} else {
				s.tell(&entra.Fault{
					Kind: entra.FaultPosition, Service: string(entra.LogAnalytics), Doing: "go on with " + s.table,
					Message: fmt.Sprintf("the position that was kept cannot be read: %v. The last %s are read again, which adds nothing twice", err, s.o.First), Err: err,
				})
			}
		}
	}
	s.recent = map[glassward.RecordID]struct{}{}
	for {
		start := s.o.Now()
		err := s.round(ctx)
		var failed emitError
		var gone *AbsentError
		wait := max(s.o.Every-s.o.Now().Sub(start), time.Second)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &failed):
			return failed.error
		case errors.As(err, &gone):
			s.tell(gone)
			s.retries.Reset()
			wait = lookAgain
		case err != nil:
			s.tell(err)
			if err := s.retries.Wait(ctx, err); err != nil {
				return err
			}
			continue
		default:
			s.retries.Reset()
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// commit commits rows together with the position.
func (s *stream) commit(ctx context.Context, b *ingest.Batch) error {
	if err := s.emit(ctx, b, &ingest.Cursor{Source: s.key(), Position: s.position.text()}); err != nil {
		return emitError{err}
	}
	return nil
}

// counted is what a round has read.
type counted struct{ records, late int }

// round reads what is new, and then looks back.
func (s *stream) round(ctx context.Context) error {
	if s.client.Offset() == 0 && !s.began {
		// The first question says what time it is there; nothing is read by it.
		now := s.serverNow()
		if _, err := s.ask(ctx, window{now.Add(-time.Second), now}); err != nil {
			return err
		}
	}
	p, now := &s.position, s.serverNow()
	end := now.Add(-settle).Truncate(time.Millisecond)
	if !s.began {
		*p = position{Begun: end.Add(-s.o.First), Through: end.Add(-s.o.First), Hourly: now, Size: usual}
		s.began = true
	}
	if ahead := p.Through.Sub(end); ahead > farAhead {
		// It was moved by a clock that was wrong, over a time that had not come yet.
		// Nobody knows since when it was wrong.
		if p.Through = end.Add(-clockBack); p.Through.Before(p.Begun) {
			p.Through = p.Begun
		}
		p.Hourly, p.Again, p.AgainTo = now, time.Time{}, time.Time{}
		s.tell(&entra.Fault{Kind: entra.FaultClock, Service: string(entra.LogAnalytics), Doing: "go on with " + s.table,
			Message: fmt.Sprintf("the position that was kept is %s ahead of the service's clock; the last %s are read again, which adds nothing twice", ahead.Round(time.Second), clockBack)})
	}
	if s.knownFrom.IsZero() {
		s.knownFrom = p.Through
	}
	var tally counted
	before := p.Through
	for p.Through.Before(end) {
		if err := s.window(ctx, s.next(p.Through, end), &tally, nil); err != nil {
			return err
		}
	}
	if err := s.back(ctx, before, now, &tally); err != nil {
		return err
	}
	s.o.Observe.Tell(ingest.Report{Stream: s.table, Tables: []string{s.table}, At: s.o.Now(), Polled: &ingest.Polled{
		Through: p.Through, Records: tally.records, Late: tally.late, Backlog: -1, Offset: s.client.Offset(),
	}})
	return nil
}

// back looks again at what was read before: at the last minutes each time, and
// each hour at the last hours. What an hour's look does not come to is owed, and
// stands in the position: a service that fails often would otherwise outrun it.
func (s *stream) back(ctx context.Context, until, now time.Time, tally *counted) error {
	p := &s.position
	begin := func(d time.Duration) time.Time {
		if from := until.Add(-d); from.After(p.Begun) {
			return from
		}
		return p.Begun
	}
	for from := begin(overlap); from.Before(until); {
		if err := s.window(ctx, s.next(from, until), tally, &from); err != nil {
			return err
		}
	}
	if now.Sub(p.Hourly) >= time.Hour || p.Hourly.After(now) {
		if !p.Again.Before(p.AgainTo) {
			p.Again = begin(farther)
		}
		p.AgainTo, p.Hourly = until, now
	}
	if !p.Again.Before(p.AgainTo) {
		return nil
	}
	for p.Again.Before(p.AgainTo) {
		if err := s.window(ctx, s.next(p.Again, p.AgainTo), tally, &p.Again); err != nil {
			return err
		}
	}
	if len(s.recent) > maxRecent/2 {
		s.recent, s.knownFrom = map[glassward.RecordID]struct{}{}, p.Through
	}
	return s.commit(ctx, new(ingest.Batch))
}

// next gives the window of the present size that begins at from.
func (s *stream) next(from, end time.Time) window {
	w := window{from, from.Add(s.position.Size)}
	if w.to.After(end) {
		w.to = end
	}
	return w
}

// window reads one window, cut as small as it must be. What is new moves the
// position, part by part; a second look moves again instead.
func (s *stream) window(ctx context.Context, w window, tally *counted, again *time.Time) error {
	p := &s.position
	for at := w.from; at.Before(w.to); {
		part := s.next(at, w.to)
		body, err := s.ask(ctx, part)
		var much *tooMuch
		if errors.As(err, &much) {
			if err := s.cut(ctx, part, much, body, tally, again != nil); err != nil {
				return err
			}
			switch {
			case again == nil:
				at = p.Through
			case much.size && part.span() <= least:
				at, *again = part.to, part.to
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := s.decode(ctx, body, part, tally, again != nil); err != nil {
			return err
		}
		at = part.to
		if again != nil {
			*again = at
		}
		p.Size = min(max(p.Size, 2*part.span()), longest)
		// A service that answers is asked again soon, however often it failed before.
		s.retries.Reset()
	}
	return nil
}

// cut makes windows smaller after an answer that was not whole. One that cannot be
// cut any more is given up in the end, with a Hole that says so.
func (s *stream) cut(ctx context.Context, w window, much *tooMuch, body []byte, tally *counted, again bool) error {
	p := &s.position
	floor := small
	if much.size {
		floor = least
	}
	if w.span() > floor {
		// In whole milliseconds: a query says no finer time than 100 nanoseconds, and a
		// window below that would be none.
		p.Size = max((w.span() / 2).Truncate(least), floor)
		if much.size {
			return nil // the service is well; only less is to be asked
		}
		return much
	}
	if again {
		if much.size {
			return nil
		}
		return much
	}
	now := s.serverNow()
	if p.Failing.IsZero() {
		p.Failing = now
	}
	p.Tries++
	if !much.size && (p.Tries < enoughTries || now.Sub(p.Failing) < enoughTime) {
		if err := s.commit(ctx, new(ingest.Batch)); err != nil {
			return err
		}
		return much
	}
	s.o.Observe.Tell(ingest.Report{Stream: s.table, Tables: []string{s.table}, At: s.o.Now(), Hole: &ingest.Hole{
		From: w.from, To: w.to,
		What: fmt.Sprintf("of %s, what came into the workspace from %s to %s cannot be read as a whole and was passed over after %d tries; the rows that were given are kept: %v",
			s.table, w.from.Format(time.RFC3339Nano), w.to.Format(time.RFC3339Nano), p.Tries, much.fault),
	}})
	if len(body) > 0 {
		return s.decode(ctx, body, w, tally, again)
	}
	s.advance(w)
	return s.commit(ctx, new(ingest.Batch))
}

// advance notes that a window is done.
func (s *stream) advance(w window) {
	s.position.Through = w.to
	s.position.Failing, s.position.Tries = time.Time{}, 0
}

// decode emits the rows of an answer; the last of them move the position. The
// rows of a table have the columns' shape, whose ids are those of the other roads.
func (s *stream) decode(ctx context.Context, body []byte, w window, tally *counted, again bool) error {
	d, err := ingest.NewDecoder(bytes.NewReader(body), ingest.DecoderOptions{
		Source: s.key(), Provenance: glassward.Pulled, Table: s.table, Tenant: s.o.Tenant, Now: s.o.Now,
	})
	if err != nil {
		return err
	}
	// Two batches in turn: the next is decoded before the one before is known not to
	// be the last.
	batch, next := new(ingest.Batch), new(ingest.Batch)
	last := d.Next(batch)
	for last == nil {
		s.count(batch, w, tally, again)
		last = d.Next(next)
		if last != nil {
			break
		}
		if err := s.commit(ctx, batch); err != nil {
			return err
		}
		batch, next = next, batch
	}
	if last != io.EOF {
		return last
	}
	if !again {
		s.advance(w)
	}
	return s.commit(ctx, batch)
}

// count counts a batch. Of what is looked at again, only what was not there
// before counts, as late.
func (s *stream) count(b *ingest.Batch, w window, tally *counted, again bool) {
	for i := range b.Records {
		id := b.Records[i].ID
		_, known := s.recent[id]
		switch {
		case !again:
			tally.records++
		case !known && !w.from.Before(s.knownFrom):
			tally.records++
			tally.late++
		}
		if !known {
			s.recent[id] = struct{}{}
		}
	}
	if len(s.recent) > maxRecent {
		s.recent, s.knownFrom = map[glassward.RecordID]struct{}{}, s.position.Through
	}
}

func (s *stream) tell(err error) {
	s.o.Observe.Tell(ingest.Report{Stream: s.table, Tables: []string{s.table}, At: s.o.Now(), Fault: err})
}
