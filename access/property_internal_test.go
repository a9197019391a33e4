package access

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"glassward/directory"
	"glassward/directory/truth"
)

const account = "aaaaaaaa-0000-4000-8000-000000000001"

func guid(kind string, i int) string { return fmt.Sprintf("%s-0000-4000-8000-%012d", kind, i) }

// genTenant makes a small tenant of which everything was read, and whose policies use
// every condition.
func genTenant(t *rapid.T) directory.Contents {
	pick := func(name string, list ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(list), 0, 2, rapid.ID[string]).Draw(t, name)
	}
	one := func(name string, list ...string) string { return rapid.SampledFrom(list).Draw(t, name) }
	chance := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
	c := directory.Contents{
		Tenant:           guid("11111111", 1),
		Readings:         map[directory.Part]directory.Reading{},
		SecurityDefaults: truth.Of(chance("defaults")),
		Users:            []*directory.User{{ID: account, UPN: "ea@contoso.onmicrosoft.com", Type: "Member", Enabled: truth.True}},
		Domains:          []*directory.Domain{{Name: "contoso.onmicrosoft.com", AuthenticationType: "Managed"}},
		Members:          map[string][]directory.Ref{},
		PerUserMFA:       map[string]string{account: one("per user", "disabled", "enforced")},
	}
	for _, p := range directory.Parts() {
		if p != directory.RoleSchedules && p != directory.MemberOf {
			c.Readings[p] = directory.Reading{State: directory.Read}
		}
	}
	groups := []string{guid("bbbbbbbb", 1), guid("bbbbbbbb", 2), guid("bbbbbbbb", 3)}
	for i, g := range groups {
		c.Groups = append(c.Groups, &directory.Group{ID: g})
		c.Members[g] = []directory.Ref{}
		if rapid.Bool().Draw(t, "member") {
			c.Members[g] = append(c.Members[g], directory.Ref{ID: account})
		}
		if rapid.Bool().Draw(t, "nested") {
			c.Members[g] = append(c.Members[g], directory.Ref{ID: groups[(i+1)%3]})
		}
	}
	if rapid.Bool().Draw(t, "administrator") {
		c.Assignments = []*directory.RoleAssignment{{ID: "1", Principal: account, Role: directory.GlobalAdministrator, Scope: "/"}}
	}
	locations := []string{"All", "AllTrusted", MFATrustedIPs}
	for i, r := range []string{"203.0.113.0/24", "203.0.113.128/25", "2001:db8::/32"} {
		id := guid("dddddddd", i)
		locations = append(locations, id)
		c.Locations = append(c.Locations, &directory.NamedLocation{ID: id, Kind: directory.LocationIP, Trusted: truth.Of(rapid.Bool().Draw(t, "trusted")), Ranges: []netip.Prefix{netip.MustParsePrefix(r)}})
	}
	id := guid("dddddddd", 9)
	locations = append(locations, id)
	c.Locations = append(c.Locations, &directory.NamedLocation{ID: id, Kind: directory.LocationCountry, Trusted: truth.False, Countries: []string{"NO"}, UnknownCountries: truth.Of(rapid.Bool().Draw(t, "nowhere"))})

	keys := []string{guid("eeeeeeee", 1), guid("eeeeeeee", 2)}
	strength := &directory.Strength{ID: guid("55555555", 1), PolicyType: "custom", Combinations: []string{"fido2"}, Configured: true,
		Configurations: []directory.CombinationConfiguration{{Kind: "fido2CombinationConfiguration", AppliesTo: []string{"fido2"}, AAGUIDs: pick("models", keys...)}}}
	c.Strengths = []*directory.Strength{strength}
	c.Methods = &directory.MethodsPolicy{Migration: "migrationComplete", Configurations: []*directory.MethodConfiguration{
		{ID: "Fido2", State: one("fido2", "enabled", "enabled", "disabled"), Include: []directory.Target{{Kind: "group", ID: one("for", append(groups, "all_users", "all_users")...)}}},
		{ID: "X509Certificate", State: "disabled"},
	}}
	c.Registered = map[string][]directory.Method{account: {{ID: "p", Kind: "passwordAuthenticationMethod"}}}
	if rapid.Bool().Draw(t, "key") {
		c.Registered[account] = append(c.Registered[account], directory.Method{ID: "k", Kind: "fido2AuthenticationMethod", AAGUID: one("model", keys...), PasskeyType: "deviceBound"})
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "policies") {
		p := &directory.Policy{ID: guid("cccccccc", i), State: one("state", directory.PolicyEnabled, directory.PolicyEnabled, directory.PolicyReportOnly, directory.PolicyDisabled)}
		p.Conditions.Users = &directory.UserCondition{
			IncludeUsers: pick("users", "All", "All", account, "None")[:], ExcludeUsers: pick("not users", account, "GuestsOrExternalUsers", guid("aaaaaaaa", 2)),
			IncludeGroups: pick("groups", groups...), ExcludeGroups: pick("not groups", append(groups, guid("bbbbbbbb", 9))...),
		}
		if chance("roles") {
			p.Conditions.Users.IncludeRoles = []string{directory.GlobalAdministrator}
		}
		p.Conditions.Applications = &directory.ApplicationCondition{
			Include: append(pick("apps", appAzurePortal, appGraph, "MicrosoftAdminPortals", "Office365"), "All")[:rapid.IntRange(1, 1).Draw(t, "n")], Exclude: pick("not apps", appARM, appAzurePortal),
		}
		if chance("actions") {
			p.Conditions.Applications.UserActions = []string{"urn:user:registersecurityinfo"}
		}
		if chance("clients") {
			p.Conditions.ClientAppTypes = []string{one("client", "browser", "mobileAppsAndDesktopClients", "other")}
		}
		if chance("platforms") {
			p.Conditions.Platforms = &directory.PlatformCondition{Include: []string{one("platform", "all", "windows", "linux", "beos")}, Exclude: pick("not platform", "macOS", "iOS")}
		}
		if rapid.Bool().Draw(t, "places") {
			p.Conditions.Locations = &directory.LocationCondition{Include: []string{one("place", locations...)}, Exclude: pick("not place", locations[1:]...)}
		}
		if chance("risk") {
			p.Conditions.UserRiskLevels = []string{one("level", "high", "medium", "none", "purple")}
		}
		if chance("sign-in risk") {
			p.Conditions.SignInRiskLevels = pick("level", "high", "medium", "low")
		}
		if chance("filter") {
			p.Conditions.Devices = &directory.DeviceCondition{Filter: &directory.Filter{Mode: one("mode", "include", "exclude"), Rule: one("rule", "device.isCompliant -eq True", "device.model -ne \"x\"", "nonsense")}}
		}
		if chance("times") {
			p.Conditions.Times = &directory.TimeCondition{AllTimes: truth.False}
		}
		switch rapid.IntRange(0, 5).Draw(t, "grant") {
		case 0, 1:
			p.Grant = &directory.GrantControls{Operator: "OR", BuiltIn: []string{"block"}}
		case 2:
			p.Grant = &directory.GrantControls{Operator: one("operator", "AND", "OR"), BuiltIn: pick("control", "mfa", "compliantDevice", "riskRemediation", "wave"), Strength: strength}
		case 3:
			p.Grant = &directory.GrantControls{Operator: "OR", Strength: &directory.Strength{ID: strength.ID}}
		case 4:
			p.Session = &directory.SessionControls{SecureSignInSession: true}
		case 5:
			p.Grant = &directory.GrantControls{Operator: "OR", BuiltIn: []string{"mfa"}}
		}
		c.Policies = append(c.Policies, p)
	}
	return c
}

