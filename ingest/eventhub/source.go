package eventhub

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
	"glassward/schema"
)

// A Source reads the hubs of one namespace. One Source reads them; a second one
// would read the same again.
type Source struct {
	o Options
	// signing says that a secret was sent since the last look that had an answer.
	signing atomic.Bool

	mu         sync.Mutex
	partitions map[place]*partition
	hubs       map[string]*hub
}

// hub is what is told of a hub as a whole.
type hub struct {
	tables []string
	// planned says that its partitions are being read.
	planned bool
	told    time.Time
}

// New makes a Source. The error says what is wrong with the options.
func New(o Options) (*Source, error) {
	o.Hubs = slices.Clone(o.Hubs)
	if err := o.complete(); err != nil {
		return nil, err
	}
	return &Source{o: o, partitions: map[place]*partition{}, hubs: map[string]*hub{}}, nil
}

// Name gives "eventhub:" and the namespace.
func (s *Source) Name() string { return "eventhub:" + s.o.Namespace }

func (s *Source) decoder(key string) (*ingest.Decoder, error) {
	return ingest.NewDecoder(nil, ingest.DecoderOptions{Source: key, Provenance: glassward.Pulled, Tenant: s.o.Tenant, Now: s.o.Now})
}

// emitError marks an error of emit or of the cursors, which ends the source, as
// against trouble with the namespace, which does not.
type emitError struct{ error }

func (e *emitError) Unwrap() error { return e.error }

// Run reads until ctx ends or emit fails. Trouble with the namespace is told and
// tried again.
func (s *Source) Run(ctx context.Context, cursors ingest.Cursors, emit ingest.Emit) error {
	// After a failed emit only the store knows how far things are.
	s.mu.Lock()
	clear(s.partitions)
	s.mu.Unlock()
	r := &reading{Source: s, cursors: cursors, emit: emit}
	back := entra.Backoff{First: time.Second}
	for {
		well, err := r.session(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.mu.Lock()
		failed := r.failed
		r.mu.Unlock()
		var stop *emitError
		if errors.As(err, &stop) || errors.As(failed, &stop) {
			return stop.error
		}
		if well {
			back.Reset()
		}
		if err == nil {
			continue
		}
		fault := s.fault("read "+s.o.Namespace, err)
		if f, ok := fault.(*entra.Fault); ok && f.Kind == entra.FaultOutage && !well && back.Failures() > 0 && s.signing.Load() && closedAtOnce(err) {
			// It hangs up when it is told who we are, time after time.
			f.Kind, f.Code, f.Message = entra.FaultToken, "ConnectionClosed", s.refused()
		}
		s.tellFault("", fault)
		if err := back.Wait(ctx, err); err != nil {
			return err
		}
	}
}

// client makes the connection, or rather what makes connections.
func (s *Source) client() (*kgo.Client, error) {
	return kgo.NewClient(
		kgo.SeedBrokers(s.o.address()),
		kgo.ClientID("glassward"),
		kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := s.o.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			t := tls.Client(c, s.o.tls(hostOf(address)))
			if err := t.HandshakeContext(ctx); err != nil {
				c.Close()
				return nil, err
			}
			return t, nil
		}),
		kgo.SASL(s.o.mechanism(func() { s.signing.Store(true) })),
		kgo.MetadataMaxAge(3*time.Minute), // the load balancer forgets what is idle for four
		kgo.ConnIdleTimeout(3*time.Minute),
		kgo.RequestTimeoutOverhead(time.Minute),
		kgo.RequestRetries(1),
		kgo.RetryTimeout(10*time.Second),
	)
}

// reading is one Run.
type reading struct {
	*Source
	cursors ingest.Cursors
	emit    ingest.Emit

	// emits of single batches go side by side, bulk ones alone; after an error
	// there are none any more.
	giving sync.RWMutex
	failed error
}

// give hands a batch to emit.
func (r *reading) give(ctx context.Context, b *ingest.Batch, c *ingest.Cursor) error {
	if b.Bulk {
		r.giving.Lock()
		defer r.giving.Unlock()
	} else {
		r.giving.RLock()
		defer r.giving.RUnlock()
	}
	r.mu.Lock()
	err := r.failed
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err = r.emit(ctx, b, c); err == nil {
		return nil
	}
	err = &emitError{err}
	r.mu.Lock()
	r.failed = err
	r.mu.Unlock()
	return err
}

