package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"glassward/backup"
	"glassward/console"
	"glassward/daemon"
)

func (a *app) compactCommand() *cobra.Command {
	var data, tenant, format string
	cmd := &cobra.Command{
		Use: "compact", Short: "Give the space of removed records back to the disk", Args: args(cobra.NoArgs),
		Long: `Removing old records frees room for new ones and does not shrink the file. compact
copies each workspace into a new file without that room, and changes the two. While
a workspace is copied it takes nothing in and answers no query (about a second for
100 MB); alarms about its new records wait as long. The others go on. It needs as much
free space as the file has.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out []daemon.Compacted
			c, err := dial(data)
			switch {
			case err == nil:
				err = c.call(cmd.Context(), "POST", "/v1/compact", console.Compact{Tenant: tenant}, &out)
			case errors.Is(err, errNoDaemon):
				out, err = a.compactFiles(cmd, data, tenant)
			}
			if err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(out)
			}
			for _, x := range out {
				fmt.Fprintf(a.Stdout, "%s  %s before, %s after\n", x.Tenant, bytesText(x.Before), bytesText(x.After))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "data", "data folder")
	cmd.Flags().StringVar(&tenant, "tenant", "", "one workspace alone, by the tenant's id or name")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

// compactFiles compacts where no daemon runs.
func (a *app) compactFiles(cmd *cobra.Command, data, tenant string) ([]daemon.Compacted, error) {
	tenants := []string{tenant}
	if tenant == "" {
		var err error
		if tenants, err = backup.Tenants(data); err != nil {
			return nil, err
		}
	}
	out := []daemon.Compacted{}
	for _, name := range tenants {
		store, name, err := openStore(cmd.Context(), data, name)
		if err != nil {
			return out, err
		}
		before, after, err := store.Compact(cmd.Context())
		if err = errors.Join(err, store.Close()); err != nil {
			return out, fmt.Errorf("workspace %s: %w", name, err)
		}
		out = append(out, daemon.Compacted{Tenant: name, Before: before, After: after})
	}
	return out, nil
}
