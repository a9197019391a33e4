package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassward/config"
	"glassward/console"
	"glassward/daemon"
	"glassward/internal/private"
	"glassward/state"
)

// A removal is what tenant remove was asked to do, and what it has done.
type removal struct {
	Tenant string `json:"tenant"`
	Name   string `json:"name,omitempty"`
	// File is where the tenant's file lies now, Told says whether its people were
	// told by a running daemon.
	File string            `json:"file,omitempty"`
	Told bool              `json:"told"`
	Gone *daemon.Forgotten `json:"removed,omitempty"`
}

func (a *app) tenantRemoveCommand() *cobra.Command {
	var file, yes, format string
	var keep, remove bool
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Watch a tenant no longer",
		Long: `Puts the tenant's file aside and has the running daemon read its configuration
again: the tenant's people are told first, then nothing is watched any more. What is
kept stays in the data folder, and can be exported by the tenant's id.

--delete-data removes that, too: the workspace's folder, and the tenant's incidents,
alerts, notices and tokens in the control store. It asks for the tenant's name, or
takes it by --yes. What remains is the tenant's entries of the evidence journal and
the records that these name, since every entry's hash covers the one before it.`,
		Example: `  glassward tenant remove Contoso
  glassward tenant export Contoso --to contoso.zip && glassward tenant remove Contoso --delete-data --yes Contoso`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if keep && remove {
				return usagef("--keep-data or --delete-data, not both")
			}
			c, _, err := a.loadConfig(file)
			if err != nil {
				return err
			}
			t, configured := c.Tenant(list[0])
			if !configured {
				id, err := daemon.Kept(c.Data, list[0])
				if errors.Is(err, console.ErrNoSuch) {
					return unknownTenant(list[0], c)
				}
				if err != nil {
					return err
				}
				if !remove {
					return hint(fmt.Errorf("no tenant file names %s; only what is kept of it is there", id), "remove that with --delete-data")
				}
				t.ID, t.Name = id, id
			}
			if remove {
				if err := a.confirm(t.Name, yes); err != nil {
					return err
				}
			}
			done, err := a.removeTenant(cmd.Context(), c, t, configured, remove)
			if err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(done)
			}
			a.printRemoval(c, done)
			return nil
		},
	}
	configFlag(cmd, &file)
	f := cmd.Flags()
	f.BoolVar(&keep, "keep-data", false, "keep what is in the data folder (the default)")
	f.BoolVar(&remove, "delete-data", false, "remove what is kept of the tenant")
	f.StringVar(&yes, "yes", "", "the tenant's name, instead of typing it")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

// confirm has the name typed of what is about to be removed for ever.
func (a *app) confirm(name, yes string) error {
	typed := yes
	if typed == "" {
		fmt.Fprintf(a.Stderr, "What is kept of %s is removed for ever. Type its name: ", line(name))
		in := bufio.NewScanner(a.Stdin)
		in.Scan()
		typed = strings.TrimSpace(in.Text())
	}
	if !strings.EqualFold(typed, name) {
		return hint(fmt.Errorf("nothing was changed: %q is not %s", line(typed), line(name)), "type the name as tenant list shows it, or give it with --yes")
	}
	return nil
}

func (a *app) removeTenant(ctx context.Context, c *config.Config, t config.Tenant, configured, remove bool) (done removal, err error) {
	done = removal{Tenant: t.ID, Name: t.Name}
	d, gone := dial(c.Data)
	if gone != nil && !errors.Is(gone, errNoDaemon) {
		return done, gone
	}
	if configured {
		if done.File, err = aside(ctx, t.File); err != nil {
			return done, err
		}
		if gone == nil {
			if err := d.call(ctx, "POST", "/v1/reload", nil, nil); err != nil {
				// As it was: a tenant that is watched has its file.
				return done, errors.Join(fmt.Errorf("the daemon did not let go of the tenant: %w", err), private.Copy(ctx, done.File, t.File, -1), os.Remove(done.File))
			}
			done.Told = true
		}
	}
	if !remove {
		return done, nil
	}
	if gone == nil {
		return done, d.call(ctx, "POST", "/v1/forget", console.Departure{Tenant: t.ID}, &done.Gone)
	}
	control, err := state.Open(ctx, c.Data, state.Options{})
	if err != nil {
		return done, inUse(err)
	}
	f, err := daemon.Forget(ctx, c.Data, t.ID, control, "local")
	done.Gone = &f
	return done, errors.Join(err, control.Close())
}

// aside puts a tenant's file where no configuration is read, under a name of
// that day: first the copy, durably, then the file goes.
func aside(ctx context.Context, file string) (string, error) {
	to := file + ".removed-" + time.Now().UTC().Format("20060102T150405Z")
	if err := private.Copy(ctx, file, to, -1); err != nil {
		return "", fmt.Errorf("put the tenant's file aside: %w", err)
	}
	if err := errors.Join(private.SyncDir(filepath.Dir(to)), os.Remove(file), private.SyncDir(filepath.Dir(to))); err != nil {
		return "", fmt.Errorf("put the tenant's file aside: %w", err)
	}
	return to, nil
}

func (a *app) printRemoval(c *config.Config, done removal) {
	if done.File != "" {
		fmt.Fprintf(a.Stdout, "%s is watched no longer; its file is %s\n", line(done.Name), done.File)
		if !done.Told {
			a.say("no daemon runs: the tenant's people are told when one starts")
		}
	}
	g := done.Gone
	if g == nil {
		fmt.Fprintf(a.Stdout, "what is kept of it stays in %s; export it with glassward tenant export %s\n", daemon.WorkspaceDir(c.Data, done.Tenant), done.Tenant)
		return
	}
	if g.Folder != "" {
		fmt.Fprintf(a.Stdout, "removed %s\n", g.Folder)
	}
	fmt.Fprintf(a.Stdout, "removed %s, %s, %s, %s\n", counted(int(g.Incidents), "incident", "incidents"), counted(int(g.Alerts), "alert", "alerts"), counted(int(g.Notices), "notice", "notices"), counted(int(g.Tokens), "token", "tokens"))
	if g.Owed > 0 {
		a.say("%s had not been taken by anybody yet", counted(int(g.Owed), "delivery", "deliveries"))
	}
	fmt.Fprintf(a.Stdout, "%s of the evidence journal and %s that they name remain: the chain's hashes cover them\n", counted(int(g.Journal), "entry", "entries"), counted(int(g.Evidence), "record", "records"))
}
