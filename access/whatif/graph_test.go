package whatif_test

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glassward/access"
	"glassward/access/whatif"
	"glassward/directory"
	"glassward/directory/graph"
	"glassward/directory/truth"
	"glassward/entra"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
	"glassward/internal/entrasim/tenanttest"
)

// policies are about each condition that a question can tell of. NESTED, OUT and PERSON stand
// for a group in a group that holds the account, for one that does not hold it, and for
// somebody else.
var policies = map[string]string{
	"everybody":                   `"users":{"includeUsers":["All"]}`,
	"nobody":                      `"users":{"includeUsers":["None"]}`,
	"all but the nested group":    `"users":{"includeUsers":["All"],"excludeGroups":["NESTED"]}`,
	"the nested group":            `"users":{"includeGroups":["NESTED"]}`,
	"another group":               `"users":{"includeGroups":["OUT"]}`,
	"all but another group":       `"users":{"includeUsers":["All"],"excludeGroups":["OUT"]}`,
	"somebody else":               `"users":{"includeUsers":["PERSON"]}`,
	"administrators":              `"users":{"includeRoles":["62e90394-69f5-4237-9190-012177145e10"]}`,
	"all but administrators":      `"users":{"includeUsers":["All"],"excludeRoles":["62e90394-69f5-4237-9190-012177145e10"]}`,
	"guests":                      `"users":{"includeUsers":["GuestsOrExternalUsers"]}`,
	"telephones":                  `"users":{"includeUsers":["All"]},"platforms":{"includePlatforms":["android","iOS"]}`,
	"all but Windows":             `"users":{"includeUsers":["All"]},"platforms":{"includePlatforms":["all"],"excludePlatforms":["windows"]}`,
	"legacy":                      `"users":{"includeUsers":["All"]},"clientAppTypes":["exchangeActiveSync","other"]`,
	"browsers":                    `"users":{"includeUsers":["All"]},"clientAppTypes":["browser"]`,
	"outside":                     `"users":{"includeUsers":["All"]},"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}`,
	"the offices":                 `"users":{"includeUsers":["All"]},"locations":{"includeLocations":["AllTrusted"]}`,
	"sign-in risk":                `"users":{"includeUsers":["All"]},"signInRiskLevels":["medium","high"]`,
	"user risk":                   `"users":{"includeUsers":["All"]},"userRiskLevels":["high"]`,
	"insider risk":                `"users":{"includeUsers":["All"]},"insiderRiskLevels":"moderate,elevated"`,
	"device code":                 `"users":{"includeUsers":["All"]},"authenticationFlows":{"transferMethods":"deviceCodeFlow"}`,
	"devices that do not comply":  `"users":{"includeUsers":["All"]},"devices":{"deviceFilter":{"mode":"exclude","rule":"device.isCompliant -eq True"}}`,
	"one model":                   `"users":{"includeUsers":["All"]},"devices":{"deviceFilter":{"mode":"include","rule":"device.model -eq \"Surface\""}}`,
	"Graph":                       `"users":{"includeUsers":["All"]},"applications":{"includeApplications":["00000003-0000-0000-c000-000000000000"]}`,
	"all but Graph":               `"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"],"excludeApplications":["00000003-0000-0000-c000-000000000000"]}`,
	"security information":        `"users":{"includeUsers":["All"]},"applications":{"includeUserActions":["urn:user:registersecurityinfo"]}`,
	"a context":                   `"users":{"includeUsers":["All"]},"applications":{"includeAuthenticationContextClassReferences":["c1"]}`,
	"applications' own":           `"users":{"includeUsers":["None"]},"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]}`,
	"at certain times, beta only": `"users":{"includeUsers":["All"]},"times":{"allDay":true,"days":["monday"]}`,
}

// asked is a simulated tenant with these policies, and a client for it.
type asked struct {
	t     *testing.T
	world *entrasim.World
	cloud *cloud.Cloud
	graph *entra.Client
	dir   string
}

