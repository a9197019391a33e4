package drift

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/change"
	"glassward/directory/truth"
	"glassward/posture"
)

// A Direction says which way something went.
type Direction string

// The directions. Unclear is what cannot be compared: a check that passed or failed and is
// unknown now may be as it was or not.
const (
	Worse   Direction = "worse"
	Better  Direction = "better"
	Unclear Direction = "unclear"
)

// A Drift is what became of a tenant's emergency access.
type Drift struct {
	Tenant string `json:"tenant,omitempty"`
	Name   string `json:"name,omitempty"`
	// Before and After are when the snapshots were taken.
	Before time.Time `json:"before,omitzero"`
	After  time.Time `json:"after,omitzero"`
	// Maturity is the class of the tenant after, WasMaturity the one before.
	Maturity    posture.Maturity `json:"maturity"`
	WasMaturity posture.Maturity `json:"wasMaturity"`
	// Access are the accounts whose verdict is another.
	Access []AccessShift `json:"access"`
	// Checks are those that came to something else, or see something else that is wrong.
	Checks []Shift `json:"checks"`
	// Changes are what differs of that which protects the accounts, Others how many
	// differences there are beside.
	Changes []Change `json:"changes"`
	Others  int      `json:"otherDifferences"`
	// NotCompared are parts that were not read whole in one of the snapshots.
	NotCompared []NotCompared `json:"notCompared,omitempty"`
}

// An AccessShift is an account whose verdict is another.
type AccessShift struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Direction Direction      `json:"direction"`
	Before    access.Outcome `json:"before"`
	After     access.Outcome `json:"after"`
}

// A Shift is a check that came to something else.
type Shift struct {
	Check     *posture.Check `json:"check"`
	Direction Direction      `json:"direction"`
	Before    posture.Result `json:"before"`
	After     posture.Result `json:"after"`
	// Accepted says that an exception covers what is wrong after.
	Accepted bool `json:"accepted,omitempty"`
	// Reason is why it is unknown now. New is what is seen wrong now and was not before,
	// Gone what was and is not.
	Reason string         `json:"reason,omitempty"`
	New    []posture.Seen `json:"new,omitempty"`
	Gone   []posture.Seen `json:"gone,omitempty"`
}

// A Change is a difference with who could have made it.
type Change struct {
	change.Difference
	Hands []Hand `json:"couldHaveDoneIt"`
	// NotRead are the parts that would have shown more of them.
	NotRead []directory.Part `json:"notRead,omitempty"`
}

// A NotCompared is a part that could not be compared, whole or for an object, and why.
type NotCompared struct {
	Part   directory.Part `json:"part"`
	Object string         `json:"object,omitempty"`
	Why    string         `json:"why"`
}

// Worse says whether anything got worse: a check that is not accepted, or a verdict.
func (d *Drift) Worse() bool {
	return slices.ContainsFunc(d.Access, func(a AccessShift) bool { return a.Direction == Worse }) ||
		slices.ContainsFunc(d.Checks, func(s Shift) bool { return s.Direction == Worse && !s.Accepted })
}

// Compare tells what became of the tenant, judged by what it declares, both times by the
// same. Exceptions are judged as of each snapshot. An error is that of posture.Assess, or
// says that the snapshots are of two tenants.
func Compare(before, after *directory.Snapshot, o posture.Options) (*Drift, error) {
	x, y := before.Contents(), after.Contents()
	if x.Tenant != "" && y.Tenant != "" && x.Tenant != y.Tenant {
		return nil, fmt.Errorf("the snapshots are of two tenants, %s and %s", x.Tenant, y.Tenant)
	}
	was, err := posture.Assess(before, o)
	if err != nil {
		return nil, err
	}
	is, err := posture.Assess(after, o)
	if err != nil {
		return nil, err
	}
	d := &Drift{
		Tenant: is.Tenant, Name: is.Name, Before: was.Taken, After: is.Taken, Maturity: is.Maturity, WasMaturity: was.Maturity,
		Access: []AccessShift{}, Checks: shifts(was, is), Changes: []Change{},
	}
	first, second := access.NewJudge(before), access.NewJudge(after)
	for _, a := range o.Accounts {
		p, q := first.Emergency(a.ID), second.Emergency(a.ID)
		if p.Outcome != q.Outcome {
			name := q.Subject.Name()
			if q.Subject.User == nil {
				name = p.Subject.Name() // as far as anybody knows
			}
			d.Access = append(d.Access, AccessShift{q.Subject.ID, name, outcomes(p.Outcome, q.Outcome), p.Outcome, q.Outcome})
		}
	}
	return d, d.changes(before, after, o)
}

// outcomes compares two verdicts. Of one that is unknown only what is certain counts.
func outcomes(p, q access.Outcome) Direction {
	if p.Verdict == access.Unresolved || q.Verdict == access.Unresolved {
		sure := func(v access.Verdict) access.Outcome { return access.Outcome{Verdict: v, Worst: v, Best: v} }
		switch {
		case sure(q.Best).Worse(sure(p.Worst)):
			return Worse
		case sure(p.Best).Worse(sure(q.Worst)):
			return Better
		}
		return Unclear
	}
	if q.Worse(p) {
		return Worse
	}
	return Better
}

