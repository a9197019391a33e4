package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"glassward/backup"
	"glassward/console"
	"glassward/rule"
	"glassward/state"
)

func (a *app) restoreCommand() *cobra.Command {
	var data, tenant, format string
	var replace, check bool
	cmd := &cobra.Command{
		Use: "restore FOLDER", Short: "Put a backup in place", Args: args(cobra.ExactArgs(1)),
		Long: `Compares the backup in FOLDER with its manifest, copies it beside what is there,
opens the copy once, and only then moves it into place. A backup of the whole goes
into a data folder that is absent or empty. With --tenant one workspace is restored,
also from a backup of the whole, into a data folder that is in use: through the
daemon if one runs, which goes on with the other tenants. --replace puts the
workspace that is there aside; it is never removed.

After a restore the sources go on where they stood when the backup was taken, and
bring what they still have; what rules have judged gives no new alert. Tokens that
were revoked since are good again: revoke them again.`,
		Example: `  glassward restore /var/backups/glassward/2026-11-21 --data /var/lib/glassward
  glassward restore /mnt/usb/contoso --tenant Contoso --replace --data /var/lib/glassward
  glassward restore /mnt/usb/contoso --check`,
		RunE: func(cmd *cobra.Command, list []string) error {
			from, err := filepath.Abs(list[0])
			if err != nil {
				return err
			}
			if check {
				m, err := backup.Verify(cmd.Context(), from)
				if err != nil {
					return err
				}
				a.say("%s is whole: %s of %s, taken %s by glassward %s", from, m.Scope, counted(len(m.Workspaces), "workspace", "workspaces"), m.Taken.Format(time.RFC3339), m.Program)
				return nil
			}
			var r *backup.Restored
			c, err := dial(data)
			switch {
			case err == nil:
				err = c.call(cmd.Context(), "POST", "/v1/restore", console.Restore{From: from, Tenant: tenant, Replace: replace}, &r)
			case errors.Is(err, errNoDaemon):
				r, err = a.restoreFiles(cmd.Context(), from, data, tenant, replace)
			}
			if err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(r)
			}
			a.say("restored %s as of %s into %s", counted(len(r.Tenants), "workspace", "workspaces"), r.Manifest.Taken.Format(time.RFC3339), data)
			for _, aside := range r.Aside {
				a.say("what was there is kept as %s; remove it when it is not needed", aside)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "data", "data folder")
	f.StringVar(&tenant, "tenant", "", "one workspace alone, by the tenant's id or name")
	f.BoolVar(&replace, "replace", false, "put the workspace that is there aside")
	f.BoolVar(&check, "check", false, "only compare the backup with its manifest")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

// restoreFiles restores where no daemon runs.
func (a *app) restoreFiles(ctx context.Context, from, data, tenant string, replace bool) (_ *backup.Restored, err error) {
	if err := backup.Finish(data); err != nil {
		a.say("%v; beginning again", err)
	}
	to := backup.Target{Data: data, Tenant: tenant, Replace: replace, Judged: rule.Judged, Program: version}
	if _, err := os.Stat(filepath.Join(data, "state.db")); err == nil {
		// Having the control store open keeps a daemon from starting meanwhile.
		if to.State, err = state.Open(ctx, data, state.Options{}); err != nil {
			return nil, inUse(err)
		}
		defer func() { err = errors.Join(err, to.State.Close()) }()
	}
	s, err := backup.Stage(ctx, from, to)
	if err != nil {
		return nil, err
	}
	r, err := s.Commit(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w; run it again", err)
	}
	return r, nil
}
