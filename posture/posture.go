package posture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/access"
	"glassward/directory"
)

// A Result is what a check comes to.
type Result string

// The results. Unknown is never a pass: what decides it was not read.
const (
	Pass          Result = "pass"
	Fail          Result = "fail"
	Warn          Result = "warn"
	NotApplicable Result = "not-applicable"
	Unknown       Result = "unknown"
)

// A Severity says what a failed check means.
type Severity string

// The severities, the worst first. Of a critical one the accounts may be locked out or
// taken over now.
const (
	Critical      Severity = "critical"
	High          Severity = "high"
	Medium        Severity = "medium"
	Low           Severity = "low"
	Informational Severity = "informational"
)

// Severities gives the severities, the worst first.
func Severities() []Severity { return []Severity{Critical, High, Medium, Low, Informational} }

// Rank is the place of the severity among Severities, 0 for the worst, -1 for what is none.
func (s Severity) Rank() int { return slices.Index(Severities(), s) }

// A Seen is one thing that decided a finding: a property of an object as it was read.
type Seen struct {
	// Object is the object's id, Name its name for people, empty where there is none.
	Object string `json:"object,omitempty"`
	Name   string `json:"name,omitempty"`
	// Property is Graph's name of what was looked at, Value what stood there, in words.
	Property string `json:"property"`
	Value    string `json:"value"`
	// Result is what this alone comes to: Pass, Fail, Warn or Unknown.
	Result Result `json:"result"`
}

// String gives the object's name, the property and the value on one line.
func (s Seen) String() string {
	return strings.TrimSpace(s.Name + " " + s.Property + ": " + s.Value)
}

// A Finding is what one check came to.
type Finding struct {
	Check  *Check `json:"check"`
	Result Result `json:"result"`
	// Reason says why it is Unknown or NotApplicable.
	Reason string `json:"reason,omitempty"`
	Seen   []Seen `json:"seen,omitempty"`
	// Accepted is the exception that covers all that is wrong; the result stays what it is.
	Accepted *Exception `json:"accepted,omitempty"`
	// Lapsed are exceptions that would cover it and have ended.
	Lapsed []Exception `json:"lapsed,omitempty"`
	// unread says that a part on which it rests was not read.
	unread bool
}

// Decided says whether what is not seen to be wrong is right: all parts were read, and no
// doubt is left about a property of an object, nor about whether an account is there.
func (f *Finding) Decided(object, property string) bool {
	return !f.unread && !slices.ContainsFunc(f.Seen, func(s Seen) bool {
		return s.Result == Unknown && (s.Property == "id" || s.Property == property && (sameID(s.Object, object) || s.Object == ""))
	})
}

// Open says whether the finding asks for something: a failure or a warning that nobody
// has accepted.
func (f *Finding) Open() bool {
	return (f.Result == Fail || f.Result == Warn) && f.Accepted == nil
}

// A Report is all that an assessment found.
type Report struct {
	Tenant string    `json:"tenant,omitempty"`
	Name   string    `json:"name,omitempty"`
	Taken  time.Time `json:"taken,omitzero"`
	// Maturity is the class of the tenant as far as what was read shows, and
	// MaturityReason what decided it.
	Maturity       Maturity  `json:"maturity"`
	MaturityReason string    `json:"maturityReason"`
	Norms          []Norm    `json:"norms"`
	Findings       []Finding `json:"findings"`
}

// Finding gives the finding of a check by its id, or nil.
func (r *Report) Finding(id string) *Finding {
	for i := range r.Findings {
		if r.Findings[i].Check.ID == id {
			return &r.Findings[i]
		}
	}
	return nil
}

// Count is how many findings have a result; those accepted are among them.
func (r *Report) Count(want Result) int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Result == want {
			n++
		}
	}
	return n
}

// Worst is the worst severity of an open failure, and "" if there is none.
func (r *Report) Worst() Severity {
	worst := Severity("")
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Open() && f.Result == Fail && (worst == "" || f.Check.Severity.Rank() < worst.Rank()) {
			worst = f.Check.Severity
		}
	}
	return worst
}

// Assess judges a snapshot by what the tenant declared. The findings stand in the order
// of the catalogue, one for each check. An error says that the options cannot be judged
// by: no account, an unknown design, an exception without owner, reason or end.
func Assess(s *directory.Snapshot, o Options) (*Report, error) {
	a, findings, err := findings(s, o, func(*Check) bool { return true })
	if err != nil {
		return nil, err
	}
	c := s.Contents()
	r := &Report{Tenant: c.Tenant, Name: c.Name, Taken: c.Taken, Norms: a.o.Norms.list(), Findings: findings}
	r.Maturity, r.MaturityReason = a.maturity(r)
	return r, nil
}

