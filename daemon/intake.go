package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"glassward"
	"glassward/console"
	"glassward/ingest"
	"glassward/lag"
	"glassward/logstore"
)

// gateway is what the console reaches workspaces through.
type gateway struct{ d *Daemon }

// Installation is the name under which the incidents that concern no one tenant
// are found, where a tenant's name would stand: broken files, damaged stores.
const Installation = "glassward"

// Workspace gives the tenant that a name means.
func (g gateway) Workspace(name string) (string, bool) {
	if strings.EqualFold(name, Installation) {
		return Installation, true
	}
	g.d.mu.RLock()
	defer g.d.mu.RUnlock()
	t, ok := g.d.config.Tenant(name)
	return t.ID, ok
}

// maxRefusals is how many refused records an answer names; all of them are in
// the rejects file.
const maxRefusals = 100

// Ingest decodes a pushed body and commits it batch by batch.
func (g gateway) Ingest(ctx context.Context, tenant string, p console.Push, body io.Reader) (console.Receipt, error) {
	r := console.Receipt{Tables: map[string]int{}}
	w, err := g.d.find(tenant)
	if err != nil {
		return r, err
	}
	stream := ingest.NewStream("push:"+p.Source, body, ingest.DecoderOptions{
		Provenance: provenanceOf(p), Table: p.Table, Tenant: tenant, Now: g.d.now,
		Fill: p.Whole,
	})
	err = stream.Run(ctx, nil, func(ctx context.Context, b *ingest.Batch, _ *ingest.Cursor) error {
		r.Rejected += len(b.Rejects)
		for _, x := range b.Rejects[:min(len(b.Rejects), maxRefusals-len(r.Rejects))] {
			r.Rejects = append(r.Rejects, console.Refusal{Line: x.Line, Reason: x.Reason})
		}
		if err := w.rejects.add(b.Rejects); err != nil {
			return err
		}
		if len(b.Records) == 0 {
			return nil
		}
		c, err := w.inTurn(ctx, b.Records)
		if err != nil {
			return err
		}
		source := w.sourceName("push:" + p.Source)
		for i := range c.Records {
			way := c.Records[i].Received.Sub(c.Records[i].Time)
			w.lag.Way().Took(lag.Received, way, 1)
			w.took(lag.EventToReceipt, source, way)
		}
		r.Records += len(b.Records)
		r.Added += c.Added
		r.Updated += c.Updated
		r.Duplicates += c.Duplicates
		r.Conflicts += len(c.Conflicts)
		for i := range b.Records {
			r.Tables[b.Records[i].Table]++
		}
		return nil
	})
	var low *logstore.DiskLowError
	if errors.As(err, &low) {
		g.d.reportDisk(ctx, w, low)
		return r, fmt.Errorf("%w: %v", console.ErrBusy, low)
	}
	if errors.Is(err, logstore.ErrClosed) {
		// The workspace is being replaced by a backup: the pusher comes again.
		return r, fmt.Errorf("%w: %v", console.ErrBusy, err)
	}
	return r, err
}

// inTurn takes in pushed records when it is the tenant's turn.
func (w *workspace) inTurn(ctx context.Context, records []glassward.Record) (logstore.Committed, error) {
	done, err := w.d.turns.take(ctx, w.tenantID(), len(records))
	if err != nil {
		return logstore.Committed{}, err
	}
	defer done()
	return w.append(ctx, w.kept(records), nil)
}

// provenanceOf says how far a push can be trusted: what the folder's owner hands
// over through the control socket is as good as a file that he gives.
func provenanceOf(p console.Push) glassward.Provenance {
	if p.Source == console.Local.Source {
		return glassward.File
	}
	return glassward.Pushed
}

// A rejectsFile keeps what could not be understood, for ingest --retry.
type rejectsFile struct {
	path string
	low  func() error // why nothing is written now: the disk is nearly full
	// keep says, if anything, which records are stored: of the others no byte is.
	keep *atomic.Pointer[func(*glassward.Record) bool]
	mu   sync.Mutex
}

func (f *rejectsFile) add(rejects []ingest.Reject) error {
	if len(rejects) == 0 {
		return nil
	}
	rejects = f.withheld(rejects)
	// Rejects fill a disk as records do.
	if err := f.low(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep rejected records: %w", err)
	}
	if err := ingest.WriteRejects(file, rejects); err != nil {
		return errors.Join(fmt.Errorf("keep rejected records: %w", err), file.Close())
	}
	return file.Close()
}

// withheld gives the rejects without the text of those that the tenant's file
// wants nothing stored of. Their place and reason stay.
func (f *rejectsFile) withheld(rejects []ingest.Reject) []ingest.Reject {
	if f.keep == nil || f.keep.Load() == nil {
		return rejects
	}
	keep := *f.keep.Load()
	out := slices.Clone(rejects)
	for i := range out {
		if !keep(&glassward.Record{Raw: out[i].Raw}) {
			out[i].Raw, out[i].Partial = nil, true
		}
	}
	return out
}
