package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"glassward/console/loganalytics"
	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
)

func (a *app) queryCommand() *cobra.Command {
	var data, tenant, file, format, span string
	var from []string
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "query [KQL]",
		Short: "Ask the records with KQL",
		Long: `Runs a query: over the daemon's store where one runs over --data, over the store
itself where none does, or over files alone with --from, keeping nothing. A query
that reads no table needs none of them.`,
		Example: `  glassward query "SigninLogs | where ResultType != 0 | take 10"
  glassward query --from 'signins-*.json.gz' --file failed.kql -o csv
  glassward query --timespan P1D "AuditLogs | summarize count() by OperationName"`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			text, name, err := a.queryText(list, file)
			if err != nil {
				return err
			}
			if len(from) > 0 {
				r, err := a.queryFiles(cmd.Context(), from, text, name, limit)
				if err != nil {
					return err
				}
				return a.writeResult(format, r)
			}
			c, err := dial(data)
			switch {
			case err == nil:
				if cmd.Flags().Changed("timeout") {
					c.wait = limit
				}
				var body bytes.Buffer
				question := map[string]string{"query": text, "timespan": span}
				if err := c.call(cmd.Context(), "POST", place{data, orDefault(tenant)}.path("/query"), question, &body); err != nil {
					return err
				}
				if format == "json" {
					_, err = a.Stdout.Write(body.Bytes())
					return err
				}
				r, err := loganalytics.ReadAnswer(&body)
				if err != nil {
					return err
				}
				return a.writeResult(format, r)
			case !errors.Is(err, errNoDaemon):
				return err
			}
			if span != "" {
				return usagef("--timespan works through a daemon; here write | where TimeGenerated > ago(1d)")
			}
			store, _, err := openStore(cmd.Context(), data, tenant)
			if errors.Is(err, errNoWorkspace) && tenant == "" {
				r, err := a.queryNothing(cmd.Context(), text, name, limit, err)
				if err != nil {
					return err
				}
				return a.writeResult(format, r)
			}
			if err != nil {
				return err
			}
			defer store.Close()
			r, err := a.run(cmd.Context(), store, text, name, limit)
			if err != nil {
				return err
			}
			return a.writeResult(format, r)
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "data", "data folder")
	f.StringVar(&tenant, "tenant", "", "workspace; the only one if not given")
	f.StringVar(&file, "file", "", "read the query from a .kql file; - is standard input")
	f.StringSliceVar(&from, "from", nil, "ask these files (globs, gzip), without a store")
	f.StringVar(&span, "timespan", "", "restrict TimeGenerated, e.g. PT2H or start/end")
	f.DurationVar(&limit, "timeout", 3*time.Minute, "longest time")
	outputFlag(cmd, &format, formats...)
	return cmd
}

func orDefault(tenant string) string {
	if tenant == "" {
		return "default"
	}
	return tenant
}

// queryText gives the query and what to call it in diagnostics.
func (a *app) queryText(list []string, file string) (text, name string, err error) {
	switch {
	case len(list) == 1 && file != "":
		return "", "", usagef("give the query or --file, not both")
	case len(list) == 1:
		return list[0], "query", nil
	case file == "-":
		b, err := io.ReadAll(io.LimitReader(a.Stdin, 1<<20))
		return string(b), "stdin", err
	case file != "":
		b, err := os.ReadFile(file)
		return string(b), file, err
	}
	return "", "", usagef("give a query, or --file")
}

func (a *app) queryFiles(ctx context.Context, from []string, text, name string, limit time.Duration) (*kql.Result, error) {
	// A query that cannot be understood is said before anything is read.
	if _, err := a.compile(text, name, schema.Default(), nil); err != nil {
		return nil, err
	}
	files, err := filesOf(from)
	if err != nil {
		return nil, err
	}
	store, err := logstore.OpenMemory(ctx, logstore.Options{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	var got reading
	if err := a.readFiles(ctx, store, files, "", "", &got); err != nil {
		return nil, err
	}
	a.sayRejects(got)
	return a.run(ctx, store, text, name, limit)
}

// compile compiles a query over tables or prints what is wrong with it. explore asks the data for columns that
// only they know; without it such columns and all warnings are left to a later compilation, and the program
// may be nil.
func (a *app) compile(text, name string, tables *schema.Set, explore func(*kql.Program) (*kql.Result, error)) (*kql.Program, error) {
	p, list := kql.Compile(text, kql.Options{Catalog: tables.Catalog(), Watchlists: rule.Watchlists(), File: name, Explore: explore})
	if explore == nil {
		list = slices.DeleteFunc(list, func(d diag.Diagnostic) bool { return d.Code == kql.DataColumns || d.Severity != diag.Error })
	}
	if len(list) > 0 && (list.HasErrors() || !a.quiet) {
		if err := diag.Render(a.Stderr, name, text, list); err != nil {
			return nil, err
		}
	}
	if list.HasErrors() {
		return nil, errSilent
	}
	return p, nil
}

// queryNothing runs a query that reads no table; one that does meets missing, the reason why there are no data.
func (a *app) queryNothing(ctx context.Context, text, name string, limit time.Duration, missing error) (*kql.Result, error) {
	store, err := logstore.OpenMemory(ctx, logstore.Options{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	run := runIn(ctx, store, limit)
	return a.ask(text, name, schema.Default(), func(p *kql.Program) (*kql.Result, error) {
		if len(p.Tables) > 0 || slices.ContainsFunc(p.More, func(q *kql.Program) bool { return len(q.Tables) > 0 }) {
			return nil, missing
		}
		return run(p)
	})
}

func (a *app) run(ctx context.Context, store *logstore.Store, text, name string, limit time.Duration) (*kql.Result, error) {
	tables, err := store.Schema(ctx)
	if err != nil {
		return nil, err
	}
	return a.ask(text, name, tables, runIn(ctx, store, limit))
}

// runIn gives what runs programs over a store, all of them at the same now.
func runIn(ctx context.Context, store *logstore.Store, limit time.Duration) func(*kql.Program) (*kql.Result, error) {
	bind := kql.Bind{Now: value.FromTime(time.Now())}
	return func(p *kql.Program) (*kql.Result, error) {
		return store.Run(ctx, p, bind, logstore.Limits{Timeout: limit})
	}
}

// ask compiles a query over tables, which may ask run for columns that only the data know, and runs it.
func (a *app) ask(text, name string, tables *schema.Set, run func(*kql.Program) (*kql.Result, error)) (*kql.Result, error) {
	p, err := a.compile(text, name, tables, run)
	if err != nil {
		return nil, err
	}
	r, err := run(p)
	if err == nil && slices.ContainsFunc(append(r.More, r), func(t *kql.Result) bool { return t.Truncated }) {
		a.say("the result was cut: narrow the query, or summarize")
	}
	return r, err
}
