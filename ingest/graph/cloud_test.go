package graph_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
	"glassward/ingest/graph"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// A shelf keeps what a source gives: the latest content by key, and the cursors.
type shelf struct {
	mu      sync.Mutex
	cursors map[string][]byte
	ids     map[string]map[string]bool // by table
	rejects []ingest.Reject
	faults  []string
	holes   []string
	fail    int // emits until one fails
}

var errCut = errors.New("cut")

func (s *shelf) Cursor(_ context.Context, source string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.cursors[source]
	return c, ok, nil
}

func (s *shelf) emit(_ context.Context, b *ingest.Batch, c *ingest.Cursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail--; s.fail == 0 {
		return errCut
	}
	for i := range b.Records {
		r := &b.Records[i]
		key := r.EntraID
		if r.Table == "AADRiskyUsers" {
			key += "/" + r.Time.UTC().Format(time.RFC3339)
		}
		if s.ids[r.Table] == nil {
			s.ids[r.Table] = map[string]bool{}
		}
		s.ids[r.Table][key] = true
	}
	s.rejects = append(s.rejects, b.Rejects...)
	if c != nil {
		s.cursors[c.Source] = slices.Clone(c.Position)
	}
	return nil
}

func (s *shelf) observe(r ingest.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Fault != nil:
		s.faults = append(s.faults, r.Stream+": "+r.Fault.Error())
	case r.Hole != nil:
		s.holes = append(s.holes, r.Hole.What)
	}
}

// A morning of a made-up tenant and the hours after it, read through the same
// servers that all sources are tried with, by a real credential, with empty
// pages, outages, lost links and restarts: the store holds every id that the
// tenant showed and no other.
func TestAMorningOfATenant(t *testing.T) {
	t.Setenv("GLASSWARD_TEST_SECRET", "s3cret")
	synctest.Test(t, func(t *testing.T) {
		// A Monday morning; the bubble's time begins at midnight of a Saturday.
		time.Sleep(2*24*time.Hour + 7*time.Hour)
		begin := time.Now()
		rates := entrasim.Normal()
		rates.Provisioning, rates.Risk = rates.Provisioning+60, rates.Risk+60
		world := entrasim.NewWorld(entrasim.Options{Seed: 3, Start: time.Now(), Users: 60, Rates: &rates, Late: 0.02, Repeated: 0.02})
		world.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s3cret", From: time.Now().Add(-time.Hour), To: time.Now().Add(1000 * time.Hour)})
		servers := cloud.New(cloud.Options{Worlds: []*entrasim.World{world}, Seed: 4})
		defer servers.Close()
		httpClient, e := servers.Pipe()
		public, _ := entra.LookupCloud("")
		public.Authority, public.Graph = e.Authority, e.Graph
		credential, err := entra.NewCredential(entra.CredentialOptions{Cloud: public, Tenant: world.Tenant().ID, ClientID: entrasim.GlasswardApp,
			ClientSecret: glassward.Secret("env:GLASSWARD_TEST_SECRET"), HTTP: httpClient})
		if err != nil {
			t.Fatal(err)
		}
		servers.Faults().EmptyPages(3)

		store := &shelf{cursors: map[string][]byte{}, ids: map[string]map[string]bool{}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		restarts := 0
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				source, err := graph.New(graph.Options{Tenant: world.Tenant().ID, Observe: store.observe,
					Client:  entra.NewClient(entra.ClientOptions{Service: entra.Graph, Cloud: public, Credential: credential, HTTP: httpClient}),
					Streams: []graph.Stream{graph.InteractiveSignIns, graph.NonInteractiveSignIns, graph.DirectoryAudits, graph.Provisioning, graph.RiskDetections, graph.RiskyUsers}})
				if err != nil {
					t.Error(err)
					return
				}
				store.mu.Lock()
				store.fail = 400 // a restart every hour or two, in the midst of whatever is done
				store.mu.Unlock()
				err = source.Run(ctx, store, store.emit)
				if errors.Is(err, errCut) {
					restarts++
				} else if ctx.Err() == nil {
					t.Errorf("Run gave %v", err)
					return
				}
			}
		}()

		time.Sleep(90 * time.Minute)
		servers.Faults().ExpireLinks()
		time.Sleep(20 * time.Minute)
		end := servers.Faults().Outage(cloud.Graph, "")
		time.Sleep(50 * time.Minute)
		end()
		time.Sleep(40 * time.Minute)
		end = servers.Faults().HTML(cloud.Graph, "")
		time.Sleep(20 * time.Minute)
		end()
		time.Sleep(time.Hour)
		world.Quiet()
		time.Sleep(time.Hour)
		seen := time.Now()
		// The look of 36 hours comes once more.
		time.Sleep(5 * time.Hour)
		cancel()
		<-done

		tables := map[entrasim.Kind]string{entrasim.InteractiveSignIn: "SigninLogs", entrasim.NonInteractiveSignIn: "AADNonInteractiveUserSignInLogs",
			entrasim.DirectoryAudit: "AuditLogs", entrasim.Provisioning: "AADProvisioningLogs", entrasim.RiskDetection: "AADUserRiskEvents", entrasim.RiskyUser: "AADRiskyUsers"}
		truth, made := map[string]map[string]bool{}, map[string]map[string]bool{}
		last := map[string]*entrasim.Event{}
		shown := map[string][]string{}
		for _, a := range world.Appearances(entrasim.Graph, time.Time{}, time.Now()) {
			table := tables[a.Event.Kind]
			shown[a.Event.ID] = append(shown[a.Event.ID], fmt.Sprintf("of %v, seen from %v", a.Event.At.Sub(begin), a.At.Sub(begin)))
			if tables[a.Event.Kind] == "" {
				continue
			}
			if truth[table] == nil {
				truth[table], made[table] = map[string]bool{}, map[string]bool{}
			}
			// Of a risky user Graph shows the present state alone.
			if a.Event.Kind == entrasim.RiskyUser {
				if l := last[a.Event.ID]; l == nil || l.At.Before(a.Event.At) {
					last[a.Event.ID] = a.Event
				}
				continue
			}
			made[table][a.Event.ID] = true
			if !a.At.After(seen) {
				truth[table][a.Event.ID] = true
			}
		}
		for _, e := range last {
			truth["AADRiskyUsers"][e.ID+"/"+e.At.UTC().Format(time.RFC3339)] = true
		}
		for _, table := range tables {
			missing, surplus := 0, 0
			for id := range truth[table] {
				if !store.ids[table][id] {
					missing++
					t.Logf("%s of %s is missing: %v", id, table, shown[id])
				}
			}
			for id := range store.ids[table] {
				if !made[table][id] {
					surplus++
				}
			}
			t.Logf("%s: %d", table, len(truth[table]))
			if missing > 0 || surplus > 0 && table != "AADRiskyUsers" || len(truth[table]) == 0 {
				t.Errorf("%s: the tenant made %d, %d are missing and %d are too many", table, len(truth[table]), missing, surplus)
			}
		}
		if len(store.rejects) > 0 || len(store.holes) > 0 {
			t.Errorf("rejects %v, holes %v", store.rejects[:min(3, len(store.rejects))], store.holes)
		}
		if restarts < 5 || len(store.faults) == 0 {
			t.Errorf("%d restarts and %d faults: too calm a morning", restarts, len(store.faults))
		}
		t.Log(fmt.Sprint(restarts, " restarts; faults: ", len(store.faults)))
		for _, f := range store.faults[:min(5, len(store.faults))] {
			t.Log(f)
		}
	})
}
