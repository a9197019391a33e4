package posture_test

import (
	"path/filepath"
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
	"glassward/posture"
)

// A tenant is a simulated one that is read and judged.
type tenant struct {
	t     *testing.T
	world *entrasim.World
	cloud *cloud.Cloud
	graph *entra.Client
	dir   string
}

func play(t *testing.T, f func(*tenant)) {
	t.Helper()
	tenanttest.Play(t, 6, 10, cloud.Limits{}, func(t *testing.T, x *tenanttest.Tenant) {
		f(&tenant{t: t, dir: x.Dir, world: x.World, cloud: x.Cloud, graph: x.Client(entra.Graph)})
	})
}

// read takes a snapshot and judges it.
func (x *tenant) read(name string) (*directory.Snapshot, *posture.Report) {
	x.t.Helper()
	var questions []graph.Question
	for _, id := range []string{entrasim.EA01, entrasim.EA02} {
		for _, sample := range whatif.Samples(id) {
			q, err := whatif.Ask(directory.New(directory.Contents{}), sample.SignIn)
			if err != nil {
				x.t.Fatal(err)
			}
			questions = append(questions, graph.Question{ID: id + "/" + sample.Name, Body: q.Body})
		}
	}
	dir := filepath.Join(x.dir, name)
	if _, err := graph.Read(x.t.Context(), graph.Options{Graph: x.graph, Tenant: x.world.Tenant().ID, Dir: dir, Accounts: []string{entrasim.EA01, entrasim.EA02}, Questions: questions}); err != nil {
		x.t.Fatal(err)
	}
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		x.t.Fatal(err)
	}
	r, err := posture.Assess(s, posture.Options{Accounts: []posture.Account{{ID: entrasim.EA01}, {ID: entrasim.EA02}}})
	if err != nil {
		x.t.Fatal(err)
	}
	return s, r
}

// finding holds that a check comes to a result that says something.
func (x *tenant) finding(r *posture.Report, id string, want posture.Result, says string) {
	x.t.Helper()
	f := r.Finding(id)
	words := f.Reason
	for _, s := range f.Seen {
		words += "\n" + s.String()
	}
	if f.Result != want || !strings.Contains(words, says) {
		x.t.Errorf("%s: %s %s, want %s %q", id, f.Result, words, want, says)
	}
}

// verdict holds that an account has a verdict, and what refuses says something.
func (x *tenant) verdict(s *directory.Snapshot, account string, want access.Verdict, says string) {
	x.t.Helper()
	a := access.NewJudge(s).Emergency(account)
	words := ""
	for _, f := range a.Failures {
		words += f.Name() + ": " + f.Where + ": " + f.Why + "\n"
	}
	if a.Verdict != want || !strings.Contains(words, says) {
		x.t.Errorf("%s is %s %s, want %s %q", account, a.Verdict, words, want, says)
	}
}

// What v1.0 hides of a policy is seen in beta, named by the check, the verdict and the
// single sign-in, and makes unknown what depends on it and nothing else.
func TestWhatVersionOneHides(t *testing.T) {
	play(t, func(x *tenant) {
		s, r := x.read("before")
		x.verdict(s, entrasim.EA01, access.Open, "")
		x.finding(r, "CA-27", posture.Pass, "")
		x.finding(r, "CA-28", posture.Pass, "6 sign-ins and 3 policies: the same")

		// About everybody else: nothing that matters here.
		add := func(text string) {
			x.t.Helper()
			if _, err := x.world.AddPolicy(text); err != nil {
				x.t.Fatal(err)
			}
		}
		const times = `"times":{"allDay":false,"days":["saturday","sunday"],"timeRange":{"startTime":"00:00","endTime":"24:00"}}`
		add(`{"displayName":"Weekends: block","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"],"excludeUsers":["` + entrasim.EA01 + `","` + entrasim.EA02 + `"]},` + times + `},"grantControls":{"operator":"OR","builtInControls":["block"]}}`)
		s, r = x.read("others")
		x.verdict(s, entrasim.EA01, access.Open, "")
		x.finding(r, "CA-27", posture.Pass, "")
		x.finding(r, "CA-28", posture.Pass, "")

		// About one of the accounts: v1.0 shows a policy that blocks it always.
		add(`{"displayName":"Weekends: block EA-01","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["` + entrasim.EA01 + `"]},` + times + `},"grantControls":{"operator":"OR","builtInControls":["block"]}}`)
		s, r = x.read("one")
		for _, p := range s.Contents().Policies {
			if p.Conditions.Times != nil || len(p.Conditions.Extra) > 0 {
				x.t.Errorf("v1.0 shows %s of %s", p.Conditions.Extra.Names(), p.DisplayName)
			}
		}
		x.verdict(s, entrasim.EA01, access.Unresolved, "the policy applies at certain times, which are not judged (v1.0 hides it)")
		x.verdict(s, entrasim.EA02, access.Open, "")
		x.finding(r, "CA-27", posture.Unknown, "v1.0 hides conditions.times")
		x.finding(r, "CA-28", posture.Unknown, "Weekends: block EA-01")
		d := access.NewEvaluator(s).Evaluate(whatif.Samples(entrasim.EA01)[0].SignIn)
		for _, p := range d.Results {
			if p.Policy.DisplayName == "Weekends: block EA-01" && (p.Applies != truth.Unknown || !strings.Contains(strings.Join(p.Unknowns(), ""), "(v1.0 hides it)") || len(p.Policy.Hidden) != 1) {
				x.t.Errorf("%+v", p)
			}
		}

		// Where beta is refused it is unknown what v1.0 hides.
		defer x.cloud.Faults().Add(cloud.Trouble{Service: cloud.Graph, Path: "/beta/identity/conditionalAccess/policies", Status: 403, Code: "AccessDenied", Message: "no"})()
		_, r = x.read("v1")
		x.finding(r, "CA-27", posture.Unknown, "conditionalAccessPoliciesBeta was not read")
	})
}

