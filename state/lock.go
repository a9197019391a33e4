package state

import (
	"fmt"
	"os"

	"glassward/internal/filelock"
)

// lockFolder takes the lock that keeps a second process out: two writers would
// each write heads that the other does not know. The kernel gives it back when
// the process ends, however it ends.
func lockFolder(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if ours, err := filelock.Try(f); !ours {
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		return nil, fmt.Errorf("%w: talk to that one, or stop it first", ErrLocked)
	}
	return f, nil
}
