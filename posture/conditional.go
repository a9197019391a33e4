package posture

import (
	"fmt"
	"slices"
	"strings"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/truth"
)

// about gives the policies with what decides whom each is about; of their other
// properties only those of the policy may be looked at.
func (v *view) about(account string) []access.Hit {
	for _, p := range []directory.Part{directory.Users, directory.Groups, directory.RoleSchedules, directory.Policies} {
		v.read(p, "")
	}
	v.read(directory.MemberOf, account)
	return v.a.hits(account)
}

// hits gives what each policy does to an account in an emergency.
func (v *view) hits(account string) []access.Hit {
	v.emergency(account)
	return v.a.hits(account)
}

// on says that a policy binds, or that nobody knows its state.
func on(p *directory.Policy) bool {
	return p.State != directory.PolicyDisabled && p.State != directory.PolicyReportOnly
}

// others are the policies about users, enabled or of unknown state, that are none of the
// accounts' own.
func (v *view) others(list []access.Hit) []access.Hit {
	return slices.DeleteFunc(slices.Clone(list), func(h access.Hit) bool {
		return h.Deleted || h.Idle || !on(h.Policy) || v.dedicated(h.Policy.ID)
	})
}

// reached says that a policy is about an account: for certain, or that it is not known.
func (v *view) reached(h *access.Hit, account, property, what string) {
	who := v.name(account)
	if h.Whom.Holds == truth.True {
		v.fail(h.Policy.ID, property, "%sis about %s: %s", what, who, h.Whom.Why)
	} else {
		v.unknown(h.Policy.ID, property, "%swhether it is about %s: %s", what, who, h.Whom.Why)
	}
}

// keptOut says that a policy keeps an account out, or may.
func (v *view) keptOut(h *access.Hit, account, property string) {
	if h.Refuses == truth.True {
		v.fail(h.Policy.ID, property, "keeps %s out: %s: %s", v.name(account), h.Where, h.Why)
	} else {
		v.unknown(h.Policy.ID, property, "may keep %s out: %s: %s", v.name(account), h.Where, h.Why)
	}
}

// declaredPolicies says whether the accounts' own policies are declared, in a design that
// has them.
func (v *view) declaredPolicies() bool {
	if v.o.Design != DedicatedPolicies || len(v.o.Policies) > 0 {
		return true
	}
	v.unknown("", "policies", "the accounts' own policies are not declared")
	return false
}

func noOtherPolicy(v *view) {
	v.noneAbout("enabled", func(p *directory.Policy) bool { return on(p) })
}

func noArmedPolicy(v *view) {
	v.noneAbout("report-only", func(p *directory.Policy) bool { return p.State == directory.PolicyReportOnly })
}

// noneAbout: no policy of a state is about an account, but its own.
func (v *view) noneAbout(word string, state func(*directory.Policy) bool) {
	known := v.declaredPolicies()
	for _, u := range v.accounts() {
		clean := true
		for _, h := range v.about(u.ID) {
			if h.Deleted || h.Idle || !state(h.Policy) || v.dedicated(h.Policy.ID) || h.Whom.Holds == truth.False {
				continue
			}
			clean = false
			if known {
				v.reached(&h, u.ID, "conditions.users", "")
			}
		}
		if clean {
			v.pass(u.ID, "conditions.users", "no %s policy but its own is about it", word)
		}
	}
}

// noBlock: no policy blocks an account anywhere in an emergency.
func noBlock(v *view) {
	for _, u := range v.accounts() {
		clean := true
		for _, h := range v.hits(u.ID) {
			if !h.Deleted && on(h.Policy) && blocks(h.Policy) && h.Refuses != truth.False {
				clean = false
				v.keptOut(&h, u.ID, "grantControls.builtInControls")
			}
		}
		if clean {
			v.pass(u.ID, "grantControls.builtInControls", "nothing blocks it")
		}
	}
}

func blocks(p *directory.Policy) bool {
	return p.Grant != nil && slices.Contains(p.Grant.BuiltIn, "block")
}

// managed says that Microsoft made the policy and may enable it.
func managed(p *directory.Policy) bool {
	return strings.HasPrefix(strings.ToLower(p.DisplayName), "microsoft-managed")
}

