//go:build unix

package filelock

import (
	"errors"
	"os"
	"syscall"
)

// Try takes the file's lock for this process, false if another has it.
func Try(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// Release gives the lock back and closes the file. Closing alone would not do: a
// process that is being started holds the file too until its program is loaded, and
// the kernel keeps the lock for as long.
func Release(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
