package pulse_test

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"glassward/entra"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
	"glassward/pulse"
)

// TestThePulseIsSeenOnEveryRoad sends pulses to the simulated tenant and waits
// for the row of each by the id that the token service told.
func TestThePulseIsSeenOnEveryRoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		still := entrasim.Still()
		w := entrasim.NewWorld(entrasim.Options{Seed: 3, Start: time.Now(), Rates: &still, Prompt: true})
		sim := cloud.New(cloud.Options{Worlds: []*entrasim.World{w}})
		defer sim.Close()
		client, at := sim.Pipe()
		where := entra.Cloud{Name: "simulated", Authority: at.Authority, Graph: at.Graph, Activity: at.Activity, ResourceManager: at.ResourceManager, LogAnalytics: at.LogAnalytics}
		app := w.Register(entrasim.Application{DisplayName: "Pulse"})
		canary := w.Canary()
		options := pulse.Options{Cloud: where, Tenant: w.Tenant().ID, User: canary.UserPrincipalName, UserID: canary.ID, ClientID: app.AppID, HTTP: client,
			Roles: func(context.Context) ([]string, error) { return nil, nil }}
		p, err := pulse.New(options)
		if err != nil {
			t.Fatal(err)
		}
		// Smart lockout locks the canary after ten wrong passwords; rows go on coming.
		outcomes := map[pulse.Outcome]int{}
		for i := range 12 {
			began := time.Now()
			sent, err := p.Send(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			outcomes[sent.Outcome]++
			time.Sleep(5 * time.Second)
			w.Advance(time.Now())
			for _, road := range []entrasim.Road{entrasim.Graph, entrasim.EventHub, entrasim.Storage, entrasim.Workspace, entrasim.Activity} {
				shown := w.Appearances(road, began.Add(-time.Second), time.Now())
				if len(shown) != 1 || shown[0].Event.ID != sent.RequestID {
					t.Fatalf("pulse %d: %s shows %+v, and not %s alone", i, road, shown, sent.RequestID)
				}
				if e := shown[0].Event; e.UserID != canary.ID || e.Kind != entrasim.InteractiveSignIn || strconv.Itoa(e.Code) != sent.Code {
					t.Errorf("%+v after %+v", e, sent)
				}
				var row struct{ ID string }
				if road == entrasim.Graph && (json.Unmarshal(shown[0].Event.Graph(1), &row) != nil || row.ID != sent.RequestID) {
					t.Errorf("Graph gives the id %q", row.ID)
				}
			}
		}
		if outcomes[pulse.WrongPassword] != 10 || outcomes[pulse.Locked] != 2 {
			t.Errorf("outcomes %v", outcomes)
		}

		// A name that nobody has leaves no row, and is told.
		options.User = "nobody@" + w.Tenant().Domain
		if p, err = pulse.New(options); err != nil {
			t.Fatal(err)
		}
		before := len(w.Events())
		if sent, err := p.Send(t.Context()); err == nil {
			t.Errorf("nobody's pulse: %+v", sent)
		}
		if n := len(w.Events()); n != before {
			t.Errorf("%d events of nobody", n-before)
		}
	})
}
