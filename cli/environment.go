package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// fromEnvironment fills flags that were not given from GLASSWARD_… variables.
func (a *app) fromEnvironment(cmd *cobra.Command) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" {
			return
		}
		name := "GLASSWARD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v := a.Getenv(name); v != "" {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				// The variable is named, not the flag that nobody wrote.
				var wrong *pflag.InvalidValueError
				if errors.As(err, &wrong) {
					err = fmt.Errorf("%q: %w", v, wrong.Unwrap())
				}
				failed = usagef("%s: %v", name, err)
			}
		}
	})
	if failed == nil {
		switch a.color {
		case "auto", "always", "never":
		default:
			failed = usagef("--color %q: use auto, always or never", a.color)
		}
	}
	return failed
}
