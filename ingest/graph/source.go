package graph

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"glassward/entra"
	"glassward/ingest"
)

// Options say which tenant is read and how.
type Options struct {
	// Tenant is the tenant's id. Every record is given it, for Graph's do not say
	// whose they are.
	Tenant string
	// Client asks Graph for this tenant.
	Client *entra.Client
	// Streams are what is read, all if empty.
	Streams []Stream
	// Accounts are the declared accounts; SetAccounts changes them.
	Accounts Accounts
	// Tail, if not nil, gives how late the records of a stream are known to come
	// (the p99.9 of their lag), so that each poll looks back at least so far. 0
	// means that it is not known.
	Tail func(Stream) time.Duration
	// First is how far back a stream that was never read begins, 7 days if 0: as
	// much as every licence keeps.
	First time.Duration
	// Keep, if not nil, gives how long the tenant's licence keeps records, 0 if that is
	// not known: then only Graph's own limit of 90 days counts. What is older is told
	// as a Hole.
	Keep func() time.Duration
	// Observe hears how the streams fare.
	Observe ingest.Observer
	// Now gives the time, time.Now if nil.
	Now func() time.Time
}

// Accounts are the declared accounts, by object id.
type Accounts struct {
	Users             []string
	ServicePrincipals []string
}

// A Source reads one tenant's streams of Microsoft Graph until it is stopped.
type Source struct {
	o      Options
	client pager
	root   string
	header http.Header
	asks   []definition

	mu        sync.Mutex
	accounts  Accounts
	changed   chan struct{} // closed when accounts change
	shut      bool          // some stream was not let in, or did not get there
	opened    chan struct{} // closed when some stream is answered again after that
	followers []*follower   // of the Run that runs
}

// A pager asks for lists; *entra.Client is one.
type pager interface {
	Root() string
	Pages(ctx context.Context, first string, header http.Header) iter.Seq2[*entra.Page, error]
	Offset() time.Duration
}

const (
	defaultFirst = 7 * 24 * time.Hour
	// Graph refuses a filter on an older time, whatever the licence keeps.
	graphKeeps = 90*24*time.Hour - time.Hour
)

// New makes a Source. The error says what is missing or unknown.
func New(o Options) (*Source, error) {
	if o.Client == nil {
		return nil, errors.New("graph: a client is needed")
	}
	return newSource(o, o.Client)
}

