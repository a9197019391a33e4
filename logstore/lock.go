package logstore

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"glassward/internal/filelock"
)

// A LockedError says that another process has the store open: the daemon,
// most likely, which then answers queries.
type LockedError struct {
	Path string
	// PID is the holder's process id, 0 if it could not be read.
	PID int
}

func (e *LockedError) Error() string {
	holder := "another process"
	if e.PID != 0 {
		holder = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s has the log store open (%s): ask that process, or stop it first", holder, e.Path)
}

// A lock keeps other processes, and other stores of this one, away from a
// workspace. The kernel drops it when the process ends, however it ends.
type lock struct{ file *os.File }

func takeLock(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log store: %w", err)
	}
	if ours, err := filelock.Try(f); !ours {
		defer f.Close()
		if err != nil {
			return nil, fmt.Errorf("open the log store: lock %s: %w", path, err)
		}
		text, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, &LockedError{Path: path, PID: pid}
	}
	// The pid is for people and error messages; the lock is the kernel's.
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open the log store: write %s: %w", path, err)
	}
	return &lock{f}, nil
}

// release gives the lock back. The file stays: removing it would let two
// processes lock two files of one name.
func (l *lock) release() error {
	if l == nil {
		return nil
	}
	return filelock.Release(l.file)
}
