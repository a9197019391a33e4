package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"glassward/access"
	"glassward/access/filter"
	"glassward/access/whatif"
	"glassward/config"
	"glassward/daemon"
	"glassward/directory"
	"glassward/directory/graph"
	"glassward/directory/truth"
)

// resources are the names by which --resource takes applications that are often
// meant; everything else is an application id.
var resources = map[string]string{
	"azure-portal":     "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
	"entra-admin":      "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
	"m365-admin":       "00000006-0000-0ff1-ce00-000000000000",
	"resource-manager": "797f4846-ba00-4fd7-ba43-dac1f8f63013",
	"graph":            "00000003-0000-0000-c000-000000000000",
	"exchange":         "00000002-0000-0ff1-ce00-000000000000",
	"sharepoint":       "00000003-0000-0ff1-ce00-000000000000",
}

type whatIf struct {
	in                      access.SignIn
	resources               []string
	address, device         string
	trusted, network        string
	properties              []string
	compare, format, action string
	config, tenant          string
	all                     bool
}

func (a *app) whatIfCommand() *cobra.Command {
	var w whatIf
	cmd := &cobra.Command{
		Use:   "whatif SNAPSHOT",
		Short: "Judge one sign-in: which policies apply, why and why not, what they demand, and whether it gets in",
		Long: `Judges one sign-in by a snapshot: which Conditional Access policies apply and by which
clause, what must be satisfied, whether the account can do that with what it has registered,
and what stands outside Conditional Access. What is not told is unknown to the policies that
ask for it, and so is what the snapshot does not hold: the answer says what is missing.

A snapshot is a folder or zip archive, or Conditional Access policies as they were exported.

With --compare the answer is held, policy by policy, against that of Microsoft's own What If
evaluation (POST /identity/conditionalAccess/evaluate, appliedPoliciesOnly false). --compare
graph asks Graph about the same sign-in, as the application of the tenant's file, which needs
Policy.Read.ConditionalAccess or Policy.Read.All and changes nothing; --compare FILE takes an
answer that was kept. What the question cannot say is told, and not compared. Exit code 1 if
the two differ on a policy.`,
		Example: `  glassward whatif contoso.zip --user ea-01@contoso.onmicrosoft.com --resource azure-portal \
    --client browser --platform windows --address 198.51.100.7 --country NO --device unregistered
  glassward whatif contoso.zip --user ea-01@contoso.onmicrosoft.com --resource graph --compare graph`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error { return a.whatIf(cmd.Context(), list[0], &w) },
	}
	f := cmd.Flags()
	f.StringVar(&w.in.User, "user", "", "who signs in: object id or user principal name")
	f.StringVar(&w.in.ServicePrincipal, "service-principal", "", "or which service principal, by object id")
	f.StringArrayVar(&w.resources, "resource", nil, "application id of what is signed in to, or azure-portal, entra-admin, m365-admin, resource-manager, graph, exchange, sharepoint (repeatable)")
	choiceFlag(cmd, &w.action, "action", "", "user action instead: ", "", "register-security-info", "register-device")
	f.StringVar(&w.in.Context, "context", "", "authentication context that is asked for, as c1")
	choiceFlag(cmd, &w.in.ClientApp, "client", "", "", "", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other")
	choiceFlag(cmd, &w.in.Platform, "platform", "", "unknown is one that Entra does not recognise: ", "", "android", "iOS", "windows", "windowsPhone", "macOS", "linux", "unknown")
	f.StringVar(&w.address, "address", "", "IP address that Entra sees")
	f.StringVar(&w.in.Country, "country", "", "country of the address by two letters; unknown if it belongs to none")
	choiceFlag(cmd, &w.trusted, "mfa-trusted", "", "whether the address is among the MFA trusted IPs, which Graph does not show: ", "", "yes", "no")
	choiceFlag(cmd, &w.network, "compliant-network", "", "whether it comes through Global Secure Access: ", "", "yes", "no")
	levels := []string{"", "none", "low", "medium", "high"}
	choiceFlag(cmd, &w.in.UserRisk, "user-risk", "", "", levels...)
	choiceFlag(cmd, &w.in.SignInRisk, "sign-in-risk", "", "", levels...)
	choiceFlag(cmd, &w.in.ServicePrincipalRisk, "service-principal-risk", "", "", levels...)
	choiceFlag(cmd, &w.in.InsiderRisk, "insider-risk", "", "", "", "none", "minor", "moderate", "elevated")
	choiceFlag(cmd, &w.in.Flow, "flow", "", "", "", "none", "deviceCodeFlow", "authenticationTransfer")
	choiceFlag(cmd, &w.device, "device", "", "", "", "unregistered", "registered", "compliant", "hybrid")
	f.StringArrayVar(&w.properties, "device-property", nil, "property of the device for filters, as model=Surface (repeatable)")
	f.StringVar(&w.compare, "compare", "", "hold against Microsoft's own evaluation: graph asks for it, anything else is a file of JSON with its answer")
	configFlag(cmd, &w.config)
	f.StringVar(&w.tenant, "tenant", "", "which tenant of the configuration is asked with --compare graph; else the snapshot's")
	f.BoolVar(&w.all, "all", false, "show policies that do not apply, too, with the reason")
	outputFlag(cmd, &w.format, "text", "json")
	return cmd
}

func (w *whatIf) signIn() (access.SignIn, error) {
	in := w.in
	if (in.User == "") == (in.ServicePrincipal == "") {
		return in, usagef("say who signs in: --user or --service-principal")
	}
	for _, r := range w.resources {
		if id, ok := resources[strings.ToLower(r)]; ok {
			r = id
		}
		in.Resources = append(in.Resources, strings.ToLower(r))
	}
	switch w.action {
	case "register-security-info":
		in.UserAction = "urn:user:registersecurityinfo"
	case "register-device":
		in.UserAction = "urn:user:registerdevice"
	}
	if w.address != "" {
		var err error
		if in.Address, err = netip.ParseAddr(w.address); err != nil {
			return in, usagef("--address %q: write an IP address", w.address)
		}
	}
	in.MFATrusted, in.CompliantNetwork = yesNo(w.trusted), yesNo(w.network)
	switch w.device {
	case "unregistered":
		in.Device = access.Unregistered()
	case "registered":
		in.Device.Registered = truth.True
	case "compliant":
		in.Device.Registered, in.Device.Compliant = truth.True, truth.True
	case "hybrid":
		in.Device.Registered, in.Device.HybridJoined = truth.True, truth.True
	}
	for _, p := range w.properties {
		name, v, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return in, usagef("--device-property %q: write NAME=VALUE", p)
		}
		if in.Device.Properties == nil {
			in.Device.Properties = map[string]filter.Value{}
		}
		in.Device.Properties[strings.ToLower(strings.TrimPrefix(name, "device."))] = filter.Text(v)
	}
	return in, nil
}

