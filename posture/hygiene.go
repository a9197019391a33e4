package posture

import (
	"maps"
	"slices"
	"strings"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/truth"
)

// named is one list of ids in a policy, by Graph's name of it.
type named struct {
	property string
	ids      []string
}

// whom gives the lists of people, groups and roles of a policy.
func whom(p *directory.Policy) (users, groups, roles []named) {
	u := p.Conditions.Users
	if u == nil {
		return nil, nil, nil
	}
	return []named{{"includeUsers", u.IncludeUsers}, {"excludeUsers", u.ExcludeUsers}},
		[]named{{"includeGroups", u.IncludeGroups}, {"excludeGroups", u.ExcludeGroups}},
		[]named{{"includeRoles", u.IncludeRoles}, {"excludeRoles", u.ExcludeRoles}}
}

// idsExist: whatever a policy names is there. What was deleted leaves nobody out.
func idsExist(v *view) {
	c := v.contents(directory.Policies, directory.Roles, directory.Locations)
	v.read(directory.Users, "")
	v.read(directory.Groups, "")
	role := func(id string) bool {
		return slices.ContainsFunc(c.Roles, func(r *directory.RoleDefinition) bool { return r.ID == id || r.TemplateID == id })
	}
	word := func(id string) bool { return slices.Contains([]string{"All", "None", "GuestsOrExternalUsers"}, id) }
	clean := true
	for _, p := range c.Policies {
		check := func(lists []named, kind string, there func(id string) bool) {
			for _, l := range lists {
				for _, id := range l.ids {
					if there(id) {
						continue
					}
					clean = false
					if p.State == directory.PolicyDisabled {
						v.warn(p.ID, l.property, "there is no %s %s; the policy is disabled", kind, id)
					} else {
						v.fail(p.ID, l.property, "there is no %s %s", kind, id)
					}
				}
			}
		}
		users, groups, roles := whom(p)
		check(users, "account", func(id string) bool { return word(id) || v.user(id) != nil })
		check(groups, "group", func(id string) bool { return v.group(id) != nil })
		check(roles, "role", role)
		if l := p.Conditions.Locations; l != nil {
			check([]named{{"includeLocations", l.Include}, {"excludeLocations", l.Exclude}}, "location", func(id string) bool {
				return id == "All" || id == "AllTrusted" || id == access.MFATrustedIPs || id == access.CompliantNetworks || v.a.s.Location(id) != nil
			})
		}
	}
	if clean {
		v.pass("", "conditions", "all that %d policies name is there", len(c.Policies))
	}
}

// groupsProtected: who edits the members of a group that a policy names edits the policy.
func groupsProtected(v *view) {
	v.read(directory.Groups, "")
	in := map[string][]string{}
	for _, p := range v.contents(directory.Policies).Policies {
		_, groups, _ := whom(p)
		for _, l := range groups {
			for _, id := range l.ids {
				in[id] = append(in[id], l.property+" of "+v.name(p.ID))
			}
		}
	}
	if len(in) == 0 {
		v.pass("", "conditions.users", "no policy names a group")
	}
	for _, id := range slices.Sorted(maps.Keys(in)) {
		g := v.group(id)
		if g == nil {
			continue // CA-06
		}
		switch g.RoleAssignable.Or(g.Restricted) {
		case truth.True:
			v.pass(id, "isAssignableToRole, isManagementRestricted", "protected")
		case truth.False:
			v.fail(id, "isAssignableToRole, isManagementRestricted", "neither, and it is in %s", strings.Join(in[id], ", "))
		default:
			v.unknown(id, "isAssignableToRole, isManagementRestricted", "not told, and it is in %s", strings.Join(in[id], ", "))
		}
	}
}

// noOtherExcluded: nobody but the accounts is left out of every policy for all users.
func noOtherExcluded(v *view) {
	v.read(directory.Users, "")
	v.read(directory.Groups, "")
	var everywhere map[string]bool // who is left out of all policies so far
	n := 0
	for _, p := range v.contents(directory.Policies).Policies {
		u := p.Conditions.Users
		if u == nil || p.State != directory.PolicyEnabled || !slices.Contains(u.IncludeUsers, "All") || p.Conditions.Applications == nil || len(p.Conditions.Applications.Contexts) > 0 {
			continue
		}
		n++
		out := map[string]bool{}
		for _, id := range u.ExcludeUsers {
			out[id] = true
		}
		for _, id := range u.ExcludeGroups {
			v.expand(id, out, map[string]bool{})
		}
		if everywhere == nil {
			everywhere = out
			continue
		}
		for id := range everywhere {
			if !out[id] {
				delete(everywhere, id)
			}
		}
	}
	clean := true
	for _, id := range slices.Sorted(maps.Keys(everywhere)) {
		if v.emergencyID(id) || id == v.o.Group && v.o.Targeting == TargetGroup || slices.Contains(v.o.OtherGroups, id) {
			continue
		}
		clean = false
		v.fail(id, "conditions.users", "is no emergency account, and left out of every policy for all users, of which there are %d", n)
	}
	if clean {
		v.pass("", "conditions.users", "nobody else is left out of every policy for all users, of which there are %d", n)
	}
}

// expand adds the members of a group, through other groups too, and no group.
func (v *view) expand(group string, into, walked map[string]bool) {
	if walked[group] || v.group(group) == nil {
		return
	}
	walked[group] = true
	list, _ := v.members(group)
	for _, m := range list {
		if v.group(m.ID) != nil {
			v.expand(m.ID, into, walked)
		} else {
			into[m.ID] = true
		}
	}
}

// whoEditsPolicies: nobody can change Conditional Access without activating a role.
func whoEditsPolicies(v *view) {
	v.standing([]string{directory.GlobalAdministrator, conditionalAccessAdministrator, securityAdministrator},
		[]string{"Policy.ReadWrite.ConditionalAccess"}, "Conditional Access")
}

// standing lists who holds one of some roles without activating it, and which
// applications have one of some permissions.
func (v *view) standing(roles, permissions []string, over string) {
	c := v.contents(directory.RoleSchedules, directory.ServicePrincipals, directory.AppRoleAssignments)
	clean := true
	for _, a := range c.Schedules {
		if !slices.Contains(roles, a.Role) || !tenantWide(a) || !v.now(a) || v.emergencyID(a.Principal) || a.Type == "Activated" {
			continue
		}
		clean = false
		v.warn(a.Principal, "roleAssignmentScheduleInstances", "holds %s for good", roleName(a.Role))
	}
	permission := map[string]string{}
	for _, p := range c.ServicePrincipals {
		for _, r := range p.Roles {
			permission[p.ID+" "+r.ID] = r.Value
		}
	}
	for _, a := range c.AppRoleAssignments {
		if name := permission[a.Resource+" "+a.Role]; slices.Contains(permissions, name) {
			clean = false
			v.fail(a.Principal, "appRoleAssignedTo", "the application may %s", name)
		}
	}
	if clean {
		v.pass("", "roles and application permissions above "+over, "none that is standing")
	}
}
