package entrasim_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward/internal/entrasim"
)

func TestTheDirectoryShowsNoSecret(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: monday})
	w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "abcSECRETdef", From: monday, To: monday.Add(time.Hour)})
	w.AddCertificate(entrasim.GlasswardApp, entrasim.Certificate{DER: []byte{1, 2, 3}, From: monday, To: monday.Add(time.Hour)})
	raw, ok := w.Object("applications(appId='" + entrasim.GlasswardApp + "')")
	if !ok || strings.Contains(string(raw), "SECRET") || !strings.Contains(string(raw), `"keyId"`) || !strings.Contains(string(raw), "7037807198C22A7D2B0807371D763779A84FDFCF") {
		t.Errorf("%s", raw)
	}
	a, _ := w.Application(entrasim.GlasswardApp)
	a.Secrets[0].Text = "changed"
	if again, _ := w.Application(entrasim.GlasswardApp); again.Secrets[0].Text != "abcSECRETdef" || len(again.Certificates) != 1 {
		t.Error("a copy is the registration itself")
	}
	w.RemoveCredentials(entrasim.GlasswardApp)
	if again, _ := w.Application(entrasim.GlasswardApp); len(again.Secrets)+len(again.Certificates) != 0 {
		t.Error("the credentials are still there")
	}
}

func TestConsentAndLicences(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: monday})
	path := "servicePrincipals/" + entrasim.GlasswardApp + "/appRoleAssignments"
	before, _ := w.Objects(path)
	w.Revoke(entrasim.GlasswardApp, "AuditLog.Read.All")
	after, ok := w.Objects(path)
	if !ok || len(before) != 6 || len(after) != 5 {
		t.Errorf("%d and %d assignments", len(before), len(after))
	}
	w.Grant(entrasim.GlasswardApp, "Directory.ReadWrite.All")
	w.Grant(entrasim.GlasswardApp, "Directory.ReadWrite.All")
	if s, _ := w.ServicePrincipal(entrasim.GlasswardApp); len(s.Granted) != 6 || !slices.Contains(s.Granted, "Directory.ReadWrite.All") {
		t.Errorf("%v", s.Granted)
	}
	w.SetLicence(entrasim.PremiumP1, false)
	if w.Licensed(entrasim.PremiumP1) || w.Licensed(entrasim.PremiumP2) || !w.Licensed(entrasim.Office) {
		t.Error("a tenant without P1")
	}
	if skus, _ := w.Objects("subscribedSkus"); len(skus) != 1 {
		t.Errorf("%s", skus)
	}
	fresh := w.Register(entrasim.Application{DisplayName: "Monitor", Requested: []string{"AuditLog.Read.All"}})
	if s, ok := w.ServicePrincipal(fresh.AppID); !ok || len(s.Granted) != 0 || !s.Enabled {
		t.Error("a new registration has consent, or no service principal")
	}
	w.SetEnabled(fresh.AppID, false)
	if s, _ := w.ServicePrincipal(fresh.AppID); s.Enabled {
		t.Error("it is still enabled")
	}
}

func TestPathsOfTheDirectory(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: monday, Users: 30})
	for _, list := range []string{"users", "groups", "directoryRoles", "applications", "servicePrincipals", "identity/conditionalAccess/policies", "directory/administrativeUnits"} {
		all, ok := w.Objects(list)
		if !ok || len(all) == 0 {
			t.Fatalf("nothing at %s", list)
		}
		for _, raw := range all {
			var o struct{ ID string }
			if err := json.Unmarshal(raw, &o); err != nil || o.ID == "" {
				t.Fatalf("%s: %s", list, raw)
			}
			one, ok := w.Object(list + "/" + o.ID)
			if !ok || string(one) != string(raw) {
				t.Fatalf("%s/%s is not the object of the list", list, o.ID)
			}
			if list == "groups" || list == "directoryRoles" {
				if _, ok := w.Objects(list + "/" + o.ID + "/members"); !ok {
					t.Errorf("%s has no members", raw)
				}
			}
		}
	}
	for _, bad := range []string{"", "users/nobody", "groups/0/members", "nothing", "servicePrincipals/0/appRoleAssignments"} {
		if raw, ok := w.Object(bad); ok {
			t.Errorf("%q is %s", bad, raw)
		}
	}
	if _, ok := w.Objects("groups/0/members"); ok {
		t.Error("a group that is not there has members")
	}
}

// TestTenantsShareNothing: worlds of two tenants have no id in common, so that
// eighty of them can live in one test.
func TestTenantsShareNothing(t *testing.T) {
	ids := map[string]string{}
	for _, id := range []string{"", "11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-666666666666"} {
		o := entrasim.Options{Seed: 1, Start: monday, Users: 25}
		if id != "" {
			o.Tenant = entrasim.TenantOptions{ID: id, Name: "t" + id[30:], Domain: "t" + id[30:] + ".example"}
		}
		w := entrasim.NewWorld(o)
		w.Begin(entrasim.Scenario("S1"), monday)
		w.Advance(monday.Add(10 * time.Hour))
		note := func(one string) {
			if other, ok := ids[one]; ok && other != id {
				t.Errorf("%s is of %s and of %s", one, id, other)
			}
			ids[one] = id
		}
		for u := range w.Users() {
			note(u.ID)
		}
		for _, e := range w.Events() {
			note(e.Key())
		}
		for _, s := range w.ServicePrincipals() {
			note(s.ID)
		}
	}
}
