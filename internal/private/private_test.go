//go:build unix

package private_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glassward/internal/fault"
	"glassward/internal/private"
)

func TestCheckRefusesWhatOthersCanRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := private.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := private.CheckOwned(dir); err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, exposed := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o610: true} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		err := private.Check(file)
		if errors.Is(err, private.ErrExposed) != exposed {
			t.Errorf("mode %o: %v", mode, err)
		}
		if exposed && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o names no cure: %v", mode, err)
		}
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := private.Check(dir); !errors.Is(err, private.ErrExposed) || !strings.Contains(err.Error(), "chmod 700") {
		t.Error(err)
	}
}

// A service manager's credential shows the mask of its access list where the
// group's rights would stand.
func TestCredentialOfTheServiceManager(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte("x"), 0o440); err != nil {
		t.Fatal(err)
	}
	if err := private.Check(file); !errors.Is(err, private.ErrExposed) {
		t.Errorf("outside: %v", err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if err := private.Check(file); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(file, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := private.Check(file); !errors.Is(err, private.ErrExposed) {
		t.Errorf("readable by all: %v", err)
	}
}

// What fails on the way leaves the file as it was and nothing beside it.
func TestWriteFileIsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "link.key")
	if err := private.WriteFile(file, []byte("old")); err != nil {
		t.Fatal(err)
	}
	for _, point := range []string{"private.flush.before", "private.write.before"} {
		disarm, err := fault.Arm(point + "=error")
		if err != nil {
			t.Fatal(err)
		}
		err = private.WriteFile(file, []byte("new"))
		disarm()
		if !errors.Is(err, fault.Err) {
			t.Errorf("%s: %v", point, err)
		}
		if have, err := os.ReadFile(file); err != nil || string(have) != "old" {
			t.Errorf("%s left %q, %v", point, have, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s left %v, %v", point, entries, err)
		}
	}
	if err := private.WriteFile(file, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if have, _ := os.ReadFile(file); string(have) != "new" {
		t.Errorf("have %q", have)
	}
	if err := private.Check(file); err != nil {
		t.Error(err)
	}
}
