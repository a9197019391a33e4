package ingest

import (
	"compress/gzip"
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
	"slices"
	"strings"

	"glassward"
)

// Files is the Source of files that are read once, from beginning to end.
type Files struct {
	paths []string
	o     DecoderOptions
	sum   Summary
}

// NewFiles makes a Source of files. A pattern is a path or a glob; one that no
// file matches is an error, so that a slip of the pen is not taken for an empty
// folder. Records have the source "file:PATH" and the provenance File unless the
// options say otherwise.
func NewFiles(patterns []string, o DecoderOptions) (*Files, error) {
	if o.Provenance == "" {
		o.Provenance = glassward.File
	}
	f := &Files{o: o}
	for _, p := range patterns {
		matches := []string{p}
		info, err := os.Stat(p)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			if matches, err = filepath.Glob(p); err != nil {
				return nil, fmt.Errorf("%s: %w", p, err)
			}
			if len(matches) == 0 {
				return nil, fmt.Errorf("%s: there is no such file and no file matches it", p)
			}
		} else if info.IsDir() {
			return nil, fmt.Errorf("%s is a folder: name its files, e.g. %s, or follow the folder", p, filepath.Join(p, "*.json"))
		}
		for _, m := range matches {
			if info, err := os.Stat(m); err == nil && info.IsDir() {
				continue
			}
			if !slices.Contains(f.paths, m) {
				f.paths = append(f.paths, m)
			}
		}
	}
	return f, nil
}

// Name gives the source's name: that of its file, or "files".
func (f *Files) Name() string {
	if len(f.paths) == 1 {
		return "file:" + f.paths[0]
	}
	return "files"
}

// Paths gives the files in the order in which they are read.
func (f *Files) Paths() []string { return slices.Clone(f.paths) }

// Summary counts what Run has read.
func (f *Files) Summary() Summary { return f.sum.clone() }

// Run reads the files one after another. A file that cannot be read to its end
// does not keep the next from being read; the errors come together at the end.
func (f *Files) Run(ctx context.Context, cursors Cursors, emit Emit) error {
	var errs []error
	for _, path := range f.paths {
		o := f.o
		if o.Source == "" {
			o.Source = "file:" + path
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		r := fileReader{key: "file:" + abs, path: path, o: o}
		if err := r.load(ctx, cursors); err != nil {
			return err
		}
		sum, err := r.read(ctx, false, emit)
		f.sum.Add(sum)
		var stop *emitError
		switch {
		case errors.As(err, &stop):
			return stop.error
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// emitError marks an error of emit, which ends a source, as against an error of
// one file, which does not.
type emitError struct{ error }

func (e *emitError) Unwrap() error { return e.error }

// filePosition is the position of a file in a Cursor.
type filePosition struct {
	// ID names the file apart from its path, where the system has such a thing.
	ID string `json:"id,omitempty"`
	// Head is the SHA-256 of the first HeadLength bytes: a file that begins
	// otherwise is another one.
	Head       string `json:"head"`
	HeadLength int64  `json:"headLength"`
	State      State  `json:"state"`
}

const maxHead = 1024

// fileBatch is the size of a file's batches: each costs a commit.
const fileBatch = 2048

// fileReader reads one file from where it was left.
type fileReader struct {
	key, path string
	o         DecoderOptions
	position  *filePosition // nil if the file was never read
	// rewritten is set when the file was found to be another one than before.
	rewritten bool
	// rest is set when bytes are left at the end that make no record yet.
	rest bool
}

func (f *fileReader) load(ctx context.Context, cursors Cursors) error {
	if cursors == nil {
		return nil
	}
	text, ok, err := cursors.Cursor(ctx, f.key)
	if err != nil || !ok {
		return err
	}
	var p filePosition
	if json.Unmarshal(text, &p) == nil {
		// A position that cannot be read is none: reading again adds nothing.
		f.position = &p
	}
	return nil
}

// headOf gives the hash of a file's first n bytes; false if it is shorter.
func headOf(file io.ReaderAt, n int64) (string, bool) {
	b := make([]byte, n)
	if got, err := file.ReadAt(b, 0); int64(got) < n || err != nil && err != io.EOF {
		return "", false
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), true
}

// matches reports whether a position belongs to a file.
func (p *filePosition) matches(file io.ReaderAt, size int64) bool {
	if p.HeadLength > size {
		return false
	}
	head, ok := headOf(file, p.HeadLength)
	return ok && head == p.Head
}

// read reads what is new in the file and gives it to emit. A growing file's
// incomplete end is left for the next time.
func (f *fileReader) read(ctx context.Context, growing bool, emit Emit) (Summary, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return Summary{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Summary{}, err
	}
	var magic [2]byte
	n, _ := file.ReadAt(magic[:], 0)
	packed := n == 2 && magic[0] == 0x1f && magic[1] == 0x8b
	if p := f.position; p != nil && (!p.matches(file, info.Size()) || !packed && p.State.Offset > info.Size()) {
		f.position, f.rewritten = nil, true
	}
	if f.position == nil {
		f.position = &filePosition{State: State{Line: 1}}
	}
	p := f.position
	p.ID = fileID(info)
	p.HeadLength = min(info.Size(), maxHead)
	p.Head, _ = headOf(file, p.HeadLength)

	var r io.Reader = file
	o := f.o
	o.Growing = growing && !packed
	o.Fill = true
	if o.BatchRecords == 0 {
		o.BatchRecords = fileBatch
	}
	if p.State.Offset > 0 {
		state := p.State
		o.Resume = &state
		if packed {
			z, err := gzip.NewReader(file)
			if err != nil {
				return Summary{}, fmt.Errorf("%s: %w", f.path, err)
			}
			defer z.Close()
			if _, err := io.CopyN(io.Discard, z, p.State.Offset); err != nil {
				return Summary{}, fmt.Errorf("%s: unpack to byte %d: %w", f.path, p.State.Offset, err)
			}
			r = z
		} else if _, err := file.Seek(p.State.Offset, io.SeekStart); err != nil {
			return Summary{}, err
		}
	}
	d, err := NewDecoder(r, o)
	if err != nil {
		return Summary{}, err
	}
	last, err := drain(ctx, d, func(b *Batch, state State) error {
		// A state that emit did not take must not be kept.
		next := *p
		next.State = state
		text, err := json.Marshal(next)
		if err == nil {
			err = emit(ctx, b, &Cursor{Source: f.key, Position: text})
		}
		if err != nil {
			return &emitError{err}
		}
		p.State = next.State
		return nil
	})
	if err == nil {
		p.State = last.state
	}
	f.rest = !packed && p.State.Offset < info.Size()
	return last.sum, err
}

// hidden reports whether a name is one of those that writers give to files that
// are not ready.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") || strings.HasSuffix(name, "~") ||
		strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".part") || strings.HasSuffix(name, ".swp")
}
