package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"glassward"
	"glassward/config"
	"glassward/incident"
	"glassward/kql"
	"glassward/lag"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
	"glassward/state"
)

// A workspace is one tenant at work: its event store, its rules, its sources.
type workspace struct {
	d     *Daemon
	log   *slog.Logger
	store *logstore.Store

	// pushing is held for reading while what came under a data collection rule is
	// fitted to tables and stored, and for writing while tables change.
	pushing sync.RWMutex
	// unlike are tables that the store holds otherwise than they were declared when
	// the workspace was opened; refused says when pushers' records were last refused.
	unlike  error
	refused rarely

	mu     sync.Mutex // guards tenant, engine, commits, waiting
	tenant config.Tenant
	engine *rule.Engine
	// commits are batches that are durable and not yet judged, by sequence.
	commits []durable
	waiting int // records in commits
	wake    chan struct{}
	replace chan replacement

	failing map[string]time.Time // sources that are known to fail, and since when
	well    map[string]bool      // sources that are known to be well
	paused  time.Time            // since when intake pauses, zero if it does not
	judging bool                 // a batch is being judged
	// unsure says that an append failed and may have become durable all the same.
	unsure atomic.Bool
	// unlooked are alerts that went out without what was around them.
	unlooked chan glassward.Alert
	// enrichAfter is until when the store is not asked what was around an alert.
	enrichAfter atomic.Pointer[time.Time]
	// looking says that the store is being asked what was around an alert; asks takes
	// the store's place there, if it is not nil.
	looking atomic.Bool
	asks    func(ctx context.Context, query string) ([][]string, error)
	// head is the sequence number of the newest record that was appended, watched
	// says of which records the bytes are kept.
	head    atomic.Int64
	watched atomic.Pointer[func(*glassward.Record) bool]

	// lag is what is known of the roads, keep says which records are stored; nil
	// means all.
	lag     *lag.Tracker
	keep    atomic.Pointer[func(*glassward.Record) bool]
	journey atomic.Pointer[journey]
	depart  sync.Mutex // held while one journey follows another

	rejects *rejectsFile
	ctx     context.Context // of what start began
	stop    context.CancelFunc
	work    sync.WaitGroup
}

// A durable batch waits for the rules since it was committed.
type durable struct {
	rule.Batch
	at time.Time
}

// A replacement is the engine of a new configuration, taken over between two
// batches.
type replacement struct {
	engine *rule.Engine
	done   chan struct{}
}

// WorkspaceDir gives the folder of a tenant's store.
func WorkspaceDir(data, tenant string) string { return filepath.Join(data, "workspaces", tenant) }

func (d *Daemon) openWorkspace(ctx context.Context, t config.Tenant, c *config.Config, rules *rule.Set) (*workspace, error) {
	dir := WorkspaceDir(c.Data, t.ID)
	retention := map[string]time.Duration{}
	for _, table := range schema.Tables() {
		retention[table.Name] = c.RetentionOf(table.Name)
	}
	// Tables of tenants' own may come while the store is open.
	for table := range c.Retention {
		retention[table] = c.RetentionOf(table)
	}
	retention[""] = c.RetentionOf("")
	retention[heartbeatTable] = heartbeatKept
	w := &workspace{
		d: d, log: d.log.With("tenant", t.Name), tenant: t,
		wake: make(chan struct{}, 1), unlooked: make(chan glassward.Alert, enrichWaiting), replace: make(chan replacement), failing: map[string]time.Time{}, well: map[string]bool{},
		rejects: &rejectsFile{path: RejectsPath(c.Data, t.ID)},
	}
	w.keepBytesOf(t.Watched())
	// A push may come before the roads set out.
	w.keep.Store(keepOnly(t))
	w.rejects.keep = &w.keep
	w.openLag(ctx)
	store, err := logstore.Open(ctx, dir, logstore.Options{
		Threads: threadsOf(c), Memory: memoryOf(c), Queries: queriesAtOnce(), Now: d.now, Log: w.log,
		KeepRaw:   func(r *glassward.Record) bool { return (*w.watched.Load())(r) },
		DiskSpace: d.o.DiskSpace,
		Places:    d.places, Retention: retention, Reserve: int64(c.Disk.Reserve), AcceptLoss: d.o.AcceptLoss,
	})
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
	}
	w.store, w.rejects.low = store, store.DiskLow
	stats, err := store.Stats(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tenant %s: %w", t.Name, err), store.Close())
	}
	w.head.Store(stats.LastSeq)
	if t = w.openTables(ctx, t); ctx.Err() != nil {
		return nil, errors.Join(fmt.Errorf("tenant %s: %w", t.Name, ctx.Err()), store.Close())
	}
	if err := w.beginChronicle(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("tenant %s: %w", t.Name, err), store.Close())
	}
	if w.engine, err = w.newEngine(ctx, t, c, rules); err != nil {
		return nil, errors.Join(fmt.Errorf("tenant %s: %w", t.Name, err), store.Close())
	}
	return w, nil
}

