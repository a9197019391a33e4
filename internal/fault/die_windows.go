package fault

import "golang.org/x/sys/windows"

// die ends this process without letting it run anything more.
func die() error { return windows.TerminateProcess(windows.CurrentProcess(), 137) }
