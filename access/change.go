package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// A Change is one edit that anybody with the right could make, after which an account
// gets in less.
type Change struct {
	// What says it in words, as `enable the policy "Block elsewhere", which is
	// report-only`.
	What string `json:"change"`
	// Object is the id of what is changed.
	Object string `json:"object,omitempty"`
	// After is the verdict after it; Where a sign-in that is refused then, or may be,
	// and Why what refuses it.
	After Verdict `json:"after"`
	Where string  `json:"where"`
	Why   string  `json:"why,omitempty"`
}

// Changes gives every single change after which the verdict of an assessment is worse:
// a policy enabled, restored, or with one exclusion less; a membership taken or
// given; a method switched off, narrowed or taken away; a model of keys dropped; the
// account disabled; security defaults or per-user MFA switched on.
func (j *Judge) Changes(a *Assessment) []Change {
	if a.Verdict == Locked {
		return nil
	}
	c := &changer{j: j, a: a, sub: a.Subject}
	for _, p := range j.e.policies {
		c.base = append(c.base, j.refuses(c.sub, p, j.applies(c.sub, p)))
	}
	c.outside = j.gates(c.sub)
	if a.Verdict == Conditional {
		var bad []*box
		for _, b := range slices.Concat(c.base, c.outside) {
			if b.possible() {
				bad = append(bad, b)
			}
		}
		at, _ := j.sp.outside(bad, false)
		c.free = &at
	}
	c.policies()
	if c.sub.User != nil {
		c.memberships()
		c.methods()
		c.account()
	}
	return c.list
}

// changer tries changes.
type changer struct {
	j       *Judge
	a       *Assessment
	sub     *Subject
	base    []*box // by the place of the policy
	outside []*box
	// free is a cell in which a conditional account certainly gets in: as long as it
	// does, the verdict is as it was.
	free *[dimensions]int
	list []Change
}

// with tries another box in the place of a policy's, or one more if at is negative.
func (c *changer) with(at int, b *box, object, format string, args ...any) {
	if !b.possible() {
		return
	}
	bad := slices.Concat(c.base, c.outside)
	if at >= 0 {
		bad[at] = b
	} else {
		bad = append(bad, b)
	}
	c.found(c.sub, c.j, bad, b, object, fmt.Sprintf(format, args...))
}

// found notes a change if the verdict is worse after it.
func (c *changer) found(sub *Subject, j *Judge, bad []*box, worst *box, object, what string) {
	if c.free != nil && !slices.ContainsFunc(bad, func(b *box) bool { return b.mayHold(*c.free) }) {
		return
	}
	after := j.sp.outcome(bad)
	if !after.Worse(c.a.Outcome) {
		return
	}
	f := j.failure(sub, worst)
	c.list = append(c.list, Change{What: what, Object: object, After: after.Verdict, Where: f.Where, Why: f.Why})
}

// otherwise tries a snapshot in which something about the account is otherwise.
func (c *changer) otherwise(object, what string, change func(*directory.Contents)) {
	s := c.j.e.s.With(change)
	e := evaluator(s, c.j.e.policies)
	sp := *c.j.sp
	sp.e = e
	j := &Judge{e: e, sp: &sp}
	sub := e.Account(c.sub.ID)
	sub.standalone = c.sub.standalone
	var bad []*box
	var worst *box
	see := func(b *box) {
		if !b.possible() {
			return
		}
		bad = append(bad, b)
		if worst == nil || b.certain(j.sp) && !worst.certain(j.sp) {
			worst = b
		}
	}
	for i, p := range e.policies {
		b := j.refuses(sub, p, j.applies(sub, p))
		// A policy that refused as much before is not what this change does.
		if old := c.base[i]; old.possible() && b.possible() && old.certain(c.j.sp) == b.certain(j.sp) {
			bad = append(bad, b)
			continue
		}
		see(b)
	}
	for _, b := range j.gates(sub) {
		see(b)
	}
	if worst == nil {
		if len(bad) == 0 {
			return
		}
		worst = bad[0] // one that refused already refuses more
	}
	c.found(sub, j, bad, worst, object, what)
}

func title(p *directory.Policy) string {
	if p.DisplayName != "" {
		return `"` + p.DisplayName + `"`
	}
	return p.ID
}

