package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward/config"
	"glassward/daemon"
	"glassward/internal/entrasim"
)

// A demoOptions is what a person wants to see.
type demoOptions struct{ list, serve, keep, verbose bool }

// firstStory is played where none is named.
const firstStory = "S1"

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo [STORY]",
		Short: "Play a story on a simulated tenant, and show what comes of it",
		Long: `Makes a tenant of 200 people and serves it on this machine as Microsoft serves
real ones. Glassward watches it as it would watch yours: it signs in with a
certificate, reads Microsoft Graph, judges, and sends mail, to a mail server that
keeps what it gets. In the tenant a story happens, minutes in seconds. What
happens, what comes of it, the incidents and the mails are shown, and what
Glassward does not see of it yet. Nothing leaves this machine.

Exit code 1 if an alarm that the story has to raise did not come.`,
		Example: `  glassward demo
  glassward demo --list
  glassward demo S2 --serve`,
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: storyNames,
		RunE: func(cmd *cobra.Command, list []string) error {
			if o.list {
				return a.demoList()
			}
			name := firstStory
			if len(list) == 1 {
				name = strings.ToUpper(list[0])
			}
			s := storyOf(name)
			if s == nil {
				return hint(usagef("there is no story %q", list[0]), "glassward demo --list shows them")
			}
			return a.demo(cmd.Context(), s, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.list, "list", false, "show the stories and play none")
	f.BoolVar(&o.serve, "serve", false, "keep tenant and Glassward running afterwards, until Ctrl-C")
	f.BoolVar(&o.keep, "keep", false, "keep the temporary folder")
	f.BoolVar(&o.verbose, "verbose", false, "show Glassward's log")
	return cmd
}

func storyNames(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
	for _, s := range entrasim.Scenarios() {
		names = append(names, s.Name+"\t"+s.Title)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// storyOf finds a story by its name; nil if there is none.
func storyOf(name string) *entrasim.Story {
	for _, s := range entrasim.Scenarios() {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func (a *app) demoList() error {
	var rows [][]string
	for _, s := range entrasim.Scenarios() {
		rows = append(rows, []string{s.Name, fmt.Sprintf("%d min", s.Minutes), s.Title})
	}
	if err := a.grid([]string{"story", "lasts", "what happens"}, rows); err != nil {
		return err
	}
	a.say("\nglassward demo %s plays one; minutes become seconds.", rows[1][0])
	return nil
}

// demoWithin bounds the playing of a story.
const demoWithin = 3 * time.Minute

func (a *app) demo(ctx context.Context, s *entrasim.Story, o demoOptions) (err error) {
	dir, err := os.MkdirTemp("", "glassward-demo-")
	if err != nil {
		return err
	}
	if o.keep {
		defer a.say("everything is kept in %s", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	t, err := newDemoTenant(dir, s)
	if err != nil {
		return err
	}
	defer t.close()
	c, problems := config.Load(t.file)
	if a.printProblems(problems) > 0 || c == nil {
		return errors.New("the demo's own configuration does not hold; this is a defect of ours")
	}
	log := slog.New(slog.DiscardHandler)
	if o.verbose {
		log = slog.New(slog.NewTextHandler(a.Stderr, nil))
	}
	d, err := daemon.New(ctx, daemon.Options{Config: c, Version: version, Log: log})
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	started := false
	defer func() {
		stop()
		if started {
			err = errors.Join(err, <-ended)
		} else {
			err = errors.Join(err, d.Close())
		}
	}()

	p := &performance{app: a, tenant: t, story: s, at: place{c.Data, "default"}}
	p.introduce()
	within, cancel := context.WithTimeout(ctx, demoWithin)
	defer cancel()
	err = p.play(within, func() (*client, error) {
		started = true
		go func() { ended <- d.Run(run) }()
		return need(c.Data)
	})
	if ctx.Err() != nil {
		return nil // Ctrl-C: whoever has seen enough needs no error
	}
	if err != nil {
		return err
	}
	if err := p.report(ctx); err != nil {
		return err
	}
	if o.serve {
		p.invite(c)
		<-ctx.Done()
		return nil
	}
	if len(p.missing) > 0 {
		return errSilent
	}
	return nil
}

// invite says what can be tried while everything runs.
func (p *performance) invite(c *config.Config) {
	program := filepath.Clean(os.Args[0])
	p.out("\n%s", p.paint(bold, "Still running; Ctrl-C ends it and removes everything. In another terminal:"))
	p.out("")
	for _, words := range []string{
		"status --data " + c.Data,
		"incident show 1 --data " + c.Data,
		"incident ack 1 --by you --reason \"opened safe 1\" --data " + c.Data,
		"query --data " + c.Data + " \"SigninLogs | summarize count() by ResultType\"",
		"rule list --data " + c.Data,
	} {
		p.out("  %s %s", program, words)
	}
	p.out("\nThe configuration, as you would write it: %s and %s", c.File, p.tenant.described)
}
