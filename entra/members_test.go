package entra_test

import (
	"slices"
	"testing"
	"time"

	"glassward/entra"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// TestRolesAndOwners asks the simulated tenant who holds what, as the pulse and
// the watch over our own application do.
func TestRolesAndOwners(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 9, Start: time.Now().Add(-time.Hour)})
	sim := cloud.New(cloud.Options{Worlds: []*entrasim.World{w}})
	defer sim.Close()
	cert, _, text := identity(t, time.Now().Add(20*24*time.Hour))
	w.AddCertificate(entrasim.GlasswardApp, entrasim.Certificate{DER: cert.Raw, From: cert.NotBefore, To: cert.NotAfter})
	client, at := sim.Pipe()
	where := entra.Cloud{Name: "simulated", Authority: at.Authority, Graph: at.Graph, Activity: at.Activity, ResourceManager: at.ResourceManager, LogAnalytics: at.LogAnalytics}
	credential, err := entra.NewCredential(entra.CredentialOptions{Cloud: where, Tenant: w.Tenant().ID, ClientID: entrasim.GlasswardApp, Certificate: secretFile(t, text), HTTP: client})
	if err != nil {
		t.Fatal(err)
	}
	graph := entra.NewClient(entra.ClientOptions{Service: entra.Graph, Cloud: where, Credential: credential, HTTP: client, Pace: entra.Pace{Requests: 100, Per: time.Second}})

	for _, x := range []struct {
		user *entrasim.User
		want []string
	}{
		{w.Canary(), nil},
		{w.Decoy(), nil},
		{w.Emergency()[0], []string{"Global Administrator"}},
		{w.Administrators()[4], []string{"Helpdesk Administrator"}},
	} {
		for _, name := range []string{x.user.ID, x.user.UserPrincipalName} {
			got, err := entra.RolesOf(t.Context(), graph, name)
			if err != nil || !slices.Equal(got, x.want) {
				t.Errorf("%s holds %v, want %v (%v)", name, got, x.want, err)
			}
		}
	}
	if _, err := entra.RolesOf(t.Context(), graph, "11111111-2222-4333-8444-000000000000"); fault(t, err).Status != 404 {
		t.Errorf("nobody holds roles: %v", err)
	}

	inspect := func() *entra.Self {
		t.Helper()
		s, err := entra.Inspect(t.Context(), graph, credential, entra.Needs(entra.UseLogs, entra.UseSelf)...)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Principal.Known || !s.Registration.Known {
			t.Fatalf("principal %s, registration %s", s.Principal, s.Registration)
		}
		return s
	}
	before := inspect()
	if n := len(before.Principal.Value.Owners) + len(before.Registration.Value.Owners); n != 0 {
		t.Errorf("%d owners", n)
	}
	mira := w.Administrators()[0]
	w.AddOwner(entrasim.GlasswardApp, mira.ID)
	w.AddFederation(entrasim.GlasswardApp, entrasim.Federation{Issuer: "https://token.example", Subject: "repo:elsewhere", Audience: "api://AzureADTokenExchange"})
	after := inspect()
	for _, list := range [][]entra.Owner{after.Principal.Value.Owners, after.Registration.Value.Owners} {
		if len(list) != 1 || list[0].ID != mira.ID || list[0].Name != mira.DisplayName {
			t.Errorf("owners %+v", list)
		}
	}
	kinds := map[entra.FindingKind]int{}
	for _, f := range entra.Changes(before, after) {
		kinds[f.Kind]++
	}
	if kinds[entra.OwnerAdded] != 2 || kinds[entra.CredentialAdded] != 1 || len(kinds) != 2 {
		t.Errorf("changes %v", kinds)
	}
}
