// Package cli is the command line: one file a subcommand. It talks to the
// running daemon through the control socket in the data folder when there is
// one, and works alone when there is none. Data goes to standard output,
// everything else to standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

// Env is what a run of the command line may see of the world.
type Env struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
}

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errSilent ends with exit code 1 when everything has been said already.
var errSilent = errors.New("")

// hinted is an error with a cure.
type hinted struct {
	err  error
	hint string
}

func (e hinted) Error() string { return e.err.Error() }
func (e hinted) Unwrap() error { return e.err }

func hint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// app is one run.
type app struct {
	Env
	color   string
	quiet   bool
	serving atomic.Bool // a daemon runs, which bounds its own end
}

// endWithin is how long a command may take to end when it is asked to. The engine
// cannot be stopped while it plans a query, nor can who reads from a terminal.
const endWithin = 5 * time.Second

// Main runs one command line and gives the exit code: 0 done, 1 failed, 2 the
// command line itself is wrong. When ctx ends it waits for the command, but not
// for long.
func Main(ctx context.Context, env Env) int {
	a := &app{Env: env}
	code := make(chan int, 1)
	go func() { code <- a.main(ctx) }()
	select {
	case c := <-code:
		return c
	case <-ctx.Done():
	}
	select {
	case c := <-code:
		return c
	case <-time.After(endWithin):
	}
	if a.serving.Load() {
		return <-code
	}
	fmt.Fprintf(env.Stderr, "glassward: error: asked to end, and not waiting any longer for what does not end within %s\n", endWithin)
	return exitError
}

func (a *app) main(ctx context.Context) int {
	env := a.Env
	root := a.root()
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errWorse):
		return exitWorse
	case errors.Is(err, errSilent):
		return exitError
	}
	fmt.Fprintf(env.Stderr, "glassward: error: %s\n", safe(err.Error()))
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintf(env.Stderr, "glassward: hint: %s\n", safe(h.hint))
	}
	var u usageError
	if errors.As(err, &u) || strings.HasPrefix(err.Error(), "unknown command") {
		return exitUsage
	}
	return exitError
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "glassward",
		Short: "Guards the break-glass accounts of Microsoft Entra tenants",
		Long: `Glassward takes in Entra sign-in and audit logs, keeps them, queries them with
KQL, and raises an alarm whatever touches an emergency account.

Try "glassward demo", or ask a file at once:
  glassward watch --account OBJECT-ID --from signins.json`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
	}
	root.SetVersionTemplate("glassward {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&a.color, "color", "auto", "colour on a terminal: auto, always or never")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no remarks on standard error")
	root.AddCommand(
		a.demoCommand(), a.watchCommand(), a.initCommand(), a.doctorCommand(), a.serveCommand(),
		a.ingestCommand(), a.queryCommand(), a.kqlCommand(), a.snapshotCommand(), a.whatIfCommand(), a.reachCommand(), a.assessCommand(),
		a.ruleCommand(), a.incidentCommand(), a.expectedCommand(), a.notifyCommand(), a.tokenCommand(), a.collectionCommand(), a.certificateCommand(),
		a.statusCommand(), a.configCommand(), a.tenantCommand(), a.permissionsCommand(), a.versionCommand(),
		a.backupCommand(), a.restoreCommand(), a.compactCommand(), a.healthcheckCommand(), a.serviceCommand(),
	)
	// A group of commands that is given a name it does not know says so; by itself
	// it would print its help and succeed.
	for _, group := range root.Commands() {
		if group.HasSubCommands() && !group.Runnable() {
			group.RunE = func(cmd *cobra.Command, list []string) error {
				if len(list) > 0 {
					return hint(usagef("unknown command %q for %q", list[0], cmd.CommandPath()), "%s --help shows what there is", cmd.CommandPath())
				}
				return cmd.Help()
			}
		}
	}
	// Every flag can come from the environment: GLASSWARD_DATA for --data.
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.fromEnvironment(cmd) }
	return root
}

// args makes cobra's check of arguments a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, list []string) error {
		if err := check(cmd, list); err != nil {
			return usagef("%s: %v; see glassward help %s", cmd.CommandPath(), err, strings.TrimPrefix(cmd.CommandPath(), "glassward "))
		}
		return nil
	}
}

// say writes a remark, on standard error and not when quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.Stderr, format+"\n", args...)
	}
}

// terminal says whether w is a terminal that a person looks at.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
