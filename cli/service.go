package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) serviceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "service", Short: "Run under the service manager of this machine",
		Long: `On Windows, install makes Glassward a service that starts with the machine and is
started anew when it ends, remove takes it away, and run is what the service manager
starts. On Linux, systemd runs glassward serve: packaging/systemd has the unit.`,
	}
	for _, sub := range a.serviceCommands() {
		cmd.AddCommand(sub)
	}
	return cmd
}
