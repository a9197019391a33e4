package posture

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/truth"
)

func holds(list []directory.Ref, id string) bool {
	return slices.ContainsFunc(list, func(m directory.Ref) bool { return sameID(m.ID, id) })
}

// units gives the restricted units that protect the accounts: the declared one, or those
// that hold an account.
func (v *view) units() []*directory.AdministrativeUnit {
	var list []*directory.AdministrativeUnit
	for _, u := range v.contents(directory.Units).Units {
		if v.o.Unit != "" {
			if u.ID == v.o.Unit {
				list = append(list, u)
			}
			continue
		}
		if u.Restricted == truth.False {
			continue
		}
		members, _ := v.unitMembers(u.ID)
		if slices.ContainsFunc(v.o.Accounts, func(e Account) bool { return holds(members, e.ID) }) {
			list = append(list, u)
		}
	}
	if len(list) == 0 {
		v.not = "no restricted management administrative unit holds an account (RMU-01)"
	}
	return list
}

func insideUnit(v *view) {
	units := v.units()
	v.not = "" // that there is none is what this check is about
	inside := func(object string, restricted truth.Value) {
		for _, u := range units {
			members, ok := v.unitMembers(u.ID)
			if ok && holds(members, object) {
				v.truth(u.ID, "isMemberManagementRestricted", u.Restricted, truth.True)
				v.truth(object, "isManagementRestricted", restricted, truth.True)
				return
			}
		}
		v.fail(object, "members of administrativeUnits", "in no restricted management administrative unit")
	}
	for _, u := range v.accounts() {
		inside(u.ID, u.Restricted)
	}
	if v.o.Targeting != TargetGroup {
		return
	}
	if g := v.declaredGroup(); g != nil {
		inside(g.ID, g.Restricted)
	}
}

func unitStatic(v *view) {
	for _, u := range v.units() {
		if strings.EqualFold(u.MembershipType, "Dynamic") {
			v.fail(u.ID, "membershipType", "%s", u.MembershipType)
		} else {
			v.pass(u.ID, "membershipType", "assigned")
		}
		if u.Visibility == "HiddenMembership" {
			v.pass(u.ID, "visibility", "%s", u.Visibility)
		} else {
			v.fail(u.ID, "visibility", "not HiddenMembership: everybody can list the members")
		}
	}
}

// over gives the assignments that reach over a unit alone.
func over(u *directory.AdministrativeUnit, list []*directory.RoleAssignment) []*directory.RoleAssignment {
	var some []*directory.RoleAssignment
	for _, a := range list {
		if strings.EqualFold(a.Scope, "/administrativeUnits/"+u.ID) {
			some = append(some, a)
		}
	}
	return some
}

// unlockersDeclared: who holds a role over the unit is declared and must activate it.
func unlockersDeclared(v *view) {
	c := v.contents(directory.RoleSchedules, directory.RoleEligibilities)
	for _, u := range v.units() {
		clean := true
		for _, a := range over(u, c.Schedules) {
			if a.Type == "Activated" || !v.now(a) {
				continue
			}
			clean = false
			if a.Type == "" {
				v.unknown(a.Principal, "assignmentType", "whether the role over %s was activated or is standing is not told", v.name(u.ID))
				continue
			}
			v.fail(a.Principal, "roleAssignmentScheduleInstances", "holds a role over %s without activating it", v.name(u.ID))
		}
		for _, a := range over(u, c.Eligibilities) {
			if !slices.Contains(v.o.Unlockers, a.Principal) {
				clean = false
				v.fail(a.Principal, "roleEligibilityScheduleInstances", "may activate a role over %s and is not declared", v.name(u.ID))
			}
		}
		if clean {
			v.pass(u.ID, "scoped roles", "eligible only, and declared")
		}
	}
}

