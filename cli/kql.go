package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/rule"
	"glassward/schema"
)

func (a *app) kqlCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "kql", Short: "Check, format and explain queries"}
	check := &cobra.Command{
		Use:   "check FILE…",
		Short: "Check .kql files, or the queries of rule files",
		Long: `Compiles the query of each file against the Entra tables and prints every
mistake with its place, what was found, what is needed, and the nearest name.
A .yaml or .yml file is taken as an analytics rule, whose query is checked.
Exit code 0 if all compile, 1 if not.`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, files []string) error {
			files, err := filesOf(files)
			if err != nil {
				return err
			}
			failed := false
			for _, f := range files {
				ok, err := a.checkFile(f)
				if err != nil {
					return err
				}
				failed = failed || !ok
			}
			if failed {
				return errSilent
			}
			a.say("%s: no mistakes", counted(len(files), "file", "files"))
			return nil
		},
	}
	cmd.AddCommand(check, a.kqlFormatCommand(), a.kqlExplainCommand())
	return cmd
}

// environment is what rules and queries are compiled against where no tenant is
// at hand: the watchlists are there and empty.
func environment() rule.Environment {
	return rule.Environment{Catalog: schema.Default().Catalog(), Watchlists: map[string]*kql.Watchlist{"EmergencyAccounts": rule.EmergencyAccounts()}}
}

func (a *app) checkFile(file string) (bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	var list diag.List
	if strings.HasSuffix(file, ".yaml") || strings.HasSuffix(file, ".yml") {
		_, p := rule.Lint(file, text, environment())
		list = p.List
	} else {
		_, list = kql.Compile(string(text), kql.Options{Catalog: schema.Default().Catalog(), Watchlists: environment().Watchlists, File: file})
		// Where the query runs the data give its columns.
		for i := range list {
			if list[i].Code == kql.DataColumns {
				list[i].Severity = diag.Warning
			}
		}
	}
	return !list.HasErrors(), diag.Render(a.Stderr, file, string(text), list)
}
