package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"glassward/directory"
	"glassward/posture"
	"glassward/posture/report"
)

type assess struct {
	accounts                    []string
	config, declaration, format string
	failOn                      string
}

func (a *app) assessCommand() *cobra.Command {
	var x assess
	cmd := &cobra.Command{
		Use:   "assess SNAPSHOT",
		Short: "Check how the emergency accounts are set up: accounts, roles, their group and unit, methods, Conditional Access, alarms",
		Long: `Judges a snapshot of the directory by checks of the emergency accounts: the accounts
themselves (ACC), their roles (ROL), their group (GRP), the restricted unit (RMU),
authentication methods (AUTH), Conditional Access (CA), licences (LIC), what watches them
(MON), a break-glass application (SP) and how they are kept and tried (PRO). reach proves
the verdict on each account. Alert rules are tried on made-up records: whether one fires for
every sign-in of every account.

It opens with the class of the tenant, as far as what was read shows:

  none         there are not two accounts that could be used
  untested     there are, and one has not signed in for too long
  unmonitored  they are exercised, and no alert rule fires for each of them
  proven       exercised and watched

What was not read is unknown, with the permission that would have read it, and never a
pass. The accounts are those of --account, of the declaration, or of the configuration for
the snapshot's tenant. --declaration is a YAML file of what else the tenant means to be so:

  design: dedicated-policies      or excluded-from-all
  targeting: group                or direct: policies name the accounts themselves
  group: OBJECT-ID                the accounts' group
  unit: OBJECT-ID                 the restricted unit; if none is named, those that hold an account
  unlockers: [OBJECT-ID]          who may be eligible for a role over the unit
  policies: [ID]                  the accounts' own policies
  strength: ID                    and their authentication strength
  models: [AAGUID]                approved models of keys
  otherGroups: [OBJECT-ID]        groups that the accounts are meant to be in
  recovery: [TEXT]                ways back that need none of the accounts
  proof: DIGEST                   what CA-26 told when it was last proven that they get in
  applications: [ID]              break-glass applications
  watchers: [{name: Glassward, road: graph}]
  drills: [{account: OBJECT-ID, date: 2026-05-01, steps: [signIn, action, log, alert, acknowledged]}]
  uses: [{account: OBJECT-ID, date: 2026-05-01, kind: drill}]
  keys: [{account: OBJECT-ID, serial: "1", site: A, pinSite: B, sealed: true, pinOffline: true}]
  runbook: {printed: 2026-05-01, sha256: HEX, holds: [objectIds, userPrincipalNames, tenantId, portals, support]}
  custodiansReviewed: 2026-05-01
  classicPoliciesReviewed: 2026-05-01
  workstation: NAME               kept for the accounts, and not needed by them
  norms: {drillDays: 180}         limits, by the names that -o json gives
  exceptions:
    - {check: ACC-13, object: OBJECT-ID, owner: Nora, reason: mail is forwarded, until: 2026-12-31}

With --fail-on, the exit code is 2 if a check of that severity or a worse one fails and no
exception accepts it, 1 if none fails and one of them is unknown, and 0 otherwise.

-o json, markdown and html also say of each account whether it gets in; html is one page to
keep and to hand on, which loads nothing and can be filtered. junit and sarif are
what a build pipeline or code scanning takes: JUnit shows what is unknown as an error and a
warning as skipped, SARIF shows what is unknown as open.`,
		Example: `  glassward assess contoso.zip --declaration contoso.yaml
  glassward assess contoso.zip --account 7c1f8a2e-… --account 9e2b6c40-… --fail-on critical
  glassward assess contoso.zip --declaration contoso.yaml -o sarif > glassward.sarif`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.assess(list[0], &x, cmd.Flags().Changed("config"))
		},
	}
	x.flags(cmd)
	choiceFlag(cmd, &x.failOn, "fail-on", "", "worst severity that may fail: ", "none", "critical", "high", "medium", "low", "informational")
	outputFlag(cmd, &x.format, "text", "json", "markdown", "html", "junit", "sarif")
	cmd.AddCommand(a.assessDiffCommand())
	return cmd
}

// flags adds those by which a tenant declares its accounts.
func (x *assess) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&x.accounts, "account", nil, "object id of an emergency account (repeatable)")
	f.StringVar(&x.declaration, "declaration", "", "YAML file of what the tenant declares")
	f.StringVar(&x.config, "config", "glassward.yaml", "configuration that declares the accounts")
}

// forms are the written reports by the word of -o.
var forms = map[string]func(io.Writer, *report.Document) error{
	"json": func(w io.Writer, d *report.Document) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(d)
	},
	"markdown": report.Markdown,
	"html":     report.HTML,
	"junit":    report.JUnit,
	"sarif":    report.SARIF,
}

