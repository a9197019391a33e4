// Package tenanttest serves a simulated tenant, in memory and in virtual time, to the tests
// of what reads one.
package tenanttest

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/directory/graph"
	"glassward/entra"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// Begin is when the tenants begin: roles are held in them since 2024.
var Begin = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// A Tenant is a simulated one, of which nothing happens by itself, with our application in
// it.
type Tenant struct {
	World *entrasim.World
	Cloud *cloud.Cloud
	// Dir is a folder of the test's own, which is empty.
	Dir string
	// Secret is the file in which our application's secret stands.
	Secret string

	t          *testing.T
	http       *http.Client
	known      entra.Cloud
	credential *entra.Credential
}

// Play calls f in a bubble of virtual time, before a tenant with so many users that is
// served within limits; the zero ones are Microsoft's own. Our application has every
// permission by which Graph shows what a snapshot holds, and no other of the directory's.
// The bubble's test is the one that f gets.
func Play(t *testing.T, seed uint64, users int, limits cloud.Limits, f func(*testing.T, *Tenant)) {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(Begin))
		still := entrasim.Still()
		w := entrasim.NewWorld(entrasim.Options{Seed: seed, Start: time.Now(), Users: users, Rates: &still})
		w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s"})
		w.Revoke(entrasim.GlasswardApp, "Directory.Read.All") // it would show everything, whatever is taken
		for p := range graph.Permissions() {
			w.Grant(entrasim.GlasswardApp, p)
		}
		x := &Tenant{t: t, World: w, Dir: dir, Secret: secret, Cloud: cloud.New(cloud.Options{Worlds: []*entrasim.World{w}, Limits: limits})}
		defer x.Cloud.Close()
		var at cloud.Endpoints
		x.http, at = x.Cloud.Pipe()
		defer x.http.CloseIdleConnections()
		x.known = entra.Cloud{Name: "simulated", Authority: at.Authority, Graph: at.Graph, ResourceManager: at.ResourceManager}
		var err error
		x.credential, err = entra.NewCredential(entra.CredentialOptions{
			Cloud: x.known, Tenant: w.Tenant().ID, ClientID: entrasim.GlasswardApp, ClientSecret: glassward.Secret("file:" + secret), HTTP: x.http,
		})
		if err != nil {
			t.Fatal(err)
		}
		f(t, x)
	})
}

// Client gives a client of a service that asks as our application.
func (x *Tenant) Client(s entra.Service) *entra.Client {
	return x.client(entra.ClientOptions{Service: s, Credential: x.credential})
}

// Person gives a client of a service that asks as somebody who has signed in, by the object
// id.
func (x *Tenant) Person(s entra.Service, user string) *entra.Client {
	x.t.Helper()
	name := filepath.Join(x.t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(x.Cloud.UserToken(x.World.Tenant().ID, user, cloud.ResourceManager)+"\n"), 0o600); err != nil {
		x.t.Fatal(err)
	}
	return x.client(entra.ClientOptions{Service: s, Credential: entra.PersonToken{Token: glassward.Secret("file:" + name)}})
}

func (x *Tenant) client(o entra.ClientOptions) *entra.Client {
	o.Cloud, o.HTTP = x.known, x.http
	return entra.NewClient(o)
}
