package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"glassward/access"
	"glassward/directory"
)

// exitWorse is the exit code of a proposal after which an account gets in less.
const exitWorse = 2

// errWorse ends with exitWorse when everything has been said.
var errWorse = errors.New("")

type reach struct {
	accounts, applications []string
	config, format         string
	with                   []string
	noChanges              bool
}

func (a *app) reachCommand() *cobra.Command {
	var r reach
	cmd := &cobra.Command{
		Use:   "reach SNAPSHOT",
		Short: "Prove that the emergency accounts get in: open, conditional, locked or unknown, with witnesses",
		Long: `Gives a verdict on each emergency account, over every sign-in of an emergency at once: any
address and country, any platform, browser or desktop client, any risk, a device that nobody
knows, to the portals and tools with which a tenant is repaired. Of the account's methods
those count that work with what lies in a safe: keys, and no telephone.

  open         it gets in from everywhere
  conditional  it gets in under conditions only, which are told
  locked       it gets in from nowhere
  unknown      what was read does not decide it; the bounds are told

Every refusal has a witness, a sign-in that whatif can judge. "One change from worse" lists
every single edit after which the verdict would be worse. The accounts are those of --account, or
of the configuration for the snapshot's tenant.

With --with FILE or FOLDER, Conditional Access policies are judged as if they were enabled: exit
code 2 if an account gets in less, 0 if none does, 1 if it could not be judged.`,
		Example: `  glassward reach contoso.zip --account 7c1f8a2e-… --account 9e2b6c40-…
  glassward reach contoso.zip --with proposed.json`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.reach(list[0], &r, cmd.Flags().Changed("config"))
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&r.accounts, "account", nil, "object id or user principal name of an emergency account (repeatable)")
	f.StringArrayVar(&r.applications, "service-principal", nil, "object id of a service principal that is kept for emergencies (repeatable)")
	f.StringVar(&r.config, "config", "glassward.yaml", "configuration that declares the accounts")
	f.StringArrayVar(&r.with, "with", nil, "policy or folder of policies to judge before they are enabled (repeatable)")
	f.BoolVar(&r.noChanges, "no-changes", false, "do not look for single changes that would make it worse")
	outputFlag(cmd, &r.format, "text", "json")
	return cmd
}

// refused is a failure as it is written.
type refused struct {
	By      string         `json:"by"`
	Policy  string         `json:"policyId,omitempty"`
	Certain bool           `json:"certain"`
	Where   string         `json:"where"`
	Why     string         `json:"why"`
	Witness map[string]any `json:"witness"`
	Hidden  []string       `json:"hiddenByV1,omitempty"`
}

// accountAnswer is the verdict on one account as it is written.
type accountAnswer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	access.Outcome
	Before      *access.Outcome        `json:"before,omitempty"`
	Applying    []string               `json:"applyingPolicies"`
	Maybe       []string               `json:"policiesThatMayApply,omitempty"`
	Refusals    []refused              `json:"refusals,omitempty"`
	Ways        [][]access.Restriction `json:"getsInIf,omitempty"`
	Changes     []access.Change        `json:"oneChangeFromWorse,omitempty"`
	worse       bool
	application bool
}

type administrators struct {
	All      int      `json:"all"`
	Complete bool     `json:"complete"`
	Open     int      `json:"open"`
	Some     int      `json:"conditional"`
	Locked   int      `json:"locked"`
	Unknown  int      `json:"unknown"`
	CouldNot []string `json:"lockedOut,omitempty"`
}

type reachAnswer struct {
	Tenant    string          `json:"tenant,omitempty"`
	Taken     string          `json:"taken,omitempty"`
	Policies  int             `json:"policies"`
	Cells     int             `json:"signInsToldApart"`
	Addresses int             `json:"classesOfAddresses"`
	Countries int             `json:"classesOfCountries"`
	Accounts  []accountAnswer `json:"accounts"`
	Open      int             `json:"open"`
	Admins    administrators  `json:"globalAdministrators"`
}

