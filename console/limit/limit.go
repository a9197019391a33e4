// Package limit bounds what one caller of the API may ask, so that nobody's flood is
// another's waiting: requests and bytes by token buckets, queries by places that are
// shared fairly and queues of each caller's own. The figures are Azure's where Azure has
// one. Whoever shows nothing that holds is bounded by his address, in memory of a fixed
// size.
package limit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// Limits are what one caller may ask. A field that is 0 means its default.
type Limits struct {
	// Requests are how many in 30 s, and as many at once. Default 200, as the Log
	// Analytics query API allows a user.
	Requests int
	// Pushes are requests that bring records, in 30 s. Default 6,000, as the Logs
	// Ingestion API allows a data collection rule 12,000 a minute.
	Pushes int
	// Queries are how many are worked on at once; Waiting more wait, for at most
	// Patience. Defaults 5, 200 and 3 minutes, as the Log Analytics query API has them.
	Queries, Waiting int
	Patience         time.Duration
	// Bytes are how many may be pushed in a minute, as they come and as they are
	// unpacked together. Default 1 GiB; Azure takes 2 GB.
	Bytes int64
	// Body is how many bytes a request's body may have, packed or unpacked. Default 64 MiB.
	Body int64
	// Strangers are requests without a token that holds, by address, in 30 s. Default
	// 120. It is no caller's own: only Options.Of("") is asked for it.
	Strangers int
}

// Or gives the limits with those of another in the place of what they leave out.
func (l Limits) Or(o Limits) Limits {
	return Limits{
		Requests: cmp.Or(l.Requests, o.Requests), Pushes: cmp.Or(l.Pushes, o.Pushes),
		Queries: cmp.Or(l.Queries, o.Queries), Waiting: cmp.Or(l.Waiting, o.Waiting), Patience: cmp.Or(l.Patience, o.Patience),
		Bytes: cmp.Or(l.Bytes, o.Bytes), Body: cmp.Or(l.Body, o.Body), Strangers: cmp.Or(l.Strangers, o.Strangers),
	}
}

// Defaults are the limits that hold where nothing else is said.
var Defaults = Limits{Requests: 200, Pushes: 6000, Queries: 5, Waiting: 200, Patience: 3 * time.Minute, Bytes: 1 << 30, Body: 64 << 20, Strangers: 120}

// window is the time in which requests are counted, as Azure counts them.
const window = 30 * time.Second

// A Reason says which limit refused a request.
type Reason string

// The reasons.
const (
	Requests Reason = "requests" // more requests than the caller may make
	Pushes   Reason = "pushes"   // more requests that bring records than it may make
	Ingest   Reason = "ingest"   // more bytes than it may push
	Queries  Reason = "queries"  // the caller's queue is full, or it waited too long there
	Address  Reason = "address"  // too much without a token that holds
	Body     Reason = "body"     // a body that is too large
)

// A Refusal is a request that is over a limit.
type Refusal struct {
	Reason Reason
	// After is when it may be tried again.
	After time.Duration
	Text  string
}

func (r *Refusal) Error() string { return r.Text }

// Options are what a Book is made of. Each may be left out.
type Options struct {
	// Of gives the limits of a caller, as they are now; "" asks for those of strangers.
	Of func(caller string) Limits
	// Refused is told of each refusal: the caller is empty for a stranger.
	Refused func(route, caller string, reason Reason)
	// Places are how many queries each workspace works on at once; default 3.
	Places int
	Now    func() time.Time
}

// A Book keeps account of what callers ask. It is safe for concurrent use.
type Book struct {
	o Options

	mu      sync.Mutex
	callers map[string]*caller
	swept   time.Time
	places  map[string]*places // by workspace

	seed      maphash.Seed
	strangers [strangers]atomic.Pointer[rate.Limiter]
}

// strangers is into how many accounts addresses are sorted. Two that share one share its
// limit; however many addresses somebody has, the accounts take less than a megabyte.
const strangers = 4096