// unlocking are the actions that a role for unlocking the accounts may hold.
var unlocking = []string{
	"microsoft.directory/users/", "microsoft.directory/groups/", "microsoft.directory/groups.security/",
	"microsoft.directory/administrativeUnits/members/", "microsoft.directory/administrativeUnits/standard/read",
}

// unitRoles gives the roles that are given over the units.
func (v *view) unitRoles() []string {
	c := v.contents(directory.RoleSchedules, directory.RoleEligibilities)
	var roles []string
	for _, u := range v.units() {
		for _, a := range slices.Concat(over(u, c.Schedules), over(u, c.Eligibilities)) {
			roles = append(roles, a.Role)
		}
	}
	slices.Sort(roles)
	if roles = slices.Compact(roles); len(roles) == 0 && v.not == "" {
		v.not = "no role is given over the unit"
	}
	return roles
}

func unlockRoleSmall(v *view) {
	defined := v.contents(directory.Roles).Roles
	for _, id := range v.unitRoles() {
		at := slices.IndexFunc(defined, func(r *directory.RoleDefinition) bool { return r.ID == id })
		if at < 0 {
			v.unknown(id, "roleDefinitions", "there is no such role")
			continue
		}
		r := defined[at]
		v.truth(id, "isBuiltIn", r.BuiltIn, truth.False)
		clean := true
		for _, action := range r.Actions {
			if !slices.ContainsFunc(unlocking, func(p string) bool { return strings.HasPrefix(action, p) }) {
				clean = false
				v.fail(id, "allowedResourceActions", "%s", action)
			}
		}
		if clean {
			v.pass(id, "allowedResourceActions", "%d, of users, groups and members of units", len(r.Actions))
		}
	}
}

// duration reads the durations of rules, as PT1H30M or P1D; ok is false for what is none.
func duration(s string) (d time.Duration, ok bool) {
	rest, found := strings.CutPrefix(s, "P")
	if !found || rest == "" {
		return 0, false
	}
	date, clock, _ := strings.Cut(rest, "T")
	for _, part := range []struct {
		text  string
		units map[byte]time.Duration
	}{
		{date, map[byte]time.Duration{'D': 24 * time.Hour, 'W': 7 * 24 * time.Hour}},
		{clock, map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}},
	} {
		for text := part.text; text != ""; {
			end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
			if end <= 0 {
				return 0, false
			}
			n, err := strconv.Atoi(text[:end])
			unit, known := part.units[text[end]]
			if err != nil || !known || n > 1_000_000 {
				return 0, false
			}
			d += time.Duration(n) * unit
			text = text[end+1:]
		}
	}
	return d, true
}

// unlockRules: an unlocking role is active for a short time, with a reason, an approval
// and an authentication context.
func unlockRules(v *view) {
	v.read(directory.RolePolicies, "")
	most := time.Duration(v.o.Norms.ActivationMinutes) * time.Minute
	for _, role := range v.unitRoles() {
		if r := v.rule(role, "Expiration_EndUser_Assignment"); r != nil {
			switch d, ok := duration(r.MaximumDuration); {
			case !ok:
				v.unknown(role, "maximumDuration", "%q is no duration", r.MaximumDuration)
			case d > most:
				v.fail(role, "maximumDuration", "%s, longer than %d minutes", r.MaximumDuration, v.o.Norms.ActivationMinutes)
			default:
				v.pass(role, "maximumDuration", "%s", r.MaximumDuration)
			}
		}
		if r := v.rule(role, "Enablement_EndUser_Assignment"); r != nil {
			if slices.Contains(r.EnabledRules, "Justification") {
				v.pass(role, "enabledRules", "%s", strings.Join(r.EnabledRules, ", "))
			} else {
				v.fail(role, "enabledRules", "asks for no justification")
			}
		}
		if r := v.rule(role, "Approval_EndUser_Assignment"); r != nil {
			switch {
			case r.Setting == nil || r.Setting.IsApprovalRequired == nil:
				v.unknown(role, "isApprovalRequired", "not told")
			case !*r.Setting.IsApprovalRequired:
				v.fail(role, "isApprovalRequired", "false")
			default:
				v.pass(role, "isApprovalRequired", "true")
			}
		}
		if r := v.rule(role, "AuthenticationContext_EndUser_Assignment"); r != nil {
			switch {
			case r.IsEnabled == nil:
				v.unknown(role, "AuthenticationContext_EndUser_Assignment", "isEnabled is not told")
			case !*r.IsEnabled || r.ClaimValue == "":
				v.fail(role, "AuthenticationContext_EndUser_Assignment", "asks for no authentication context")
			default:
				v.pass(role, "AuthenticationContext_EndUser_Assignment", "%s", r.ClaimValue)
			}
		}
	}
}