// keepBytesOf has the bytes kept of records that name one of the accounts.
func (w *workspace) keepBytesOf(accounts []string) {
	keep := logstore.KeepWatched(accounts)
	w.watched.Store(&keep)
}

// newEngine makes the rules of a configuration ready to judge.
func (w *workspace) newEngine(ctx context.Context, t config.Tenant, c *config.Config, set *rule.Set) (*rule.Engine, error) {
	// The most urgent rules judge a batch first: theirs is the notice that matters.
	rules := slices.Clone(set.Rules)
	slices.SortStableFunc(rules, func(a, b *rule.Rule) int { return cmp.Compare(b.Severity, a.Severity) })
	rules, err := withHeartbeat(rules, c)
	if err != nil {
		return nil, err
	}
	catalog := t.Schema().Catalog()
	rules = w.concerning(rules, t, c, rule.Environment{Catalog: catalog, Watchlists: watchlists(t), Functions: set.Functions, Addresses: w.d.places != nil})
	return rule.NewEngine(ctx, rule.Options{
		Tenant: t.ID, Rules: rules, Catalog: catalog,
		Watchlists: watchlists(t), Functions: set.Functions, Addresses: w.d.places != nil,
		Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, b kql.Bind) (*kql.Result, error) {
			return w.store.Run(ctx, p, b, logstore.Limits{Class: logstore.Rules})
		}),
		Memory: memory{w.d.state}, Desk: rule.DeskFunc(w.commit), Now: w.d.now,
		Head: w.head.Load(), Since: w.d.o.Since,
	})
}

// memory is the control store as rules ask it.
type memory struct{ *state.Store }

// AlertsHolding gives the alerts that hold one of the records.
func (m memory) AlertsHolding(ctx context.Context, tenant string, ids []glassward.RecordID) (map[glassward.AlertID]rule.Holding, error) {
	found, err := m.Store.AlertsHolding(ctx, tenant, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[glassward.AlertID]rule.Holding, len(found))
	for id, a := range found {
		out[id] = rule.Holding{RuleID: a.RuleID, Group: a.Group, Records: a.Records}
	}
	return out, nil
}

// commit hands a rule's outcome to the desk: transaction B.
func (w *workspace) commit(ctx context.Context, outcomes ...rule.Outcome) error {
	out := make([]incident.Outcome, len(outcomes))
	for i, o := range outcomes {
		out[i] = incident.Outcome{Tenant: w.tenantID(), Rule: o.RuleID, Watermark: o.Watermark}
		if o.RuleID == heartbeatRule {
			out[i].Notices = w.beatNotices(o.Alerts)
			o.Alerts = nil
		}
		inward := len(o.Alerts) > 0 && w.readsOwn(o.RuleID)
		for _, c := range o.Alerts {
			c.Alert.Inward = inward
			c.Alert.Late = c.Alert.Late || w.cameLate(o.RuleID, c.Alert)
			out[i].Alerts = append(out[i].Alerts, incident.AlertChange{
				Alert: c.Alert, Grew: c.Kind == rule.Grown, NewRecords: c.NewRecords, Withdrawn: c.Kind == rule.Unconfirmed,
			})
		}
		if o.Err != nil || o.Recovered {
			out[i].Health = append(out[i].Health, w.ruleHealth(o))
		}
	}
	if slices.ContainsFunc(out, func(o incident.Outcome) bool { return len(o.Alerts) > 0 }) {
		w.enrich(ctx, w.d.policy(w.tenantID()), out)
	}
	changes, err := w.d.desk.Take(ctx, out...)
	if errors.Is(err, incident.ErrEvidence) {
		// Everything stands but the raw records in the journal.
		w.log.Error("alerts were committed without their raw records", "rule", outcomes[0].RuleID, "error", err)
		err = nil
	}
	if err != nil {
		return err
	}
	if len(changes.Notices) > 0 {
		w.d.courier.Wake()
	}
	w.later(changes.Alerts)
	for _, a := range changes.Alerts {
		w.log.Info("alert", "rule", a.RuleName, "title", a.Title, "severity", a.Severity.String())
	}
	return nil
}

// readsOwn says whether a rule reads what Glassward writes about itself.
func (w *workspace) readsOwn(ruleID string) bool {
	for _, s := range w.states() {
		if s.ID == ruleID {
			return slices.ContainsFunc(s.Tables, func(t string) bool { return slices.Contains(inwardTables[:], t) })
		}
	}
	return false
}

