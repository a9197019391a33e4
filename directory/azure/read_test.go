package azure_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward/directory"
	"glassward/directory/azure"
	"glassward/directory/truth"
	"glassward/entra"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
	"glassward/internal/entrasim/tenanttest"
	"glassward/kql/trial"
	"glassward/schema"
)

// A tenant is a simulated one with an application that may read its subscription.
type tenant struct {
	t           *testing.T
	world       *entrasim.World
	cloud       *cloud.Cloud
	application *entra.Client
	// person gives a client of somebody who has signed in.
	person    func(user string) *entra.Client
	dir       string
	principal string
}

const subscription = "/subscriptions/" + entrasim.AzureSubscription

// play serves a tenant to an application that may read its subscription.
func play(t *testing.T, f func(*tenant)) {
	t.Helper()
	tenanttest.Play(t, 3, 20, cloud.Limits{}, func(t *testing.T, served *tenanttest.Tenant) {
		x := &tenant{t: t, dir: served.Dir, world: served.World, cloud: served.Cloud, application: served.Client(entra.ResourceManager)}
		x.person = func(user string) *entra.Client { return served.Person(entra.ResourceManager, user) }
		sp, _ := x.world.ServicePrincipal(entrasim.GlasswardApp)
		x.principal = sp.ID
		x.world.AssignAzure(sp.ID, "Monitoring Reader", subscription)
		if err := directory.WriteManifest(x.dir, directory.Manifest{Tenant: x.world.Tenant().ID, Taken: time.Now()}); err != nil {
			t.Fatal(err)
		}
		f(x)
	})
}

func (x *tenant) snapshot(o azure.Options) *directory.Snapshot {
	x.t.Helper()
	o.Dir = x.dir
	if o.Application == nil {
		o.Application = x.application
	}
	if _, err := azure.Read(x.t.Context(), o); err != nil {
		x.t.Fatal(err)
	}
	s, err := directory.Open(x.dir, directory.Limits{})
	if err != nil {
		x.t.Fatal(err)
	}
	for _, p := range s.Problems() {
		x.t.Error(p)
	}
	return s
}

// parts are those that stand in Azure.
func parts() []directory.Part {
	var list []directory.Part
	for _, p := range azure.Permissions() {
		list = append(list, p.Parts...)
	}
	return list
}

// An application reads what stands in its subscriptions; Entra's diagnostic settings are
// shown to a person only.
func TestWhole(t *testing.T) {
	play(t, func(x *tenant) {
		for i := range 60 {
			x.world.PutAzure(fmt.Sprintf("%s/providers/Microsoft.Authorization/locks/lock-%02d", subscription, i), "", `{"level":"ReadOnly"}`)
		}
		s := x.snapshot(azure.Options{})
		for _, p := range parts() {
			r := s.Reading(p, "")
			if p == directory.DiagnosticSettings {
				if r.State != directory.Unread || !strings.Contains(r.Why(), "AuthorizationFailed") || !strings.Contains(r.Permission, "Security Administrator") {
					t.Errorf("%s: %+v", p, r)
				}
			} else if r.State != directory.Read || r.At.IsZero() {
				t.Errorf("%s: %+v", p, r)
			}
		}
		c := s.Contents()
		if len(c.Subscriptions) != 1 || len(c.Workspaces) != 1 || len(c.WorkspaceTables) != 2 || len(c.AlertRules) != 2 || len(c.ActivityAlerts) != 1 || len(c.ActionGroups) != 1 || len(c.Locks) != 61 || len(c.AzureAssignments) != 3 {
			t.Errorf("%d subscriptions, %d workspaces, %d tables, %d rules, %d locks, %d assignments", len(c.Subscriptions), len(c.Workspaces), len(c.WorkspaceTables), len(c.AlertRules), len(c.Locks), len(c.AzureAssignments))
		}
		if len(c.OnboardingStates) != 1 || len(c.AnalyticsRules) != 2 || len(c.AutomationRules) != 1 || c.AnalyticsRules[0].Workspace() != entrasim.AzureWorkspace {
			t.Errorf("%d workspaces with Sentinel, %d analytics rules, %d automation rules", len(c.OnboardingStates), len(c.AnalyticsRules), len(c.AutomationRules))
		}
		if g := c.ActionGroups[0]; len(g.Receivers) != 3 || g.Enabled != truth.True {
			t.Errorf("%+v", g)
		}
		s = x.snapshot(azure.Options{Person: x.person(entrasim.EA01)})
		if r := s.Reading(directory.DiagnosticSettings, ""); r.State != directory.Read || s.Contents().DiagnosticSettings[0].Sends("SignInLogs") != truth.True {
			t.Errorf("%+v", r)
		}
		if r := s.Reading(directory.AlertRules, ""); r.State != directory.Read {
			t.Errorf("what the person is refused, the application reads: %+v", r)
		}
	})
}

