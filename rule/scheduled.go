package rule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
)

// A note is what a Scheduled rule wants to know of an arrival: the records that
// can matter to it, and how far sources have come.
type note struct {
	from, to int64
	reached  []reached
	newest   map[string]value.Ticks
}

// A reached record lies in windows that may have been judged.
type reached struct {
	id    glassward.RecordID
	key   string // of its table and source
	at    value.Ticks
	again bool // it may have come before
}

// maxInbox bounds the notes that wait. What is beyond it is read from the store.
const maxInbox = 10_000

// hear puts an arrival into the rule's inbox.
func (j *judge) hear(a *arrival, hits []int) {
	n := note{from: a.batch.From, to: a.batch.To, newest: a.newest}
	reach := func(r *glassward.Record) {
		n.reached = append(n.reached, reached{r.ID, passKey(r.Table, r.Source), value.FromTime(r.Time), a.batch.Updated > 0})
	}
	for _, i := range hits {
		reach(&a.batch.Records[i])
	}
	// What an alert holds and has come again may be nothing that the rule looks
	// for any more.
	for _, h := range a.held {
		if h.RuleID != j.rule.ID {
			continue
		}
		for i := range a.batch.Records {
			if r := &a.batch.Records[i]; slices.Contains(h.Records, r.ID) {
				reach(r)
			}
		}
	}
	j.inboxMu.Lock()
	defer j.inboxMu.Unlock()
	if len(j.inbox) >= maxInbox {
		j.inbox = nil // a gap: the next Tick asks the store
		return
	}
	j.inbox = append(j.inbox, n)
}

// listen takes the notes of the inbox in. Those that do not follow on what the
// rule knows are left to catchUpScheduled.
func (j *judge) listen() {
	j.inboxMu.Lock()
	notes := j.inbox
	j.inbox = nil
	j.inboxMu.Unlock()
	for _, n := range notes {
		if n.from != j.state.seq {
			continue
		}
		for _, r := range n.reached {
			j.state.arrive(j.grid, r.key, r.at, r.at)
			j.reached.add(j.grid.covering(r.at))
			if r.again && len(j.came) < maxCame {
				j.came[r.id] = struct{}{}
			}
		}
		for k, t := range n.newest {
			if slices.Contains(j.program.Tables, tableOf(k)) {
				j.state.pass(map[string]value.Ticks{k: t})
			}
		}
		j.state.seq = n.to
	}
}

// catchUpScheduled notes, from the store, which windows were reached by records
// that came since the rule's watermark. It asks for times by the width of the
// rule's frequency and of all records, so that it may name more windows than a
// batch would have, and never fewer.
func (e *Engine) catchUpScheduled(ctx context.Context, j *judge) error {
	head := e.head.Load()
	next := j.state.clone()
	width := value.Ticks(j.grid.frequency)
	newest := map[string]value.Ticks{}
	for _, table := range j.program.Tables {
		query := fmt.Sprintf("%s | summarize Last = max(TimeGenerated) by Bin = bin(TimeGenerated, %dtick), Source = _Source | project Bin, Source, Last", table, int64(width))
		bind := kql.Bind{Now: value.FromTime(e.options.Now()), SeqFrom: j.state.seq, SeqTo: head}
		err := e.ask(ctx, query, kql.BySeq, bind, func(cells []any) error {
			start, _ := cells[0].(int64)
			source, _ := cells[1].(string)
			last, _ := cells[2].(int64)
			bin, key := value.Ticks(start), passKey(table, source)
			next.arrive(j.grid, key, bin, bin+width-1)
			j.reached.add(j.grid.coveringRange(bin, bin+width-1))
			newest[key] = max(newest[key], value.Ticks(last))
			return nil
		})
		if err != nil {
			return e.fail(ctx, j, fmt.Errorf("look for records that came meanwhile: %w", err))
		}
	}
	next.pass(newest)
	next.seq = head
	j.state = next
	return nil
}

