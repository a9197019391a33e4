package workspace_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
	"glassward/ingest/workspace"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

type keep struct {
	mu      sync.Mutex
	ids     map[glassward.RecordID]string // table and Entra's id
	rejects []ingest.Reject
	cursors map[string][]byte
}

func (k *keep) Cursor(_ context.Context, source string) ([]byte, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.cursors[source]
	return p, ok, nil
}

func (k *keep) emit(_ context.Context, b *ingest.Batch, c *ingest.Cursor) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range b.Records {
		k.ids[r.ID] = r.Table + " " + r.EntraID
	}
	k.rejects = append(k.rejects, b.Rejects...)
	k.cursors[c.Source] = slices.Clone(c.Position)
	return nil
}

// TestSimulatedTenant reads a day of a made-up tenant's workspace, with restarts,
// and compares with what the tenant made.
func TestSimulatedTenant(t *testing.T) {
	t.Setenv("WORKSPACE_TEST_SECRET", "s3cret")
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		world := entrasim.NewWorld(entrasim.Options{Seed: 11, Start: begun, Users: 10, Late: 0.01, Repeated: 0.01})
		world.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s3cret", To: begun.Add(30 * 24 * time.Hour)})
		c := cloud.New(cloud.Options{Worlds: []*entrasim.World{world}, Seed: 11})
		client, at := c.Pipe()
		defer c.Close()
		id := world.Tenant().ID
		known, _ := entra.LookupCloud("")
		known.Authority, known.LogAnalytics = at.Authority, at.LogAnalytics
		credential, err := entra.NewCredential(entra.CredentialOptions{Cloud: known, Tenant: id, ClientID: entrasim.GlasswardApp, ClientSecret: "env:WORKSPACE_TEST_SECRET", HTTP: client})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var said []ingest.Report
		src, err := workspace.New(workspace.Options{
			Tenant: id, Workspace: entrasim.Workspaces(id),
			Client: entra.NewClient(entra.ClientOptions{Service: entra.LogAnalytics, Cloud: known, Credential: credential, HTTP: client}),
			Every:  20 * time.Minute,
			Observe: func(r ingest.Report) {
				if r.Polled == nil {
					mu.Lock()
					said = append(said, r)
					mu.Unlock()
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		k := &keep{ids: map[glassward.RecordID]string{}, cursors: map[string][]byte{}}
		for _, life := range []time.Duration{7 * time.Hour, 2 * time.Hour, 16 * time.Hour} {
			ctx, cancel := context.WithTimeout(context.Background(), life)
			_ = src.Run(ctx, k, k.emit)
			cancel()
			time.Sleep(11 * time.Minute)
		}
		want, tables := map[string]bool{}, workspace.Usual()
		for _, a := range world.Appearances(entrasim.Workspace, begun, begun.Add(24*time.Hour)) {
			if table := a.Event.Kind.Table(); slices.Contains(tables, table) {
				want[table+" "+a.Event.ID] = true
			}
		}
		have := map[string]bool{}
		for _, id := range k.ids {
			have[id] = true
		}
		missing := 0
		for id := range want {
			if !have[id] {
				if missing++; missing < 5 {
					t.Errorf("%s is missing", id)
				}
			}
		}
		if missing > 0 || len(want) < 50 {
			t.Errorf("%d of %d are missing", missing, len(want))
		}
		if len(k.rejects) > 0 {
			t.Errorf("%d rejects, the first: %s", len(k.rejects), k.rejects[0].Reason)
		}
		for _, r := range said {
			t.Errorf("%s: %v %+v", r.Stream, r.Fault, r.Hole)
		}
		t.Logf("%d records of %d wanted", len(have), len(want))
		client.CloseIdleConnections()
	})
}