func managedExclude(v *view) {
	v.not = "no policy is Microsoft-managed"
	for _, u := range v.accounts() {
		for _, h := range v.about(u.ID) {
			if h.Deleted || !managed(h.Policy) {
				continue
			}
			v.not = ""
			switch {
			case h.Whom.Holds == truth.False:
				v.pass(h.Policy.ID, "conditions.users", "leaves %s out: %s", v.name(u.ID), h.Whom.Why)
			case h.Policy.State == directory.PolicyDisabled && h.Whom.Holds == truth.True:
				v.warn(h.Policy.ID, "conditions.users", "is about %s (%s), and disabled", v.name(u.ID), h.Whom.Why)
			default:
				v.reached(&h, u.ID, "conditions.users", h.Policy.State+", ")
			}
		}
	}
}

// exclusionRobust: what leaves an account out is its own id, or the declared group whose
// members only few can edit and in which it is directly.
func exclusionRobust(v *view) {
	v.not = "no policy leaves an account out by name"
	for _, u := range v.accounts() {
		for _, h := range v.about(u.ID) {
			if h.Deleted || h.Policy.State == directory.PolicyDisabled || len(h.Exclusions) == 0 || h.Included == truth.False {
				continue
			}
			v.not = ""
			best, why := Fail, ""
			for i := range h.Exclusions {
				r, text := v.robust(&h.Exclusions[i])
				if i == 0 || better(r, best) {
					best, why = r, text
				}
			}
			v.say(best, h.Policy.ID, "exclusion of "+v.name(u.ID), "%s", why)
		}
	}
}

// better says that a result is more than another: pass, warn, unknown, fail.
func better(a, b Result) bool {
	order := []Result{Fail, Unknown, Warn, Pass}
	return slices.Index(order, a) > slices.Index(order, b)
}

// robust judges one exclusion.
func (v *view) robust(x *access.Exclusion) (Result, string) {
	switch x.Kind {
	case "user":
		return Pass, "its own id"
	case "role":
		return Fail, "role " + roleName(x.ID) + ": who holds it is out of the policy too"
	case "guests":
		return Fail, "as a guest"
	}
	g := v.group(x.ID)
	if g == nil {
		return Unknown, "the group " + x.ID + " was not read"
	}
	name := "group " + v.name(x.ID)
	switch {
	case len(x.Path) > 2:
		names := make([]string, 0, len(x.Path))
		for _, id := range x.Path[1 : len(x.Path)-1] {
			names = append(names, v.name(id))
		}
		return Fail, name + ", nested: through " + strings.Join(names, ", ")
	case slices.Contains(g.Types, "DynamicMembership"):
		return Fail, name + ", dynamic: an attribute decides"
	case g.Synced == truth.True:
		return Fail, name + ", synchronised: another directory decides"
	case g.RoleAssignable == truth.False:
		return Fail, name + ", whose members every Groups Administrator edits"
	case g.RoleAssignable == truth.Unknown:
		return Unknown, "whether " + name + " is role-assignable is not told"
	case v.o.Targeting != TargetGroup || x.ID != v.o.Group:
		return Warn, name + ", which is not the declared one"
	}
	return Pass, name + ", directly"
}

// symmetrical: each policy is about all accounts or about none.
func symmetrical(v *view) {
	users := v.accounts()
	if len(users) < 2 {
		v.not = "there is one account only"
		v.read(directory.Policies, "")
		return
	}
	first := v.about(users[0].ID)
	clean := true
	for _, u := range users[1:] {
		for i, h := range v.about(u.ID) {
			if h.Deleted || h.Policy.State == directory.PolicyDisabled || h.Whom.Holds == first[i].Whom.Holds && h.Whom.Holds.Known() {
				continue
			}
			clean = false
			if !h.Whom.Holds.Known() || !first[i].Whom.Holds.Known() {
				v.unknown(h.Policy.ID, "conditions.users", "whether it is about both: %s; %s", first[i].Whom.Why, h.Whom.Why)
				continue
			}
			one, other := users[0].ID, u.ID
			if h.Whom.Holds == truth.True {
				one, other = other, one
			}
			v.fail(h.Policy.ID, "conditions.users", "is about %s and not about %s", v.name(one), v.name(other))
		}
	}
	if clean {
		v.pass("", "conditions.users", "each policy is about all accounts or about none")
	}
}

