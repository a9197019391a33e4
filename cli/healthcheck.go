package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// healthcheckWithin is how long a daemon that is well may take to answer.
const healthcheckWithin = 5 * time.Second

func (a *app) healthcheckCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Say by the exit code whether the daemon answers", Args: args(cobra.NoArgs),
		Long: `For container engines and scripts: exit code 0 if the daemon of the data folder
answers over its control socket, 1 if it does not. Whether all is well with what it
watches is another question, which glassward status answers.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := need(data)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), healthcheckWithin)
			defer cancel()
			return c.call(ctx, "GET", "/healthz", nil, nil)
		},
	}
	cmd.Flags().StringVar(&data, "data", "data", "data folder of the daemon")
	return cmd
}
