package daemon

import (
	"context"
	"time"

	"glassward"
)

// A deed is one line of GlasswardAudit.
type deed struct {
	// tenant is whose table it goes to; empty means every tenant's.
	tenant string
	at     time.Time
	// operation is what was done, actor who did it, via the token that was used,
	// target what it was done to, detail the query's text or the reason given.
	operation, actor, via, target, detail, result string
}

// Bounds of the audit.
const (
	deedsWaiting = 1024     // deeds that may wait to be written
	deedsAtOnce  = 256      // deeds a commit
	maxDetail    = 32 << 10 // bytes of a detail
)

// audit notes a deed. It does not wait for the disk: an operator's query is not
// to be slower for being written down. If too many wait, it does.
func (d *Daemon) audit(x deed) {
	x.at = d.now()
	if x.actor == "" {
		x.actor = x.via
	}
	if len(x.detail) > maxDetail {
		x.detail = x.detail[:maxDetail]
	}
	d.auditing.RLock()
	defer d.auditing.RUnlock()
	if d.auditEnded {
		// A request outlived the time that requests have when the daemon ends.
		d.log.Warn("a deed came too late for "+auditTable, "operation", x.operation, "actor", x.actor, "via", x.via, "target", x.target, "result", x.result)
		return
	}
	d.deeds <- x
}

// endAudit writes what waits and takes no more.
func (d *Daemon) endAudit() error {
	d.auditing.Lock()
	d.auditEnded = true
	close(d.deeds)
	d.auditing.Unlock()
	<-d.audited
	return nil
}

// keepAudit writes deeds until the channel is closed.
func (d *Daemon) keepAudit() {
	defer close(d.audited)
	for x := range d.deeds {
		list := []deed{x}
		for len(list) < deedsAtOnce && len(d.deeds) > 0 {
			if y, ok := <-d.deeds; ok {
				list = append(list, y)
			}
		}
		d.mu.RLock()
		batches := map[*workspace][]glassward.Record{}
		for id, w := range d.workspaces {
			for _, y := range list {
				if y.tenant == "" || y.tenant == id {
					batches[w] = append(batches[w], y.record())
				}
			}
		}
		d.mu.RUnlock()
		for w, records := range batches {
			if _, err := w.append(context.Background(), records, nil); err != nil {
				w.log.Error("deeds could not be written to "+auditTable, "deeds", len(records), "error", err)
			}
		}
	}
}

// record makes a deed a record of the table.
func (x deed) record() glassward.Record {
	return ownRecord(auditTable, x.at, map[string]any{
		"OperationName": x.operation, "Actor": x.actor, "Via": x.via, "Target": x.target, "Detail": x.detail, "Result": x.result,
	})
}
