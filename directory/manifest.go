package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// ManifestName is the file that makes a folder or archive a snapshot, and
// FormatVersion the version of the format that is written and the newest that is
// read.
const (
	ManifestName  = "manifest.json"
	FormatVersion = 1
	formatName    = "glassward-snapshot"
)

// A Manifest says what a snapshot holds and how each part was got.
type Manifest struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Tenant  string    `json:"tenantId,omitempty"`
	Taken   time.Time `json:"taken"`
	// Parts are the requests that were made, one entry each. A part may have several.
	Parts []ManifestPart `json:"parts"`
}

// A ManifestPart is one request and what came of it.
type ManifestPart struct {
	Part Part `json:"part"`
	// Object is the id of the object that was asked for, of parts that are read for
	// each. A $batch answer needs none: the ids of its responses are those of the objects.
	Object string `json:"object,omitempty"`
	// Request is what was asked, as "GET /v1.0/users?$select=id".
	Request string `json:"request,omitempty"`
	// Read is when it was read. Without it, Reason says why it was not, and Permission
	// what would have been needed.
	Read       *time.Time `json:"read,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	Permission string     `json:"permission,omitempty"`
	// Incomplete says that there was more than Files hold; Reason says why.
	Incomplete bool           `json:"incomplete,omitempty"`
	Files      []ManifestFile `json:"files,omitempty"`
}

// A ManifestFile is a file of answers as they came, with its SHA-256 in hexadecimal.
type ManifestFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// Seal writes the manifest of a folder whose other files are written, with their
// hashes; m is not changed. Format and Version are set by Seal.
func Seal(dir string, m Manifest) error {
	m.Format, m.Version = formatName, FormatVersion
	m.Parts = slices.Clone(m.Parts)
	for i := range m.Parts {
		files := slices.Clone(m.Parts[i].Files)
		for j := range files {
			if !fs.ValidPath(files[j].Path) {
				return fmt.Errorf("seal %s: %q is no path within the snapshot", dir, files[j].Path)
			}
			b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(files[j].Path)))
			if err != nil {
				return fmt.Errorf("seal %s: %w", dir, err)
			}
			files[j].SHA256 = digest(b)
		}
		m.Parts[i].Files = files
	}
	return WriteManifest(dir, m)
}

// WriteManifest writes the manifest of a folder as it is, with the hashes that m
// names. Format and Version are set. A folder whose files are still coming is given
// one after each part, so that what is there can be read and gone on with.
func WriteManifest(dir string, m Manifest) error {
	m.Format, m.Version = formatName, FormatVersion
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ManifestName), append(b, '\n'), 0o600)
}

// ReadManifest reads the manifest of a folder. One of a newer version, or with paths
// that lead out of the folder, is refused.
func ReadManifest(dir string) (*Manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if err != nil {
		return nil, err
	}
	return readManifest(b)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// readManifest reads a manifest. One of a newer version, or with paths that lead
// out of the snapshot, is refused.
func readManifest(b []byte) (*Manifest, error) {
	b = toUTF8(b)
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	switch {
	case head.Format != formatName:
		return nil, fmt.Errorf("%s: the format is %q, not %q: this is no snapshot", ManifestName, head.Format, formatName)
	case head.Version > FormatVersion:
		return nil, fmt.Errorf("%s: the snapshot has version %d, and this glassward reads up to %d: use a newer one", ManifestName, head.Version, FormatVersion)
	case head.Version < 1:
		return nil, fmt.Errorf("%s: the version is %d; versions begin at 1", ManifestName, head.Version)
	}
	m := &Manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	for _, p := range m.Parts {
		for _, f := range p.Files {
			if !fs.ValidPath(f.Path) || path.Clean(f.Path) == "." {
				return nil, fmt.Errorf("%s: %w: %q", ManifestName, errClimbs, f.Path)
			}
		}
	}
	return m, nil
}

var errClimbs = errors.New("a path leads out of the snapshot")
