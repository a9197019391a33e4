package logstore

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// allocate gives memory outside of Go's heap.
func allocate(n int) ([]byte, error) {
	at, err := windows.VirtualAlloc(0, uintptr(n), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	// The address is no pointer of Go's, and is not moved: it is turned into one
	// through memory, as the rules for unsafe.Pointer allow.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), n), nil
}

// free gives it back.
func free(memory []byte) error {
	return windows.VirtualFree(uintptr(unsafe.Pointer(unsafe.SliceData(memory))), 0, windows.MEM_RELEASE)
}
