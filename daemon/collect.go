package daemon

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/console"
	"glassward/incident"
	"glassward/ingest"
	"glassward/ingest/dcr"
	"glassward/lag"
	"glassward/logstore"
)

// Collect takes in what was pushed to a stream of a data collection rule. It comes
// back without an error when everything is durable but what was refused, which is
// told and kept beside.
func (g gateway) Collect(ctx context.Context, tenant string, u console.Upload) error {
	w, rule, err := g.collection(tenant, u.Rule)
	if err != nil {
		return err
	}
	// The columns that records are fitted to are those of the store.
	w.pushing.RLock()
	defer w.pushing.RUnlock()
	if rule, err = w.rule(u.Rule); err != nil {
		return err
	}
	flows := rule.Flows(u.Stream)
	if len(flows) == 0 {
		return fmt.Errorf("%w: data collection rule %s has no stream %q", console.ErrNoStream, rule.ImmutableID, u.Stream)
	}
	elements, err := dcr.Split(u.Body)
	switch {
	case errors.Is(err, dcr.ErrTooLarge):
		return console.ErrLarge
	case err != nil:
		return fmt.Errorf("%w: %v", console.ErrPayload, err)
	}
	if err := w.store.DiskLow(); err != nil {
		return w.comeAgain(ctx, err)
	}
	source := "push:" + u.Source
	up := dcr.Upload{Elements: elements, Source: source, Tenant: w.tenantID(), Received: g.d.now(), Key: dcr.Key(u.Sender, u.Request, nonceFor(u.Request), u.Body)}
	var sum outcome
	for _, f := range flows {
		var n outcome
		err := f.Each(ctx, up, w.store, func(b *dcr.Batch) error {
			n.add(b)
			if len(b.Records) > 0 {
				c, err := w.inTurn(ctx, b.Records)
				if err == nil {
					w.arrived(source, c)
				}
				return err
			}
			return w.decode(ctx, source, f, b, &n)
		})
		w.d.collected.add(w.tenantID(), f, n)
		sum.refused += n.refused
		if sum.reason == "" {
			sum.reason = n.reason
		}
		if err != nil {
			return w.comeAgain(ctx, err)
		}
	}
	if sum.refused > 0 {
		w.tellRefused(ctx, source, sum)
	}
	return nil
}

// nonceFor makes what tells requests without an id apart.
func nonceFor(request string) string {
	if request != "" {
		return ""
	}
	return rand.Text()
}

// collection finds the data collection rule of an immutable id among the tenants that
// may be seen; tenant is empty for every tenant.
func (g gateway) collection(tenant, id string) (*workspace, *dcr.Rule, error) {
	g.d.mu.RLock()
	each := g.d.config.Each
	g.d.mu.RUnlock()
	for _, t := range each {
		if tenant != "" && !strings.EqualFold(t.ID, tenant) {
			continue
		}
		if r := t.CollectionRule(id); r != nil {
			w, err := g.d.find(t.ID)
			return w, r, err
		}
	}
	return nil, nil, noRule(id)
}

func noRule(id string) error {
	return fmt.Errorf("%w: no data collection rule %q here", console.ErrNoSuch, id)
}

// rule gives a data collection rule of the workspace as it is now.
func (w *workspace) rule(id string) (*dcr.Rule, error) {
	w.mu.Lock()
	t := w.tenant
	w.mu.Unlock()
	if r := t.CollectionRule(id); r != nil {
		return r, nil
	}
	return nil, noRule(id)
}

// comeAgain turns what keeps records from being stored into what a pusher is told: to
// come again where that helps.
func (w *workspace) comeAgain(ctx context.Context, err error) error {
	var (
		low  *logstore.DiskLowError
		odd  *logstore.RecordError
		late *logstore.TimeoutError
		fat  *logstore.MemoryError
	)
	switch {
	case errors.As(err, &low):
		w.d.reportDisk(ctx, w, low)
	case errors.As(err, &odd), errors.As(err, &late), errors.As(err, &fat), errors.Is(err, logstore.ErrClosed):
	default:
		return err
	}
	return fmt.Errorf("%w: %v", console.ErrBusy, err)
}

