package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
)

const (
	// Windows end so far before the service's now: its Date header has whole
	// seconds.
	settle = 2 * time.Second
	// Each poll looks back so far, or as far as the records are known to be late.
	pollBack = 15 * time.Minute
	// A poll that comes so long after the one before follows an outage.
	outageAfter = 15 * time.Minute
	// A window should have few pages: a chain of links is lost by one fault.
	fewPages  = 4
	manyPages = 50

	minWindow   = time.Second
	firstWindow = time.Hour
	maxWindow   = 24 * time.Hour

	// A window of one second is passed over when it has failed so often, for so
	// long, while the rest of the stream could be read.
	passAfter    = 6
	passAfterFor = 10 * time.Minute
	// A window that follows one that was passed over needs fewer.
	passNext = 2

	// A licence is asked for again soon at first, because the service now and then
	// denies one that is there, and in the end daily.
	licenceSoon   = 5 * time.Minute
	licenceRetest = 24 * time.Hour
	requestRetest = 15 * time.Minute
	// The largest group of conditions in one request.
	mostTerms = 15
)

// A follower reads one stream. Its live half reads what is new, its back-fill
// half what is owed.
type follower struct {
	s    *Source
	d    definition
	key  string
	emit ingest.Emit
	wake chan struct{} // given something when back-fill may have work

	// mu guards what follows, and the order in which cursors become durable.
	mu      sync.Mutex
	pos     position
	reading span // taken out of pos.Unread or pos.Again by back-fill
	missing bool // reading is of Unread
	known   known
	ask     int // which of d.asks
	terms   int // how many conditions go into one request
	good    time.Time
	healthy bool
	records int
	late    int
}

func newFollower(s *Source, d definition, emit ingest.Emit) *follower {
	return &follower{s: s, d: d, key: s.Name() + "/" + string(d.name), emit: emit,
		wake: make(chan struct{}, 1), known: newKnown(), terms: mostTerms}
}

func (f *follower) tell(r ingest.Report) {
	r.Stream, r.Tables, r.At = string(f.d.name), f.d.tables, f.s.o.Now()
	f.s.o.Observe.Tell(r)
}

// fault makes a fault of the stream's own.
func (f *follower) fault(kind entra.FaultKind, format string, args ...any) error {
	return &entra.Fault{Kind: kind, Service: string(entra.Graph), Doing: "reading " + string(f.d.name), Message: fmt.Sprintf(format, args...)}
}

// load begins where the cursor says, or anew where it says nothing that can be
// used.
func (f *follower) load(ctx context.Context, cursors ingest.Cursors) error {
	begin := f.s.o.Now().Add(-f.s.o.First)
	f.pos = begun(begin)
	if cursors != nil {
		text, ok, err := cursors.Cursor(ctx, f.key)
		if err != nil {
			return fmt.Errorf("%s: %w", f.key, err)
		}
		if ok {
			p, err := decodePosition(text)
			if err == nil {
				f.pos = p
				return nil
			}
			begin = earlier(begin, f.s.o.Now().Add(-dailyBack))
			f.pos = begun(begin)
			f.tell(ingest.Report{Fault: f.fault(entra.FaultPosition, "the position that was kept cannot be used: %v; the stream is read anew from %s", err, stamp(f.pos.Begin))})
			f.tell(ingest.Report{Hole: &ingest.Hole{To: f.pos.Begin, What: fmt.Sprintf("%s: how far it was read is lost with its position; what was not yet read before %s is not asked for", f.d.name, stamp(f.pos.Begin))}})
		}
	}
	// Where the stream begins is kept before the first request, so that a start
	// that fails again and again does not begin later each time.
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commit(ctx, &ingest.Batch{}, f.pos.clone())
}

// commit makes a batch and a position durable together. f.mu is held.
func (f *follower) commit(ctx context.Context, b *ingest.Batch, p position) error {
	kept := p.clone()
	if !f.reading.empty() {
		// What is being read is still owed.
		if f.missing {
			kept.Unread = add(kept.Unread, f.reading)
		} else {
			kept.Again = add(kept.Again, f.reading)
		}
	}
	text, err := kept.encode()
	if err != nil {
		return err
	}
	if err := f.emit(ctx, b, &ingest.Cursor{Source: f.key, Position: text}); err != nil {
		return emitError{err}
	}
	f.pos = p
	return nil
}

// emitError is an error of emit, which ends the source.
type emitError struct{ error }

func (e emitError) Unwrap() error { return e.error }

