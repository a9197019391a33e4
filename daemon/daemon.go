// Package daemon is the composition root: it opens the stores, makes the rules,
// the desk, the courier, the sources and the API, and owns the order in which
// they start and stop. What it adds of its own is wiring and the health of the
// whole.
package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"glassward/backup"
	"glassward/certificate"
	"glassward/config"
	"glassward/console"
	"glassward/console/limit"
	"glassward/external"
	"glassward/incident"
	"glassward/internal/private"
	"glassward/lag"
	"glassward/logstore"
	"glassward/notify"
	"glassward/rule"
	"glassward/state"
)

// Options are what a Daemon is made of.
type Options struct {
	Config *config.Config
	// Problems are what Load had to say of it; broken tenant files become alarms.
	Problems []config.Problem
	// Load reads the configuration again, for Reload; nil means config.Load of
	// Config.File.
	Load func() (*config.Config, []config.Problem)
	// NoAuth lets every request in without a token. New refuses it unless the
	// address is loopback.
	NoAuth bool
	// AcceptLoss starts although a store has lost what had been acknowledged.
	AcceptLoss bool
	// Since is where rules that have never judged begin: zero means with what
	// comes from now on.
	Since   time.Time
	Version string
	Log     *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// DiskSpace gives the free and the whole bytes of a folder's file system; nil asks
	// the system.
	DiskSpace func(dir string) (free, total int64, err error)
	// Network is how others are reached and reach the daemon.
	Network Network
}

// A Daemon is the running product.
type Daemon struct {
	o     Options
	log   *slog.Logger
	now   func() time.Time
	state *state.Store
	desk  *incident.Desk

	courier *notify.Courier
	proofs  *notify.Proofs
	asked   chan struct{}    // services are to be asked for answers now
	outside *external.Reader // what queries read from the web
	links   console.Signer
	base    atomic.Pointer[string] // what links begin with
	console *console.Server
	listen  net.Listener
	control net.Listener
	keeper  *certificate.Keeper // nil where the API speaks plainly
	limits  *limit.Book
	over    overruns

	places *logstore.Places // nil if there is no database of addresses

	// mu guards what a reload replaces.
	mu         sync.RWMutex
	config     *config.Config
	problems   []config.Problem
	rules      *rule.Set
	workspaces map[string]*workspace // by tenant id
	shut       map[string]shut       // by tenant id, see shut
	former     map[string][]string   // action groups of tenants that are not watched any more
	// gone are tenants that were taken away while nothing ran.
	gone map[string]formerTenant

	started time.Time
	turns   *turns
	untold  *backlog
	firsts  firsts
	beats   beats
	legs    lag.Legs
	news    bell // something was written to the journal
	answers *tally
	deeds   chan doing
	audited chan struct{} // closed when the last deed is written
	// auditing is held by who sends a deed; auditEnded says that deeds is closed.
	auditing   sync.RWMutex
	auditEnded bool
	// reload is held by a reload, and while workspaces start and stop.
	reload sync.Mutex
	run    context.Context
	// damaged is set when damage in the control store has been told.
	damaged atomic.Bool
	// collected counts what came under data collection rules.
	collected collections
	// ready is closed when everything that New makes is there.
	ready chan struct{}
	// running is closed when every workspace has started: there is something to
	// reload.
	running chan struct{}
	work    sync.WaitGroup
	closers []func() error
}

const (
	headerTimeout = 10 * time.Second
	// idleTimeout is how long a connection may say nothing between two requests.
	idleTimeout = 2 * time.Minute
	// tickEvery is how often rules look whether a window is due.
	tickEvery = 5 * time.Second
	// longestRest bounds how long they rest after a round that took long.
	longestRest = 15 * time.Second
	// stopWithin is how long requests under way may take when the daemon ends.
	stopWithin = 5 * time.Second
	// endWithin is how long all else may take then. The engine cannot be stopped
	// while it plans a query; nothing that was acknowledged is lost by not waiting.
	endWithin = 20 * time.Second
)