// Some judges by some checks alone, which are named by their ids; the findings stand in
// the order of the catalogue. It is for snapshots that hold no more than they rest on, as
// those of what protects the accounts.
func Some(s *directory.Snapshot, o Options, checks ...string) ([]Finding, error) {
	_, list, err := findings(s, o, func(c *Check) bool { return slices.Contains(checks, c.ID) })
	return list, err
}

func findings(s *directory.Snapshot, o Options, wanted func(*Check) bool) (*assessor, []Finding, error) {
	checks, err := Checks()
	if err != nil {
		return nil, nil, err
	}
	if o, err = o.whole(); err != nil {
		return nil, nil, err
	}
	now := o.Now
	if now.IsZero() {
		now = s.Contents().Taken
	}
	a := &assessor{s: s, o: &o, now: now}
	var list []Finding
	for _, check := range checks {
		if wanted(check) {
			f, _ := a.run(check)
			o.accept(&f, now)
			list = append(list, f)
		}
	}
	return a, list, nil
}

// An assessor holds what the checks of one assessment share.
type assessor struct {
	s     *directory.Snapshot
	o     *Options
	now   time.Time
	judge *access.Judge
	// verdicts and armed are what was worked out of each account.
	verdicts map[string]*access.Assessment
	armed    map[string][]access.Hit
	// queried are the alert rules, and analytics those of Microsoft Sentinel, once they
	// were bound.
	queried   []*queried
	analytics []*analytic
}

// verdict judges an account once.
func (a *assessor) verdict(account string) *access.Assessment {
	if a.judge == nil {
		a.judge = access.NewJudge(a.s)
		a.verdicts, a.armed = map[string]*access.Assessment{}, map[string][]access.Hit{}
	}
	x := a.verdicts[account]
	if x == nil {
		x = a.judge.Emergency(account)
		a.verdicts[account] = x
	}
	return x
}

// hits gives what each policy does to an account, worked out once.
func (a *assessor) hits(account string) []access.Hit {
	x := a.verdict(account)
	list, ok := a.armed[account]
	if !ok {
		list = a.judge.Hits(x)
		a.armed[account] = list
	}
	return list
}

// A view is the snapshot as one check may see it, and what the check has to say.
type view struct {
	a     *assessor
	o     *Options
	check *Check
	// used are the parts that were read, missing why some were not.
	used    map[directory.Part]bool
	missing []string
	seen    []Seen
	// not says why the check does not apply after all.
	not string
}

// ofEach are the parts that are read for each object: whether one was read is asked
// when its object is.
func ofEach(p directory.Part) bool {
	switch p {
	case directory.GroupMembers, directory.GroupOwners, directory.MemberOf, directory.UnitMembers,
		directory.Registered, directory.PerUserMFA, directory.GroupEligibilities, directory.GroupAssignments:
		return true
	}
	return false
}

// run asks one check. The parts that it read are returned for the test of what it states.
func (a *assessor) run(c *Check) (Finding, map[directory.Part]bool) {
	f := Finding{Check: c}
	v := &view{a: a, o: a.o, check: c, used: map[directory.Part]bool{}}
	l, ok := logic[c.ID]
	if !ok {
		f.Result, f.Reason = Unknown, "this version holds no logic for the check: that is a fault of Glassward"
		return f, nil
	}
	if l.unless != nil {
		if why := l.unless(a.o); why != "" {
			f.Result, f.Reason = NotApplicable, why
			return f, nil
		}
	}
	if why := a.lacks(c); why != "" {
		f.Result, f.Reason = NotApplicable, why
		return f, nil
	}
	for _, p := range c.Reads {
		if r := a.s.Reading(p, ""); !ofEach(p) && r.State != directory.Read && !(p == directory.Users && v.accountsRead()) {
			v.missing = append(v.missing, absent(p, "", r))
		}
	}
	if len(v.missing) == 0 {
		l.judge(v)
	}
	f.Seen = v.seen
	for p := range v.used {
		if !slices.Contains(c.Reads, p) {
			v.missing = append(v.missing, "the check reads "+string(p)+" and does not state it: that is a fault of Glassward")
		}
	}
	switch {
	case len(v.missing) > 0:
		f.unread = true
		slices.Sort(v.missing)
		f.Result, f.Reason = Unknown, strings.Join(slices.Compact(v.missing), "; ")
	case v.any(Fail):
		f.Result = Fail
	case v.any(Unknown):
		f.Result = Unknown
		for _, x := range v.seen {
			if x.Result == Unknown {
				f.Reason = x.String()
				break
			}
		}
	case v.any(Warn):
		f.Result = Warn
	case v.not != "":
		f.Result, f.Reason = NotApplicable, v.not
	case len(v.used) == 0:
		f.Result, f.Reason = Unknown, "the check looked at nothing: that is a fault of Glassward"
	default:
		f.Result = Pass
	}
	return f, v.used
}

