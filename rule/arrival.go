package rule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"glassward"
	"glassward/kql/value"
)

// An arrival is a batch with what all rules want to know of it.
type arrival struct {
	batch  Batch
	hits   [][]int
	newest map[string]value.Ticks
	held   map[glassward.AlertID]Holding
	stamps map[glassward.RecordID]stamp // of its records, once a rule has to be asked
}

func stampsOf(records []glassward.Record) map[glassward.RecordID]stamp {
	out := make(map[glassward.RecordID]stamp, len(records))
	for i := range records {
		r := &records[i]
		out[r.ID] = stamp{value.FromTime(r.Time), r.Received.UTC()}
	}
	return out
}

// heldBy gives the rule's alerts that hold one of the records, in order.
func (a *arrival) heldBy(j *judge) []glassward.AlertID {
	var out []glassward.AlertID
	for id, h := range a.held {
		if h.RuleID == j.rule.ID {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// newest gives the latest event time of each table and source.
func newest(records []glassward.Record) map[string]value.Ticks {
	type key struct{ table, source string }
	latest := map[key]value.Ticks{}
	for i := range records {
		r := &records[i]
		k := key{r.Table, r.Source}
		if t := value.FromTime(r.Time); t > latest[k] {
			latest[k] = t
		}
	}
	out := make(map[string]value.Ticks, len(latest))
	for k, t := range latest {
		out[passKey(k.table, k.source)] = t
	}
	return out
}

// take lets one rule take an arrival in. An NRT rule that has to be asked about it is
// given back with its lock held.
func (e *Engine) take(ctx context.Context, j *judge, a *arrival, hits []int) (*finding, error) {
	if !j.nrt {
		j.hear(a, hits)
	}
	if !j.busy.TryLock() {
		// A Tick has the rule in hand. A Scheduled one finds the arrival in its
		// inbox, an NRT one is behind now and makes up for it at the next Tick.
		return nil, nil
	}
	if j.nrt && j.state.seq == a.batch.From && j.failed == nil {
		f := &finding{judge: j, hits: len(hits) > 0, held: a.heldBy(j)}
		if f.hits || len(f.held) > 0 {
			return f, nil
		}
	}
	return nil, e.inHand(ctx, j, func() error {
		switch {
		case !j.nrt:
			j.listen()
		case j.state.seq >= a.batch.To, j.failed != nil:
			// One that fails is tried again at the next tick, not at every batch.
		case j.state.seq != a.batch.From:
			return e.catchUpNRT(ctx, j)
		default:
			j.state.seq = a.batch.To
		}
		return nil
	})
}

// rulesAtOnce is how many rules are asked about an arrival side by side.
const rulesAtOnce = 2

// A finding is what one NRT rule makes of an arrival.
type finding struct {
	judge *judge
	hits  bool                // the rule may match one of the records
	held  []glassward.AlertID // the rule's alerts of records that came again

	next    state
	changes []Change
	err     error // why it could not be judged
}

// judgeArrival asks rules, whose locks are held, about an arrival, lets go of them, and
// commits what all of them found together, in the order of the events: which rule has
// which name says nothing about what happened first.
func (e *Engine) judgeArrival(ctx context.Context, a *arrival, asked []*finding) error {
	if len(asked) == 0 {
		return ctx.Err()
	}
	defer func() {
		for _, f := range asked {
			e.show(f.judge)
			f.judge.busy.Unlock()
		}
	}()
	a.stamps = stampsOf(a.batch.Records)
	var work errgroup.Group
	work.SetLimit(rulesAtOnce)
	for _, f := range asked {
		work.Go(func() error {
			f.err = e.judgeOne(ctx, a, f)
			return nil
		})
	}
	_ = work.Wait() // each finding has its own error
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var errs []error
	var judged []*finding
	for _, f := range asked {
		if f.err == nil {
			judged = append(judged, f)
		} else if err := e.fail(ctx, f.judge, f.err); err != nil {
			errs = append(errs, err)
		}
	}
	err := e.settle(ctx, a, judged)
	if err != nil && len(judged) > 1 && ctx.Err() == nil {
		// What one rule found must not keep what the others found from being told.
		err = nil
		for _, f := range judged {
			errs = append(errs, e.settle(ctx, a, []*finding{f}))
		}
	}
	return errors.Join(append(errs, err)...)
}

// judgeOne asks one rule. A panic is an error of that rule.
func (e *Engine) judgeOne(ctx context.Context, a *arrival, f *finding) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = defect(v)
		}
	}()
	v := newVerdicts(e, f.judge)
	covered := map[glassward.RecordID]struct{}{}
	f.next = f.judge.state.clone()
	f.next.seq = a.batch.To
	if f.hits {
		if err := e.judgeSeq(ctx, f.judge, v, &f.next, a.batch.From, a.stamps, covered); err != nil {
			return err
		}
	}
	// A record that came again and gives no row any more takes its part of an
	// alert back. The alert is withdrawn when nothing is left of it.
	remains := func(id glassward.RecordID) bool {
		_, came := a.stamps[id]
		_, still := covered[id]
		return !came || still
	}
	for _, id := range f.held {
		if !slices.ContainsFunc(a.held[id].Records, remains) {
			v.withdraw(id, a.held[id].Group)
		}
	}
	f.changes = v.list()
	return nil
}

// settle commits what rules found in one transaction, or remembers that it was nothing.
// A panic is an error.
func (e *Engine) settle(ctx context.Context, a *arrival, judged []*finding) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = defect(v)
		}
	}()
	outcomes, err := e.inOrder(a, judged)
	if err != nil {
		return err
	}
	if len(outcomes) > 0 {
		if err := e.options.Desk.Commit(ctx, outcomes...); err != nil {
			return fmt.Errorf("commit what rules found in records %d to %d: %w", a.batch.From+1, a.batch.To, err)
		}
	}
	now := e.options.Now()
	for _, f := range judged {
		f.judge.state = f.next
		if len(f.changes) > 0 {
			f.judge.saved, f.judge.wrote = f.next.seq, now
		}
	}
	return nil
}

// inOrder makes outcomes of what rules found: the alerts by the time of the event that
// brought them, and of one event by the order of the rules. A rule has its watermark
// with its last alert.
func (e *Engine) inOrder(a *arrival, judged []*finding) ([]Outcome, error) {
	type act struct {
		when value.Ticks
		f    *finding
		c    Change
	}
	var acts []act
	left := map[*finding]int{}
	for _, f := range judged {
		for _, c := range f.changes {
			when := value.Ticks(math.MaxInt64) // what is taken back comes last
			records := c.NewRecords
			if len(records) == 0 { // the same came again, and says more
				records = c.Alert.Records
			}
			for _, id := range records {
				if s, ok := a.stamps[id]; ok {
					when = min(when, s.time)
				}
			}
			acts = append(acts, act{when, f, c})
			left[f]++
		}
	}
	slices.SortStableFunc(acts, func(x, y act) int { return cmp.Compare(x.when, y.when) })
	var out []Outcome
	for i, x := range acts {
		if i == 0 || acts[i-1].f != x.f {
			out = append(out, Outcome{RuleID: x.f.judge.rule.ID})
		}
		o := &out[len(out)-1]
		o.Alerts = append(o.Alerts, x.c)
		if left[x.f]--; left[x.f] == 0 {
			mark, err := x.f.next.encode(x.f.judge.grid)
			if err != nil {
				return nil, fmt.Errorf("rule %s: %w", x.f.judge.rule.Name, err)
			}
			o.Watermark = mark
		}
	}
	return out, nil
}
