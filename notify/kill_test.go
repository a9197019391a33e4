package notify_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"glassward"
	"glassward/internal/fault"
	"glassward/internal/mailsink"
	"glassward/notify"
	"glassward/state"
)

// The child's variables: the folder of its control store and the mail server's
// port.
const (
	childDir  = "GLASSWARD_NOTIFY_CHILD"
	childPort = "GLASSWARD_NOTIFY_PORT"
)

const killNotices = 3

// TestCourierChild is the process that TestKilledCourier kills: it owes three
// notices to two receivers and delivers them from the real control store to a
// real mail server. Without its variable it has nothing to do.
func TestCourierChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	port, err := strconv.Atoi(os.Getenv(childPort))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	store, err := state.Open(ctx, dir, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for i := range killNotices {
		n := glassward.Notice{
			ID: glassward.NoticeID(fmt.Sprint("kill-", i)), Tenant: "t1", Group: "oncall", Severity: glassward.High,
			Kind: "test", Why: "the process is killed", Created: time.Now(),
		}
		if err := store.PutNotice(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	fleet, err := notify.NewFleet(mailGroup(port, "a", "b"), notify.Network{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := notify.New(notify.Options{Outbox: store, Fleet: fleet})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	for {
		stats, err := store.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if stats.Unrouted+stats.Pending == 0 {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// mailGroup is a group "oncall" with mail receivers on a local server.
func mailGroup(port int, names ...string) notify.Config {
	g := notify.ActionGroup{Name: "oncall", Subject: "[CRITICAL] Emergency Access Activity"}
	for _, n := range names {
		g.Email = append(g.Email, notify.EmailReceiver{Name: n, EmailAddress: n + "@example.org"})
	}
	return notify.Config{
		MailServers:  []notify.MailServer{{Name: "relay", Host: "127.0.0.1", Port: port, TLS: notify.Plain, From: "gw@example.net"}},
		ActionGroups: []notify.ActionGroup{g},
	}
}

// TestKilledCourier kills the process at every failpoint of the package, at its
// first and at its third passage, and starts it again: every receiver gets every
// notice, and a repeat carries the same Message-ID.
func TestKilledCourier(t *testing.T) {
	points, err := fault.Points(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(points) < 7 {
		t.Fatalf("only %d failpoints: %v", len(points), points)
	}
	for _, point := range points {
		for _, nth := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s:%d", point, nth), func(t *testing.T) {
				sink, err := mailsink.Listen("127.0.0.1:0", mailsink.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer sink.Close()
				dir := filepath.Join(t.TempDir(), "state")
				child := func(extra ...string) error {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCourierChild$")
					cmd.Env = append(append(os.Environ(), childDir+"="+dir, childPort+"="+strconv.Itoa(sink.Port())), extra...)
					out, err := cmd.CombinedOutput()
					if err != nil && len(extra) == 0 {
						t.Logf("%s", out)
					}
					return err
				}
				err = child(fmt.Sprintf("%s=%s:%d=kill", fault.Variable, point, nth))
				if exit, ok := err.(*exec.ExitError); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the first process was not killed: %v", err)
				}
				if err := child(); err != nil {
					t.Fatalf("the second process: %v", err)
				}
				got := map[string]int{}
				for _, m := range sink.Mails() {
					id := strings.Trim(m.Header("Message-ID"), "<>")
					got[m.To[0]+" "+id]++
				}
				for i := range killNotices {
					for _, to := range []string{"a@example.org", "b@example.org"} {
						if n := got[fmt.Sprintf("%s kill-%d@example.net", to, i)]; n < 1 || n > 2 {
							t.Errorf("notice %d came to %s %d times", i, to, n)
						}
					}
				}
				if len(got) != 2*killNotices {
					t.Errorf("other mails came: %v", got)
				}
			})
		}
	}
}
