package access

import (
	"slices"
	"strings"

	"glassward/access/filter"
	"glassward/directory"
	"glassward/directory/truth"
)

// A Reason is why a policy does not apply, in the words of Microsoft's What If
// evaluation (whatIfAnalysisReasons). Microsoft reports the first unmet condition; the
// order in which it looks is not documented, so compare by membership.
type Reason string

// Microsoft's reasons.
const (
	NotEnoughInformation  Reason = "notEnoughInformation"
	InvalidCondition      Reason = "invalidCondition"
	ReasonUsers           Reason = "users"
	WorkloadIdentities    Reason = "workloadIdentities"
	ReasonApplication     Reason = "application"
	UserActions           Reason = "userActions"
	AuthenticationContext Reason = "authenticationContext"
	DevicePlatform        Reason = "devicePlatform"
	Devices               Reason = "devices"
	ClientApps            Reason = "clientApps"
	Location              Reason = "location"
	SignInRisk            Reason = "signInRisk"
	EmptyPolicy           Reason = "emptyPolicy"
	InvalidPolicy         Reason = "invalidPolicy"
	PolicyNotEnabled      Reason = "policyNotEnabled"
	UserRisk              Reason = "userRisk"
	Time                  Reason = "time"
	InsiderRisk           Reason = "insiderRisk"
	AuthenticationFlow    Reason = "authenticationFlow"
)

// A Clause is one condition of a policy and what came of it.
type Clause struct {
	// Condition is the part of the policy, as "users" or "conditions.locations".
	Condition string `json:"condition"`
	// Holds says whether the sign-in meets it.
	Holds truth.Value `json:"holds"`
	// Why names what decided: the id that includes or excludes, the path of groups, or
	// what is missing.
	Why string `json:"why,omitempty"`
	// Reason is Microsoft's word for it, if the clause does not hold.
	Reason Reason `json:"reason,omitempty"`
}

// A Result is one policy and one sign-in.
type Result struct {
	Policy *directory.Policy
	// Enforced says whether the policy's state makes it bind: true if it is enabled,
	// false if it is report-only or disabled.
	Enforced truth.Value
	// Applies says whether the policy is on, report-only included, and every condition
	// holds.
	Applies truth.Value
	// Clauses are the conditions in order. Of one that is not configured there is none.
	Clauses []Clause
	// Controls are what it demands, and Satisfied whether the account can do that.
	// Both are worked out whether it applies or not.
	Controls  []Control
	Satisfied truth.Value
}

// Deciding gives the clauses for which a policy does not apply, or, if it does or
// may, all that are not certain; and if all is certain, the one that names whom it
// is about.
func (r *Result) Deciding() []Clause {
	var list []Clause
	for _, c := range r.Clauses {
		if c.Holds == r.Applies && r.Applies != truth.True || c.Holds == truth.Unknown && r.Applies == truth.True {
			list = append(list, c)
		}
	}
	if r.Applies == truth.True {
		for _, c := range r.Clauses {
			if c.Condition == "users" || c.Condition == "workload" {
				list = append(list, c)
			}
		}
	}
	return list
}

// Reasons gives Microsoft's words for why the policy does not apply.
func (r *Result) Reasons() []Reason {
	var list []Reason
	for _, c := range r.Clauses {
		if c.Holds != truth.True && c.Reason != "" && !slices.Contains(list, c.Reason) {
			list = append(list, c.Reason)
		}
	}
	return list
}

// Unknowns gives, in words, what could not be found out about the policy.
func (r *Result) Unknowns() []string {
	var list []string
	for _, c := range r.Clauses {
		if c.Holds == truth.Unknown {
			list = append(list, c.Condition+": "+c.Why)
		}
	}
	for _, c := range r.Controls {
		if c.Satisfied == truth.Unknown {
			list = append(list, c.Name+": "+c.Why)
		}
	}
	return list
}

// A Decision is what becomes of a sign-in.
type Decision struct {
	SignIn SignIn
	// Results are the policies in the order of the snapshot.
	Results []Result
	// Gates are what stands outside Conditional Access.
	Gates []Gate
	// In says whether the account gets in: every gate is passed and every enforced
	// policy that applies is satisfied.
	In truth.Value
}

// Applied gives the results of policies that apply, or with may those that may, too.
func (d *Decision) Applied(may bool) []*Result {
	var list []*Result
	for i := range d.Results {
		if v := d.Results[i].Applies; v == truth.True || may && v == truth.Unknown {
			list = append(list, &d.Results[i])
		}
	}
	return list
}

// An Evaluator judges sign-ins by one snapshot. It may be used by several goroutines
// at once.
type Evaluator struct {
	s        *directory.Snapshot
	policies []*policy
	// trusted are the named locations that AllTrusted may mean.
	trusted []*directory.NamedLocation
}

// policy is a policy made ready.
type policy struct {
	*directory.Policy
	rule     filter.Expr // of the device filter, nil if there is none or it cannot be read
	ruleErr  error
	damaged  map[string]string // condition → what could not be read
	workload bool
}

// NewEvaluator makes the policies of a snapshot ready.
func NewEvaluator(s *directory.Snapshot) *Evaluator {
	var policies []*policy
	for _, p := range s.Policies() {
		policies = append(policies, prepare(p))
	}
	return evaluator(s, policies)
}