// cameLate says whether the records of an alert came later than the quickest of the
// roads that show the rule's tables is known for. Where none is, nobody knows.
func (w *workspace) cameLate(ruleID string, a glassward.Alert) bool {
	var tables []string
	for _, s := range w.states() {
		if s.ID == ruleID {
			tables = s.Tables
		}
	}
	var known time.Duration
	for _, s := range w.lag.Status(w.d.now()) {
		if slices.Contains(tables, s.Table) && (known == 0 || s.Lag.P99 < known) {
			known = s.Lag.P99
		}
	}
	return known > 0 && a.Received.Sub(a.End) > known
}

func (w *workspace) tenantID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tenant.ID
}

// start begins judging and reading sources.
func (w *workspace) start(ctx context.Context) {
	w.ctx, w.stop = context.WithCancel(ctx)
	for doing, f := range map[string]func(context.Context){
		"judging": w.judge, "judging windows": w.tick, "retention": w.keepHouse, "watching the roads": w.keepFresh, "looking up what was around alerts": w.lookLater,
		"writing down what became of alarms": w.keepChronicle,
	} {
		w.work.Go(func() { w.mind(w.ctx, doing, f) })
	}
	w.travel()
	w.reportTables(w.ctx)
	w.reportRecovery(w.ctx)
}

// houseEvery is how often retention is looked after.
const houseEvery = time.Hour

// keepHouse removes what has been kept long enough.
func (w *workspace) keepHouse(ctx context.Context) {
	tick := time.NewTicker(houseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		gone, err := w.store.Retain(ctx, w.spared)
		if err != nil && ctx.Err() == nil {
			w.log.Error("old records could not be removed; the next round tries again", "error", err)
		}
		for table, n := range gone.Rows {
			if n == 0 {
				continue
			}
			w.log.Info("old records were removed", "table", table, "records", n, "spared", gone.Spared)
		}
	}
}

// spared gives the records that open incidents name: retention leaves them.
func (w *workspace) spared(ctx context.Context) ([]glassward.RecordID, error) {
	const page = 1000
	var all []glassward.RecordID
	var after glassward.RecordID
	for {
		ids, err := w.d.state.HeldRecords(ctx, w.tenantID(), after, page)
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
		if len(ids) < page {
			return all, nil
		}
		after = ids[len(ids)-1]
	}
}

// wait waits until everything that start began has ended. The context of start
// has ended already.
func (w *workspace) wait() {
	for {
		j := w.journey.Load()
		if j != nil {
			j.end()
		}
		w.work.Wait()
		if w.journey.Load() == j {
			return
		}
	}
}

func (w *workspace) close() error {
	if w.stop != nil {
		w.stop()
	}
	w.wait()
	return w.store.Close()
}

// append makes records durable and hands what is new to the rules.
func (w *workspace) append(ctx context.Context, records []glassward.Record, cursor *logstore.Cursor) (logstore.Committed, error) {
	c, err := w.store.Append(ctx, logstore.Batch{Records: records, Cursor: cursor})
	if err != nil {
		// Whether an error of the commit itself left the records durable nobody
		// knows yet: tick asks, and has them judged if so.
		w.unsure.Store(true)
		return c, err
	}
	w.d.diskIsWell(ctx, w)
	if len(c.Records) > 0 && c.Records[0].Provenance != own {
		w.lag.Way().Took(lag.Committed, w.d.now().Sub(c.Records[0].Received), len(c.Records))
	}
	// Rules first: a flood of contradictions is no reason for a record to wait.
	if c.LastSeq != 0 {
		w.offer(rule.Batch{From: c.FirstSeq - 1, To: c.LastSeq, Records: owned(c.Records), Updated: c.Updated})
	}
	if len(c.Conflicts) > 0 {
		// They are durable, and are not found again: the word of them does not
		// depend on a caller who may have gone away.
		w.reportConflicts(context.WithoutCancel(ctx), c.Conflicts)
	}
	return c, nil
}

// mostWaiting is how many records wait for the rules in memory. What is more is
// read from the store again.
const mostWaiting = 50_000

