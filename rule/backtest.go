package rule

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
)

// A Backtest is what a rule would have raised over history.
type Backtest struct {
	RuleID string `json:"ruleId"`
	Name   string `json:"name"`
	// RunsAs is how the rule was judged, From and To over what: the windows of a
	// Scheduled rule that end after From and not after To, the events with
	// From <= time < To for an NRT rule.
	RunsAs string    `json:"runsAs"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	// Windows is how many windows a Scheduled rule was judged over, 0 for NRT;
	// Suppressed those after the last alert that suppression kept quiet.
	Windows    int64 `json:"windows,omitempty"`
	Suppressed int64 `json:"suppressed,omitempty"`
	// Alerts are in the order in which they would have come, Count how many they
	// are and Rows how many results they hold.
	Alerts []glassward.Alert `json:"alerts"`
	Count  int               `json:"count"`
	Rows   int               `json:"rows"`
	// Days count the alerts by the UTC day of their beginning, oldest first; days
	// without alerts are left out.
	Days []BacktestDay `json:"days"`
	// Queries is how many queries it took, Took their time and Slowest that of the
	// slowest, in nanoseconds.
	Queries int           `json:"queries"`
	Took    time.Duration `json:"took"`
	Slowest time.Duration `json:"slowest"`
}

// A BacktestDay is how many alerts began on one day, and their results.
type BacktestDay struct {
	Day    string `json:"day"` // 2006-01-02
	Alerts int    `json:"alerts"`
	Rows   int    `json:"rows"`
}

// Trim leaves at most n alerts as examples. What was counted stays.
func (b *Backtest) Trim(n int) { b.Alerts = b.Alerts[:min(n, len(b.Alerts))] }

// ErrBacktest is wrapped where a backtest was refused for what was asked.
var ErrBacktest = errors.New("no backtest")

// Bounds on a backtest.
const (
	maxBacktestWindows = 100_000
	nrtStretch         = time.Hour // of event time that an NRT rule is judged over at once
)

// RunBacktest judges a rule over the records that a store holds, in the rule's
// own windows, and commits nothing. Every record counts as having been there in
// time: how late records came is not judged. The rule is judged even where its
// file disables it. The error says that the rule does not compile, that the time
// makes no sense, or why the store could not answer.
func RunBacktest(ctx context.Context, r *Rule, env Environment, run Runner, from, to time.Time) (*Backtest, error) {
	if !from.Before(to) {
		return nil, fmt.Errorf("%w from %s to %s: the beginning must be before the end", ErrBacktest, from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	env.Watchlists = withShipped(env.Watchlists)
	one := *r
	one.Enabled = true
	c := compileRule(&one, env)
	if c.diags.HasErrors() {
		return nil, &Problem{File: r.File, Source: r.source, List: c.diags}
	}
	b := &Backtest{RuleID: r.ID, Name: r.Name, RunsAs: c.runsAs, From: from.UTC(), To: to.UTC(), Alerts: []glassward.Alert{}}
	measured := RunnerFunc(func(ctx context.Context, p *kql.Program, bind kql.Bind) (*kql.Result, error) {
		begun := time.Now()
		res, err := run.Run(ctx, p, bind)
		took := time.Since(begun)
		b.Queries++
		b.Took += took
		b.Slowest = max(b.Slowest, took)
		return res, err
	})
	var book Notebook
	var failure error
	now := to
	o := Options{
		Rules: []*Rule{&one}, Catalog: env.Catalog, Watchlists: env.Watchlists, Functions: env.Functions, Addresses: env.Addresses,
		Runner: measured, Memory: &book, Now: func() time.Time { return now },
		Desk: DeskFunc(func(ctx context.Context, outcomes ...Outcome) error {
			for _, o := range outcomes {
				failure = errors.Join(failure, o.Err)
			}
			return book.Desk("").Commit(ctx, outcomes...)
		}),
		// What is older than the horizon would have its turn last.
		Horizon: to.Sub(from) + c.period + c.frequency,
	}
	if !c.nrt {
		g := newGrid(c.frequency, c.period)
		first, last := g.last(value.FromTime(from))+1, g.last(value.FromTime(to))
		if b.Windows = max(last-first+1, 0); b.Windows > maxBacktestWindows {
			return nil, fmt.Errorf("%w: %s over %s are %d windows, at most %d are judged: choose a shorter time", ErrBacktest, c.runsAs, formatDuration(to.Sub(from)), b.Windows, maxBacktestWindows)
		}
		o.Since = from.Add(c.frequency)
	}
	e, err := NewEngine(ctx, o)
	if err != nil {
		return nil, err
	}
	j := e.judges[0]
	j.known = math.MaxInt64 // nothing was heard of: every window is asked for
	if c.nrt {
		err = e.replay(ctx, j, env, from, to, func(t time.Time) { now = t })
	} else {
		for last := j.grid.last(value.FromTime(to)); err == nil && failure == nil && j.state.judged < last; {
			err = e.Tick(ctx)
		}
	}
	if err = errors.Join(err, failure); err != nil {
		return nil, err
	}
	b.Suppressed = j.state.suppressed.size()
	b.Alerts = append(b.Alerts, book.Alerts()...)
	b.Count, b.Days = len(b.Alerts), []BacktestDay{}
	for _, a := range b.Alerts {
		b.Rows += a.RowCount
		day := a.Start.UTC().Format(time.DateOnly)
		i, ok := slices.BinarySearchFunc(b.Days, day, func(d BacktestDay, day string) int { return strings.Compare(d.Day, day) })
		if !ok {
			b.Days = slices.Insert(b.Days, i, BacktestDay{Day: day})
		}
		b.Days[i].Alerts++
		b.Days[i].Rows += a.RowCount
	}
	return b, nil
}

// replay judges an NRT rule over events by their time. Its query looks at one
// record at a time, so that how records are divided changes nothing; a query that
// asks for the clock is given that of a minute's end.
func (e *Engine) replay(ctx context.Context, j *judge, env Environment, from, to time.Time, set func(time.Time)) error {
	p, diags := kql.Compile(j.rule.Query, kql.Options{
		Catalog: env.Catalog, Watchlists: env.Watchlists, Functions: env.Functions, External: noExternal, Addresses: env.Addresses,
		Window: kql.ByTime, Lineage: true, File: j.rule.File,
	})
	if diags.HasErrors() {
		return diags.Err()
	}
	clock := slices.Contains(p.Params, "now")
	j.program = p
	stretch := nrtStretch
	if clock {
		stretch = time.Minute
	}
	if n := to.Sub(from) / stretch; n > maxBacktestWindows {
		return fmt.Errorf("%w: the query asks for the clock and is judged minute by minute: %d of them, at most %d are judged: choose a shorter time", ErrBacktest, n, maxBacktestWindows)
	}
	for at := from; at.Before(to); at = at.Add(stretch) {
		end := at.Add(stretch)
		if end.After(to) {
			end = to
		}
		if err := e.replayStretch(ctx, j, at, end, set); err != nil {
			return err
		}
	}
	return nil
}

// replayStretch judges a stretch, by halves where it has more results than one
// evaluation makes alerts of, as they would not have come at once.
func (e *Engine) replayStretch(ctx context.Context, j *judge, from, to time.Time, set func(time.Time)) error {
	set(to)
	at, end := value.FromTime(from), value.FromTime(to)
	next := j.state.clone()
	f := frame{from: at, to: end, again: func([]glassward.RecordID) bool { return true }, state: &next}
	// The look-up of records is by sequence number, of which all are meant.
	bind := kql.Bind{Now: end, From: at, To: end, SeqFrom: -1, SeqTo: math.MaxInt64}
	v := newVerdicts(e, j)
	rows, columns, stamps, err := e.run(ctx, j, j.program, v, bind, f, nil)
	if err != nil {
		return fmt.Errorf("judge the events from %s to %s: %w", at, end, err)
	}
	if half := to.Sub(from) / 2; len(rows) > maxAlerts && half >= time.Second {
		if err := e.replayStretch(ctx, j, from, from.Add(half), set); err != nil {
			return err
		}
		return e.replayStretch(ctx, j, from.Add(half), to, set)
	}
	if len(rows) == 0 {
		return nil
	}
	if _, err := v.find(ctx, rows, columns, stamps, f, func(string) (glassward.AlertID, bool) { return "", false }); err != nil {
		return err
	}
	return e.settleNRT(ctx, j, next, v)
}

// A Difference is what two versions of a rule raise differently over the same
// history.
type Difference struct {
	// Gone are alerts of the old version that rest on records of which the new one
	// makes no alert, Come the other way round.
	Gone []glassward.Alert `json:"gone"`
	Come []glassward.Alert `json:"come"`
	// Changed are alerts that both raise and that differ in severity, title, the
	// entities or the number of results; Same counts those that do not.
	Changed []Changed `json:"changed"`
	Same    int       `json:"same"`
	// GoneCount, ComeCount and ChangedCount are how many they are, of which Trim
	// may have left a part.
	GoneCount    int `json:"goneCount"`
	ComeCount    int `json:"comeCount"`
	ChangedCount int `json:"changedCount"`
}

// Trim leaves at most n alerts of each kind as examples. What was counted stays.
func (d *Difference) Trim(n int) {
	d.Gone, d.Come, d.Changed = d.Gone[:min(n, len(d.Gone))], d.Come[:min(n, len(d.Come))], d.Changed[:min(n, len(d.Changed))]
}

// A Changed alert is one that both versions raise, with what differs in words.
type Changed struct {
	Old  glassward.Alert `json:"old"`
	New  glassward.Alert `json:"new"`
	What []string        `json:"what"`
}

// Diff holds two backtests over the same time against each other. Two alerts are
// the same if they share a record or, where they rest on none because nothing
// came, if their times touch.
func Diff(old, next *Backtest) Difference {
	d := Difference{Gone: []glassward.Alert{}, Come: []glassward.Alert{}, Changed: []Changed{}}
	holders := map[glassward.RecordID][]int{}
	for i, b := range next.Alerts {
		for _, id := range b.Records {
			holders[id] = append(holders[id], i)
		}
	}
	taken := make([]bool, len(next.Alerts))
	met := make([]bool, len(next.Alerts)) // shares something with an old one
	for _, a := range old.Alerts {
		partner := -1
		meet := func(k int) {
			met[k] = true
			if !taken[k] && partner < 0 {
				partner = k
			}
		}
		touched := false
		for _, id := range a.Records {
			for _, k := range holders[id] {
				touched = true
				meet(k)
			}
		}
		if len(a.Records) == 0 {
			for k, b := range next.Alerts {
				if len(b.Records) == 0 && !b.Start.After(a.End) && !a.Start.After(b.End) {
					touched = true
					meet(k)
				}
			}
		}
		switch {
		case partner >= 0:
			taken[partner] = true
			if what := differences(a, next.Alerts[partner]); len(what) > 0 {
				d.Changed = append(d.Changed, Changed{a, next.Alerts[partner], what})
			} else {
				d.Same++
			}
		case touched:
			d.Changed = append(d.Changed, Changed{Old: a, What: []string{"its records are in another alert, which is shown with an alert before this one"}})
		default:
			d.Gone = append(d.Gone, a)
		}
	}
	for k, b := range next.Alerts {
		switch {
		case taken[k]:
		case met[k]:
			d.Changed = append(d.Changed, Changed{New: b, What: []string{"its records were in another alert, which is shown with an alert before this one"}})
		default:
			d.Come = append(d.Come, b)
		}
	}
	d.GoneCount, d.ComeCount, d.ChangedCount = len(d.Gone), len(d.Come), len(d.Changed)
	return d
}

func differences(a, b glassward.Alert) (what []string) {
	say := func(name string, x, y any) {
		if x, y := fmt.Sprint(x), fmt.Sprint(y); x != y {
			what = append(what, fmt.Sprintf("%s %s → %s", name, x, y))
		}
	}
	say("severity", a.Severity, b.Severity)
	say("title", fmt.Sprintf("%q", a.Title), fmt.Sprintf("%q", b.Title))
	say("results", a.RowCount, b.RowCount)
	say("records", len(a.Records), len(b.Records))
	say("tactics", a.Tactics, b.Tactics)
	say("entities", a.Entities, b.Entities)
	return what
}
