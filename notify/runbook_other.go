//go:build !unix

package notify

import (
	"errors"
	"os/exec"
)

// runbooksRefused says why this system runs none.
const runbooksRefused = "runbookReceivers run on Unix only: here a program cannot be ended together with all that it has started; use webhookReceivers"

func (RunbookReceiver) fit() error { return errors.New(runbooksRefused) }

func (RunbookReceiver) confine(*exec.Cmd) error { return errors.New(runbooksRefused) }

func endGroup(*exec.Cmd) {}