// exactlyOwn: in every sign-in of an emergency the accounts' own policies apply, and no
// other.
func exactlyOwn(v *view) {
	v.read(directory.BetaPolicies, "")
	if !v.declaredPolicies() {
		return
	}
	var own []string
	if v.o.Design == DedicatedPolicies {
		own = v.o.Policies
	}
	for _, u := range v.accounts() {
		clean, there := true, map[string]bool{}
		note := func(r Result, h *access.Hit, format string, args ...any) {
			clean = false
			v.say(r, h.Policy.ID, "applies to "+v.name(u.ID), format, args...)
		}
		for _, h := range v.hits(u.ID) {
			if h.Deleted || !on(h.Policy) {
				continue
			}
			if v.dedicated(h.Policy.ID) {
				there[h.Policy.ID] = true
				switch h.Everywhere {
				case truth.False:
					note(Fail, &h, "not to every sign-in: %s", why(&h))
				case truth.Unknown:
					note(Unknown, &h, "whether to every sign-in: %s", why(&h))
				}
				continue
			}
			switch h.Applies {
			case truth.True:
				note(Fail, &h, "%s, and is none of its own", h.Where)
			case truth.Unknown:
				note(Unknown, &h, "it may, and is none of its own: %s", why(&h))
			}
		}
		for _, id := range own {
			if !there[id] {
				clean = false
				v.fail(id, "applies to "+v.name(u.ID), "no: there is no enabled policy of this id")
			}
		}
		if clean {
			names := make([]string, len(own))
			for i, id := range own {
				names[i] = v.name(id)
			}
			v.pass(u.ID, "policies that apply", "%d: %s", len(own), strings.Join(names, ", "))
		}
	}
}

// why puts in words on what it depends whether a policy applies.
func why(h *access.Hit) string {
	switch {
	case len(h.Narrowed) > 0:
		return "it depends on the " + strings.Join(h.Narrowed, ", the ")
	case h.Whom.Holds != truth.True:
		return h.Whom.Why
	case h.Why != "":
		return h.Why
	}
	return "it depends on the device or the flow"
}

// satisfiable: what the policies that apply demand can be done from any device.
func satisfiable(v *view) {
	for _, u := range v.accounts() {
		clean := true
		for _, h := range v.hits(u.ID) {
			if !h.Deleted && on(h.Policy) && !blocks(h.Policy) && h.Refuses != truth.False {
				clean = false
				v.keptOut(&h, u.ID, "grantControls")
			}
		}
		if clean {
			v.pass(u.ID, "grantControls", "each that applies can be satisfied from any device")
		}
	}
}

// noPlace: nothing depends on where an account signs in from.
func noPlace(v *view) {
	for _, u := range v.accounts() {
		clean := true
		for _, h := range v.hits(u.ID) {
			if h.Deleted || !on(h.Policy) || h.Applies == truth.False || h.Policy.Conditions.Locations == nil {
				continue
			}
			clean = false
			if h.Refuses == truth.False {
				v.warn(h.Policy.ID, "conditions.locations", "applies to %s by place, and can be met: %s", v.name(u.ID), h.Where)
				continue
			}
			v.keptOut(&h, u.ID, "conditions.locations")
		}
		if clean {
			v.pass(u.ID, "conditions.locations", "no place keeps it out")
			continue
		}
		// From where it still gets in: what must be reachable in an emergency.
		for _, way := range v.emergency(u.ID).Ways {
			for _, r := range way {
				if r.Dimension == "place" {
					v.warn(u.ID, "conditions.locations", "gets in from %s", strings.Join(r.Values, " or "))
				}
			}
		}
	}
}

// leftOut: of the policies of one kind none is about an account. Kind gives "" for a
// policy of another kind, and else what makes it one.
func (v *view) leftOut(property string, kind func(*directory.Policy) string) {
	v.leftOutOr(property, kind, v.reached)
}

func (v *view) leftOutOr(property string, kind func(*directory.Policy) string, say func(h *access.Hit, account, property, what string)) {
	for _, u := range v.accounts() {
		clean, n := true, 0
		for _, h := range v.others(v.about(u.ID)) {
			what := kind(h.Policy)
			if what == "" {
				continue
			}
			n++
			if h.Whom.Holds != truth.False {
				clean = false
				say(&h, u.ID, property, what+": ")
			}
		}
		if clean {
			v.pass(u.ID, property, "%d such, which leave it out", n)
		}
	}
}

