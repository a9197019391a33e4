package report

import (
	"slices"
	"strings"
	"time"

	"glassward/access"
	"glassward/directory"
	"glassward/notify"
	"glassward/posture"
)

// A Document is all that the reports tell. As JSON it is the report of package posture
// with access and notRead beside its own members.
type Document struct {
	*posture.Report
	// Access says of each emergency account whether it gets in.
	Access []Account `json:"access"`
	// NotRead are the parts of the snapshot that were not read whole.
	NotRead []NotRead `json:"notRead,omitempty"`
	// Kinds are Graph's names of the types of the objects that findings name, by object
	// id: user, group, servicePrincipal, administrativeUnit, unifiedRoleDefinition,
	// conditionalAccessPolicy, authenticationStrengthPolicy, domain.
	Kinds map[string]string `json:"-"`
	// Program is the version of Glassward that judged, Source the name of the snapshot
	// without its folder.
	Program string `json:"-"`
	Source  string `json:"-"`
}

// An Account is an emergency account and the verdict on it over every sign-in of an
// emergency.
type Account struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	access.Outcome
	// Applying are the names of the enforced policies that certainly apply to some
	// sign-in of an emergency, Maybe those of the others that may.
	Applying []string `json:"applyingPolicies"`
	Maybe    []string `json:"policiesThatMayApply,omitempty"`
	// Refusals are what keeps it out somewhere, Ways the conditions under which it
	// certainly gets in: of one way, all must hold.
	Refusals []Refusal              `json:"refusals,omitempty"`
	Ways     [][]access.Restriction `json:"getsInIf,omitempty"`
}

// A Refusal is what keeps an account out, or may, with a witness.
type Refusal struct {
	// By is the name of the policy, or of what stands outside Conditional Access; Policy
	// the policy's id, if it is one.
	By     string `json:"by"`
	Policy string `json:"policyId,omitempty"`
	// Certain says that the witness is refused, not only that it may be.
	Certain bool `json:"certain"`
	// Where is a sign-in that is refused, in words; Why what refuses it.
	Where string `json:"where"`
	Why   string `json:"why,omitempty"`
}

// A NotRead is a part of the snapshot that was not read whole, and why.
type NotRead struct {
	Part  directory.Part  `json:"part"`
	State directory.State `json:"state"`
	// Reason says why, Permission which permission would have done it.
	Reason     string `json:"reason,omitempty"`
	Permission string `json:"permission,omitempty"`
}

// New makes the document of an assessment: it judges the access of the declared accounts
// and notes what was not read. Program and Source are the caller's to set.
func New(s *directory.Snapshot, o posture.Options, r *posture.Report) *Document {
	d := &Document{Report: r, Access: []Account{}, Kinds: map[string]string{}}
	j := access.NewJudge(s)
	for _, a := range o.Accounts {
		d.Access = append(d.Access, account(j.Emergency(a.ID)))
	}
	for _, p := range directory.Parts() {
		// What nobody asked for needs no telling: the findings say what they lack.
		if x, ok := s.Contents().Readings[p]; ok && x.State != directory.Read {
			d.NotRead = append(d.NotRead, NotRead{p, x.State, x.Reason, x.Permission})
		}
	}
	kinds := kindsOf(s)
	for i := range r.Findings {
		for _, seen := range r.Findings[i].Seen {
			if k := kinds(seen.Object); k != "" {
				d.Kinds[seen.Object] = k
			}
		}
	}
	return d
}

func account(x *access.Assessment) Account {
	a := Account{ID: x.Subject.ID, Name: x.Subject.Name(), Outcome: x.Outcome, Applying: []string{}, Ways: x.Ways}
	for _, p := range x.Applying {
		a.Applying = append(a.Applying, policyName(p))
	}
	for _, p := range x.Maybe {
		a.Maybe = append(a.Maybe, policyName(p))
	}
	for _, f := range x.Failures {
		one := Refusal{By: f.Name(), Certain: f.Certain, Where: f.Where, Why: f.Why}
		if f.Policy != nil {
			one.Policy = f.Policy.ID
		}
		a.Refusals = append(a.Refusals, one)
	}
	return a
}

func policyName(p *directory.Policy) string {
	if p.DisplayName != "" {
		return p.DisplayName
	}
	return p.ID
}

// kindsOf gives a function that says of an id what kind of object it names.
func kindsOf(s *directory.Snapshot) func(string) string {
	few := map[string]string{}
	c := s.Contents()
	for _, u := range c.Units {
		few[u.ID] = "administrativeUnit"
	}
	for _, p := range s.Policies() {
		few[p.ID] = "conditionalAccessPolicy"
	}
	for _, d := range c.Domains {
		few[d.Name] = "domain"
	}
	return func(id string) string {
		switch u := s.User(id); {
		case id == "":
			return ""
		case u != nil && strings.EqualFold(u.ID, id):
			return "user"
		case s.Group(id) != nil:
			return "group"
		case s.ServicePrincipal(id) != nil:
			return "servicePrincipal"
		case s.Role(id) != nil:
			return "unifiedRoleDefinition"
		case s.Strength(id) != nil:
			return "authenticationStrengthPolicy"
		}
		return few[id]
	}
}