// changed gives a policy that is otherwise in one thing.
func changed(p *policy, change func(*directory.Policy)) *policy {
	other := *p.Policy
	change(&other)
	x := *p
	x.Policy = &other
	return &x
}

// try gives what a policy would refuse. What is cached of it is forgotten: it is one
// of thousands that do not exist.
func (c *changer) try(p *policy) *box {
	b := c.j.refuses(c.sub, p, c.j.applies(c.sub, p))
	c.j.forget(c.sub, p)
	return b
}

func (c *changer) policies() {
	enable := func(p *directory.Policy) { p.State = directory.PolicyEnabled }
	for i, p := range c.j.e.policies {
		switch p.State {
		case directory.PolicyReportOnly:
			c.with(i, c.try(changed(p, enable)), p.ID, "enable the policy %s, which is report-only", title(p.Policy))
		case directory.PolicyDisabled:
			c.with(i, c.try(changed(p, enable)), p.ID, "enable the policy %s, which is disabled", title(p.Policy))
		case directory.PolicyEnabled:
			c.exclusions(i, p)
		}
	}
	for _, p := range c.j.deleted {
		if p.State == directory.PolicyEnabled {
			c.with(-1, c.try(p), p.ID, "restore the deleted policy %s", title(p.Policy))
		}
	}
}

// exclusions tries to take away each entry by which an enabled policy leaves the
// account out.
func (c *changer) exclusions(at int, p *policy) {
	u := p.Conditions.Users
	if u == nil || c.base[at].always != truth.False {
		return
	}
	without := func(what string, change func(*directory.UserCondition)) {
		x := changed(p, func(other *directory.Policy) {
			users := *u
			change(&users)
			other.Conditions.Users = &users
		})
		c.with(at, c.try(x), p.ID, "take %s out of the exclusions of the policy %s", what, title(p.Policy))
	}
	for _, x := range c.sub.exclusions(u) {
		id := x.ID
		switch x.Kind {
		case "user":
			without("the account", func(u *directory.UserCondition) { u.ExcludeUsers = drop(u.ExcludeUsers, id) })
		case "group":
			without("group "+c.group(id), func(u *directory.UserCondition) { u.ExcludeGroups = drop(u.ExcludeGroups, id) })
		case "role":
			without("role "+c.j.e.roleName(id), func(u *directory.UserCondition) { u.ExcludeRoles = drop(u.ExcludeRoles, id) })
		}
	}
}

func (c *changer) group(id string) string {
	if g := c.j.e.s.Group(id); g != nil && g.DisplayName != "" {
		return g.DisplayName
	}
	return id
}

// memberships tries to take the account out of each group that it is in, groups out of
// groups on its way, and to put it into each group that a policy or method names.
func (c *changer) memberships() {
	s := c.j.e.s
	for _, g := range c.sub.groups.All() {
		_, path, _ := c.sub.groups.In(g)
		if len(path) < 2 {
			continue
		}
		member := path[1]
		who := "the account"
		if member != c.sub.ID {
			who = "group " + c.group(member)
		}
		c.otherwise(g, fmt.Sprintf("take %s out of group %s", who, c.group(g)), func(o *directory.Contents) {
			o.Members = maps.Clone(o.Members)
			o.Members[g] = slices.DeleteFunc(slices.Clone(o.Members[g]), func(r directory.Ref) bool { return r.ID == member })
			if stated, ok := o.MemberOf[c.sub.ID]; ok {
				// What Graph stated is true no longer of what the account was in through g alone.
				before := s.With(func(b *directory.Contents) { b.MemberOf = nil }).MemberOf(c.sub.ID).All()
				after := s.With(func(b *directory.Contents) { b.MemberOf, b.Members = nil, o.Members }).MemberOf(c.sub.ID).All()
				o.MemberOf = maps.Clone(o.MemberOf)
				o.MemberOf[c.sub.ID] = slices.DeleteFunc(slices.Clone(stated), func(x string) bool {
					return x == g || slices.Contains(before, x) && !slices.Contains(after, x)
				})
			}
		})
	}
	named := map[string]bool{}
	for _, p := range c.j.e.policies {
		if u := p.Conditions.Users; u != nil && p.State == directory.PolicyEnabled {
			for _, g := range u.IncludeGroups {
				named[g] = true
			}
		}
	}
	if m := s.Contents().Methods; m != nil {
		for _, x := range m.Configurations {
			for _, t := range x.Exclude {
				named[t.ID] = true
			}
		}
	}
	for _, g := range slices.Sorted(maps.Keys(named)) {
		if in, _, _ := c.sub.groups.In(g); in != truth.False || s.Group(g) == nil {
			continue
		}
		c.otherwise(g, fmt.Sprintf("put the account into group %s", c.group(g)), func(o *directory.Contents) {
			o.Members = maps.Clone(o.Members)
			if o.Members == nil {
				o.Members = map[string][]directory.Ref{}
			}
			o.Members[g] = append(slices.Clone(o.Members[g]), directory.Ref{ID: c.sub.ID, Kind: "user"})
		})
	}
}

