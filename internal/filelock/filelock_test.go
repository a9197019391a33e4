//go:build unix

package filelock_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"glassward/internal/filelock"
)

// A lock that was given back is free, also while somebody still has the file open
// as a process does that is being started.
func TestReleaseIsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	take := func() (*os.File, bool) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := filelock.Try(f)
		if err != nil {
			t.Fatal(err)
		}
		return f, ours
	}
	f, ours := take()
	if !ours {
		t.Fatal("a new lock is not ours")
	}
	other, ours := take()
	if ours {
		t.Error("a lock that is taken was given again")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	child, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(child)
	if err := filelock.Release(f); err != nil {
		t.Fatal(err)
	}
	again, ours := take()
	if !ours {
		t.Error("a lock that was given back is still held")
	}
	if err := filelock.Release(again); err != nil {
		t.Fatal(err)
	}
}
