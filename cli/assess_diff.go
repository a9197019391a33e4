package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"glassward/posture"
	"glassward/posture/drift"
)

func (a *app) assessDiffCommand() *cobra.Command {
	var x assess
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell what became of emergency access between two snapshots, and who could have changed it",
		Long: `Judges two snapshots of one tenant by what it declares and tells what is otherwise: whether
the accounts still get in, which checks came to something worse or better, what differs of
that which protects the accounts (they themselves, their groups and units, the groups that
policies name, policies and what policies stand on, methods, roles, what watches them), and
who could have changed it: holders of roles whose permissions allow it, also through groups,
who may activate one, applications with the permission, owners of groups. Who did it is in
the audit log.

What was not read in one of the snapshots is not compared, and told.

With --fail-on, the exit code is 2 if a check of that severity or a worse one came to
something worse and no exception accepts it, or an account gets in less; 1 if none did and
of one of them it is unclear; and 0 otherwise.`,
		Example: `  glassward assess diff monday.zip friday.zip --declaration contoso.yaml --fail-on high`,
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.assessDiff(list[0], list[1], &x, cmd.Flags().Changed("config"))
		},
	}
	x.flags(cmd)
	choiceFlag(cmd, &x.failOn, "fail-on", "", "worst severity that may get worse: ", "none", "critical", "high", "medium", "low", "informational")
	outputFlag(cmd, &x.format, "text", "json")
	return cmd
}

func (a *app) assessDiff(old, new string, x *assess, chosen bool) error {
	before, err := a.openSnapshot(old)
	if err != nil {
		return err
	}
	after, err := a.openSnapshot(new)
	if err != nil {
		return err
	}
	o, err := a.postureOptions(after, x, chosen)
	if err != nil {
		return err
	}
	a.snapshotProblems(after)
	d, err := drift.Compare(before, after, o)
	if err != nil {
		return usagef("%w", err)
	}
	if x.format == "json" {
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		err = e.Encode(d)
	} else {
		err = a.printDrift(d)
	}
	if err != nil {
		return err
	}
	return a.drifting(d, posture.Severity(x.failOn))
}

// drifting ends as --fail-on asks. An account that gets in less is critical.
func (a *app) drifting(d *drift.Drift, limit posture.Severity) error {
	if limit.Rank() < 0 {
		return nil
	}
	worse, unclear := 0, 0
	count := func(way drift.Direction) {
		switch way {
		case drift.Worse:
			worse++
		case drift.Unclear:
			unclear++
		}
	}
	for _, s := range d.Access {
		count(s.Direction)
	}
	for _, s := range d.Checks {
		if s.Check.Severity.Rank() <= limit.Rank() && !s.Accepted {
			count(s.Direction)
		}
	}
	switch {
	case worse > 0:
		a.say("%s of severity %s or worse", counted(worse, "thing got worse", "things got worse"), limit)
		return errWorse
	case unclear > 0:
		a.say("of %s of severity %s or worse it is unclear", counted(unclear, "thing", "things"), limit)
		return errSilent
	}
	return nil
}

func (a *app) printDrift(d *drift.Drift) error {
	say := func(format string, args ...any) { fmt.Fprintf(a.Stdout, format+"\n", args...) }
	var head []string
	for _, s := range []string{d.Name, d.Tenant} {
		if s != "" {
			head = append(head, line(s))
			break
		}
	}
	if !d.Before.IsZero() && !d.After.IsZero() {
		head = append(head, stamp(d.Before)+" to "+stamp(d.After))
	}
	if len(head) > 0 {
		say("%s", strings.Join(head, ", "))
	}
	if d.Maturity == d.WasMaturity {
		say("maturity %s, as before", d.Maturity)
	} else {
		say("%s, was %s", a.paint(bold, "maturity "+string(d.Maturity)), d.WasMaturity)
	}
	if len(d.Access)+len(d.Checks)+len(d.Changes) == 0 {
		say("nothing that protects the accounts differs")
	}
	for _, s := range d.Access {
		say("")
		say("%s", a.paint(bold, fmt.Sprintf("%s %s: %s, was %s", line(s.Name), s.Direction, s.After.Verdict, s.Before.Verdict)))
	}
	if len(d.Checks) > 0 {
		say("")
		var rows [][]string
		for _, s := range d.Checks {
			was, is := string(s.Before), string(s.After)
			if s.Accepted {
				is += " (accepted)"
			}
			rows = append(rows, []string{s.Check.ID, string(s.Check.Severity), string(s.Direction), was + " -> " + is, s.Check.Title})
		}
		if err := a.grid([]string{"check", "severity", "went", "result", "title"}, rows); err != nil {
			return err
		}
		for _, s := range d.Checks {
			// What was not read is told once, below.
			if s.Reason != "" && !slices.ContainsFunc(d.NotCompared, func(u drift.NotCompared) bool { return strings.Contains(s.Reason, string(u.Part)+" ") }) {
				say("  %s unknown: %s", s.Check.ID, line(s.Reason))
			}
			for _, x := range s.New {
				say("  %s new:  %s", s.Check.ID, line(x.String()))
			}
			for _, x := range s.Gone {
				say("  %s gone: %s", s.Check.ID, line(x.String()))
			}
		}
	}
	for _, c := range d.Changes {
		say("")
		say("%s", a.paint(bold, changeLine(&c)))
		for _, at := range []struct {
			word string
			json json.RawMessage
		}{{"was", c.Before}, {"is", c.After}} {
			if len(at.json) > 0 {
				say("  %-4s %s", at.word, clip(line(string(at.json)), 400))
			} else {
				say("  %-4s nothing", at.word)
			}
		}
		a.printHands(&c)
	}
	if d.Others > 0 || len(d.NotCompared) > 0 {
		say("")
	}
	if d.Others > 0 {
		say("%s not about what protects the accounts", counted(d.Others, "other difference is", "other differences are"))
	}
	objects := 0
	for _, u := range d.NotCompared {
		if u.Object != "" {
			objects++
			continue
		}
		say("not compared: %s: %s", u.Part, line(u.Why))
	}
	if objects > 0 {
		say("not compared: parts of %s, which -o json names", counted(objects, "object", "objects"))
	}
	return nil
}

func changeLine(c *drift.Change) string {
	name := c.ID
	if c.Name != "" {
		name = c.Name
	}
	text := c.Kind + " " + name
	switch {
	case c.Property != "":
		text += " " + c.Property
	case len(c.Before) == 0:
		text += " came"
	default:
		text += " went"
	}
	if c.Element != "" {
		text += " [" + c.Element + "]"
	}
	return line(text)
}

// printHands tells who could have done it, those of one way on one line.
func (a *app) printHands(c *drift.Change) {
	say := func(format string, args ...any) { fmt.Fprintf(a.Stdout, format+"\n", args...) }
	var ways []string
	who := map[string][]string{}
	for _, h := range c.Hands {
		if who[h.How] == nil {
			ways = append(ways, h.How)
		}
		name := h.Name
		if h.When != "" {
			name += " (" + h.When + ")"
		}
		who[h.How] = append(who[h.How], name)
	}
	for _, way := range ways {
		say("  could be %s: %s", line(way), line(strings.Join(who[way], ", ")))
	}
	if len(ways) == 0 && len(c.NotRead) == 0 {
		say("  could be nobody whom the snapshots show")
	}
	if len(c.NotRead) > 0 {
		var parts []string
		for _, p := range c.NotRead {
			parts = append(parts, string(p))
		}
		say("  and others: %s were not read whole", strings.Join(parts, ", "))
	}
}