func noRisk(v *view) {
	v.leftOut("conditions.riskLevels", func(p *directory.Policy) string {
		c := p.Conditions
		var list []string
		for _, x := range []struct {
			name   string
			levels []string
		}{{"user risk", c.UserRiskLevels}, {"sign-in risk", c.SignInRiskLevels}, {"insider risk", c.InsiderRiskLevels}} {
			if len(x.levels) > 0 {
				list = append(list, x.name+" "+strings.Join(x.levels, ", "))
			}
		}
		return strings.Join(list, "; ")
	})
}

func noFlow(v *view) {
	v.leftOut("conditions.authenticationFlows", func(p *directory.Policy) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(p.Conditions.TransferMethods), func(s string) bool { return s == "none" }), ", ")
	})
}

func noCompliantNetwork(v *view) {
	kinds := map[string]string{access.CompliantNetworks: "all compliant networks"}
	for _, l := range v.contents(directory.Locations).Locations {
		if l.Kind == directory.LocationCompliantNetwork {
			kinds[l.ID] = "compliant network " + l.DisplayName
		}
	}
	v.leftOut("conditions.locations", func(p *directory.Policy) string {
		if l := p.Conditions.Locations; l != nil {
			for _, id := range slices.Concat(l.Include, l.Exclude) {
				if kinds[id] != "" {
					return kinds[id]
				}
			}
		}
		return ""
	})
}

func noRole(v *view) {
	v.leftOut("conditions.users.includeRoles", func(p *directory.Policy) string {
		if p.Conditions.Users == nil || len(p.Conditions.Users.IncludeRoles) == 0 {
			return ""
		}
		return fmt.Sprintf("aimed at %d roles", len(p.Conditions.Users.IncludeRoles))
	})
}

// noTerms: nobody is asked to accept terms of use in an emergency. Whether an account
// accepted them once no part tells, so that one in scope is worth a warning.
func noTerms(v *view) {
	v.leftOutOr("grantControls.termsOfUse", func(p *directory.Policy) string {
		if p.Grant == nil || len(p.Grant.TermsOfUse) == 0 {
			return ""
		}
		return "terms of use " + strings.Join(p.Grant.TermsOfUse, ", ")
	}, func(h *access.Hit, account, property, what string) {
		if h.Whom.Holds == truth.True {
			v.warn(h.Policy.ID, property, "%sasks %s (%s); whether it accepted them was not read", what, v.name(account), h.Whom.Why)
			return
		}
		v.reached(h, account, property, what)
	})
}

// registrationReachable: a key that was lost can be replaced.
func registrationReachable(v *view) {
	const property = "conditions.applications.includeUserActions"
	for _, u := range v.accounts() {
		clean, keys := true, 0
		if list, ok := v.methods(u.ID); ok {
			for _, m := range list {
				if isKey(m) {
					keys++
				}
			}
		}
		for _, h := range v.others(v.hits(u.ID)) {
			a := h.Policy.Conditions.Applications
			if a == nil || !slices.Contains(a.UserActions, "urn:user:registersecurityinfo") || h.Whom.Holds == truth.False {
				continue
			}
			clean = false
			switch {
			case h.Refuses != truth.False:
				v.keptOut(&h, u.ID, property)
			case h.Applies == truth.Unknown:
				v.unknown(h.Policy.ID, property, "whether it applies to %s: %s", v.name(u.ID), h.Why)
			case keys < 2:
				v.warn(h.Policy.ID, property, "%s can satisfy it with its one key only, which is what would have to be replaced", v.name(u.ID))
			default:
				v.pass(h.Policy.ID, property, "%s can satisfy it with one key if the other is lost", v.name(u.ID))
			}
		}
		if clean {
			v.pass(u.ID, property, "no policy is about its registering security information")
		}
	}
}

