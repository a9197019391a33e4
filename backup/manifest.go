// Package backup copies what an installation keeps, while it runs, and puts such
// a copy in place again.
//
// The order of copying is what makes a backup consistent although no transaction
// spans both stores: the control store first, the event stores after it. So every
// record that a watermark says was judged, and every record that an alert names,
// is in the copy, since records only come. What came between the two copies is in
// the event store alone, and is judged once more after a restore, which gives the
// same ids. Cursors lie in the event stores beside their rows, and rejects are
// written before the cursor that passes them, so those are copied last.
package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"glassward/logstore"
	"glassward/state"
)

// ManifestName is the file in a backup that says what belongs to it.
const ManifestName = "manifest.json"

// format is the version of a backup's form.
const format = 1

// What a backup is of.
const (
	// Installation: the whole data folder.
	Installation = "installation"
	// Workspace: one tenant's event store, without incidents, journal and tokens,
	// which belong to the installation.
	Workspace = "workspace"
)

// A Manifest says what a backup holds.
type Manifest struct {
	Format int `json:"format"`
	// Scope is Installation or Workspace.
	Scope string `json:"scope"`
	// Program is the version of the Glassward that made it.
	Program string `json:"program"`
	// Taken is when copying began.
	Taken time.Time `json:"taken"`
	// State is the control store's copy, nil in a backup of a workspace.
	State      *state.Copy `json:"state,omitempty"`
	Workspaces []Tenant    `json:"workspaces"`
	Files      []File      `json:"files"`
}

// A Tenant is one workspace in a backup.
type Tenant struct {
	Tenant string `json:"tenant"`
	logstore.Copy
}

// A File is one file of a backup.
type File struct {
	// Path is below the backup's folder, with slashes.
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// ErrNewer is wrapped where a backup holds what only a newer program can read.
var ErrNewer = errors.New("it was made by a newer Glassward: restore it with that one")

// tenant finds a workspace.
func (m *Manifest) tenant(name string) (Tenant, bool) {
	for _, t := range m.Workspaces {
		if strings.EqualFold(t.Tenant, name) {
			return t, true
		}
	}
	return Tenant{}, false
}

// readManifest reads a manifest and says whether this program can restore it.
func readManifest(dir string) (*Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no backup, or one that did not finish: it has no %s", dir, ManifestName)
	}
	if err != nil {
		return nil, err
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, ManifestName), err)
	}
	if m.Format > format {
		return nil, fmt.Errorf("backup %s: %w (its form has version %d and this program knows %d)", dir, ErrNewer, m.Format, format)
	}
	if m.Format < 1 || m.Scope != Installation && m.Scope != Workspace || m.Scope == Installation && m.State == nil {
		return nil, fmt.Errorf("%s: this is no manifest of a backup", filepath.Join(dir, ManifestName))
	}
	if m.State != nil {
		known, err := state.SchemaVersion()
		if err != nil {
			return nil, err
		}
		if m.State.Schema > known {
			return nil, fmt.Errorf("backup %s: %w (its control store has schema %d and this program knows %d)", dir, ErrNewer, m.State.Schema, known)
		}
	}
	if m.Scope == Workspace && len(m.Workspaces) != 1 {
		return nil, fmt.Errorf("%s: it is of one workspace and names %d", filepath.Join(dir, ManifestName), len(m.Workspaces))
	}
	named := map[string]bool{}
	for _, w := range m.Workspaces {
		// The name becomes a folder, and a backup may come from anywhere.
		if !plain(w.Tenant) || named[strings.ToLower(w.Tenant)] {
			return nil, fmt.Errorf("%s: it names the workspace %q, which cannot be", filepath.Join(dir, ManifestName), w.Tenant)
		}
		named[strings.ToLower(w.Tenant)] = true
		if w.Format > logstore.FormatVersion {
			return nil, fmt.Errorf("backup %s: %w (the log store of %s has form %d and this program knows %d)", dir, ErrNewer, w.Tenant, w.Format, logstore.FormatVersion)
		}
	}
	return &m, nil
}

// plain reports whether a name can be that of a workspace's folder: one that leads
// nowhere else and is none that a restore has put aside.
func plain(name string) bool {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r) {
			return false
		}
	}
	return name != "" && len(name) <= 200 && filepath.IsLocal(name) && !strings.HasPrefix(name, ".") && !strings.Contains(name, replacedMark)
}

// Verify reads a backup from end to end and compares it with its manifest: every
// file that it names is there as it was, and no other.
func Verify(ctx context.Context, dir string) (*Manifest, error) {
	// The name may be a link to the newest of several backups.
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{ManifestName: true}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) || named[f.Path] || strings.HasPrefix(f.Path, "restore.") {
			return nil, fmt.Errorf("backup %s: the manifest names the file %q, which cannot be", dir, f.Path)
		}
		named[f.Path] = true
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if !named[filepath.ToSlash(rel)] {
			return fmt.Errorf("backup %s: %s is not in its manifest: take it away, or take another backup", dir, rel)
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("backup %s: %s is no file but %s: a backup holds files alone, take another", dir, rel, d.Type())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		have, err := sum(ctx, filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			return nil, fmt.Errorf("backup %s: %w", dir, err)
		}
		if have.Size != f.Size || have.SHA256 != f.SHA256 {
			return nil, fmt.Errorf("backup %s: %s is not what it was: %d bytes with SHA-256 %s, and the manifest says %d with %s: take another backup", dir, f.Path, have.Size, have.SHA256, f.Size, f.SHA256)
		}
	}
	return m, nil
}

// sum reads a file.
func sum(ctx context.Context, path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	var size int64
	for {
		if err := ctx.Err(); err != nil {
			return File{}, err
		}
		n, err := io.CopyN(h, f, 8<<20)
		size += n
		if err == io.EOF {
			return File{Size: size, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
		}
		if err != nil {
			return File{}, err
		}
	}
}
