package cli_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glassward/cli"
)

// TestEndsThoughItCannot asks a command to end that waits for what never comes.
func TestEndsThoughItCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never, writer := io.Pipe()
		defer func() {
			writer.Close()
			synctest.Wait()
		}()
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var said strings.Builder
		began := time.Now()
		code := cli.Main(ctx, cli.Env{Args: []string{"query", "--file", "-"}, Stdin: never, Stdout: io.Discard, Stderr: &said, Getenv: func(string) string { return "" }})
		if d := time.Since(began); code != 1 || d < time.Minute || d > time.Minute+10*time.Second {
			t.Errorf("code %d after %s", code, d)
		}
		if !strings.Contains(said.String(), "not waiting any longer") {
			t.Errorf("says %q", said.String())
		}
	})
}