// A caller is the account of one token.
type caller struct {
	used             time.Time
	limits           Limits
	requests, pushes *rate.Limiter
	bytes            *rate.Limiter
	queries          *semaphore.Weighted
	inside           atomic.Int64 // queries that wait or are worked on
}

// New makes a Book.
func New(o Options) *Book {
	if o.Of == nil {
		o.Of = func(string) Limits { return Defaults }
	}
	if o.Refused == nil {
		o.Refused = func(string, string, Reason) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Places = cmp.Or(o.Places, 3)
	return &Book{o: o, callers: map[string]*caller{}, places: map[string]*places{}, seed: maphash.MakeSeed()}
}

// Limits gives the limits of a caller.
func (b *Book) Limits(who string) Limits { return b.o.Of(who).Or(Defaults) }

// idle is how long an account that nobody uses is kept. Its buckets are full long before,
// so that an account that is made anew allows no more.
const idle = 10 * time.Minute

// caller gives a caller's account, with its limits as they are now.
func (b *Book) caller(who string, now time.Time) *caller {
	l := b.Limits(who)
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.swept) > time.Minute {
		b.swept = now
		for name, c := range b.callers {
			if now.Sub(c.used) > idle && c.inside.Load() == 0 {
				delete(b.callers, name)
			}
		}
	}
	c := b.callers[who]
	if c == nil || c.limits != l {
		old := c
		c = &caller{limits: l, requests: bucket(l.Requests, window), pushes: bucket(l.Pushes, window), bytes: bucket(int(l.Bytes), time.Minute), queries: semaphore.NewWeighted(int64(l.Queries))}
		// What was used up stays used up.
		if old != nil {
			for _, x := range []struct{ old, new *rate.Limiter }{{old.requests, c.requests}, {old.pushes, c.pushes}, {old.bytes, c.bytes}} {
				if used := x.old.Burst() - int(x.old.TokensAt(now)); used > 0 {
					x.new.AllowN(now, min(used, x.new.Burst()))
				}
			}
		}
		b.callers[who] = c
	}
	c.used = now
	return c
}

// bucket gives a limiter that lets through so many at once, and as many again in each span.
func bucket(n int, span time.Duration) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(float64(n)/span.Seconds()), n)
}

// take takes one from a bucket, or says after what time there is one.
func take(l *rate.Limiter, now time.Time) (after time.Duration, ok bool) {
	r := l.ReserveN(now, 1)
	if d := r.DelayFrom(now); !r.OK() || d > 0 {
		r.CancelAt(now)
		return d, false
	}
	return 0, true
}

func (b *Book) refuse(route, who string, reason Reason, after time.Duration, format string, args ...any) error {
	b.o.Refused(route, who, reason)
	return &Refusal{Reason: reason, After: after, Text: fmt.Sprintf(format, args...)}
}

// Request counts a request of a caller; the error is a *Refusal.
func (b *Book) Request(route, who string) error {
	now := b.o.Now()
	c := b.caller(who, now)
	if after, ok := take(c.requests, now); !ok {
		return b.refuse(route, who, Requests, after, "token %q makes more than %d requests in %s", who, c.limits.Requests, window)
	}
	return nil
}

// Push counts a request of a caller that brings records; the error is a *Refusal. A body
// is never cut in its midst: what is over the limit of bytes is owed, and as long as
// something is owed nothing more is taken.
func (b *Book) Push(route, who string) error {
	now := b.o.Now()
	c := b.caller(who, now)
	if left := c.bytes.TokensAt(now); left < 0 {
		after := time.Duration(-left / float64(c.bytes.Limit()) * float64(time.Second))
		return b.refuse(route, who, Ingest, after, "token %q pushes more than %d bytes in a minute", who, c.limits.Bytes)
	}
	if after, ok := take(c.pushes, now); !ok {
		return b.refuse(route, who, Pushes, after, "token %q pushes more than %d times in %s", who, c.limits.Pushes, window)
	}
	return nil
}

