package cli

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"glassward/access"
	"glassward/access/filter"
	"glassward/directory"
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
With --compare FILE the answer is held against that of Graph's What If evaluation
(POST /identity/conditionalAccess/evaluate, appliedPoliciesOnly false) in FILE; exit code 1 if
they differ.`,
		Example: `  glassward whatif contoso.zip --user ea-01@contoso.onmicrosoft.com --resource azure-portal \
    --client browser --platform windows --address 198.51.100.7 --country NO --device unregistered`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, list []string) error { return a.whatIf(list[0], &w) },
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
	f.StringVar(&w.compare, "compare", "", "Graph's answer to the same question, as a file of JSON")
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
}

func (a *app) whatIf(name string, w *whatIf) error {
	in, err := w.signIn()
	if err != nil {
		return err
	}
	s, err := directory.Open(name, directory.Limits{})
	if err != nil {
		return err
	}
	a.snapshotProblems(s)
	d := access.NewEvaluator(s).Evaluate(in)
	if w.format == "json" {
		answer := struct {
			In       truth.Value    `json:"in"`
			Gates    []access.Gate  `json:"gates"`
			Policies []policyAnswer `json:"policies"`
		}{In: d.In, Gates: d.Gates, Policies: []policyAnswer{}}
		for i := range d.Results {
			r := &d.Results[i]
			answer.Policies = append(answer.Policies, policyAnswer{r.Policy.ID, r.Policy.DisplayName, r.Policy.State, r.Applies, r.Reasons(), r.Clauses, r.Controls, r.Satisfied, r.Unknowns()})
		}
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(answer); err != nil {
			return err
		}
	} else {
		a.printDecision(d, w.all)
	}
	if w.compare != "" {
		return a.compareWhatIf(d, w.compare)
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
		if ok && r.State != directory.Read {
			a.say("%s is %s: %s", p, r.State, line(r.Why()))
		}
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

// compareWhatIf holds a decision against Graph's answer. The order in which Microsoft
// looks at conditions is not documented: its one reason must be among ours.
func (a *app) compareWhatIf(d *access.Decision, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var graph struct {
		Value []struct {
			ID              string `json:"id"`
			PolicyApplies   *bool  `json:"policyApplies"`
			AnalysisReasons string `json:"analysisReasons"`
		} `json:"value"`
	}
	if err := json.Unmarshal(text, &graph); err != nil {
		return fmt.Errorf("%s: no answer of a What If evaluation: %w", file, err)
	}
	theirs := map[string]int{}
	for i, v := range graph.Value {
		theirs[strings.ToLower(v.ID)] = i + 1
	}
	differ, same, open := 0, 0, 0
	for i := range d.Results {
		r := &d.Results[i]
		at := theirs[r.Policy.ID]
		delete(theirs, r.Policy.ID)
		if at == 0 || graph.Value[at-1].PolicyApplies == nil {
			a.say("Graph says nothing of %s", line(policyName(r.Policy)))
			open++
			continue
		}
		v := graph.Value[at-1]
		switch {
		case r.Applies == truth.Unknown:
			open++
		case (r.Applies == truth.True) != *v.PolicyApplies:
			differ++
			fmt.Fprintf(a.Stdout, "differs: %s applies %v here, and %v by Graph (%s)\n", line(policyName(r.Policy)), r.Applies, *v.PolicyApplies, line(v.AnalysisReasons))
		default:
			same++
			if !*v.PolicyApplies && !slices.ContainsFunc(r.Reasons(), func(x access.Reason) bool { return strings.Contains(v.AnalysisReasons, string(x)) }) {
				a.say("%s does not apply for both: here for %v, by Graph for %s", line(policyName(r.Policy)), r.Reasons(), line(v.AnalysisReasons))
			}
		}
	}
	for id := range theirs {
		a.say("Graph answers for %s, which the snapshot does not hold", line(id))
		open++
	}
	a.say("%s the same as Graph, %d differ, %d cannot be compared", counted(same, "policy is", "policies are"), differ, open)
	if differ > 0 {
		return errSilent
	}
	return nil
}
