package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/config"
	"glassward/incident"
	"glassward/ingest"
	"glassward/lag"
	"glassward/notify"
	"glassward/state"
)

// refusing is a control store that takes nothing while it refuses.
type refusing struct {
	incident.Store
	refuses atomic.Bool
}

func (r *refusing) Commit(ctx context.Context, f func(incident.Tx) error) error {
	if r.refuses.Load() {
		return errors.New("the disk is full")
	}
	return r.Store.Commit(ctx, f)
}

// bare makes a daemon with a control store, and a workspace without a store.
func bare(t *testing.T) (*Daemon, *workspace, *refusing) {
	t.Helper()
	s, err := state.Open(t.Context(), t.TempDir(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	store := &refusing{Store: s}
	d := &Daemon{log: slog.New(slog.DiscardHandler), now: time.Now, state: s, untold: newBacklog()}
	if d.desk, err = incident.NewDesk(incident.DeskOptions{Store: store, Policy: func(string) incident.Policy { return incident.Policy{} }}); err != nil {
		t.Fatal(err)
	}
	fleet, err := notify.NewFleet(notify.Config{}, notify.Network{})
	if err != nil {
		t.Fatal(err)
	}
	if d.courier, err = notify.New(notify.Options{Outbox: s, Fleet: fleet, Log: d.log}); err != nil {
		t.Fatal(err)
	}
	w := &workspace{d: d, log: d.log, lag: lag.New(lag.Options{}), failing: map[string]time.Time{}, well: map[string]bool{}, tenant: config.Tenant{ID: "t"}, ctx: t.Context()}
	return d, w, store
}

// health gives the alerts of our own health.
func health(t *testing.T, d *Daemon) []glassward.Incident {
	t.Helper()
	list, _, err := d.state.Incidents(t.Context(), state.IncidentFilter{Tenants: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAFaultIsToldWhenTheStoreTakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, store := bare(t)
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { d.retell(ctx) })
		h := incident.Health{Cause: "source", Subject: "graph", Title: "Source graph cannot be read", Severity: glassward.High, Since: time.Now()}
		store.refuses.Store(true)
		gone, cancel := context.WithCancel(t.Context())
		cancel() // whoever found it has gone away
		d.tell(gone, "t", h)
		time.Sleep(time.Minute)
		store.refuses.Store(false)
		time.Sleep(retellEvery + time.Second)
		if list := health(t, d); len(list) != 1 || list[0].Status == glassward.StatusClosed {
			t.Fatalf("a fault that could not be told at once: %+v", list)
		}
		// What is told of one thing comes in its order.
		store.refuses.Store(true)
		h.Over = true
		d.tell(gone, "t", h)
		store.refuses.Store(false)
		again := h
		again.Over, again.Since = false, time.Now()
		d.tell(gone, "t", again)
		stop()
		work.Wait() // the end tells what is left
		list := health(t, d)
		open := 0
		for _, x := range list {
			if x.Status != glassward.StatusClosed {
				open++
			}
		}
		if open != 1 {
			t.Errorf("a fault that was over and began again leaves %d open incidents of %d", open, len(list))
		}
	})
}

// failingSource ends at once.
type failingSource struct{ ends error }

func (failingSource) Name() string { return "failing" }

func (s failingSource) Run(ctx context.Context, _ ingest.Cursors, _ ingest.Emit) error {
	if s.ends == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.ends
}

func TestASourceThatFailsAgainAndAgainIsOneAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, store := bare(t)
		store.refuses.Store(true) // so that everything told is there to count
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		ends := errors.New("the store cannot commit")
		road := road{name: "folder:in", watch: newWatch(time.Now()), open: func(ingest.Observer) (ingest.Source, error) { return failingSource{ends}, nil }}
		work.Go(func() { w.follow(ctx, road) })
		time.Sleep(10 * time.Minute)
		if list := d.untold.waiting(); len(list) != 1 || list[0].fault.Over {
			t.Errorf("ten minutes of one fault told %d times: %+v", len(list), list)
		}
		stop()
		work.Wait()

		// It is over when the source runs, and only then.
		ends = nil
		ctx, stop = context.WithCancel(t.Context())
		work.Go(func() { w.follow(ctx, road) })
		time.Sleep(time.Minute)
		stop()
		work.Wait()
		if list := d.untold.waiting(); len(list) != 2 || !list[1].fault.Over {
			t.Errorf("the end of the fault was told so: %+v", list)
		}
	})
}

func TestTwoStreamsThatNeedTheNextRoadSetOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w, _ := bare(t)
		j := &journey{w: w}
		j.ctx, j.cancel = context.WithCancel(t.Context())
		var runs atomic.Int32
		for range 2 {
			j.set(road{name: activityName, open: func(ingest.Observer) (ingest.Source, error) {
				runs.Add(1)
				return failingSource{}, nil
			}})
		}
		synctest.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("%d sources read at one cursor", n)
		}
		j.end()
	})
}

func TestAnAccountOfAnotherKindIsAskedForElsewhere(t *testing.T) {
	a := config.Tenant{EmergencyAccounts: []config.EmergencyAccount{{ObjectID: "a1", Kind: "user"}}}
	b := config.Tenant{EmergencyAccounts: []config.EmergencyAccount{{ObjectID: "a1", Kind: "servicePrincipal"}}}
	if sameRoads(a, b) {
		t.Error("the roads would go on asking for a service principal among the users")
	}
	if !sameRoads(a, a) {
		t.Error("the same file travels the same roads")
	}
}

func TestRejectsOfOthersAreNotKept(t *testing.T) {
	const mine = "0b9e5d10-41a7-4c2e-9c33-51a7e0d40101"
	f := &rejectsFile{keep: new(atomic.Pointer[func(*glassward.Record) bool])}
	f.keep.Store(keepOnly(config.Tenant{Keep: config.KeepProtectedOnly, EmergencyAccounts: []config.EmergencyAccount{{ObjectID: mine}}}))
	in := []ingest.Reject{{Line: 1, Raw: []byte(`{"userId":"` + mine + `"`)}, {Line: 2, Raw: []byte(`{"userPrincipalName":"eve@example.org"`)}}
	out := f.withheld(in)
	if string(out[0].Raw) != string(in[0].Raw) || len(out[1].Raw) != 0 || out[1].Line != 2 || len(in[1].Raw) == 0 {
		t.Errorf("kept: %+v of %+v", out, in)
	}
}

// waiting gives what waits to be told.
func (b *backlog) waiting() []untold {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.list)
}