func (a *app) reach(name string, r *reach, chosen bool) error {
	s, err := directory.Open(name, directory.Limits{})
	if err != nil {
		return err
	}
	if len(r.accounts)+len(r.applications) == 0 {
		if err := a.declared(s, r, chosen); err != nil {
			return err
		}
	}
	a.snapshotProblems(s)
	proposed, err := a.proposed(r.with)
	if err != nil {
		return err
	}
	before := access.NewJudge(s)
	j := before
	if len(proposed) > 0 {
		s = access.Propose(s, proposed)
		j = access.NewJudge(s)
	}
	c := s.Contents()
	answer := reachAnswer{Tenant: c.Tenant, Policies: len(s.Policies()), Accounts: []accountAnswer{}}
	if !c.Taken.IsZero() {
		answer.Taken = stamp(c.Taken)
	}
	answer.Cells, answer.Addresses, answer.Countries = j.Cells()
	worse := 0
	for i, id := range slices.Concat(r.accounts, r.applications) {
		judge := (*access.Judge).Emergency
		if i >= len(r.accounts) {
			judge = (*access.Judge).Application
		}
		x := judge(j, id)
		one := accountAnswer{ID: x.Subject.ID, Name: x.Subject.Name(), Outcome: x.Outcome, Applying: []string{}, Ways: x.Ways, application: i >= len(r.accounts)}
		for _, p := range x.Applying {
			one.Applying = append(one.Applying, policyName(p))
		}
		for _, p := range x.Maybe {
			one.Maybe = append(one.Maybe, policyName(p))
		}
		for _, f := range x.Failures {
			id, hidden := "", []string(nil)
			if f.Policy != nil {
				id, hidden = f.Policy.ID, f.Policy.Hidden
			}
			one.Refusals = append(one.Refusals, refused{f.Name(), id, f.Certain, f.Where, f.Why, witness(f.Witness), hidden})
		}
		if len(proposed) > 0 {
			was := judge(before, id).Outcome
			one.Before = &was
			if one.worse = x.Worse(was); one.worse {
				worse++
			}
		} else if !r.noChanges {
			one.Changes = j.Changes(x)
		}
		if x.Verdict == access.Open {
			answer.Open++
		}
		answer.Accounts = append(answer.Accounts, one)
	}
	answer.Admins = admins(s, j)
	if r.format == "json" {
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(answer); err != nil {
			return err
		}
	} else if err := a.printReach(&answer, c.Name, len(proposed)); err != nil {
		return err
	}
	if worse > 0 {
		a.say("%s in less than before", counted(worse, "account gets", "accounts get"))
		return errWorse
	}
	return nil
}

// declared takes the accounts from the configuration: those of the snapshot's tenant.
func (a *app) declared(s *directory.Snapshot, r *reach, chosen bool) error {
	none := func() error {
		return hint(usagef("no emergency account is named"), "--account OBJECT-ID names one, or --config a configuration that declares them")
	}
	if _, err := os.Stat(r.config); err != nil && !chosen {
		return none()
	}
	c, _, err := a.loadConfig(r.config)
	if err != nil {
		return err
	}
	tenant := s.Contents().Tenant
	for i := range c.Each {
		t := &c.Each[i]
		if tenant != "" && !strings.EqualFold(t.ID, tenant) || tenant == "" && len(c.Each) > 1 {
			continue
		}
		for _, e := range t.EmergencyAccounts {
			switch e.Kind {
			case "", "user":
				r.accounts = append(r.accounts, strings.ToLower(e.ObjectID))
			case "servicePrincipal":
				r.applications = append(r.applications, strings.ToLower(e.ObjectID))
			}
		}
	}
	if len(r.accounts)+len(r.applications) == 0 {
		return none()
	}
	return nil
}

// proposed reads the policies of --with.
func (a *app) proposed(files []string) ([]*directory.Policy, error) {
	var list []*directory.Policy
	for _, file := range files {
		s, err := directory.Open(file, directory.Limits{})
		if err != nil {
			return nil, fmt.Errorf("--with: %w", err)
		}
		if r := s.Reading(directory.Policies, ""); r.State != directory.Read {
			return nil, fmt.Errorf("--with %s: not every policy could be read: %s", file, r.Why())
		}
		list = append(list, s.Policies()...)
	}
	return list, nil
}

// admins judges every Global Administrator that the snapshot tells.
func admins(s *directory.Snapshot, j *access.Judge) administrators {
	ids, complete := s.Holders(directory.GlobalAdministrator)
	x := administrators{All: len(ids), Complete: complete}
	for _, id := range ids {
		judged := j.Administrator(id)
		switch judged.Verdict {
		case access.Open:
			x.Open++
		case access.Conditional:
			x.Some++
		case access.Locked:
			x.Locked++
			x.CouldNot = append(x.CouldNot, judged.Subject.Name())
		default:
			x.Unknown++
		}
	}
	return x
}

