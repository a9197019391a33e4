package activity

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
)

const (
	pollEvery = time.Minute
	// A blob that is first seen younger than this may be incomplete and is read
	// once more.
	settled = time.Hour
	// A blob is given up after so many tries in so long a time.
	enoughTries = 10
	enoughTime  = 24 * time.Hour
	// restMost is the longest time between two tries of one, a little less than
	// between two looks at the last day.
	restMost = 50 * time.Minute
	// atOnce blobs are asked for side by side, chunk of them before what they hold
	// is committed.
	atOnce = 4
	chunk  = 32
	// rowsAtOnce bounds the records of one commit.
	rowsAtOnce = 1024
)

// A stream reads one content type.
type stream struct {
	*Source
	content  string
	emit     ingest.Emit
	position *position

	running  bool      // the subscription was seen to run
	looked   time.Time // when that was looked at
	why      error     // why the last start failed
	auditOff error     // what the probe found
	heard    time.Time // when content was last listed
	retries  entra.Backoff
}

// An emitError is an error of emit: the source has to end.
type emitError struct{ error }

func (e emitError) Unwrap() error { return e.error }

// key gives the key of the stream's cursor.
func (s *stream) key() string { return s.Name() + "/" + s.content }

func (s *stream) run(ctx context.Context, cursors ingest.Cursors) error {
	s.position = newPosition()
	if cursors != nil {
		text, ok, err := cursors.Cursor(ctx, s.key())
		if err != nil {
			return err
		}
		if ok {
			p, err := readPosition(text)
			if err == nil {
				s.position = p
			} else {
				s.tell(&entra.Fault{
					Kind: entra.FaultPosition, Service: string(entra.Activity), Doing: "go on with " + s.content,
					Message: "the position that was kept cannot be read: " + err.Error() + ". All seven days are read again, which adds nothing twice", Err: err,
				})
			}
		}
	}
	s.heard = s.o.Now()
	for {
		began := s.o.Now()
		err := s.round(ctx)
		var failed emitError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &failed):
			return failed.error
		case err != nil:
			s.tell(err)
			if err := s.retries.Wait(ctx, err); err != nil {
				return err
			}
			continue
		}
		s.retries.Reset()
		// That the host's clock was set back meanwhile is no reason to rest for longer.
		t := time.NewTimer(max(pollEvery-max(0, s.o.Now().Sub(began)), time.Second))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// save commits the position alone.
func (s *stream) save(ctx context.Context) error { return s.commit(ctx, new(ingest.Batch)) }

// commit commits rows and position together.
func (s *stream) commit(ctx context.Context, b *ingest.Batch) error {
	if err := s.emit(ctx, b, &ingest.Cursor{Source: s.key(), Position: s.position.text()}); err != nil {
		return emitError{err}
	}
	return nil
}

// round looks once at what there is to read and reads it.
func (s *stream) round(ctx context.Context) error {
	if err := s.ensure(ctx); err != nil {
		return err
	}
	// What became available in this very second may still be sorted in.
	p, now := s.position, s.serverNow().Add(-2*time.Second).Truncate(time.Second)
	limit := now.Add(margin - keeps)
	if !p.Through.IsZero() && p.Through.Before(limit) {
		s.hole(p.Through, limit, "nothing was read for longer than the seven days for which the service keeps "+s.content)
		p.Through = limit
		if err := s.save(ctx); err != nil {
			return err
		}
	}
	from := now.Add(-2 * time.Hour)
	day, week := now.Sub(p.Hourly) >= time.Hour, now.Sub(p.Daily) >= 24*time.Hour
	// A clock that was set back must not stop the looks behind.
	day, week = day || p.Hourly.After(now), week || p.Daily.After(now)
	switch {
	case week:
		from = limit
	case day:
		from = now.Add(-longest)
	}

	before, tally := p.Through, counted{}
	for _, w := range windows(from, now) {
		blobs, err := s.list(ctx, w)
		if err != nil {
			return s.refused(ctx, err)
		}
		if err := s.read(ctx, blobs, before, &tally); err != nil {
			return err
		}
	}
	p.Through = now
	if day || week {
		p.Hourly = now
	}
	if week {
		p.Daily = now
	}
	p.Seen = now
	p.prune(now)
	if err := s.save(ctx); err != nil {
		return err
	}
	through := now
	for _, f := range p.failing {
		if !f.Created.IsZero() && f.Created.Before(through) {
			through = f.Created
		}
	}
	s.o.Observe.Tell(ingest.Report{Stream: s.content, Tables: Tables(s.content), At: s.o.Now(), Polled: &ingest.Polled{
		Through: through, Records: tally.records, Late: tally.late, Backlog: -1, Offset: s.client.Offset(),
	}})
	// What follows does not end the reading; the rest has been read.
	if tally.failure != nil {
		s.tell(tally.failure)
	}
	if s.auditOff != nil {
		s.tell(s.auditOff)
	}
	return nil
}

// refused looks at a refusal to list: it may say that the subscription is off.
func (s *stream) refused(ctx context.Context, err error) error {
	switch codeOf(err) {
	case "AF20022":
		return s.stopped(ctx)
	case "AF20023":
		return s.disabled(ctx, "AF20023")
	}
	return err
}

// counted is what a round has read.
type counted struct {
	records, late int
	failure       error // of a blob that could not be read
	outages       int   // blobs in a row that the service failed to give
}

