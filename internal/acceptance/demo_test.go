package acceptance_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"glassward/internal/entrasim"
)

// demoOf runs the demo to its end, without a terminal.
func demoOf(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "glassward", append([]string{"demo"}, args...)...)
	cmd.Dir = t.TempDir()
	text, _ := cmd.CombinedOutput() // its end is in the exit code
	if strings.Contains(string(text), "\x1b") {
		t.Errorf("colours without a terminal:\n%s", text)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func TestDemoList(t *testing.T) {
	t.Parallel()
	out, code := demoOf(t, "--list")
	for _, s := range entrasim.Scenarios() {
		if !regexp.MustCompile(`(?m)^` + s.Name + ` .*` + regexp.QuoteMeta(s.Title) + `$`).MatchString(out) {
			t.Errorf("%s is not in the list:\n%s", s.Name, out)
		}
	}
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, wrong := range []string{"S13", "../S1", "s\x1b[2J"} {
		out, code := demoOf(t, wrong)
		if code != 2 || !strings.Contains(out, "there is no story") || !strings.Contains(out, "demo --list") {
			t.Errorf("%q: exit code %d\n%s", wrong, code, out)
		}
	}
}

// A story that is played by Microsoft Graph, from the event to the mail. It lasts a
// minute because Graph is asked every 30 seconds.
func TestDemoOfAnAttack(t *testing.T) {
	t.Parallel()
	out, code := demoOf(t, "s2")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		`S2  Attacker removes the alert rule`,
		`Glassward +begins to watch`,
		`minute 4 +Petra Aalto takes EA-02 out of the restricted administrative unit`,
		`received +\d+ records? of this by Graph`,
		`alert +High, minute 7: Emergency account EA-02: sign-in completed`,
		`told +emergency/oncall took`,
		`Incident 1  High, New`,
		`(?s)The first mail, as received.*To: <oncall@example.org>`,
		`✓  7 +P1  EA-02 … sign-in completed +told`,
		`–  2 +P1  diagnostic setting +not yet watched: needs a poll`,
		`graph  SigninLogs`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("it never says %q", want)
		}
	}
	for _, bad := range []string{"did not come", "not foreseen"} {
		if strings.Contains(out, bad) {
			t.Errorf("it says %q", bad)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// With --serve everything goes on, and the commands that it shows work.
func TestDemoServes(t *testing.T) {
	t.Parallel()
	c := converse(t, t.TempDir(), "demo", "--serve")
	c.hears("S1  A Conditional Access policy locks everyone out")
	c.hears("begins to watch")
	c.hears("alert +High, minute 20: Emergency account EA-01: sign-in completed")
	c.hears("Still running")
	c.hears("The configuration, as you would write it: ")
	c.mu.Lock()
	file := regexp.MustCompile(`write it: (\S+) and`).FindStringSubmatch(c.said.String())
	c.mu.Unlock()
	if file == nil {
		t.Fatal("it does not say where the configuration is")
	}
	data := filepath.Join(filepath.Dir(file[1]), "data")
	out, err := exec.Command("glassward", "incident", "list", "--data", data).CombinedOutput()
	if err != nil || !strings.Contains(strings.ToLower(string(out)), "ea-01") {
		t.Errorf("incident list: %v\n%s", err, out)
	}
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C ends it with %v", err)
	}
	if left, _ := filepath.Glob(file[1]); len(left) > 0 {
		t.Errorf("%s is still there", file[1])
	}
}
