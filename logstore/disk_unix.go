//go:build unix

package logstore

import (
	"fmt"
	"syscall"
)

// flushed opens a file so that every write is durable when it returns; the times
// of the file need not be.
const flushed = syscall.O_DSYNC

// DiskSpace asks the operating system for the bytes that an ordinary user may
// still write, and for all.
func DiskSpace(dir string) (free, total int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}
