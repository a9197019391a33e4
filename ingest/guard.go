package ingest

import (
	"fmt"
	"runtime/debug"
)

// A PanicError is a defect of ours that a record or a service has brought to
// light: what read it panicked. It is an error of that one source.
type PanicError struct {
	// Value is what was panicked with, Stack where.
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("a defect in Glassward came to light here (%v): please report it with the log, which says where", e.Value)
}

// Guard runs f and makes an error of its panic. Every goroutine of a source runs
// in one: a panic that leaves a goroutine ends the process, and with it the
// watch over every other tenant.
func Guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}