// enumerate is the verdict by judging every cell by itself, as one would without a
// proof: the reference.
func enumerate(j *Judge, sub *Subject) Outcome {
	free, refused, everRefused, everFree := false, false, true, true
	var at [dimensions]int
	var walk func(d dimension)
	walk = func(d dimension) {
		if d < dimensions {
			for i := range j.sp.atoms[d] {
				at[d] = i
				walk(d + 1)
			}
			return
		}
		v := j.e.evaluate(sub, j.sp.cell(at)).In
		usual := !j.sp.atoms[byPlace][at[byPlace]].assumed
		free = free || usual && v == truth.True
		refused = refused || usual && v == truth.False
		everRefused = everRefused && v == truth.False
		everFree = everFree && v == truth.True
	}
	walk(0)
	o := Outcome{Worst: Locked, Best: Open}
	if everFree {
		o.Worst = Open
	} else if free {
		o.Worst = Conditional
	}
	if refused {
		if o.Best = Conditional; everRefused {
			o.Best = Locked
		}
	}
	if o.Verdict = o.Best; o.Worst != o.Best {
		o.Verdict = Unresolved
	}
	return o
}

// small leaves of the partition what can be enumerated quickly; the proof is about
// the same.
func small(j *Judge) {
	keep := func(d dimension, names ...string) {
		j.sp.atoms[d] = slices.DeleteFunc(j.sp.atoms[d], func(a atom) bool { return !slices.Contains(names, a.name) })
		j.sp.all[d] = truths{full(len(j.sp.atoms[d])), full(len(j.sp.atoms[d]))}
		j.sp.usual[d] = full(len(j.sp.atoms[d]))
	}
	keep(byTarget, "Azure portal", "Microsoft Graph", "Azure Resource Manager", "security information")
	keep(byPlatform, "windows", "linux", "macOS", "unknown")
	keep(bySignInRisk, "none", "high")
	keep(byUserRisk, "none", "high")
	keep(byInsiderRisk, "none")
	j.sp.held = map[*policy]*[dimensions]truths{}
}

