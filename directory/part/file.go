// Package part is what those who read a snapshot share: the file that a part goes to on
// its way to the disk, and which failures are worth another try.
package part

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"glassward/directory"
	"glassward/entra"
)

// A File is a part on its way to the disk: documents after one another, each as it
// was answered.
type File struct {
	// Request is what was asked, as the manifest has it; Documents is how many were
	// written.
	Request   string
	Documents int

	part directory.Part
	name string
	f    *os.File
	w    *bufio.Writer
	sum  hash.Hash
}

// Create makes the file of a part in the folder of a snapshot, or empties it.
func Create(dir string, p directory.Part, request string) (*File, error) {
	name := string(p) + ".json"
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	x := &File{Request: request, part: p, name: name, f: f, sum: sha256.New()}
	x.w = bufio.NewWriterSize(io.MultiWriter(f, x.sum), 1<<16)
	return x, nil
}

// A Trouble is why a part is not whole.
type Trouble struct {
	Reason     string
	Permission string // which would have read it, if it is for want of one
	// Unasked says that the part is whole, and only a property of its objects is not there.
	Unasked bool
}

// Entry ends the file and gives the part's entry in the manifest: read at a time, with
// what kept it from being whole, nil if nothing did. A file in which nothing stands is
// removed; then nothing was read.
func (x *File) Entry(at time.Time, t *Trouble) (directory.ManifestPart, error) {
	entry := directory.ManifestPart{Part: x.part, Request: x.Request}
	if t != nil {
		entry.Reason, entry.Permission, entry.Incomplete = t.Reason, t.Permission, !t.Unasked
	}
	if x.Documents == 0 {
		entry.Incomplete = false // nothing is there that more could be missing of
		if entry.Reason == "" {
			entry.Reason = "nothing was answered"
		}
		return entry, x.Discard()
	}
	at = at.UTC()
	entry.Read = &at
	file, err := x.Finish()
	entry.Files = []directory.ManifestFile{file}
	return entry, err
}

// Name is the file's name within the folder.
func (x *File) Name() string { return x.name }

// Write adds a document.
func (x *File) Write(document []byte) error {
	x.Documents++
	if _, err := x.w.Write(bytes.TrimSpace(bytes.TrimPrefix(document, []byte("\ufeff")))); err != nil {
		return err
	}
	return x.w.WriteByte('\n')
}

// Restart throws away what was written.
func (x *File) Restart() error {
	x.Documents = 0
	x.w.Reset(io.MultiWriter(x.f, x.sum))
	x.sum.Reset()
	if err := x.f.Truncate(0); err != nil {
		return err
	}
	_, err := x.f.Seek(0, io.SeekStart)
	return err
}

// Finish writes what is left and gives the file as the manifest names it.
func (x *File) Finish() (directory.ManifestFile, error) {
	if err := x.w.Flush(); err != nil {
		return directory.ManifestFile{}, err
	}
	f := x.f
	x.f = nil
	return directory.ManifestFile{Path: x.name, SHA256: hex.EncodeToString(x.sum.Sum(nil))}, f.Close()
}

// Discard removes a file in which nothing stands.
func (x *File) Discard() error {
	name := x.f.Name()
	x.Close()
	return os.Remove(name)
}

// Close gives up a file that was not finished.
func (x *File) Close() {
	if x.f != nil {
		_ = x.f.Close() // what matters was closed by Finish
		x.f = nil
	}
}

// Whole says whether an entry of a manifest is whole and the folder holds its files as
// they were written, so that it need not be read again.
func Whole(dir string, p directory.ManifestPart) bool {
	if p.Read == nil || p.Incomplete || p.Permission != "" || len(p.Files) == 0 {
		return false
	}
	for _, f := range p.Files {
		if !same(filepath.Join(dir, filepath.FromSlash(f.Path)), f.SHA256) {
			return false
		}
	}
	return true
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

// Tries is how often a request is made that fails in a way that passes.
const Tries = 5

// Backoff gives the pauses between tries.
func Backoff() *entra.Backoff { return &entra.Backoff{First: 2 * time.Second, Ceiling: time.Minute} }

// Again waits before a request is made again, and says whether it is worth it.
func Again(ctx context.Context, err error, b *entra.Backoff) bool {
	var f *entra.Fault
	if !errors.As(err, &f) || b.Failures() >= Tries-1 {
		return false
	}
	switch {
	case f.Kind == entra.FaultThrottled, f.Kind == entra.FaultOutage && (f.Status == 0 || f.Status >= 500 || f.Status == 408):
	case f.Kind == entra.FaultContent && (f.Code == "CutBody" || f.Code == "EmptyBody"):
	default:
		return false
	}
	return b.Wait(ctx, err) == nil
}
