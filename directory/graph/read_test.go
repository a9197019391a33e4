package graph_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/change"
	"glassward/directory/graph"
	"glassward/entra"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
	"glassward/internal/entrasim/tenanttest"
)

// A tenant is a simulated one with a client that reads it.
type tenant struct {
	t     *testing.T
	world *entrasim.World
	cloud *cloud.Cloud
	graph *entra.Client
	// secret is the file in which the application's secret stands.
	secret, dir string
}

// play serves a tenant to an application that has all the permissions of a snapshot.
func play(t *testing.T, users int, limits cloud.Limits, f func(*tenant)) {
	t.Helper()
	tenanttest.Play(t, 3, users, limits, func(t *testing.T, x *tenanttest.Tenant) {
		f(&tenant{t: t, world: x.World, cloud: x.Cloud, graph: x.Client(entra.Graph), secret: x.Secret, dir: filepath.Join(x.Dir, "snapshot")})
	})
}

func (x *tenant) read(resume bool) (*directory.Manifest, error) {
	return graph.Read(x.t.Context(), graph.Options{Graph: x.graph, Tenant: x.world.Tenant().ID, Dir: x.dir, Resume: resume, Accounts: []string{entrasim.EA01, entrasim.EA02}})
}

func (x *tenant) snapshot() *directory.Snapshot {
	x.t.Helper()
	if _, err := x.read(false); err != nil {
		x.t.Fatal(err)
	}
	return x.open(x.dir)
}

// open opens a snapshot in which nothing may be wrong.
func (x *tenant) open(dir string) *directory.Snapshot {
	x.t.Helper()
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		x.t.Fatal(err)
	}
	for _, p := range s.Problems() {
		x.t.Error(p)
	}
	return s
}

// fromGraph are the parts that Graph has.
func fromGraph() []directory.Part {
	i := slices.Index(directory.Parts(), directory.DiagnosticSettings)
	return slices.DeleteFunc(directory.Parts()[:i], func(p directory.Part) bool { return p == directory.Evaluations })
}

func TestWholeTenant(t *testing.T) {
	play(t, 1500, cloud.Limits{}, func(x *tenant) { // the vendor's own limits
		s := x.snapshot()
		for _, p := range fromGraph() {
			if r := s.Reading(p, ""); r.State != directory.Read || r.At.IsZero() {
				t.Errorf("%s: %+v", p, r)
			}
		}
		if r := s.Reading(directory.Locks, ""); r.State != directory.Unread || !strings.Contains(r.Why(), "Azure Resource Manager") {
			t.Errorf("%+v", r)
		}
		c := s.Contents()
		if len(c.Users) != 1512 || c.Tenant != x.world.Tenant().ID || c.Name == "" || len(c.Policies) != 3 || len(c.DeletedPolicies) != 1 || len(c.Strengths) != 4 || !c.Strengths[3].Configured || len(c.RolePolicies) == 0 || len(c.RolePolicies[0].Rules) != 17 {
			t.Errorf("%d users, %d policies, %d strengths, %d role policies", len(c.Users), len(c.Policies), len(c.Strengths), len(c.RolePolicies))
		}
		ids := map[string]bool{}
		for _, u := range c.Users {
			ids[u.ID] = true
		}
		if len(ids) != 1512 {
			t.Errorf("%d different users", len(ids))
		}
		// More members than fit on a page.
		all, _ := x.world.Objects("groups")
		for _, raw := range all {
			var g struct{ ID string }
			if err := json.Unmarshal(raw, &g); err != nil {
				t.Fatal(err)
			}
			want, _ := x.world.Objects("groups/" + g.ID + "/members")
			if len(c.Members[g.ID]) != len(want) || s.Reading(directory.GroupMembers, g.ID).State != directory.Read {
				t.Errorf("group %s: %d members of %d, %+v", g.ID, len(c.Members[g.ID]), len(want), s.Reading(directory.GroupMembers, g.ID))
			}
		}
		// Methods of the accounts, and of everybody who holds a role.
		for _, u := range append(x.world.Emergency(), x.world.Administrators()...) {
			if len(c.Registered[u.ID]) < 2 || c.PerUserMFA[u.ID] != "disabled" || s.Reading(directory.MemberOf, u.ID).State != directory.Read {
				t.Errorf("%s: %v, %q", u.DisplayName, c.Registered[u.ID], c.PerUserMFA[u.ID])
			}
		}
		if p := c.BetaMethods; p == nil || p.SystemPreferred == nil || p.SuspiciousReports == nil || c.Methods.SystemPreferred != nil || len(c.AccessReviews) != 1 || len(c.RoleAlerts) != 1 || len(c.RoleAlerts[0].Incidents) != 1 || len(c.ProtectedActions) != 3 {
			t.Errorf("%+v, %d reviews, %d alerts, %d protected actions", p, len(c.AccessReviews), len(c.RoleAlerts), len(c.ProtectedActions))
		}
		if len(c.AppRoleAssignments) == 0 || len(c.PermissionGrants) != 1 {
			t.Errorf("%d application permissions, %d delegated", len(c.AppRoleAssignments), len(c.PermissionGrants))
		}
		j := access.NewJudge(s)
		for _, id := range []string{entrasim.EA01, entrasim.EA02} {
			if o := j.Emergency(id); o.Verdict != access.Open {
				t.Errorf("%s: %+v", id, o.Outcome)
			}
		}
	})
}

