//go:build linux

package logstore

import (
	"syscall"
	"testing"
)

// TestYielding: what stands back has the idle policy, on a thread of its own, and its panic reaches who
// called.
func TestYielding(t *testing.T) {
	policy := func() uintptr {
		p, _, _ := syscall.RawSyscall(syscall.SYS_SCHED_GETSCHEDULER, 0, 0, 0)
		return p
	}
	before := policy()
	inside := before
	yielding(func() { inside = policy() })
	if inside != schedIdle || before == schedIdle || policy() != before {
		t.Errorf("policy %d before, %d inside, %d after", before, inside, policy())
	}
	defer func() {
		if p := recover(); p != "a defect" {
			t.Errorf("recovered %v", p)
		}
	}()
	yielding(func() { panic("a defect") })
}