// The verdict of the partition is that of judging every cell by itself, and its
// witnesses and ways are true.
func TestEnumeration(t *testing.T) {
	seen := map[Outcome]int{}
	rapid.Check(t, func(t *rapid.T) {
		c := genTenant(t)
		hide(t, &c)
		j := NewJudge(directory.New(c))
		small(j)
		a := j.Emergency(account)
		want := enumerate(j, a.Subject)
		if a.Outcome != want {
			t.Fatalf("the partition says %v, every cell by itself %v", a.Outcome, want)
		}
		seen[want]++
		for _, f := range a.Failures {
			d := j.e.evaluate(a.Subject, f.Witness)
			if d.In == truth.True || f.Certain && d.In != truth.False {
				t.Fatalf("the witness %s of %s: %v", f.Where, f.Name(), d.In)
			}
		}
		if a.Verdict == Conditional && len(a.Ways) == 0 {
			t.Fatal("conditional, and no way is told")
		}
		for _, p := range a.Applying {
			if slices.Contains(a.Maybe, p) {
				t.Fatal("a policy applies and may apply")
			}
		}
	})
	t.Log(seen)
}

// hide takes away what some permissions would have read.
func hide(t *rapid.T, c *directory.Contents) {
	c.Readings = maps.Clone(c.Readings)
	gone := func(p directory.Part) bool {
		if rapid.IntRange(0, 5).Draw(t, "hide "+string(p)) > 0 {
			return false
		}
		c.Readings[p] = directory.Reading{State: directory.Unread, Reason: "Graph answered 403", Permission: "Some.Read.All"}
		return true
	}
	if gone(directory.Locations) {
		c.Locations = nil
	}
	if gone(directory.Methods) {
		c.Methods = nil
	}
	if gone(directory.Registered) {
		c.Registered = nil
	}
	if gone(directory.Strengths) {
		c.Strengths = nil
		// Graph tells a policy's strength with the policy only where it was asked to.
		c.Policies = slices.Clone(c.Policies)
		for i, p := range c.Policies {
			if p.Grant != nil && p.Grant.Strength != nil {
				q, g := *p, *p.Grant
				g.Strength = &directory.Strength{ID: p.Grant.Strength.ID}
				q.Grant = &g
				c.Policies[i] = &q
			}
		}
	}
	if gone(directory.SecurityDefaults) {
		c.SecurityDefaults = truth.Unknown
	}
	if gone(directory.PerUserMFA) {
		c.PerUserMFA = nil
	}
	if gone(directory.RoleAssignments) {
		c.Assignments = nil
	}
	if gone(directory.Domains) {
		c.Domains = nil
	}
	if gone(directory.Users) {
		c.Users = nil
	}
	if gone(directory.Groups) {
		c.Groups, c.Members = nil, nil
		c.Readings[directory.GroupMembers] = directory.Reading{State: directory.Unread}
	} else if gone(directory.GroupMembers) {
		c.Members = map[string][]directory.Ref{}
	}
}

// What becomes known only narrows the bounds of a verdict, and leaves a definite
// answer to a sign-in as it is.
func TestMoreFacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genTenant(t)
		less := c
		hide(t, &less)
		j, k := NewJudge(directory.New(c)), NewJudge(directory.New(less))
		more, fewer := j.Emergency(account).Outcome, k.Emergency(account).Outcome
		if more.Worst.rank() < fewer.Worst.rank() || more.Best.rank() > fewer.Best.rank() {
			t.Fatalf("%v is known, and %v when more is", fewer, more)
		}
		in := genSignIn(t)
		vague := in
		blur(t, &vague)
		full, part := j.e.Evaluate(in), k.e.Evaluate(vague)
		if part.In.Known() && part.In != full.In {
			t.Fatalf("in: %v, and %v when more is known", part.In, full.In)
		}
		for i := range full.Results {
			if v, w := part.Results[i].Applies, full.Results[i].Applies; v.Known() && v != w {
				t.Fatalf("policy %d applies: %v, and %v when more is known", i, v, w)
			}
		}
	})
}

