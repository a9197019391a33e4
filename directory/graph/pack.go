package graph

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"glassward/directory"
)

// Pack makes a zip archive of the folder of a snapshot: its manifest and the files
// that it names, and nothing else. A file that is there already is refused, and one
// that cannot be finished is removed.
func Pack(dir, name string) (err error) {
	m, err := directory.ReadManifest(dir)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: name another file", name)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			_ = os.Remove(name) // half an archive is none
		}
	}()
	z := zip.NewWriter(out)
	names := []string{directory.ManifestName}
	for _, p := range m.Parts {
		for _, f := range p.Files {
			names = append(names, f.Path)
		}
	}
	for _, n := range names {
		if err := add(z, dir, n, m); err != nil {
			return err
		}
	}
	return z.Close()
}

func add(z *zip.Writer, dir, name string, m *directory.Manifest) error {
	in, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer in.Close()
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: m.Taken})
	if err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return err
}
