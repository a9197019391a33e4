package entra_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"glassward/entra"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// TestAgainstTheSimulatedTenant asks a whole tenant that was built from the same
// documents by other hands.
func TestAgainstTheSimulatedTenant(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 7, Start: time.Now().Add(-2 * time.Hour)})
	w.Advance(time.Now())
	sim := cloud.New(cloud.Options{Worlds: []*entrasim.World{w}, Limits: cloud.Limits{Reports: 10000, ReportsAll: 10000}})
	defer sim.Close()
	ends := time.Now().Add(20 * 24 * time.Hour).Truncate(time.Second)
	cert, _, text := identity(t, ends)
	w.AddCertificate(entrasim.GlasswardApp, entrasim.Certificate{DER: cert.Raw, From: cert.NotBefore, To: cert.NotAfter})
	endpoints, err := sim.Listen()
	if err != nil {
		t.Fatal(err)
	}
	where := entra.Cloud{Name: "simulated", Authority: endpoints.Authority, Graph: endpoints.Graph, Activity: endpoints.Activity, ResourceManager: endpoints.ResourceManager, LogAnalytics: endpoints.LogAnalytics}
	credential, err := entra.NewCredential(entra.CredentialOptions{Cloud: where, Tenant: w.Tenant().ID, ClientID: entrasim.GlasswardApp, Certificate: secretFile(t, text), HTTP: sim.Client(endpoints)})
	if err != nil {
		t.Fatal(err)
	}
	client := func() *entra.Client {
		return entra.NewClient(entra.ClientOptions{Service: entra.Graph, Cloud: where, Credential: credential, HTTP: sim.Client(endpoints), Pace: entra.Pace{Requests: 100, Per: time.Second}})
	}
	graph := client()

	rows, whole := 0, false
	for page, err := range graph.Pages(t.Context(), signIns+"?$top=50", nil) {
		if err != nil {
			f := fault(t, err)
			if f.Kind != entra.FaultThrottled || f.RetryAfter <= 0 {
				t.Fatal(err)
			}
			break
		}
		rows += len(page.Value)
		whole = page.Last
	}
	if rows == 0 {
		t.Error("no sign-ins")
	}
	t.Logf("%d sign-ins, to the end: %v", rows, whole)

	self, err := entra.Inspect(t.Context(), graph, credential, entra.Needs(entra.UseLogs, entra.UseRisk, entra.UseActivity, entra.UseSelf)...)
	if err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string]string{"organisation": self.Organisation.String(), "licence": self.Licence.String(), "permissions": self.Permissions.String()} {
		if part != "read" {
			t.Errorf("%s: %s", name, part)
		}
	}
	if at, what := self.CertificateEnds, self.Registration.Value.Credentials; !at.Equal(ends) || len(what) != 1 || !what[0].Ours {
		t.Errorf("credential: ends %v, registered %+v", at, what)
	}
	if !self.Licence.Value.P1 || !self.Principal.Value.Enabled || self.Organisation.Value.ID != w.Tenant().ID {
		t.Errorf("%+v", self)
	}
	for _, f := range self.Findings() {
		t.Logf("%s %s: %s", f.Severity, f.Key, f.What)
	}

	users, _, err := entra.ListUsers(t.Context(), graph, "EA-0", 10)
	if err != nil || len(users) == 0 {
		t.Errorf("users %+v: %v", users, err)
	}
	for _, u := range users {
		if found, err := entra.FindUser(t.Context(), graph, u.ID); err != nil || found != u {
			t.Errorf("%+v, %+v: %v", u, found, err)
		}
	}
	own, _ := w.ServicePrincipal(entrasim.GlasswardApp)
	if p, err := entra.FindServicePrincipal(t.Context(), graph, own.ID); err != nil || p != (entra.ServicePrincipal{ID: own.ID, AppID: entrasim.GlasswardApp, Name: own.DisplayName, Enabled: true}) {
		t.Errorf("%+v: %v", p, err)
	}
	var absent *entra.Fault
	if _, err := entra.FindServicePrincipal(t.Context(), graph, entrasim.EA01); !errors.As(err, &absent) || absent.Status != 404 {
		t.Errorf("a service principal that is none: %v", err)
	}
	holders, err := entra.RoleHolders(t.Context(), graph, entra.GlobalAdministrator)
	if err != nil || len(holders) < 2 {
		t.Errorf("holders %+v: %v", holders, err)
	}
	// Trouble, as it is told.
	faults, tenant := sim.Faults(), w.Tenant().ID
	audits := "/v1.0/auditLogs/directoryAudits?$top=1"
	expect := func(name string, kind entra.FaultKind, says string) {
		t.Helper()
		_, err := client().Get(t.Context(), audits, nil)
		if kind == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		if f := fault(t, err); f.Kind != kind || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
		if testing.Verbose() {
			t.Logf("%s: %v", name, err)
		}
	}
	end := faults.Outage(cloud.Graph, tenant)
	expect("outage", entra.FaultOutage, "503")
	end()
	end = faults.HTML(cloud.Graph, tenant)
	expect("a page for people", entra.FaultContent, "Sign in to your account")
	end()
	end = faults.Add(cloud.Trouble{Service: cloud.Graph, Cut: true})
	expect("cut", entra.FaultContent, "")
	end()
	end = faults.Add(cloud.Trouble{Service: cloud.Graph, Drop: true})
	expect("dropped", entra.FaultOutage, "no answer")
	end()
	end = faults.Add(cloud.Trouble{Service: cloud.Graph, Status: http.StatusTooManyRequests, RetryAfter: "3.5"})
	expect("throttled", entra.FaultThrottled, "4s")
	end()
	faults.RevokeTokens(tenant)
	expect("revoked", "", "")
	faults.Refuse(tenant, "AuditLog.Read.All", true)
	expect("refused", entra.FaultConsent, "AuditLog.Read.All")
	faults.Refuse(tenant, "AuditLog.Read.All", false)
	w.RemoveCredentials(entrasim.GlasswardApp)
	faults.RevokeTokens(tenant)
	expect("certificate removed", entra.FaultToken, "Register it")
	w.AddCertificate(entrasim.GlasswardApp, entrasim.Certificate{DER: cert.Raw, From: cert.NotBefore, To: cert.NotAfter})
	faults.Block(entrasim.GlasswardApp, true)
	expect("conditional access", entra.FaultToken, "Conditional Access")
	faults.Block(entrasim.GlasswardApp, false)
	w.SetEnabled(entrasim.GlasswardApp, false)
	expect("disabled", entra.FaultToken, "")
	w.SetEnabled(entrasim.GlasswardApp, true)
	faults.Clock(-time.Hour)
	expect("clock", entra.FaultClock, "NTP")
	faults.Clock(0)
	faults.Links(cloud.OtherHost)
	if got := walk(t, client(), signIns+"?$top=1"); !strings.HasSuffix(got, "content NextLinkElsewhere") {
		t.Errorf("another host: %s", got)
	}
	faults.Links(cloud.SelfLink)
	if got := walk(t, client(), signIns+"?$top=1"); !strings.HasSuffix(got, "content NextLinkRepeated") {
		t.Errorf("a link to itself: %s", got)
	}
}
