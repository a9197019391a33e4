package posture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/truth"
)

// inDesign are the checks of one design.
func inDesign(design string, judge func(*view)) judgement {
	return judgement{func(o *Options) string {
		if o.Design != design {
			return "the tenant declares the design " + o.Design
		}
		return ""
	}, judge}
}

// ownPolicies gives the accounts' own policies that are there, in the order in which they
// are declared.
func (v *view) ownPolicies() []*directory.Policy {
	var list []*directory.Policy
	policies := v.contents(directory.Policies).Policies
	for _, id := range v.o.Policies {
		if i := slices.IndexFunc(policies, func(p *directory.Policy) bool { return p.ID == id }); i >= 0 {
			list = append(list, policies[i])
		} else {
			v.fail(id, "id", "there is no policy of this id")
		}
	}
	return list
}

// hole says for which sign-in of an account a policy of its own does not hold, or "".
func (v *view) hole(p *directory.Policy) string {
	u, a := p.Conditions.Users, p.Conditions.Applications
	switch p.State {
	case directory.PolicyEnabled:
	case directory.PolicyReportOnly:
		return "it reports only, which is as if it were not there"
	default:
		return "its state is " + p.State
	}
	switch {
	case u == nil:
		return "it names nobody"
	case a == nil || !slices.Equal(a.Include, []string{"All"}) || len(a.UserActions)+len(a.Contexts) > 0:
		return "it is not about all resources"
	case len(a.Exclude) > 0 || a.Filter != nil:
		return "it leaves resources out: " + strings.Join(a.Exclude, ", ")
	case len(u.ExcludeUsers)+len(u.ExcludeGroups)+len(u.ExcludeRoles) > 0 || u.ExcludeGuests != nil:
		return "it excludes somebody"
	}
	if list := conditions(p); len(list) > 0 {
		return "it has the condition " + strings.Join(list, ", ")
	}
	for _, id := range slices.Concat(u.IncludeUsers, u.IncludeGroups, u.IncludeRoles) {
		if !v.emergencyID(id) && (v.o.Targeting != TargetGroup || id != v.o.Group) {
			return "it names " + v.name(id) + ", which is not declared"
		}
	}
	if u.IncludeGuests != nil {
		return "it is about guests too"
	}
	return ""
}

// conditions names the conditions of a policy beside users and resources.
func conditions(p *directory.Policy) []string {
	c := p.Conditions
	var list []string
	add := func(set bool, name string) {
		if set {
			list = append(list, name)
		}
	}
	all := []string{"browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other"}
	add(len(c.ClientAppTypes) > 0 && !slices.Contains(c.ClientAppTypes, "all") &&
		slices.ContainsFunc(all, func(s string) bool { return !slices.Contains(c.ClientAppTypes, s) }), "clientAppTypes")
	add(c.Platforms != nil && len(c.Platforms.Include)+len(c.Platforms.Exclude) > 0, "platforms")
	add(c.Locations != nil && len(c.Locations.Include)+len(c.Locations.Exclude) > 0, "locations")
	add(len(c.UserRiskLevels) > 0, "userRiskLevels")
	add(len(c.SignInRiskLevels) > 0, "signInRiskLevels")
	add(len(c.InsiderRiskLevels) > 0, "insiderRiskLevels")
	add(c.Devices != nil && (c.Devices.Filter != nil || len(c.Devices.IncludeStates)+len(c.Devices.ExcludeStates) > 0), "devices")
	add(len(c.TransferMethods) > 0 && !slices.Equal(c.TransferMethods, []string{"none"}), "authenticationFlows")
	add(c.ClientApplications != nil, "clientApplications")
	add(c.Times != nil && c.Times.AllTimes != truth.True, "times")
	return append(list, c.Extra.Names()...)
}

// whole gives the accounts' own policies that hold for every sign-in of all accounts, and
// why the others do not.
func (v *view) whole() (list []*directory.Policy, holes map[string]string) {
	v.read(directory.BetaPolicies, "") // a condition that v1.0 leaves out is a hole too
	holes = map[string]string{}
	users := v.accounts()
	for _, p := range v.ownPolicies() {
		why := v.hole(p)
		for _, u := range users {
			hits := v.about(u.ID)
			i := slices.IndexFunc(hits, func(h access.Hit) bool { return h.Policy.ID == p.ID && !h.Deleted })
			if why == "" && i >= 0 && hits[i].Whom.Holds != truth.True {
				why = "it is not about " + v.name(u.ID) + ": " + hits[i].Whom.Why
			}
		}
		if holes[p.ID] = why; why == "" {
			list = append(list, p)
		}
	}
	return list, holes
}