// shifts compares the findings of two reports.
func shifts(was, is *posture.Report) []Shift {
	list := []Shift{}
	for i := range is.Findings {
		y := &is.Findings[i]
		x := was.Finding(y.Check.ID)
		if x == nil {
			continue
		}
		s := Shift{Check: y.Check, Before: x.Result, After: y.Result, Accepted: y.Accepted != nil}
		if y.Result == posture.Unknown {
			s.Reason = y.Reason
		}
		s.New = only(y.Seen, x.Seen)
		if y.Result != posture.Unknown { // what was not looked at has not gone
			s.Gone = only(x.Seen, y.Seen)
		}
		switch n := rank(y.Result) - rank(x.Result); {
		case n != 0 && y.Result != posture.Fail && (x.Result == posture.Unknown || y.Result == posture.Unknown):
			// What is not read any more may be as it was, and what is read for the first
			// time may have been so before. A failure that is seen is one to act on.
			s.Direction = Unclear
		case n > 0:
			s.Direction = Worse
		case n < 0:
			s.Direction = Better
		case len(s.New) > 0:
			s.Direction = Worse
		case len(s.Gone) > 0:
			s.Direction = Better
		default:
			continue
		}
		list = append(list, s)
	}
	return list
}

// rank orders results: what does not apply is as good as a pass. Unknown has a place of
// its own, so that it differs from all others.
func rank(r posture.Result) int {
	switch r {
	case posture.Unknown:
		return 1
	case posture.Warn:
		return 2
	case posture.Fail:
		return 3
	}
	return 0
}

// only gives what one list sees wrong at a place at which the other sees nothing wrong:
// that a number of days has grown is no news.
func only(list, other []posture.Seen) []posture.Seen {
	wrong := func(s posture.Seen) bool { return s.Result == posture.Fail || s.Result == posture.Warn }
	var news []posture.Seen
	for _, s := range list {
		if wrong(s) && !slices.ContainsFunc(other, func(o posture.Seen) bool {
			return wrong(o) && strings.EqualFold(o.Object, s.Object) && o.Property == s.Property
		}) {
			news = append(news, s)
		}
	}
	return news
}

// changes takes those differences that are about what protects the accounts.
func (d *Drift) changes(before, after *directory.Snapshot, o posture.Options) error {
	table, err := powers()
	if err != nil {
		return err
	}
	guards := protectedBy(o, before, after)
	first, second := newFinder(before), newFinder(after)
	compared := change.Compare(before, after)
	for _, x := range compared.Differences {
		if !guards.about(table, x) {
			d.Others++
			continue
		}
		c := Change{Difference: x, Hands: []Hand{}}
		kind := x.Kind
		if kind == change.Group && guards.assignable[x.ID] && !strings.HasPrefix(x.Property, "role") {
			kind = "roleAssignableGroup"
		}
		if p, ok := powerOver(table, kind, x.Property); ok {
			was, lacked := first.hands(p, x.Kind, x.Property, x.ID)
			is, lacks := second.hands(p, x.Kind, x.Property, x.ID)
			c.Hands = merge(was, is)
			c.NotRead = slices.Concat(lacked, lacks)
			slices.Sort(c.NotRead)
			c.NotRead = slices.Compact(c.NotRead)
		}
		d.Changes = append(d.Changes, c)
	}
	for _, u := range compared.Unseen {
		d.NotCompared = append(d.NotCompared, NotCompared{u.Part, u.Object, u.Why()})
	}
	return nil
}

// guards are the objects that protect the accounts, and they themselves.
type guards struct {
	objects    map[string]bool
	assignable map[string]bool // groups that can hold a role
}

// protectedBy gathers them from what was declared and from both snapshots: the accounts,
// their groups, the groups that policies name or that hold roles, the units that hold an
// account or its group.
func protectedBy(o posture.Options, snapshots ...*directory.Snapshot) *guards {
	g := &guards{map[string]bool{}, map[string]bool{}}
	add := func(ids ...string) {
		for _, id := range ids {
			g.objects[strings.ToLower(id)] = true
		}
	}
	add(o.Group, o.Unit)
	add(o.Unlockers...)
	add(o.OtherGroups...)
	for _, a := range o.Accounts {
		add(a.ID)
	}
	for _, s := range snapshots {
		c := s.Contents()
		for _, a := range o.Accounts {
			add(s.MemberOf(strings.ToLower(a.ID)).All()...)
		}
		for _, p := range s.Policies() {
			if u := p.Conditions.Users; u != nil {
				add(u.IncludeGroups...)
				add(u.ExcludeGroups...)
			}
		}
		for _, list := range [][]*directory.RoleAssignment{c.Assignments, c.Schedules, c.Eligibilities} {
			for _, a := range list {
				if s.Group(a.Principal) != nil {
					add(a.Principal)
				}
			}
		}
		for _, x := range c.Groups {
			if x.RoleAssignable == truth.True {
				g.assignable[x.ID] = true
			}
		}
		for unit, members := range c.UnitMembers {
			for _, a := range append([]posture.Account{{ID: o.Group}}, o.Accounts...) {
				if slices.ContainsFunc(members, func(m directory.Ref) bool { return a.ID != "" && strings.EqualFold(m.ID, a.ID) }) {
					add(unit)
				}
			}
		}
	}
	delete(g.objects, "")
	return g
}

// about says whether a difference is about what protects the accounts. Whatever is not
// one of many objects is; who holds a role is, whoever it is, and so is a permission by
// which an application could change any of it.
func (g *guards) about(table []power, x change.Difference) bool {
	if g.objects[strings.ToLower(x.ID)] || strings.HasPrefix(x.Property, "roleAssignment") || strings.HasPrefix(x.Property, "roleEligibility") {
		return true
	}
	switch x.Kind {
	case change.User, change.DeletedUser, change.Group, change.AdministrativeUnit, change.Application, change.Licence:
		return false
	case change.ServicePrincipal, change.DirectoryObject:
		return slices.ContainsFunc(table, func(p power) bool {
			return slices.ContainsFunc(p.permissions, func(name string) bool {
				return strings.Contains(string(x.Before)+string(x.After), `"`+name+`"`) || strings.Contains(string(x.Before)+string(x.After), " "+name+" ")
			})
		})
	}
	return true
}
