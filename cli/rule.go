package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward"
	"glassward/config"
	"glassward/daemon"
	"glassward/ingest"
	"glassward/kql"
	"glassward/kql/diag"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
)

func (a *app) ruleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rule", Short: "List, lint, test and compare analytics rules"}
	cmd.AddCommand(a.ruleList(), a.ruleLint(), a.ruleTest(), a.ruleBacktest(), a.ruleDiff())
	return cmd
}

func (a *app) ruleList() *cobra.Command {
	var at place
	var folder, format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the rules and how each runs",
		Long: `Lists the rules of the running daemon with how each stands; where none runs, the
shipped rules and those of the rules folder (--rules, or the configuration's).`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []daemon.RuleStatus
			c, err := dial(at.data)
			switch {
			case err == nil:
				if err := c.call(cmd.Context(), "GET", at.path("/rules"), nil, &list); err != nil {
					return err
				}
			case errors.Is(err, errNoDaemon):
				if list, err = a.rulesAlone(folder); err != nil {
					return err
				}
			default:
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(list)
			}
			var rows [][]string
			for _, r := range list {
				state := "at work"
				switch {
				case r.Error != "":
					state = "FAILS: " + clip(line(r.Error), 60)
				case !r.Enabled:
					state = "switched off"
				case r.Suppressed > 0:
					state = "at work, suppressed in " + counted(int(r.Suppressed), "window", "windows")
				}
				rows = append(rows, []string{line(r.Name), line(r.RunsAs), line(r.Origin), state, line(r.ID)})
			}
			return a.grid([]string{"rule", "runs as", "from", "state", "id"}, rows)
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&folder, "rules", "", "folder of rules of your own")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

func (a *app) rulesAlone(folder string) ([]daemon.RuleStatus, error) {
	if folder == "" {
		if c, _ := config.Load("glassward.yaml"); c != nil {
			folder = c.Rules
		}
	}
	set, err := daemon.LoadRules(folder)
	if err != nil {
		return nil, err
	}
	for _, p := range set.Problems {
		fmt.Fprintln(a.Stderr, safe(p.Error()))
	}
	return daemon.RuleStates(rule.List(set.Rules, environment())), nil
}

func (a *app) ruleLint() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "lint FILE…",
		Short: "Judge rule files: form, query, columns, and what would make them miss events",
		Long: `Judges rule files: what is wrong with them, what would make them miss events, and
what Azure would refuse of them. Where a daemon runs over --data, what it measured
of how late records come is held against how far the rules look back.`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			files, err := filesOf(list)
			if err != nil {
				return err
			}
			env := environment()
			if c, err := dial(at.data); err == nil {
				var s daemon.Status
				if err := c.call(cmd.Context(), "GET", "/v1/status", nil, &s); err != nil {
					return err
				}
				env.Lag = measuredLag(s.Workspaces, at.tenant)
			} else if !errors.Is(err, errNoDaemon) {
				return err
			}
			failed := 0
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					return err
				}
				_, p := rule.Lint(f, text, env)
				if err := diag.Render(a.Stderr, f, string(text), p.List); err != nil {
					return err
				}
				if p.Failed() {
					failed++
				}
			}
			if failed > 0 {
				return fmt.Errorf("%s of %d cannot be used", counted(failed, "rule", "rules"), len(files))
			}
			a.say("%s: fit for use", counted(len(files), "rule", "rules"))
			return nil
		},
	}
	at.flags(cmd)
	return cmd
}

// measuredLag gives how late the records of each table come: the 99th percentile
// of the slowest road that it was learned on, in the tenant's workspace, or in
// all of them where none is named.
func measuredLag(workspaces []daemon.WorkspaceStatus, tenant string) map[string]time.Duration {
	out := map[string]time.Duration{}
	for _, w := range workspaces {
		if tenant != "default" && !strings.EqualFold(w.Tenant, tenant) && !strings.EqualFold(w.Name, tenant) {
			continue
		}
		for _, r := range w.Roads {
			if r.Learned {
				out[r.Table] = max(out[r.Table], time.Duration(r.P99*float64(time.Second)))
			}
		}
	}
	return out
}

