package access

import (
	"strings"
	"sync"

	"glassward/directory"
	"glassward/directory/truth"
)

// A Subject is who signs in, an account or a service principal, with what the
// snapshot tells about it. It may be used by several goroutines at once.
type Subject struct {
	// ID is the object id, User the account and Principal the service principal: nil
	// where the snapshot does not hold it.
	ID        string
	User      *directory.User
	Principal *directory.ServicePrincipal

	e      *Evaluator
	groups directory.Memberships
	// standalone counts only methods that work with nothing but what lies in the safe:
	// no telephone, no device of the account's own.
	standalone bool

	mu      sync.Mutex
	clauses map[*policy]Clause
	roles   map[string]fact
	met     map[string]fact
	methods []method
	read    bool // methods are worked out
}

// fact is an answer and why.
type fact struct {
	v   truth.Value
	why string
}

// Account gives an account as a subject, by its object id or user principal name.
func (e *Evaluator) Account(id string) *Subject {
	sub := &Subject{ID: id, e: e, User: e.s.User(id), clauses: map[*policy]Clause{}, roles: map[string]fact{}, met: map[string]fact{}}
	if sub.User != nil {
		sub.ID = sub.User.ID
	}
	sub.groups = e.s.MemberOf(sub.ID)
	return sub
}

// ServicePrincipal gives a service principal as a subject, by its object id.
func (e *Evaluator) ServicePrincipal(id string) *Subject {
	sub := e.Account(id)
	sub.User = nil
	sub.Principal = e.s.ServicePrincipal(id)
	if sub.Principal == nil {
		sub.Principal = &directory.ServicePrincipal{ID: sub.ID}
	}
	return sub
}

// Name is the user principal name or display name, or the id.
func (sub *Subject) Name() string {
	switch {
	case sub.User != nil && sub.User.UPN != "":
		return sub.User.UPN
	case sub.Principal != nil && sub.Principal.DisplayName != "":
		return sub.Principal.DisplayName
	}
	return sub.ID
}

// clause judges whether a policy is about the subject. It depends on nothing of the
// sign-in and is worked out once.
func (sub *Subject) clause(p *policy) Clause {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	c, ok := sub.clauses[p]
	if !ok {
		if sub.Principal != nil {
			c = sub.workload(p)
		} else {
			c = sub.users(p)
		}
		sub.clauses[p] = c
	}
	return c
}

func (sub *Subject) users(p *policy) Clause {
	c := Clause{Condition: "users", Reason: ReasonUsers}
	if p.workload {
		c.Condition, c.Why, c.Reason = "workload", "the policy is about workload identities", WorkloadIdentities
		c.Holds = truth.False
		return c
	}
	if d, bad := p.damage("users"); bad {
		return d
	}
	if what, bad := p.damaged["clientApplications"]; bad {
		return Clause{"users", truth.Unknown, what, InvalidCondition}
	}
	u := p.Conditions.Users
	if u == nil {
		c.Holds, c.Why, c.Reason = truth.False, "the policy names nobody", EmptyPolicy
		return c
	}
	in := sub.among(u.IncludeUsers, u.IncludeGroups, u.IncludeRoles, u.IncludeGuests)
	out := sub.among(u.ExcludeUsers, u.ExcludeGroups, u.ExcludeRoles, u.ExcludeGuests)
	c.decide(in, out)
	if names := u.Extra.Names(); names != nil {
		c.Holds, c.Why, c.Reason = c.Holds.And(truth.Unknown), "not known: "+strings.Join(names, ", "), InvalidCondition
	}
	return c
}

// decide settles a clause about whom a policy is for: who is included and not excluded,
// with the side that decides as the reason.
func (c *Clause) decide(in, out fact) {
	c.Holds = in.v.And(out.v.Not())
	switch {
	case out.v == truth.True:
		c.Why = "excluded by " + out.why
	case c.Holds == truth.True:
		c.Why = "included by " + in.why
	case in.v == truth.False:
		c.Why = "not included"
	case in.v == truth.Unknown:
		c.Why = in.why
	default:
		c.Why = out.why
	}
}

// among says whether the account is one of those that a condition names.
func (sub *Subject) among(users, groups, roles []string, guests *directory.GuestCondition) fact {
	best := fact{truth.False, ""}
	see := func(v truth.Value, why string) bool {
		if v > best.v {
			best = fact{v, why}
		}
		return v == truth.True
	}
	for _, x := range users {
		switch {
		case x == "None":
		case x == "All":
			if see(truth.True, "All users") {
				return best
			}
		case x == "GuestsOrExternalUsers":
			v := truth.Unknown
			if sub.User != nil {
				v = sub.User.Guest()
			}
			if see(v, "guests: whether the account is one is not told") {
				return fact{v, "all guests"}
			}
		case strings.EqualFold(x, sub.ID):
			see(truth.True, "its own id")
			return best
		case sub.User != nil && sub.User.UPN != "" && strings.EqualFold(x, sub.User.UPN):
			see(truth.True, "its own name "+x)
			return best
		case !resolvable(x):
			see(truth.Unknown, "user "+x+" is no object id: it does not resolve")
		}
	}
	for _, g := range groups {
		v, path, why := sub.groups.In(g)
		if v == truth.True {
			see(v, sub.path(path))
			return best
		}
		see(v, why)
	}
	for _, r := range roles {
		f := sub.holds(r)
		if see(f.v, f.why) {
			return best
		}
	}
	if guests != nil {
		f := sub.guest(guests)
		if see(f.v, f.why) {
			return best
		}
	}
	return best
}

