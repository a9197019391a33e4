package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"glassward/config"
	"glassward/daemon"
)

// A serving is what serve is told by its flags.
type serving struct {
	file, data, listen, logFormat string
	// given says that the configuration file was named, and must be there.
	given              bool
	noAuth, acceptLoss bool
}

func (s *serving) flags(cmd *cobra.Command) {
	configFlag(cmd, &s.file)
	f := cmd.Flags()
	f.StringVar(&s.data, "data", "", "data folder, instead of the configuration's")
	f.StringVar(&s.listen, "listen", "", "address, instead of the configuration's")
	f.BoolVar(&s.acceptLoss, "accept-loss", false, "start although a damaged store has lost what had been acknowledged")
	choiceFlag(cmd, &s.logFormat, "log", "", "form of the log: ", "text", "json")
}

func (s *serving) parsed(f *pflag.FlagSet) { s.given = f.Changed("config") }

func (a *app) serveCommand() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Watch: take in records, judge them, tell people, serve the API",
		Long: `Runs until SIGTERM or SIGINT, and ends within 20 seconds of it; a second of them
ends it at once. SIGHUP reads configuration and rules again. Without
a configuration, --data alone gives a daemon that has no tenant yet.`,
		Example: `  glassward serve --config /etc/glassward/glassward.yaml
  glassward serve --listen 127.0.0.1:8470 --no-auth`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.parsed(cmd.Flags())
			hup := make(chan os.Signal, 1)
			signal.Notify(hup, syscall.SIGHUP)
			defer signal.Stop(hup)
			reloads := make(chan string)
			ctx := cmd.Context()
			go func() {
				for {
					select {
					case <-ctx.Done():
						return
					case <-hup:
						reloads <- "SIGHUP"
					}
				}
			}()
			return a.serve(ctx, s, a.Stderr, reloads)
		},
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&s.noAuth, "no-auth", false, "let every request in; loopback only")
	return cmd
}

// load reads the configuration that the flags mean.
func (s *serving) load() (*config.Config, []config.Problem) {
	var c *config.Config
	var problems []config.Problem
	if _, err := os.Stat(s.file); s.data != "" && os.IsNotExist(err) && !s.given {
		c = config.Default(s.data)
	} else {
		c, problems = config.Load(s.file)
	}
	if c != nil {
		c.Override(s.data, s.listen)
	}
	return c, problems
}

// serve watches until ctx ends. What comes by reloads is who wants configuration
// and rules read again.
func (a *app) serve(ctx context.Context, s serving, logs io.Writer, reloads <-chan string) error {
	a.serving.Store(true)
	defer a.serving.Store(false)
	c, problems := s.load()
	a.printProblems(problems)
	if c == nil {
		return hint(errors.New("the configuration cannot be used"), "glassward init writes one; glassward config validate shows every problem")
	}
	var handler slog.Handler = slog.NewTextHandler(logs, nil)
	if s.logFormat == "json" {
		handler = slog.NewJSONHandler(logs, nil)
	}
	log := slog.New(handler)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d, err := daemon.New(ctx, daemon.Options{Config: c, Problems: problems, Load: s.load, NoAuth: s.noAuth, AcceptLoss: s.acceptLoss, Version: version, Log: log})
	if err != nil {
		return err
	}
	if s.noAuth {
		log.Warn("every request to " + c.Listen + " is let in without a token (--no-auth)")
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case who := <-reloads:
				if err := d.Reload(ctx, who); err != nil {
					log.Error("reload", "error", err)
				}
			}
		}
	}()
	attended := make(chan struct{})
	go func() {
		defer close(attended)
		managerOf(a.Getenv, os.Getpid()).attend(ctx, d.Running(), d.Alive, log)
	}()
	err = d.Run(ctx)
	stop()
	<-attended
	return err
}
