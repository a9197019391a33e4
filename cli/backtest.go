package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward"
	"glassward/config"
	"glassward/console"
	"glassward/daemon"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/rule"
)

func (a *app) ruleBacktest() *cobra.Command {
	b := backtest{app: a}
	cmd := &cobra.Command{
		Use:   "backtest FILE",
		Short: "Show what a rule would have raised over stored records",
		Long: `Judges a rule over the records that are stored, in the rule's own windows, and shows
the alerts that it would have raised, by day, with the first of them, and what it
cost. Every record counts as having come in time. Nothing is committed and nobody
is told. It asks the daemon where one runs over --data, and the store itself where
none does.`,
		Example: `  glassward rule backtest mine.yaml --from 7d
  glassward rule backtest mine.yaml --from 2026-11-01 --to 2026-11-08 -o json`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return b.run(cmd.Context(), "", list[0])
		},
	}
	b.flags(cmd)
	return cmd
}

func (a *app) ruleDiff() *cobra.Command {
	b := backtest{app: a}
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Show what two versions of a rule raise differently over stored records",
		Long: `Judges two versions of a rule over the same stored records, as rule backtest does,
and shows the alerts that only one of them raises and those that differ. Two alerts
are the same if they share a record.`,
		Example: "  glassward rule diff before.yaml after.yaml --from 30d",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return b.run(cmd.Context(), list[0], list[1])
		},
	}
	b.flags(cmd)
	return cmd
}

// backtest is what both commands are told.
type backtest struct {
	app              *app
	at               place
	config           string
	from, to, format string
	examples         int
	limit            time.Duration
}

func (b *backtest) flags(cmd *cobra.Command) {
	b.at.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&b.from, "from", "7d", "beginning: a time (2026-11-20, 2026-11-20T08:00:00Z) or how long ago (7d, PT12H)")
	f.StringVar(&b.to, "to", "0m", "end, as --from")
	f.IntVar(&b.examples, "examples", 20, "how many alerts to show")
	f.DurationVar(&b.limit, "timeout", 10*time.Minute, "longest time")
	f.StringVar(&b.config, "config", "glassward.yaml", "configuration that declares the emergency accounts, where no daemon runs")
	outputFlag(cmd, &b.format, "table", "json")
}

// moment reads a time, or how long before now.
func moment(text string, now time.Time) (time.Time, error) {
	if d, err := rule.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	if t, ok := value.ParseDateTime(text); ok {
		return t.Time(), nil
	}
	return time.Time{}, usagef("%q is no time: write 2026-11-20, 2026-11-20T08:00:00Z, or how long ago, as 7d or PT12H", text)
}

func (b *backtest) run(ctx context.Context, old, file string) error {
	now := time.Now().UTC()
	q := console.Backtest{File: file, OldFile: old, Examples: b.examples}
	var err error
	if q.From, err = moment(b.from, now); err != nil {
		return err
	}
	if q.To, err = moment(b.to, now); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	q.Rule = string(text)
	if old != "" {
		if text, err = os.ReadFile(old); err != nil {
			return err
		}
		q.Old = string(text)
	}
	var body bytes.Buffer
	c, err := dial(b.at.data)
	switch {
	case err == nil:
		c.wait = b.limit
		if err := c.call(ctx, "POST", b.at.path("/backtest"), q, &body); err != nil {
			return err
		}
	case errors.Is(err, errNoDaemon):
		answer, err := b.alone(ctx, q)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(&body).Encode(answer); err != nil {
			return err
		}
	default:
		return err
	}
	if b.format == "json" {
		_, err := b.app.Stdout.Write(body.Bytes())
		return err
	}
	var answer daemon.BacktestAnswer
	if err := json.NewDecoder(&body).Decode(&answer); err != nil {
		return err
	}
	if answer.Difference != nil {
		return b.showDiff(answer)
	}
	return b.show(answer.Rule)
}

// alone judges over the store itself.
func (b *backtest) alone(ctx context.Context, q console.Backtest) (*daemon.BacktestAnswer, error) {
	store, name, err := openStore(ctx, b.at.data, b.at.tenant)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	env := environment()
	c, _ := config.Load(b.config)
	known := false
	if c != nil {
		var t config.Tenant
		if t, known = c.Tenant(name); known {
			env.Watchlists = map[string]*kql.Watchlist{"EmergencyAccounts": daemon.EmergencyAccounts(t)}
		}
	}
	if !known {
		b.app.say("no configuration declares the emergency accounts of workspace %s: the watchlist EmergencyAccounts is empty (--config)", name)
	}
	tables, err := store.Schema(ctx)
	if err != nil {
		return nil, err
	}
	env.Catalog, env.Addresses = tables.Catalog(), false
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	return daemon.RunBacktest(ctx, env, rule.RunnerFunc(func(ctx context.Context, p *kql.Program, bind kql.Bind) (*kql.Result, error) {
		return store.Run(ctx, p, bind, logstore.Limits{Timeout: b.limit})
	}), q)
}