// tickScheduled judges the windows that are due and then those that have to be
// judged again: the newest things first, and what lies beyond the horizon last.
func (e *Engine) tickScheduled(ctx context.Context, j *judge) error {
	// The head is read before the inbox is emptied, so that what comes between is
	// no gap.
	head := e.head.Load()
	j.listen()
	if j.state.seq < head {
		if err := e.catchUpScheduled(ctx, j); err != nil {
			return err
		}
	}
	if err := e.learnKnown(ctx, j); err != nil {
		return e.fail(ctx, j, err)
	}
	now := value.FromTime(e.options.Now())
	j.leap(j.grid.last(now))
	budget, failures := windowsPerTick, 0
	var failure error
	for {
		p := e.begin(j)
		worked := false
		for _, n := range j.due(now, e.options.Horizon, min(budget, windowsPerWrite)) {
			if failures >= failuresPerTick {
				break
			}
			budget--
			worked = true
			began := e.options.Now()
			err := e.judgeWindow(ctx, p, n)
			j.lasted(e.options.Now().Sub(began))
			if err != nil {
				var memory *memoryError
				if ctx.Err() != nil || errors.As(err, &memory) {
					return err
				}
				failure = fmt.Errorf("judge the window that ends at %s: %w", endOf(j.grid, n), err)
				failures++
				p.owe(n)
			}
		}
		if !worked {
			break
		}
		p.next.prune(j.grid, now)
		o := Outcome{RuleID: j.rule.ID, Alerts: p.list()}
		p.next.failed = ""
		if failure != nil {
			p.next.failed = reason(failure)
			if !sameReason(j.failed, failure) {
				o.Err = failure
			}
		}
		// A rule that failed has recovered when a window was judged and none failed.
		o.Recovered = j.failed != nil && failure == nil
		if err := e.save(ctx, j, &p.next, o); err != nil {
			return err
		}
		j.state = p.next
		j.leap(j.grid.last(now))
		if failure != nil && j.failed == nil {
			j.since = e.options.Now()
		}
		j.failed = failure
		if budget <= 0 || failures > 0 {
			break
		}
	}
	if len(j.state.toJudge()) == 0 {
		clear(j.came)
	}
	return nil
}

// every is how often the rule is judged, as a duration.
func (j *judge) every() time.Duration { return time.Duration(j.grid.frequency) * 100 }

// lasted notes how long a window took.
func (j *judge) lasted(d time.Duration) {
	j.took = d
	if j.slow++; d <= j.every() {
		j.slow = 0
	}
}

func endOf(g grid, n int64) value.Ticks { _, to := g.bounds(n); return to }

// due gives the windows to judge now, at most n of them.
func (j *judge) due(now value.Ticks, back time.Duration, n int) []int64 {
	s := &j.state
	var out []int64
	for w := s.judged + 1; w <= j.grid.last(now) && len(out) < n; w++ {
		out = append(out, w)
	}
	horizon := j.grid.last(now - value.Ticks(back/100))
	again := s.toJudge()
	var old []int64
	for w := range again.windows() {
		switch {
		case len(out) >= n:
			return out
		case w > horizon:
			out = append(out, w)
		case len(old) < oldPerTick:
			old = append(old, w)
		}
	}
	return append(out, old[:min(len(old), n-len(out))]...)
}

// A pass is windows of one rule that are judged together and committed
// together.
type pass struct {
	judge    *judge
	next     state
	verdicts *verdicts
	// told is what new alerts say of what was suppressed before them.
	told map[glassward.AlertID]string
}

func (e *Engine) begin(j *judge) *pass {
	return &pass{judge: j, next: j.state.clone(), verdicts: newVerdicts(e, j), told: map[glassward.AlertID]string{}}
}

