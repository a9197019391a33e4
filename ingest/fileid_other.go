//go:build !unix

package ingest

import "io/fs"

// fileID is empty where files are known by their first bytes alone.
func fileID(fs.FileInfo) string { return "" }