func play(t *testing.T, f func(*asked)) {
	t.Helper()
	tenanttest.Play(t, 5, 20, cloud.Limits{}, func(t *testing.T, tenant *tenanttest.Tenant) {
		w := tenant.World
		inner := w.AddGroup("inner", false, entrasim.EA01)
		nested := w.AddGroup("outer", false, w.AddGroup("middle", false, inner))
		out := w.AddGroup("elsewhere", false, entrasim.Admin)
		names := strings.NewReplacer("NESTED", nested, "OUT", out, "PERSON", entrasim.Admin)
		for name, conditions := range policies {
			if !strings.Contains(conditions, `"applications"`) {
				conditions += `,"applications":{"includeApplications":["All"]}`
			}
			for _, state := range []string{"enabled", "disabled"} {
				if state == "disabled" && name != "everybody" {
					continue
				}
				if _, err := w.AddPolicy(`{"displayName":"` + name + " " + state + `","state":"` + state + `","conditions":{` + names.Replace(conditions) + `},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`); err != nil {
					t.Fatal(err)
				}
			}
		}
		f(&asked{t: t, world: w, cloud: tenant.Cloud, graph: tenant.Client(entra.Graph), dir: filepath.Join(tenant.Dir, "snapshot")})
	})
}

// snapshot reads the tenant, with Graph's answers to the questions.
func (x *asked) snapshot(questions []graph.Question) *directory.Snapshot {
	x.t.Helper()
	if _, err := graph.Read(x.t.Context(), graph.Options{Graph: x.graph, Tenant: x.world.Tenant().ID, Dir: x.dir, Accounts: []string{entrasim.EA01}, Questions: questions}); err != nil {
		x.t.Fatal(err)
	}
	s, err := directory.Open(x.dir, directory.Limits{})
	if err != nil {
		x.t.Fatal(err)
	}
	return s
}

// signInsOf are the samples of an account and more, so that each policy applies to one of
// them and to another not.
func signInsOf(account string) []access.SignIn {
	var list []access.SignIn
	for _, s := range whatif.Samples(account) {
		list = append(list, s.SignIn)
	}
	portal := list[0]
	change := func(f func(*access.SignIn)) {
		in := portal
		f(&in)
		list = append(list, in)
	}
	change(func(in *access.SignIn) { in.Platform, in.Address = "iOS", netip.MustParseAddr("198.51.107.3") })
	change(func(in *access.SignIn) {
		in.Device = access.Device{Registered: truth.True, Compliant: truth.True, HybridJoined: truth.True}
	})
	change(func(in *access.SignIn) { in.Resources, in.Context = nil, "c1" })
	change(func(in *access.SignIn) { in.User, in.ServicePrincipal = "", "5d000000-0000-4000-8000-000000000003" })
	return list
}

// Of every sign-in that can be asked about Graph's evaluation, which is made apart from
// ours, says the same of every policy, but for what beta alone shows and we do not judge.
func TestGraphSaysTheSame(t *testing.T) {
	play(t, func(x *asked) {
		t := x.t
		s := x.snapshot(nil)
		e := access.NewEvaluator(s)
		both := map[string]map[truth.Value]bool{}
		for _, user := range []string{entrasim.EA01, entrasim.EA02, entrasim.Admin, entrasim.CanaryID} {
			for _, in := range signInsOf(user) {
				q, err := whatif.Ask(s, in)
				if err != nil {
					t.Fatal(err)
				}
				text, err := graph.Evaluate(t.Context(), x.graph, q.Body)
				if err != nil {
					t.Fatalf("%s: %v", q.Body, err)
				}
				answer, err := directory.DecodeEvaluation(text)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range whatif.Compare(e.Evaluate(q.Asked), answer).Rows {
					if both[r.Name] == nil {
						both[r.Name] = map[truth.Value]bool{}
					}
					both[r.Name][r.Ours] = true
					switch {
					case r.Match == whatif.Same:
					case r.Match == whatif.Incomparable && (strings.HasPrefix(r.Name, "at certain times") || in.Context != "" || r.Ours == truth.Unknown && (in.ServicePrincipal != "" || in.Device.Registered == truth.True)):
					case r.Match == whatif.Otherwise && in.Context != "": // Graph is told no resource
					default:
						t.Errorf("%s\n%s: %s: %s", q.Body, r.Name, r.Match, r)
					}
				}
			}
		}
		for name := range policies {
			if b := both[name+" enabled"]; !b[truth.True] && !slices.Contains([]string{"nobody", "guests", "one model", "at certain times, beta only", "applications' own"}, name) || !b[truth.False] && name != "everybody" && name != "at certain times, beta only" {
				t.Errorf("%s: one answer never came: %v", name, b)
			}
		}
	})
}

