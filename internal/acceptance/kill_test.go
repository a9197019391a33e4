package acceptance_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"glassward/internal/entrasim"
	"glassward/internal/fault"
	"glassward/internal/mailsink"
)

// elsewhere are the failpoints that a daemon does not pass while it takes in a
// day and tells people. Each is killed at by its own package's tests.
var elsewhere = map[fault.Name]string{
	"logstore.damage.aside":    "a damaged event store",
	"logstore.damage.cut":      "a damaged event store",
	"logstore.giveup.before":   "a damaged event store that cannot be mended",
	"logstore.giveup.after":    "a damaged event store that cannot be mended",
	"logstore.retain.before":   "retention, once an hour",
	"logstore.retain.after":    "retention, once an hour",
	"logstore.compact.copied":  "compaction, a command",
	"logstore.compact.synced":  "compaction, a command",
	"logstore.compact.renamed": "compaction, a command",
	"logstore.compact.done":    "compaction, a command",
	"state.aside.before":       "a damaged control store",
	"state.aside.after":        "a damaged control store",
	"state.snapshot.before":    "a backup of the control store",
	"state.snapshot.after":     "a backup of the control store",
	"state.giveup.before":      "a damaged control store that cannot be mended",
	"state.giveup.after":       "a damaged control store that cannot be mended",
	"state.checkpoint.before":  "a log of the control store that has grown",
	"state.checkpoint.after":   "a log of the control store that has grown",
	"backup.aside.after":       "a restore, a command",
	"backup.aside.before":      "a restore, a command",
	"backup.finish.merged":     "a restore, a command",
	"backup.merge.after":       "a restore, a command",
	"backup.merge.before":      "a restore, a command",
	"backup.restore.after":     "a restore, a command",
	"backup.restore.before":    "a restore, a command",
	"backup.restore.staged":    "a restore, a command",
	"backup.take.after":        "a backup, a command",
	"backup.take.before":       "a backup, a command",
	"backup.take.state":        "a backup, a command",
	"logstore.backup.looked":   "a backup, a command",
	"logstore.backup.settled":  "a backup, a command",
	"logstore.floor.before":    "a restore, a command",
	"logstore.migrate.copied":  "a store of an older form",
	"private.copy.before":      "a backup, a command",
	"daemon.look.read":         "a look at the directory, in TestKilledLook",
	"daemon.look.before":       "a look at the directory, in TestKilledLook",
	"daemon.look.flushed":      "a look at the directory, in TestKilledLook",
	"daemon.look.after":        "a look at the directory, in TestKilledLook",
	"state.migrate.copied":     "a store of an older form",
}

// The process is killed at every commit, fsync, rename and send on the way from
// a push to a mail, and started again. The pusher repeats what was not answered.
// Then everything is as in a run that nobody disturbed: the same alerts in as
// many incidents, every notice delivered, and a mail that came twice came with
// the same Message-ID.
func TestKilledDaemon(t *testing.T) {
	t.Parallel()
	points, err := fault.Points(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for p := range elsewhere {
		if !slices.Contains(points, p) {
			t.Errorf("there is no failpoint %s any more", p)
		}
	}
	day := entrasim.New(11).Day(time.Now().Truncate(time.Second))
	day = day[len(day)-40:] // its last hours, the story among them
	bodies := [][]byte{bytes.Join(day[:10], []byte("\n")), bytes.Join(day[10:30], []byte("\n")), bytes.Join(day[30:], []byte("\n"))}

	undisturbed := killed(t, "", bodies)
	if undisturbed.incidents != 1 || len(undisturbed.alerts) != 4 {
		t.Fatalf("undisturbed it came to %+v", undisturbed)
	}
	var specs []string
	for _, p := range points {
		if _, other := elsewhere[p]; other {
			continue
		}
		specs = append(specs, string(p))
		switch {
		case strings.HasPrefix(string(p), "state.commit"), strings.HasPrefix(string(p), "notify.settle"):
			specs = append(specs, string(p)+":3")
		case strings.HasPrefix(string(p), "logstore.commit"), strings.HasPrefix(string(p), "notify.send"):
			specs = append(specs, string(p)+":2")
		}
	}
	if len(specs) < 25 {
		t.Errorf("only %d places to die: %v", len(specs), specs)
	}
	for _, spec := range part(specs, 8) {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			have := killed(t, spec+"=kill", bodies)
			if !slices.Equal(have.alerts, undisturbed.alerts) {
				t.Errorf("the alerts are\n  %s\nwant\n  %s", strings.Join(have.alerts, "\n  "), strings.Join(undisturbed.alerts, "\n  "))
			}
			if have.incidents != undisturbed.incidents {
				t.Errorf("%d incidents, want %d", have.incidents, undisturbed.incidents)
			}
		})
	}
}