// ends gives the error that ends the source, nil if err is none such.
func ends(ctx context.Context, err error) error {
	var stop emitError
	switch {
	case errors.As(err, &stop):
		return stop.error
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return nil
}

func (f *follower) forgetRows() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = newKnown()
}

// density gives the stream's rows an hour, false if nothing is known.
func (f *follower) density() (float64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pos.Hours == 0 {
		return 0, false
	}
	return f.pos.Rows / f.pos.Hours, true
}

func (f *follower) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// live polls for what is new until ctx ends or emit fails.
func (f *follower) live(ctx context.Context) error {
	var l liveState
	l.refused.First, l.refused.Ceiling = requestRetest, time.Hour
	l.licence.First, l.licence.Ceiling = licenceSoon, licenceRetest
	for {
		accounts, changed := f.s.declared()
		var terms []string
		if f.d.terms != nil {
			if terms = f.d.terms(accounts); len(terms) == 0 {
				// Nobody is declared: the stream rests until somebody is.
				select {
				case <-changed:
					continue
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		pause, err := f.poll(ctx, &l, terms)
		if stop := ends(ctx, err); stop != nil {
			return stop
		}
		f.mu.Lock()
		f.healthy = err == nil
		f.mu.Unlock()
		var opened <-chan struct{}
		if err != nil {
			f.tell(ingest.Report{Fault: err})
			if everybodys(err) {
				opened = f.s.turnedAway()
			}
		} else {
			f.s.answered()
		}
		f.nudge()
		if f.d.terms == nil {
			changed = nil
		}
		if err := sleep(ctx, pause, changed, opened); err != nil {
			return err
		}
	}
}

// liveState is what the live half knows between polls.
type liveState struct {
	again   entra.Backoff
	refused entra.Backoff // the service refuses what is asked
	licence entra.Backoff // the tenant lacks the licence
	doubted bool          // a refusal was doubted since the last poll that was answered
	failed  bool          // the last poll failed
	dense   bool          // the last poll had many pages
	lost    int           // chains that were lost since the last poll
	second  time.Time     // since when a second-best way to ask is taken
}

// poll reads what is new, and says how long to wait before the next poll. The error
// is what to report, or ends the source.
func (f *follower) poll(ctx context.Context, l *liveState, terms []string) (time.Duration, error) {
	for {
		pause, err := f.pollOnce(ctx, l, terms)
		switch {
		case err == nil:
			l.again.Reset()
			l.refused.Reset()
			l.licence.Reset()
			l.failed, l.doubted, l.lost = false, false, 0
			return pause, nil
		case ends(ctx, err) != nil:
			return 0, err
		}
		var fault *entra.Fault
		if !errors.As(err, &fault) {
			fault = &entra.Fault{Kind: entra.FaultOutage}
		}
		switch {
		case errors.Is(err, errAhead) || lostChain(fault):
			// A chain of pages was lost, or a window ended in the future: the next
			// begins at once, but not for ever.
			if l.lost++; l.lost <= 3 {
				continue
			}
			l.lost = 0
			if errors.Is(err, errAhead) {
				err = f.fault(entra.FaultClock, "the service's clock and this host's disagree by more each time: %v now", f.s.client.Offset())
			}
		case refused(fault) && !l.doubted:
			// One refusal may be a whim. A way that lacks something is taken for a day,
			// so it is asked once more before.
			l.doubted = true
			continue
		case refused(fault) && f.narrow(terms):
			continue
		case refused(fault) && f.nextAsk():
			l.second, l.doubted = f.s.o.Now(), false
			f.tell(ingest.Report{Fault: f.fault(entra.FaultRequest, "the service refuses the better way to ask (%v); another is taken for a day, which lacks %s", err, f.way().lacks)})
			continue
		case fault.Kind == entra.FaultLicence:
			l.failed = true
			return l.licence.Next(err), err
		case refused(fault):
			l.failed = true
			return l.refused.Next(err), err
		}
		l.failed = true
		return l.again.Next(err), err
	}
}

// refused reports whether the service will not take a request as it is.
func refused(fault *entra.Fault) bool {
	switch fault.Kind {
	case entra.FaultToken, entra.FaultConsent, entra.FaultLicence:
		return false // it is us that it refuses, the token endpoint with a status of 400
	}
	switch fault.Status {
	case 400, 404, 413, 414, 431, 501:
		return true
	}
	return fault.Kind == entra.FaultRequest
}

// everybodys reports whether what one stream met is what every stream meets: no token,
// or no way to the service.
func everybodys(err error) bool {
	var fault *entra.Fault
	return errors.As(err, &fault) && (fault.Kind == entra.FaultToken || fault.Kind == entra.FaultOutage && fault.Status == 0)
}

// lostChain reports whether a chain of pages has to begin again: Graph now and
// then loses the token that its own link carries.
func lostChain(fault *entra.Fault) bool {
	text := strings.ToLower(fault.Message + " " + fault.Code)
	return fault.Kind == entra.FaultPosition || strings.Contains(text, "skip token") || strings.Contains(text, "skiptoken")
}

// narrow asks for fewer conditions at once; false if there is only one.
func (f *follower) narrow(terms []string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := min(len(terms), f.terms); n > 1 {
		f.terms = n / 2
		return true
	}
	return false
}

// nextAsk takes the next way to ask; false, and the first again, if there is none.
func (f *follower) nextAsk() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.terms = mostTerms
	if f.ask+1 < len(f.d.asks) {
		f.ask++
		return true
	}
	f.ask = 0
	return false
}

func (f *follower) way() ask {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.d.asks[f.ask]
}

func (f *follower) pollOnce(ctx context.Context, l *liveState, terms []string) (time.Duration, error) {
	started := f.s.o.Now()
	to := f.s.now().Add(-settle).Truncate(time.Second)
	f.mu.Lock()
	if f.ask > 0 && started.Sub(l.second) >= dailyEvery {
		f.ask = 0
	}
	f.newcomers(terms, to)
	ahead := f.pos.Polled.Sub(to)
	if ahead > 2*time.Minute {
		// The position was kept by a clock that was wrong. Nobody knows what was
		// read while it was.
		f.pos.Polled = later(f.pos.Begin, to.Add(-dailyBack))
		f.pos.Hourly, f.pos.Daily = earlier(f.pos.Hourly, f.pos.Polled), earlier(f.pos.Daily, f.pos.Polled)
	}
	polled, reach := f.pos.Polled, f.pos.Begin
	f.mu.Unlock()
	if ahead > 2*time.Minute {
		f.tell(ingest.Report{Fault: f.fault(entra.FaultClock, "the position that was kept is %v ahead of the service's clock; the last %v are read again", ahead.Round(time.Second), dailyBack)})
	}
	if !to.After(polled) {
		return time.Second, nil
	}

	overlap := pollBack
	if f.s.o.Tail != nil {
		overlap = min(max(overlap, f.s.o.Tail(f.d.name)), dailyBack)
	}
	overlap = overlap.Truncate(time.Second)
	outage := to.Sub(polled) > outageAfter
	w := span{polled.Add(-overlap), to}
	switch {
	case l.failed:
		// The newest moments first: if they can be read, the service lives, and
		// what could not be read is left to back-fill, which finds the place.
		w.From = to.Add(-30 * time.Second)
	case outage:
		w.From = to.Add(-pollBack)
	case l.dense:
		w.From = polled.Add(-time.Minute)
	}
	w.From = later(w.From, reach)
	if w.empty() {
		return time.Second, nil
	}
	priority := entra.Normal
	if f.d.name.Declared() {
		priority = entra.Urgent
	}
	got, err := f.read(entra.WithPriority(ctx, priority), w, terms, func(p *position) {
		p.poll(w, overlap, p.daily(f.d.top), outage)
		if got := f.d.asks[f.ask]; got.time == "" {
			// The whole list was read.
			p.Unread, p.Again, p.Missed = nil, nil, nil
		}
	})
	if err != nil {
		return 0, err
	}
	// What the next poll would read if it looked back as far.
	l.dense = float64(got.rows)*float64(overlap+f.d.poll)/float64(w.width()) > float64(fewPages*f.d.top*got.chains)
	f.mu.Lock()
	f.good = f.s.o.Now()
	report := ingest.Polled{Through: f.pos.through(), Records: f.records, Late: f.late, Backlog: -1, Offset: f.s.client.Offset()}
	f.records, f.late = 0, 0
	f.mu.Unlock()
	f.tell(ingest.Report{Polled: &report})

	pause := f.d.poll
	if f.d.name.Declared() {
		// Where the service takes few accounts at a time the declared streams
		// together still use no more than half of its limit.
		pause = max(pause, time.Duration(got.pages)*3*bulkRequest)
	}
	// The host's clock may have been set back meanwhile; that is no reason to rest.
	return max(time.Second, pause-max(0, f.s.o.Now().Sub(started))), nil
}

// newcomers owes the past of accounts that were not asked for before. f.mu is
// held.
func (f *follower) newcomers(terms []string, to time.Time) {
	if f.d.terms == nil || slices.Equal(terms, f.pos.Asked) {
		return
	}
	for _, t := range terms {
		if !slices.Contains(f.pos.Asked, t) {
			from := to.Add(-f.s.o.First)
			f.pos.Begin = earlier(f.pos.Begin, from)
			f.pos.Unread = add(f.pos.Unread, span{from, earlier(f.pos.Polled, to)})
			break
		}
	}
	f.pos.Asked = terms
}

// errAhead says that a window ended in the service's future, which shows once it
// has answered.
var errAhead = errors.New("the window ends after the service's now")

// A count is what a window held: rows of it were given on as new or fuller.
type count struct{ chains, pages, rows, fresh int }

// read gives every row of a window to the store, and with the last of them the
// position as owed changes it. Nothing is struck off unless every chain of pages
// came to its end.
func (f *follower) read(ctx context.Context, w span, terms []string, owed func(*position)) (got count, err error) {
	f.mu.Lock()
	way, most := f.d.asks[f.ask], f.terms
	f.mu.Unlock()
	all := groups(terms, most)
	var batch, next ingest.Batch
	var marks []mark
	late := 0
	for i, group := range all {
		got.chains++
		finished := false
		for page, err := range f.s.client.Pages(ctx, f.d.address(f.s.root, way, w, group), f.s.header) {
			if err != nil {
				return got, err
			}
			got.pages++
			last := page.Last && i == len(all)-1
			finished = page.Last
			d, err := ingest.NewDecoder(&values{rows: page.Value}, ingest.DecoderOptions{
				Source: f.key, Provenance: glassward.Pulled, Tenant: f.s.o.Tenant,
				// A page is one batch.
				BatchRecords: 1 << 16, Fill: true, Now: f.s.o.Now,
			})
			if err != nil {
				return got, err
			}
			for {
				if err := d.Next(&next); err == io.EOF {
					break
				} else if err != nil {
					return got, err
				}
				if len(batch.Records)+len(batch.Rejects) > 0 {
					if err := f.give(ctx, &batch, marks); err != nil {
						return got, err
					}
				}
				batch, next = next, batch
				n := 0
				got.rows += len(batch.Records)
				f.mu.Lock()
				marks, n = f.known.fresh(&batch, w.To, marks[:0])
				f.mu.Unlock()
				got.fresh += len(batch.Records)
				late += n
			}
			if !last && len(batch.Records)+len(batch.Rejects) > 0 {
				if err := f.give(ctx, &batch, marks); err != nil {
					return got, err
				}
				batch.Reset()
				marks = marks[:0]
			}
			if !page.Last && got.pages >= manyPages*got.chains && w.width() > minWindow {
				return got, f.fault(entra.FaultOutage, "the window from %s to %s has more than %d pages; it is cut", stamp(w.From), stamp(w.To), manyPages)
			}
		}
		if !finished {
			if err := ctx.Err(); err != nil {
				return got, err
			}
			return got, f.fault(entra.FaultContent, "the list of %s to %s ended without a last page", stamp(w.From), stamp(w.To))
		}
	}
	if w.To.After(f.s.now()) {
		// The host's clock is ahead and the answer has told so. What was read is
		// given on, the window is not closed.
		if err := f.give(ctx, &batch, marks); err != nil {
			return got, err
		}
		return got, errAhead
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pos.clone()
	owed(&p)
	p.learn(w, got.rows)
	if err := f.commit(ctx, &batch, p); err != nil {
		return got, err
	}
	f.known.keep(marks)
	f.known.covers(w)
	f.records += got.fresh
	f.late += late
	return got, nil
}

// give gives a batch to the store without a position: it is read again if the
// window does not come to its end.
func (f *follower) give(ctx context.Context, b *ingest.Batch, marks []mark) error {
	if len(b.Records)+len(b.Rejects) == 0 {
		return nil
	}
	if err := f.emit(ctx, b, nil); err != nil {
		return emitError{err}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known.keep(marks)
	return nil
}

// values reads the entries of a page as lines.
type values struct {
	rows []json.RawMessage
	at   int
}

func (v *values) Read(p []byte) (n int, err error) {
	for len(v.rows) > 0 && n < len(p) {
		row := v.rows[0]
		if v.at == len(row) {
			p[n] = '\n'
			n++
			v.rows, v.at = v.rows[1:], 0
			continue
		}
		k := copy(p[n:], row[v.at:])
		n += k
		v.at += k
	}
	if n == 0 && len(v.rows) == 0 {
		return 0, io.EOF
	}
	return n, nil
}