// New opens everything and listens, but serves nothing yet: Run does. After an
// error nothing stays open.
func New(ctx context.Context, o Options) (_ *Daemon, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NoAuth && !config.Loopback(o.Config.Listen) {
		return nil, fmt.Errorf("without authentication only loopback may be listened on, and %s is not: use tokens, or listen on 127.0.0.1", o.Config.Listen)
	}
	d := &Daemon{o: o, outside: external.NewReader(), log: o.Log, now: o.Now, started: o.Now(), config: o.Config, problems: o.Problems, workspaces: map[string]*workspace{}, shut: map[string]shut{}, former: map[string][]string{},
		untold: newBacklog(),
		turns:  newTurns(turnsAtOnce()),
		deeds:  make(chan doing, deedsWaiting), audited: make(chan struct{}), asked: make(chan struct{}, 1), ready: make(chan struct{}), running: make(chan struct{})}
	if d.o.Load == nil {
		d.o.Load = func() (*config.Config, []config.Problem) { return config.Load(o.Config.File) }
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := makeData(o.Config.Data); err != nil {
		return nil, err
	}
	if err := backup.Finish(o.Config.Data); err != nil {
		return nil, err
	}
	if o.Config.GeoDatabase != "" {
		if d.places, err = logstore.OpenPlaces(o.Config.GeoDatabase); err != nil {
			return nil, fmt.Errorf("geoDatabase: %w", err)
		}
	}
	if d.state, err = state.Open(ctx, o.Config.Data, state.Options{AcceptLoss: o.AcceptLoss, Now: o.Now, Damaged: d.stateDamaged, Wrote: d.news.ring}); err != nil {
		return nil, err
	}
	d.adoptWatched(ctx, o.Config)
	d.gone = d.recallFormer(ctx)
	d.recallLegs(ctx)
	d.answers = newTally(d.state, d.log)
	go d.keepAudit()
	d.closers = append(d.closers, d.state.Close, d.closeWorkspaces, d.endAudit)
	if d.desk, err = incident.NewDesk(incident.DeskOptions{Store: d.state, Policy: d.policy, Raw: rawReader{d}, Now: o.Now}); err != nil {
		return nil, err
	}
	key, err := keptKey(filepath.Join(o.Config.Data, "link.key"), "the key of links")
	if err != nil {
		return nil, err
	}
	d.links = console.Signer{Key: key}
	d.base.Store(&o.Config.PublicURL)
	fleet, err := notify.NewFleet(o.Config.Config, o.Network.receivers())
	if err != nil {
		// The fleet is whole all the same; the receiver that is broken says so at
		// every message.
		d.log.Warn("a receiver is not fit", "error", err)
	}
	d.courier, err = notify.New(notify.Options{
		Outbox: d.state, Fleet: fleet, Fallback: d.groups, Trouble: d.trouble, Delivered: d.delivered,
		Beat: d.takeBeat, Letter: d.letterOf, Rule: d.ruleFacts, Log: d.log,
	})
	if err != nil {
		return nil, err
	}
	d.recallProofs(ctx)
	if d.rules, err = d.loadRules(o.Config); err != nil {
		return nil, err
	}
	if err := errors.Join(d.keepRules(ctx, d.rules), d.keepConfiguration(ctx, o.Config, "start", nil)); err != nil {
		return nil, err
	}
	if err := d.openAll(ctx, o.Config); err != nil {
		return nil, err
	}
	d.limits = limit.New(limit.Options{Of: d.limitsOf, Refused: d.refused, Places: queriesAtOnce(), Now: o.Now})
	d.console = console.New(console.Options{
		Limits: d.limits, Version: d.o.Version,
		Workspaces: gateway{d}, Desk: cases{d}, Operator: operator{d}, Collections: gateway{d}, Callbacks: callbacks{d}, Tokens: tokens{d.state},
		Letters: letters{d}, NoAuth: o.NoAuth, Metrics: d.metrics(), Log: d.log, Now: o.Now,
	})
	if d.control, err = o.Network.listenControl(o.Config.Data); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, closeListener(d.control))
	if d.keeper, err = newKeeper(o.Config, o.Now); err != nil {
		return nil, err
	}
	if d.listen, err = o.Network.listenAPI(o.Config, d.keeper); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, closeListener(d.listen))
	d.setBase(o.Config)
	close(d.ready)
	return d, nil
}

// setBase says how links begin. Where the configuration names no address of its
// own they begin with the one that is listened on, port 0 having become one.
func (d *Daemon) setBase(c *config.Config) {
	base := c.PublicURL
	if scheme, rest, ok := strings.Cut(base, "://"); ok && rest == c.Listen {
		base = scheme + "://" + d.listen.Addr().String()
	}
	d.base.Store(&base)
}

// Addr gives the address that the API is served on.
func (d *Daemon) Addr() string { return d.listen.Addr().String() }

// Run serves until ctx ends, and closes everything. The error is the first that
// ended it otherwise.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	d.reload.Lock()
	d.run = ctx
	api := &http.Server{Handler: d.console, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelWarn)}
	local := controlServer(d.console)
	d.serve(api, d.listen, stop)
	d.serve(local, d.control, stop)
	d.work.Go(func() { d.courier.Run(ctx) })
	d.work.Go(func() { d.verifyJournal(ctx) })
	d.work.Go(func() { d.lapse(ctx) })
	d.work.Go(func() { d.judgeExpected(ctx) })
	d.work.Go(func() { d.retell(ctx) })
	d.work.Go(func() { d.watchOutbox(ctx) })
	d.work.Go(func() { d.call(ctx) })
	d.work.Go(func() { d.liveOn(ctx) })
	d.work.Go(func() { d.keepBeating(ctx) })
	d.work.Go(func() { d.keepLegs(ctx) })
	d.work.Go(func() { d.keepCertificate(ctx) })
	d.work.Go(func() { d.watchPushers(ctx) })
	d.work.Go(func() { d.reopen(ctx) })
	d.work.Go(func() { d.watchProofs(ctx) })
	d.work.Go(func() { d.hearAnswers(ctx) })
	compared := d.newAcross(ctx)
	d.work.Go(func() { compared.run(ctx) })
	for _, w := range d.open() {
		w.start(ctx)
	}
	d.greet(ctx)
	if d.config.Heartbeat == nil {
		d.log.Warn(noHeartbeat)
	}
	close(d.running)
	d.log.Info("watching", "address", d.Addr(), "tenants", len(d.config.Each), "rules", len(d.rules.Rules), "version", d.o.Version)
	d.reload.Unlock()

	<-ctx.Done()
	ended := make(chan error, 1)
	go func() { ended <- d.end(ctx, api, local) }()
	select {
	case err := <-ended:
		return err
	case <-time.After(endWithin):
		d.log.Error("ending without waiting any longer for a query, a reload or a store that does not end", "within", endWithin)
		return errors.Join(unasked(ctx), fmt.Errorf("not all that was under way has ended within %s", endWithin))
	}
}

