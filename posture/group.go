package posture

import (
	"slices"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// declaredGroup gives the accounts' group, or says why it cannot be judged.
func (v *view) declaredGroup() *directory.Group {
	v.read(directory.Groups, "")
	if v.o.Group == "" {
		v.unknown("", "group", "the accounts' group is not declared")
		return nil
	}
	g := v.group(v.o.Group)
	if g == nil {
		v.fail(v.o.Group, "id", "there is no such group")
	}
	return g
}

func roleAssignable(v *view) {
	if g := v.declaredGroup(); g != nil {
		v.truth(g.ID, "isAssignableToRole", g.RoleAssignable, truth.True)
	}
}

func assignedSecurityGroup(v *view) {
	g := v.declaredGroup()
	if g == nil {
		return
	}
	v.truth(g.ID, "securityEnabled", g.Security, truth.True)
	v.truth(g.ID, "mailEnabled", g.Mail, truth.False)
	v.truth(g.ID, "onPremisesSyncEnabled", g.Synced, truth.False)
	switch {
	case !g.Tells("groupTypes"):
		v.unknown(g.ID, "groupTypes", "not told")
	case slices.Contains(g.Types, "DynamicMembership") || slices.Contains(g.Types, "Unified"):
		v.fail(g.ID, "groupTypes", "%s", strings.Join(g.Types, ", "))
	default:
		v.pass(g.ID, "groupTypes", "assigned")
	}
	switch {
	case !g.Tells("visibility"):
		v.unknown(g.ID, "visibility", "not told")
	case g.Visibility == "Public":
		v.fail(g.ID, "visibility", "%s", g.Visibility)
	default:
		v.pass(g.ID, "visibility", "not public")
	}
}

// exactMembers: the accounts, each of them, and nothing else.
func exactMembers(v *view) {
	g := v.declaredGroup()
	if g == nil {
		return
	}
	list, ok := v.members(g.ID)
	if !ok {
		return
	}
	clean := true
	for _, m := range list {
		if !v.emergencyID(m.ID) {
			clean = false
			kind := m.Kind
			if kind == "" {
				kind = "object"
			}
			v.fail(m.ID, "members", "a %s that is no emergency account is in %s", kind, v.name(g.ID))
		}
	}
	for _, e := range v.o.Accounts {
		if !slices.ContainsFunc(list, func(m directory.Ref) bool { return sameID(m.ID, e.ID) }) {
			clean = false
			v.fail(e.ID, "members", "is not in %s", v.name(g.ID))
		}
	}
	if clean {
		v.pass(g.ID, "members", "the emergency accounts and nothing else")
	}
}

func noOwners(v *view) {
	g := v.declaredGroup()
	if g == nil {
		return
	}
	list, ok := v.owners(g.ID)
	for _, m := range list {
		v.fail(m.ID, "owners", "owns %s", v.name(g.ID))
	}
	if ok && len(list) == 0 {
		v.pass(g.ID, "owners", "none")
	}
}

// usedAsIntended: the group is included in the dedicated policies only, and FIDO2 does
// not exclude it.
func usedAsIntended(v *view) {
	c := v.contents(directory.Policies, directory.Methods, directory.RoleAssignments)
	if v.o.Group == "" {
		v.unknown("", "group", "the accounts' group is not declared")
		return
	}
	clean := true
	for _, p := range c.Policies {
		u := p.Conditions.Users
		if u == nil || !slices.Contains(u.IncludeGroups, v.o.Group) || v.dedicated(p.ID) {
			continue
		}
		clean = false
		v.fail(p.ID, "includeGroups", "includes the accounts' group and is no policy of theirs")
	}
	if c.Methods == nil {
		v.unknown("", "authenticationMethodsPolicy", "not told")
		return
	}
	for _, m := range c.Methods.Configurations {
		if m.ID == "Fido2" && slices.ContainsFunc(m.Exclude, func(t directory.Target) bool { return t.ID == v.o.Group }) {
			clean = false
			v.fail(v.o.Group, "excludeTargets", "is excluded from passkeys")
		}
	}
	for _, a := range c.Assignments {
		if a.Principal == v.o.Group {
			clean = false
			v.fail(v.o.Group, "roleAssignments", "%s at %s", roleName(a.Role), a.Scope)
		}
	}
	if clean {
		v.pass(v.o.Group, "uses", "as declared")
	}
}

// dedicated says whether a policy is one of the accounts' own.
func (v *view) dedicated(id string) bool {
	return v.o.Design == DedicatedPolicies && slices.Contains(v.o.Policies, id)
}

// namedTogether: a policy that names one of the accounts names all of them.
func namedTogether(v *view) {
	c := v.contents(directory.Policies)
	v.not = "no policy names an account"
	for _, p := range c.Policies {
		u := p.Conditions.Users
		if u == nil {
			continue
		}
		for _, side := range []struct {
			name string
			list []string
		}{{"excludeUsers", u.ExcludeUsers}, {"includeUsers", u.IncludeUsers}} {
			n := 0
			for _, e := range v.o.Accounts {
				if slices.Contains(side.list, e.ID) {
					n++
				}
			}
			if n > 0 {
				v.not = ""
			}
			if n > 0 && n < len(v.o.Accounts) {
				v.fail(p.ID, side.name, "names %d of %d accounts", n, len(v.o.Accounts))
			} else if n > 0 {
				v.pass(p.ID, side.name, "names all accounts")
			}
		}
	}
}

// notEligible: nobody has to activate the membership first, nobody can, and the accounts
// are members without end.
func notEligible(v *view) {
	g := v.declaredGroup()
	if g == nil {
		return
	}
	may, ok := v.groupEligibilities(g.ID)
	for _, e := range may {
		what := "membership"
		if e.Access == "owner" {
			what = "ownership"
		}
		v.fail(e.Principal, "eligibilityScheduleInstances", "may activate %s of %s", what, v.name(g.ID))
	}
	if ok && len(may) == 0 {
		v.pass(g.ID, "eligibilityScheduleInstances", "none: who is a member is one now")
	}
	are, _ := v.groupAssignments(g.ID)
	for _, e := range are {
		switch {
		case e.Access == "owner" || !v.emergencyID(e.Principal):
		case e.Type == "activated":
			v.fail(e.Principal, "assignmentScheduleInstances", "is a member of %s by activation", v.name(g.ID))
		case !e.End.IsZero():
			v.fail(e.Principal, "assignmentScheduleInstances", "is a member of %s until %s", v.name(g.ID), e.End.Format("2006-01-02 15:04"))
		default:
			v.pass(e.Principal, "assignmentScheduleInstances", "a member without end")
		}
	}
}
