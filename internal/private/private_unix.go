//go:build unix

package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Check gives an error that wraps ErrExposed if others than the owner have any
// right to a file or folder, with the cure.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	mode := info.Mode().Perm()
	others := fs.FileMode(0o077)
	if credential(path) {
		// systemd gives a service its credentials by an access list, whose mask shows
		// as the group's rights. No group has any.
		others = 0o037
	}
	if mode&others == 0 {
		return nil
	}
	want := "600"
	if info.IsDir() {
		want = "700"
	}
	return fmt.Errorf("%w (mode %04o): chmod %s it", ErrExposed, mode, want)
}

// credential says whether a file is one that systemd handed to this service.
func credential(path string) bool {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	return filepath.IsAbs(dir) && strings.HasPrefix(filepath.Clean(path), filepath.Clean(dir)+"/")
}

// CheckOwned is Check for a folder that also must belong to this user: others
// could have made it first, in a place where everybody may make folders.
func CheckOwned(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder", dir)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, not to this one (%d): have it removed", dir, st.Uid, os.Geteuid())
	}
	return Check(dir)
}

// seal does nothing: the folder was made with its mode.
func seal(string) error { return nil }

func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
