package logstore

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// flushed opens a file so that every write is durable when it returns.
const flushed = os.O_SYNC

// DiskSpace asks the operating system for the bytes that this user may still
// write, and for all.
func DiskSpace(dir string) (free, total int64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	var ours, all, unused uint64
	if err := windows.GetDiskFreeSpaceEx(name, &ours, &all, &unused); err != nil {
		return 0, 0, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	return int64(ours), int64(all), nil
}