// methods tries what can be done to the methods: the policies on them, the models of
// keys, the keys themselves.
func (c *changer) methods() {
	s := c.j.e.s
	o := s.Contents()
	if o.Methods != nil {
		for i, m := range o.Methods.Configurations {
			if m.State != "enabled" {
				continue
			}
			edit := func(what string, change func(*directory.MethodConfiguration)) {
				c.otherwise(m.ID, what, func(o *directory.Contents) {
					policy, one := *o.Methods, *m
					change(&one)
					policy.Configurations = slices.Clone(policy.Configurations)
					policy.Configurations[i] = &one
					o.Methods = &policy
				})
			}
			edit("disable the method "+m.ID, func(x *directory.MethodConfiguration) { x.State = "disabled" })
			for k, t := range m.Include {
				if f := c.sub.targeted(t); f.v == truth.True {
					edit(fmt.Sprintf("take %s out of those whom the method %s is for", c.group(t.ID), m.ID), func(x *directory.MethodConfiguration) {
						x.Include = slices.Delete(slices.Clone(x.Include), k, k+1)
					})
				}
			}
			for _, g := range c.sub.groups.All() {
				edit(fmt.Sprintf("exclude group %s from the method %s", c.group(g), m.ID), func(x *directory.MethodConfiguration) {
					x.Exclude = append(slices.Clone(x.Exclude), directory.Target{Kind: "group", ID: g})
				})
			}
			if m.ID == "Fido2" {
				c.models(m, edit)
			}
		}
	}
	for i, st := range o.Strengths {
		edit := func(what string, change func(*directory.Strength)) {
			c.otherwise(st.ID, what, func(o *directory.Contents) {
				one := *st
				change(&one)
				o.Strengths = slices.Clone(o.Strengths)
				o.Strengths[i] = &one
			})
		}
		for k, x := range st.Configurations {
			for _, key := range c.keys() {
				if slices.Contains(x.AAGUIDs, key) && len(x.AAGUIDs) > 1 {
					edit(fmt.Sprintf("drop AAGUID %s from strength %s", key, st.DisplayName), func(one *directory.Strength) {
						one.Configurations = slices.Clone(one.Configurations)
						one.Configurations[k].AAGUIDs = drop(x.AAGUIDs, key)
					})
				}
			}
		}
		if st.PolicyType == "custom" {
			for _, combination := range st.Combinations {
				if len(st.Combinations) > 1 {
					edit(fmt.Sprintf("drop %s from strength %s", combination, st.DisplayName), func(one *directory.Strength) {
						one.Combinations = drop(one.Combinations, combination)
					})
				}
			}
		}
	}
	for _, m := range o.Registered[c.sub.ID] {
		if m.Kind == "passwordAuthenticationMethod" {
			continue // nobody can take the password away
		}
		name := m.DisplayName
		if name == "" {
			name = m.ID
		}
		c.otherwise(m.ID, fmt.Sprintf("delete the account's method %s (%s)", name, strings.TrimSuffix(m.Kind, "AuthenticationMethod")), func(o *directory.Contents) {
			o.Registered = maps.Clone(o.Registered)
			o.Registered[c.sub.ID] = slices.DeleteFunc(slices.Clone(o.Registered[c.sub.ID]), func(x directory.Method) bool { return x.ID == m.ID })
		})
	}
}

