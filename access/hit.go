package access

import (
	"slices"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// A Hit is what one policy does to an account in an emergency if it is enabled,
// whatever its state is: one that reports only, is off or lies in the bin is armed.
type Hit struct {
	Policy *directory.Policy
	// Deleted says that the policy lies in the bin.
	Deleted bool
	// Whom says whether the policy is about the account, and by what. It does not depend
	// on the sign-in.
	Whom Clause
	// Included says whether the policy names the account, whether it leaves it out or not.
	Included truth.Value
	// Exclusions are all entries by which the policy leaves the account out.
	Exclusions []Exclusion
	// Idle says that the policy names nothing that could be signed in to: it applies to
	// nobody.
	Idle bool
	// Applies says whether it applies to some sign-in of an emergency, Everywhere whether
	// to each, and Refuses whether it refuses one.
	Applies, Everywhere, Refuses truth.Value
	// Narrowed are the dimensions of sign-ins on which it depends whether it applies:
	// target, client, platform, place, sign-in risk, user risk, insider risk.
	Narrowed []string
	// Where is a sign-in in words that it refuses, or, if it refuses none, to which it
	// applies; Why is what it refuses it for, or what is not known.
	Where, Why string
}

// An Exclusion is one entry by which a policy leaves an account out.
type Exclusion struct {
	// Kind is user, group, role or guests; ID is the entry as it stands in the policy.
	Kind, ID string
	// Path is how the account is in the group: it begins at the group and ends at the
	// account.
	Path []string
}

// exclusions gives the entries of a condition that certainly leave the account out.
func (sub *Subject) exclusions(u *directory.UserCondition) []Exclusion {
	if u == nil {
		return nil
	}
	var list []Exclusion
	for _, id := range u.ExcludeUsers {
		if strings.EqualFold(id, sub.ID) {
			list = append(list, Exclusion{Kind: "user", ID: id})
		}
	}
	for _, id := range u.ExcludeGroups {
		if in, path, _ := sub.groups.In(id); in == truth.True {
			list = append(list, Exclusion{Kind: "group", ID: id, Path: path})
		}
	}
	for _, id := range u.ExcludeRoles {
		if v, _ := sub.e.s.Holds(sub.groups, id); v == truth.True {
			list = append(list, Exclusion{Kind: "role", ID: id})
		}
	}
	if g := u.ExcludeGuests; g != nil && sub.guest(g).v == truth.True {
		list = append(list, Exclusion{Kind: "guests", ID: strings.Join(g.Types, ",")})
	}
	return list
}

// Hits gives what each policy does to the account of an assessment, those in the bin
// last.
func (j *Judge) Hits(a *Assessment) []Hit {
	list := make([]Hit, 0, len(j.e.policies)+len(j.deleted))
	for _, p := range j.e.policies {
		list = append(list, j.hit(a.Subject, p))
	}
	for _, p := range j.deleted {
		h := j.hit(a.Subject, p)
		h.Deleted = true
		list = append(list, h)
	}
	return list
}

func (j *Judge) hit(sub *Subject, p *policy) Hit {
	on := p
	if p.State != directory.PolicyEnabled {
		on = changed(p, func(p *directory.Policy) { p.State = directory.PolicyEnabled })
		defer j.forget(sub, on)
	}
	h := Hit{Policy: p.Policy, Whom: sub.clause(on), Exclusions: sub.exclusions(p.Conditions.Users), Idle: p.idle()}
	if u := p.Conditions.Users; u != nil && !p.workload {
		h.Included = sub.among(u.IncludeUsers, u.IncludeGroups, u.IncludeRoles, u.IncludeGuests).v
	} else {
		h.Included = h.Whom.Holds
	}
	applies := j.applies(sub, on)
	refuses := j.refuses(sub, on, applies)
	h.Applies, h.Refuses = j.holds(applies), j.holds(refuses)
	h.Everywhere, h.Narrowed = j.everywhere(applies)
	shown := refuses
	if h.Refuses == truth.False {
		shown = applies
	}
	if j.holds(shown) != truth.False {
		f := j.failure(sub, shown)
		h.Where, h.Why = f.Where, f.Why
	}
	return h
}

// forget drops what is cached of a policy that does not exist.
func (j *Judge) forget(sub *Subject, p *policy) {
	delete(j.sp.held, p)
	sub.mu.Lock()
	delete(sub.clauses, p)
	sub.mu.Unlock()
}

// holds says whether a box holds a sign-in.
func (j *Judge) holds(b *box) truth.Value {
	switch {
	case !b.possible():
		return truth.False
	case b.certain(j.sp):
		return truth.True
	}
	return truth.Unknown
}

// everywhere says whether a box holds every sign-in that certainly exists, and in which
// dimensions it certainly does not.
func (j *Judge) everywhere(b *box) (v truth.Value, narrowed []string) {
	if v = b.always; v == truth.False {
		return v, nil
	}
	for d := range dimensions {
		switch {
		case !subset(j.sp.usual[d], b.dims[d].possible):
			v = truth.False
			narrowed = append(narrowed, dimensionNames[d])
		case !subset(j.sp.usual[d], b.dims[d].certain):
			v = v.And(truth.Unknown)
		}
	}
	return v, narrowed
}

// idle says that a policy names no application, user action, authentication context or
// traffic, as one that is being written.
func (p *policy) idle() bool {
	if p.workload {
		return false
	}
	a := p.Conditions.Applications
	if a == nil {
		return len(p.damaged) == 0
	}
	named := slices.ContainsFunc(a.Include, func(x string) bool { return x != "None" })
	return !named && a.Filter == nil && len(a.UserActions)+len(a.Contexts)+len(a.TrafficProfiles)+len(a.Extra.Names()) == 0 && len(p.damaged) == 0
}

// Context judges the sign-in of an emergency account to Microsoft Graph for an
// authentication context, as c1: what protects an action asks for it.
func (j *Judge) Context(account, context string) *Assessment {
	at := j.contexts[context]
	if at == nil {
		target := atom{name: "authentication context " + context, in: SignIn{Resources: []string{appGraph}, Context: context}}
		at = &Judge{e: j.e, sp: newSpace(j.e, j.e.policies, []atom{target})}
		if j.contexts == nil {
			j.contexts = map[string]*Judge{}
		}
		j.contexts[context] = at
	}
	return at.Emergency(account)
}

// Unasked gives the targets of an emergency at which nothing is certain to ask the
// account for more than its password: no policy, no mandatory MFA, no security defaults
// and no per-user MFA.
func (j *Judge) Unasked(a *Assessment) []string {
	sub, c := a.Subject, j.e.s.Contents()
	if state := c.PerUserMFA[sub.ID]; c.SecurityDefaults == truth.True || state == "enabled" || state == "enforced" {
		return nil
	}
	var asking []*box
	for _, p := range j.e.policies {
		if b := j.applies(sub, p); b.always == truth.True && p.asksMFA() {
			asking = append(asking, b)
		}
	}
	var names []string
	for i, t := range j.sp.atoms[byTarget] {
		asked := slices.ContainsFunc(t.in.Resources, mandatoryMFA) || slices.ContainsFunc(asking, func(b *box) bool {
			for d := range dimensions {
				if d != byTarget && !subset(j.sp.usual[d], b.dims[d].certain) {
					return false
				}
			}
			return b.dims[byTarget].certain.has(i)
		})
		if !asked {
			names = append(names, t.name)
		}
	}
	return names
}

// asksMFA says that whoever satisfies the policy from a device that nobody knows has
// shown more than a password.
func (p *policy) asksMFA() bool {
	g := p.Grant
	if g == nil {
		return false
	}
	asks := g.Strength != nil || slices.ContainsFunc(g.BuiltIn, func(c string) bool { return c == "mfa" || c == "block" })
	if g.Operator == "AND" {
		return asks
	}
	other := slices.ContainsFunc(g.BuiltIn, func(c string) bool {
		return !slices.Contains([]string{"mfa", "block", "compliantDevice", "domainJoinedDevice"}, c)
	})
	return asks && !other && len(g.TermsOfUse)+len(g.CustomFactors) == 0
}