// witness writes a sign-in with what is told of it, named as the flags of whatif.
func witness(in access.SignIn) map[string]any {
	m := map[string]any{"device": "unregistered"}
	put := func(name, v string) {
		if v != "" {
			m[name] = v
		}
	}
	put("user", in.User)
	put("service-principal", in.ServicePrincipal)
	if in.Resources != nil {
		m["resource"] = in.Resources
	}
	if in.UserAction != "" {
		m["action"] = "register-security-info"
	}
	put("client", in.ClientApp)
	put("platform", in.Platform)
	if in.Address.IsValid() {
		m["address"] = in.Address.String()
	}
	put("country", in.Country)
	m["mfa-trusted"] = map[bool]string{true: "yes", false: "no"}[in.MFATrusted > 0]
	m["compliant-network"] = "no"
	put("user-risk", in.UserRisk)
	put("sign-in-risk", in.SignInRisk)
	put("insider-risk", in.InsiderRisk)
	put("flow", in.Flow)
	return m
}

func (a *app) printReach(x *reachAnswer, name string, proposed int) error {
	say := func(format string, args ...any) { fmt.Fprintf(a.Stdout, format+"\n", args...) }
	if name == "" {
		name = x.Tenant
	}
	head := []string{}
	if name != "" {
		head = append(head, line(name))
	}
	if x.Taken != "" {
		head = append(head, "as of "+x.Taken)
	}
	head = append(head, counted(x.Policies, "policy", "policies"), fmt.Sprintf("%d sign-ins told apart", x.Cells))
	say("%s", strings.Join(head, ", "))
	if proposed > 0 {
		say("judged as if %s enabled", counted(proposed, "proposed policy were", "proposed policies were"))
	}
	say("")
	var rows [][]string
	for _, c := range x.Accounts {
		verdict := string(c.Verdict)
		if c.Worst != c.Best {
			verdict += fmt.Sprintf(" (%s to %s)", c.Worst, c.Best)
		}
		row := []string{line(c.Name), verdict, line(strings.Join(c.Applying, ", "))}
		if proposed > 0 {
			change := "as before"
			if c.worse {
				change = "WORSE: was " + string(c.Before.Verdict)
			} else if c.Outcome != *c.Before {
				change = "better: was " + string(c.Before.Verdict)
			}
			row = append(row, change)
		}
		rows = append(rows, row)
	}
	titles := []string{"account", "verdict", "policies that apply"}
	if proposed > 0 {
		titles = append(titles, "change")
	}
	if err := a.grid(titles, rows); err != nil {
		return err
	}
	say("")
	say("%d of %s open", x.Open, counted(len(x.Accounts), "account is", "accounts are"))
	for _, c := range x.Accounts {
		if len(c.Refusals)+len(c.Ways)+len(c.Changes) == 0 {
			continue
		}
		say("")
		say("%s", a.paint(bold, line(c.Name)))
		for _, f := range c.Refusals {
			verb := "refused by"
			if !f.Certain {
				verb = "may be refused by"
			}
			say("  %s %s: %s", verb, line(f.By), line(f.Where))
			if f.Why != "" {
				say("    %s", line(f.Why))
			}
			if len(f.Hidden) > 0 {
				say("    v1.0 hides %s", line(strings.Join(f.Hidden, ", ")))
			}
		}
		for _, w := range c.Ways {
			var words []string
			for _, r := range w {
				words = append(words, r.String())
			}
			say("  gets in with %s", line(strings.Join(words, "; ")))
		}
		if len(c.Changes) > 0 {
			say("  one change from worse:")
		}
		for _, ch := range c.Changes {
			say("    %-11s  %s", ch.After, line(ch.What))
		}
	}
	say("")
	if g := x.Admins; g.All == 0 && !g.Complete {
		say("who holds Global Administrator was not read")
	} else {
		more := ""
		if !g.Complete {
			more = ", and others that were not read"
		}
		say("%s%s: %d could sign in from anywhere, %d under conditions, %d from nowhere, %d unknown",
			counted(g.All, "Global Administrator", "Global Administrators"), more, g.Open, g.Some, g.Locked, g.Unknown)
	}
	return nil
}
