package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"glassward/backup"
	"glassward/console"
	"glassward/logstore"
	"glassward/state"
)

func (a *app) backupCommand() *cobra.Command {
	var data, tenant, format string
	cmd := &cobra.Command{
		Use: "backup FOLDER", Short: "Copy everything that is kept, while the daemon runs", Args: args(cobra.ExactArgs(1)),
		Long: `Copies the data folder, or with --tenant one workspace, into a new FOLDER: control
store, event stores, keys and rejects, as they belong together, with a manifest of
SHA-256. The daemon goes on taking in and alarming. The folder gets its name when
everything in it is on the disk; nothing is written over.

Without a daemon it works on the files. Configuration, tenant files and rules are
not in the data folder: keep them beside the backup.`,
		Example: `  glassward backup /var/backups/glassward/$(date +%F) --data /var/lib/glassward
  glassward backup /mnt/usb/contoso --tenant Contoso --data /var/lib/glassward`,
		RunE: func(cmd *cobra.Command, list []string) error {
			to, err := filepath.Abs(list[0])
			if err != nil {
				return err
			}
			var taken *backup.Taken
			c, err := dial(data)
			switch {
			case err == nil:
				err = c.call(cmd.Context(), "POST", "/v1/backup", console.Backup{To: to, Tenant: tenant}, &taken)
			case errors.Is(err, errNoDaemon):
				taken, err = a.backupFiles(cmd, data, tenant, to)
			}
			if err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(taken)
			}
			fmt.Fprintf(a.Stdout, "%s  %s\n", taken.ManifestSHA256, filepath.Join(taken.Path, backup.ManifestName))
			a.say("backed up %s, %s, in %s; intake waited %s at most", counted(len(taken.Manifest.Workspaces), "workspace", "workspaces"), bytesText(taken.Bytes), taken.Took.Round(time.Millisecond), taken.Held.Round(100*time.Microsecond))
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "data", "data folder")
	cmd.Flags().StringVar(&tenant, "tenant", "", "one workspace alone, by the tenant's id or name")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

// backupFiles backs up where no daemon runs.
func (a *app) backupFiles(cmd *cobra.Command, data, tenant, to string) (_ *backup.Taken, err error) {
	if tenant != "" {
		if tenant, err = workspaceOf(data, tenant); err != nil {
			return nil, err
		}
	}
	s, closeAll, err := backup.Open(cmd.Context(), data, tenant, version)
	if err != nil {
		return nil, inUse(err)
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	return backup.Take(cmd.Context(), to, s)
}

// inUse adds what to do to an error of a store that somebody else has open.
func inUse(err error) error {
	var locked *logstore.LockedError
	if errors.As(err, &locked) || errors.Is(err, state.ErrLocked) {
		return hint(err, "stop glassward serve, or run this as its user: then it is asked to do it")
	}
	return err
}

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