// Charge counts bytes that a caller has pushed.
func (b *Book) Charge(who string, bytes int) {
	now := b.o.Now()
	l := b.caller(who, now).bytes
	for bytes > 0 {
		n := min(bytes, l.Burst())
		l.ReserveN(now, n)
		bytes -= n
	}
}

// TooLarge tells that a body was refused for its size.
func (b *Book) TooLarge(route, who string) { b.o.Refused(route, who, Body) }

// Stranger counts what came from an address ("host:port") without anything that holds;
// the error is a *Refusal. Addresses of IPv6 count by their network of 64 bits, which is
// what one customer has.
func (b *Book) Stranger(route, address string) error {
	now, n := b.o.Now(), b.Limits("").Strangers
	slot := &b.strangers[maphash.String(b.seed, network(address))%strangers]
	l := slot.Load()
	if l == nil || l.Burst() != n {
		fresh := bucket(n, window)
		if !slot.CompareAndSwap(l, fresh) {
			fresh = slot.Load()
		}
		l = fresh
	}
	if after, ok := take(l, now); !ok {
		return b.refuse(route, "", Address, after, "more than %d requests in %s come from this address without a token that holds", n, window)
	}
	return nil
}

// network gives what an address is counted under.
func network(address string) string {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return ""
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

var errPatience = errors.New("waited too long")

// Unbounded is a caller whose queries wait for a place like anybody's, and are not counted:
// the owner of the data folder.
const Unbounded = "local"

// Begin waits until a caller may have another request that queries worked on; end has to be
// called when its answer was written. Until then the answer lies in memory, however slowly
// the caller reads: so many answers as queries at once is all that one can have us hold. The
// error is a *Refusal, or ctx's.
func (b *Book) Begin(ctx context.Context, route, who string) (end func(), err error) {
	if who == Unbounded {
		return func() {}, nil
	}
	c := b.caller(who, b.o.Now())
	l := c.limits
	if c.inside.Add(1) > int64(l.Queries+l.Waiting) {
		c.inside.Add(-1)
		return nil, b.refuse(route, who, Queries, 5*time.Second, "token %q has %d queries under way and %d waiting", who, l.Queries, l.Waiting)
	}
	patient, cancel := context.WithTimeoutCause(ctx, l.Patience, errPatience)
	defer cancel()
	if err := c.queries.Acquire(patient, 1); err != nil {
		c.inside.Add(-1)
		return nil, b.impatient(ctx, patient, route, who, l)
	}
	return func() {
		c.queries.Release(1)
		c.inside.Add(-1)
	}, nil
}

// impatient says why a caller waited in vain: because he left, or for too long.
func (b *Book) impatient(ctx, patient context.Context, route, who string, l Limits) error {
	if ctx.Err() == nil && errors.Is(context.Cause(patient), errPatience) {
		return b.refuse(route, who, Queries, 5*time.Second, "a query of token %q waited %s for those before it", who, l.Patience)
	}
	return context.Cause(ctx)
}

// Enter waits for a place in a workspace for a query of a request that has begun; leave has to
// be called when it was worked on. Of the callers that wait each has a place before any has its
// second, and the last free place is for one that has none: whatever one of them asks, another
// waits for nobody but those who came with it. The error is a *Refusal, or ctx's.
func (b *Book) Enter(ctx context.Context, route, who, workspace string) (leave func(), err error) {
	b.mu.Lock()
	p := b.places[workspace]
	if p == nil {
		p = newPlaces(b.o.Places)
		b.places[workspace] = p
	}
	b.mu.Unlock()
	if who == Unbounded {
		return p.take(ctx, who)
	}
	l := b.Limits(who)
	patient, cancel := context.WithTimeoutCause(ctx, l.Patience, errPatience)
	defer cancel()
	if leave, err = p.take(patient, who); err != nil {
		return nil, b.impatient(ctx, patient, route, who, l)
	}
	return leave, nil
}