// A difference that is planted in Graph's evaluation is found where it matters, and nowhere
// else.
func TestPlantedDifference(t *testing.T) {
	play(t, func(x *asked) {
		t := x.t
		s := x.snapshot(nil)
		x.cloud.Faults().WhatIfWithoutGroups(x.world.Tenant().ID, true)
		q, err := whatif.Ask(s, whatif.Samples(entrasim.EA01)[0].SignIn)
		if err != nil {
			t.Fatal(err)
		}
		text, err := graph.Evaluate(t.Context(), x.graph, q.Body)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := directory.DecodeEvaluation(text)
		if err != nil {
			t.Fatal(err)
		}
		var differ []string
		for _, r := range whatif.Compare(access.NewEvaluator(s).Evaluate(q.Asked), answer).Rows {
			if r.Match == whatif.Differs {
				differ = append(differ, r.Name+": "+r.String())
			}
		}
		slices.Sort(differ)
		want := []string{
			"all but the nested group enabled: does not apply (users: excluded by group outer through middle, inner) here, and applies by Graph",
			"the nested group enabled: applies (users: included by group outer through middle, inner) here, and does not apply (users) by Graph",
		}
		if !slices.Equal(differ, want) {
			t.Errorf("%q", differ)
		}
	})
}

// A snapshot holds what was asked and answered, and says what was refused.
func TestEvaluationsInASnapshot(t *testing.T) {
	play(t, func(x *asked) {
		t := x.t
		var questions []graph.Question
		for _, sample := range whatif.Samples(entrasim.EA01) {
			q, err := whatif.Ask(directory.New(directory.Contents{}), sample.SignIn)
			if err != nil {
				t.Fatal(err)
			}
			questions = append(questions, graph.Question{ID: entrasim.EA01 + "/" + sample.Name, Body: q.Body})
		}
		s := x.snapshot(questions)
		list := s.Contents().Evaluations
		if r := s.Reading(directory.Evaluations, ""); r.State != directory.Read || len(list) != len(questions) {
			t.Fatalf("%+v, %d answers", r, len(list))
		}
		for i, e := range list {
			in, err := whatif.SignIn(e.Request)
			if err != nil || e.ID != questions[i].ID || len(e.Results) != len(s.Policies()) || whatif.Compare(access.NewEvaluator(s).Evaluate(in), e.Results).Count(whatif.Differs) > 0 {
				t.Errorf("%s: %v, %d policies of %d", e.ID, err, len(e.Results), len(s.Policies()))
			}
		}
		// One about somebody who is not there costs itself.
		gone := strings.ReplaceAll(string(questions[0].Body), entrasim.EA01, "ea000000-0000-4000-8000-00000000000f")
		s = x.snapshot(append([]graph.Question{{ID: "gone/portal", Body: []byte(gone)}}, questions...))
		if r := s.Reading(directory.Evaluations, ""); r.State != directory.Incomplete || !strings.Contains(r.Why(), "of gone/portal: Graph answered 404") || len(s.Contents().Evaluations) != len(questions) {
			t.Errorf("%+v", r)
		}
		if r := x.snapshot(nil).Reading(directory.Evaluations, ""); r.State != directory.Unread || !strings.Contains(r.Why(), "snapshot --whatif") {
			t.Errorf("%+v", r)
		}
		x.cloud.Faults().Refuse(x.world.Tenant().ID, "Policy.Read.All", true)
		if r := x.snapshot(questions).Reading(directory.Evaluations, ""); r.State != directory.Unread || r.Permission != "Policy.Read.All" {
			t.Errorf("%+v", r)
		}
	})
}
