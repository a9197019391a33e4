package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"glassward"
)

// FolderOptions says how a folder is followed.
type FolderOptions struct {
	// Decoder says how its files are read. Source and Provenance, if empty, are
	// "file:PATH" and File.
	Decoder DecoderOptions
	// Match holds globs of file names; empty means *.json, *.jsonl, *.ndjson,
	// *.log, *.csv and each of these with .gz.
	Match []string
	// Poll is the time between two looks, one second if 0. Settle is how long a
	// file must be unchanged before an incomplete end is judged, one minute if 0.
	Poll, Settle time.Duration
	// Problem, if not nil, is told of a file that cannot be read, and with a nil
	// error of one that can be read again. A file is tried again when it changes.
	Problem func(path string, err error)
}

// A Folder is the Source of a folder, and the folders in it, whose files appear,
// grow, are renamed, cut and replaced. Each file has a cursor of its own. A file
// that is renamed is read on under its new name; one that begins otherwise than
// before or is shorter than what was read is read from its beginning.
type Folder struct {
	dir   string
	o     FolderOptions
	files map[string]*followed // by path
	sum   Summary
}

// followed is what is known of one file.
type followed struct {
	fileReader
	id      string
	size    int64
	changed time.Time // modification time at the last look
	since   time.Time // when that look was
	settled bool      // its incomplete end has been judged
	failed  bool
}

var defaultMatch = []string{"*.json", "*.jsonl", "*.ndjson", "*.log", "*.csv"}

// NewFolder makes a Source of a folder. The error says that it is none or that a
// glob is malformed.
func NewFolder(dir string, o FolderOptions) (*Folder, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if len(o.Match) == 0 {
		for _, m := range defaultMatch {
			o.Match = append(o.Match, m, m+".gz")
		}
	}
	for _, m := range o.Match {
		if _, err := filepath.Match(m, "x"); err != nil {
			return nil, fmt.Errorf("%s: %w", m, err)
		}
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	if o.Settle <= 0 {
		o.Settle = time.Minute
	}
	if o.Problem == nil {
		o.Problem = func(string, error) {}
	}
	if o.Decoder.Provenance == "" {
		o.Decoder.Provenance = glassward.File
	}
	if o.Decoder.Now == nil {
		o.Decoder.Now = time.Now
	}
	return &Folder{dir: dir, o: o, files: make(map[string]*followed)}, nil
}

// Name gives "folder:" and the folder's path.
func (f *Folder) Name() string { return "folder:" + f.dir }

// Summary counts what Run has read. It must not be called while Run runs.
func (f *Folder) Summary() Summary { return f.sum.clone() }

// Run follows the folder until ctx ends or emit fails.
func (f *Folder) Run(ctx context.Context, cursors Cursors, emit Emit) error {
	ticker := time.NewTicker(f.o.Poll)
	defer ticker.Stop()
	for {
		if err := f.look(ctx, cursors, emit); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// look goes through the folder once.
func (f *Folder) look(ctx context.Context, cursors Cursors, emit Emit) error {
	type found struct {
		path string
		info fs.FileInfo
	}
	var all []found
	err := filepath.WalkDir(f.dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			// What vanished between listing and looking is gone; what cannot be
			// read is told.
			if !errors.Is(err, fs.ErrNotExist) {
				f.o.Problem(path, err)
			}
			return nil
		case e.IsDir() && path != f.dir && hidden(e.Name()):
			return fs.SkipDir
		case !e.Type().IsRegular() || hidden(e.Name()) || !f.matches(e.Name()):
			return nil
		}
		info, err := e.Info()
		if err == nil {
			all = append(all, found{path, info})
		}
		return nil
	})
	if err != nil {
		return err
	}

	// First find out which file is which, then read: a file may have taken the
	// name of another.
	before := f.files
	f.files = make(map[string]*followed, len(all))
	var strangers []found
	for _, x := range all {
		old := before[x.path]
		if old == nil {
			old = f.follow(x.path)
			if err := old.load(ctx, cursors); err != nil {
				return err
			}
			if old.position != nil {
				old.id = old.position.ID
			}
			before[x.path] = old
		}
		if old.position == nil || old.id != "" && old.id != fileID(x.info) || !f.same(old, x.path, x.info) {
			strangers = append(strangers, x)
			continue
		}
		f.files[x.path] = old
		delete(before, x.path)
	}
	for _, x := range strangers {
		t := f.follow(x.path)
		for path, old := range before {
			if path != x.path && old.position != nil && old.position.HeadLength > 0 && (old.id == "" || old.id == fileID(x.info)) && f.same(old, x.path, x.info) {
				t.position, t.settled = old.position, old.settled
				delete(before, path)
				text, err := json.Marshal(t.position)
				if err == nil {
					err = emit(ctx, &Batch{}, &Cursor{Source: t.key, Position: text})
				}
				if err != nil {
					return err
				}
				break
			}
		}
		f.files[x.path] = t
	}

	for _, x := range all {
		if err := f.readFile(ctx, f.files[x.path], x.info, emit); err != nil {
			return err
		}
	}
	return nil
}

func (f *Folder) matches(name string) bool {
	return slices.ContainsFunc(f.o.Match, func(glob string) bool {
		ok, _ := filepath.Match(glob, name)
		return ok
	})
}

func (f *Folder) follow(path string) *followed {
	o := f.o.Decoder
	if o.Source == "" {
		o.Source = "file:" + path
	}
	return &followed{fileReader: fileReader{key: "file:" + path, path: path, o: o}, size: -1}
}

// same reports whether the file at path is the one that t followed. A file of
// which neither size nor time has changed is not opened for that.
func (f *Folder) same(t *followed, path string, info fs.FileInfo) bool {
	if path == t.path && t.id == fileID(info) && t.size == info.Size() && t.changed.Equal(info.ModTime()) {
		return true
	}
	file, err := os.Open(path)
	if err != nil {
		return path == t.path
	}
	defer file.Close()
	return t.position.matches(file, info.Size())
}

func (f *Folder) readFile(ctx context.Context, t *followed, info fs.FileInfo, emit Emit) error {
	now := f.o.Decoder.Now()
	growing, failed := true, t.failed
	switch {
	case t.size != info.Size() || !t.changed.Equal(info.ModTime()):
		t.size, t.changed, t.since = info.Size(), info.ModTime(), now
		t.settled, t.failed = false, false
	case t.rest && !t.settled && !t.failed && now.Sub(t.since) >= f.o.Settle:
		growing, t.settled = false, true
	default:
		return nil
	}
	t.id = fileID(info)
	sum, err := t.read(ctx, growing, emit)
	f.sum.Add(sum)
	var stop *emitError
	switch {
	case errors.As(err, &stop):
		return stop.error
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		t.failed = true
		f.o.Problem(t.path, err)
	case failed:
		f.o.Problem(t.path, nil)
	}
	return nil
}