func yesNo(s string) truth.Value {
	switch s {
	case "yes":
		return truth.True
	case "no":
		return truth.False
	}
	return truth.Unknown
}

// policyAnswer is one policy of an answer.
type policyAnswer struct {
	ID        string           `json:"id"`
	Name      string           `json:"displayName"`
	State     string           `json:"state"`
	Applies   truth.Value      `json:"applies"`
	Reasons   []access.Reason  `json:"analysisReasons,omitempty"`
	Clauses   []access.Clause  `json:"clauses"`
	Controls  []access.Control `json:"controls,omitempty"`
	Satisfied truth.Value      `json:"satisfied"`
	Unknowns  []string         `json:"unknown,omitempty"`
	Hidden    []string         `json:"hiddenByV1,omitempty"`
}

func (a *app) whatIf(ctx context.Context, name string, w *whatIf) error {
	in, err := w.signIn()
	if err != nil {
		return err
	}
	s, err := directory.Open(name, directory.Limits{})
	if err != nil {
		return err
	}
	a.snapshotProblems(s)
	e := access.NewEvaluator(s)
	d := e.Evaluate(in)
	var c *comparison
	if w.compare != "" {
		if c, err = a.compare(ctx, s, e, d, w); err != nil {
			return err
		}
	}
	if w.format == "json" {
		answer := struct {
			In         truth.Value    `json:"in"`
			Gates      []access.Gate  `json:"gates"`
			Policies   []policyAnswer `json:"policies"`
			Comparison *comparison    `json:"comparison,omitempty"`
		}{In: d.In, Gates: d.Gates, Policies: []policyAnswer{}, Comparison: c}
		for i := range d.Results {
			r := &d.Results[i]
			answer.Policies = append(answer.Policies, policyAnswer{r.Policy.ID, r.Policy.DisplayName, r.Policy.State, r.Applies, r.Reasons(), r.Clauses, r.Controls, r.Satisfied, r.Unknowns(), r.Policy.Hidden})
		}
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(answer); err != nil {
			return err
		}
	} else {
		a.printDecision(d, w.all)
		if c != nil {
			a.printComparison(c, w.all)
		}
	}
	if c != nil && c.Count(whatif.Differs) > 0 {
		return errSilent
	}
	return nil
}