// session reads over one set of connections until it is time for new ones. well
// says that something could be read.
func (r *reading) session(ctx context.Context) (well bool, err error) {
	client, err := r.client()
	if err != nil {
		return false, err
	}
	defer client.Close()
	end := time.NewTimer(r.o.Reconnect)
	defer end.Stop()
	var p *pipe
	defer func() {
		if p != nil {
			p.stop()
		}
	}()
	again := entra.Backoff{First: time.Second, Ceiling: r.o.Refresh}
	for {
		l, err := r.look(ctx, client)
		if err != nil {
			return well, err
		}
		r.signing.Store(false)
		if p == nil || p.ended() || !p.serves(l) {
			if p != nil {
				p.stop()
			}
			if err := r.settle(ctx, l); err != nil {
				return well, err
			}
			p = r.start(ctx, client, l)
		}
		if len(l.seen) > 0 {
			well = true
		}
		r.tellLook(l, p)

		next := time.NewTimer(r.o.Refresh)
		select {
		case <-ctx.Done():
			next.Stop()
			return well, ctx.Err()
		case <-end.C:
			next.Stop()
			return well, nil
		case <-next.C:
			again.Reset()
			continue
		case err = <-p.trouble:
			next.Stop()
		}
		p.stop()
		var stop *emitError
		var here *hubError
		switch {
		case errors.As(err, &stop):
			return well, err
		case errors.As(err, &here):
			// Something of a hub has changed: its leader, its ends. Look again.
			if here.tell {
				r.tellFault(here.hub, r.fault("read the hub "+here.hub, here.error))
			}
		default:
			return well, err
		}
		wait := time.NewTimer(again.Next(nil))
		select {
		case <-ctx.Done():
			wait.Stop()
			return well, ctx.Err()
		case <-wait.C:
		}
	}
}

// hubError is trouble with one hub.
type hubError struct {
	hub string
	error
	tell bool
}

func (e *hubError) Unwrap() error { return e.error }

// of gives what is told of a hub; the Source's mutex is held.
func (s *Source) of(name string) *hub {
	h := s.hubs[name]
	if h == nil {
		h = &hub{tables: tablesOf(name)}
		s.hubs[name] = h
	}
	return h
}

// tablesOf says what a hub fills that diagnostic settings made for themselves.
func tablesOf(name string) []string {
	const prefix = "insights-logs-"
	if len(name) <= len(prefix) || name[:len(prefix)] != prefix {
		return nil
	}
	for _, t := range schema.Default().Tables() {
		if slices.ContainsFunc(t.Categories, func(c string) bool { return strings.EqualFold(c, name[len(prefix):]) }) {
			return []string{t.Name}
		}
	}
	return nil
}

func (s *Source) tellFault(hub string, err error) {
	s.mu.Lock()
	var tables []string
	if hub != "" {
		tables = slices.Clone(s.of(hub).tables)
	}
	s.mu.Unlock()
	s.o.Observe.Tell(ingest.Report{Stream: hub, Tables: tables, At: s.o.Now(), Fault: err})
}

// tellPolled tells how a hub stands. Without force it is told at most once a
// second.
func (s *Source) tellPolled(name string, force bool) {
	now := s.o.Now()
	s.mu.Lock()
	h := s.of(name)
	if !force && now.Sub(h.told) < time.Second && !now.Before(h.told) {
		s.mu.Unlock()
		return
	}
	h.told = now
	polled := s.stand(func(p *partition) bool { return p.hub == name })
	r := ingest.Report{Stream: name, Tables: slices.Clone(h.tables), At: now, Polled: &polled}
	for _, p := range s.partitions {
		if p.hub == name {
			polled.Records += p.records
			p.records = 0
		}
	}
	s.mu.Unlock()
	s.o.Observe.Tell(r)
}

// stand says how far some partitions are read: through the newest message if all
// are at their ends, else through the oldest last one of those that are not.
func (s *Source) stand(which func(*partition) bool) (polled ingest.Polled) {
	var behind time.Time
	for _, p := range s.partitions {
		if !which(p) {
			continue
		}
		if n := p.latest - p.done.Offset; n > 0 {
			polled.Backlog += n
			if behind.IsZero() || p.done.Enqueued.Before(behind) {
				behind = p.done.Enqueued
			}
		}
		if p.done.Enqueued.After(polled.Through) {
			polled.Through = p.done.Enqueued
		}
	}
	if polled.Backlog > 0 {
		polled.Through = behind
	}
	return polled
}
