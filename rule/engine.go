package rule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/value"
)

// Options are what an Engine judges, and with what.
type Options struct {
	// Tenant is the workspace; it goes into every alert.
	Tenant string
	Rules  []*Rule
	// Catalog and Watchlists are what queries are compiled against. The watchlist
	// ResultTypes is added if it is not there.
	Catalog    kql.Catalog
	Watchlists map[string]*kql.Watchlist
	// Functions are the stored functions; nil for none.
	Functions *kql.Functions
	// Addresses says that the Runner's engine has a database of addresses.
	Addresses bool

	Runner Runner
	Memory Memory
	Desk   Desk
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// ActionGroups gives the action groups that a rule's alerts name; nil means
	// none.
	ActionGroups func(*Rule) []string

	// Head is the sequence number of the store's newest record.
	Head int64
	// Since says where a rule without watermark begins. Zero means now: it judges
	// what comes, and the present window. Any other time means that it judges
	// everything that the store holds, windows from that time on.
	Since time.Time
	// Horizon is how far back windows are judged again before anything older has
	// its turn; 0 means 48 hours. What is older waits and is never dropped.
	Horizon time.Duration
}

// Bounds on the work of one tick and rule. What is beyond them is done at the
// next tick.
const (
	windowsPerTick  = 600 // new windows, then those to judge again
	oldPerTick      = 60  // windows beyond the horizon
	windowsPerWrite = 120 // windows judged before their outcome is committed
	failuresPerTick = 2   // windows that may fail before the rule waits
	seqPerRun       = 50_000
	idsPerLookup    = 500
)

// saveEvery is how often the watermark of a rule that had nothing to say is
// committed. Between, a restart costs one more query.
const saveEvery = time.Minute

// An Engine judges one workspace. One goroutine calls Batch and CatchUp; Tick may
// be called by another, so that no window, however long its query takes, keeps a
// record from being judged on arrival. States may be called at any time.
type Engine struct {
	options Options
	judges  []*judge
	// accounts are the declared emergency accounts, by id and by name.
	accounts []string
	screen   *screen
	head     atomic.Int64 // sequence number of the newest record that was heard of

	// stored is the newest event of each table at the time when it was first asked
	// for. Only Tick looks at it.
	stored map[string]value.Ticks

	// arriving is held while records are taken in, and while the watermarks of all
	// rules are kept.
	arriving sync.Mutex

	mu     sync.Mutex // guards states
	states []State
}

// A judge is one rule in an engine.
type judge struct {
	place int // among the engine's judges

	// inbox holds what came while the rule was judged by a Tick.
	inboxMu sync.Mutex
	inbox   []note

	// busy is held while the rule is judged; it guards what follows.
	busy sync.Mutex

	rule    *Rule
	nrt     bool
	grid    grid // of a Scheduled rule
	program *kql.Program
	few     *kql.Program // program for the records of one arrival, made at the first
	hash    string
	runsAs  string
	broken  error // why it cannot be judged at all

	state state
	saved int64     // seq of the committed watermark
	wrote time.Time // when it was committed

	// came are records that may have come again since all windows were judged:
	// only they can change a row that rests on no new record. A restart forgets
	// them, and with them at most a fuller text of a known alert.
	came map[glassward.RecordID]struct{}

	failed error // why the last evaluation failed
	since  time.Time

	took time.Duration // for the latest window
	slow int           // windows in a row that took longer than the frequency

	// reached are the windows to come in which a record lies that the rule looks at,
	// as far as it was heard of: all records but those whose events are before known,
	// which is 0 until the store was asked. A window without any is not asked for
	// where nothing gives nothing.
	reached windowSet
	known   value.Ticks
	nothing emptiness
}

// An emptiness is what a rule gives where there is no record for it: one whose
// rows are made of records gives nothing, one that asks for the clock may give
// something at one time and nothing at another, and any other is tried once.
type emptiness int

const (
	notTried emptiness = iota
	givesNothing
	givesRows
)

