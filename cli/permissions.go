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
	"glassward/entra"
)

func (a *app) permissionsCommand() *cobra.Command {
	var file, tenant, format string
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Print the application permissions that Glassward asks for, and what each missing one costs",
		Long: `Prints the application permissions that a tenant's roads need, or all that
Glassward can make use of. None of them can change anything. -o manifest prints
them as az ad app create --required-resource-accesses takes them.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := entra.Permissions()
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
			return a.printPermissions(a.Stdout, list)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&tenant, "tenant", "", "only what this tenant's roads need")
	outputFlag(cmd, &format, "table", "json", "manifest")
	return cmd
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