func evaluator(s *directory.Snapshot, policies []*policy) *Evaluator {
	e := &Evaluator{s: s, policies: policies}
	for _, l := range s.Contents().Locations {
		// Countries cannot be trusted: what Graph does not tell of them is no doubt.
		if l.Trusted != truth.False && l.Kind != directory.LocationCountry {
			e.trusted = append(e.trusted, l)
		}
	}
	return e
}

func prepare(p *directory.Policy) *policy {
	x := &policy{Policy: p}
	if d := p.Conditions.Devices; d != nil && d.Filter != nil {
		x.rule, x.ruleErr = filter.Parse(d.Filter.Rule)
	}
	if w := p.Conditions.ClientApplications; w != nil {
		x.workload = len(w.Include)+len(w.Exclude) > 0 || w.Filter != nil || len(w.Extra.Names()) > 0
	}
	for _, problem := range p.Problems {
		if x.damaged == nil {
			x.damaged = map[string]string{}
		}
		part := strings.Split(problem.Path, ".")
		name := part[0]
		if name == "conditions" && len(part) > 1 {
			name = part[1]
		}
		x.damaged[name] = problem.String()
	}
	return x
}

// Evaluate judges one sign-in.
func (e *Evaluator) Evaluate(in SignIn) *Decision {
	return e.evaluate(e.subject(in), in)
}

func (e *Evaluator) subject(in SignIn) *Subject {
	if in.ServicePrincipal != "" {
		return e.ServicePrincipal(in.ServicePrincipal)
	}
	return e.Account(in.User)
}

// EvaluateFor judges a sign-in of a subject that was looked up before: User and
// ServicePrincipal of the sign-in are not read.
func (e *Evaluator) EvaluateFor(sub *Subject, in SignIn) *Decision { return e.evaluate(sub, in) }

func (e *Evaluator) evaluate(sub *Subject, in SignIn) *Decision {
	d := &Decision{SignIn: in, In: truth.True, Results: make([]Result, len(e.policies))}
	for i, p := range e.policies {
		r := &d.Results[i]
		e.judge(r, p, sub, &in)
		d.In = d.In.And(r.Enforced.And(r.Applies).Not().Or(r.Satisfied))
	}
	d.Gates = e.gates(sub, &in)
	for _, g := range d.Gates {
		d.In = d.In.And(g.Passed)
	}
	return d
}

// judge works out one policy.
func (e *Evaluator) judge(r *Result, p *policy, sub *Subject, in *SignIn) {
	r.Policy = p.Policy
	r.Clauses = make([]Clause, 0, 6)
	r.Applies = truth.True
	add := func(c Clause) {
		if c.Condition == "" {
			return
		}
		if c.Holds == truth.True {
			c.Reason = ""
		} else if p.hides("conditions", c.Condition) {
			c.Why += betaAlone
		}
		r.Applies = r.Applies.And(c.Holds)
		r.Clauses = append(r.Clauses, c)
	}
	var on Clause
	r.Enforced, on = p.state()
	add(on)
	add(sub.clause(p))
	add(e.application(p, in))
	add(clientApps(p, in))
	add(platforms(p, in))
	add(e.locations(p, in))
	add(risk(p, "signInRiskLevels", p.Conditions.SignInRiskLevels, in.SignInRisk, SignInRisk))
	add(risk(p, "userRiskLevels", p.Conditions.UserRiskLevels, in.UserRisk, UserRisk))
	add(risk(p, "insiderRiskLevels", p.Conditions.InsiderRiskLevels, in.InsiderRisk, InsiderRisk))
	if p.workload {
		add(risk(p, "servicePrincipalRiskLevels", p.Conditions.ServicePrincipalRiskLevels, in.ServicePrincipalRisk, SignInRisk))
	}
	add(devices(p, in))
	add(flows(p, in))
	add(times(p))
	add(unmodelled(p))
	r.Controls, r.Satisfied = e.demands(p, sub, in)
	for i := range r.Controls {
		if c := &r.Controls[i]; c.Satisfied != truth.True && p.hides("sessionControls", c.Name) {
			c.Why += betaAlone
		}
	}
}

// betaAlone is said of what Graph's v1.0 does not show, and whoever looks at the policy
// through it does not see.
const betaAlone = " (v1.0 hides it)"

// hides says whether v1.0 leaves out what a clause or control rests on: all of it, or a
// property of it.
func (p *policy) hides(part, name string) bool {
	return slices.ContainsFunc(p.Hidden, func(path string) bool {
		rest, in := strings.CutPrefix(path, part+".")
		first, _, _ := strings.Cut(rest, ".")
		switch {
		case !in:
			return false
		case name == part: // what this version does not know
			return p.Conditions.Extra[first] != nil || first == "agentIdRiskLevels" || p.Session != nil && p.Session.Extra[first] != nil
		}
		return first == name
	})
}

// state gives whether a policy binds, and the clause of a policy that is not on.
func (p *policy) state() (enforced truth.Value, c Clause) {
	if what, bad := p.damaged["state"]; bad {
		return truth.Unknown, Clause{"state", truth.Unknown, what, InvalidPolicy}
	}
	switch p.State {
	case directory.PolicyEnabled:
		return truth.True, Clause{}
	case directory.PolicyReportOnly:
		return truth.False, Clause{}
	case directory.PolicyDisabled:
		return truth.False, Clause{"state", truth.False, "the policy is disabled", PolicyNotEnabled}
	case "":
		return truth.Unknown, Clause{"state", truth.Unknown, "the state is not told", NotEnoughInformation}
	}
	return truth.Unknown, Clause{"state", truth.Unknown, "the state " + p.State + " is not known", InvalidPolicy}
}
