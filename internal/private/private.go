// Package private keeps what is its owner's alone that way: folders and files
// that no other user of the machine may read, on Unix by their mode, on Windows
// by their access list.
package private

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"glassward/internal/fault"
)

// ErrExposed is wrapped by Check's error where others than the owner can read a
// file or enter a folder.
var ErrExposed = errors.New("others can read it")

// MkdirAll makes a folder that only its owner can enter, and the folders above
// it. One that is there already stays as it is: Check says whether it will do.
func MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return seal(dir)
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error { return syncDir(dir) }

// Sync makes a file's content durable, or a folder's names.
func Sync(path string) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return SyncDir(path)
	}
	// Not every system flushes what was opened for reading.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

// WriteFile puts a file that only its owner can read in place: whole and
// durable, or not at all.
func WriteFile(name string, content []byte) (err error) {
	part, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*") // its mode is 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", name, err), ignoreAbsent(os.Remove(part.Name())))
		}
	}()
	if err := flush(part, content); err != nil {
		return err
	}
	if err := fault.Point("private.write.before"); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), name); err != nil {
		return err
	}
	if err := fault.Point("private.write.after"); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(name))
}

// flush writes content, makes it durable and closes the file.
func flush(f *os.File, content []byte) error {
	_, err := f.Write(content)
	if err == nil {
		err = fault.Point("private.flush.before")
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Copy copies a file to a name that must not exist, durably but for the name
// itself: the folder is the caller's to flush. limit bounds the bytes; a
// negative one means all that there is.
func Copy(ctx context.Context, from, to string, limit int64) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return CopyFrom(ctx, in, to, limit)
}

// flushEvery is how much of a copy is written between two flushes: a flush of
// gigabytes at the end would hold up whoever else flushes at that moment.
const flushEvery = 8 << 20

// CopyFrom is Copy from what is open.
func CopyFrom(ctx context.Context, in io.Reader, to string, limit int64) (err error) {
	if limit >= 0 {
		in = io.LimitReader(in, limit)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(out, in, flushEvery)
		if err != nil && err != io.EOF {
			return err
		}
		if err := fault.Point("private.copy.before"); err != nil {
			return err
		}
		if err := out.Sync(); err != nil {
			return err
		}
		if n < flushEvery {
			return nil
		}
	}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
