package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward"
	"glassward/console"
	"glassward/incident"
	"glassward/notify"
)

// place is where a command looks for the daemon and which workspace it means.
type place struct{ data, tenant string }

func (p *place) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.data, "data", "data", "data folder of the daemon")
	cmd.Flags().StringVar(&p.tenant, "tenant", "default", "tenant, by id or name; default where there is one alone, glassward for what concerns the installation")
}

func (p place) path(format string, args ...any) string {
	return "/v1/workspaces/" + seg(p.tenant) + fmt.Sprintf(format, args...)
}

func (a *app) incidentCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "incident", Short: "List, read, work on and close incidents"}
	cmd.AddCommand(a.incidentList(), a.incidentShow(), a.incidentGraph())
	for _, verb := range []string{"ack", "assign", "comment", "explain", "task", "close"} {
		cmd.AddCommand(a.incidentAct(verb))
	}
	return cmd
}

func (a *app) incidentList() *cobra.Command {
	var at place
	var status, format string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List incidents, newest first", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := need(at.data)
			if err != nil {
				return err
			}
			var answer struct{ Value []glassward.Incident }
			if err := c.call(cmd.Context(), "GET", at.path("/incidents?limit=%d&status=%s", limit, url.QueryEscape(status)), nil, &answer); err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(answer.Value)
			}
			if len(answer.Value) == 0 {
				a.say("no incidents")
				return nil
			}
			var rows [][]string
			for _, i := range answer.Value {
				rows = append(rows, []string{strconv.FormatInt(i.Number, 10), i.Severity.String(), string(i.Status), stamp(i.LastActivity), strconv.Itoa(len(i.Alerts)), line(i.Owner), clip(line(i.Title), 80)})
			}
			return a.grid([]string{"number", "severity", "status", "last activity", "alerts", "owner", "title"}, rows)
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&status, "status", "", "only New, Active or Closed")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at most")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

func (a *app) incidentShow() *cobra.Command {
	return incidentView(a, "show NUMBER", "Show an incident with its timeline, alerts and deliveries", "/incidents/%d", func(c console.Case) error {
		a.printCase(c)
		return nil
	})
}

func (a *app) incidentGraph() *cobra.Command {
	return incidentView(a, "graph NUMBER", "Show who did what to what in an incident, and which incidents share it", "/incidents/%d/graph", func(g incident.Graph) error {
		nodes := map[string]incident.Node{}
		for _, n := range g.Nodes {
			nodes[n.ID] = n
		}
		var rows [][]string
		for _, e := range g.Edges {
			from, to := nodes[e.From], nodes[e.To]
			rows = append(rows, []string{line(from.Kind + " " + from.Label), line(e.Kind), line(to.Kind + " " + to.Label), strconv.Itoa(len(e.Alerts))})
		}
		return a.grid([]string{"who", "does", "what", "alerts"}, rows)
	})
}

// incidentView is a command that shows what the API tells of one incident at a
// path, for people by print.
func incidentView[T any](a *app, use, short, path string, print func(T) error) *cobra.Command {
	var at place
	var format string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			number, err := incidentNumber(list[0])
			if err != nil {
				return err
			}
			c, err := need(at.data)
			if err != nil {
				return err
			}
			var found T
			if err := c.call(cmd.Context(), "GET", at.path(path, number), nil, &found); err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(found)
			}
			return print(found)
		},
	}
	at.flags(cmd)
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

func incidentNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(text, "#"), 10, 64)
	if err != nil || n < 1 {
		return 0, usagef("%q is no incident number; glassward incident list shows them", text)
	}
	return n, nil
}

