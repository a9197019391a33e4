package daemon

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/config"
	"glassward/entra"
	"glassward/ingest"
	"glassward/lag"
	"glassward/logstore"
	"glassward/rule"
)

// A road is one source of a workspace at work, with what it is expected to bring.
type road struct {
	name string
	// tables are what it is expected to fill; nil where silence means nothing, as
	// with a folder that people put files into.
	tables  []string
	sameIDs bool
	// open makes the source, anew each time that it has to begin again.
	open  func(ingest.Observer) (ingest.Source, error)
	watch *watch
}

// pauseFor is how long a road waits while intake pauses, or after the store
// refused a batch.
const pauseFor = 5 * time.Second

// wellAfter is how long a source has to run for its fault to be over, though it
// brings nothing and says nothing.
const wellAfter = 30 * time.Second

// follow takes in what comes by a road until ctx ends. It never gives up: what
// goes wrong is an alarm, and is tried again from the cursor.
func (w *workspace) follow(ctx context.Context, r road) {
	for ctx.Err() == nil {
		err := ingest.Guard(func() error {
			source, err := r.open(func(x ingest.Report) { w.hear(r, x) })
			if err != nil {
				return err
			}
			r.watch.follow(source)
			well := time.AfterFunc(wellAfter, func() { w.d.sourceIsWell(ctx, w, r.name) })
			defer well.Stop()
			return w.takeIn(r).Run(ctx, source, w.store)
		})
		if ctx.Err() != nil {
			return
		}
		var low *logstore.DiskLowError
		switch {
		case errors.As(err, &low):
			w.d.reportDisk(ctx, w, low)
		case errors.Is(err, errNoReach):
			// What is wrong with the application is told once, what it blinds by the road.
			w.hear(r, ingest.Report{Tables: r.tables, At: w.d.now(), Fault: err})
		case err != nil:
			w.d.reportSource(ctx, w, r.name, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauseFor):
		}
	}
}

// takeIn gives the way of a road's batches into the store. A source that is far
// behind says so, and its batches are then written by whole blocks, and judged
// when they are durable.
func (w *workspace) takeIn(r road) ingest.Bulk {
	load := w.store.Load()
	var last int64 // the newest sequence number that is loaded and not flushed, 0 if there is none
	return ingest.Bulk{
		Append: func(ctx context.Context, b *ingest.Batch, c *ingest.Cursor) error {
			return w.batch(ctx, r, b, c, w.append)
		},
		Load: func(ctx context.Context, b *ingest.Batch, c *ingest.Cursor) error {
			return w.batch(ctx, r, b, c, func(ctx context.Context, records []glassward.Record, cursor *logstore.Cursor) (logstore.Committed, error) {
				done, err := load.Add(ctx, logstore.Batch{Records: records, Cursor: cursor})
				if err != nil {
					w.unsure.Store(true)
					var lost *logstore.LoadError
					if errors.As(err, &lost) {
						// Their numbers may be given again.
						last = 0
					}
					return done, err
				}
				w.d.diskIsWell(ctx, w)
				last = max(last, done.LastSeq)
				if len(done.Conflicts) > 0 {
					w.reportConflicts(context.WithoutCancel(ctx), done.Conflicts)
				}
				return done, nil
			})
		},
		Flush: func(ctx context.Context) error {
			err := load.Flush(ctx)
			if err != nil {
				w.unsure.Store(true)
			} else if last > 0 {
				w.offer(rule.Batch{From: nowhere, To: last})
			}
			last = 0
			return err
		},
		Records: logstore.LoadRows,
	}
}

// batch takes in one batch of a road, in its turn, by the store's way that put is.
func (w *workspace) batch(ctx context.Context, r road, b *ingest.Batch, c *ingest.Cursor,
	put func(context.Context, []glassward.Record, *logstore.Cursor) (logstore.Committed, error)) error {
	// Rejects first: a crash between the two writes them twice, and loses none.
	if err := w.rejects.add(b.Rejects); err != nil {
		return err
	}
	var cursor *logstore.Cursor
	if c != nil {
		cursor = &logstore.Cursor{Source: c.Source, Position: c.Position}
	}
	if len(b.Records) == 0 && cursor == nil {
		return nil
	}
	done, err := w.d.turns.take(ctx, w.tenantID(), len(b.Records))
	if err != nil {
		return err
	}
	defer done()
	committed, err := put(ctx, w.kept(b.Records), cursor)
	if err != nil {
		return err
	}
	fresh := make(map[glassward.RecordID]bool, len(committed.Records))
	for i := range committed.Records {
		fresh[committed.Records[i].ID] = true
	}
	seen := r.watch.sightings(b.Records, fresh, w.d.now())
	w.lag.Seen(r.name, seen)
	for _, s := range seen {
		if !s.Backfill {
			w.lag.Way().Took(lag.Received, s.Received.Sub(s.Event), 1)
			w.took(lag.EventToReceipt, r.name, s.Received.Sub(s.Event))
		}
	}
	return nil
}