func absent(p directory.Part, name string, r directory.Reading) string {
	of, why := "", r.Why()
	if name != "" {
		of = " of " + name
	}
	if why == "" {
		why = "no reason is told"
	}
	word := "was not read"
	if r.State == directory.Incomplete {
		word = "was read in part only"
	}
	return fmt.Sprintf("%s%s %s: %s", p, of, word, why)
}

func (v *view) any(r Result) bool {
	return slices.ContainsFunc(v.seen, func(s Seen) bool { return s.Result == r })
}

// read marks a part as looked at and says whether it was read, for an object if one is
// named.
func (v *view) read(p directory.Part, object string) bool {
	v.used[p] = true
	r := v.a.s.Reading(p, object)
	if r.State == directory.Read {
		return true
	}
	v.missing = append(v.missing, absent(p, v.name(object), r))
	return false
}

// contents gives what the snapshot holds, for the parts that are named: a check takes
// from it nothing else.
func (v *view) contents(parts ...directory.Part) directory.Contents {
	var c directory.Contents
	all := v.a.s.Contents()
	for _, p := range parts {
		if !v.read(p, "") {
			continue
		}
		switch p {
		case directory.Domains:
			c.Domains = all.Domains
		case directory.AuthorizationPolicy:
			c.AdminSSPR = all.AdminSSPR
		case directory.Groups:
			c.Groups = all.Groups
		case directory.Units:
			c.Units = all.Units
		case directory.Roles:
			c.Roles = all.Roles
		case directory.RoleAssignments:
			c.Assignments = all.Assignments
		case directory.RoleSchedules:
			c.Schedules = all.Schedules
		case directory.RoleEligibilities:
			c.Eligibilities = all.Eligibilities
		case directory.RolePolicies:
			c.RolePolicies = all.RolePolicies
		case directory.Policies:
			c.Policies = v.a.s.Policies()
		case directory.AuthenticationContexts:
			c.Contexts = all.Contexts
		case directory.Strengths:
			c.Strengths = all.Strengths
		case directory.Methods:
			c.Methods = all.Methods
		case directory.ServicePrincipals:
			c.ServicePrincipals = all.ServicePrincipals
		case directory.AppRoleAssignments:
			c.AppRoleAssignments = all.AppRoleAssignments
		case directory.PermissionGrants:
			c.PermissionGrants = all.PermissionGrants
		case directory.Licences:
			c.Licences = all.Licences
		case directory.Locations:
			c.Locations = all.Locations
		case directory.BetaMethods:
			c.BetaMethods = all.BetaMethods
		case directory.RiskyUsers:
			c.RiskyUsers = all.RiskyUsers
		case directory.AccessReviews:
			c.AccessReviews = all.AccessReviews
		case directory.LifecycleWorkflows:
			c.LifecycleWorkflows = all.LifecycleWorkflows
		case directory.RoleAlerts:
			c.RoleAlerts = all.RoleAlerts
		case directory.ProtectedActions:
			c.ProtectedActions = all.ProtectedActions
		case directory.GroupSettings:
			c.GroupSettings = all.GroupSettings
		case directory.Evaluations:
			c.Evaluations = all.Evaluations
		}
	}
	return c
}

// accounts gives the declared accounts that the snapshot holds; that one is not there is
// for ACC-01 and ACC-02 to say, and unknown to every other check. A snapshot that holds no
// more people than these is enough.
func (v *view) accounts() []*directory.User {
	v.used[directory.Users] = true
	if !v.accountsRead() {
		v.read(directory.Users, "")
		return nil
	}
	var list []*directory.User
	for _, e := range v.o.Accounts {
		u := v.a.s.User(e.ID)
		if u == nil || !strings.EqualFold(u.ID, e.ID) {
			v.unknown(e.ID, "id", "there is no such account (ACC-01)")
			continue
		}
		list = append(list, u)
	}
	return list
}

// user gives an account by its id, or nil.
func (v *view) user(id string) *directory.User {
	v.read(directory.Users, "")
	return v.a.s.User(id)
}

// accountsRead says whether all declared accounts were read, whoever else was.
func (v *view) accountsRead() bool {
	return !slices.ContainsFunc(v.o.Accounts, func(e Account) bool { return v.a.s.Reading(directory.Users, e.ID).State != directory.Read })
}

// group gives a group by its id, or nil.
func (v *view) group(id string) *directory.Group {
	v.read(directory.Groups, "")
	return v.a.s.Group(id)
}