// Who is shown no subscription has not read that there are none.
func TestNoRole(t *testing.T) {
	play(t, func(x *tenant) {
		other := x.person(entrasim.CanaryID)
		s := x.snapshot(azure.Options{Application: other})
		for _, p := range parts() {
			if r := s.Reading(p, ""); r.State != directory.Unread || r.Permission == "" || r.Reason == "" {
				t.Errorf("%s: %+v", p, r)
			}
		}
		if r := s.Reading(directory.AlertRules, ""); !strings.Contains(r.Why(), "no subscription is shown") || !strings.Contains(r.Why(), "Monitoring Reader") {
			t.Error(r.Why())
		}
		// A subscription that is named is asked for all the same.
		s = x.snapshot(azure.Options{Application: other, Subscriptions: []string{entrasim.AzureSubscription}})
		if r := s.Reading(directory.AlertRules, ""); r.State != directory.Unread || !strings.Contains(r.Why(), "AuthorizationFailed") {
			t.Errorf("%+v", r)
		}
	})
}

// Of two subscriptions one that is refused leaves the other, and says so.
func TestOneSubscriptionRefused(t *testing.T) {
	play(t, func(x *tenant) {
		all := x.world.AzureSubscriptions()
		s := x.snapshot(azure.Options{Subscriptions: all})
		r := s.Reading(directory.AlertRules, "")
		if r.State != directory.Incomplete || !strings.Contains(r.Why(), all[1]) || len(s.Contents().AlertRules) != 2 {
			t.Errorf("%+v", r)
		}
	})
}

// What goes wrong with one part concerns it alone.
func TestTroublesOfOnePart(t *testing.T) {
	for _, c := range []struct {
		name    string
		trouble cloud.Trouble
		part    directory.Part
		state   directory.State
		why     string
	}{
		{"429 that passes", cloud.Trouble{Path: "/actionGroups", Status: 429, RetryAfter: "17", Times: 3}, directory.ActionGroups, directory.Read, ""},
		{"500 that stays", cloud.Trouble{Path: "/actionRules", Status: 500, Code: "InternalServerError", Message: "Sorry."}, directory.ProcessingRules, directory.Unread, "500 InternalServerError: Sorry."},
		{"the second page", cloud.Trouble{Path: "skiptoken", Status: 403, Code: "AuthorizationFailed", Message: "No more."}, directory.Locks, directory.Incomplete, "403 AuthorizationFailed: No more."},
		{"an answer that breaks off", cloud.Trouble{Path: "/activityLogAlerts", Cut: true, Times: 1}, directory.ActivityAlerts, directory.Read, ""},
		{"a table that nobody may read", cloud.Trouble{Path: "/tables/SigninLogs", Status: 403, Code: "AuthorizationFailed", Message: "No."}, directory.WorkspaceTables, directory.Incomplete, "SigninLogs: Azure answered 403"},
		{"logs that nobody may read", cloud.Trouble{Path: "/api/query", Status: 403, Code: "InsufficientAccessError", Message: "No."}, directory.LogArrivals, directory.Unread, "(needs Monitoring Reader"},
		{"a query that came to no end", cloud.Trouble{Path: "/api/query", Status: 200, ContentType: "application/json", Body: `{"tables":[],"error":{"code":"PartialError"}}`}, directory.LogArrivals, directory.Unread, "PartialError"},
		{"another answer than was asked for", cloud.Trouble{Path: "/api/query", Status: 200, ContentType: "application/json", Body: `{"tables":[{"name":"PrimaryResult","columns":[{"name":"x"}],"rows":[["1"]]}]}`}, directory.LogArrivals, directory.Incomplete, "no table of newest records"},
		{"a version that is gone", cloud.Trouble{Path: "SecurityInsights/alertRules", Status: 400, Code: "NoRegisteredProviderFound", Message: "The supported api-versions are '2031-01-01'."}, directory.AnalyticsRules, directory.Unread, "NoRegisteredProviderFound"},
		{"a page for people", cloud.Trouble{Path: "/dataCollectionRules", Status: 200, ContentType: "text/html", Body: "<html><title>Sign in to the proxy</title></html>"}, directory.CollectionRules, directory.Unread, "Sign in to the proxy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(x *tenant) {
				for i := range 30 {
					x.world.PutAzure(fmt.Sprintf("%s/providers/Microsoft.Authorization/locks/lock-%02d", subscription, i), "", `{"level":"ReadOnly"}`)
				}
				c.trouble.Service = cloud.ResourceManager
				x.cloud.Faults().Add(c.trouble)
				s := x.snapshot(azure.Options{})
				for _, p := range parts() {
					r := s.Reading(p, "")
					switch p {
					case c.part:
						if r.State != c.state || !strings.Contains(r.Why(), c.why) {
							x.t.Errorf("%s: %+v", p, r)
						}
					case directory.DiagnosticSettings:
					default:
						if r.State != directory.Read {
							x.t.Errorf("%s too: %+v", p, r)
						}
					}
				}
			})
		})
	}
}

