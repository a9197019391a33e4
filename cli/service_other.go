//go:build !windows

package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// serviceCommands are none here: the group says where to look.
func (a *app) serviceCommands() []*cobra.Command {
	refuse := func(use, short string) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args(cobra.NoArgs), RunE: func(*cobra.Command, []string) error {
			return hint(errors.New("services of this kind are Windows' own"), "install packaging/systemd/glassward.service and run systemctl enable --now glassward; docs/operating.md says how")
		}}
	}
	return []*cobra.Command{refuse("install", "Make it a service (Windows)"), refuse("remove", "Take the service away (Windows)"), refuse("run", "What the service manager starts (Windows)")}
}
