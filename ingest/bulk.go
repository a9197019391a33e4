package ingest

import (
	"context"
	"sync"
	"time"
)

// Bulk runs a source into a store that takes in much at once in another way than
// single batches. Batches that are marked Bulk go to Load, which need not make
// them durable before it returns, the others to Append; what was loaded is made
// durable by Flush: before the next Append, after so many records, when nothing
// follows, after so much time, and when the source ends.
type Bulk struct {
	Append, Load Emit
	Flush        func(context.Context) error
	// Records is how many loaded records are flushed, however quickly they come; 0
	// is any number.
	Records int
	// Idle is after what pause of the loads they are flushed, Within how long after
	// the first of them where there is no pause; half a second and ten if 0.
	Idle, Within time.Duration
}

// Run runs the source. It returns what the source's Run does; an error of Load or
// Flush says that something loaded is lost, ends the source at once, and is
// returned: run the source again then, from the cursors that the store has.
//
// Loads and flushes go one at a time, appends as they come.
func (b Bulk) Run(ctx context.Context, source Source, cursors Cursors) error {
	if b.Idle <= 0 {
		b.Idle = 500 * time.Millisecond
	}
	if b.Within <= 0 {
		b.Within = 10 * time.Second
	}
	r := &bulk{Bulk: b, ctx: context.WithoutCancel(ctx)}
	ctx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	err := source.Run(ctx, cursors, r.emit)
	r.mu.Lock()
	defer r.mu.Unlock()
	// What was loaded is durable, and whoever waits for it knows, before the source
	// can be run again.
	if lost := r.flush(); lost != nil {
		return lost
	}
	return err
}

// bulk is one Run.
type bulk struct {
	Bulk
	ctx    context.Context // of flushes, which the end of the source does not end
	cancel func()

	mu     sync.RWMutex // held for reading by appends
	loaded int          // records since the last flush
	timer  *time.Timer  // nil if nothing was loaded since
	first  time.Time    // when the first of them came
	last   time.Time    // when Load had taken the last
	lost   error
}

func (r *bulk) emit(ctx context.Context, b *Batch, c *Cursor) error {
	if b.Bulk {
		return r.load(ctx, b, c)
	}
	for {
		r.mu.RLock()
		if r.lost == nil && r.timer == nil {
			defer r.mu.RUnlock()
			return r.Append(ctx, b, c)
		}
		r.mu.RUnlock()
		r.mu.Lock()
		err := r.flush()
		r.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (r *bulk) load(ctx context.Context, b *Batch, c *Cursor) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost != nil {
		return r.lost
	}
	if r.timer == nil {
		r.first = time.Now()
		r.timer = time.AfterFunc(r.Idle, r.look)
	}
	r.loaded += len(b.Records)
	if err := r.Load(ctx, b, c); err != nil {
		return r.lose(err)
	}
	if r.last = time.Now(); r.Records <= 0 || r.loaded < r.Records {
		return nil
	}
	return r.flush()
}

// look flushes what nothing has followed in time.
func (r *bulk) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil {
		return
	}
	now := time.Now()
	if left := min(r.Idle-now.Sub(r.last), r.Within-now.Sub(r.first)); left > 0 {
		r.timer.Reset(left)
		return
	}
	// Its error is the one of Run.
	_ = r.flush()
}

// flush makes durable what is loaded; mu is held. After an error of Load there may
// still be something that was loaded before.
func (r *bulk) flush() error {
	if r.timer == nil {
		return r.lost
	}
	r.timer.Stop()
	r.timer, r.loaded = nil, 0
	if err := r.Flush(r.ctx); err != nil && r.lost == nil {
		return r.lose(err)
	}
	return r.lost
}

// lose ends the run: the source takes rows for durable that are not.
func (r *bulk) lose(err error) error {
	r.lost = err
	r.cancel()
	return err
}