// sayBacktest tells in one sentence what a backtest was over and what it gave.
func sayBacktest(t *rule.Backtest) string {
	over := ""
	if t.Windows > 0 {
		over = ", " + counted(int(t.Windows), "window", "windows")
	}
	text := fmt.Sprintf("%s (%s), %s to %s%s: %s with %s", line(t.Name), t.RunsAs, stamp(t.From), stamp(t.To), over, counted(t.Count, "alert", "alerts"), counted(t.Rows, "result", "results"))
	if t.Suppressed > 0 {
		text += fmt.Sprintf(", and %s suppressed after the last", counted(int(t.Suppressed), "window", "windows"))
	}
	return text
}

func sayCost(t *rule.Backtest) string {
	if t.Queries == 0 {
		return "no queries"
	}
	round := func(d time.Duration) time.Duration {
		return d.Round(max(time.Microsecond, d/100).Truncate(time.Microsecond))
	}
	return fmt.Sprintf("%s in %s, %s each, the slowest %s", counted(t.Queries, "query", "queries"), round(t.Took), round(t.Took/time.Duration(t.Queries)), round(t.Slowest))
}

func (b *backtest) show(t *rule.Backtest) error {
	out := b.app.Stdout
	fmt.Fprintln(out, sayBacktest(t))
	fmt.Fprintln(out, sayCost(t))
	if t.Count == 0 {
		return nil
	}
	var days [][]string
	for _, d := range t.Days {
		days = append(days, []string{d.Day, fmt.Sprint(d.Alerts), fmt.Sprint(d.Rows)})
	}
	fmt.Fprintln(out)
	if err := b.app.grid([]string{"day", "alerts", "results"}, days); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if err := b.alerts(t.Alerts); err != nil {
		return err
	}
	if left := t.Count - len(t.Alerts); left > 0 {
		fmt.Fprintf(out, "… and %d more: --examples\n", left)
	}
	return nil
}

func (b *backtest) alerts(list []glassward.Alert) error {
	var rows [][]string
	for _, x := range list {
		rows = append(rows, []string{stamp(x.Start), stamp(x.End), x.Severity.String(), fmt.Sprint(x.RowCount), line(x.Title)})
	}
	return b.app.grid([]string{"from", "to", "severity", "results", "alert"}, rows)
}

func (b *backtest) showDiff(answer daemon.BacktestAnswer) error {
	out, d := b.app.Stdout, answer.Difference
	fmt.Fprintf(out, "old: %s\n     %s\nnew: %s\n     %s\n", sayBacktest(answer.Old), sayCost(answer.Old), sayBacktest(answer.Rule), sayCost(answer.Rule))
	fmt.Fprintf(out, "%d the same, %d changed, %d only of the old, %d only of the new\n", d.Same, d.ChangedCount, d.GoneCount, d.ComeCount)
	for _, part := range []struct {
		head  string
		count int
		list  []glassward.Alert
	}{{"only of the old version", d.GoneCount, d.Gone}, {"only of the new version", d.ComeCount, d.Come}} {
		if part.count == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s:\n", part.head)
		if err := b.alerts(part.list); err != nil {
			return err
		}
		if left := part.count - len(part.list); left > 0 {
			fmt.Fprintf(out, "… and %d more: --examples\n", left)
		}
	}
	if d.ChangedCount == 0 {
		return nil
	}
	fmt.Fprintf(out, "\nchanged:\n")
	var rows [][]string
	for _, x := range d.Changed {
		at := x.Old
		if at.ID == "" {
			at = x.New
		}
		rows = append(rows, []string{stamp(at.Start), line(at.Title), line(strings.Join(x.What, "; "))})
	}
	if err := b.app.grid([]string{"from", "alert", "what"}, rows); err != nil {
		return err
	}
	if left := d.ChangedCount - len(d.Changed); left > 0 {
		fmt.Fprintf(out, "… and %d more: --examples\n", left)
	}
	return nil
}