// kept gives the records that the tenant's file wants stored. It moves them to the
// front of the slice.
func (w *workspace) kept(records []glassward.Record) []glassward.Record {
	keep := w.keep.Load()
	if keep == nil {
		return records
	}
	n := 0
	for i := range records {
		if (*keep)(&records[i]) {
			// What is left out goes to the back: it still says when it came.
			records[n], records[i] = records[i], records[n]
			n++
		}
	}
	return records[:n]
}

// keepOnly says which records are stored. Of protected-only these are the ones
// that name an emergency account or what protects it, changes of policies, which
// every account's way in depends on, and what shipped rules tell whoever it concerns.
func keepOnly(t config.Tenant) *func(*glassward.Record) bool {
	if t.Keep != config.KeepProtectedOnly {
		return nil
	}
	ids := t.Watched()
	if t.Pulse != nil {
		ids = append(ids, t.Pulse.ObjectID)
	}
	named, anywhere := logstore.Naming(ids), rule.ToldAnywhere()
	keep := func(r *glassward.Record) bool {
		return named(r) || r.Table == "AuditLogs" && (text(r, "Category") == "Policy" || anywhere(text(r, "OperationName")))
	}
	return &keep
}

// hear takes a source's word about itself.
func (w *workspace) hear(r road, x ingest.Report) {
	r.watch.report(x)
	out := lag.Report{Stream: x.Stream, Tables: x.Tables, At: x.At}
	switch {
	case x.Polled != nil:
		p := lag.Polled(*x.Polled)
		out.Polled = &p
		w.d.sourceIsWell(w.ctx, w, r.name)
	case x.Hole != nil:
		h := lag.Hole(*x.Hole)
		out.Hole = &h
		w.log.Error("records are lost to this road", "road", r.name, "stream", x.Stream, "from", x.Hole.From, "to", x.Hole.To, "what", x.Hole.What)
	case x.Fault != nil:
		f := lag.Fault{Kind: "source", Text: x.Fault.Error()}
		var fault *entra.Fault
		if errors.Is(x.Fault, errNoReach) {
			f.Kind, f.Lasting = "application", true
		} else if errors.As(x.Fault, &fault) {
			f.Kind, f.Lasting = string(fault.Kind), fault.Kind.Lasting()
			w.nextRoad(r, x, fault)
		}
		out.Fault = &f
		if errors.Is(x.Fault, errNoReach) {
			break // travel has said it
		}
		w.log.Warn("a road has a fault", "road", r.name, "stream", x.Stream, "kind", f.Kind, "error", x.Fault)
	default:
		return
	}
	w.lag.Report(r.name, out)
}

// A journey is the roads of one configuration under way.
type journey struct {
	w      *workspace
	tenant config.Tenant
	reach  *reach
	key    keyFile
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu   sync.Mutex // guards list
	list []road
}

// travel begins the roads that are configured now, and ends those that were
// before. It waits for these: two sources at one cursor would fight.
func (w *workspace) travel() {
	w.depart.Lock()
	defer w.depart.Unlock()
	w.setOut()
}

