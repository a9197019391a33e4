package graph

import (
	"context"
	"errors"
	"fmt"
	"time"

	"glassward/entra"
	"glassward/ingest"
)

// trouble is what back-fill knows of a place that cannot be read.
type trouble struct {
	backoff entra.Backoff
	lost    int       // chains that were lost there
	bad     span      // the window that failed last: no growth inside it
	tries   int       // of the smallest window
	since   time.Time // the first of them
	// After a place that was passed over the windows are as wide as step and grow
	// each time. tail is what the last of them passed over: the good end of it is
	// looked for once the bad place has an end.
	step time.Duration
	tail span
}

// backfill reads what is owed, one window after another, until ctx ends or emit
// fails. It rests while the live half cannot read: then the fault is not the
// window's.
func (f *follower) backfill(ctx context.Context) error {
	var t trouble
	unread := true
	for {
		w, lost, ok := f.take(&t, &unread)
		for _, s := range lost {
			f.tell(ingest.Report{Hole: &ingest.Hole{From: s.From, To: s.To,
				What: fmt.Sprintf("%s from %s to %s was never read and is older than the service keeps or gives", f.d.name, stamp(s.From), stamp(s.To))}})
		}
		if !ok {
			select {
			case <-f.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		pause, err := f.window(ctx, w, &t, !t.tail.empty() && t.step == 0)
		if stop := ends(ctx, err); stop != nil {
			return stop
		}
		if err := sleep(ctx, pause, nil, nil); err != nil {
			return err
		}
	}
}

// take takes the next window of what is owed; false if there is none or the
// stream cannot be read. What was never read and what is read again take turns.
func (f *follower) take(t *trouble, unread *bool) (w span, lost []span, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost = f.pos.forget(f.s.oldest())
	if f.healthy && !t.tail.empty() && t.step == 0 {
		return span{t.tail.From.Add(t.tail.width() / 2).Truncate(time.Second), t.tail.To}, lost, true
	}
	if !f.healthy || len(f.pos.Unread)+len(f.pos.Again) == 0 {
		return span{}, lost, false
	}
	if t.bad.empty() && t.step == 0 {
		*unread = !*unread
	}
	list := &f.pos.Again
	if *unread && len(f.pos.Unread) > 0 || len(f.pos.Again) == 0 {
		list = &f.pos.Unread
	}
	width := time.Duration(f.pos.Window) * time.Second
	if width == 0 {
		width = firstWindow
	}
	if t.step > 0 {
		width = t.step
	}
	w = (*list)[0]
	w.To = earlier(w.To, w.From.Add(width))
	f.missing = list == &f.pos.Unread
	*list = remove(*list, w)
	f.reading = w
	return w, lost, true
}

// putBack owes again what take took. f.mu is held.
func (f *follower) putBack() {
	if f.missing {
		f.pos.Unread = add(f.pos.Unread, f.reading)
	} else {
		f.pos.Again = add(f.pos.Again, f.reading)
	}
	f.reading = span{}
}

// window reads one window and says how long to rest after it. The error is one
// that ends the source. tail says that the window is the end of what was passed
// over.
func (f *follower) window(ctx context.Context, w span, t *trouble, tail bool) (time.Duration, error) {
	accounts, _ := f.s.declared()
	var terms []string
	if f.d.terms != nil {
		if terms = f.d.terms(accounts); len(terms) == 0 {
			// Nobody is declared any more, so that nothing is owed.
			f.mu.Lock()
			defer f.mu.Unlock()
			p := f.pos.clone()
			p.Unread, p.Again, p.Missed = nil, nil, nil
			f.reading = span{}
			return 0, f.commit(ctx, &ingest.Batch{}, p)
		}
	}
	got, err := f.read(entra.WithPriority(ctx, entra.Bulk), w, terms, func(p *position) {
		f.reading = span{}
		if tail {
			p.Missed = remove(p.Missed, w)
		}
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if tail && ends(ctx, err) == nil {
		if err == nil {
			t.tail.To = w.From
		} else {
			t.tail.From = w.From
		}
		if t.tail.width() <= minWindow {
			t.tail = span{}
		}
		return 0, nil
	}
	if err == nil {
		f.fit(w, got, t)
		return 0, nil
	}
	f.putBack()
	if ends(ctx, err) != nil {
		return 0, err
	}
	var fault *entra.Fault
	if !errors.As(err, &fault) {
		fault = &entra.Fault{Kind: entra.FaultOutage}
	}
	switch {
	case errors.Is(err, errAhead):
		return 10 * time.Second, nil
	case lostChain(fault):
		if t.lost++; t.lost <= 3 {
			return time.Second, nil
		}
	case refused(fault):
		if n := min(len(terms), f.terms); n > 1 {
			f.terms = n / 2
			return 0, nil
		}
	case fault.Kind == entra.FaultContent, fault.Kind == entra.FaultOutage:
	default:
		// Token, consent, licence, pace: not this window's fault. The live half
		// tells of it.
		return t.backoff.Next(err), nil
	}
	return f.failed(ctx, w, t, fault, err)
}

// fit has the next window be of the size that gives a few pages. f.mu is held.
func (f *follower) fit(w span, got count, t *trouble) {
	if !w.From.Before(t.bad.From) && w.To.Before(t.bad.To) {
		t.lost, t.tries = 0, 0
		return
	}
	*t = trouble{tail: t.tail}
	width := w.width()
	full := got.rows/max(1, got.chains) >= f.d.top/2
	switch {
	case got.pages > fewPages*got.chains:
		f.pos.Window = int64(max(minWindow, width*2*time.Duration(got.chains)/time.Duration(got.pages)) / time.Second)
	case !full && int64(width/time.Second) >= f.pos.Window:
		f.pos.Window = int64(min(maxWindow, 2*width) / time.Second)
	}
}

// failed deals with a window that could not be read though the service lives: it
// is halved until one second is left, and that is passed over in the end, aloud.
// f.mu is held.
func (f *follower) failed(ctx context.Context, w span, t *trouble, fault *entra.Fault, err error) (time.Duration, error) {
	now := f.s.o.Now()
	if w.width() > max(minWindow, t.step) {
		if t.bad.empty() {
			f.tell(ingest.Report{Fault: err})
		}
		t.bad, t.tries = w, 0
		half := max(minWindow, w.width()/2).Truncate(time.Second)
		f.pos.Window = max(1, int64(half/time.Second))
		return max(5*time.Second, fault.RetryAfter), nil
	}
	if !w.From.Equal(t.bad.From) {
		t.tries = 0
	}
	t.bad = w
	if t.tries++; t.tries == 1 {
		t.since = now
	}
	tries, long := passAfter, passAfterFor
	if t.step > 0 || refused(fault) {
		tries, long = passNext, 0
	}
	if t.tries < tries || now.Sub(t.since) < long || !f.healthy || !f.good.After(t.since) {
		f.tell(ingest.Report{Fault: err})
		return t.backoff.Next(err), nil
	}
	// Where one second after another fails the steps grow, or a day of them would
	// take years.
	p := f.pos.clone()
	if f.missing {
		p.Unread = remove(p.Unread, w)
	} else {
		p.Again = remove(p.Again, w)
	}
	p.Missed = bounded(add(p.Missed, w), maxSpans)
	if err := f.commit(ctx, &ingest.Batch{}, p); err != nil {
		return 0, err
	}
	f.tell(ingest.Report{Hole: &ingest.Hole{From: w.From, To: w.To,
		What: fmt.Sprintf("%s from %s to %s was passed over: the service failed on it %d times in %v while it answered for other times (%v); it is tried again at the daily look back", f.d.name, stamp(w.From), stamp(w.To), t.tries, now.Sub(t.since).Round(time.Second), err)}})
	*t = trouble{step: min(max(2*w.width(), 2*minWindow), maxWindow)}
	if w.width() > minWindow {
		t.tail = w
	}
	return 0, nil
}
