package change

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"glassward/directory"
)

// credentials notes certificates or secrets by their ids, or by when they end where a
// source leaves the ids out. Several that so end together are counted.
func (o *object) credentials(path string, list []directory.Credential) {
	o.texts(path, nil)
	for _, c := range list {
		key := cmp.Or(c.KeyID, c.End.UTC().Format(time.RFC3339))
		for n := 2; ; n++ {
			if _, there := o.properties[path].elements[key]; !there {
				break
			}
			key = fmt.Sprintf("%s #%d", cmp.Or(c.KeyID, c.End.UTC().Format(time.RFC3339)), n)
		}
		o.add(path, key, value{is: record("keyId", c.KeyID, "displayName", c.DisplayName, "usage", c.Usage, "startDateTime", c.Start, "endDateTime", c.End)})
	}
}

// Properties of whoever holds a role, by Graph's names of the lists.
const (
	Assignments   = "roleAssignments"
	Schedules     = "roleAssignmentScheduleInstances"
	Eligibilities = "roleEligibilityScheduleInstances"
)

// roles compares who holds roles. They are properties of the holder: the id of an
// assignment is another each time that it is renewed. Elements are named by the role's
// id, with the scope behind it where that is not the whole tenant.
func (c *comparison) roles() {
	for _, l := range []struct {
		property string
		part     directory.Part
		list     func(directory.Contents) []*directory.RoleAssignment
	}{
		{Assignments, directory.RoleAssignments, func(c directory.Contents) []*directory.RoleAssignment { return c.Assignments }},
		{Schedules, directory.RoleSchedules, func(c directory.Contents) []*directory.RoleAssignment { return c.Schedules }},
		{Eligibilities, directory.RoleEligibilities, func(c directory.Contents) []*directory.RoleAssignment { return c.Eligibilities }},
	} {
		// The plain list says less of the same assignments: it is compared where the
		// schedules were not read, as in a tenant without P2.
		if l.part == directory.RoleAssignments && c.before.Read(directory.RoleSchedules) && c.after.Read(directory.RoleSchedules) {
			continue
		}
		had, has := holders(c.before, l.list), holders(c.after, l.list)
		c.elements(l.property, l.part, had, has, func(id string) (string, string) { return c.holder(id) })
	}
}

// elements compares sets that belong to objects and come in one list for all of them.
func (c *comparison) elements(name string, part directory.Part, had, has map[string]map[string]value, who func(id string) (kind, name string)) {
	x, y := c.before.Reading(part, ""), c.after.Reading(part, "")
	if x.State == directory.Unread || y.State == directory.Unread {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(union(had, has))) {
		at := Difference{ID: id, Property: name, Part: part}
		at.Kind, at.Name = who(id)
		p := property{elements: had[id], whole: x.State == directory.Read}
		q := property{elements: has[id], whole: y.State == directory.Read}
		if p.elements == nil {
			p.elements = map[string]value{}
		}
		c.property(at, p, q)
	}
}

// holders gives the assignments of each principal by their names.
func holders(s *directory.Snapshot, list func(directory.Contents) []*directory.RoleAssignment) map[string]map[string]value {
	m := map[string]map[string]value{}
	for _, a := range list(s.Contents()) {
		if m[a.Principal] == nil {
			m[a.Principal] = map[string]value{}
		}
		key := a.Role
		if a.Scope != "" && a.Scope != "/" {
			key += "@" + a.Scope
		}
		// What is activated stands beside what is assigned, and what comes through a
		// group beside what is direct.
		if a.Type != "" && a.Type != "Assigned" {
			key += " " + a.Type
		}
		if a.MemberType != "" && a.MemberType != "Direct" {
			key += " " + a.MemberType
		}
		m[a.Principal][key] = value{
			is: record("roleDefinitionId", a.Role, "directoryScopeId", a.Scope, "assignmentType", a.Type, "memberType", a.MemberType,
				"startDateTime", a.Start, "endDateTime", a.End),
			show: record("roleDefinitionId", a.Role, "roleDefinition", roleName(s, a.Role), "directoryScopeId", a.Scope, "assignmentType", a.Type,
				"memberType", a.MemberType, "startDateTime", a.Start, "endDateTime", a.End),
		}
	}
	return m
}

func roleName(s *directory.Snapshot, id string) string {
	if r := s.Role(id); r != nil {
		return r.DisplayName
	}
	return ""
}

// holder says what an object is that holds something, as far as either snapshot knows.
func (c *comparison) holder(id string) (kind, name string) {
	for _, s := range []*directory.Snapshot{c.after, c.before} {
		if u := s.User(id); u != nil {
			return User, cmp.Or(u.DisplayName, u.UPN)
		}
		if g := s.Group(id); g != nil {
			return Group, g.DisplayName
		}
		if p := s.ServicePrincipal(id); p != nil {
			return ServicePrincipal, p.DisplayName
		}
	}
	return DirectoryObject, ""
}

// permissions compares what applications may do: application permissions, which are read
// for each, and delegated ones.
func (c *comparison) permissions() {
	had, has := appRoles(c.before), appRoles(c.after)
	x, y := c.before.Contents().ObjectReadings[directory.AppRoleAssignments], c.after.Contents().ObjectReadings[directory.AppRoleAssignments]
	if len(x) == 0 && len(y) == 0 {
		c.elements("appRoleAssignments", directory.AppRoleAssignments, had, has, c.holder)
	}
	for id := range union(x, y) {
		p := property{elements: had[id], whole: c.before.Reading(directory.AppRoleAssignments, id).State == directory.Read}
		q := property{elements: has[id], whole: c.after.Reading(directory.AppRoleAssignments, id).State == directory.Read}
		if c.before.ServicePrincipal(id) == nil || c.after.ServicePrincipal(id) == nil {
			continue // the application came or went, and that is told
		}
		if p.elements == nil {
			p.elements = map[string]value{}
		}
		at := Difference{ID: id, Property: "appRoleAssignments", Part: directory.AppRoleAssignments}
		at.Kind, at.Name = c.holder(id)
		c.property(at, p, q)
	}
	c.elements("oauth2PermissionGrants", directory.PermissionGrants, grants(c.before), grants(c.after), c.holder)
}

func appRoles(s *directory.Snapshot) map[string]map[string]value {
	m := map[string]map[string]value{}
	for _, a := range s.Contents().AppRoleAssignments {
		if m[a.Principal] == nil {
			m[a.Principal] = map[string]value{}
		}
		name, resource := "", a.ResourceName
		if p := s.ServicePrincipal(a.Resource); p != nil {
			resource = cmp.Or(resource, p.DisplayName)
			if i := slices.IndexFunc(p.Roles, func(r directory.AppRole) bool { return r.ID == a.Role }); i >= 0 {
				name = p.Roles[i].Value
			}
		}
		m[a.Principal][a.Resource+" "+a.Role] = value{
			is:   record("resourceId", a.Resource, "appRoleId", a.Role),
			show: record("resourceId", a.Resource, "resourceDisplayName", resource, "appRoleId", a.Role, "value", name),
		}
	}
	return m
}

func grants(s *directory.Snapshot) map[string]map[string]value {
	m := map[string]map[string]value{}
	for _, g := range s.Contents().PermissionGrants {
		if m[g.Client] == nil {
			m[g.Client] = map[string]value{}
		}
		m[g.Client][g.Resource+" "+cmp.Or(g.Principal, "AllPrincipals")] = value{is: record("resourceId", g.Resource, "principalId", g.Principal, "scope", g.Scopes)}
	}
	return m
}
