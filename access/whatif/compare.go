package whatif

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/truth"
)

// A Match is what came of one policy.
type Match string

// The matches.
const (
	// Same is that both say that the policy applies, or both that it does not and Graph's
	// reason is among ours.
	Same Match = "same"
	// Otherwise is that it applies for neither, for reasons of which none is the other's.
	Otherwise Match = "other reason"
	// Differs is that it applies for one and not for the other.
	Differs Match = "differs"
	// Incomparable is that one of the two does not know.
	Incomparable Match = "not comparable"
)

// A Row is one policy, by both.
type Row struct {
	Policy string `json:"id"`
	Name   string `json:"displayName"`
	Match  Match  `json:"match"`
	// Ours and Graph say whether the policy applies; Graph is Unknown if it says nothing.
	Ours  truth.Value `json:"applies"`
	Graph truth.Value `json:"appliesByGraph"`
	// Reasons are ours in Microsoft's words, GraphReasons Graph's.
	Reasons      []access.Reason `json:"analysisReasons,omitempty"`
	GraphReasons []string        `json:"analysisReasonsByGraph,omitempty"`
	// Why says what we go by, or why the two cannot be compared.
	Why string `json:"why,omitempty"`
}

// A Comparison is what one sign-in is by both.
type Comparison struct {
	Rows []Row `json:"policies"`
}

// Count gives how many policies came to a match.
func (c *Comparison) Count(m Match) int {
	n := 0
	for _, r := range c.Rows {
		if r.Match == m {
			n++
		}
	}
	return n
}

// Compare holds a decision against Graph's answer to the same sign-in, policy by policy,
// those that only Graph knows last. Graph tells one reason, and the order in which it
// looks is not documented: its reason must be among ours.
func Compare(d *access.Decision, answer []directory.EvaluationResult) *Comparison {
	c := &Comparison{Rows: []Row{}}
	theirs := map[string]*directory.EvaluationResult{}
	for i := range answer {
		theirs[strings.ToLower(answer[i].Policy)] = &answer[i]
	}
	for i := range d.Results {
		r := &d.Results[i]
		row := Row{Policy: r.Policy.ID, Name: name(r.Policy), Ours: r.Applies, Why: deciding(r)}
		if r.Applies != truth.True {
			row.Reasons = r.Reasons()
		}
		v := theirs[strings.ToLower(r.Policy.ID)]
		delete(theirs, strings.ToLower(r.Policy.ID))
		if v != nil {
			row.Graph, row.GraphReasons = v.Applies, v.Reasons
		}
		row.judge(v, &d.SignIn)
		c.Rows = append(c.Rows, row)
	}
	for i := range answer {
		v := &answer[i]
		if theirs[strings.ToLower(v.Policy)] == v {
			c.Rows = append(c.Rows, Row{Policy: v.Policy, Name: v.DisplayName, Match: Incomparable, Graph: v.Applies, GraphReasons: v.Reasons, Why: "the snapshot does not hold it"})
		}
	}
	return c
}

func (r *Row) judge(v *directory.EvaluationResult, in *access.SignIn) {
	because := func(list ...access.Reason) bool {
		return v.Applies == truth.False && r.Ours == truth.True && slices.ContainsFunc(v.Reasons, func(s string) bool { return slices.Contains(list, access.Reason(s)) })
	}
	switch {
	case v == nil:
		r.Match, r.Why = Incomparable, "Graph says nothing of it"
	case !v.Applies.Known():
		r.Match, r.Why = Incomparable, "Graph does not say whether it applies"
	case r.Ours == truth.Unknown:
		r.Match = Incomparable
	case because(access.NotEnoughInformation):
		r.Match, r.Why = Incomparable, "Graph was not told enough"
	case in.Context != "" && len(in.Resources) == 0 && because(access.ReasonApplication, access.AuthenticationContext):
		// Here a policy for all resources holds whatever asks for the context.
		r.Match, r.Why = Incomparable, "the question is about an authentication context, and names no resource"
	case r.Ours != v.Applies:
		r.Match = Differs
	case r.Ours == truth.False && len(v.Reasons) > 0 && !slices.ContainsFunc(r.Reasons, func(x access.Reason) bool {
		return slices.ContainsFunc(v.Reasons, func(s string) bool { return whom(x) == whom(access.Reason(s)) })
	}):
		r.Match = Otherwise
	default:
		r.Match = Same
	}
}

