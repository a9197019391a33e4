package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"glassward/config"
	"glassward/daemon"
)

func (a *app) serveCommand() *cobra.Command {
	var file, data, listen, logFormat string
	var noAuth, acceptLoss bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Watch: take in records, judge them, tell people, serve the API",
		Long: `Runs until SIGTERM or SIGINT; SIGHUP reads configuration and rules again. Without
a configuration, --data alone gives a daemon that has no tenant yet.`,
		Example: `  glassward serve --config /etc/glassward/glassward.yaml
  glassward serve --listen 127.0.0.1:8470 --no-auth`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			load := func() (*config.Config, []config.Problem) {
				var c *config.Config
				var problems []config.Problem
				if _, err := os.Stat(file); data != "" && os.IsNotExist(err) && !cmd.Flags().Changed("config") {
					c = config.Default(data)
				} else {
					c, problems = config.Load(file)
				}
				if c != nil {
					c.Override(data, listen)
				}
				return c, problems
			}
			c, problems := load()
			a.printProblems(problems)
			if c == nil {
				return hint(errors.New("the configuration cannot be used"), "glassward init writes one; glassward config validate shows every problem")
			}
			var handler slog.Handler = slog.NewTextHandler(a.Stderr, nil)
			if logFormat == "json" {
				handler = slog.NewJSONHandler(a.Stderr, nil)
			}
			log := slog.New(handler)
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			d, err := daemon.New(ctx, daemon.Options{Config: c, Problems: problems, Load: load, NoAuth: noAuth, AcceptLoss: acceptLoss, Version: version, Log: log})
			if err != nil {
				return err
			}
			if noAuth {
				log.Warn("every request to " + c.Listen + " is let in without a token (--no-auth)")
			}
			hup := make(chan os.Signal, 1)
			signal.Notify(hup, syscall.SIGHUP)
			defer signal.Stop(hup)
			go func() {
				for {
					select {
					case <-ctx.Done():
						return
					case <-hup:
						if err := d.Reload(ctx, "SIGHUP"); err != nil {
							log.Error("reload", "error", err)
						}
					}
				}
			}()
			return d.Run(ctx)
		},
	}
	configFlag(cmd, &file)
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "data folder, instead of the configuration's")
	f.StringVar(&listen, "listen", "", "address, instead of the configuration's")
	f.BoolVar(&noAuth, "no-auth", false, "let every request in; loopback only")
	f.BoolVar(&acceptLoss, "accept-loss", false, "start although a damaged store has lost what had been acknowledged")
	choiceFlag(cmd, &logFormat, "log", "", "form of the log: ", "text", "json")
	return cmd
}
