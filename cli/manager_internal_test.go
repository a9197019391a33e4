package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a service manager hears: ready when the daemon runs and not before, alive
// as long as it answers, then that it stops.
func TestServiceManagerHears(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hear := func() string {
		b := make([]byte, 200)
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(b[:n]), "\n")
		return first
	}
	env := map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "7"}
	m := managerOf(func(k string) string { return env[k] }, 7)
	if m.every != 10*time.Millisecond {
		t.Fatalf("the watchdog is told every %v", m.every)
	}
	if other := managerOf(func(k string) string { return env[k] }, 8); other.every != 0 {
		t.Error("another process's watchdog is told")
	}

	ctx, stop := context.WithCancel(t.Context())
	running, done := make(chan struct{}), make(chan struct{})
	asked := 0
	sick := make(chan struct{})
	go func() {
		defer close(done)
		m.attend(ctx, running, func(context.Context) error {
			if asked++; asked > 3 {
				if asked == 6 {
					close(sick)
				}
				return errors.New("it hangs")
			}
			return nil
		}, slog.New(slog.DiscardHandler))
	}()
	// Nothing may come before the daemon runs: the first word is READY.
	close(running)
	if got := hear(); got != "READY=1" {
		t.Fatalf("first it said %q", got)
	}
	for range 3 {
		if got := hear(); got != "WATCHDOG=1" {
			t.Fatalf("alive it said %q", got)
		}
	}
	<-sick // it does not answer itself any more, and nothing is said of it
	stop()
	if got := hear(); got != "STOPPING=1" {
		t.Fatalf("at the end it said %q", got)
	}
	<-done
	if err := (manager{}).say("READY=1"); err != nil {
		t.Errorf("without a manager: %v", err)
	}
}