// paths are the places in Graph of the objects of each kind.
var paths = map[string]string{
	"user":                         "users",
	"group":                        "groups",
	"servicePrincipal":             "servicePrincipals",
	"administrativeUnit":           "directory/administrativeUnits",
	"unifiedRoleDefinition":        "roleManagement/directory/roleDefinitions",
	"conditionalAccessPolicy":      "identity/conditionalAccess/policies",
	"authenticationStrengthPolicy": "policies/authenticationStrengthPolicies",
	"domain":                       "domains",
}

// emergency says whether something that decided a finding is one of the accounts.
func (d *Document) emergency(f *posture.Finding) bool {
	return slices.ContainsFunc(f.Seen, func(s posture.Seen) bool { return d.isAccount(s.Object) })
}

func (d *Document) isAccount(id string) bool {
	return slices.ContainsFunc(d.Access, func(a Account) bool { return id != "" && strings.EqualFold(a.ID, id) })
}

// urgent gives the findings in the order in which they ask for something: what fails, the
// worst first, what is unknown, warnings, what is accepted, and what is well. Within each
// they stand as in the catalogue.
func (d *Document) urgent() []*posture.Finding {
	list := make([]*posture.Finding, 0, len(d.Findings))
	for i := range d.Findings {
		list = append(list, &d.Findings[i])
	}
	results := []posture.Result{posture.Fail, posture.Unknown, posture.Warn, "", posture.Pass, posture.NotApplicable}
	place := func(f *posture.Finding) int {
		if f.Accepted != nil {
			return slices.Index(results, "")
		}
		return slices.Index(results, f.Result)
	}
	slices.SortStableFunc(list, func(a, b *posture.Finding) int {
		if n := place(a) - place(b); n != 0 {
			return n
		}
		return a.Check.Severity.Rank() - b.Check.Severity.Rank()
	})
	return list
}

// name is what the report is about, for a heading.
func (d *Document) name() string {
	for _, s := range []string{d.Name, d.Tenant} {
		if s != "" {
			return s
		}
	}
	return "a tenant whose name was not read"
}

// counts gives how many findings came to what, in words; accepted ones are named apart.
func (d *Document) counts() string {
	var words []string
	for _, r := range []posture.Result{posture.Fail, posture.Unknown, posture.Warn, posture.Pass, posture.NotApplicable} {
		if n := d.Count(r); n > 0 {
			words = append(words, number(n)+" "+resultWord(r))
		}
	}
	return strings.Join(words, ", ")
}

// opens is how many of the accounts are open.
func (d *Document) opens() int {
	n := 0
	for _, a := range d.Access {
		if a.Verdict == access.Open {
			n++
		}
	}
	return n
}

// resultWord is a result as a sentence has it.
func resultWord(r posture.Result) string {
	if r == posture.NotApplicable {
		return "not applicable"
	}
	return string(r)
}

// standing is a finding's result with what somebody accepted of it.
func standing(f *posture.Finding) string {
	if f.Accepted != nil {
		return resultWord(f.Result) + ", accepted"
	}
	return resultWord(f.Result)
}

// verdict is an outcome with its bounds where they differ.
func verdict(o access.Outcome) string {
	if o.Worst == o.Best {
		return string(o.Verdict)
	}
	return string(o.Verdict) + " (" + string(o.Worst) + " to " + string(o.Best) + ")"
}

// way is one way in, in words.
func way(w []access.Restriction) string {
	words := make([]string, 0, len(w))
	for _, r := range w {
		words = append(words, r.String())
	}
	return strings.Join(words, "; ")
}

// told are the things seen that a reader of a finding is shown: what is not well, and all
// of it if nothing is wrong. The reason of what is unknown is told by itself.
func told(f *posture.Finding) []posture.Seen {
	if f.Result == posture.Pass || f.Result == posture.NotApplicable {
		return f.Seen
	}
	var list []posture.Seen
	for _, s := range f.Seen {
		if s.Result != posture.Pass && s.String() != f.Reason {
			list = append(list, s)
		}
	}
	return list
}

// day is a date as an exception ends on it.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// stamp is a point in time as people read it, in UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// plain makes text fit for one line: breaks become spaces, and characters that do
// something other than show themselves are named.
func plain(s string) string {
	return notify.PlainText(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ").Replace(s))
}
