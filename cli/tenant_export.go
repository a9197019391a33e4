package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

func (a *app) tenantExportCommand() *cobra.Command {
	var file, to, format string
	cmd := &cobra.Command{
		Use:   "export NAME --to FILE.zip",
		Short: "Write everything that is kept of a tenant into a file that it can take along",
		Long: `Writes one zip: the tenant's file (which names secrets and holds none), every record
as a line of JSON by table, records byte for byte where they are kept so, incidents
with alerts, timeline and deliveries, this tenant's entries of the evidence journal,
the rules that judged, and a manifest of SHA-256. README.txt in it says what is
what, and how the records are taken in again.

Where a daemon runs it goes on meanwhile. A workspace whose tenant file is gone is
named by the tenant's id. The file is compared with its manifest before it gets its
name; nothing is written over.`,
		Example: `  glassward tenant export Contoso --to /mnt/usb/contoso.zip --config /etc/glassward/glassward.yaml`,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if to == "" {
				return usagef("say where to with --to FILE.zip")
			}
			if _, err := os.Stat(to); err == nil {
				return hint(fmt.Errorf("%s is there already", to), "give another name: nothing is written over")
			}
			c, _, err := a.loadConfig(file)
			if err != nil {
				return err
			}
			m, err := a.export(cmd.Context(), c, list[0], to)
			if err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(a.Stdout).Encode(m)
			}
			var records, size int64
			for _, f := range m.Files {
				size += f.Bytes
				if strings.HasPrefix(f.Name, "records/") {
					records += f.Lines
				}
			}
			fmt.Fprintf(a.Stdout, "%s: %d records, %s, %s before packing\n", to, records, counted(len(m.Files), "file", "files"), bytesText(size))
			return nil
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&to, "to", "", "zip file to write")
	outputFlag(cmd, &format, "table", "json")
	return cmd
}

// export writes the file beside its place, compares it with its manifest, and
// only then gives it its name.
func (a *app) export(ctx context.Context, c *config.Config, tenant, to string) (*daemon.ExportManifest, error) {
	part := to + ".part"
	// One that an interrupted export left is of no use to anybody.
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	in, out := io.Pipe()
	go func() { out.CloseWithError(a.exportTo(ctx, c, tenant, out)) }()
	err := private.CopyFrom(ctx, in, part, -1)
	in.CloseWithError(err)
	var m *daemon.ExportManifest
	if err == nil {
		m, err = verifyExport(part)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(part))
	}
	// A link refuses a name that somebody has taken meanwhile; a rename would not.
	// Where there are no links, as on a stick, the copy does.
	if err := os.Link(part, to); err != nil {
		if err := private.Copy(ctx, part, to, -1); err != nil {
			return nil, fmt.Errorf("the export is whole and stays as %s: %w", part, err)
		}
	}
	return m, errors.Join(os.Remove(part), private.SyncDir(filepath.Dir(to)))
}

// exportTo writes the export, by the daemon if one runs.
func (a *app) exportTo(ctx context.Context, c *config.Config, tenant string, to io.Writer) (err error) {
	d, gone := dial(c.Data)
	switch {
	case gone == nil:
		body, err := json.Marshal(console.Departure{Tenant: tenant})
		if err != nil {
			return err
		}
		return d.send(ctx, "POST", "/v1/export", bytes.NewReader(body), to)
	case !errors.Is(gone, errNoDaemon):
		return gone
	}
	e := daemon.Export{Program: version, Now: time.Now}
	if t, ok := c.Tenant(tenant); ok {
		e.Tenant, e.Name, e.File = t.ID, t.Name, t.File
	} else if e.Tenant, err = daemon.Kept(c.Data, tenant); errors.Is(err, console.ErrNoSuch) {
		return unknownTenant(tenant, c)
	} else if err != nil {
		return err
	}
	// Having the control store open keeps a daemon from starting meanwhile.
	if e.State, err = state.Open(ctx, c.Data, state.Options{}); err != nil {
		return inUse(err)
	}
	defer func() { err = errors.Join(err, e.State.Close()) }()
	if e.Store, _, err = openWatching(ctx, c.Data, e.Tenant, nil); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Store.Close()) }()
	e.Rejects = daemon.RejectsPath(c.Data, e.Tenant)
	_, err = e.Write(ctx, to)
	return err
}

// verifyExport compares every file of an export with its manifest.
func verifyExport(path string) (*daemon.ExportManifest, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("the export is not whole: %w", err)
	}
	defer z.Close()
	var m daemon.ExportManifest
	sums := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		hash := sha256.New()
		if f.Name == "manifest.json" {
			err = json.NewDecoder(r).Decode(&m)
		} else {
			_, err = io.Copy(hash, r)
			sums[f.Name] = hex.EncodeToString(hash.Sum(nil))
		}
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("the export is not whole: %s: %w", f.Name, err)
		}
	}
	if len(m.Files) == 0 || len(m.Files) != len(sums) {
		return nil, fmt.Errorf("the export is not whole: its manifest names %d files and it has %d", len(m.Files), len(sums))
	}
	for _, f := range m.Files {
		if sums[f.Name] != f.SHA256 {
			return nil, fmt.Errorf("the export is not whole: %s is not what the manifest says", f.Name)
		}
	}
	return &m, nil
}