func (a *app) assess(name string, x *assess, chosen bool) error {
	s, err := a.openSnapshot(name)
	if err != nil {
		return err
	}
	o, err := a.postureOptions(s, x, chosen)
	if err != nil {
		return err
	}
	a.snapshotProblems(s)
	r, err := posture.Assess(s, o)
	if err != nil {
		return usagef("%w", err)
	}
	if write := forms[x.format]; write != nil {
		d := report.New(s, o, r)
		d.Program, d.Source = version, filepath.Base(name)
		err = write(a.Stdout, d)
	} else {
		err = a.printReport(r)
	}
	if err != nil {
		return err
	}
	return a.failing(r, posture.Severity(x.failOn))
}

// openSnapshot reads a snapshot, and shows how far it is where a person waits for it.
func (a *app) openSnapshot(name string) (*directory.Snapshot, error) {
	progress, done := a.reading(filepath.Base(name))
	defer done()
	return directory.Open(name, directory.Limits{Progress: progress})
}

// postureOptions gives what the tenant of a snapshot declares: by the declaration, the
// flags, or else the accounts of the configuration.
func (a *app) postureOptions(s *directory.Snapshot, x *assess, chosen bool) (posture.Options, error) {
	var o posture.Options
	if x.declaration != "" {
		text, err := os.ReadFile(x.declaration)
		if err != nil {
			return o, err
		}
		if o, err = posture.ParseDeclaration(text); err != nil {
			return o, fmt.Errorf("%s: %w", x.declaration, err)
		}
	}
	if len(x.accounts) > 0 {
		o.Accounts = nil
		for _, id := range x.accounts {
			o.Accounts = append(o.Accounts, posture.Account{ID: id})
		}
	}
	if len(o.Accounts) == 0 {
		var r reach
		r.config = x.config
		if err := a.declared(s, &r, chosen); err != nil {
			return o, err
		}
		for _, id := range r.accounts {
			o.Accounts = append(o.Accounts, posture.Account{ID: id})
		}
		if len(o.Applications) == 0 {
			o.Applications = r.applications
		}
	}
	return o, nil
}

// failing ends as --fail-on asks.
func (a *app) failing(r *posture.Report, limit posture.Severity) error {
	if limit.Rank() < 0 {
		return nil
	}
	failed, unknown := 0, 0
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Check.Severity.Rank() > limit.Rank() {
			continue
		}
		switch {
		case f.Result == posture.Fail && f.Open():
			failed++
		case f.Result == posture.Unknown:
			unknown++
		}
	}
	switch {
	case failed > 0:
		a.say("%s of severity %s or worse", counted(failed, "check fails", "checks fail"), limit)
		return errWorse
	case unknown > 0:
		a.say("%s of severity %s or worse could not be judged", counted(unknown, "check", "checks"), limit)
		return errSilent
	}
	return nil
}

func (a *app) printReport(r *posture.Report) error {
	say := func(format string, args ...any) { fmt.Fprintf(a.Stdout, format+"\n", args...) }
	var head []string
	for _, s := range []string{r.Name, r.Tenant} {
		if s != "" {
			head = append(head, line(s))
			break
		}
	}
	if !r.Taken.IsZero() {
		head = append(head, "as of "+stamp(r.Taken))
	}
	head = append(head, counted(len(r.Findings), "check", "checks"))
	say("%s", strings.Join(head, ", "))
	say("%s: %s", a.paint(bold, "maturity "+string(r.Maturity)), line(r.MaturityReason))
	var sums []string
	for _, result := range []posture.Result{posture.Pass, posture.Fail, posture.Warn, posture.Unknown, posture.NotApplicable} {
		if n := r.Count(result); n > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", n, result))
		}
	}
	say("%s", strings.Join(sums, ", "))
	say("")
	var rows [][]string
	for i := range r.Findings {
		f := &r.Findings[i]
		result := string(f.Result)
		if f.Accepted != nil {
			result += " (accepted)"
		}
		rows = append(rows, []string{f.Check.ID, string(f.Check.Severity), result, f.Check.Title})
	}
	if err := a.grid([]string{"check", "severity", "result", "title"}, rows); err != nil {
		return err
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Result == posture.Pass || f.Result == posture.NotApplicable {
			continue
		}
		say("")
		say("%s", a.paint(bold, fmt.Sprintf("%s %s: %s", f.Check.ID, f.Check.Title, f.Result)))
		if f.Reason != "" {
			say("  %s", line(f.Reason))
		}
		for _, s := range f.Seen {
			// The reason of what is unknown is often the first thing seen.
			if s.Result == posture.Pass || s.String() == f.Reason {
				continue
			}
			say("  %s", line(s.String()))
		}
		if e := f.Accepted; e != nil {
			say("  accepted by %s until %s: %s", line(e.Owner), e.Until.Format("2006-01-02"), line(e.Reason))
		}
		for _, e := range f.Lapsed {
			say("  the exception of %s ended on %s", line(e.Owner), e.Until.Format("2006-01-02"))
		}
		if f.Result == posture.Unknown {
			continue
		}
		say("  why     %s", f.Check.Why)
		say("  portal  %s", f.Check.Portal)
		say("  Graph   %s", f.Check.Graph)
		say("  source  %s", strings.Join(slices.Concat(f.Check.Sources, f.Check.Norms), "; "))
	}
	return nil
}