// setOut is travel for who holds depart.
func (w *workspace) setOut() {
	if before := w.journey.Load(); before != nil {
		before.end()
	}
	w.mu.Lock()
	t := w.tenant
	w.mu.Unlock()
	w.keep.Store(keepOnly(t))
	j := &journey{w: w, tenant: t, key: keyFileOf(t)}
	j.ctx, j.cancel = context.WithCancel(w.ctx)
	w.journey.Store(j)
	var err error
	if j.reach, err = reachOf(t, w.d.o.Network, w.d.now); err != nil {
		// The roads that need nobody's services are travelled all the same.
		w.d.reportSource(j.ctx, w, "application", err)
	} else {
		w.d.sourceIsWell(j.ctx, w, "application")
	}
	if j.reach == nil {
		w.work.Go(func() { w.reachAgain(j) })
	}
	j.set(w.roadsOf(t, j.reach)...)
	if j.reach != nil && j.reach.credential != nil {
		j.work.Go(func() { w.mind(j.ctx, "watching the application", func(context.Context) { j.watchSelf() }) })
	}
	if j.reach != nil && j.reach.credential != nil && t.Sources.Directory != nil {
		j.work.Go(func() {
			w.mind(j.ctx, "looking at what protects the accounts", func(context.Context) { j.watchDirectory() })
		})
	}
	if t.Application == nil {
		j.work.Go(func() { w.noApplication(j.ctx) })
	}
	if j.reach != nil && t.Pulse != nil {
		j.work.Go(func() { w.mind(j.ctx, "the pulse", func(context.Context) { j.beat() }) })
	}
}

// reachEvery is how often it is tried whether an application can be used after
// all: its certificate may be mounted late, or mended.
const reachEvery = 15 * time.Second

// reachAgain sets out anew when the application of a journey that has none can be
// used.
func (w *workspace) reachAgain(j *journey) {
	for {
		select {
		case <-j.ctx.Done():
			return
		case <-time.After(reachEvery):
		}
		r, err := reachOf(j.tenant, w.d.o.Network, w.d.now)
		if err != nil {
			continue
		}
		r.close()
		w.depart.Lock()
		defer w.depart.Unlock()
		if j.ctx.Err() == nil {
			w.setOut()
		}
		return
	}
}

// set adds roads and sets out on them. One whose name is under way already stays
// as it is: two streams may find at once that they need it.
func (j *journey) set(more ...road) {
	j.mu.Lock()
	var added []road
	for _, r := range more {
		if slices.ContainsFunc(j.list, func(x road) bool { return x.name == r.name }) {
			continue
		}
		r.watch = newWatch(j.w.d.now())
		j.list, added = append(j.list, r), append(added, r)
	}
	j.w.lag.Expect(expected(j.list), j.w.d.now())
	j.mu.Unlock()
	for _, r := range added {
		j.work.Go(func() { j.w.follow(j.ctx, r) })
	}
}

// has says whether a road of that name is under way.
func (j *journey) has(name string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.list, func(r road) bool { return r.name == name })
}

// end ends every road and waits for it.
func (j *journey) end() {
	j.cancel()
	j.work.Wait()
	if j.reach != nil {
		j.reach.close()
	}
}

// renewed says whether the file of the credential is another than it was when the
// journey began: certificates are renewed in place.
func (j *journey) renewed() bool { return j != nil && j.key != keyFileOf(j.tenant) }

// A keyFile tells one state of a certificate's file from another.
type keyFile struct {
	size     int64
	modified time.Time
}

func keyFileOf(t config.Tenant) keyFile {
	if t.Application == nil {
		return keyFile{}
	}
	path, ok := strings.CutPrefix(string(t.Application.Certificate), "file:")
	if !ok {
		return keyFile{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return keyFile{}
	}
	return keyFile{info.Size(), info.ModTime()}
}

// expected gives the roads whose silence means something.
func expected(list []road) []lag.Road {
	var out []lag.Road
	for _, r := range list {
		if len(r.tables) > 0 {
			out = append(out, lag.Road{Name: r.name, Tables: r.tables, SameIDs: r.sameIDs})
		}
	}
	return out
}

// sameRoads says whether two versions of a tenant's file travel the same roads in
// the same way.
func sameRoads(a, b config.Tenant) bool {
	return reflect.DeepEqual(a.Sources, b.Sources) && reflect.DeepEqual(a.Folders, b.Folders) &&
		reflect.DeepEqual(a.Application, b.Application) && reflect.DeepEqual(a.Endpoints, b.Endpoints) && a.Cloud == b.Cloud &&
		reflect.DeepEqual(a.Pulse, b.Pulse) && a.Keep == b.Keep &&
		slices.Equal(a.Watched(), b.Watched()) && slices.EqualFunc(a.EmergencyAccounts, b.EmergencyAccounts, sameAccount)
}

// sameAccount says whether two entries are the same to a road, which asks for an
// account by its id and in the list of its kind.
func sameAccount(a, b config.EmergencyAccount) bool {
	return a.ObjectID == b.ObjectID && a.Kind == b.Kind && a.UserPrincipalName == b.UserPrincipalName
}