// list gives the pass's changes. An alert that was not suppressed says what was
// before it.
func (p *pass) list() []Change {
	changes := p.verdicts.list()
	for i := range changes {
		a := &changes[i].Alert
		if text := p.told[a.ID]; text != "" {
			details := maps.Clone(a.Details)
			if details == nil {
				details = map[string][]string{}
			}
			details["Suppressed"] = addValue(slices.Clone(details["Suppressed"]), text)
			a.Details = details
		}
	}
	return changes
}

// settle notes that window n is judged.
func (p *pass) settle(n int64) {
	p.next.judged = max(p.next.judged, n)
	p.next.open.remove(n, n)
	p.next.late.remove(n, n)
	p.next.owed.remove(n, n)
}

// owe notes that window n could not be judged, so that those after it can be.
func (p *pass) owe(n int64) {
	p.next.judged = max(p.next.judged, n)
	if !p.next.late.has(n) && !p.next.open.has(n) {
		p.next.owed.add(n, n)
	}
}

// A memoryError is a failure of the Memory and not of the rule: the pass is
// half done and nothing of it may be committed.
type memoryError struct{ error }

func (e *memoryError) Unwrap() error { return e.error }

// judgeWindow judges one window. It leaves the pass as it was if that fails,
// unless the error is a *memoryError.
func (e *Engine) judgeWindow(ctx context.Context, p *pass, n int64) error {
	j := p.judge
	from, to := j.grid.bounds(n)
	f := frame{from: from, to: to, late: p.next.late.has(n), again: j.cameAgain}
	bind := kql.Bind{Now: to, From: from, To: to}
	var rows []row
	var columns []string
	var stamps map[glassward.RecordID]stamp
	var err error
	unreached := n > p.next.judged && j.unreached(n)
	if !unreached || j.nothing != givesNothing {
		if rows, columns, stamps, err = e.run(ctx, j, j.program, p.verdicts, bind, f, nil); err != nil {
			return err
		}
		if unreached && j.nothing == notTried {
			if j.nothing = givesRows; len(rows) == 0 {
				j.nothing = givesNothing
			}
		}
	}
	quiet := j.quiet(&p.next, to)
	p.next.suppressed.remove(n, n)
	var found []sighting
	if j.rule.Operator.Met(len(rows), j.rule.Threshold) {
		before := len(p.verdicts.changes)
		silence := func(group string) (glassward.AlertID, bool) { return p.next.silence(group, n) }
		if quiet {
			// What would come of it is tried beside the pass first.
			trial := newVerdicts(e, j)
			trial.holders = maps.Clone(p.verdicts.holders)
			if _, err := trial.find(ctx, rows, columns, stamps, f, silence); err != nil {
				return &memoryError{err}
			}
			if len(trial.changes) > 0 && !slices.ContainsFunc(trial.changes, func(c *Change) bool { return e.loud(&c.Alert) }) {
				p.next.suppressed.add(n, n)
				p.settle(n)
				return nil
			}
		}
		if found, err = p.verdicts.find(ctx, rows, columns, stamps, f, silence); err != nil {
			return &memoryError{err}
		}
		at := slices.IndexFunc(p.verdicts.changes[before:], func(c *Change) bool { return c.Kind == New })
		if j.rule.Suppression > 0 && at >= 0 {
			if text := suppressedText(j.grid, p.next.suppressed); text != "" {
				p.told[p.verdicts.changes[before+at].Alert.ID] = text
				p.next.suppressed = nil
			}
			if !quiet {
				// What is too loud to be suppressed makes nothing else wait longer.
				p.next.fired = to
			}
		}
	}
	for _, s := range p.next.sight(n, found) {
		p.verdicts.withdraw(s.alert, s.group)
	}
	p.settle(n)
	return nil
}

// suppressedText says in an alert what was suppressed before it, "" if nothing.
func suppressedText(g grid, s windowSet) string {
	if len(s) == 0 {
		return ""
	}
	first, last := endOf(g, s[0].first).Time().Format(time.RFC3339), endOf(g, s[len(s)-1].last).Time().Format(time.RFC3339)
	which := "1 window before this alert, ending at " + first
	if n := s.size(); n > 1 {
		which = fmt.Sprintf("%d windows before this alert, ending from %s to %s", n, first, last)
	}
	return which + ", had results and gave no alert: the rule was suppressed"
}

