package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"glassward/config"
)

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "glassward.yaml", "configuration file")
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check the configuration, or describe it to an editor"}
	var file string
	validate := &cobra.Command{
		Use:   "validate",
		Short: "Check glassward.yaml and every tenant file, exactly as serve and reload do",
		Long: `Reads the configuration and its tenants as serve does, and prints every problem
with file, line and column. Exit code 0 when all is well (warnings may remain),
1 when anything is broken.`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			c, problems := config.Load(file)
			if broken := a.printProblems(problems); broken > 0 {
				return errSilent
			}
			a.say("%s: %s, %s", file, counted(len(c.Each), "tenant", "tenants"), counted(len(c.ActionGroups), "action group", "action groups"))
			return nil
		},
	}
	configFlag(validate, &file)
	var tenant bool
	schema := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of glassward.yaml, for completion in an editor",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			text, err := config.Schema(tenant)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.Stdout, "%s\n", text)
			return err
		},
	}
	schema.Flags().BoolVar(&tenant, "tenant", false, "the schema of a tenant file")
	cmd.AddCommand(validate, schema)
	return cmd
}

// printProblems prints what is wrong and gives how many are no warnings.
func (a *app) printProblems(problems []config.Problem) int {
	broken := 0
	for _, p := range problems {
		fmt.Fprintln(a.Stderr, safe(p.Error()))
		if !p.Warning {
			broken++
		}
	}
	return broken
}

// loadConfig loads a configuration that has to stand; broken tenants are
// printed and left out.
func (a *app) loadConfig(file string) (*config.Config, []config.Problem, error) {
	c, problems := config.Load(file)
	a.printProblems(problems)
	if c == nil {
		if _, err := os.Stat(file); os.IsNotExist(err) {
			return nil, nil, hint(fmt.Errorf("there is no configuration at %s", file), "glassward init writes one, and --config names another")
		}
		return nil, nil, fmt.Errorf("%s cannot be used: see above", file)
	}
	return c, problems, nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
