package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/rule"
)

func (a *app) kqlExplainCommand() *cobra.Command {
	var lineage bool
	var window string
	cmd := &cobra.Command{
		Use:   "explain FILE",
		Short: "Show what a query becomes",
		Long: `Shows the relational tree of a query as it was understood, what each rewrite
changes, the tree in the end, its SQL, which records a row will name, which
records can matter to it at all, and whether it judges one record at a time.
For - it reads standard input. A .yaml or .yml file is taken as an analytics
rule and explained as the rule runs.`,
		Example: `  glassward kql explain failed.kql
  echo 'SigninLogs | where UserType == "Guest"' | glassward kql explain -
  glassward kql explain --lineage --window seq failed.kql`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			file := files[0]
			var text string
			env := environment()
			o := kql.Options{Catalog: env.Catalog, Watchlists: env.Watchlists, Addresses: true, Lineage: lineage, File: file}
			if strings.HasSuffix(file, ".yaml") || strings.HasSuffix(file, ".yml") {
				source, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				r, problem := rule.Lint(file, source, env)
				if r == nil {
					if err := diag.Render(a.Stderr, file, string(source), problem.List); err != nil {
						return err
					}
					return errSilent
				}
				text = r.Query
				o.Lineage, o.Window = true, kql.ByTime
				if r.Kind == rule.NRT {
					o.Window = kql.BySeq
				}
			} else {
				var err error
				if text, err = a.readQuery(file); err != nil {
					return err
				}
			}
			switch window {
			case "":
			case "none":
				o.Window = kql.AllRecords
			case "time":
				o.Window = kql.ByTime
			case "seq":
				o.Window = kql.BySeq
			default:
				return usagef("--window %q: use time, seq or none", window)
			}
			x, list := kql.Explain(text, o)
			if len(list) > 0 && (x == nil || !a.quiet) {
				if err := diag.Render(a.Stderr, file, text, list); err != nil {
					return err
				}
			}
			if x == nil {
				return errSilent
			}
			_, err := fmt.Fprint(a.Stdout, x)
			return err
		},
	}
	cmd.Flags().BoolVar(&lineage, "lineage", false, "with the ids of the records behind each row, as rules run")
	cmd.Flags().StringVar(&window, "window", "", "as a rule restricts it: time (Scheduled), seq (NRT) or none")
	return cmd
}