// members gives the direct members of a group, if they were read.
func (v *view) members(group string) ([]directory.Ref, bool) {
	ok := v.read(directory.GroupMembers, group)
	return v.a.s.Contents().Members[group], ok
}

// owners gives the owners of a group, if they were read.
func (v *view) owners(group string) ([]directory.Ref, bool) {
	ok := v.read(directory.GroupOwners, group)
	return v.a.s.Contents().Owners[group], ok
}

// unitMembers gives the members of a unit, if they were read.
func (v *view) unitMembers(unit string) ([]directory.Ref, bool) {
	ok := v.read(directory.UnitMembers, unit)
	return v.a.s.Contents().UnitMembers[unit], ok
}

// memberOf gives the groups that an object is in, if they were read.
func (v *view) memberOf(object string) (directory.Memberships, bool) {
	ok := v.read(directory.MemberOf, object)
	return v.a.s.MemberOf(object), ok
}

// methods gives what an account has registered, if it was read.
func (v *view) methods(account string) ([]directory.Method, bool) {
	ok := v.read(directory.Registered, account)
	return v.a.s.Contents().Registered[account], ok
}

// perUserMFA gives the state of the older MFA of an account, if it was read.
func (v *view) perUserMFA(account string) (string, bool) {
	ok := v.read(directory.PerUserMFA, account)
	return v.a.s.Contents().PerUserMFA[account], ok
}

// groupEligibilities gives who may activate its membership of a group, if it was read.
func (v *view) groupEligibilities(group string) ([]directory.GroupSchedule, bool) {
	ok := v.read(directory.GroupEligibilities, group)
	return v.a.s.Contents().GroupEligibilities[group], ok
}

// groupAssignments gives who is a member of a group and until when, as Privileged Identity
// Management has it, if it was read. A group that it does not manage has none.
func (v *view) groupAssignments(group string) ([]directory.GroupSchedule, bool) {
	ok := v.read(directory.GroupAssignments, group)
	return v.a.s.Contents().GroupAssignments[group], ok
}

// emergency gives the verdict on an account. What the verdict rests on counts as read by
// the check.
func (v *view) emergency(account string) *access.Assessment {
	for _, p := range []directory.Part{directory.Users, directory.Domains, directory.Groups, directory.RoleSchedules,
		directory.Policies, directory.Strengths, directory.Locations, directory.Methods} {
		v.read(p, "")
	}
	v.read(directory.Registered, account)
	v.read(directory.MemberOf, account)
	return v.a.verdict(account)
}

// name gives the name of an object for people, without taking anything from it.
func (v *view) name(id string) string {
	if u := v.a.s.User(id); u != nil && u.UPN != "" {
		return u.UPN
	}
	if g := v.a.s.Group(id); g != nil && g.DisplayName != "" {
		return g.DisplayName
	}
	if p := v.a.s.ServicePrincipal(id); p != nil && p.DisplayName != "" {
		return p.DisplayName
	}
	if r := v.a.s.Role(id); r != nil && r.DisplayName != "" {
		return r.DisplayName
	}
	for _, u := range v.a.s.Contents().Units {
		if u.ID == id && u.DisplayName != "" {
			return u.DisplayName
		}
	}
	for _, list := range [][]*directory.Policy{v.a.s.Policies(), v.a.s.Contents().DeletedPolicies} {
		for _, p := range list {
			if p.ID == id && p.DisplayName != "" {
				return p.DisplayName
			}
		}
	}
	return id
}

func (v *view) say(r Result, object, property, format string, args ...any) {
	value := format
	if len(args) > 0 {
		value = fmt.Sprintf(format, args...)
	}
	v.seen = append(v.seen, Seen{Object: object, Name: v.name(object), Property: property, Value: value, Result: r})
}

func (v *view) pass(object, property, format string, args ...any) {
	v.say(Pass, object, property, format, args...)
}
func (v *view) fail(object, property, format string, args ...any) {
	v.say(Fail, object, property, format, args...)
}
func (v *view) warn(object, property, format string, args ...any) {
	v.say(Warn, object, property, format, args...)
}
func (v *view) unknown(object, property, format string, args ...any) {
	v.say(Unknown, object, property, format, args...)
}

// sameID compares object ids.
func sameID(a, b string) bool { return strings.EqualFold(a, b) }

// emergencyID says whether an id is that of a declared account.
func (v *view) emergencyID(id string) bool {
	return slices.ContainsFunc(v.o.Accounts, func(e Account) bool { return sameID(e.ID, id) })
}

var errNoAccount = fmt.Errorf("no emergency account is declared")

// validID says whether text is an object id.
func validID(s string) bool { return glassward.IsGUID(s) }
