//go:build unix

package notify

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runbook is a receiver of a program; under root it runs as nobody, since a
// runbook must not run as root.
func runbook(executable string, arguments ...string) RunbookReceiver {
	r := RunbookReceiver{Name: "x", Executable: executable, Arguments: arguments, Timeout: 20 * time.Second}
	if os.Geteuid() == 0 {
		r.User = "nobody"
	}
	return r
}

// script writes a program that every user can reach and only we can change.
func script(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(reachable(t), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func reachable(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, at := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// inbox is a folder into which the program may write.
func inbox(t testing.TB) string {
	t.Helper()
	dir := reachable(t)
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

func runs(t testing.TB, r RunbookReceiver) Outcome {
	t.Helper()
	return one(t, ActionGroup{Runbook: []RunbookReceiver{r}}, Config{}).Deliver(t.Context(), message())
}

// TestRunbook gives a program the common alert schema and nothing else of ours.
func TestRunbook(t *testing.T) {
	t.Setenv("GLASSWARD_TEST_NAMED", "named value")
	t.Setenv("GLASSWARD_TEST_SECRET", "hunter2")
	file := filepath.Join(inbox(t), "alert")
	out := runs(t, runbook(script(t, `cat > "$1"; echo "filed as $2"`), file, "42"))
	if out.Verdict != Accepted || out.Answer != "status 0: filed as 42" {
		t.Fatalf("got %+v", out)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := commonAlert(message())
	if err != nil || string(got) != string(want) {
		t.Errorf("it read\n%s\nwant\n%s\n%v", got, want, err)
	}

	r := runbook("/usr/bin/env")
	r.Environment = []string{"GLASSWARD_TEST_NAMED", "GLASSWARD_TEST_NOT_THERE"}
	out = runs(t, r)
	if want := "status 0: GLASSWARD_NOTICE=" + key(string(message().Notice.ID)) + " GLASSWARD_TEST_NAMED=named value"; out.Answer != want {
		t.Errorf("environment: %q, want %q", out.Answer, want)
	}
	// No shell reads the arguments.
	out = runs(t, runbook("/bin/echo", "$HOME", "; id", "`id`", "*"))
	if out.Answer != "status 0: $HOME ; id `id` *" {
		t.Errorf("arguments: %q", out.Answer)
	}
	// Its folder is its own, empty and gone afterwards.
	out = runs(t, runbook(script(t, "ls -A; touch mine; pwd")))
	dir := strings.TrimPrefix(out.Answer, "status 0: ")
	if _, err := os.Stat(dir); !strings.Contains(dir, "glassward-runbook-") || strings.Contains(dir, " ") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder: %q %v", out.Answer, err)
	}
	if os.Geteuid() == 0 {
		if out := runs(t, runbook("/usr/bin/id", "-un")); out.Answer != "status 0: nobody" {
			t.Errorf("ran as %q", out.Answer)
		}
		if out := runs(t, runbook("/usr/bin/id", "-G")); !regexp.MustCompile(`^status 0: [1-9][0-9]*$`).MatchString(out.Answer) {
			t.Errorf("groups: %q", out.Answer)
		}
	}
}

// TestRunbookStatus asks what is made of the ways in which a program ends.
func TestRunbookStatus(t *testing.T) {
	for _, c := range []struct {
		text    string
		verdict Verdict
		answer  string
	}{
		{"exit 0", Accepted, "status 0"}, // it need not read
		{"echo; echo  two   lines >&2; exit 0", Accepted, "status 0: two lines"},
		{"echo busy; exit 75", Retry, "status 75, try again later: busy"},
		{"echo no table; exit 1", Mend, "status 1: no table"},
		{"exit 127", Mend, "status 127"},
		{"kill -SEGV $$", Mend, "the runbook ended by itself: signal: segmentation fault"},
		{"printf 'a\\033[31m\\377b'", Accepted, "status 0: a⟨U+001B⟩[31mb"},
		{"while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done", Mend, "the runbook wrote more than 64 KB and was killed: yyyy"},
	} {
		out := runs(t, runbook(script(t, c.text)))
		if out.Verdict != c.verdict || !strings.HasPrefix(out.Answer, c.answer) || len(out.Answer) > maxAnswer {
			t.Errorf("%s: %v %q, want %v %q", c.text, out.Verdict, out.Answer, c.verdict, c.answer)
		}
	}
}

// TestRunbookEnds kills what a program has started: when its time is over, and
// when it has ended itself.
func TestRunbookEnds(t *testing.T) {
	for _, c := range []struct {
		name, text string
		timeout    time.Duration
		want       string
	}{
		{"time", "exec 3>\"$1\"; sleep 300 & sleep 300", 500 * time.Millisecond, "the runbook had not ended after 500ms and was killed"},
		{"left behind", "exec 3>\"$1\"; sleep 300 </dev/null >/dev/null 2>&1 & exit 0", 20 * time.Second, "status 0"},
		{"holds its output", "exec 3>\"$1\"; sleep 300 & exit 0", 20 * time.Second, "status 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// All that the program started holds the pipe open.
			pipe := filepath.Join(inbox(t), "pipe")
			if err := syscall.Mkfifo(pipe, 0o622); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(pipe, 0o622); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r := runbook(script(t, c.text), pipe)
			r.Timeout = c.timeout
			if out := runs(t, r); out.Answer != c.want {
				t.Errorf("got %+v", out)
			}
			if err := f.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(f); err != nil {
				t.Errorf("something that it started lives on: %v", err)
			}
		})
	}
}

// TestRunbookUnfit runs nothing that others could have changed.
func TestRunbookUnfit(t *testing.T) {
	good := script(t, "exit 0")
	change := func(mode os.FileMode, of func(string) string) RunbookReceiver {
		path := script(t, "exit 0")
		if err := os.Chmod(of(path), mode); err != nil {
			t.Fatal(err)
		}
		return runbook(path)
	}
	itself := func(p string) string { return p }
	link := filepath.Join(inbox(t), "open", "link")
	if err := os.Mkdir(filepath.Dir(link), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(filepath.Dir(link), 0o777), os.Symlink(good, link)); err != nil {
		t.Fatal(err)
	}
	open := change(0o777, filepath.Dir)
	stranger := runbook(good)
	stranger.User = "glassward-nobody-has-this-name"
	cases := map[string]RunbookReceiver{
		"executable: lstat " + filepath.Dir(good) + "/other: no such file": runbook(filepath.Dir(good) + "/other"),
		"not a file that can be run":                                       change(0o644, itself),
		"program can be changed by others":                                 change(0o775, itself),
		filepath.Dir(open.Executable) + " can be changed by others":        open,
		"open can be changed by others":                                    runbook(link),
		"unknown user glassward-nobody-has":                                stranger,
	}
	if os.Geteuid() == 0 {
		asRoot := runbook(good)
		asRoot.User = ""
		cases["we run as root, and a runbook must not: name its user"] = asRoot
		asRoot.User = "root"
		cases[`user "root" is root`] = asRoot
		strange := runbook(script(t, "exit 0"))
		if err := os.Chown(strange.Executable, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		cases["belongs to user 12345"] = strange
	} else {
		other := runbook(good)
		other.User = "root"
		cases["only root can start a program as another"] = other
	}
	for want, r := range cases {
		f, err := NewFleet(Config{ActionGroups: []ActionGroup{{Name: "oncall", Runbook: []RunbookReceiver{r}}}}, Network{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		results, err := f.Test(t.Context(), "oncall")
		if err != nil || results[0].OK || results[0].Kind != "runbook" || !strings.Contains(results[0].Answer, want) {
			t.Errorf("%s: %+v %v", want, results, err)
		}
	}
	// It is looked at before every run.
	r := one(t, ActionGroup{Runbook: []RunbookReceiver{runbook(good)}}, Config{})
	if err := os.Chmod(good, 0o777); err != nil {
		t.Fatal(err)
	}
	if out := r.Deliver(t.Context(), message()); out.Verdict != Mend || !strings.Contains(out.Answer, "can be changed by others") {
		t.Errorf("changed meanwhile: %+v", out)
	}
}

// TestRunbookValidate finds what the configuration may not hold.
func TestRunbookValidate(t *testing.T) {
	for want, r := range map[string]RunbookReceiver{
		`executable "bin/x": an absolute path`: {Executable: "bin/x"},
		`executable "": an absolute path`:      {},
		"65 arguments: at most 64":             {Executable: "/x", Arguments: make([]string, 65)},
		"argument 1 holds a zero byte":         {Executable: "/x", Arguments: []string{"\x00"}},
		`environment "A=b": the name`:          {Executable: "/x", Environment: []string{"A=b"}},
		"timeout 6m0s: from 1s to 5m0s":        {Executable: "/x", Timeout: 6 * time.Minute},
	} {
		r.Name = "x"
		err := Config{ActionGroups: []ActionGroup{{Name: "oncall", Runbook: []RunbookReceiver{r}}}}.Validate()
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("actionGroups[0] oncall: runbookReceivers[0] x: %s", want)) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