func (a *app) printDecision(d *access.Decision, all bool) {
	say := func(format string, args ...any) { fmt.Fprintf(a.Stdout, format+"\n", args...) }
	words := map[truth.Value]string{truth.True: "gets in", truth.False: "does not get in", truth.Unknown: "may get in: not all is known"}
	say("%s", a.paint(bold, words[d.In]))
	for _, g := range d.Gates {
		if g.Passed != truth.True {
			say("  %s: %s", g.Name, line(g.Why))
		}
	}
	rest := 0
	for i := range d.Results {
		r := &d.Results[i]
		if r.Applies == truth.False && !all {
			rest++
			continue
		}
		mark := map[truth.Value]string{truth.True: "applies", truth.False: "does not apply", truth.Unknown: "may apply"}[r.Applies]
		if r.Applies != truth.False {
			switch {
			case r.Enforced == truth.False:
				mark += ", report-only"
			case r.Satisfied == truth.True:
				mark += ", satisfied"
			case r.Satisfied == truth.False:
				mark += ", NOT satisfied"
			default:
				mark += ", may not be satisfied"
			}
		}
		say("%s: %s", line(policyName(r.Policy)), mark)
		for _, c := range r.Deciding() {
			reason := ""
			if c.Reason != "" {
				reason = " (" + string(c.Reason) + ")"
			}
			say("  %s: %s%s", c.Condition, line(c.Why), reason)
		}
		if r.Applies == truth.False {
			continue
		}
		if len(r.Policy.Hidden) > 0 {
			say("  v1.0 hides %s", line(strings.Join(r.Policy.Hidden, ", ")))
		}
		for _, c := range r.Controls {
			why := ""
			if c.Why != "" {
				why = ": " + line(c.Why)
			}
			say("  demands %s, %s%s", line(c.Name), map[truth.Value]string{truth.True: "yes", truth.False: "no", truth.Unknown: "unknown"}[c.Satisfied], why)
		}
	}
	if rest > 0 {
		a.say("%s not apply; --all shows why", counted(rest, "policy does", "policies do"))
	}
}

func policyName(p *directory.Policy) string {
	if p.DisplayName != "" {
		return p.DisplayName
	}
	return p.ID
}