// stamp writes a time as people compare it with their own notes.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// printCase writes an incident for a person.
func (a *app) printCase(c console.Case) {
	i := c.Incident
	out := func(format string, args ...any) { fmt.Fprintf(a.Stdout, format+"\n", args...) }
	tone := amber
	if i.Severity == glassward.High {
		tone = red
	}
	out("%s  %s", a.paint(bold, fmt.Sprintf("Incident %d", i.Number)), a.paint(tone, i.Severity.String()+", "+string(i.Status)))
	out("%s", line(i.Title))
	out("")
	out("  tenant          %s", line(i.Tenant))
	out("  activity        %s to %s", stamp(i.FirstActivity), stamp(i.LastActivity))
	if i.Owner != "" {
		out("  owner           %s", line(i.Owner))
	}
	if !i.Acknowledged.IsZero() {
		out("  acknowledged    %s", stamp(i.Acknowledged))
	}
	if i.Classification != "" {
		out("  closed          %s, %s %s", stamp(i.Closed), i.Classification, i.Reason)
	}
	for _, e := range i.Entities {
		var ids []string
		for _, k := range []string{"Name", "UPNSuffix", "AadUserId", "Address", "AppId"} {
			if v := e.Identifiers[k]; v != "" {
				ids = append(ids, k+" "+line(v))
			}
		}
		out("  %-15s %s", line(e.Type), strings.Join(ids, ", "))
	}
	if i.MergedInto != 0 {
		out("  goes on in      incident %d", i.MergedInto)
	}
	if !i.Explained.IsZero() {
		out("  explained       %s (%s); closes by itself after a quiet day", stamp(i.Explained), line(i.ExplainedBy))
	}
	if len(i.Tasks) > 0 {
		out("")
		out("%s", a.paint(bold, "To do"))
		for _, t := range i.Tasks {
			out("%s", taskLine(t))
		}
	}
	out("")
	out("%s", a.paint(bold, "Timeline"))
	for _, t := range i.Timeline {
		who := ""
		if t.Actor != "" {
			who = " (" + line(t.Actor) + ")"
		}
		out("  %s  %-12s %s%s", stamp(t.Time), line(t.Kind), line(t.Text), who)
	}
	if len(c.Alerts) > 0 {
		out("")
		out("%s", a.paint(bold, "Alerts"))
		for _, al := range c.Alerts {
			note := ""
			if al.Late {
				note += ", late"
			}
			if al.Unconfirmed {
				note += ", not confirmed by later data"
			}
			out("  %s  %-6s %s%s", stamp(al.Start), al.Severity, line(al.Title), note)
			out("    rule %s %s; received %s, judged %s; %s", line(al.RuleName), line(al.RuleVersion), stamp(al.Received), stamp(al.Judged), counted(len(al.Rows), "row", "rows"))
			for _, f := range notify.Around(al) {
				out("    %s: %s", strings.ToLower(f.Label), line(f.Value))
			}
		}
	}
	if len(c.Deliveries) > 0 {
		out("")
		out("%s", a.paint(bold, "Told"))
		for _, d := range c.Deliveries {
			out("  %-24s %-9s %s %s", line(d.Receiver), d.Status, stamp(d.Settled), line(d.Answer))
		}
	}
}

func (a *app) incidentAct(verb string) *cobra.Command {
	var at place
	var act console.Action
	var classification string
	use := map[string]struct{ short, kind, more string }{
		"ack":     {"Acknowledge an incident: somebody has taken it up", "acknowledge", ""},
		"assign":  {"Give an incident an owner", "assign", ""},
		"comment": {"Add a comment to an incident", "comment", ""},
		"explain": {"Explain failures: the incident closes by itself after a quiet day", "explain", ""},
		"task":    {"Say that a task of an incident is done, or with --reopen that it is not", "task", " TASK"},
		"close":   {"Close an incident with its classification", "close", ""},
	}[verb]
	n := 1 + len(strings.Fields(use.more))
	cmd := &cobra.Command{
		Use: verb + " NUMBER" + use.more, Short: use.short, Args: args(cobra.ExactArgs(n)),
		RunE: func(cmd *cobra.Command, list []string) error {
			number, err := incidentNumber(list[0])
			if err != nil {
				return err
			}
			if n > 1 {
				if act.Task, err = strconv.Atoi(list[1]); err != nil || act.Task < 1 {
					return usagef("%q is no number of a task; glassward incident show %d lists them", list[1], number)
				}
			}
			if act.By == "" {
				return usagef("--by is needed: the name of the person who acts")
			}
			act.Classification = glassward.Classification(classification)
			c, err := need(at.data)
			if err != nil {
				return err
			}
			var changed glassward.Incident
			if err := c.call(cmd.Context(), "POST", at.path("/incidents/%d/%s", number, use.kind), act, &changed); err != nil {
				return err
			}
			fmt.Fprintf(a.Stdout, "incident %d is %s\n", changed.Number, changed.Status)
			for _, t := range changed.Tasks {
				if verb == "task" && t.Number == act.Task {
					fmt.Fprintln(a.Stdout, taskLine(t))
				}
			}
			return nil
		},
	}
	at.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&act.By, "by", "", "who acts")
	switch verb {
	case "ack":
		f.StringVar(&act.Reason, "reason", "", "why, or what is being done")
		f.BoolVar(&act.Storm, "storm", false, "take up every incident that a storm's notice or a digest about it named")
	case "assign":
		f.StringVar(&act.Owner, "to", "", "the owner; nobody if it is empty")
	case "comment":
		f.StringVar(&act.Comment, "text", "", "the comment")
	case "explain":
		f.StringVar(&act.Reason, "reason", "", "why the failures are harmless")
	case "task":
		f.StringVar(&act.Comment, "note", "", "how it was done, or why it is not")
		f.BoolVar(&act.Reopen, "reopen", false, "the task is not done after all")
	default:
		f.StringVar(&classification, "classification", "", "TruePositive, BenignPositive, FalsePositive or Undetermined")
		f.StringVar(&act.ClassificationReason, "reason", "", "SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic or InaccurateData")
		f.StringVar(&act.Comment, "comment", "", "what was found")
	}
	return cmd
}

// taskLine writes a task for a person.
func taskLine(t glassward.Task) string {
	s := fmt.Sprintf("  %d  open  %s", t.Number, line(t.Text))
	if !t.Done.IsZero() {
		s = fmt.Sprintf("  %d  done  %s, %s (%s)", t.Number, line(t.Text), stamp(t.Done), line(t.By))
	}
	if t.Note != "" {
		s += ": " + line(t.Note)
	}
	return s
}