// With half of the permissions taken away, and with each of them, what was not read
// is unknown with the permission named; nothing is taken for empty.
func TestTakenPermissions(t *testing.T) {
	all := graph.Permissions()
	var names []string
	for p := range all {
		names = append(names, p)
	}
	slices.Sort(names)
	cases := [][]string{{}, {}, names}
	for i, p := range names {
		cases[i%2] = append(cases[i%2], p)
	}
	for _, taken := range cases {
		t.Run(strings.Join(taken, " "), func(t *testing.T) {
			play(t, 30, cloud.Limits{}, func(x *tenant) {
				for _, p := range taken {
					x.world.Revoke(entrasim.GlasswardApp, p)
				}
				s := x.snapshot()
				for permission, parts := range all {
					for _, part := range parts {
						r := s.Reading(part, "")
						if slices.Contains(taken, permission) {
							if r.State == directory.Read || r.Permission == "" || r.Reason == "" {
								// PIM's rules are shown to who may read roles, too, and who has Policy.Read.All
								// or UserAuthenticationMethod.Read.All sees per-user MFA; who may read people is told
								// the ids of their groups.
								if part == directory.RolePolicies && !slices.Contains(taken, "RoleManagement.Read.Directory") || part == directory.PerUserMFA && !slices.Contains(taken, "UserAuthenticationMethod.Read.All") || part == directory.MemberOf && !slices.Contains(taken, "User.Read.All") {
									continue
								}
								t.Errorf("%s was read without %s: %+v", part, permission, r)
							}
						}
					}
				}
				missing := slices.ContainsFunc(taken, func(p string) bool {
					return p == "Policy.Read.All" || p == "UserAuthenticationMethod.Read.All"
				})
				j := access.NewJudge(s)
				if o := j.Emergency(entrasim.EA01); missing && o.Verdict == access.Open {
					t.Errorf("open, and what decides it was not read: %+v", o.Outcome)
				}
			})
		})
	}
}

