// Package filelock keeps a file for one process, and lets it go with the process
// however that ends.
package filelock