// contextOf gives the authentication context that a role asks for, or "".
func (v *view) contextOf(role string) string {
	r := v.rule(role, "AuthenticationContext_EndUser_Assignment")
	if r == nil {
		return ""
	}
	if r.IsEnabled == nil || !*r.IsEnabled || r.ClaimValue == "" {
		v.fail(role, "AuthenticationContext_EndUser_Assignment", "asks for no authentication context")
		return ""
	}
	return r.ClaimValue
}

// enforcing gives the enabled policies about an authentication context.
func (v *view) enforcing(context string) []*directory.Policy {
	var list []*directory.Policy
	for _, p := range v.contents(directory.Policies).Policies {
		a := p.Conditions.Applications
		if p.State == directory.PolicyEnabled && a != nil && slices.Contains(a.Contexts, context) {
			list = append(list, p)
		}
	}
	return list
}

// contextEnforced: the context of an unlocking role is there, and a policy makes all users
// meet it with a phishing-resistant method, on a compliant device, each time.
func contextEnforced(v *view) {
	v.read(directory.RolePolicies, "")
	v.read(directory.Policies, "")
	defined := v.contents(directory.AuthenticationContexts).Contexts
	strengths := v.contents(directory.Strengths).Strengths
	for _, role := range v.unitRoles() {
		context := v.contextOf(role)
		if context == "" {
			continue
		}
		at := slices.IndexFunc(defined, func(c *directory.AuthenticationContext) bool { return c.ID == context })
		if at < 0 || !defined[at].Available {
			v.fail(context, "isAvailable", "the context is not published")
			continue
		}
		lacks := "no enabled policy is about the context"
		for _, p := range v.enforcing(context) {
			if lacks = lack(p, strengths); lacks == "" {
				v.pass(p.ID, "includeAuthenticationContextClassReferences", "enforces %s", context)
				break
			}
			lacks = v.name(p.ID) + ": " + lacks
		}
		if lacks != "" {
			v.fail(context, "includeAuthenticationContextClassReferences", "%s", lacks)
		}
	}
}

// phishingResistant are the combinations that cannot be phished.
var phishingResistant = []string{"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor"}

// phishingStrength is Microsoft's own strength of that name.
const phishingStrength = "00000000-0000-0000-0000-000000000004"

// lack says what a policy lacks that should enforce an authentication context.
func lack(p *directory.Policy, strengths []*directory.Strength) string {
	u, g, s := p.Conditions.Users, p.Grant, p.Session
	switch {
	case u == nil || !slices.Contains(u.IncludeUsers, "All"):
		return "it does not include all users"
	case g == nil || g.Strength == nil:
		return "it asks for no authentication strength"
	case !slices.Contains(g.BuiltIn, "compliantDevice"):
		return "it asks for no compliant device"
	case g.Operator != "AND":
		return "one of its controls is enough"
	case s == nil || s.SignInFrequency == nil || s.SignInFrequency.Interval != "everyTime":
		return "it does not ask each time"
	}
	combinations := g.Strength.Combinations
	for _, x := range strengths {
		if x.ID == g.Strength.ID {
			combinations = x.Combinations
		}
	}
	if g.Strength.ID == phishingStrength {
		return ""
	}
	if len(combinations) == 0 {
		return "what its strength accepts is not told"
	}
	for _, c := range combinations {
		if !slices.Contains(phishingResistant, c) {
			return "its strength accepts " + c
		}
	}
	return ""
}