// Where nobody answers Azure is asked for one part only, and nothing of the rest of the
// snapshot is lost; no more is it by a person's token that is over.
func TestNobodyAnswers(t *testing.T) {
	play(t, func(x *tenant) {
		end := x.cloud.Faults().Add(cloud.Trouble{Service: cloud.ResourceManager, Drop: true})
		began := time.Now()
		s := x.snapshot(azure.Options{})
		if r := s.Reading(directory.Locks, ""); r.State != directory.Unread || !strings.Contains(r.Why(), "no answer") || time.Since(began) > 3*time.Minute {
			x.t.Errorf("after %v: %+v", time.Since(began), r)
		}
		end()
		old := x.person(entrasim.EA01)
		time.Sleep(2 * time.Hour)
		s = x.snapshot(azure.Options{Person: old})
		if r := s.Reading(directory.DiagnosticSettings, ""); r.State != directory.Unread {
			x.t.Errorf("%+v", r)
		}
		if r := s.Reading(directory.AlertRules, ""); r.State != directory.Read {
			x.t.Errorf("%+v", r)
		}
	})
}

// What is whole is not asked for again.
func TestResume(t *testing.T) {
	play(t, func(x *tenant) {
		x.snapshot(azure.Options{})
		x.cloud.Faults().Add(cloud.Trouble{Service: cloud.ResourceManager, Path: "/subscriptions", Status: 500, Code: "AskedAgain"})
		s := x.snapshot(azure.Options{Resume: true, Person: x.person(entrasim.EA01)})
		for _, p := range parts() {
			if r := s.Reading(p, ""); r.State != directory.Read {
				x.t.Errorf("%s: %+v", p, r)
			}
		}
		s = x.snapshot(azure.Options{})
		if r := s.Reading(directory.Workspaces, ""); r.State != directory.Unread || !strings.Contains(r.Why(), "AskedAgain") {
			x.t.Errorf("%+v", r)
		}
	})
}

// A workspace without the tables has answered.
func TestNoTables(t *testing.T) {
	play(t, func(x *tenant) {
		for _, name := range []string{"SigninLogs", "AuditLogs"} {
			x.world.DeleteAzure(entrasim.AzureWorkspace + "/tables/" + name)
		}
		s := x.snapshot(azure.Options{})
		if r := s.Reading(directory.WorkspaceTables, ""); r.State != directory.Read || len(s.Contents().WorkspaceTables) != 0 {
			x.t.Errorf("%+v", r)
		}
	})
}