// arrived notes how long records were on their way.
func (w *workspace) arrived(source string, c logstore.Committed) {
	of := w.sourceName(source)
	for i := range c.Records {
		way := c.Records[i].Received.Sub(c.Records[i].Time)
		w.lag.Way().Took(lag.Received, way, 1)
		w.took(lag.EventToReceipt, of, way)
	}
}

// decode hands what belongs to a table of Entra's to its decoder, and stores it.
func (w *workspace) decode(ctx context.Context, source string, f *dcr.Flow, b *dcr.Batch, n *outcome) error {
	if len(b.JSON) == 0 {
		return nil
	}
	provenance := glassward.Pushed
	stream := ingest.NewStream(source, bytes.NewReader(b.JSON), ingest.DecoderOptions{
		Provenance: provenance, Table: f.Table.Name, Tenant: w.tenantID(), Now: w.d.now, Fill: true,
	})
	return stream.Run(ctx, nil, func(ctx context.Context, got *ingest.Batch, _ *ingest.Cursor) error {
		for i := range got.Rejects {
			// Each object stands on a line of its own.
			got.Rejects[i].Line += b.First
			n.refuse(got.Rejects[i].Reason)
		}
		if err := w.rejects.add(got.Rejects); err != nil {
			return err
		}
		if len(got.Records) == 0 {
			return nil
		}
		n.taken += len(got.Records)
		c, err := w.inTurn(ctx, got.Records)
		if err == nil {
			w.arrived(source, c)
		}
		return err
	})
}

// An outcome counts what became of what was pushed.
type outcome struct {
	taken, filtered, retimed, refused int
	dcr.Coerced
	reason string // of the first that was refused
}

func (o *outcome) add(b *dcr.Batch) {
	o.taken += len(b.Records)
	o.filtered += b.Filtered
	o.retimed += b.Retimed
	o.Wrong += b.Wrong
	o.Cut += b.Cut
	o.Unknown += b.Unknown
}

func (o *outcome) refuse(reason string) {
	if o.refused++; o.reason == "" {
		o.reason = reason
	}
}

// tellRefused makes an alarm of records that could not be understood. Their pusher is
// told that all is well, as Azure tells it: nobody else would say so.
func (w *workspace) tellRefused(ctx context.Context, source string, o outcome) {
	if !w.refused.due(source, w.d.now()) {
		return
	}
	w.d.tell(ctx, w.tenantID(), incident.Health{
		Cause: "push-refused", Subject: source, Title: fmt.Sprintf("Records that %s pushes cannot be understood", source),
		Detail: fmt.Sprintf("%d of one upload were refused, the first since: %s\nThose that could be understood were taken; the others are in the rejects file, for glassward ingest --retry.", o.refused, o.reason),
		Since:  w.d.now(),
	})
}

// rarely remembers when something was told last.
type rarely struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// refusedEvery is the least time between two alarms about the records of one pusher.
const refusedEvery = time.Hour

// due says whether it is to be told again.
func (r *rarely) due(subject string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]time.Time{}
	}
	if last, ok := r.last[subject]; ok && now.Sub(last) < refusedEvery {
		return false
	}
	r.last[subject] = now
	return true
}

// collections counts what came under data collection rules, for the metrics.
type collections struct {
	mu   sync.Mutex
	sums map[collectionKey]float64
}

type collectionKey struct{ tenant, table, outcome string }

func (c *collections) add(tenant string, f *dcr.Flow, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sums == nil {
		c.sums = map[collectionKey]float64{}
	}
	for outcome, n := range map[string]int{"taken": o.taken, "filtered": o.filtered, "retimed": o.retimed, "refused": o.refused,
		"field-wrong": o.Wrong, "field-cut": o.Cut, "field-unknown": o.Unknown} {
		if n > 0 {
			c.sums[collectionKey{tenant, f.Table.Name, outcome}] += float64(n)
		}
	}
}

// each gives every count.
func (c *collections) each(f func(k collectionKey, n float64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, n := range c.sums {
		f(k, n)
	}
}
