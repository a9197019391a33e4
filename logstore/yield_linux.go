package logstore

import (
	"runtime"
	"syscall"
)

// niceness is how far people's queries stand back behind intake and rules: a
// thread at 10 gets about a tenth of what one at 0 gets where both want the
// same processor, and all of it where nobody else does.
const niceness = 10

// yielding runs f on a thread of its own that stands back behind the others,
// and returns when f does. Linux has a niceness for each thread, and a thread
// begins with its parent's: an engine that is opened so has workers that stand
// back too.
func yielding(f func()) {
	var panicked any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		// It is never unlocked: a thread may not become less nice again, so it ends
		// with the goroutine.
		runtime.LockOSThread()
		// Without the right to do so, queries are merely not held back.
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness)
		f()
	}()
	<-done
	if panicked != nil {
		panic(panicked)
	}
}
