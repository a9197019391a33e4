// Package fault holds the named points at which tests let the process die or
// an operation fail: one at every commit, fsync, rename and send. The points
// are compiled into every build and cost one atomic load while none is armed.
//
// A test arms a point in a child process through the environment,
//
//	GLASSWARD_FAULT=logstore.commit.before=kill      the first time
//	GLASSWARD_FAULT=state.commit.after:3=kill        the third time
//	GLASSWARD_FAULT=notify.send.before:2=error       an error, the second time
//
// kill is SIGKILL sent by the process to itself: no deferred call, no flush
// and no handler runs, as when the kernel or an operator ends it. It is no
// power loss: what was written stays written.
package fault

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// Variable is the environment variable that arms a point.
const Variable = "GLASSWARD_FAULT"

// A Name names a point as package.operation.moment. Before stands immediately
// before the operation, after immediately behind it and before anybody is told
// that it is done.
type Name string

// Err is the error that a point armed with "error" gives, wrapped with the
// point's name.
var Err = errors.New("injected fault")

// An action is what an armed point does.
type action uint8

const (
	kill action = iota + 1
	fail
)

// A trap is an armed point.
type trap struct {
	name Name
	nth  int64 // counts down to the passage that acts
	act  action
	left atomic.Int64
}

// A hook is what happens at points: one of them may be a trap, and somebody may
// watch all of them.
type hook struct {
	trap *trap
	seen func(Name)
}

// armed is the one hook of this process, nil when there is none. The package
// variable is deliberate: a point must cost nothing and be reachable from
// anywhere. It starts from the environment; Arm and Watch replace it in tests.
var armed = fromEnvironment(os.Getenv(Variable))

// fromEnvironment reads what Variable holds. What cannot be read ends the
// process: a test that believes a point armed would pass for the wrong reason.
func fromEnvironment(text string) *atomic.Pointer[hook] {
	p := new(atomic.Pointer[hook])
	if text == "" {
		return p
	}
	t, err := parse(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, "glassward: error:", err)
		os.Exit(2)
	}
	p.Store(&hook{trap: t})
	return p
}

// Point is passed by the code at the named place. It gives nil, always, unless
// this very point is armed; then it kills the process or gives an error that
// wraps Err.
func Point(name Name) error {
	h := armed.Load()
	if h == nil {
		return nil
	}
	if h.seen != nil {
		h.seen(name)
	}
	if h.trap == nil || h.trap.name != name {
		return nil
	}
	return h.trap.spring()
}

func (t *trap) spring() error {
	if t.left.Add(-1) != 0 {
		return nil
	}
	if t.act == kill {
		// It cannot be caught, and it may come a moment after the call returns: this
		// goroutine must not go on meanwhile.
		if err := die(); err != nil {
			panic(fmt.Sprintf("fault: %s: cannot kill the process: %v", t.name, err))
		}
		select {}
	}
	return fmt.Errorf("%s: %w", t.name, Err)
}

// Arm arms what spec says ("name[:nth]=kill|error") in this process and gives
// the function that disarms it again.
func Arm(spec string) (disarm func(), err error) {
	t, err := parse(spec)
	if err != nil {
		return nil, err
	}
	h := &hook{trap: t}
	before := armed.Load()
	if before != nil {
		h.seen = before.seen
	}
	armed.Store(h)
	return func() { armed.Store(before) }, nil
}

// Watch lets f see the name of every point that this process passes, before the
// point acts. f may be called by several goroutines at once.
func Watch(f func(Name)) {
	h := &hook{seen: f}
	if before := armed.Load(); before != nil {
		h.trap = before.trap
	}
	armed.Store(h)
}

// parse reads "name[:nth]=kill|error".
func parse(spec string) (*trap, error) {
	place, act, ok := strings.Cut(spec, "=")
	if !ok {
		return nil, fmt.Errorf("%s=%q: want name[:nth]=kill or name[:nth]=error", Variable, spec)
	}
	name, nth, counted := strings.Cut(place, ":")
	t := &trap{name: Name(name), nth: 1}
	if counted {
		n, err := strconv.ParseInt(nth, 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s=%q: %q is no count from 1", Variable, spec, nth)
		}
		t.nth = n
	}
	if name == "" {
		return nil, fmt.Errorf("%s=%q: no point is named", Variable, spec)
	}
	switch act {
	case "kill":
		t.act = kill
	case "error":
		t.act = fail
	default:
		return nil, fmt.Errorf("%s=%q: %q is neither kill nor error", Variable, spec, act)
	}
	t.left.Store(t.nth)
	return t, nil
}
