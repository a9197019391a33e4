package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/lag"
	"glassward/logstore"
	"glassward/notify"
	"glassward/state"
)

const (
	// latencyMemory is under which the control store keeps how long alarms took.
	latencyMemory = "installation/latency"
	latencyEvery  = time.Minute
	// sourcesAtOnce bounds how many alerts of a page are asked for their source.
	sourcesAtOnce = 100
)

// A LegStatus is how long a part of the way from an event to a person takes, in
// seconds, by source or receiver. Worst is the longest within thirty days.
type LegStatus struct {
	Tenant  string    `json:"tenant,omitempty"`
	Leg     string    `json:"leg"`
	Of      string    `json:"of"`
	P50     float64   `json:"p50"`
	P95     float64   `json:"p95"`
	P99     float64   `json:"p99"`
	Worst   float64   `json:"worst"`
	WorstAt time.Time `json:"worstAt"`
	N       float64   `json:"n"`
}

// legStatus gives a tenant's legs, or those that are of no tenant.
func (d *Daemon) legStatus(tenant string) []LegStatus {
	var out []LegStatus
	for _, t := range d.legs.List(d.now()) {
		if t.Tenant != tenant {
			continue
		}
		out = append(out, LegStatus{
			Tenant: t.Tenant, Leg: string(t.Leg), Of: t.Of, P50: t.P50.Seconds(), P95: t.P95.Seconds(), P99: t.P99.Seconds(),
			Worst: t.Worst.Seconds(), WorstAt: t.WorstAt, N: t.N,
		})
	}
	return out
}

// recallLegs takes up what was measured before the start.
func (d *Daemon) recallLegs(ctx context.Context) {
	text, err := d.state.Memory(ctx, latencyMemory)
	if err == nil {
		err = d.legs.Restore(text, func(tenant string) bool {
			_, ok := d.config.Tenant(tenant)
			return ok
		})
	}
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		d.log.Warn("how long alarms took is not known any more", "error", err)
	}
}

// keepLegs keeps what is measured, until ctx ends.
func (d *Daemon) keepLegs(ctx context.Context) {
	every := time.NewTicker(latencyEvery)
	defer every.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-every.C:
		}
		text, changed := d.legs.Memory(d.now())
		if !changed {
			continue
		}
		if err := d.state.PutMemory(context.WithoutCancel(ctx), latencyMemory, text); err != nil {
			d.log.Warn("how long alarms took could not be kept", "error", err)
		}
	}
}

// sourceName gives the name by which a record's source is told apart: of a road its
// name, of a push the token's, and all files are one.
func (w *workspace) sourceName(source string) string {
	if j := w.journey.Load(); j != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, r := range j.list {
			if strings.HasPrefix(source, r.name) {
				return r.name
			}
		}
	}
	if name, _, ok := strings.Cut(source, ":"); ok && name != "push" {
		return name
	}
	return source
}

// took notes how long records were on their way to us.
func (w *workspace) took(leg lag.Leg, source string, d time.Duration) {
	now := w.d.now()
	w.d.legs.Took(w.tenantID(), leg, source, d, 1, now)
}

// A raised alert waits to have its source found.
type raised struct {
	record string
	tables []string
	took   time.Duration
}

// alertsTook notes how long alerts took since their last record was received, by the
// source of one of their records.
func (w *workspace) alertsTook(ctx context.Context, list []raised) {
	byTable := map[string][]raised{}
	for _, r := range list[:min(len(list), sourcesAtOnce)] {
		for _, t := range r.tables {
			byTable[t] = append(byTable[t], r)
		}
	}
	for table, list := range byTable {
		sources, err := w.sourcesOf(ctx, table, list)
		if err != nil {
			w.log.Warn("the sources of alerts' records could not be looked up, so how long these alerts took is not counted", "error", err)
			return
		}
		for _, r := range list {
			if s, ok := sources[r.record]; ok {
				w.took(lag.ReceiptToAlert, w.sourceName(s), r.took)
			}
		}
	}
}

func (w *workspace) sourcesOf(ctx context.Context, table string, list []raised) (map[string]string, error) {
	var ids []string
	for _, r := range list {
		ids = append(ids, "guid("+r.record+")")
	}
	p, diags := kql.Compile(table+" | where _ItemId in ("+strings.Join(ids, ",")+") | project _ItemId, _Source", kql.Options{Catalog: w.schema().Catalog(), Window: kql.AllRecords})
	if diags.HasErrors() {
		return nil, diags.Err()
	}
	res, err := w.store.Run(ctx, p, kql.Bind{Now: value.FromTime(w.d.now())}, logstore.Limits{})
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, row := range res.Rows {
		out[fmt.Sprint(row[0])] = fmt.Sprint(row[1])
	}
	return out, nil
}

// tablesOf gives the tables that a rule reads.
func (w *workspace) tablesOf(ruleID string) []string {
	for _, s := range w.states() {
		if s.ID == ruleID {
			return s.Tables
		}
	}
	return nil
}

// deliveryTook notes how long a notice was on its way to a receiver.
func (d *Daemon) deliveryTook(j notify.Job, at time.Time) {
	if j.Notice.Kind != "test" {
		d.legs.Took("", lag.AlertToDelivery, j.Receiver, at.Sub(j.Notice.Created), 1, d.now())
	}
}

// acknowledged notes how long it took from the first delivery of an incident to each
// receiver until somebody acknowledged it.
func (d *Daemon) acknowledged(ctx context.Context, tenant string, number int64, at time.Time) error {
	list, err := d.state.Deliveries(ctx, tenant, number)
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b state.DeliveryReport) int { return a.Settled.Compare(b.Settled) })
	seen := map[string]bool{}
	for _, x := range list {
		if x.Status == glassward.Delivered && !seen[x.Receiver] && !x.Settled.After(at) {
			seen[x.Receiver] = true
			d.legs.Took("", lag.DeliveryToAck, x.Receiver, at.Sub(x.Settled), 1, d.now())
		}
	}
	return nil
}
