package state

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFolder takes the lock that keeps a second process out: two writers would
// each write heads that the other does not know. The kernel gives it back when
// the process ends, however it ends.
func lockFolder(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: talk to that one, or stop it first", ErrLocked)
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}