// plainSession: no session control that needs a device, a proxy or an address.
func plainSession(v *view) {
	v.read(directory.BetaPolicies, "") // v1.0 leaves some of these out
	for _, u := range v.accounts() {
		clean := true
		for _, h := range v.about(u.ID) {
			if h.Deleted || h.Idle || !on(h.Policy) || h.Whom.Holds == truth.False {
				continue
			}
			for _, control := range exotic(h.Policy.Session) {
				clean = false
				v.reached(&h, u.ID, "sessionControls", control+": ")
			}
		}
		if clean {
			v.pass(u.ID, "sessionControls", "nothing but how long a session lasts")
		}
	}
}

// exotic names the session controls that keep a stranger's device out or hang on one
// more service.
func exotic(s *directory.SessionControls) []string {
	if s == nil {
		return nil
	}
	var list []string
	if s.SecureSignInSession {
		list = append(list, "secureSignInSession, token protection")
	}
	if s.CloudAppSecurity != "" {
		list = append(list, "cloudAppSecurity "+s.CloudAppSecurity)
	}
	if s.ContinuousAccessEvaluation == "strictLocation" {
		list = append(list, "continuousAccessEvaluation strictLocation")
	}
	if s.DisableResilienceDefaults {
		list = append(list, "disableResilienceDefaults")
	}
	return append(list, s.Extra.Names()...)
}

// binSafe: the bin holds none of the accounts' own policies, and none that would keep
// them out if it came back.
func binSafe(v *view) {
	v.read(directory.DeletedPolicies, "")
	for _, u := range v.accounts() {
		clean := true
		for _, h := range v.hits(u.ID) {
			if !h.Deleted || h.Policy.State == directory.PolicyDisabled && !v.dedicated(h.Policy.ID) {
				continue
			}
			switch {
			case v.dedicated(h.Policy.ID):
				clean = false
				v.fail(h.Policy.ID, "deletedItems", "is the accounts' own, and lies in the bin")
			case !on(h.Policy) || h.Idle || h.Whom.Holds == truth.False:
			case h.Refuses != truth.False:
				clean = false
				v.keptOut(&h, u.ID, "deletedItems, restored")
			default:
				clean = false
				v.warn(h.Policy.ID, "deletedItems", "restored, it is about %s: %s", v.name(u.ID), h.Whom.Why)
			}
		}
		if clean {
			v.pass(u.ID, "deletedItems", "nothing that would reach it")
		}
	}
}

// allUnderstood: no policy that may be about an account holds what this version does not
// know, or what could not be read.
func allUnderstood(v *view) {
	v.read(directory.BetaPolicies, "")
	for _, u := range v.accounts() {
		clean := true
		for _, h := range v.hits(u.ID) {
			if h.Deleted || h.Policy.State == directory.PolicyDisabled || h.Whom.Holds == truth.False {
				continue
			}
			for _, what := range foreign(h.Policy) {
				clean = false
				v.unknown(h.Policy.ID, "policy", "%s is not known to this version%s", what, hiddenOf(h.Policy))
			}
			if !h.Whom.Holds.Known() || !h.Applies.Known() || !h.Refuses.Known() {
				clean = false
				v.unknown(h.Policy.ID, "policy", "what it does to %s: %s%s", v.name(u.ID), why(&h), hiddenOf(h.Policy))
			}
		}
		if clean {
			v.pass(u.ID, "policies", "all that may be about it are understood whole")
		}
	}
}

// hiddenOf names what beta shows of a policy and v1.0 does not.
func hiddenOf(p *directory.Policy) string {
	if len(p.Hidden) == 0 {
		return ""
	}
	return "; v1.0 hides " + strings.Join(p.Hidden, ", ")
}

// foreign names what is not known of a policy.
func foreign(p *directory.Policy) []string {
	var list []string
	for _, x := range p.Problems {
		list = append(list, x.String())
	}
	add := func(where string, e directory.Extra) {
		for _, name := range e.Names() {
			list = append(list, where+name)
		}
	}
	c := p.Conditions
	add("conditions.", c.Extra)
	if c.Users != nil {
		add("conditions.users.", c.Users.Extra)
	}
	if c.Applications != nil {
		add("conditions.applications.", c.Applications.Extra)
	}
	if p.Grant != nil {
		add("grantControls.", p.Grant.Extra)
	}
	if p.Session != nil {
		add("sessionControls.", p.Session.Extra)
	}
	return list
}
