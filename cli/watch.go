package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward"
	"glassward/daemon"
	"glassward/kql"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
)

func (a *app) watchCommand() *cobra.Command {
	var accounts, from []string
	var folder, format string
	cmd := &cobra.Command{
		Use:   "watch --account OBJECT-ID… --from FILE…",
		Short: "What happened to these accounts? Judges files by the rules, keeping nothing",
		Long: `Reads log files in whatever shape, judges them by the shipped rules (and those of
--rules), and prints what happened to the accounts and to Conditional Access.
Accounts are named by object id, which nobody can change.`,
		Example: `  glassward watch --account 7c1f8a2e-0d7d-4a57-9d0e-3c7a0b9f2a11 --from signins.json --from audit.json`,
		Args:    args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, list []string) error {
			from = append(from, list...)
			if len(accounts) == 0 || len(from) == 0 {
				return usagef("say which accounts (--account OBJECT-ID) and which files (--from FILE)")
			}
			var declared []rule.Account
			for _, id := range accounts {
				if !glassward.IsGUID(id) {
					return hint(usagef("%q is no object id", id), "it is the GUID on the account's page in the Entra admin centre; names can be changed by whoever attacks")
				}
				declared = append(declared, rule.Account{ObjectID: strings.ToLower(id), Kind: "user"})
			}
			files, err := filesOf(from)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			store, err := logstore.OpenMemory(ctx, logstore.Options{})
			if err != nil {
				return err
			}
			defer store.Close()
			var got reading
			if err := a.readFiles(ctx, store, files, "", "", &got); err != nil {
				return err
			}
			a.sayRejects(got)
			set, err := daemon.LoadRules(folder)
			if err != nil {
				return err
			}
			for _, p := range set.Problems {
				fmt.Fprintln(a.Stderr, safe(p.Error()))
			}
			var book rule.Notebook
			engine, err := rule.NewEngine(ctx, rule.Options{
				Tenant: "watch", Rules: set.Rules, Catalog: schema.Default().Catalog(),
				Watchlists: map[string]*kql.Watchlist{"EmergencyAccounts": rule.EmergencyAccounts(declared...)},
				Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, b kql.Bind) (*kql.Result, error) {
					return store.Run(ctx, p, b, logstore.Limits{Class: logstore.Rules})
				}),
				Memory: &book, Desk: book.Desk("watch"), Since: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
			})
			if err != nil {
				return err
			}
			if err := errors.Join(engine.CatchUp(ctx, got.last), engine.Tick(ctx)); err != nil {
				return err
			}
			for _, s := range engine.States() {
				if s.Err != nil {
					fmt.Fprintf(a.Stderr, "rule %s could not judge: %v\n", line(s.Name), s.Err)
				}
			}
			alerts := book.Alerts()
			slices.SortStableFunc(alerts, func(x, y glassward.Alert) int { return x.Start.Compare(y.Start) })
			a.say("%s read, %s", counted(got.sum.Records, "record", "records"), counted(len(alerts), "alert", "alerts"))
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(alerts)
			}
			a.printAlerts(alerts)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&accounts, "account", nil, "object id of an emergency account (repeatable)")
	f.StringSliceVar(&from, "from", nil, "log files, globs, or - (repeatable)")
	f.StringVar(&folder, "rules", "", "folder of rules of your own")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

// printAlerts writes what happened, one alert after the other.
func (a *app) printAlerts(alerts []glassward.Alert) {
	for _, al := range alerts {
		tone := amber
		if al.Severity == glassward.High {
			tone = red
		}
		fmt.Fprintf(a.Stdout, "%s  %s  %s\n", stamp(al.Start), a.paint(tone, fmt.Sprintf("%-6s", al.Severity)), a.paint(bold, line(al.Title)))
		var details []string
		for k, v := range al.Details {
			if text := strings.Join(v, ", "); text != "" {
				details = append(details, line(k)+" "+line(text))
			}
		}
		slices.Sort(details)
		if len(details) > 0 {
			fmt.Fprintf(a.Stdout, "    %s\n", strings.Join(details, "; "))
		}
		for _, e := range al.Entities {
			var ids []string
			for k, v := range e.Identifiers {
				if v != "" {
					ids = append(ids, line(k)+" "+line(v))
				}
			}
			slices.Sort(ids)
			fmt.Fprintf(a.Stdout, "    %s: %s\n", line(e.Type), strings.Join(ids, ", "))
		}
	}
}
