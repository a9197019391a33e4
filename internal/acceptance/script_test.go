package acceptance_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"glassward/cli"
)

// The test binary is the command itself where it is called by the command's
// name: scripts run it, and tests that kill it.
func TestMain(m *testing.M) {
	os.Exit(testscript.RunMain(m, map[string]func() int{"glassward": glasswardMain}))
}

// glasswardMain is cmd/glassward.
func glasswardMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Main(ctx, cli.Env{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv})
}

// The command line, as scripts: testdata/script. Each starts in a folder of its
// own that holds records.ndjson. "exits 2 glassward …" asks for an exit code. Those in
// long have all the shipped rules judge, in processes that share no memory: the race
// detector sees the same in tests of the rules.
func TestScripts(t *testing.T) {
	playScripts(t, "testdata/script")
	if !racing {
		playScripts(t, "testdata/script/long")
	}
}

func playScripts(t *testing.T, dir string) {
	records, err := filepath.Abs("testdata/records.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			text, err := os.ReadFile(records)
			if err != nil {
				return err
			}
			// What runs a test must not colour or configure what it runs.
			e.Setenv("A1", names()["A1"])
			e.Setenv("A2", names()["A2"])
			return os.WriteFile(filepath.Join(e.WorkDir, "records.ndjson"), text, 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: exits CODE COMMAND…")
				}
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				have := 0
				if err := ts.Exec(args[1], args[2:]...); err != nil {
					var exit *exec.ExitError
					if !errors.As(err, &exit) {
						ts.Fatalf("%v", err)
					}
					have = exit.ExitCode()
				}
				if have != want {
					ts.Fatalf("exit code %d, want %d", have, want)
				}
			},
			// gzip FILE writes FILE.gz beside it.
			"gzip":  zip,
			"bytes": writeBytes,
		},
	})
}