// strengthDemanded: one of the accounts' own policies demands their strength, always.
func strengthDemanded(v *view) {
	if !v.declaredPolicies() {
		v.read(directory.Policies, "")
		return
	}
	if v.o.Strength == "" {
		v.unknown("", "strength", "the accounts' authentication strength is not declared")
	}
	list, holes := v.whole()
	asks := func(p *directory.Policy) bool { return p.Grant != nil && p.Grant.Strength != nil }
	for _, p := range list {
		switch {
		case !asks(p):
		case v.o.Strength != "" && p.Grant.Strength.ID != v.o.Strength:
			v.fail(p.ID, "authenticationStrength", "is %s, not the declared one", v.name(p.Grant.Strength.ID))
			return
		case p.Grant.Operator == "OR" && len(p.Grant.BuiltIn)+len(p.Grant.TermsOfUse)+len(p.Grant.CustomFactors) > 0:
			v.fail(p.ID, "grantControls.operator", "another control is enough")
			return
		default:
			v.pass(p.ID, "authenticationStrength", "demanded of all accounts in every sign-in")
			return
		}
	}
	found := false
	for _, p := range v.ownPolicies() {
		if asks(p) && holes[p.ID] != "" {
			found = true
			v.fail(p.ID, "authenticationStrength", "%s", holes[p.ID])
		}
	}
	if !found {
		v.fail("", "authenticationStrength", "none of the accounts' own policies demands one")
	}
}

// sessionShort: the accounts' own policies make sessions short and forget them.
func sessionShort(v *view) {
	if !v.declaredPolicies() {
		v.read(directory.Policies, "")
		return
	}
	list, holes := v.whole()
	frequency, browser := "", ""
	for _, p := range list {
		if p.Session == nil {
			continue
		}
		if f := p.Session.SignInFrequency; f != nil {
			hours := f.Value
			if f.Type == "days" {
				hours *= 24
			}
			switch {
			case f.Interval == "everyTime":
				frequency = p.ID
				v.pass(p.ID, "signInFrequency", "every time")
			case f.Interval != "timeBased" && f.Interval != "":
				v.unknown(p.ID, "signInFrequency.frequencyInterval", "%q", f.Interval)
			case hours <= 0:
				v.unknown(p.ID, "signInFrequency", "its value is not told")
			case hours > v.o.Norms.SignInHours:
				v.fail(p.ID, "signInFrequency", "%d hours, more than %d", hours, v.o.Norms.SignInHours)
				frequency = p.ID
			default:
				frequency = p.ID
				v.pass(p.ID, "signInFrequency", "%d hours", hours)
			}
		}
		if mode := p.Session.PersistentBrowser; mode == "never" {
			browser = p.ID
			v.pass(p.ID, "persistentBrowser", "%s", mode)
		}
	}
	var why []string
	for _, p := range v.ownPolicies() {
		if holes[p.ID] != "" && p.Session != nil {
			why = append(why, fmt.Sprintf("%s: %s", v.name(p.ID), holes[p.ID]))
		}
	}
	more := ""
	if len(why) > 0 {
		more = " (" + strings.Join(why, "; ") + ")"
	}
	if frequency == "" && !v.any(Unknown) {
		v.fail("", "signInFrequency", "none of the accounts' own policies sets it%s", more)
	}
	if browser == "" {
		v.fail("", "persistentBrowser", "none of the accounts' own policies says never%s", more)
	}
}

// exposure: in the design that excludes the accounts from all policies, what asks for
// more than a password.
func exposure(v *view) {
	v.read(directory.SecurityDefaults, "")
	for _, u := range v.accounts() {
		a := v.emergency(u.ID)
		v.perUserMFA(u.ID)
		open := v.a.judge.Unasked(a)
		can := !slices.ContainsFunc(a.Failures, func(f access.Failure) bool { return f.Gate == "mandatory MFA" })
		switch {
		case len(open) == 0:
			v.pass(u.ID, "second factor", "asked for everywhere")
		case !can:
			v.fail(u.ID, "second factor", "it has none: a password opens %s", strings.Join(open, ", "))
		default:
			v.warn(u.ID, "second factor", "only mandatory MFA asks for it: a password alone opens %s", strings.Join(open, ", "))
		}
	}
}

