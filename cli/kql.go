package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"glassward/config"
	"glassward/daemon"
	"glassward/kql"
	"glassward/kql/diag"
	"glassward/rule"
	"glassward/schema"
)

func (a *app) kqlCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "kql", Short: "Check, format and explain queries"}
	functions := ""
	check := &cobra.Command{
		Use:   "check FILE…",
		Short: "Check .kql files, or the queries of rule files",
		Long: `Compiles the query of each file against the Entra tables and prints every
mistake with its place, what was found, what is needed, and the nearest name.
A .yaml or .yml file is taken as an analytics rule, whose query is checked.
With --functions the stored functions of a folder are checked first, and the
files may use them. Exit code 0 if all compile, 1 if not.`,
		Args: args(func(cmd *cobra.Command, given []string) error {
			if functions != "" {
				return nil
			}
			return cobra.MinimumNArgs(1)(cmd, given)
		}),
		RunE: func(_ *cobra.Command, files []string) error {
			env := environment()
			failed := false
			if functions != "" {
				ok, err := a.checkFunctions(functions, &env)
				if err != nil {
					return err
				}
				failed = !ok
			}
			files, err := filesOf(files)
			if err != nil {
				return err
			}
			for _, f := range files {
				ok, err := a.checkFile(f, env)
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
	check.Flags().StringVar(&functions, "functions", "", "folder of stored functions (.kql)")
	cmd.AddCommand(check, a.kqlFormatCommand(), a.kqlExplainCommand())
	return cmd
}

// environment is what rules and queries are compiled against where no tenant is
// at hand: the watchlists are there and empty, and tables are those of every tenant
// of the configuration in this folder, if there is one.
func environment() rule.Environment {
	// A database of addresses may be there where the query will run.
	return rule.Environment{Catalog: tablesHere().Catalog(), Addresses: true, Watchlists: rule.Watchlists()}
}

// tablesHere are those of every tenant of the configuration in this folder.
func tablesHere() *schema.Set {
	if c, _ := config.Load("glassward.yaml"); c != nil {
		return daemon.EveryTable(c)
	}
	return schema.Default()
}

// checkFunctions reads the stored functions of a folder into the environment and
// prints what is wrong with them.
func (a *app) checkFunctions(folder string, env *rule.Environment) (bool, error) {
	set := &rule.Set{}
	if err := set.LoadFunctions(os.DirFS(folder), *env); err != nil {
		return false, err
	}
	env.Functions = set.Functions
	ok := true
	for _, p := range set.FunctionProblems {
		ok = ok && !p.Failed()
		if err := diag.Render(a.Stderr, filepath.Join(folder, p.File), p.Source, p.List); err != nil {
			return false, err
		}
	}
	return ok, nil
}

// anyExternal gives no rows for any address: which are allowed says the server
// on which the query runs.
func anyExternal(kql.ExternalData) ([][]any, error) { return nil, nil }

func (a *app) checkFile(file string, env rule.Environment) (bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	var list diag.List
	if strings.HasSuffix(file, ".yaml") || strings.HasSuffix(file, ".yml") {
		_, p := rule.Lint(file, text, env)
		list = p.List
	} else {
		_, list = kql.Compile(string(text), kql.Options{Catalog: env.Catalog, Watchlists: env.Watchlists, Functions: env.Functions, External: anyExternal, Addresses: true, File: file})
		// Where the query runs the data give its columns.
		for i := range list {
			if list[i].Code == kql.DataColumns {
				list[i].Severity = diag.Warning
			}
		}
	}
	return !list.HasErrors(), diag.Render(a.Stderr, file, string(text), list)
}
