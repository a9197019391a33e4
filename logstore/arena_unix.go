//go:build unix

package logstore

import "syscall"

// allocate gives memory outside of Go's heap.
func allocate(n int) ([]byte, error) {
	return syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

// free gives it back.
func free(memory []byte) error { return syscall.Munmap(memory) }