// Where v1.0 shows no passkey profiles, those that beta shows decide.
func TestPasskeyProfilesThatVersionOneHides(t *testing.T) {
	play(t, func(x *tenant) {
		x.world.SetPasskeyProfile(false, "2fc0579f-8113-47ea-b116-bb5a8db9202a") // the model of EA-01 alone
		s, r := x.read("hidden")
		if m := s.Contents().Methods; len(m.Hidden) != 1 || m.Hidden[0] != "authenticationMethodConfigurations.Fido2.passkeyProfiles" {
			x.t.Errorf("hidden: %q", m.Hidden)
		}
		x.verdict(s, entrasim.EA01, access.Open, "")
		x.verdict(s, entrasim.EA02, access.Locked, "is not among those of passkey profile FIDO2 profile")
		x.finding(r, "AUTH-08", posture.Fail, "ePass FIDO2")
		x.world.SetPasskeyProfile(true)
		s, _ = x.read("shown")
		if m := s.Contents().Methods; m.Hidden != nil {
			x.t.Errorf("hidden: %q", m.Hidden)
		}
		x.verdict(s, entrasim.EA02, access.Open, "")
	})
}

// Group settings are read where their own permission or a wider one shows them, and told
// with their own where none does.
func TestGroupSettings(t *testing.T) {
	play(t, func(x *tenant) {
		_, r := x.read("its own")
		x.finding(r, "AUTH-22", posture.Pass, "LockoutThreshold: 10")
		x.world.Revoke(entrasim.GlasswardApp, "GroupSettings.Read.All")
		x.cloud.Faults().RevokeTokens(x.world.Tenant().ID)
		_, r = x.read("without")
		x.finding(r, "AUTH-22", posture.Unknown, "needs GroupSettings.Read.All")
		x.world.Grant(entrasim.GlasswardApp, "Group.Read.All")
		x.cloud.Faults().RevokeTokens(x.world.Tenant().ID)
		_, r = x.read("with")
		x.finding(r, "AUTH-22", posture.Pass, "LockoutThreshold: 10")
	})
}

// A group in a group in a group that a policy leaves out leaves the accounts out, with the
// path; taken out of the innermost one an account is no longer left out.
func TestNestedExclusion(t *testing.T) {
	play(t, func(x *tenant) {
		inner := x.world.AddGroup("inner", true, entrasim.EA01, entrasim.EA02)
		outer := x.world.AddGroup("outer", false, x.world.AddGroup("middle", false, inner), entrasim.Admin)
		if _, err := x.world.AddPolicy(`{"displayName":"Everybody: block","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"],"excludeGroups":["` + outer + `"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}}`); err != nil {
			x.t.Fatal(err)
		}
		s, r := x.read("nested")
		for _, id := range []string{entrasim.EA01, entrasim.EA02} {
			x.verdict(s, id, access.Open, "")
			if in, path, _ := s.MemberOf(id).In(outer); in != truth.True || len(path) != 4 {
				x.t.Errorf("%s: %v by %v", id, in, path)
			}
		}
		x.finding(r, "CA-05", posture.Fail, "group outer, nested: through middle, inner")
		x.finding(r, "CA-28", posture.Pass, "")
		x.world.RemoveMember(inner, entrasim.EA02)
		s, r = x.read("taken out")
		x.verdict(s, entrasim.EA01, access.Open, "")
		x.verdict(s, entrasim.EA02, access.Locked, "Everybody: block")
		x.finding(r, "CA-08", posture.Fail, "Everybody: block")
	})
}