// NewEngine compiles the rules, reads their watermarks and commits the first
// watermark of those that have none. A rule that does not compile stands in
// States with its error, is reported to the Desk, and hinders nobody; when it is
// mended it makes up for what it missed. The error is the Memory's or the Desk's.
func NewEngine(ctx context.Context, o Options) (*Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Horizon == 0 {
		o.Horizon = 48 * time.Hour
	}
	o.Watchlists = withShipped(o.Watchlists)
	e := &Engine{options: o, states: make([]State, len(o.Rules)), accounts: accountsOf(o.Watchlists["EmergencyAccounts"]), stored: map[string]value.Ticks{}}
	e.head.Store(o.Head)
	programs := make([]*kql.Program, len(o.Rules))
	var first []Outcome
	for i, r := range o.Rules {
		j := &judge{place: i, rule: r, hash: r.QueryHash(), came: map[glassward.RecordID]struct{}{}}
		e.judges = append(e.judges, j)
		e.compile(j)
		owed, err := e.load(ctx, j)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.Name, err)
		}
		if owed != nil {
			first = append(first, *owed)
		}
		if j.works() {
			programs[i] = j.program
		}
	}
	if len(first) > 0 {
		if err := o.Desk.Commit(ctx, first...); err != nil {
			return nil, fmt.Errorf("commit the first watermarks: %w", err)
		}
	}
	e.screen = newScreen(programs)
	for _, j := range e.judges {
		e.show(j)
	}
	return e, nil
}

// works says whether the rule is judged.
func (j *judge) works() bool { return j.rule.Enabled && j.broken == nil }

// compile decides how the rule runs.
func (e *Engine) compile(j *judge) {
	c := compileRule(j.rule, e.environment())
	j.nrt, j.program, j.runsAs = c.nrt, c.program, c.runsAs
	if !j.nrt {
		j.grid = newGrid(c.frequency, c.period)
	}
	switch {
	case c.program == nil:
	case j.rule.Operator.Met(0, j.rule.Threshold):
		j.nothing = givesRows
	case c.program.Barren:
		j.nothing = givesNothing
	case slices.Contains(c.program.Params, "now"):
		j.nothing = givesRows
	}
	if c.diags.HasErrors() {
		p := &Problem{File: j.rule.File, Source: j.rule.source, List: c.diags}
		j.broken = fmt.Errorf("%w: %s", ErrDisabled, p.Error())
	}
}

func (e *Engine) environment() Environment {
	return Environment{Catalog: e.options.Catalog, Watchlists: e.options.Watchlists, Functions: e.options.Functions, Addresses: e.options.Addresses}
}

// maxFew is up to how many records that come together are judged by a query that is
// written for few. More are judged as those of a catch-up are.
const maxFew = 2000

// programFor gives the rule's program for so many records: what few cost is the planning of the query.
func (e *Engine) programFor(j *judge, records int64) *kql.Program {
	if records > maxFew {
		return j.program
	}
	if j.few == nil {
		o := compileOptions(j.rule, e.environment(), kql.BySeq)
		o.Few = true
		p, diags := kql.Compile(j.rule.Query, o)
		if diags.HasErrors() {
			// The same text has compiled for many: what is left is to judge by that.
			p = j.program
		}
		j.few = p
	}
	return j.few
}

// load reads the rule's watermark, or gives it its first: then there is an
// outcome to commit.
func (e *Engine) load(ctx context.Context, j *judge) (*Outcome, error) {
	o := &e.options
	data, err := o.Memory.Watermark(ctx, o.Tenant, j.rule.ID)
	if err != nil {
		return nil, fmt.Errorf("read the watermark: %w", err)
	}
	// What a rule without watermark begins with.
	begin := o.Now()
	stored := storedState{Version: watermarkVersion, Seq: o.Head}
	if !o.Since.IsZero() {
		begin, stored.Seq = o.Since, 0
	}
	first := data == nil
	if !first {
		in, err := readStored(data)
		if err != nil {
			return nil, err
		}
		if first = in.Paused; !first {
			stored = in
			begin = o.Now()
			if in.Begin != nil {
				begin = value.Ticks(*in.Begin).Time()
			}
		}
	}
	// A store that was put back to an earlier state has given its numbers again.
	stored.Seq = min(stored.Seq, o.Head)
	switch {
	case !j.rule.Enabled:
		if data == nil || first {
			return nil, nil
		}
		stored.Paused = true
		return j.resting(stored)
	case j.broken != nil:
		told := stored.Failed == j.broken.Error()
		stored.Failed = j.broken.Error()
		if first {
			at := instant(value.FromTime(begin))
			stored.Begin = &at
		}
		if told {
			return nil, nil
		}
		return j.resting(stored)
	}
	windows := false
	j.state, windows = stored.state(j.grid)
	if j.state.failed != "" {
		j.failed, j.since = errors.New(j.state.failed), o.Now()
	}
	if !j.nrt && !windows {
		j.state.judged = j.grid.last(value.FromTime(begin)) - 1
	}
	j.saved, j.wrote = j.state.seq, o.Now()
	if !first {
		return nil, nil
	}
	mark, err := j.state.encode(j.grid)
	return &Outcome{RuleID: j.rule.ID, Watermark: mark}, err
}