// whom makes one of the two reasons for which a policy is not about who signs in: which of
// them a policy of the other kind is given is not documented.
func whom(r access.Reason) access.Reason {
	if r == access.WorkloadIdentities {
		return access.ReasonUsers
	}
	return r
}

// deciding puts in words what we go by.
func deciding(r *access.Result) string {
	var list []string
	for _, c := range r.Deciding() {
		list = append(list, c.Condition+": "+c.Why)
	}
	return strings.Join(list, "; ")
}

func name(p *directory.Policy) string {
	if p.DisplayName != "" {
		return p.DisplayName
	}
	return p.ID
}

// String puts a row in words.
func (r Row) String() string {
	say := func(v truth.Value) string {
		return map[truth.Value]string{truth.True: "applies", truth.False: "does not apply", truth.Unknown: "may apply"}[v]
	}
	ours := say(r.Ours)
	if r.Why != "" {
		ours += " (" + r.Why + ")"
	}
	switch r.Match {
	case Incomparable:
		if r.Ours == truth.Unknown && r.Graph.Known() {
			return fmt.Sprintf("%s here, and %s by Graph", ours, say(r.Graph))
		}
		return r.Why
	case Same:
		return ours
	}
	graph := say(r.Graph)
	if len(r.GraphReasons) > 0 {
		graph += " (" + strings.Join(r.GraphReasons, ", ") + ")"
	}
	return fmt.Sprintf("%s here, and %s by Graph", ours, graph)
}

// A Sample is a sign-in that is asked about, and its name.
type Sample struct {
	Name   string
	SignIn access.SignIn
}

// Samples gives the sign-ins of an account, by its object id, by which Graph's evaluation
// and ours are compared: the ways of an emergency, and what usual policies are about. Their
// addresses belong to nobody (RFC 5737).
func Samples(account string) []Sample {
	usual := access.SignIn{
		User: account, ClientApp: "browser", Platform: "windows", Address: netip.MustParseAddr("198.51.100.7"), Country: "US",
		UserRisk: "none", SignInRisk: "none", InsiderRisk: "none", Flow: "none", Device: access.Unregistered(), CompliantNetwork: truth.False,
	}
	list := []Sample{}
	add := func(name string, change func(*access.SignIn)) {
		in := usual
		change(&in)
		list = append(list, Sample{name, in})
	}
	const portal, graph, manager, exchange = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "00000003-0000-0000-c000-000000000000", "797f4846-ba00-4fd7-ba43-dac1f8f63013", "00000002-0000-0ff1-ce00-000000000000"
	add("portal", func(in *access.SignIn) { in.Resources = []string{portal} })
	add("portal-abroad-at-risk", func(in *access.SignIn) {
		in.Resources, in.Platform, in.Address, in.Country = []string{portal}, "macOS", netip.MustParseAddr("203.0.113.9"), "BR"
		in.UserRisk, in.SignInRisk, in.InsiderRisk = "high", "high", "elevated"
	})
	add("command-line", func(in *access.SignIn) {
		in.Resources, in.ClientApp, in.Platform = []string{graph}, "mobileAppsAndDesktopClients", "linux"
	})
	add("device-code", func(in *access.SignIn) {
		in.Resources, in.ClientApp, in.Platform, in.Flow = []string{manager}, "mobileAppsAndDesktopClients", "linux", "deviceCodeFlow"
	})
	add("register-security-info", func(in *access.SignIn) { in.UserAction = "urn:user:registersecurityinfo" })
	add("legacy", func(in *access.SignIn) { in.Resources, in.ClientApp = []string{exchange}, "other" })
	return list
}