// A workspace without Microsoft Sentinel has answered, in each of the ways in which Azure
// says it; one of which nobody may say it leaves what it would have held unread.
func TestNoSentinel(t *testing.T) {
	for _, c := range []struct {
		name    string
		trouble cloud.Trouble
		state   directory.State
	}{
		{"no state of it", cloud.Trouble{}, directory.Read},
		{"not onboarded", cloud.Trouble{Status: 400, Code: "BadRequest", Message: "Workspace 'law' is not onboarded to Microsoft Sentinel."}, directory.Read},
		{"never registered", cloud.Trouble{Status: 409, Code: "MissingSubscriptionRegistration", Message: "The subscription is not registered to use namespace 'Microsoft.SecurityInsights'."}, directory.Read},
		{"an empty list", cloud.Trouble{Status: 200, ContentType: "application/json", Body: `{"value":[]}`}, directory.Read},
		{"refused", cloud.Trouble{Status: 403, Code: "AuthorizationFailed", Message: "No."}, directory.Unread},
		{"another bad request", cloud.Trouble{Status: 400, Code: "BadRequest", Message: "No."}, directory.Unread},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(x *tenant) {
				x.world.DeleteAzure(entrasim.AzureSentinel + "onboardingStates/default")
				if c.trouble.Status != 0 {
					c.trouble.Service, c.trouble.Path = cloud.ResourceManager, "onboardingStates"
					x.cloud.Faults().Add(c.trouble)
				}
				s := x.snapshot(azure.Options{})
				for _, p := range []directory.Part{directory.OnboardingStates, directory.AnalyticsRules, directory.AutomationRules} {
					if r := s.Reading(p, ""); r.State != c.state {
						x.t.Errorf("%s: %+v", p, r)
					}
				}
				if n := len(s.Contents().AnalyticsRules); n != 0 {
					x.t.Errorf("%d rules", n)
				}
			})
		})
	}
}

// Of each workspace stands when the newest record was made, or that there is none, also
// where there is no table; and what is left out is not asked for.
func TestLogArrivals(t *testing.T) {
	play(t, func(x *tenant) {
		const other = subscription + "/resourceGroups/o'neil/providers/Microsoft.OperationalInsights/workspaces/other"
		x.world.PutAzure(other, `"location":"westeurope"`, `{"retentionInDays":30}`)
		s := x.snapshot(azure.Options{})
		have := map[string]time.Time{}
		for _, a := range s.Contents().LogArrivals {
			have[a.Workspace+" "+a.Table] = a.Newest
		}
		for _, key := range []string{entrasim.AzureWorkspace + " SigninLogs", entrasim.AzureWorkspace + " AuditLogs", other + " SigninLogs", other + " AuditLogs"} {
			if at, ok := have[key]; !ok || !at.IsZero() {
				x.t.Errorf("%s: %v %v", key, at, ok)
			}
		}
		m, err := directory.ReadManifest(x.dir)
		if err != nil {
			x.t.Fatal(err)
		}
		i := slices.IndexFunc(m.Parts, func(p directory.ManifestPart) bool { return p.Part == directory.LogArrivals })
		_, query, _ := strings.Cut(m.Parts[i].Request, "&query=")
		if _, err := trial.New(query, schema.Default().Catalog()); err != nil || !strings.HasPrefix(query, "union") {
			x.t.Errorf("what is asked is no KQL: %v\n%s", err, query)
		}
		began := time.Now()
		if err := x.world.Do("sign-in EA-01 0"); err != nil {
			x.t.Fatal(err)
		}
		time.Sleep(time.Hour)
		s = x.snapshot(azure.Options{})
		for _, a := range s.Contents().LogArrivals {
			if in := a.Workspace == entrasim.AzureWorkspace && a.Table == "SigninLogs"; in != !a.Newest.IsZero() || in && a.Newest.Sub(began) > time.Hour {
				x.t.Errorf("%+v", a)
			}
		}
		x.cloud.Faults().Add(cloud.Trouble{Service: cloud.ResourceManager, Path: "/api/query", Status: 500, Code: "AskedAgain"})
		s = x.snapshot(azure.Options{Without: []directory.Part{directory.LogArrivals}})
		if r := s.Reading(directory.LogArrivals, ""); r.State != directory.Unread || !strings.Contains(r.Why(), "does not hold") {
			x.t.Errorf("%+v", r)
		}
	})
}