// read reads those of the blobs that are not done, the oldest first.
func (s *stream) read(ctx context.Context, blobs []blob, before time.Time, tally *counted) error {
	p, now := s.position, s.serverNow()
	if len(blobs) > 0 {
		s.heard, s.auditOff = s.o.Now(), nil
	}
	var due []blob
	named := map[key]bool{}
	for _, b := range blobs {
		if b.created.After(now.Add(longest)) || b.created.Before(now.Add(-keepDone)) {
			// No time of ours; the position needs one at which it is forgotten.
			b.created = now
		}
		_, done := p.done[b.key]
		_, young := p.young[b.key]
		if named[b.key] || done && !(young && now.Sub(b.created) >= settled) {
			continue
		}
		if f, ok := p.failing[b.key]; ok && now.Before(f.Next) && !f.Next.After(now.Add(restMost)) {
			continue
		}
		named[b.key] = true
		due = append(due, b)
	}
	// What failed before comes last: it must not hold up what is new.
	worse := func(b blob) int { return p.failing[b.key].Tries }
	slices.SortStableFunc(due, func(a, b blob) int {
		return cmp.Or(cmp.Compare(worse(a), worse(b)), a.created.Compare(b.created), cmp.Compare(a.id, b.id))
	})
	for part := range slices.Chunk(due, chunk) {
		if err := s.readPart(ctx, part, before, tally); err != nil {
			return err
		}
	}
	return nil
}

// readPart asks for some blobs side by side and commits what they hold.
func (s *stream) readPart(ctx context.Context, part []blob, before time.Time, tally *counted) error {
	bodies, faults := make([][]byte, len(part)), make([]error, len(part))
	var wait sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i, b := range part {
		turn <- struct{}{}
		wait.Go(func() {
			defer func() { <-turn }()
			faults[i] = ingest.Guard(func() (err error) {
				bodies[i], err = s.fetch(ctx, b)
				return err
			})
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}

	p, now := s.position, s.serverNow()
	out := new(ingest.Batch)
	var stop error
	for i, b := range part {
		if err := faults[i]; err != nil {
			switch kindOf(err) {
			case entra.FaultContent, entra.FaultRequest, entra.FaultPosition:
				tally.outages = 0
			case entra.FaultOutage:
				// One blob that always fails must not hold up the others.
				if tally.outages++; tally.outages >= 3 {
					stop = err
				}
			default:
				stop = err
			}
			if stop != nil {
				break
			}
			s.failed(b, err, now, tally)
			continue
		}
		tally.outages = 0
		_, again := p.done[b.key]
		n, err := s.decode(ctx, bodies[i], &out)
		if err != nil {
			return err
		}
		if !again {
			tally.records += n
			if b.created.Before(before) {
				tally.late += n
			}
		}
		p.finish(b.key, b.created, !again && now.Sub(b.created) < settled)
	}
	if err := s.commit(ctx, out); err != nil {
		return err
	}
	return stop
}

// decode adds the records of a blob to the batch, and commits it each time that
// it is full.
func (s *stream) decode(ctx context.Context, body []byte, out **ingest.Batch) (n int, err error) {
	d, err := ingest.NewDecoder(bytes.NewReader(body), ingest.DecoderOptions{
		Source: s.key(), Provenance: glassward.Pulled, Tenant: s.o.Tenant, Now: s.o.Now,
	})
	if err != nil {
		return 0, err
	}
	for {
		// Each part has memory of its own, for they are committed together.
		b := new(ingest.Batch)
		switch err := d.Next(b); {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		}
		n += len(b.Records)
		o := *out
		o.Records = append(o.Records, b.Records...)
		o.Shapes = append(o.Shapes, b.Shapes...)
		o.Rejects = append(o.Rejects, b.Rejects...)
		o.Warnings = append(o.Warnings, b.Warnings...)
		if len(o.Records)+len(o.Rejects) >= rowsAtOnce {
			if err := s.commit(ctx, o); err != nil {
				return n, err
			}
			*out = new(ingest.Batch)
		}
	}
}

// failed notes that a blob could not be read, and gives it up where it never will
// be: with a Hole that says so.
func (s *stream) failed(b blob, err error, now time.Time, tally *counted) {
	p := s.position
	if _, done := p.done[b.key]; done {
		// It was read before, when it was young; the second look fails.
		if codeOf(err) == "AF20051" {
			p.finish(b.key, b.created, false)
			return
		}
	}
	f, known := p.failing[b.key]
	if !known {
		f = failing{Key: b.key, Created: b.created, Since: now}
	}
	f.Tries++
	f.Next = now.Add(min(time.Minute<<min(f.Tries-1, 10), restMost))
	expired := codeOf(err) == "AF20051" || !b.expires.IsZero() && b.expires.Before(now)
	if expired || f.Tries >= enoughTries && now.Sub(f.Since) >= enoughTime {
		what := fmt.Sprintf("content %s of %s, available since %s, was given up after %d tries: %v", b.id, s.content, b.created.Format(time.RFC3339), f.Tries, err)
		if expired {
			what = fmt.Sprintf("content %s of %s, available since %s, expired before it could be read: %v", b.id, s.content, b.created.Format(time.RFC3339), err)
		}
		s.hole(b.created, b.created, what)
		p.finish(b.key, b.created, false)
		return
	}
	if known || len(p.failing) < maxFailing {
		p.failing[b.key] = f
	}
	tally.failure = err
}

// readObject decodes a body that is an object.
func readObject(body []byte, into any) error {
	body = trim(body)
	if len(body) == 0 || body[0] != '{' {
		return errors.New("the answer is no object")
	}
	return json.Unmarshal(body, into)
}
