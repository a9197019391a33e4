package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward/backup"
	"glassward/config"
	"glassward/daemon"
)

func (a *app) tenantCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "tenant", Short: "Add, list, check, prove, export and remove tenants"}
	cmd.AddCommand(a.tenantAddCommand(), a.tenantListCommand(), a.tenantCheckCommand(), a.tenantProveCommand(), a.tenantExportCommand(), a.tenantRemoveCommand())
	return cmd
}

func (a *app) tenantAddCommand() *cobra.Command {
	var x initAnswers
	var file string
	var noInput bool
	cmd := &cobra.Command{
		Use:   "add [NAME]",
		Short: "Describe a further tenant",
		Long: `Asks as init does, tries every answer against the tenant, writes its file beside
the others, and has the running daemon, if there is one, watch it at once.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			c, _, err := a.loadConfig(file)
			if err != nil {
				return err
			}
			if len(list) == 1 {
				x.Name = list[0]
			}
			w := &wizard{app: a, in: bufio.NewScanner(a.Stdin), x: x, dir: c.Tenants, asks: !noInput}
			return w.add(cmd.Context(), c)
		},
	}
	configFlag(cmd, &file)
	x.flags(cmd)
	cmd.Flags().StringSliceVar(&x.Groups, "action-group", nil, "action group that is told (repeatable)")
	cmd.Flags().BoolVar(&noInput, "no-input", false, "ask nothing: take flags and defaults")
	return cmd
}

func (a *app) tenantListCommand() *cobra.Command {
	var file, format string
	cmd := &cobra.Command{
		Use: "list", Short: "List the tenants of the configuration", Args: args(cobra.NoArgs),
		Long: `Lists the tenants of the configuration, and under "(no tenant file)" workspaces in
the data folder that none of them has: of tenants that were removed, or whose file
is broken.`,
		RunE: func(*cobra.Command, []string) error {
			c, _, err := a.loadConfig(file)
			if err != nil {
				return err
			}
			left, err := leftBehind(c)
			if err != nil {
				return err
			}
			if format == "json" {
				all := slices.Clone(c.Each)
				for _, id := range left {
					all = append(all, config.Tenant{ID: id})
				}
				return json.NewEncoder(a.Stdout).Encode(all)
			}
			var rows [][]string
			for _, t := range c.Each {
				rows = append(rows, []string{line(t.Name), t.ID, strconv.Itoa(len(t.EmergencyAccounts)), line(strings.Join(daemon.Roads(t), " ")), line(strings.Join(t.ActionGroups, " ")), t.Keep})
			}
			for _, id := range left {
				rows = append(rows, []string{"(no tenant file)", line(id), "", "", "", ""})
			}
			return a.grid([]string{"name", "tenant", "accounts", "roads", "told", "keeps"}, rows)
		},
	}
	configFlag(cmd, &file)
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

// leftBehind gives the workspaces in the data folder that no tenant has.
func leftBehind(c *config.Config) ([]string, error) {
	names, err := backup.Tenants(c.Data)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(id string) bool {
		_, ok := c.Tenant(id)
		return ok
	}), nil
}

// tenantOf finds the tenant that an argument names; without one it is the only
// tenant.
func (a *app) tenantOf(file string, list []string) (*config.Config, config.Tenant, error) {
	c, _, err := a.loadConfig(file)
	if err != nil {
		return nil, config.Tenant{}, err
	}
	name := "default"
	if len(list) == 1 {
		name = list[0]
	}
	t, ok := c.Tenant(name)
	if !ok && len(list) == 0 {
		return nil, t, usagef("name the tenant: there are %d", len(c.Each))
	}
	if !ok {
		return nil, t, unknownTenant(name, c)
	}
	return c, t, nil
}

func (a *app) tenantCheckCommand() *cobra.Command {
	var file, format string
	cmd := &cobra.Command{
		Use:   "check [NAME]",
		Short: "Try a tenant's file against the tenant itself",
		Long: `Signs in as the application, compares its permissions with what the roads need
and with what they must not have, asks each road, and looks whether the accounts
are there. Nothing is changed. Exit code 1 if something is wrong.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			_, t, err := a.tenantOf(file, list)
			if err != nil {
				return err
			}
			found := daemon.Check(cmd.Context(), t, time.Now)
			if format == "json" {
				if err := json.NewEncoder(a.Stdout).Encode(found); err != nil {
					return err
				}
				for _, c := range found {
					if c.Verdict == daemon.Wrong {
						return errSilent
					}
				}
				return nil
			}
			if wrong := a.printChecks(found); wrong > 0 {
				return fmt.Errorf("%s to mend", counted(wrong, "thing", "things"))
			}
			return nil
		},
	}
	configFlag(cmd, &file)
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

func (a *app) tenantProveCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "prove [NAME]",
		Short: "Wait for a real sign-in of an emergency account, and measure the way of its alarm",
		Long: `Waits until one of the tenant's emergency accounts has signed in, shows how the
record comes, is judged and told, and writes the measured delays down in the data
folder. Where no daemon runs, this command watches while it waits.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			c, t, err := a.tenantOf(file, list)
			if err != nil {
				return err
			}
			if len(t.EmergencyAccounts) == 0 {
				return hint(errors.New("no emergency account is declared"), "list emergencyAccounts by objectId in %s", t.File)
			}
			w := &wizard{app: a, in: bufio.NewScanner(a.Stdin)}
			return w.prove(cmd.Context(), c, t)
		},
	}
	configFlag(cmd, &file)
	return cmd
}