func genSignIn(t *rapid.T) SignIn {
	one := func(name string, list ...string) string { return rapid.SampledFrom(list).Draw(t, name) }
	in := SignIn{
		User: account, ClientApp: one("client", "browser", "other"), Platform: one("platform", "windows", "linux", "unknown", "iOS"),
		Address: netip.MustParseAddr(one("address", "203.0.113.1", "203.0.113.200", "198.51.100.1", "2001:db8::1")), Country: one("country", "NO", "DE", "unknown"),
		MFATrusted: truth.Of(rapid.Bool().Draw(t, "trusted")), CompliantNetwork: truth.False,
		UserRisk: one("user risk", "none", "high"), SignInRisk: one("sign-in risk", "low", "high"), InsiderRisk: "none", Flow: "none", Device: Unregistered(),
	}
	if rapid.Bool().Draw(t, "action") {
		in.UserAction = "urn:user:registersecurityinfo"
	} else {
		in.Resources = []string{one("resource", appAzurePortal, appGraph, appExchange)}
	}
	return in
}

func blur(t *rapid.T, in *SignIn) {
	forget := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, "forget "+name) == 0 }
	if forget("client") {
		in.ClientApp = ""
	}
	if forget("platform") {
		in.Platform = ""
	}
	if forget("address") {
		in.Address = netip.Addr{}
	}
	if forget("country") {
		in.Country = ""
	}
	if forget("trusted") {
		in.MFATrusted = truth.Unknown
	}
	if forget("risk") {
		in.UserRisk, in.SignInRisk = "", ""
	}
	if forget("device") {
		in.Device = Device{}
	}
}

// An exclusion, of the account or of its group, never makes a verdict worse.
func TestExclusionsNeverHurt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genTenant(t)
		hide(t, &c)
		s := directory.New(c)
		before := NewJudge(s).Emergency(account).Outcome
		at := rapid.IntRange(0, len(c.Policies)-1).Draw(t, "policy")
		group := rapid.Bool().Draw(t, "group")
		after := NewJudge(s.With(func(o *directory.Contents) {
			p := *o.Policies[at]
			u := *p.Conditions.Users
			if group {
				u.ExcludeGroups = append(slices.Clone(u.ExcludeGroups), guid("bbbbbbbb", 1))
			} else {
				u.ExcludeUsers = append(slices.Clone(u.ExcludeUsers), account)
			}
			p.Conditions.Users = &u
			o.Policies = slices.Clone(o.Policies)
			o.Policies[at] = &p
		})).Emergency(account).Outcome
		if after.Worse(before) {
			t.Fatalf("%v, and %v with the exclusion", before, after)
		}
	})
}

// A block never makes a verdict better.
func TestBlocksNeverHelp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genTenant(t)
		hide(t, &c)
		extra := genTenant(t).Policies[0]
		extra.Grant = &directory.GrantControls{Operator: "OR", BuiltIn: []string{"block"}}
		extra.ID = guid("cccccccc", 99)
		s := directory.New(c)
		before := NewJudge(s).Emergency(account).Outcome
		after := NewJudge(s.With(func(o *directory.Contents) { o.Policies = append(slices.Clone(o.Policies), extra) })).Emergency(account).Outcome
		if before.Worse(after) {
			t.Fatalf("%v, and %v with the block", before, after)
		}
	})
}

// The order of policies decides nothing.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genTenant(t)
		hide(t, &c)
		before := NewJudge(directory.New(c)).Emergency(account).Outcome
		c.Policies = rapid.Permutation(c.Policies).Draw(t, "order")
		if after := NewJudge(directory.New(c)).Emergency(account).Outcome; after != before {
			t.Fatalf("%v, and %v in another order", before, after)
		}
	})
}

// What Changes tells is so: it compares with verdicts worked out from nothing.
func TestChangesAreTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genTenant(t)
		j := NewJudge(directory.New(c))
		a := j.Emergency(account)
		told := map[string]bool{}
		for _, x := range j.Changes(a) {
			told[x.What] = true
		}
		for i, p := range c.Policies {
			if p.State != directory.PolicyReportOnly {
				continue
			}
			o := c
			on := *p
			on.State = directory.PolicyEnabled
			o.Policies = slices.Clone(c.Policies)
			o.Policies[i] = &on
			worse := NewJudge(directory.New(o)).Emergency(account).Worse(a.Outcome)
			if what := "enable the policy " + p.ID + ", which is report-only"; told[what] != worse {
				t.Fatalf("%s: told %v, is %v", what, told[what], worse)
			}
		}
		for _, g := range c.Groups {
			if !slices.Contains(c.Members[g.ID], directory.Ref{ID: account}) {
				continue
			}
			o := c
			o.Members = maps.Clone(c.Members)
			o.Members[g.ID] = slices.DeleteFunc(slices.Clone(o.Members[g.ID]), func(r directory.Ref) bool { return r.ID == account })
			worse := NewJudge(directory.New(o)).Emergency(account).Worse(a.Outcome)
			if what := "take the account out of group " + g.ID; told[what] != worse {
				t.Fatalf("%s: told %v, is %v", what, told[what], worse)
			}
		}
	})
}
