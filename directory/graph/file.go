package graph

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"glassward/directory"
)

// A file is a part on its way to the disk: documents after one another, each as it
// was answered.
type file struct {
	request   string
	name      string
	f         *os.File
	w         *bufio.Writer
	sum       hash.Hash
	documents int
}

func create(dir string, q request) (*file, error) {
	name := string(q.part) + ".json"
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	x := &file{request: q.said(), name: name, f: f, sum: sha256.New()}
	x.w = bufio.NewWriterSize(io.MultiWriter(f, x.sum), 1<<16)
	return x, nil
}

func (x *file) write(document []byte) error {
	x.documents++
	if _, err := x.w.Write(bytes.TrimSpace(bytes.TrimPrefix(document, []byte("\ufeff")))); err != nil {
		return err
	}
	return x.w.WriteByte('\n')
}

// restart throws away what was written.
func (x *file) restart() error {
	x.documents = 0
	x.w.Reset(io.MultiWriter(x.f, x.sum))
	x.sum.Reset()
	if err := x.f.Truncate(0); err != nil {
		return err
	}
	_, err := x.f.Seek(0, io.SeekStart)
	return err
}

// finish writes what is left and gives the file as the manifest names it.
func (x *file) finish() (directory.ManifestFile, error) {
	if err := x.w.Flush(); err != nil {
		return directory.ManifestFile{}, err
	}
	f := x.f
	x.f = nil
	return directory.ManifestFile{Path: x.name, SHA256: hex.EncodeToString(x.sum.Sum(nil))}, f.Close()
}

// discard removes a file in which nothing stands.
func (x *file) discard() error {
	name := x.f.Name()
	x.close()
	return os.Remove(name)
}

func (x *file) close() {
	if x.f != nil {
		_ = x.f.Close() // what matters was closed by finish
		x.f = nil
	}
}

// same reports whether a file has a hash.
func same(name, sum string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return err == nil && strings.EqualFold(hex.EncodeToString(h.Sum(nil)), sum)
}
