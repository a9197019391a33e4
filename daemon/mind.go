package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"glassward/incident"
	"glassward/ingest"
)

// How long something of a workspace rests after it panicked before it is begun
// again. What has gone well for mindAtLeast begins with the shortest again.
const (
	mindAfter   = time.Second
	mindAtLeast = time.Minute
)

// mind runs a part of a workspace until it ends. A panic in it is a defect of
// ours, an alarm of that tenant, and no reason for the other tenants to be
// watched no longer: the part begins again.
func (w *workspace) mind(ctx context.Context, doing string, f func(context.Context)) {
	wait := mindAfter
	var since time.Time
	for ctx.Err() == nil {
		began := w.d.now()
		err := ingest.Guard(func() error {
			f(ctx)
			return nil
		})
		var defect *ingest.PanicError
		if !errors.As(err, &defect) {
			return
		}
		w.mu.Lock()
		w.judging = false
		w.mu.Unlock()
		w.log.Error("a part of a workspace panicked; this is a defect of ours", "doing", doing, "panic", defect.Value, "stack", string(defect.Stack))
		if now := w.d.now(); since.IsZero() || now.Sub(began) > mindAtLeast {
			since, wait = now, mindAfter
		}
		w.d.tell(ctx, w.tenantID(), incident.Health{
			Cause: "defect", Subject: doing, Title: fmt.Sprintf("A defect in Glassward interrupts %s", doing), Since: since,
			Detail: fmt.Sprintf("%v\nIt is begun again by itself, now and whenever that happens.", defect),
		})
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, mindAtLeast)
	}
}