func newSource(o Options, client pager) (*Source, error) {
	if o.Tenant == "" {
		return nil, errors.New("graph: the tenant's id is needed: Graph's records do not say whose they are")
	}
	root := client.Root()
	if root == "" {
		return nil, errors.New("graph: the client's cloud has no address of Microsoft Graph")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.First <= 0 {
		o.First = defaultFirst
	}
	if len(o.Streams) == 0 {
		o.Streams = Streams()
	}
	s := &Source{o: o, client: client, root: root, changed: make(chan struct{}), opened: make(chan struct{}),
		header: http.Header{"Prefer": {"include-unknown-enum-members"}}}
	for _, d := range definitions() {
		if slices.Contains(o.Streams, d.name) {
			s.asks = append(s.asks, d)
		}
	}
	for _, name := range o.Streams {
		if _, ok := lookup(name); !ok {
			return nil, fmt.Errorf("graph: there is no stream %q; the streams are %v", name, Streams())
		}
	}
	s.accounts = tidy(o.Accounts)
	return s, nil
}

// Name gives "graph:" and the tenant's id.
func (s *Source) Name() string { return "graph:" + strings.ToLower(s.o.Tenant) }

// SetAccounts changes the declared accounts while the source runs. For one that
// is new the declared streams go back as far as at a first start, and looks back
// of the full streams give on again what they hold, since the caller may have
// dropped it as nobody's concern.
func (s *Source) SetAccounts(a Accounts) {
	a = tidy(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(a.Users, s.accounts.Users) && slices.Equal(a.ServicePrincipals, s.accounts.ServicePrincipals) {
		return
	}
	s.accounts = a
	close(s.changed)
	s.changed = make(chan struct{})
	for _, f := range s.followers {
		f.forgetRows()
	}
}

func tidy(a Accounts) Accounts {
	one := func(ids []string) []string {
		var out []string
		for _, id := range ids {
			if id = strings.ToLower(strings.TrimSpace(id)); id != "" {
				out = append(out, id)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return Accounts{Users: one(a.Users), ServicePrincipals: one(a.ServicePrincipals)}
}

// declared gives the accounts and a channel that is closed when they change.
func (s *Source) declared() (Accounts, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts, s.changed
}

// turnedAway notes that a stream was not let in, or did not get as far as the service,
// and gives a channel that is closed once any stream is answered again: all sign in
// the same way and go the same way, so the others need not wait for their own turn,
// which after a long trouble is minutes away.
func (s *Source) turnedAway() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = true
	return s.opened
}

// answered notes that a stream was answered.
func (s *Source) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		s.shut = false
		close(s.opened)
		s.opened = make(chan struct{})
	}
}

// Run reads until ctx ends, or emit or the cursors fail. What Graph does wrong
// is reported and tried again.
func (s *Source) Run(ctx context.Context, cursors ingest.Cursors, emit ingest.Emit) error {
	var followers []*follower
	for _, d := range s.asks {
		f := newFollower(s, d, emit)
		if err := f.load(ctx, cursors); err != nil {
			return err
		}
		followers = append(followers, f)
	}
	s.mu.Lock()
	s.followers = followers
	s.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range followers {
		group.Go(func() error { return ingest.Guard(func() error { return f.live(ctx) }) })
		group.Go(func() error { return ingest.Guard(func() error { return f.backfill(ctx) }) })
	}
	return group.Wait()
}

// now is the time by the service's clock, as far as it is known.
func (s *Source) now() time.Time { return s.o.Now().Add(s.client.Offset()).UTC() }

// oldest is the time before which nothing can be had.
func (s *Source) oldest() time.Time {
	keep := graphKeeps
	if s.o.Keep != nil {
		if licensed := s.o.Keep(); licensed > 0 {
			keep = min(keep, licensed)
		}
	}
	return s.now().Add(-keep).Truncate(time.Second)
}

// An Estimate says what reading a stretch of time again would take.
type Estimate struct {
	// Rows and Requests are what is expected. Takes is how long they last at the
	// half of Graph's limit that back-fill may use.
	Rows     int64
	Requests int64
	Takes    time.Duration
	// Measured says that the rows are reckoned from what the streams held so far; if
	// it is false nothing is known yet and Takes is the least.
	Measured bool
}

// Graph allows five requests in ten seconds; half of it is left to the polls.
const bulkRequest = 4 * time.Second

// Estimate reckons how long back-fill of the full streams from one time to
// another takes by Graph.
func (s *Source) Estimate(from, to time.Time) Estimate {
	s.mu.Lock()
	followers := s.followers
	s.mu.Unlock()
	e := Estimate{Measured: len(followers) > 0}
	hours := max(0, to.Sub(from).Hours())
	for _, d := range s.asks {
		if d.name.Declared() {
			continue
		}
		rows, known := 0.0, false
		for _, f := range followers {
			if f.d.name == d.name {
				rows, known = f.density()
			}
		}
		e.Measured = e.Measured && known
		rows *= hours
		e.Rows += int64(rows)
		// A page is seldom full: each window ends with one that is not.
		e.Requests += max(int64(rows/float64(d.top)*1.25), int64(hours/maxWindow.Hours())) + 1
	}
	e.Takes = time.Duration(e.Requests) * bulkRequest
	return e
}

// TimeFor reckons how long so many rows take by Graph at its best: full pages at
// the whole of its limit. Ten million take more than five hours.
func TimeFor(rows int64) time.Duration {
	return time.Duration((rows+999)/1000) * 2 * time.Second
}

// sleep waits for a time, or until one of two channels is closed or given something;
// either may be nil.
func sleep(ctx context.Context, d time.Duration, wake, other <-chan struct{}) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-other:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
