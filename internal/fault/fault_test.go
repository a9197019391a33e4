package fault_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"glassward/internal/fault"
)

// child is the variable that makes the test binary the child of
// TestKilledByItself.
const child = "GLASSWARD_FAULT_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		for range 5 {
			if err := fault.Point("test.step"); err != nil {
				os.Stdout.WriteString("error ")
				continue
			}
			os.Stdout.WriteString("step ")
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestKilledByItself(t *testing.T) {
	for _, test := range []struct {
		spec, out string
		killed    bool
	}{
		{"", "step step step step step ", false},
		{"test.step=kill", "", true},
		{"test.step:3=kill", "step step ", true},
		{"test.step:2=error", "step error step step step ", false},
		{"test.other=kill", "step step step step step ", false},
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), child+"=1", fault.Variable+"="+test.spec)
		out, err := cmd.Output()
		if string(out) != test.out {
			t.Errorf("%q: wrote %q, want %q", test.spec, out, test.out)
		}
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if killed := status.Signaled() && status.Signal() == syscall.SIGKILL; killed != test.killed {
			t.Errorf("%q: killed %v (%v), want %v", test.spec, killed, err, test.killed)
		}
	}
}

func TestWrongSpecEndsTheProcess(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"=1", fault.Variable+"=test.step=die")
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), `"die" is neither kill nor error`) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestArm(t *testing.T) {
	for spec, want := range map[string]string{
		"a.b":       "want name[:nth]=kill",
		"a.b=boom":  "neither kill nor error",
		"a.b:0=err": "no count from 1",
		"=kill":     "no point is named",
	} {
		if _, err := fault.Arm(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Arm(%q) gave %v, want an error with %q", spec, err, want)
		}
	}
	disarm, err := fault.Arm("test.arm:2=error")
	if err != nil {
		t.Fatal(err)
	}
	var got []bool
	for range 3 {
		got = append(got, errors.Is(fault.Point("test.arm"), fault.Err))
	}
	if got[0] || !got[1] || got[2] {
		t.Errorf("failed at passages %v, want the second only", got)
	}
	disarm()
	if err := fault.Point("test.arm"); err != nil {
		t.Errorf("disarmed, it gave %v", err)
	}
}

func TestPoints(t *testing.T) {
	tree := fstest.MapFS{
		"a/a.go":      {Data: []byte("package a\nimport \"glassward/internal/fault\"\nfunc f() { fault.Point(\"a.two\"); fault.Point(`a.one`) }\n")},
		"a/a_test.go": {Data: []byte("package a\nfunc g() { fault.Point(\"a.test\") }\n")},
	}
	names, err := fault.Points(tree)
	if err != nil || len(names) != 2 || names[0] != "a.one" || names[1] != "a.two" {
		t.Errorf("got %v, %v", names, err)
	}
	tree["b/b.go"] = &fstest.MapFile{Data: []byte("package b\nfunc f() { fault.Point(\"a.two\") }\n")}
	if _, err := fault.Points(tree); err == nil || !strings.Contains(err.Error(), `b/b.go:2:12: point "a.two" is passed at a/a.go:3:12 too`) {
		t.Errorf("the same name twice: %v", err)
	}
	tree["b/b.go"] = &fstest.MapFile{Data: []byte("package b\nfunc f(n fault.Name) { fault.Point(n) }\n")}
	if _, err := fault.Points(tree); err == nil || !strings.Contains(err.Error(), "b/b.go:2:24: name the point by a string literal") {
		t.Errorf("a computed name: %v", err)
	}
}

// TestOwnPoints lists the project's own points: each name is passed once, by a
// literal.
func TestOwnPoints(t *testing.T) {
	if _, err := fault.Points(os.DirFS("../..")); err != nil {
		t.Error(err)
	}
}

func BenchmarkPointOff(b *testing.B) {
	for b.Loop() {
		if err := fault.Point("bench.off"); err != nil {
			b.Fatal(err)
		}
	}
}
