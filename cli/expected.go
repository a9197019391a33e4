package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward"
	"glassward/config"
	"glassward/console"
)

func (a *app) expectedCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "expected", Short: "Declare, list and withdraw expected events of emergency accounts"}
	cmd.AddCommand(a.expectedDeclare(), a.expectedList(), a.expectedWithdraw())
	return cmd
}

func (a *app) expectedDeclare() *cobra.Command {
	var at place
	var e glassward.Expectation
	var operations []string
	var from, length string
	cmd := &cobra.Command{
		Use: "declare ACCOUNT", Short: "Declare what will happen to an account; whoever is told of its alarms is told now",
		Long: `Declare what will happen to an emergency account: which operations, how often, from where, by whom and when.
What happens so is recorded and pages nobody. Everything else pages as ever, a second time of the same included,
and what has not come an hour after the end is an alarm. The tenant's action groups are told at once.`,
		Example: `  glassward expected declare EA-02 --operation sign-in --place 203.0.113.0/24 --for 1h --by nora --reason "quarterly drill"
  glassward expected declare EA-01 --operation "Remove member from restricted management administrative unit" \
    --operation "Add member to restricted management administrative unit" --actor OBJECT-ID --place NO --for 30m --by nora --reason rotation`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			e.Account = list[0]
			for _, o := range operations {
				name, times, many := strings.Cut(o, "*")
				n := 1
				if many {
					var err error
					if n, err = strconv.Atoi(times); err != nil || n < 1 {
						return usagef("--operation %q: write NAME, or NAME*TIMES", o)
					}
				}
				e.Operations = append(e.Operations, glassward.ExpectedOperation{Name: strings.TrimSpace(name), Times: n})
			}
			d, err := config.ParseDuration(length)
			if err != nil {
				return usagef("--for: %v", err)
			}
			begin := time.Now()
			if from != "" {
				if e.From, err = time.Parse(time.RFC3339, from); err != nil {
					return usagef("--from %q: write a time as 2026-03-14T10:00:00Z", from)
				}
				begin = e.From
			}
			e.Until = begin.Add(d).UTC().Truncate(time.Second)
			c, err := need(at.data)
			if err != nil {
				return err
			}
			var made glassward.Expectation
			if err := c.call(cmd.Context(), "POST", at.path("/expected"), e, &made); err != nil {
				return err
			}
			a.say("declared for %s from %s until %s; the action groups are told:", line(made.AccountName), stamp(made.From), stamp(made.Until))
			_, err = fmt.Fprintln(a.Stdout, made.ID)
			return err
		},
	}
	at.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&operations, "operation", nil, "what will happen, NAME or NAME*TIMES: an audit operation, a rule's name, or sign-in (repeatable)")
	f.StringSliceVar(&e.Places, "place", nil, "where from: an address, a range, a country of two letters (repeatable)")
	f.StringSliceVar(&e.Actors, "actor", nil, "object id of who does it, besides the account itself (repeatable)")
	f.StringVar(&from, "from", "", "when it begins, e.g. 2026-03-14T10:00:00Z; now if it is not given")
	f.StringVar(&length, "for", "1h", "how long it lasts, at most 24h")
	f.StringVar(&e.By, "by", "", "who declares it")
	f.StringVar(&e.Reason, "reason", "", "why")
	return cmd
}

func (a *app) expectedList() *cobra.Command {
	var at place
	var format string
	cmd := &cobra.Command{
		Use: "list", Short: "List what is and was expected, the latest first", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := need(at.data)
			if err != nil {
				return err
			}
			var answer struct{ Value []glassward.Expectation }
			if err := c.call(cmd.Context(), "GET", at.path("/expected"), nil, &answer); err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(answer.Value)
			}
			if len(answer.Value) == 0 {
				a.say("nothing is expected")
				return nil
			}
			var rows [][]string
			for _, e := range answer.Value {
				state := e.Outcome
				if state == "" {
					state = "open"
				}
				var missing []string
				for _, o := range e.Missing() {
					missing = append(missing, fmt.Sprintf("%s x%d", line(o.Name), o.Times))
				}
				rows = append(rows, []string{e.ID, line(e.AccountName), state, stamp(e.From), stamp(e.Until), line(e.By), strconv.Itoa(len(e.Matches)), clip(strings.Join(missing, ", "), 80)})
			}
			return a.grid([]string{"id", "account", "state", "from", "until", "by", "came", "did not come"}, rows)
		},
	}
	at.flags(cmd)
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

func (a *app) expectedWithdraw() *cobra.Command {
	var at place
	var x console.Withdrawal
	cmd := &cobra.Command{
		Use: "withdraw ID", Short: "Withdraw what was declared: everything pages again", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if x.By == "" {
				return usagef("--by is needed: the name of the person who acts")
			}
			c, err := need(at.data)
			if err != nil {
				return err
			}
			var ended glassward.Expectation
			if err := c.call(cmd.Context(), "POST", at.path("/expected/%s/withdraw", seg(list[0])), x, &ended); err != nil {
				return err
			}
			a.say("%s is withdrawn: everything about %s pages", ended.ID, line(ended.AccountName))
			return nil
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&x.By, "by", "", "who acts")
	cmd.Flags().StringVar(&x.Reason, "reason", "", "why")
	return cmd
}
