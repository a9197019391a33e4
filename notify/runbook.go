package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A RunbookReceiver is a program of this machine that is started for each notice
// and reads the common alert schema on its standard input. It is never a shell:
// what runs, and with which words, stands in the main configuration, and nothing
// of an alert comes to stand there.
type RunbookReceiver struct {
	Name string `yaml:"name" json:"name"`
	// Executable is its absolute path. Nobody but root and the user that we run as
	// may be able to change it.
	Executable string   `yaml:"executable" json:"executable"`
	Arguments  []string `yaml:"arguments,omitempty" json:"arguments,omitempty"`
	// Environment names the variables of ours that it gets; it gets no others but
	// GLASSWARD_NOTICE, the notice's key.
	Environment []string `yaml:"environment,omitempty" json:"environment,omitempty"`
	// User is whose rights it runs with. It takes root to start it as another, and
	// root starts it as another only.
	User string `yaml:"user,omitempty" json:"user,omitempty"`
	// Timeout bounds one run, 30 s if zero: then it is killed with all that it has
	// started.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// What a runbook may do.
const (
	defaultRunbookTimeout = 30 * time.Second
	maxRunbookTimeout     = 5 * time.Minute
	maxRunbookOutput      = 64 << 10
	maxRunbookArguments   = 64
	// runbookLinger is how long we wait for output that a child of a runbook which
	// has ended still holds open.
	runbookLinger = time.Second
	// tryLater is sysexits' EX_TEMPFAIL.
	tryLater = 75
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (r RunbookReceiver) label() string { return r.Name }

func (r RunbookReceiver) destination() string {
	return "runbook " + strings.Join(append([]string{r.Executable}, r.Arguments...), "\x00")
}

func (r RunbookReceiver) validate(_ Config, p place) {
	if runbooksRefused != "" {
		p.say("%s", runbooksRefused)
	}
	if !filepath.IsAbs(r.Executable) {
		p.say("executable %q: an absolute path; no PATH is searched and no shell is asked", r.Executable)
	}
	if len(r.Arguments) > maxRunbookArguments {
		p.say("%d arguments: at most %d", len(r.Arguments), maxRunbookArguments)
	}
	for i, a := range append([]string{r.Executable}, r.Arguments...) {
		if strings.ContainsRune(a, 0) {
			p.say("argument %d holds a zero byte", i)
		}
	}
	for _, name := range r.Environment {
		if !variableName.MatchString(name) {
			p.say("environment %q: the name of a variable; its value comes from our own environment", PlainText(name))
		}
	}
	if r.Timeout < 0 || r.Timeout > maxRunbookTimeout {
		p.say("timeout %s: from 1s to %s", r.Timeout, maxRunbookTimeout)
	}
}

func (r RunbookReceiver) lint(Watched) ([]Finding, string) { return nil, "" }

func (r RunbookReceiver) open(Config, Network) (Receiver, error) {
	if runbooksRefused != "" {
		return nil, errors.New(runbooksRefused)
	}
	if r.Timeout == 0 {
		r.Timeout = defaultRunbookTimeout
	}
	if err := r.fit(); err != nil {
		return nil, err
	}
	return &runbookReceiver{r}, nil
}

type runbookReceiver struct{ RunbookReceiver }

// Deliver runs the program once. Status 0 says that it took the notice, 75 that
// it wants to be tried again; any other is a program that somebody has to mend.
// A repeat has the same GLASSWARD_NOTICE.
func (r *runbookReceiver) Deliver(ctx context.Context, m Message) Outcome {
	// Looked at each time: who has changed it since we started is not asked.
	if err := r.fit(); err != nil {
		return mend(err)
	}
	body, err := commonAlert(m)
	if err != nil {
		return mend(err)
	}
	dir, err := os.MkdirTemp("", "glassward-runbook-")
	if err != nil {
		return Outcome{Verdict: Retry, Answer: answer("make a folder for the runbook: " + err.Error())}
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	said := &saying{full: cancel}
	cmd := exec.CommandContext(ctx, r.Executable, r.Arguments...)
	cmd.Dir, cmd.Env = dir, r.environment(key(string(m.Notice.ID)))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(body), said, said
	cmd.WaitDelay = runbookLinger
	if err := r.confine(cmd); err != nil {
		return mend(err)
	}
	if err := cmd.Start(); err != nil {
		return mend(fmt.Errorf("start the runbook: %w", err))
	}
	err = cmd.Wait()
	endGroup(cmd)
	return r.judge(ctx, err, cmd.ProcessState, said)
}

func (r *runbookReceiver) judge(ctx context.Context, err error, state *os.ProcessState, said *saying) Outcome {
	text, overflow := said.read()
	out := func(v Verdict, what string) Outcome {
		if text != "" {
			what += ": " + text
		}
		return Outcome{Verdict: v, Answer: answer(what)}
	}
	switch code := state.ExitCode(); {
	case overflow:
		return out(Mend, fmt.Sprintf("the runbook wrote more than %d KB and was killed", maxRunbookOutput>>10))
	case code == 0:
		return out(Accepted, "status 0")
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return out(Retry, fmt.Sprintf("the runbook had not ended after %s and was killed", r.Timeout))
	case ctx.Err() != nil:
		return out(Retry, "the runbook was killed, since we are ending")
	case code == tryLater:
		return out(Retry, "status 75, try again later")
	case code > 0:
		return out(Mend, fmt.Sprintf("status %d", code))
	}
	return out(Mend, fmt.Sprintf("the runbook ended by itself: %v", err))
}

// environment gives what the runbook sees of ours.
func (r RunbookReceiver) environment(notice string) []string {
	env := []string{"GLASSWARD_NOTICE=" + notice}
	for _, name := range r.Environment {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// A saying keeps the beginning of what a runbook says, and ends one that says
// too much.
type saying struct {
	full func()

	mu   sync.Mutex
	head []byte
	size int
}

func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head = append(s.head, p[:min(len(p), maxAnswer-len(s.head))]...)
	if s.size += len(p); s.size > maxRunbookOutput {
		s.full()
	}
	return len(p), nil
}

// read gives what was said, and whether it was too much.
func (s *saying) read() (text string, overflow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(s.head), "")), s.size > maxRunbookOutput
}