func drop(list []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == one })
}

// keys gives the models of the account's passkeys.
func (c *changer) keys() []string {
	var list []string
	for _, m := range c.j.e.s.Contents().Registered[c.sub.ID] {
		if m.AAGUID != "" && !slices.Contains(list, m.AAGUID) {
			list = append(list, m.AAGUID)
		}
	}
	return list
}

// models tries the key restrictions and passkey profiles.
func (c *changer) models(m *directory.MethodConfiguration, edit func(string, func(*directory.MethodConfiguration))) {
	narrowed := func(r *directory.KeyRestrictions, key string) *directory.KeyRestrictions {
		if r == nil {
			r = &directory.KeyRestrictions{}
		}
		x := *r
		switch {
		case r.Enforced == truth.True && r.Enforcement == "allow":
			x.AAGUIDs = drop(r.AAGUIDs, key)
		case r.Enforced == truth.True && r.Enforcement == "block":
			x.AAGUIDs = append(slices.Clone(r.AAGUIDs), key)
		default:
			x = directory.KeyRestrictions{Enforced: truth.True, Enforcement: "block", AAGUIDs: []string{key}}
		}
		return &x
	}
	verb := func(r *directory.KeyRestrictions) string {
		if r != nil && r.Enforced == truth.True && r.Enforcement == "allow" {
			return "drop AAGUID %s from %s"
		}
		return "block AAGUID %s in %s"
	}
	for _, key := range c.keys() {
		if len(m.Profiles) == 0 {
			edit(fmt.Sprintf(verb(m.Restrictions), key, "the key restrictions of Fido2"), func(x *directory.MethodConfiguration) {
				x.Restrictions = narrowed(x.Restrictions, key)
			})
		}
		for i, p := range m.Profiles {
			edit(fmt.Sprintf(verb(p.Restrictions), key, "passkey profile "+p.Name), func(x *directory.MethodConfiguration) {
				x.Profiles = slices.Clone(x.Profiles)
				x.Profiles[i].Restrictions = narrowed(p.Restrictions, key)
			})
		}
	}
	for i, p := range m.Profiles {
		if slices.Contains(p.Types, "deviceBound") {
			edit(fmt.Sprintf("set passkey profile %s to synced passkeys", p.Name), func(x *directory.MethodConfiguration) {
				x.Profiles = slices.Clone(x.Profiles)
				x.Profiles[i].Types = []string{"synced"}
			})
		}
	}
}

// account tries the switches of the account and of the tenant.
func (c *changer) account() {
	s := c.j.e.s
	id := c.sub.ID
	if c.sub.User.Enabled == truth.True {
		c.otherwise(id, "disable the account", func(o *directory.Contents) {
			o.Users = slices.Clone(o.Users)
			for i, u := range o.Users {
				if u.ID == id {
					off := *u
					off.Enabled = truth.False
					o.Users[i] = &off
				}
			}
		})
	}
	if o := s.Contents(); o.SecurityDefaults == truth.False {
		c.otherwise("", "switch security defaults on", func(o *directory.Contents) { o.SecurityDefaults = truth.True })
	}
	if s.Contents().PerUserMFA[id] == "disabled" {
		c.otherwise(id, "enforce per-user MFA for the account", func(o *directory.Contents) {
			o.PerUserMFA = maps.Clone(o.PerUserMFA)
			o.PerUserMFA[id] = "enforced"
		})
	}
}

// Propose gives the snapshot in which policies are as proposed and enabled: one whose
// id exists takes its place, every other is added.
func Propose(s *directory.Snapshot, proposed []*directory.Policy) *directory.Snapshot {
	return s.With(func(c *directory.Contents) {
		list := slices.Clone(s.Policies())
		for _, p := range proposed {
			on := *p
			on.State = directory.PolicyEnabled
			if at := slices.IndexFunc(list, func(x *directory.Policy) bool { return x.ID == p.ID && resolvable(p.ID) }); at >= 0 {
				list[at] = &on
			} else {
				list = append(list, &on)
			}
		}
		c.Policies, c.BetaPolicies = list, nil
	})
}