// offer hands a durable batch to the rules.
func (w *workspace) offer(b rule.Batch) {
	w.mu.Lock()
	w.head.Store(max(w.head.Load(), b.To))
	w.commits = append(w.commits, durable{b, w.d.now()})
	if w.waiting += len(b.Records); w.waiting > mostWaiting {
		// A batch that begins nowhere fits behind none: the rules read everything
		// up to its end from the store.
		w.commits = []durable{{rule.Batch{From: nowhere, To: w.head.Load()}, w.d.now()}}
		w.waiting = 0
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// nowhere is where a batch begins whose records are to be read from the store.
const nowhere = -1

// owned gives the rules records of their own: the cells of those that were
// appended belong to whoever decoded them, and he decodes the next batch into
// the same cells as soon as append comes back.
func owned(records []glassward.Record) []glassward.Record {
	n := 0
	for i := range records {
		n += len(records[i].Values)
	}
	cells := make([]glassward.Value, 0, n)
	out := slices.Clone(records)
	for i := range out {
		from := len(cells)
		cells = append(cells, out[i].Values...)
		out[i].Values = cells[from:len(cells):len(cells)]
		// Rules judge cells; the bytes may be part of what is read into again.
		out[i].Raw = nil
	}
	return out
}

// patience is how long a gap before a durable batch may last until the rules
// read it from the store: the caller whose batch it is may have gone away.
const patience = 200 * time.Millisecond

// take gives the next batch in the order of sequence numbers. Callers come back
// from the store in any order, so a batch whose predecessor is still on its way
// waits; wait says how long until it waits no longer.
func (w *workspace) take(head int64, since time.Time) (b durable, ok bool, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.commits) == 0 {
		return b, false, 0
	}
	slices.SortFunc(w.commits, func(a, b durable) int { return cmp.Compare(a.From, b.From) })
	if first := w.commits[0]; first.From > head {
		if left := patience - w.d.now().Sub(since); left > 0 {
			return b, false, left
		}
	}
	b = w.commits[0]
	w.commits = slices.Delete(w.commits, 0, 1)
	w.waiting -= len(b.Records)
	w.judging = true
	return b, true, 0
}

// judge is the goroutine that gives batches to the engine, in their order. What
// fails is logged, told and judged again: no error ends it.
func (w *workspace) judge(ctx context.Context) {
	engine := w.engine
	head := w.head.Load()
	w.failed(ctx, "what was committed before the start", engine.CatchUp(ctx, head))
	gap := w.d.now()
	for {
		b, ok, wait := w.take(head, gap)
		if ok {
			err := engine.Batch(ctx, b.Batch)
			w.failed(ctx, "new records", err)
			if err == nil {
				w.lag.Way().Took(lag.Judged, w.d.now().Sub(b.at), len(b.Records))
			}
			head, gap = max(head, b.To), w.d.now()
			w.mu.Lock()
			w.judging = false
			w.mu.Unlock()
			continue
		}
		var again <-chan time.Time
		if wait > 0 {
			again = time.After(wait)
		} else {
			gap = w.d.now()
		}
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			if wait == 0 {
				gap = w.d.now()
			}
		case <-again:
		case r := <-w.replace:
			engine = r.engine
			w.mu.Lock()
			w.engine = engine
			w.mu.Unlock()
			close(r.done)
			w.failed(ctx, "with other rules", engine.CatchUp(ctx, w.head.Load()))
		}
	}
}

// failed logs why rules could not be judged.
func (w *workspace) failed(ctx context.Context, doing string, err error) {
	if err != nil && ctx.Err() == nil {
		w.log.Error("rules could not be judged; they will be again", "doing", doing, "error", err)
	}
}

// tick judges the windows that are due. It has a goroutine of its own: the slow
// query of a Scheduled rule must not keep a new record waiting.
func (w *workspace) tick(ctx context.Context) {
	slow := w.d.recallLasting(ctx, w.tenantID(), w.tenantID()+"/rules")
	for {
		w.mu.Lock()
		engine := w.engine
		w.mu.Unlock()
		began := time.Now()
		w.failed(ctx, "windows", engine.Tick(ctx))
		judgeSlow(ctx, slow, engine.States())
		w.makeSure(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(tickRest(time.Since(began))):
		}
	}
}

// tickRest is how long to wait after a round that took so long. While records of the
// past come in numbers, each round finds the windows open again that the one before
// judged: it rests as long as it worked, so that windows take half of a processor at
// the most and what comes is taken in.
func tickRest(took time.Duration) time.Duration {
	if took < tickEvery/2 {
		return tickEvery - took
	}
	return min(took, longestRest)
}

// makeSure has records judged that became durable although their append failed:
// sent again they would be duplicates, and nobody else would hand them over.
func (w *workspace) makeSure(ctx context.Context) {
	if !w.unsure.Swap(false) {
		return
	}
	last, err := w.store.LastSeq(ctx)
	if err != nil {
		w.unsure.Store(true)
		w.failed(ctx, "records whose append failed", err)
		return
	}
	if last > w.head.Load() {
		w.offer(rule.Batch{From: nowhere, To: last})
	}
}

// states says how the rules stand.
func (w *workspace) states() []rule.State {
	w.mu.Lock()
	e := w.engine
	w.mu.Unlock()
	if e == nil {
		return nil // it is being made, and a rule of it fails already
	}
	return e.States()
}