// unlockNotCircular: enough people can approve who are no emergency accounts, and the
// policy about the context leaves the accounts out, which have no compliant device.
func unlockNotCircular(v *view) {
	v.read(directory.Users, "")
	v.read(directory.Groups, "")
	v.read(directory.Policies, "")
	for _, role := range v.unitRoles() {
		required, approvers, whole := v.approval(role)
		if sure, maybe := v.free(approvers); required == truth.True && whole {
			switch {
			case sure >= v.o.Norms.Approvers:
				v.pass(role, "primaryApprovers", "%d can approve", sure)
			case sure+maybe >= v.o.Norms.Approvers:
				v.unknown(role, "primaryApprovers", "whether enough of them are enabled is not told")
			default:
				v.fail(role, "primaryApprovers", "%d that are enabled and no emergency accounts, fewer than %d", sure, v.o.Norms.Approvers)
			}
		}
		context := v.contextOf(role)
		if context == "" {
			continue
		}
		for _, p := range v.enforcing(context) {
			if p.Grant == nil || !slices.Contains(p.Grant.BuiltIn, "compliantDevice") && !slices.Contains(p.Grant.BuiltIn, "domainJoinedDevice") {
				continue
			}
			for _, e := range v.o.Accounts {
				m, ok := v.memberOf(e.ID)
				if !ok || p.Conditions.Users == nil {
					continue
				}
				if v.excludes(p, e.ID, m) {
					v.pass(e.ID, "excluded from "+v.name(p.ID), "yes")
				} else {
					v.fail(e.ID, "excluded from "+v.name(p.ID), "no: it would have to show a compliant device")
				}
			}
		}
	}
}

// excludes says whether a policy excludes an account by its id or by a group.
func (v *view) excludes(p *directory.Policy, account string, m directory.Memberships) bool {
	u := p.Conditions.Users
	return slices.Contains(u.ExcludeUsers, account) ||
		slices.ContainsFunc(u.ExcludeGroups, func(g string) bool { return slices.Contains(m.All(), g) })
}

// protectedActionsOpen: what protects actions on the directory does not keep the accounts
// from doing them.
func protectedActionsOpen(v *view) {
	by := map[string][]string{}
	for _, a := range v.contents(directory.ProtectedActions).ProtectedActions {
		if a.Context != "" {
			by[a.Context] = append(by[a.Context], a.Name)
		}
	}
	for _, u := range v.accounts() {
		v.emergency(u.ID)
		for _, context := range slices.Sorted(maps.Keys(by)) {
			actions := by[context][0]
			if n := len(by[context]); n > 1 {
				actions += " and " + strconv.Itoa(n-1) + " more"
			}
			// What keeps the account out everywhere is for other checks.
			failures := slices.DeleteFunc(v.a.judge.Context(u.ID, context).Failures, func(f access.Failure) bool {
				return f.Policy == nil || f.Policy.Conditions.Applications == nil || !slices.Contains(f.Policy.Conditions.Applications.Contexts, context)
			})
			for _, f := range failures {
				if f.Certain {
					v.fail(u.ID, context, "cannot satisfy it for %s: %s: %s", actions, f.Name(), f.Why)
				} else {
					v.unknown(u.ID, context, "whether it can satisfy it for %s: %s: %s", actions, f.Name(), f.Why)
				}
			}
			if len(failures) == 0 {
				v.pass(u.ID, context, "can satisfy it for %s", actions)
			}
		}
		if len(by) == 0 {
			v.pass(u.ID, "authenticationContextId", "no action asks for an authentication context")
		}
	}
}
