//go:build unix

package fault

import "syscall"

// die ends this process as an operator's SIGKILL does.
func die() error { return syscall.Kill(syscall.Getpid(), syscall.SIGKILL) }
