//go:build unix

package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// runbooksRefused says why this system runs none, empty where it does.
const runbooksRefused = ""

// fit says what keeps the executable from being run: whoever can change it, or a
// folder above it, would run with our rights.
func (r RunbookReceiver) fit() error {
	path, err := filepath.EvalSymlinks(r.Executable)
	if err != nil {
		return fmt.Errorf("executable: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("executable: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("executable %s: not a file that can be run (chmod +x)", r.Executable)
	}
	// Of the way by which it is named and of the one where it lies.
	for _, at := range []string{path, r.Executable} {
		for {
			if err := unshared(at); err != nil {
				return err
			}
			if at == filepath.Dir(at) {
				break
			}
			at = filepath.Dir(at)
		}
	}
	_, err = r.identity()
	return err
}

// unshared gives an error if others than root and we can change what lies there.
// In a folder with the sticky bit everybody changes what is his own only.
func unshared(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("executable: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d: what we run must belong to root or to the user that we run as (chown)", path, stat.Uid)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%s can be changed by others: what we run must not be (chmod go-w)", path)
	}
	return nil
}

// identity gives the credential of the user that the runbook runs as, nil for
// ours.
func (r RunbookReceiver) identity() (*syscall.Credential, error) {
	root := os.Geteuid() == 0
	if r.User == "" {
		if root {
			return nil, errors.New("we run as root, and a runbook must not: name its user (user: NAME)")
		}
		return nil, nil
	}
	u, err := user.Lookup(r.User)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", r.User, err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", r.User, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", r.User, err)
	}
	switch {
	case !root && int(uid) == os.Geteuid():
		return nil, nil
	case !root:
		return nil, fmt.Errorf("user %q: only root can start a program as another; leave user out", r.User)
	case uid == 0:
		return nil, fmt.Errorf("user %q is root, and a runbook must not be", r.User)
	}
	// The groups are set as well, to none: ours are not its.
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// confine gives the program a process group of its own, so that it ends with all
// that it has started, and the rights that it runs with.
func (r RunbookReceiver) confine(cmd *exec.Cmd) error {
	as, err := r.identity()
	if err != nil {
		return err
	}
	if as != nil {
		if err := os.Chown(cmd.Dir, int(as.Uid), int(as.Gid)); err != nil {
			return fmt.Errorf("the runbook's folder: %w", err)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	cmd.Cancel = func() error {
		endGroup(cmd)
		return nil
	}
	return nil
}

// endGroup kills what is left of a program's group. The group keeps its number
// as long as one of it lives.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
