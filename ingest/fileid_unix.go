//go:build unix

package ingest

import (
	"io/fs"
	"strconv"
	"syscall"
)

// fileID gives device and inode, which a file keeps when it is renamed.
func fileID(info fs.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(s.Dev), 16) + ":" + strconv.FormatUint(s.Ino, 16)
	}
	return ""
}