// resting gives the watermark of a rule that is not judged, with the reason if it
// is broken.
func (j *judge) resting(stored storedState) (*Outcome, error) {
	mark, err := json.Marshal(stored)
	return &Outcome{RuleID: j.rule.ID, Watermark: mark, Err: j.broken}, err
}

// save commits an outcome with the state that goes with it.
func (e *Engine) save(ctx context.Context, j *judge, next *state, o Outcome) error {
	mark, err := next.encode(j.grid)
	if err != nil {
		return err
	}
	o.Watermark = mark
	if err := e.options.Desk.Commit(ctx, o); err != nil {
		return fmt.Errorf("rule %s: commit: %w", j.rule.Name, err)
	}
	j.saved, j.wrote = next.seq, e.options.Now()
	return nil
}

// Batch takes in one commit of the log store and judges it by every NRT rule
// that can match one of its records; Scheduled rules note which windows are to
// be judged again. Batches that were taken in before are ignored, and a gap
// before the batch is made up from the store. The error is the Desk's or the
// Memory's; what it concerns will be judged again.
func (e *Engine) Batch(ctx context.Context, b Batch) error {
	e.arriving.Lock()
	defer e.arriving.Unlock()
	head := e.head.Load()
	if b.To <= head {
		return nil
	}
	if b.From != head {
		return e.catchUp(ctx, b.To)
	}
	e.head.Store(b.To)
	a := arrival{batch: b, hits: e.screen.match(b.Records), newest: newest(b.Records)}
	if b.Updated > 0 {
		ids := make([]glassward.RecordID, len(b.Records))
		for i := range b.Records {
			ids[i] = b.Records[i].ID
		}
		held, err := e.options.Memory.AlertsHolding(ctx, e.options.Tenant, ids)
		if err != nil {
			// The rules are now behind and make up for it at the next tick.
			return fmt.Errorf("ask for the alerts of records that came again: %w", err)
		}
		a.held = held
	}
	var errs []error
	var asked []*finding
	for i, j := range e.judges {
		if !j.works() {
			continue
		}
		f, err := e.take(ctx, j, &a, a.hits[i])
		if err != nil {
			errs = append(errs, err)
		}
		if f != nil {
			asked = append(asked, f)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(errs, e.judgeArrival(ctx, &a, asked))...)
}

// inHand runs f with a rule whose lock is held, and lets go of the rule. A panic
// is a failure of that one rule: the others judge on.
func (e *Engine) inHand(ctx context.Context, j *judge, f func() error) (err error) {
	defer j.busy.Unlock()
	defer e.show(j)
	defer func() {
		if v := recover(); v != nil {
			err = e.fail(ctx, j, defect(v))
		}
	}()
	return f()
}

// defect is the error that a panic is.
func defect(v any) error {
	return fmt.Errorf("a defect in Glassward came to light here: please report it: %v\n%s", v, debug.Stack())
}

// CatchUp judges everything up to a sequence number, reading from the store. It
// is called once after a start, with the store's newest number. Scheduled rules
// have their turn at the next Tick.
func (e *Engine) CatchUp(ctx context.Context, head int64) error {
	e.arriving.Lock()
	defer e.arriving.Unlock()
	return e.catchUp(ctx, head)
}

func (e *Engine) catchUp(ctx context.Context, head int64) error {
	e.head.Store(max(e.head.Load(), head))
	var errs []error
	for _, j := range e.judges {
		if !j.works() || !j.nrt || !j.busy.TryLock() {
			continue
		}
		if err := e.inHand(ctx, j, func() error { return e.catchUpNRT(ctx, j) }); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

// Tick judges the windows that are due, those that have to be judged again, and
// what rules that failed owe. It is to be called at least once a minute.
func (e *Engine) Tick(ctx context.Context) error {
	var errs []error
	for _, j := range e.judges {
		if !j.works() {
			continue
		}
		j.busy.Lock()
		err := e.inHand(ctx, j, func() error {
			if j.nrt {
				return e.catchUpNRT(ctx, j)
			}
			return e.tickScheduled(ctx, j)
		})
		if err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(append(errs, e.keepMarks(ctx, saveEvery))...)
}

// Keep commits how far the rules have come. An engine that takes this one's place
// goes on from there, so that a rule that was changed does not look once more at
// what the rule as it was has judged. The error is the Desk's.
func (e *Engine) Keep(ctx context.Context) error { return e.keepMarks(ctx, 0) }

// keepMarks commits together the watermarks of the rules that had nothing to say,
// as soon as one was kept so long ago: with many rules and tenants a flush for
// each would be most of what an idle program does.
func (e *Engine) keepMarks(ctx context.Context, every time.Duration) error {
	// A batch that comes meanwhile waits for this one commit: it would find its
	// rules in hand and leave them to the next tick.
	e.arriving.Lock()
	defer e.arriving.Unlock()
	now := e.options.Now()
	var moved []*judge
	due := false
	for _, j := range e.judges {
		if !j.works() {
			continue
		}
		j.busy.Lock()
		defer j.busy.Unlock()
		if j.state.seq != j.saved {
			moved = append(moved, j)
			due = due || now.Sub(j.wrote) >= every
		}
	}
	if !due {
		return nil
	}
	outcomes := make([]Outcome, len(moved))
	for i, j := range moved {
		mark, err := j.state.encode(j.grid)
		if err != nil {
			return fmt.Errorf("rule %s: %w", j.rule.Name, err)
		}
		outcomes[i] = Outcome{RuleID: j.rule.ID, Watermark: mark}
	}
	if err := e.options.Desk.Commit(ctx, outcomes...); err != nil {
		return fmt.Errorf("commit watermarks: %w", err)
	}
	for _, j := range moved {
		j.saved, j.wrote = j.state.seq, now
	}
	return nil
}

// fail notes that a rule could not be judged and says it to the Desk: at once,
// and again when the reason changes.
func (e *Engine) fail(ctx context.Context, j *judge, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if j.failed == nil {
		j.since = e.options.Now()
	}
	known := sameReason(j.failed, err)
	j.failed = err
	if known {
		return nil
	}
	j.state.failed = reason(err)
	return e.save(ctx, j, &j.state, Outcome{RuleID: j.rule.ID, Err: err})
}

// reason gives the innermost cause of an error: what it says does not change
// with the window or the record at which it was met.
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func sameReason(a, b error) bool { return a != nil && b != nil && reason(a) == reason(b) }

// run runs one of the rule's programs and gives its rows with their records' stamps.
func (e *Engine) run(ctx context.Context, j *judge, program *kql.Program, v *verdicts, bind kql.Bind, f frame, stamps map[glassward.RecordID]stamp) ([]row, []string, map[glassward.RecordID]stamp, error) {
	res, err := e.options.Runner.Run(ctx, program, bind)
	if err != nil {
		return nil, nil, nil, err
	}
	columns := make([]string, len(res.Columns))
	for i, c := range res.Columns {
		columns[i] = c.Name
	}
	if len(res.Rows) == 0 {
		return nil, columns, stamps, nil
	}
	if stamps == nil {
		if stamps, err = e.lookup(ctx, j, res, bind); err != nil {
			return nil, nil, nil, err
		}
	}
	rows, err := v.rows(res, stamps, f)
	if err != nil {
		return nil, nil, nil, err
	}
	if res.Truncated {
		for i := range rows {
			rows[i].overflow = true
		}
	}
	return rows, columns, stamps, nil
}

// lookup gives the stamps of the records that a result names.
func (e *Engine) lookup(ctx context.Context, j *judge, res *kql.Result, bind kql.Bind) (map[glassward.RecordID]stamp, error) {
	stamps := map[glassward.RecordID]stamp{}
	var ids []string
	seen := map[string]bool{}
	for _, l := range res.Lineage {
		for _, id := range l {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	take := func(cells []any) error {
		text, _ := cells[0].(string)
		id, err := parseRecordID(text)
		if err != nil {
			return err
		}
		event, _ := cells[1].(int64)
		st := stamp{time: value.Ticks(event)}
		if got, ok := cells[2].(int64); ok {
			st.received = value.Ticks(got).Time()
		}
		stamps[id] = st
		return nil
	}
	for part := range slices.Chunk(ids, idsPerLookup) {
		list := "guid(" + strings.Join(part, "),guid(") + ")"
		for _, table := range j.program.Tables {
			query := table + " | where _ItemId in (" + list + ") | project _ItemId, TimeGenerated, _TimeReceived"
			if err := e.ask(ctx, query, windowOf(j), bind, take); err != nil {
				return nil, fmt.Errorf("look up the records that caused a result: %w", err)
			}
		}
	}
	return stamps, nil
}

func windowOf(j *judge) kql.Window {
	if j.nrt {
		return kql.BySeq
	}
	return kql.ByTime
}

// ask runs a query of our own.
func (e *Engine) ask(ctx context.Context, query string, w kql.Window, bind kql.Bind, each func(cells []any) error) error {
	p, diags := kql.Compile(query, kql.Options{Catalog: e.options.Catalog, Window: w})
	if diags.HasErrors() {
		return diags.Err()
	}
	res, err := e.options.Runner.Run(ctx, p, bind)
	if err != nil {
		return err
	}
	if res.Truncated {
		return errors.New("the answer was cut")
	}
	for _, cells := range res.Rows {
		if err := each(cells); err != nil {
			return err
		}
	}
	return nil
}

// show makes the rule's state readable for others.
func (e *Engine) show(j *judge) {
	s := State{
		ID: j.rule.ID, Name: j.rule.Name, Kind: j.rule.Kind, RunsAs: j.runsAs, Origin: j.rule.Origin(),
		Enabled: j.rule.Enabled, Err: j.failed, Since: j.since,
	}
	if j.broken != nil {
		s.Err = j.broken
	}
	if j.program != nil {
		s.Tables = j.program.Tables
	}
	if j.works() {
		if j.nrt {
			s.JudgedTo = j.state.seq
		} else {
			s.Every, s.Took, s.Slow = j.every(), j.took, j.slow
			_, end := j.grid.bounds(j.state.judged)
			s.Windows = end.Time()
			s.Owed = j.state.toJudge().size()
			s.Suppressed = j.state.suppressed.size()
			if t := j.state.openSince(j.program.Tables); t != 0 {
				s.OpenSince = t.Time()
			}
		}
	}
	e.mu.Lock()
	e.states[j.place] = s
	e.mu.Unlock()
}

// States says how each rule stands, in the order of Options.Rules.
func (e *Engine) States() []State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.states)
}

// A compiled rule is a rule with what its query makes of it.
type compiled struct {
	nrt               bool
	frequency, period time.Duration
	program           *kql.Program
	runsAs            string
	diags             diag.List // with places in the rule's file
}

// noExternal refuses externaldata: a rule's judgement would depend on what somebody else's server says,
// and could not be repeated.
func noExternal(kql.ExternalData) ([][]any, error) {
	return nil, errors.New("a rule reads nothing from the web: keep the data as a watchlist, or in a stored function")
}

// nrtInstead is the schedule of an NRT rule whose query is not local.
const nrtInstead = time.Minute

func compileOptions(r *Rule, env Environment, w kql.Window) kql.Options {
	return kql.Options{Catalog: env.Catalog, Watchlists: env.Watchlists, Functions: env.Functions, External: noExternal, Addresses: env.Addresses, Window: w, Lineage: true, File: r.File}
}

// compileRule compiles the query for the way in which the rule will run.
func compileRule(r *Rule, env Environment) compiled {
	c := compiled{nrt: r.Kind == NRT, frequency: r.Frequency, period: r.Period}
	compile := func(w kql.Window) diag.List {
		p, diags := kql.Compile(r.Query, compileOptions(r, env, w))
		c.program = p
		var out diag.List
		for _, d := range diags {
			d.Span = r.inFile(d.Span)
			out.Add(d)
		}
		return out
	}
	if !c.nrt {
		c.diags = compile(kql.ByTime)
	} else if c.diags = compile(kql.BySeq); !c.diags.HasErrors() && c.program.NotLocal != nil {
		why := *c.program.NotLocal
		c.nrt, c.frequency, c.period = false, nrtInstead, nrtInstead
		c.diags = compile(kql.ByTime)
		c.diags.Add(diag.Diagnostic{
			Code: codeNRT, Severity: diag.Warning, Span: r.inFile(why.Span),
			Message: "not judged on arrival but every minute, over the last minute: " + why.Message,
			Hint:    "make each result row depend on one record, or write kind: Scheduled with a queryPeriod",
		})
	}
	switch {
	case c.nrt:
		c.runsAs = string(NRT)
	default:
		c.runsAs = fmt.Sprintf("Scheduled every %s over %s", formatDuration(c.frequency), formatDuration(c.period))
	}
	return c
}
