package entra_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"glassward/entra"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// Whoever takes a permission from us is seen by a new token; the one in use still
// reads what it opens until it ends.
func TestANewTokenThatOpensLessIsNotKept(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 8, Start: time.Now().Add(-time.Hour), Users: 5})
	sim := cloud.New(cloud.Options{Worlds: []*entrasim.World{w}})
	defer sim.Close()
	cert, _, text := identity(t, time.Now().Add(48*time.Hour))
	w.AddCertificate(entrasim.GlasswardApp, entrasim.Certificate{DER: cert.Raw, From: cert.NotBefore, To: cert.NotAfter})
	endpoints, err := sim.Listen()
	if err != nil {
		t.Fatal(err)
	}
	where := entra.Cloud{Name: "simulated", Authority: endpoints.Authority, Graph: endpoints.Graph}
	c, err := entra.NewCredential(entra.CredentialOptions{Cloud: where, Tenant: w.Tenant().ID, ClientID: entrasim.GlasswardApp, Certificate: secretFile(t, text), HTTP: sim.Client(endpoints)})
	if err != nil {
		t.Fatal(err)
	}
	scope := where.Scope(entra.Graph)
	use := func() entra.Claims {
		t.Helper()
		token, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
		if err != nil {
			t.Fatal(err)
		}
		claims, _ := entra.ParseClaims(token.Token)
		return claims
	}
	renew := func() entra.Claims {
		t.Helper()
		token, err := c.Renew(t.Context(), scope)
		if err != nil {
			t.Fatal(err)
		}
		claims, _ := entra.ParseClaims(token.Token)
		return claims
	}
	whole := len(use().Roles)
	w.Revoke(entrasim.GlasswardApp, "AuditLog.Read.All")
	if now := len(renew().Roles); now != whole-1 {
		t.Fatalf("the new token has %d permissions of %d", now, whole)
	}
	if now := len(use().Roles); now != whole {
		t.Errorf("the token in use has %d permissions of %d", now, whole)
	}
	w.Grant(entrasim.GlasswardApp, "AuditLog.Read.All")
	fresh, err := c.Renew(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}}); err != nil || kept.Token != fresh.Token {
		t.Errorf("one that opens as much was not kept (%v)", err)
	}
}