// What goes wrong with one part concerns it alone.
func TestTroublesOfOnePart(t *testing.T) {
	const page = "<!DOCTYPE html><html><head><title>Sign in to the proxy</title></head></html>"
	for _, c := range []struct {
		name    string
		trouble cloud.Trouble
		part    directory.Part
		state   directory.State
		why     string
	}{
		{"404", cloud.Trouble{Path: "/domains", Status: 404, Code: "Request_ResourceNotFound", Message: "Nothing here."}, directory.Domains, directory.Unread, "404 Request_ResourceNotFound: Nothing here."},
		{"500 that stays", cloud.Trouble{Path: "/namedLocations", Status: 500, Code: "InternalServerError", Message: "Sorry."}, directory.Locations, directory.Unread, "500 InternalServerError"},
		{"500 that passes", cloud.Trouble{Path: "/namedLocations", Status: 500, Times: 2}, directory.Locations, directory.Read, ""},
		{"429 that passes", cloud.Trouble{Path: "/subscribedSkus", Status: 429, RetryAfter: "17", Times: 3}, directory.Licences, directory.Read, ""},
		{"a page for people", cloud.Trouble{Path: "/v1.0/applications", Status: 200, ContentType: "text/html", Body: page}, directory.Applications, directory.Unread, "Sign in to the proxy"},
		{"an answer that breaks off", cloud.Trouble{Path: "/oauth2PermissionGrants", Cut: true, Times: 1}, directory.PermissionGrants, directory.Read, ""},
		{"the second page of users", cloud.Trouble{Path: "/v1.0/users?", Skip: 1, Status: 403, Code: "Authorization_RequestDenied", Message: "No more."}, directory.Users, directory.Incomplete, "403 Authorization_RequestDenied: No more."},
		{"a page of users that turns in a circle", cloud.Trouble{Path: "/v1.0/users?", Status: 200, ContentType: "application/json", Body: `{"value":[],"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=x"}`}, directory.Users, directory.Incomplete, "NextLinkRepeated"},
		{"no list", cloud.Trouble{Path: "/v1.0/groups?", Status: 200, ContentType: "application/json", Body: `{}`}, directory.Groups, directory.Unread, "NoValue"},
		{"a batch that is none", cloud.Trouble{Path: "/beta/$batch", Status: 200, ContentType: "application/json", Body: `[]`}, directory.PerUserMFA, directory.Unread, "NotJSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, 200, cloud.Limits{}, func(x *tenant) {
				c.trouble.Service = cloud.Graph
				x.cloud.Faults().Add(c.trouble)
				s := x.snapshot()
				for _, p := range fromGraph() {
					r := s.Reading(p, "")
					if p == c.part {
						if r.State != c.state || !strings.Contains(r.Why(), c.why) {
							t.Errorf("%s: %+v", p, r)
						}
						continue
					}
					depends := c.part == directory.Groups && (p == directory.GroupMembers || p == directory.GroupOwners || p == directory.GroupEligibilities || p == directory.GroupAssignments) ||
						c.part == directory.Applications && (p == directory.ApplicationOwners || p == directory.Federations)
					if depends != (r.State != directory.Read) {
						t.Errorf("%s too: %+v", p, r)
					}
				}
			})
		})
	}
}

// Who was not asked for when people signed in is told the rest of them.
func TestUsersWithoutActivity(t *testing.T) {
	play(t, 30, cloud.Limits{}, func(x *tenant) {
		x.world.Revoke(entrasim.GlasswardApp, "AuditLog.Read.All")
		s := x.snapshot()
		r := s.Reading(directory.Users, "")
		if r.State != directory.Read || r.Permission != "AuditLog.Read.All" || !strings.Contains(r.Reason, "signInActivity") || len(s.Contents().Users) != 42 {
			t.Errorf("%d users, %+v", len(s.Contents().Users), r)
		}
	})
}