// snapshotProblems says what could not be read of a snapshot.
func (a *app) snapshotProblems(s *directory.Snapshot) {
	for _, p := range directory.Parts() {
		r, ok := s.Contents().Readings[p]
		if p == directory.Evaluations {
			continue // Microsoft's verdicts decide nothing here
		}
		if ok && r.State != directory.Read {
			a.say("%s is %s: %s", p, r.State, line(r.Why()))
		}
	}
	if _, told := s.Contents().Readings[directory.BetaPolicies]; !told && len(s.Policies()) > 0 {
		a.say("%s was not read: what v1.0 hides of the policies is not known", directory.BetaPolicies)
	}
	if m := s.Contents().Methods; m != nil && len(m.Hidden) > 0 {
		a.say("%s: v1.0 hides %s", directory.Methods, line(strings.Join(m.Hidden, ", ")))
	}
	list := s.Problems()
	for i, p := range list {
		if i == 10 {
			a.say("… and %d more", len(list)-i)
			break
		}
		a.say("%s", line(p.String()))
	}
}

// comparison is a decision beside Microsoft's own.
type comparison struct {
	*whatif.Comparison
	// Request is what Graph was asked, Unsaid what of the sign-in that does not say.
	Request json.RawMessage `json:"request,omitempty"`
	Unsaid  []string        `json:"notAsked,omitempty"`
}

// compare holds a decision against an answer that was kept, or against Graph's to the
// question that says as much of the sign-in as it can: then what is compared is what was
// asked.
func (a *app) compare(ctx context.Context, s *directory.Snapshot, e *access.Evaluator, d *access.Decision, w *whatIf) (*comparison, error) {
	if w.compare != "graph" {
		text, err := os.ReadFile(w.compare)
		if err != nil {
			return nil, err
		}
		answer, err := directory.DecodeEvaluation(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.compare, err)
		}
		return &comparison{Comparison: whatif.Compare(d, answer)}, nil
	}
	q, err := whatif.Ask(s, d.SignIn)
	if err != nil {
		return nil, usagef("--compare graph: %w", err)
	}
	c, _, err := a.loadConfig(w.config)
	if err != nil {
		return nil, err
	}
	name := w.tenant
	if name == "" {
		name = tenantOf(c, s.Contents().Tenant)
	}
	t, err := oneTenant(c, name)
	if err != nil {
		return nil, err
	}
	if have := s.Contents().Tenant; have != "" && !strings.EqualFold(have, t.ID) {
		return nil, hint(usagef("the snapshot is of tenant %s, and %s is %s", have, t.Name, t.ID), "Graph would be asked about another tenant's policies: --tenant names the right one")
	}
	client, err := daemon.Graph(t)
	if err != nil {
		return nil, err
	}
	text, err := graph.Evaluate(ctx, client, q.Body)
	if err != nil {
		return nil, fmt.Errorf("What If evaluation of %s: %w", t.Name, err)
	}
	answer, err := directory.DecodeEvaluation(text)
	if err != nil {
		return nil, fmt.Errorf("What If evaluation of %s: %w", t.Name, err)
	}
	return &comparison{whatif.Compare(e.Evaluate(q.Asked), answer), q.Body, q.Unsaid}, nil
}

// tenantOf gives the name of the tenant with an id, or "".
func tenantOf(c *config.Config, id string) string {
	for _, t := range c.Each {
		if id != "" && strings.EqualFold(t.ID, id) {
			return t.Name
		}
	}
	return ""
}

// printComparison tells what the two do not say alike, or all. The order in which Microsoft
// looks at conditions is not documented: its one reason must be among ours.
func (a *app) printComparison(c *comparison, all bool) {
	for _, u := range c.Unsaid {
		a.say("Graph was not asked: %s", line(u))
	}
	for _, r := range c.Rows {
		if r.Match != whatif.Same || all {
			fmt.Fprintf(a.Stdout, "%s: %s: %s\n", r.Match, line(r.Name), line(r.String()))
		}
	}
	a.say("%s the same as Graph, %d differ, %d for other reasons, %d cannot be compared", counted(c.Count(whatif.Same), "policy is", "policies are"), c.Count(whatif.Differs), c.Count(whatif.Otherwise), c.Count(whatif.Incomparable))
}