// unasked gives why a context ended if nobody asked for it.
func unasked(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// end waits for what is under way, ctx being over, and closes what is open.
func (d *Daemon) end(ctx context.Context, api, local *http.Server) error {
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	err := errors.Join(api.Shutdown(down), local.Shutdown(down))
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(api.Close(), local.Close())
	}
	// A reload under way ends first; none begins any more.
	d.reload.Lock()
	defer d.reload.Unlock()
	for _, w := range d.open() {
		w.wait()
	}
	d.work.Wait()
	return errors.Join(unasked(ctx), err, d.close())
}

func (d *Daemon) serve(s *http.Server, l net.Listener, stop context.CancelCauseFunc) {
	d.work.Go(func() {
		if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			stop(fmt.Errorf("serve %s: %w", l.Addr(), err))
		}
	})
}

// Close ends a daemon that was made and is not run.
func (d *Daemon) Close() error { return d.close() }

// close closes what is open, last opened first.
func (d *Daemon) close() error {
	var errs []error
	for len(d.closers) > 0 {
		last := len(d.closers) - 1
		errs = append(errs, d.closers[last]())
		d.closers = d.closers[:last]
	}
	return errors.Join(errs...)
}

// closeWorkspaces closes those that are open when the daemon ends, which need
// not be those with which it started.
func (d *Daemon) closeWorkspaces() error {
	list := d.open()
	d.mu.Lock()
	clear(d.workspaces)
	d.mu.Unlock()
	return closeAll(list)
}

// open gives the workspaces that are open. Who waits for one must not hold mu:
// rules that judge to their end ask for the configuration.
func (d *Daemon) open() []*workspace {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Collect(maps.Values(d.workspaces))
}

func closeListener(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// makeData makes the data folder for its owner alone, and refuses one that
// others can enter.
func makeData(dir string) error {
	if err := private.MkdirAll(dir); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if err := private.Check(dir); err != nil {
		return fmt.Errorf("the data folder %s: %w", dir, err)
	}
	return nil
}

// keptKey reads a key, or makes it where there is none.
func keptKey(file, what string) ([]byte, error) {
	key, err := os.ReadFile(file)
	if err == nil && len(key) >= 32 {
		return key, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	key = make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	if err := private.WriteFile(file, key); err != nil {
		return nil, fmt.Errorf("write %s: %w", what, err)
	}
	return key, nil
}

// groups gives the action groups that a tenant's incidents go to; for what
// concerns the whole installation, every group.
func (d *Daemon) groups(tenant string) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.groupsOf(tenant)
}

// groupsOf is groups for who holds mu. A tenant that a reload took away keeps
// its own: what is still owed to its people is nobody else's business.
func (d *Daemon) groupsOf(tenant string) []string {
	c := d.config
	if tenant != "" {
		if t, ok := c.Tenant(tenant); ok {
			return t.ActionGroups
		}
		return d.former[tenant]
	}
	var all []string
	for _, g := range c.ActionGroups {
		all = append(all, g.Name)
	}
	return all
}

// policy gives what the configuration says about a tenant's incidents.
func (d *Daemon) policy(tenant string) incident.Policy {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p := incident.Policy{Accounts: map[string]string{}, Protected: map[string]string{}, Holders: map[string][]string{}, Groups: d.groupsOf(tenant),
		Ladders: ladders(d.config.Config), Limits: limits(d.config.Config)}
	for _, t := range d.config.Each {
		if t.ID != tenant {
			continue
		}
		for _, a := range t.EmergencyAccounts {
			name := a.Name
			if name == "" {
				name = a.ObjectID
			}
			p.Accounts[a.ObjectID] = name
			p.Holders[a.ObjectID] = a.Holders
		}
		for _, o := range t.ProtectedObjects {
			p.Protected[o.ObjectID] = cmp.Or(o.Name, o.ObjectID)
		}
	}
	return p
}

func (d *Daemon) workspace(tenant string) (*workspace, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	w, ok := d.workspaces[strings.ToLower(tenant)]
	return w, ok
}
