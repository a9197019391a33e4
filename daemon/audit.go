package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"glassward"
	"glassward/schema"
	"glassward/state"
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

// A doing is a deed that is to be kept, and the word that it is.
type doing struct {
	deed
	kept chan struct{}
}

// Bounds of the audit.
const (
	deedsWaiting = 1024     // deeds that may wait to be kept
	deedsAtOnce  = 256      // deeds a commit
	maxDetail    = 32 << 10 // bytes of a detail
	// deedsAgain is when deeds are written again that could not be.
	deedsAgain = 10 * time.Second
)

// audit notes a deed, and comes back when it is kept: what a person did is not
// forgotten because the power fails while he reads the answer. Deeds that come at
// once are one commit of the control store; the tables have them a little later.
func (d *Daemon) audit(x deed) {
	x.at = d.now()
	if x.actor == "" {
		x.actor = x.via
	}
	if len(x.detail) > maxDetail {
		x.detail = x.detail[:maxDetail]
	}
	w := doing{x, make(chan struct{})}
	d.auditing.RLock()
	if d.auditEnded {
		d.auditing.RUnlock()
		// A request outlived the time that requests have when the daemon ends.
		d.log.Warn("a deed came too late for "+auditTable, "operation", x.operation, "actor", x.actor, "via", x.via, "target", x.target, "result", x.result)
		return
	}
	d.deeds <- w
	d.auditing.RUnlock()
	<-w.kept
}

// endAudit keeps what waits, writes what can be written, and takes no more.
func (d *Daemon) endAudit() error {
	d.auditing.Lock()
	d.auditEnded = true
	close(d.deeds)
	d.auditing.Unlock()
	<-d.audited
	return nil
}

// keepAudit keeps deeds until the channel is closed, and has them written.
func (d *Daemon) keepAudit() {
	written := make(chan struct{})
	word := make(chan struct{}, 1)
	go d.writeAudit(word, written)
	for x := range d.deeds {
		list := []doing{x}
		for len(list) < deedsAtOnce && len(d.deeds) > 0 {
			if y, ok := <-d.deeds; ok {
				list = append(list, y)
			}
		}
		var rows []state.Deed
		for _, y := range list {
			rows = append(rows, y.row())
		}
		if err := d.state.KeepDeeds(context.Background(), rows); err != nil {
			for _, y := range list {
				d.log.Error("a deed is lost for "+auditTable, "operation", y.operation, "actor", y.actor, "via", y.via, "target", y.target, "result", y.result, "error", err)
			}
		}
		for _, y := range list {
			close(y.kept)
		}
		select {
		case word <- struct{}{}:
		default:
		}
	}
	close(word)
	<-written
	close(d.audited)
}

// writeAudit writes what is kept into the tables: what was left when the daemon ran
// last, and what comes at each word.
func (d *Daemon) writeAudit(word <-chan struct{}, written chan<- struct{}) {
	defer close(written)
	again := time.NewTicker(deedsAgain)
	defer again.Stop()
	told := false
	ready := d.ready
	for more := true; more; {
		select {
		case <-ready: // the tables are there
			ready = nil
		case _, more = <-word:
		case <-again.C:
		}
		select {
		case <-d.ready:
		default:
			continue
		}
		err := d.writeDeeds(context.Background())
		if err != nil && !told {
			d.log.Error("deeds wait for "+auditTable+"; they are kept and written when it can be", "error", err)
		}
		told = err != nil
	}
}

// writeDeeds writes the deeds that are kept. Those of a tenant whose store is not
// open wait; those of one that is no more are dropped.
func (d *Daemon) writeDeeds(ctx context.Context) error {
	var after state.Deed
	for {
		list, err := d.state.Deeds(ctx, after, deedsAtOnce)
		if err != nil || len(list) == 0 {
			return err
		}
		after = list[len(list)-1]
		batches := map[*workspace][]glassward.Record{}
		var done []state.Deed
		d.mu.RLock()
		for _, x := range list {
			open := 0
			for id, w := range d.workspaces {
				if x.Tenant == "" || x.Tenant == id {
					batches[w] = append(batches[w], deedRecord(x))
					open++
				}
			}
			if _, configured := d.config.Tenant(x.Tenant); open > 0 || x.Tenant == "" || !configured {
				done = append(done, x)
			}
		}
		d.mu.RUnlock()
		for w, records := range batches {
			// The same again adds nothing.
			if _, err := w.append(ctx, records, nil); err != nil {
				return fmt.Errorf("tenant %s: %w", w.tenantID(), err)
			}
		}
		if err := d.state.DropDeeds(ctx, done); err != nil {
			return err
		}
	}
}

// row makes a deed what the control store keeps.
func (x deed) row() state.Deed {
	var id glassward.RecordID
	_, _ = rand.Read(id[:])                 // never fails
	body, _ := json.Marshal(map[string]any{ // texts
		"OperationName": x.operation, "Actor": x.actor, "Via": x.via, "Target": x.target, "Detail": x.detail, "Result": x.result,
	})
	return state.Deed{ID: hex.EncodeToString(id[:]), Tenant: x.tenant, At: x.at, Body: body}
}

// deedRecord makes a deed that was kept a record of the table.
func deedRecord(x state.Deed) glassward.Record {
	t, ok := schema.Lookup(auditTable)
	if !ok {
		panic("schema: there is no table " + auditTable)
	}
	var id glassward.RecordID
	raw, _ := hex.DecodeString(x.ID) // of a RecordID
	copy(id[:], raw)
	cells := map[string]any{}
	_ = json.Unmarshal(x.Body, &cells) // of texts
	return ownRecordOf(t, id, x.At.UTC(), cells)
}
