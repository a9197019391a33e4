package acceptance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/internal/fault"
)

// lookLife is, in the process that is killed, the folder of its run.
const lookLife = "GLASSWARD_LOOK_LIFE"

// isLook says whether a failpoint is one of a look at the directory.
func isLook(p fault.Name) bool { return strings.HasPrefix(string(p), "daemon.look.") }

// A lookBook is what a life of TestKilledLook leaves: what was done in the tenant, and,
// at its end, what was told.
type lookBook struct {
	Begun time.Time // of the world
	Done  bool      // the account was taken out of its unit
	// At is when the life that wrote it did so last.
	At      time.Time
	Changes []string
	Told    []string
	Looks   int // folders that are left
}

// The process is killed at every point of a look at the directory, the first of all, the
// one that sees a change and the one after it, and started again. What was told is what
// is told when nobody disturbs: the change is one record and one alert, and one folder
// is left.
func TestKilledLook(t *testing.T) {
	if dir := os.Getenv(lookLife); dir != "" {
		synctest.Test(t, func(t *testing.T) { liveLook(t, dir) })
		return
	}
	t.Parallel()
	points, err := fault.Points(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	points = slices.DeleteFunc(points, func(p fault.Name) bool { return !isLook(p) })
	if len(points) < 4 {
		t.Errorf("only %d places to die: %v", len(points), points)
	}
	undisturbed := playLook(t, "")
	if len(undisturbed.Changes) != 1 || len(undisturbed.Told) != 1 || undisturbed.Looks != 1 {
		t.Fatalf("undisturbed it came to %+v", undisturbed)
	}
	var specs []string
	for _, p := range points {
		for _, nth := range []int{1, 3, 4} {
			specs = append(specs, fmt.Sprintf("%s:%d=kill", p, nth))
		}
	}
	for _, spec := range part(specs, 3) {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			have := playLook(t, spec)
			have.At, have.Begun = undisturbed.At, undisturbed.Begun
			if !reflect.DeepEqual(have, undisturbed) {
				t.Errorf("it came to\n%+v\nwant\n%+v", have, undisturbed)
			}
		})
	}
}

// playLook lets the process live until it is killed by spec, if that is not empty, and
// then once more to the end.
func playLook(t *testing.T, spec string) lookBook {
	t.Helper()
	dir := t.TempDir()
	for _, at := range slices.Compact([]string{spec, ""}) {
		binary, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), binary, "-test.run", "^TestKilledLook$", "-test.timeout", "10m")
		cmd.Env = append(os.Environ(), lookLife+"="+dir, fault.Variable+"="+at)
		out, err := cmd.CombinedOutput()
		if killed := signalOf(err) == syscall.SIGKILL; killed != (at != "") || err != nil && !killed {
			t.Fatalf("in the life of %q: %v\n%s", at, err, out)
		}
	}
	book, err := readLook(dir)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

func readLook(dir string) (b lookBook, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "book.json"))
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	return b, err
}

func (b *lookBook) write(t *testing.T, dir string) {
	t.Helper()
	b.At = time.Now()
	text, err := json.Marshal(b)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "book.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// liveLook is what the killed process runs: a tenant in which, seven minutes after the
// beginning, an account is taken out of its unit and no log tells of it.
func liveLook(t *testing.T, dir string) {
	book, err := readLook(dir)
	begin := book.At.Add(10 * time.Minute)
	if errors.Is(err, os.ErrNotExist) {
		begin, book.Begun = monday, monday.Add(-time.Hour)
	} else if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(begin))
	book.write(t, dir)
	house := lookingHouse()
	house.dir, house.world.Start = filepath.Join(dir, "house"), book.Begun
	remove := func(v *virtual) {
		v.world.Advance(time.Now())
		if err := v.world.Do("silently unit remove EA-02 by petra"); err != nil {
			t.Fatal(err)
		}
	}
	before := house.before
	house.before = func(v *virtual) {
		before(v)
		if book.Done {
			remove(v)
		}
	}
	v := newVirtual(t, house)
	time.Sleep(7 * time.Minute)
	if !book.Done {
		remove(v)
		book.Done = true
		book.write(t, dir)
	}
	time.Sleep(30 * time.Minute)
	for _, r := range v.rows("GlasswardChanges | project OperationName, Change, ObjectKind, Property, Element, AuditRecord") {
		book.Changes = append(book.Changes, strings.Join(r, " | "))
	}
	for _, x := range v.tales(t) {
		book.Told = append(book.Told, x.rule+": "+x.title)
	}
	left, err := os.ReadDir(filepath.Join(daemon.WorkspaceDir(v.data(), entrasim.TenantID), "directory"))
	if err != nil {
		t.Fatal(err)
	}
	book.Looks = len(left)
	book.write(t, dir)
}