// defaultsCoherent: security defaults are off where there are policies, or the accounts
// can do what they ask.
func defaultsCoherent(v *view) {
	const property = "identitySecurityDefaultsEnforcementPolicy.isEnabled"
	v.read(directory.SecurityDefaults, "")
	enabled := 0
	for _, p := range v.contents(directory.Policies).Policies {
		if p.State == directory.PolicyEnabled {
			enabled++
		}
	}
	is := v.a.s.Contents().SecurityDefaults
	switch {
	case is == truth.Unknown:
		v.unknown("", property, "not told")
	case is == truth.False:
		v.pass("", property, "false")
	case enabled > 0:
		v.fail("", property, "true, beside %d enabled policies", enabled)
	}
	for _, u := range v.accounts() {
		a := v.emergency(u.ID)
		if is != truth.True || enabled > 0 {
			continue
		}
		clean := true
		for _, f := range a.Failures {
			if f.Gate == "security defaults" {
				clean = false
				v.refused(u.ID, f)
			}
		}
		if clean {
			v.pass(u.ID, property, "true, and the account can do what they ask")
		}
	}
}

// scopesEnforced is when policies for all resources began to be enforced for low-privilege
// scopes, even where resources are left out of them.
var scopesEnforced = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// exclusionsReread: a policy for all resources but some was looked at since then.
func exclusionsReread(v *view) {
	for _, u := range v.accounts() {
		clean := true
		for _, h := range v.about(u.ID) {
			a := h.Policy.Conditions.Applications
			if h.Deleted || !on(h.Policy) || a == nil || !slices.Contains(a.Include, "All") || len(a.Exclude) == 0 || h.Whom.Holds == truth.False {
				continue
			}
			clean = false
			const property = "conditions.applications.excludeApplications"
			switch {
			case h.Whom.Holds == truth.Unknown:
				v.reached(&h, u.ID, property, "")
			case h.Policy.Modified.IsZero():
				v.unknown(h.Policy.ID, property, "when it was changed last is not told")
			case h.Policy.Modified.Before(scopesEnforced):
				v.fail(h.Policy.ID, property, "leaves %d out, is about %s and was changed last on %s: since March 2026 it is enforced for Windows Azure Active Directory too",
					len(a.Exclude), v.name(u.ID), h.Policy.Modified.Format(time.DateOnly))
			default:
				v.pass(h.Policy.ID, property, "leaves %d out, changed on %s", len(a.Exclude), h.Policy.Modified.Format(time.DateOnly))
			}
		}
		if clean {
			v.pass(u.ID, "conditions.applications.excludeApplications", "no policy about it leaves resources out")
		}
	}
}

// legacy: what Graph does not show a person has looked at, not too long ago.
func legacy(v *view) {
	const what = "classic policies, older risk policies and MFA registration policy"
	v.read(directory.Policies, "")
	day := v.o.ClassicPoliciesReviewed
	days, known := v.days(day)
	switch {
	case day.IsZero():
		v.unknown("", what, "Graph shows none of them: look at Protection > Conditional Access > Classic policies and at Identity Protection, and declare the day on which there were none: classicPoliciesReviewed")
	case !known:
		v.unknown("", what, "the snapshot does not say when it was taken")
	case days < -1:
		v.fail("", what, "looked at on %s, which is still to come", day.Format(time.DateOnly))
	case days > v.o.Norms.ReviewDays:
		v.unknown("", what, "last looked at %d days ago, more than %d: Graph shows none of them", days, v.o.Norms.ReviewDays)
	default:
		v.pass("", what, "none, seen in the portal %d days ago", days)
	}
}

// proofFresh: what the last proof rested on is as it was then.
func proofFresh(v *view) {
	for _, u := range v.accounts() {
		v.emergency(u.ID)
	}
	for _, p := range []directory.Part{directory.AuthenticationContexts, directory.Units} {
		v.read(p, "")
	}
	ids := make([]string, len(v.o.Accounts))
	for i, a := range v.o.Accounts {
		ids[i] = a.ID
	}
	now, err := access.Digest(v.a.s, ids)
	if err != nil {
		v.unknown("", "proof", "%v", err)
		return
	}
	switch v.o.Proof {
	case "":
		v.unknown("", "proof", "no proof is declared; of what decides now the digest is %s", now)
	case now:
		v.pass("", "proof", "%s", now)
	default:
		v.fail("", "proof", "was made of %s, and what decides is %s now", v.o.Proof, now)
	}
}
