package logstore

import (
	"runtime"
	"syscall"
	"unsafe"
)

// schedIdle is the policy of threads that run where no other thread of the process wants
// the processor: SCHED_IDLE of sched(7).
const schedIdle = 5

// yielding runs f on a thread of its own that stands back behind the others, and returns
// when f does. People's queries run so, behind intake and rules. An alarm passes through
// dozens of hands, and a thread that is merely nice keeps the processor from each of them
// until its slice is used up; an idle one gives it away at once. Linux has a policy for
// each thread, and a thread begins with its parent's: an engine that is opened so has
// workers that stand back too.
func yielding(f func()) {
	var panicked any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		// It is never unlocked: without a right to it a thread does not come back from
		// this policy, so it ends with the goroutine.
		runtime.LockOSThread()
		// Without the right to do so, queries are merely not held back.
		var parameter struct{ priority int32 }
		_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, 0, schedIdle, uintptr(unsafe.Pointer(&parameter)))
		f()
	}()
	<-done
	if panicked != nil {
		panic(panicked)
	}
}