// quiet says whether a window that ends at a time is suppressed.
func (j *judge) quiet(s *state, to value.Ticks) bool {
	d := value.Ticks(j.rule.Suppression / 100)
	return d > 0 && s.fired != 0 && to > s.fired && to < s.fired+d
}

// loud says whether nothing may suppress an alert: it is of severity High, or it
// names an emergency account.
func (e *Engine) loud(a *glassward.Alert) bool {
	if a.Severity >= glassward.High {
		return true
	}
	names := func(text string) bool {
		text = strings.ToLower(text)
		return slices.ContainsFunc(e.accounts, func(id string) bool { return strings.Contains(text, id) })
	}
	for _, x := range a.Entities {
		for _, v := range x.Identifiers {
			if names(v) {
				return true
			}
		}
	}
	for _, values := range a.Details {
		if slices.ContainsFunc(values, names) {
			return true
		}
	}
	return slices.ContainsFunc(a.Rows, func(r []string) bool { return slices.ContainsFunc(r, names) })
}

// accountsOf gives the object ids and user principal names of the watchlist
// EmergencyAccounts, in lower case.
func accountsOf(w *kql.Watchlist) []string {
	if w == nil {
		return nil
	}
	var out []string
	for i, c := range w.Columns {
		if c.Name != "ObjectId" && c.Name != "UserPrincipalName" {
			continue
		}
		for _, r := range w.Rows {
			if text, ok := r[i].(string); ok && text != "" {
				out = append(out, strings.ToLower(text))
			}
		}
	}
	return out
}

// tableOf gives the table of a key that passKey made.
func tableOf(key string) string {
	for i := range len(key) {
		if key[i] == ' ' {
			return key[:i]
		}
	}
	return key
}

// unreached says that no record lies in a window that the rule looks at. A rule that
// fails looks at every window, or nobody would see that it works again.
func (j *judge) unreached(n int64) bool {
	from, _ := j.grid.bounds(n)
	return j.failed == nil && from >= j.known && !j.reached.has(n)
}

// leap settles the windows up to last that follow on what was judged and that no
// record reached, if the rule gives nothing on nothing.
func (j *judge) leap(last int64) {
	s := &j.state
	for j.nothing == givesNothing && s.judged < last && j.unreached(s.judged+1) {
		to := last
		for _, r := range j.reached {
			if r.first > s.judged+1 {
				to = min(to, r.first-1)
				break
			}
		}
		s.judged = to
	}
	if len(j.reached) > 0 && j.reached[0].first <= s.judged {
		j.reached.remove(j.reached[0].first, s.judged)
	}
}

// learnKnown asks, once, up to which event the store holds records that came before
// the rule began to listen.
func (e *Engine) learnKnown(ctx context.Context, j *judge) error {
	if j.known != 0 {
		return nil
	}
	var known value.Ticks
	for _, table := range j.program.Tables {
		last, ok := e.stored[table]
		if !ok && e.options.Head > 0 {
			bind := kql.Bind{Now: value.FromTime(e.options.Now()), SeqTo: e.options.Head}
			err := e.ask(ctx, table+" | summarize Last = max(TimeGenerated)", kql.BySeq, bind, func(cells []any) error {
				at, _ := cells[0].(int64)
				last = value.Ticks(at)
				return nil
			})
			if err != nil {
				return fmt.Errorf("look for the newest record of %s: %w", table, err)
			}
			e.stored[table] = last
		}
		known = max(known, last)
	}
	j.known = known + 1
	return nil
}

// maxCame bounds what a judge remembers of records that came again.
const maxCame = 10_000

func (j *judge) cameAgain(records []glassward.RecordID) bool {
	return slices.ContainsFunc(records, func(id glassward.RecordID) bool { _, ok := j.came[id]; return ok })
}