// path writes how an account is in a group: from the group to the one that it is
// directly in.
func (sub *Subject) path(ids []string) string {
	names := make([]string, 0, len(ids))
	for _, id := range ids[:len(ids)-1] {
		name := id
		if g := sub.e.s.Group(id); g != nil && g.DisplayName != "" {
			name = g.DisplayName
		}
		names = append(names, name)
	}
	if len(names) == 1 {
		return "group " + names[0]
	}
	return "group " + names[0] + " through " + strings.Join(names[1:], ", ")
}

// holds says whether the account holds a role now, for the whole tenant: eligible
// assignments, roles over units and roles of the tenant's own do not count.
func (sub *Subject) holds(role string) fact {
	if f, ok := sub.roles[role]; ok {
		return f
	}
	f := fact{}
	if !resolvable(role) {
		f = fact{truth.Unknown, "role " + role + " is no template id: it does not resolve"}
	} else {
		f.v, f.why = sub.e.s.Holds(sub.groups, role)
		if f.v == truth.True {
			f.why = "role " + sub.e.roleName(role)
		}
	}
	sub.roles[role] = f
	return f
}

func (e *Evaluator) roleName(id string) string {
	if r := e.s.Role(id); r != nil && r.DisplayName != "" {
		return r.DisplayName
	}
	if id == directory.GlobalAdministrator {
		return "Global Administrator"
	}
	return id
}

func (sub *Subject) guest(g *directory.GuestCondition) fact {
	if sub.User == nil {
		return fact{truth.Unknown, "whether the account is a guest is not told"}
	}
	external := strings.Contains(strings.ToUpper(sub.User.UPN), "#EXT#")
	kind := ""
	switch {
	case strings.EqualFold(sub.User.Type, "Guest") && external:
		kind = "b2bCollaborationGuest"
	case strings.EqualFold(sub.User.Type, "Guest"):
		kind = "internalGuest"
	case strings.EqualFold(sub.User.Type, "Member") && external:
		kind = "b2bCollaborationMember"
	case strings.EqualFold(sub.User.Type, "Member"):
		return fact{truth.False, ""}
	default:
		return fact{truth.Unknown, "whether the account is a guest is not told"}
	}
	listed := false
	for _, t := range g.Types {
		listed = listed || t == kind
	}
	switch {
	case !listed:
		return fact{truth.False, ""}
	case kind != "internalGuest" && (g.MembershipKind == "enumerated" || len(g.Extra.Names()) > 0):
		return fact{truth.Unknown, "the home tenant of the guest is not told"}
	}
	return fact{truth.True, kind}
}

// workload judges whether a policy is about a service principal.
func (sub *Subject) workload(p *policy) Clause {
	c := Clause{Condition: "workload", Reason: WorkloadIdentities}
	if d, bad := p.damage("clientApplications"); bad {
		return d
	}
	if !p.workload {
		c.Holds, c.Why = truth.False, "the policy is about users"
		return c
	}
	w := p.Conditions.ClientApplications
	in := sub.principals(w.Include)
	if in.v == truth.False && w.Filter != nil && w.Filter.Mode != "exclude" || in.v == truth.False && len(w.Extra.Names()) > 0 {
		in = fact{truth.Unknown, "a filter or agent identities, which cannot be judged"}
	}
	out := sub.principals(w.Exclude)
	if out.v == truth.False && w.Filter != nil && w.Filter.Mode == "exclude" {
		out = fact{truth.Unknown, "a filter over custom security attributes"}
	}
	c.decide(in, out)
	return c
}

func (sub *Subject) principals(list []string) fact {
	best := fact{truth.False, ""}
	for _, x := range list {
		switch {
		case x == "None":
		case x == "ServicePrincipalsInMyTenant":
			// Conditional Access covers applications that are this tenant's own, and not
			// managed identities.
			v, tenant := truth.Unknown, sub.e.s.Contents().Tenant
			switch {
			case sub.Principal.Type == "ManagedIdentity":
				v = truth.False
			case sub.Principal.Tenant != "" && tenant != "":
				v = truth.Of(sub.Principal.Tenant == tenant)
			}
			if v > best.v {
				best = fact{v, "all service principals of the tenant"}
			}
		case strings.EqualFold(x, sub.ID):
			return fact{truth.True, "its own id"}
		case !resolvable(x) && best.v == truth.False:
			best = fact{truth.Unknown, x + " does not resolve"}
		}
	}
	return best
}