// killed pushes bodies to a daemon that dies by spec, starts it again, pushes
// what was not answered, waits until everything is told, and compares what the
// daemon says was delivered with the mails that came.
func killed(t *testing.T, spec string, bodies [][]byte) story {
	t.Helper()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml": mainFile(sink.Port(), "oncall@example.org"),
		tenantPath:       tenantFile(entrasim.EA01, entrasim.EA02),
	})
	answered := 0
	feed := func() error {
		for answered < len(bodies) {
			var receipt struct{ Records int }
			if err := h.call("POST", "/v1/ingest?tenant=default", bytes.NewReader(bodies[answered]), &receipt); err != nil {
				return err
			}
			answered++
		}
		return nil
	}
	var s story
	settled := func(p *process) func() error {
		quiet := 0
		return func() error {
			if p.gone() {
				return nil
			}
			var err error
			if s, err = h.told("default"); err != nil {
				return err
			}
			if len(s.alerts) < 4 || s.owed > 0 || s.waiting > 0 {
				quiet = 0
				return fmt.Errorf("%+v", s)
			}
			if quiet++; quiet < 5 { // a batch that is being judged waits nowhere
				return fmt.Errorf("not quiet yet: %+v", s)
			}
			return nil
		}
	}
	p := start(t, h, spec)
	if !p.gone() {
		if err := feed(); err != nil && spec == "" {
			t.Fatal(err)
		}
		until(t, settled(p))
	}
	if spec != "" {
		if !p.gone() { // it may die while it ends
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
		if err := p.wait(t); err == nil || signalOf(err) != syscall.SIGKILL {
			t.Fatalf("it was not killed at %s: %v\n%s", spec, err, p.said())
		}
		p = start(t, h, "")
		if p.gone() {
			t.Fatalf("it does not start again: %v\n%s", p.wait(t), p.said())
		}
		if err := feed(); err != nil {
			t.Fatalf("%v\n%s", err, p.said())
		}
		until(t, settled(p))
	}
	if p.gone() {
		t.Fatalf("it ended: %v\n%s", p.wait(t), p.said())
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.wait(t); err != nil {
		t.Errorf("it ended with %v\n%s", err, p.said())
	}
	keys := map[string]int{}
	for _, m := range sink.Mails() {
		id, _, _ := strings.Cut(strings.Trim(m.Header("Message-ID"), "<>"), "@")
		keys[id]++
	}
	for _, n := range s.notices {
		switch {
		case keys[n] == 0:
			t.Errorf("notice %s is said to be delivered, and no mail has its key", n)
		case keys[n] > 2: // sent, not settled, and sent again
			t.Errorf("one kill had notice %s sent %d times", n, keys[n])
		}
		delete(keys, n)
	}
	if len(keys) > 0 {
		t.Errorf("mails with keys of no notice: %v (notices %v)", keys, s.notices)
	}
	return s
}

// A data folder has one daemon: a second one does not start, and says why.
func TestOneDaemon(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"glassward.yaml": "data: data\nlisten: 127.0.0.1:0\n", tenantPath: "tenant: " + entrasim.TenantID + "\n"})
	first := start(t, h, "")
	if first.gone() {
		t.Fatalf("it does not start: %v\n%s", first.wait(t), first.said())
	}
	if second := start(t, h, ""); !second.gone() || second.wait(t) == nil || !strings.Contains(second.said(), h.data()) {
		t.Errorf("the second: %v\n%s", second.err, second.said())
	}
	h.cli("rule", "list") // the first is well
	if err := first.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := first.wait(t); err != nil {
		t.Errorf("it ended with %v\n%s", err, first.said())
	}
	if code, _, errs := run(t, "", "status", "--data", h.data()); code != 1 || !strings.Contains(errs, "no daemon is running") {
		t.Errorf("afterwards: exit %d: %s", code, errs)
	}
}

func signalOf(err error) syscall.Signal {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return status.Signal()
		}
	}
	return 0
}

// A process is a glassward serve of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error

	mu  sync.Mutex
	log bytes.Buffer
}

var watching = regexp.MustCompile(`msg=watching address=\S+`)

// start starts the daemon over a house and waits until it serves, or has died.
func start(t *testing.T, h *house, spec string) *process {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(t.Context()), 2*patience)
	p := &process{cmd: exec.CommandContext(ctx, binary, "serve", "--config", h.file("glassward.yaml")), done: make(chan struct{})}
	p.cmd.Args[0] = "glassward"
	p.cmd.Env = append(os.Environ(), fault.Variable+"="+spec)
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	go func() {
		serving := false
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.mu.Lock()
			p.log.Write(lines.Bytes())
			p.log.WriteByte('\n')
			p.mu.Unlock()
			if !serving && watching.Match(lines.Bytes()) {
				serving = true
				close(up)
			}
		}
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		stop() // kills it if it still runs
		<-p.done
	})
	select {
	case <-up:
	case <-p.done:
	}
	return p
}

func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait waits for its end and gives how it ended.
func (p *process) wait(t *testing.T) error {
	t.Helper()
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		t.Fatalf("it does not end\n%s", p.said())
		return nil
	}
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}