// A run that was ended is gone on with: what is whole is not asked for again.
func TestResume(t *testing.T) {
	play(t, 300, cloud.Limits{}, func(x *tenant) {
		ctx, cancel := context.WithCancel(x.t.Context())
		_, err := graph.Read(ctx, graph.Options{Graph: x.graph, Tenant: x.world.Tenant().ID, Dir: x.dir, Progress: func(p directory.Part, _, _ int) {
			if p == directory.Groups {
				cancel()
			}
		}})
		if err == nil || ctx.Err() == nil {
			t.Fatalf("it was not ended: %v", err)
		}
		x.cloud.Faults().Add(cloud.Trouble{Service: cloud.Graph, Path: "/v1.0/users?", Status: 500, Code: "AskedAgain"})
		if _, err := x.read(true); err != nil {
			t.Fatal(err)
		}
		s, err := directory.Open(x.dir, directory.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range fromGraph() {
			if r := s.Reading(p, ""); r.State != directory.Read {
				t.Errorf("%s: %+v", p, r)
			}
		}
		// A file that was changed since is read again.
		if err := os.WriteFile(filepath.Join(x.dir, "users.json"), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := x.read(true); err != nil {
			t.Fatal(err)
		}
		if s, err = directory.Open(x.dir, directory.Limits{}); err != nil {
			t.Fatal(err)
		}
		if r := s.Reading(directory.Users, ""); r.State != directory.Unread || !strings.Contains(r.Reason, "AskedAgain") {
			t.Errorf("%+v", r)
		}
		// Another tenant's folder is none of ours.
		_, err = graph.Read(x.t.Context(), graph.Options{Graph: x.graph, Tenant: "5b0c6d1e-8f2a-4c3b-9d4e-0a1b2c3d4e5f", Dir: x.dir, Resume: true})
		if err == nil || !strings.Contains(err.Error(), "holds a snapshot of tenant") {
			t.Error(err)
		}
	})
}

// Without a token there is no snapshot.
func TestNoToken(t *testing.T) {
	play(t, 30, cloud.Limits{}, func(x *tenant) {
		if err := os.WriteFile(x.secret, []byte("wrong"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := x.read(false); err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
			t.Error(err)
		}
	})
}

// What is packed opens as what was read, and nothing is written over.
func TestPack(t *testing.T) {
	play(t, 30, cloud.Limits{}, func(x *tenant) {
		x.snapshot()
		name := x.dir + ".zip"
		if err := graph.Pack(x.dir, name); err != nil {
			t.Fatal(err)
		}
		s, err := directory.Open(name, directory.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Contents().Users) != 42 || s.Reading(directory.GroupMembers, "").State != directory.Read {
			t.Errorf("%d users", len(s.Contents().Users))
		}
		if err := graph.Pack(x.dir, name); err == nil {
			t.Error("it was written over")
		}
	})
}

// What protects the accounts and nothing else: of people, groups and units those that
// were named and those that policies and restriction point to, in a few requests whatever
// the size of the tenant. What was not asked for is unknown, and a named object that is
// not there is known to be gone.
func TestOnlyWhatProtects(t *testing.T) {
	play(t, 1500, cloud.Limits{}, func(x *tenant) {
		t := x.t
		const gone = "00000000-1111-4222-8333-444444444444"
		for p := range graph.Permissions() {
			if !slices.Contains(graph.ProtectionPermissions(), p) {
				x.world.Revoke(entrasim.GlasswardApp, p)
			}
		}
		var only graph.Protection
		for _, o := range x.world.Protected() {
			switch o.Kind {
			case "group":
				only.Groups = append(only.Groups, o.ID) // stories name it, and it is not there
			case "restrictedUnit":
				only.Units = append(only.Units, o.ID)
			}
		}
		groups, _ := x.world.Objects("groups")
		var group struct{ ID string }
		if err := json.Unmarshal(groups[0], &group); err != nil {
			t.Fatal(err)
		}
		missing := only.Groups[0]
		only.Groups = append(only.Groups, group.ID)
		began := time.Now()
		m, err := graph.Read(t.Context(), graph.Options{Graph: x.graph, Tenant: x.world.Tenant().ID, Dir: x.dir, Accounts: []string{entrasim.EA01, strings.ToUpper(entrasim.EA02), gone}, Only: &only})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("it took %s", took)
		}
		for _, p := range m.Parts {
			if p.Permission != "" || p.Incomplete && !graph.Restricted(p) {
				t.Errorf("%s: %s %s", p.Part, p.Reason, p.Permission)
			}
		}
		s, err := directory.Open(x.dir, directory.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		c := s.Contents()
		if len(c.Users) != 2 || len(c.Groups) == 0 || len(c.Groups) > 10 || len(c.Units) == 0 || len(c.Policies) != 3 || len(c.Schedules) == 0 {
			t.Errorf("%d users, %d groups, %d units, %d policies, %d assignments", len(c.Users), len(c.Groups), len(c.Units), len(c.Policies), len(c.Schedules))
		}
		for _, id := range append(only.Groups, only.Units...) {
			part := directory.GroupMembers
			if slices.Contains(only.Units, id) {
				part = directory.UnitMembers
			}
			if r := s.Reading(part, id); r.State != directory.Read && id != missing {
				t.Errorf("%s of %s: %+v", part, id, r)
			}
		}
		for _, id := range []string{entrasim.EA01, entrasim.EA02} {
			if s.User(id) == nil || len(c.Registered[id]) < 2 {
				t.Errorf("%s: %v", id, c.Registered[id])
			}
		}
		if s.Read(directory.Users) || s.Read(directory.Groups) {
			t.Error("a part of which a few objects were asked for is taken for whole")
		}
		if r := s.Reading(directory.Users, gone); r.State != directory.Read || s.User(gone) != nil {
			t.Errorf("an account that is gone: %+v", r)
		}
		if r := s.Reading(directory.Groups, missing); r.State != directory.Read || s.Group(missing) != nil || s.Reading(directory.GroupMembers, missing).State == directory.Read {
			t.Errorf("a group that is gone: %+v", r)
		}
		if r := s.Reading(directory.ServicePrincipals, ""); r.State != directory.Incomplete || len(s.Contents().ServicePrincipals) != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// When the accounts last signed in is read with them, and where that is refused, for want of
// a permission or of a licence, the rest of them is read.
func TestActivityOfWhatProtects(t *testing.T) {
	for _, c := range []struct {
		name, permission string
		reason           string
		take             func(*entrasim.World)
	}{
		{name: "whole", take: func(*entrasim.World) {}},
		{"no permission", "AuditLog.Read.All", "AuditLog.Read.All", func(w *entrasim.World) { w.Revoke(entrasim.GlasswardApp, "AuditLog.Read.All") }},
		{"no licence", "", "NonPremium", func(w *entrasim.World) { w.SetLicence(entrasim.PremiumP1, false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, 30, cloud.Limits{}, func(x *tenant) {
				x.world.SetLastSignIn(entrasim.EA02, time.Now().Add(-time.Hour))
				c.take(x.world)
				m, err := graph.Read(x.t.Context(), graph.Options{Graph: x.graph, Tenant: x.world.Tenant().ID, Dir: x.dir, Accounts: []string{entrasim.EA01, entrasim.EA02}, Only: &graph.Protection{}})
				if err != nil {
					x.t.Fatal(err)
				}
				for _, p := range m.Parts {
					if p.Part == directory.Users && (p.Permission != c.permission || !strings.Contains(p.Reason, c.reason) || !p.Incomplete) {
						x.t.Errorf("%+v", p)
					}
				}
				s, err := directory.Open(x.dir, directory.Limits{})
				if err != nil {
					x.t.Fatal(err)
				}
				for _, id := range []string{entrasim.EA01, entrasim.EA02} {
					if u := s.User(id); u == nil || u.Tells("signInActivity") != (c.reason == "") || s.Reading(directory.Users, id).State != directory.Read {
						x.t.Errorf("%+v", u)
					}
				}
				if c.reason == "" && !s.User(entrasim.EA02).LastSignIn.Equal(time.Now().Add(-time.Hour).Truncate(time.Second)) && time.Since(s.User(entrasim.EA02).LastSignIn) > 2*time.Hour {
					x.t.Errorf("%s", s.User(entrasim.EA02).LastSignIn)
				}
			})
		})
	}
}

// Of a service principal that was named, what makes it who it is is read: its credentials
// and permissions, who owns it and its application, and whose tokens that takes. What
// differs is told by element, whichever of them another principal of the tenant has.
func TestNamedServicePrincipals(t *testing.T) {
	for _, only := range []*graph.Protection{nil, {}} {
		play(t, 30, cloud.Limits{}, func(x *tenant) {
			t := x.t
			emergency, _ := x.world.ServicePrincipal(entrasim.EmergencyApp)
			registration, _ := x.world.Application(entrasim.EmergencyApp)
			n := 0
			look := func() *directory.Snapshot {
				t.Helper()
				n++
				dir := x.dir + strconv.Itoa(n)
				if _, err := graph.Read(t.Context(), graph.Options{Graph: x.graph, Tenant: x.world.Tenant().ID, Dir: dir, Accounts: []string{entrasim.EA01}, Principals: []string{strings.ToUpper(emergency.ID)}, Only: only}); err != nil {
					t.Fatal(err)
				}
				return x.open(dir)
			}
			before := look()
			c := before.Contents()
			if only != nil && (len(c.ServicePrincipals) != 1 || len(c.Applications) != 1) {
				t.Errorf("%d service principals and %d applications", len(c.ServicePrincipals), len(c.Applications))
			}
			for part, id := range map[directory.Part]string{directory.PrincipalOwners: emergency.ID, directory.AppRoleAssignments: emergency.ID, directory.ApplicationOwners: registration.ID, directory.Federations: registration.ID} {
				if r := before.Reading(part, id); r.State != directory.Read {
					t.Errorf("%s: %+v", part, r)
				}
			}
			if before.Read(directory.Applications) != (only == nil) {
				t.Error("some applications are taken for all, or all for some")
			}
			if o := access.NewJudge(before).Application(emergency.ID); o.Verdict != access.Open {
				t.Errorf("%+v %+v", o.Outcome, o.Failures)
			}

			x.world.AddSecret(entrasim.EmergencyApp, entrasim.Secret{Text: "SECRETofsomebody", From: time.Now(), To: time.Now().AddDate(1, 0, 0)})
			x.world.AddFederation(entrasim.EmergencyApp, entrasim.Federation{Issuer: "https://token.actions.example", Subject: "repo:somebody/else:ref:main", Audience: "api://AzureADTokenExchange"})
			x.world.AddOwner(entrasim.EmergencyApp, entrasim.Admin)
			x.world.Grant(entrasim.EmergencyApp, "Directory.ReadWrite.All")
			x.world.SetEnabled(entrasim.EmergencyApp, false)
			after := look()
			var got []string
			for _, d := range change.Compare(before, after).Differences {
				if strings.Contains(string(d.After), "SECRET") {
					t.Errorf("a secret is shown: %s", d.After)
				}
				got = append(got, d.Kind+" "+d.Property)
			}
			want := []string{"application federatedIdentityCredentials", "application owners", "application passwordCredentials",
				"servicePrincipal accountEnabled", "servicePrincipal appRoleAssignments", "servicePrincipal owners"}
			if !slices.Equal(got, want) {
				t.Errorf("have %q", got)
			}
			if o := access.NewJudge(after).Application(emergency.ID); o.Verdict != access.Locked {
				t.Errorf("%+v", o.Outcome)
			}
			x.world.SetEnabled(entrasim.EmergencyApp, true)
			x.world.RemoveCredentials(entrasim.EmergencyApp)
			if o := access.NewJudge(look()).Application(emergency.ID); o.Verdict != access.Locked || len(o.Failures) != 1 || o.Failures[0].Name() != "credential" {
				t.Errorf("without any credential: %+v %+v", o.Outcome, o.Failures)
			}
		})
	}
}

// A part that could not be read is taken over from the snapshot before, and so is the
// answer of one object; what was read stays, and what differs is told once.
func TestCarry(t *testing.T) {
	play(t, 30, cloud.Limits{}, func(x *tenant) {
		t := x.t
		groups, _ := x.world.Objects("groups")
		var group struct{ ID string }
		if err := json.Unmarshal(groups[0], &group); err != nil {
			t.Fatal(err)
		}
		look := func(dir string) *directory.Snapshot {
			t.Helper()
			if _, err := graph.Read(t.Context(), graph.Options{Graph: x.graph, Tenant: x.world.Tenant().ID, Dir: dir, Accounts: []string{entrasim.EA01, entrasim.EA02}, Only: &graph.Protection{Groups: []string{group.ID}}}); err != nil {
				t.Fatal(err)
			}
			s, err := directory.Open(dir, directory.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		carry := func(dir, old string) *directory.Snapshot {
			t.Helper()
			if err := graph.Carry(dir, old); err != nil {
				t.Fatal(err)
			}
			return x.open(dir)
		}
		first, second, third := x.dir+"1", x.dir+"2", x.dir+"3"
		before := look(first)
		x.world.Revoke(entrasim.GlasswardApp, "Policy.Read.All")
		x.world.Revoke(entrasim.GlasswardApp, "UserAuthenticationMethod.Read.All")
		time.Sleep(2 * time.Hour) // until the token that shows them has ended
		if s := look(second); s.Read(directory.Policies) || s.Reading(directory.Registered, entrasim.EA01).State == directory.Read {
			t.Fatal("it was read without a permission")
		}
		between := carry(second, first)
		if d := change.Compare(before, between).Differences; len(d) > 0 {
			t.Errorf("%+v", d)
		}
		if !between.Read(directory.Policies) || between.Reading(directory.Policies, "").At != before.Reading(directory.Policies, "").At || between.Reading(directory.Domains, "").At == before.Reading(directory.Domains, "").At {
			t.Errorf("%+v", between.Reading(directory.Policies, ""))
		}
		if err := x.world.Do("policy set \"CA002 Block legacy authentication\" disabled by petra"); err != nil {
			t.Fatal(err)
		}
		x.world.Grant(entrasim.GlasswardApp, "Policy.Read.All")
		time.Sleep(2 * time.Hour)
		look(third)
		after := carry(third, second)
		d := change.Compare(between, after).Differences
		if len(d) != 1 || d[0].Kind != change.Policy || d[0].Property != "state" || string(d[0].After) != `"disabled"` {
			t.Errorf("%+v", d)
		}
		// The methods are those of the first look still, by objects.
		if r := after.Reading(directory.Registered, entrasim.EA01); r.State != directory.Read || len(after.Contents().Registered[entrasim.EA01]) != len(before.Contents().Registered[entrasim.EA01]) {
			t.Errorf("%+v", r)
		}
	})
}

// What the daemon's look asks for is what a tenant with sources.directory consents to.
func TestPermissionsOfTheLook(t *testing.T) {
	// When the accounts last signed in is told to who reads the logs by Graph.
	needs := entra.Needs(entra.UseSelf, entra.UseProtection, entra.UseAccounts, entra.UseRoles, entra.UseLogs)
	for _, p := range graph.ProtectionPermissions() {
		if !slices.Contains(needs, p) {
			t.Errorf("the look needs %s, and nobody is asked for it", p)
		}
	}
	for _, p := range entra.Needs(entra.UseProtection) {
		if !slices.Contains(graph.ProtectionPermissions(), p) {
			t.Errorf("%s is asked for, and the look makes no use of it", p)
		}
	}
}
