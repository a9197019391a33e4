package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/incident"
	"glassward/lag"
	"glassward/notify"
	"glassward/state"
)

const (
	// freshEvery is how often it is asked whether a road has fallen silent.
	freshEvery = 5 * time.Second
	// rememberEvery is how often what was learned of the roads is kept.
	rememberEvery = time.Minute
)

// openLag restores what was learned of a tenant's roads.
func (w *workspace) openLag(ctx context.Context) {
	o := lag.Options{Blinds: w.blinds}
	memory, err := w.d.state.Memory(ctx, w.tenant.ID)
	if err == nil {
		w.lag, err = lag.Restore(memory, o)
	} else {
		w.lag = lag.New(o)
	}
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		w.log.Warn("what was learned of the roads cannot be used and is learned anew", "error", err)
	}
}

// blinds names the detections that see nothing while tables are blind.
func (w *workspace) blinds(tables []string) []string {
	var names []string
	for _, s := range w.states() {
		if s.Enabled && slices.ContainsFunc(s.Tables, func(t string) bool { return slices.Contains(tables, t) }) {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}

// keepFresh watches over the roads until ctx ends, and keeps what it learned.
func (w *workspace) keepFresh(ctx context.Context) {
	every := time.NewTicker(freshEvery)
	defer every.Stop()
	kept := w.d.now()
	for {
		select {
		case <-ctx.Done():
			w.remember(context.WithoutCancel(ctx))
			return
		case <-every.C:
		}
		now := w.d.now()
		w.change(ctx, w.lag.Tick(now))
		if now.Sub(kept) >= rememberEvery || now.Before(kept) {
			w.remember(ctx)
			kept = now
		}
	}
}

func (w *workspace) remember(ctx context.Context) {
	if err := w.d.state.PutMemory(ctx, w.tenantID(), w.lag.Memory()); err != nil {
		w.log.Warn("what was learned of the roads could not be kept; the next round tries again", "error", err)
	}
}

// change tells people how the roads have changed, and writes it down.
func (w *workspace) change(ctx context.Context, changes []lag.Change) {
	var records []glassward.Record
	for _, c := range changes {
		records = append(records, healthRecords(c)...)
		var blind []state.BlindInterval
		for _, i := range c.Intervals {
			blind = append(blind, state.BlindInterval{Road: c.Road, Table: i.Table, From: i.From, To: i.To, Reason: c.Reason, Late: i.Late, Others: c.Others})
		}
		if err := w.d.state.RecordBlind(ctx, w.tenantID(), blind...); err != nil {
			w.log.Error("a blind interval could not be written to the journal", "road", c.Road, "error", err)
		}
		w.log.Info("road", "road", c.Road, "tables", strings.Join(c.Tables, " "), "was", string(c.Was), "is", string(c.Is), "reason", c.Reason)
		if c.Tell {
			w.d.tell(ctx, w.tenantID(), incident.Health{
				Cause: incident.Code(c.Cause), Subject: c.Subject, Title: c.Title, Detail: c.Detail, Severity: c.Severity, Since: c.Since, Over: c.Over,
			})
		}
	}
	if len(records) == 0 {
		return
	}
	if _, err := w.append(ctx, records, nil); err != nil && ctx.Err() == nil {
		w.log.Error("the change of a road could not be written to "+healthTable, "error", err)
	}
}

// healthRecords are what a change is in GlasswardHealth: a record for each table,
// and one for each blind interval that has ended.
func healthRecords(c lag.Change) []glassward.Record {
	status := "Success"
	switch {
	case c.Over:
	case len(c.Blind) > 0:
		status = "Failure"
	case c.Is == lag.Cut || c.Is == lag.Silent || c.Is == lag.Late || c.Tell:
		status = "Warning"
	}
	operation := map[string]string{"degraded": "Road compared", "hole": "Hole", "clock": "Clock"}[c.Cause]
	if operation == "" {
		operation = "Road state"
	}
	cells := func(operation, table string) map[string]any {
		return map[string]any{
			"OperationName": operation, "Status": status, "Road": c.Road, "SourceTable": table,
			"PreviousState": string(c.Was), "State": string(c.Is), "Since": c.Since, "LateCount": c.LateCount,
			"Reason": c.Reason, "Description": strings.TrimSpace(c.Title + "\n" + c.Detail), "OtherRoads": slices.Concat([]string{}, c.Others),
			"LagP50": c.Lag.P50.Seconds(), "LagP95": c.Lag.P95.Seconds(), "LagP99": c.Lag.P99.Seconds(),
		}
	}
	tables := c.Tables
	if len(tables) == 0 {
		tables = []string{""}
	}
	var out []glassward.Record
	for _, table := range tables {
		out = append(out, ownRecord(healthTable, c.At, cells(operation, table)))
	}
	for _, i := range c.Intervals {
		x := cells("Blind interval", i.Table)
		x["BlindFrom"], x["BlindTo"], x["LateCount"] = i.From, i.To, int64(i.Late)
		out = append(out, ownRecord(healthTable, c.At, x))
	}
	return out
}

// firsts notes for each notice how long its first delivery took.
type firsts struct {
	mu   sync.Mutex
	seen map[glassward.NoticeID]bool
}

// toldAtMost bounds what is remembered of notices that were delivered.
const toldAtMost = 10_000

// delivered measures the last part of a record's way: from the verdict to the
// first receiver.
func (d *Daemon) delivered(j notify.Job, at time.Time) {
	d.deliveryTook(j, at)
	if j.Notice.Kind != "fired" {
		return
	}
	d.firsts.mu.Lock()
	if d.firsts.seen == nil || len(d.firsts.seen) > toldAtMost {
		d.firsts.seen = map[glassward.NoticeID]bool{}
	}
	known := d.firsts.seen[j.Notice.ID]
	d.firsts.seen[j.Notice.ID] = true
	d.firsts.mu.Unlock()
	w, ok := d.workspace(j.Notice.Tenant)
	if known || !ok {
		return
	}
	for _, a := range j.Alerts {
		if a.ID == j.Notice.Alert {
			w.lag.Way().Took(lag.Told, at.Sub(a.Judged), 1)
			w.lag.Way().Took(lag.Whole, at.Sub(a.Start), 1)
		}
	}
}

// WayStatus is how long records take, part by part, in seconds.
type WayStatus struct {
	Step string  `json:"step"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	N    float64 `json:"n"`
}

func wayStatus(way *lag.Way) []WayStatus {
	var out []WayStatus
	for _, s := range []lag.Step{lag.Received, lag.Committed, lag.Judged, lag.Told, lag.Whole} {
		if p := way.Percentiles(s); p.N > 0 {
			out = append(out, WayStatus{fmt.Sprint(s), p.P50.Seconds(), p.P95.Seconds(), p.P99.Seconds(), p.N})
		}
	}
	return out
}

// A RoadStatus is how a road stands with a table. Times that are unknown are
// zero; lags are in seconds.
type RoadStatus struct {
	Road  string    `json:"road"`
	Table string    `json:"table"`
	State lag.State `json:"state"`
	Since time.Time `json:"since,omitzero"`
	Why   string    `json:"why,omitempty"`
	// Newest and Received are of the newest record.
	Newest   time.Time `json:"newest,omitzero"`
	Received time.Time `json:"received,omitzero"`
	// The lag that was learned, and a guess while Learned is false.
	P50     float64 `json:"p50"`
	P95     float64 `json:"p95"`
	P99     float64 `json:"p99"`
	Learned bool    `json:"learned"`
	// Records came, Late of them later than p99; Backlog wait at the service, -1
	// where it does not say.
	Records int64 `json:"records"`
	Late    int64 `json:"late"`
	Backlog int64 `json:"backlog"`
	// Polled is when the road was last read to its end, Offset how far the
	// service's clock is ahead.
	Polled time.Time `json:"polled,omitzero"`
	Offset float64   `json:"clockOffset,omitempty"`
	Fault  string    `json:"fault,omitempty"`
	// SilentAt is when it will be held to be silent if nothing comes.
	SilentAt time.Time `json:"silentAt,omitzero"`
	// Missing is the share of records that another road showed and this did not.
	Missing float64 `json:"missing,omitempty"`
}

func (w *workspace) roadStatus() []RoadStatus {
	var out []RoadStatus
	for _, s := range w.lag.Status(w.d.now()) {
		x := RoadStatus{
			Road: s.Road, Table: s.Table, State: s.State, Since: s.Since, Why: s.Why, Newest: s.NewestEvent, Received: s.NewestReceived,
			P50: s.Lag.P50.Seconds(), P95: s.Lag.P95.Seconds(), P99: s.Lag.P99.Seconds(), Learned: s.Learned,
			Records: s.Count, Late: s.LateCount, Backlog: s.Backlog, Polled: s.LastPoll, Offset: s.Offset.Seconds(), SilentAt: s.Next, Missing: s.Missing,
		}
		if s.State == lag.Cut {
			x.Fault = s.LastFault
		}
		out = append(out, x)
	}
	return out
}

// A HistoryStatus is a road that reads what happened before: since when, and how
// many seconds that takes, 0 where the road cannot say.
type HistoryStatus struct {
	Road  string    `json:"road"`
	Since time.Time `json:"since"`
	Takes float64   `json:"takes,omitempty"`
}

func (w *workspace) historyStatus() []HistoryStatus {
	j := w.journey.Load()
	if j == nil {
		return nil
	}
	j.mu.Lock()
	list := slices.Clone(j.list)
	j.mu.Unlock()
	var out []HistoryStatus
	for _, r := range list {
		if since, takes := r.watch.reads(w.d.now()); !since.IsZero() {
			out = append(out, HistoryStatus{r.name, since, takes.Seconds()})
		}
	}
	return out
}
