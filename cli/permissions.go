package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"glassward/config"
	"glassward/daemon"
	"glassward/directory/azure"
	"glassward/directory/graph"
	"glassward/entra"
)

func (a *app) permissionsCommand() *cobra.Command {
	var file, tenant, format string
	var snapshot bool
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Print the application permissions that Glassward asks for, and what each missing one costs",
		Long: `Prints the application permissions that a tenant's roads need, or all that
Glassward can make use of. None of them can change anything. -o manifest prints
them as az ad app create --required-resource-accesses takes them.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := entra.Permissions()
			if snapshot {
				if tenant != "" {
					return usagef("--snapshot and --tenant exclude each other")
				}
				list = snapshotPermissions()
			}
			if tenant != "" {
				c, _, err := a.loadConfig(file)
				if err != nil {
					return err
				}
				t, ok := c.Tenant(tenant)
				if !ok {
					return unknownTenant(tenant, c)
				}
				list = permissionsFor(t)
			}
			switch format {
			case "manifest":
				fmt.Fprintf(a.Stdout, "%s\n", entra.RequiredAccess(values(list)...))
				return nil
			case "json":
				return json.NewEncoder(a.Stdout).Encode(list)
			}
			if err := a.printPermissions(a.Stdout, list); err != nil || !snapshot {
				return err
			}
			return a.printAzure()
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&tenant, "tenant", "", "only what this tenant's roads need")
	cmd.Flags().BoolVar(&snapshot, "snapshot", false, "only what glassward snapshot needs, with the parts that each reads")
	outputFlag(cmd, &format, "table", "json", "manifest")
	return cmd
}

// snapshotPermissions gives the permissions of a whole snapshot. What each reads and
// what is lost without it are told as of the snapshot.
func snapshotPermissions() []entra.Permission {
	parts := graph.Permissions()
	var list []entra.Permission
	for _, p := range entra.Permissions() {
		read, ok := parts[p.Value]
		if !ok {
			continue
		}
		if p.Use != entra.UseSnapshot && p.Use != entra.UseProtection {
			p.Use, p.For, p.Without = entra.UseSnapshot, "", "what depends on it is unknown"
			var names []string
			for _, x := range read {
				names = append(names, string(x))
			}
			p.For = strings.Join(names, ", ")
			if len(read) == 0 {
				p.For, p.Without = "when accounts last signed in", "that is unknown; it needs P1 too"
			}
		}
		list = append(list, p)
	}
	return list
}

// permissionsFor gives the permissions that a tenant's file makes use of, those
// for choosing accounts included: they are asked for once.
func permissionsFor(t config.Tenant) []entra.Permission {
	needs := entra.Needs(append(daemon.Uses(t), entra.UseAccounts, entra.UseRoles)...)
	var list []entra.Permission
	for _, p := range entra.Permissions() {
		if slices.Contains(needs, p.Value) {
			list = append(list, p)
		}
	}
	return list
}

func values(list []entra.Permission) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.Value
	}
	return out
}

func (a *app) printPermissions(w io.Writer, list []entra.Permission) error {
	for _, p := range list {
		if _, err := fmt.Fprintf(w, "%s  (%s, application)\n  reads    %s\n  without  %s\n", a.paint(bold, p.Value), p.Service, p.For, p.Without); err != nil {
			return err
		}
	}
	return nil
}

// printAzure tells what a snapshot of Azure needs, which no consent gives.
func (a *app) printAzure() error {
	for _, p := range azure.Permissions() {
		var names []string
		for _, x := range p.Parts {
			names = append(names, string(x))
		}
		if _, err := fmt.Fprintf(a.Stdout, "%s\n  reads    %s\n  without  what depends on them is unknown: whether anybody would be told of an emergency account's sign-in\n  how      %s\n", a.paint(bold, p.Name), strings.Join(names, ", "), p.Give); err != nil {
			return err
		}
	}
	return nil
}

func unknownTenant(name string, c *config.Config) error {
	var names []string
	for _, t := range c.Each {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return hint(fmt.Errorf("there is no tenant %q", name), "glassward tenant add describes one")
	}
	return hint(fmt.Errorf("there is no tenant %q", name), "there are: %s", strings.Join(names, ", "))
}
