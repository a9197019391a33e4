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