func (a *app) ruleTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test [FILE…]",
		Short: "Run the fixtures beside rules: records on which they must fire, and must not",
		Long: `Runs for each rule file NAME.yaml the fixture NAME.fixture beside it, on a real
store in memory. Without files it runs those of the shipped rules. Exit code 1
if a case fails or a rule has no fixture.`,
		RunE: func(cmd *cobra.Command, list []string) error {
			type pair struct {
				rule    *rule.Rule
				fixture string
				file    string
			}
			var pairs []pair
			if len(list) == 0 {
				shipped, err := rule.Defaults()
				if err != nil {
					return err
				}
				for _, r := range shipped {
					pairs = append(pairs, pair{r, rule.DefaultFixtures(r), r.File})
				}
			}
			files, err := filesOf(list)
			if err != nil {
				return err
			}
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					return err
				}
				r, p := rule.Lint(f, text, environment())
				if err := diag.Render(a.Stderr, f, string(text), p.List); err != nil {
					return err
				}
				if r == nil {
					return fmt.Errorf("%s cannot be used", f)
				}
				beside := strings.TrimSuffix(f, filepath.Ext(f)) + ".fixture"
				fixture, err := os.ReadFile(beside)
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
				pairs = append(pairs, pair{r, string(fixture), beside})
			}
			cases, failed, bare := 0, 0, 0
			tables, env := tablesHere(), environment()
			for _, p := range pairs {
				if p.fixture == "" {
					bare++
					fmt.Fprintf(a.Stdout, "%s  %s: no fixture; %s would hold its cases\n", a.paint(red, "FAIL"), line(p.rule.Name), line(p.file))
					continue
				}
				f, err := rule.ParseFixture(p.file, p.fixture, tables)
				if err != nil {
					return err
				}
				verdicts, err := rule.Test(cmd.Context(), p.rule, f, env, bench{tables})
				if err != nil {
					return err
				}
				for _, v := range verdicts {
					cases++
					if v.Err != nil {
						failed++
						fmt.Fprintf(a.Stdout, "%s  %s: %s (%s:%d)\n      %s\n", a.paint(red, "FAIL"), line(p.rule.Name), line(v.Case), p.file, v.Line, strings.ReplaceAll(safe(v.Err.Error()), "\n", "\n      "))
						continue
					}
					fmt.Fprintf(a.Stdout, "ok    %s: %s\n", line(p.rule.Name), line(v.Case))
				}
			}
			var wrong []string
			if failed > 0 {
				wrong = append(wrong, fmt.Sprintf("%d of %s failed", failed, counted(cases, "case", "cases")))
			}
			if bare > 0 {
				wrong = append(wrong, counted(bare, "rule", "rules")+" without a fixture")
			}
			if len(wrong) > 0 {
				return errors.New(strings.Join(wrong, "; "))
			}
			a.say("%s passed", counted(cases, "case", "cases"))
			return nil
		},
	}
}

// bench runs rules over a store in memory that has these tables.
type bench struct{ tables *schema.Set }

// Load decodes records and appends them.
func (b bench) Load(ctx context.Context, records []byte, own ...glassward.Record) (rule.Loaded, error) {
	store, err := logstore.OpenMemory(ctx, logstore.Options{})
	if err != nil {
		return rule.Loaded{}, err
	}
	if err := store.SetTables(ctx, b.tables.Tables()); err != nil {
		return rule.Loaded{}, errors.Join(err, store.Close())
	}
	l := rule.Loaded{
		Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, b kql.Bind) (*kql.Result, error) {
			return store.Run(ctx, p, b, logstore.Limits{Class: logstore.Rules})
		}),
		Close: store.Close,
	}
	stream := ingest.NewStream("fixture", bytes.NewReader(records), ingest.DecoderOptions{Provenance: glassward.File})
	err = stream.Run(ctx, nil, func(ctx context.Context, b *ingest.Batch, _ *ingest.Cursor) error {
		for _, x := range b.Rejects {
			return fmt.Errorf("record %d of the case was not understood: %s", x.Line, x.Reason)
		}
		c, err := store.Append(ctx, logstore.Batch{Records: b.Records})
		if err != nil {
			return err
		}
		l.Records = append(l.Records, c.Records...)
		l.Head = max(l.Head, c.LastSeq)
		return nil
	})
	if err != nil {
		return l, errors.Join(err, store.Close())
	}
	c, err := store.Append(ctx, logstore.Batch{Records: own})
	if err != nil {
		return l, errors.Join(err, store.Close())
	}
	l.Records, l.Head = append(l.Records, c.Records...), max(l.Head, c.LastSeq)
	return l, nil
}
