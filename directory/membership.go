package directory

import (
	"slices"
	"strings"

	"glassward"
	"glassward/directory/truth"
)

func lowerText(s string) string { return strings.ToLower(s) }

// membership answers who is in which group, through other groups too. The closure
// is worked out for one object at a time: whole it would hold millions of pairs.
type membership struct {
	// parents are the groups that a principal is directly in.
	parents map[string][]string
	// open are groups whose members are not all known, and the groups that those are
	// in: of whom is not found in one, nothing can be said.
	open map[string]string // the group, and the group whose members are missing
	// stated are what Graph said of single objects.
	stated map[string]map[string]bool
	// whole says that the list of groups is complete.
	whole bool
	why   string
}

func newMembership(s *Snapshot) *membership {
	m := &membership{parents: map[string][]string{}, open: map[string]string{}, stated: map[string]map[string]bool{}}
	r := s.Reading(Groups, "")
	m.whole, m.why = r.State == Read, r.Why()
	for group, members := range s.c.Members {
		for _, x := range members {
			m.parents[x.ID] = append(m.parents[x.ID], group)
		}
	}
	for _, list := range m.parents {
		slices.Sort(list) // a map has no order, and paths should be the same each time
	}
	for id, groups := range s.c.MemberOf {
		in := make(map[string]bool, len(groups))
		for _, g := range groups {
			in[g] = true
		}
		m.stated[id] = in
	}
	var queue []string
	for _, g := range s.c.Groups {
		if s.Reading(GroupMembers, g.ID).State != Read {
			m.open[g.ID] = g.ID
			queue = append(queue, g.ID)
		}
	}
	for len(queue) > 0 {
		g := queue[0]
		queue = queue[1:]
		for _, p := range m.parents[g] {
			if _, seen := m.open[p]; !seen {
				m.open[p] = m.open[g]
				queue = append(queue, p)
			}
		}
	}
	return m
}

// A Memberships answers which groups one object is in.
type Memberships struct {
	s *Snapshot
	// via leads from each group one step towards the object.
	via    map[string]string
	object string
	stated map[string]bool
	all    []string
	// complete says that a group that is not in via does not hold the object.
	complete bool
}

// MemberOf gives the groups that an object is in, directly and through others.
// Groups that hold each other are no trouble.
func (s *Snapshot) MemberOf(object string) Memberships {
	object = lowerID(object)
	m := Memberships{s: s, via: map[string]string{}, object: object, stated: s.members.stated[object]}
	m.complete = s.Reading(MemberOf, object).State == Read
	queue := []string{object}
	for len(queue) > 0 {
		x := queue[0]
		queue = queue[1:]
		for _, g := range s.members.parents[x] {
			if _, seen := m.via[g]; !seen && g != object {
				m.via[g] = x
				m.all = append(m.all, g)
				queue = append(queue, g)
			}
		}
	}
	for g := range m.stated {
		if _, seen := m.via[g]; !seen {
			m.via[g] = object
			m.all = append(m.all, g)
		}
	}
	slices.Sort(m.all)
	return m
}

// All gives the ids of the groups, sorted, as far as they are known.
func (m Memberships) All() []string { return m.all }

// Complete says whether the object can be in no group beside All.
func (m Memberships) Complete() bool {
	return m.complete || m.s.members.whole && len(m.s.members.open) == 0
}

// In says whether the object is in a group, and if it is through which: path begins
// at the group and ends at the object. If that is unknown, why says what is missing;
// if there is no such group, the answer is False and why says so.
func (m Memberships) In(group string) (in truth.Value, path []string, why string) {
	group = lowerID(group)
	if _, ok := m.via[group]; ok {
		for x := group; x != m.object; x = m.via[x] {
			path = append(path, x)
		}
		return truth.True, append(path, m.object), ""
	}
	if m.complete {
		return truth.False, nil, ""
	}
	if !glassward.IsGUID(group) {
		return truth.Unknown, nil, "group " + group + " is no object id: it does not resolve"
	}
	if m.s.Group(group) == nil {
		if m.s.members.whole {
			return truth.False, nil, "there is no group " + group + ": it was deleted"
		}
		return truth.Unknown, nil, "group " + group + " was not read: " + m.s.members.why
	}
	if missing, ok := m.s.members.open[group]; ok {
		r := m.s.Reading(GroupMembers, missing)
		return truth.Unknown, nil, "the members of group " + missing + " were not read: " + r.Why()
	}
	return truth.False, nil, ""
}

// Holds says whether an object holds a directory role for the whole tenant, now and
// not only as something it could activate; role is the template id. Why is said
// where the answer is unknown.
func (s *Snapshot) Holds(m Memberships, role string) (holds truth.Value, why string) {
	list, part := s.c.Schedules, RoleSchedules
	if r := s.Reading(RoleSchedules, ""); r.State == Unread {
		list, part = s.c.Assignments, RoleAssignments
	}
	role = lowerID(role)
	answer := truth.False
	for _, a := range list {
		if a.Scope != "/" && a.Scope != "" || s.template(a.Role) != role || !a.active(s) {
			continue
		}
		if a.Principal == m.object {
			return truth.True, ""
		}
		// A group may hold the role; what is no group that we know of may be one.
		if s.User(a.Principal) != nil || s.ServicePrincipal(a.Principal) != nil {
			continue
		}
		in, _, reason := m.In(a.Principal)
		if in == truth.True {
			return truth.True, ""
		}
		if in == truth.Unknown && s.Group(a.Principal) != nil {
			answer, why = truth.Unknown, reason
		}
	}
	if answer == truth.False {
		if r := s.Reading(part, ""); r.State != Read {
			return truth.Unknown, "role assignments were not read: " + r.Why()
		}
	}
	return answer, why
}

// template is the template of a role that is given by its id: of a built-in role
// both are the same, unless the definitions say otherwise.
func (s *Snapshot) template(role string) string {
	if r := s.roles[role]; r != nil {
		if r.BuiltIn == truth.False {
			return ""
		}
		if r.TemplateID != "" {
			return r.TemplateID
		}
	}
	return role
}

func (a *RoleAssignment) active(s *Snapshot) bool {
	now := s.c.Taken
	return now.IsZero() || !a.Start.After(now) && (a.End.IsZero() || a.End.After(now))
}

// Holders gives the ids of the users who hold a role for the whole tenant, through
// groups too, sorted. Complete says whether there can be no others.
func (s *Snapshot) Holders(role string) (users []string, complete bool) {
	list, part := s.c.Schedules, RoleSchedules
	if s.Reading(RoleSchedules, "").State == Unread {
		list, part = s.c.Assignments, RoleAssignments
	}
	complete = s.Reading(part, "").State == Read
	seen := map[string]bool{}
	var add func(id string)
	add = func(id string) {
		if seen[id] {
			return
		}
		seen[id] = true
		if s.users[id] != nil {
			users = append(users, id)
			return
		}
		members, ok := s.c.Members[id]
		if s.groups[id] != nil && (!ok || s.Reading(GroupMembers, id).State != Read) || s.groups[id] == nil && s.principals[id] == nil {
			complete = false
		}
		for _, m := range members {
			add(m.ID)
		}
	}
	for _, a := range list {
		if (a.Scope == "/" || a.Scope == "") && s.template(a.Role) == lowerID(role) && a.active(s) {
			add(a.Principal)
		}
	}
	slices.Sort(users)
	return users, complete
}
