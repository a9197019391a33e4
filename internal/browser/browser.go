// Package browser opens pages in a headless Chromium, for tests of what people are given
// to open. It speaks the Chrome DevTools Protocol through a pipe: no port is opened, and
// the browser is told to reach nobody.
//
// Nothing here is part of the program. What it needs, `make deps` installs; where that is
// missing the errors say so, and a test fails by them: a page that nobody looked at has
// not passed.
package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrMissing says that the browser, or what judges its pages, is not installed.
var ErrMissing = errors.New("`make deps` installs it")

// A Browser is a running Chromium. It is for one goroutine at a time.
type Browser struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	in     io.WriteCloser
	out    *bufio.Reader
	dir    string
	next   int
	// events are those that came while an answer was waited for.
	events []Event
	said   tail
}

// An Event is what the browser told by itself: Chrome's name of it and its parameters.
type Event struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// program finds Chromium: the one that GLASSWARD_CHROMIUM names, or one on the path.
func program() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	if own := os.Getenv("GLASSWARD_CHROMIUM"); own != "" {
		names = []string{own}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Chromium is here (Debian package chromium; or GLASSWARD_CHROMIUM names one): looked for %s: %w", strings.Join(names, ", "), ErrMissing)
}

// Start starts a browser with a profile of its own. When ctx ends it is ended, whatever
// it does; Close ends it otherwise.
func Start(ctx context.Context) (*Browser, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "glassward-browser-")
	if err != nil {
		return nil, err
	}
	args := []string{
		"--headless", "--remote-debugging-pipe", "--user-data-dir=" + dir, "--disable-gpu", "--no-first-run", "--hide-scrollbars",
		// It reaches nobody: no look-ups, no updates, no reports.
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
		"--disable-default-apps", "--disable-breakpad", "--log-level=3",
		// Containers have little shared memory.
		"--disable-dev-shm-usage", "--proxy-server=127.0.0.1:9", "--host-resolver-rules=MAP * ~NOTFOUND",
	}
	if os.Geteuid() == 0 {
		// Chromium has no sandbox for root, as in most containers.
		args = append(args, "--no-sandbox")
	}
	ctx, cancel := context.WithCancel(ctx)
	b := &Browser{cmd: exec.CommandContext(ctx, path, args...), cancel: cancel, dir: dir}
	fail := func(err error) (*Browser, error) {
		cancel()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	// Chromium reads file descriptor 3 and writes 4.
	theirIn, in, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return fail(errors.Join(err, theirIn.Close(), in.Close()))
	}
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	b.cmd.Stderr = &b.said
	b.in, b.out = in, bufio.NewReader(out)
	err = b.cmd.Start()
	err = errors.Join(err, theirIn.Close(), theirOut.Close())
	if err != nil {
		return fail(errors.Join(fmt.Errorf("start %s: %w", path, err), in.Close(), out.Close()))
	}
	// A browser that was ended answers nobody, and its helpers may hold the pipe.
	context.AfterFunc(ctx, func() { _ = out.Close() })
	return b, nil
}

// Close asks the browser to end, and ends it.
func (b *Browser) Close() error {
	err := b.call("", "Browser.close", nil, nil)
	if err != nil {
		b.cancel()
	}
	_ = b.in.Close()
	wait := b.cmd.Wait()
	b.cancel()
	if err != nil {
		// That it was killed is no news then.
		wait = nil
	}
	return errors.Join(err, wait, b.removeProfile())
}

// removeProfile removes the browser's profile; its helpers may write there for a moment
// after it has ended.
func (b *Browser) removeProfile() (err error) {
	for range 100 {
		if err = os.RemoveAll(b.dir); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// A Page is a page that was opened.
type Page struct {
	b       *Browser
	session string
}

// Page opens an empty page of the given size in CSS pixels, and has its events told.
func (b *Browser) Page(width, height int) (*Page, error) {
	var target struct{ TargetID string }
	if err := b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return nil, err
	}
	var session struct{ SessionID string }
	if err := b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session); err != nil {
		return nil, err
	}
	p := &Page{b, session.SessionID}
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		if err := p.Call(domain+".enable", nil, nil); err != nil {
			return nil, err
		}
	}
	return p, p.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Open loads an address and waits until it is there.
func (p *Page) Open(url string) error {
	p.b.events = nil
	var nav struct{ ErrorText string }
	if err := p.Call("Page.navigate", map[string]any{"url": url}, &nav); err != nil {
		return err
	}
	if nav.ErrorText != "" {
		return fmt.Errorf("open %s: %s", url, nav.ErrorText)
	}
	seen := 0
	for {
		for ; seen < len(p.b.events); seen++ {
			if p.b.events[seen].Method == "Page.loadEventFired" {
				return nil
			}
		}
		if _, err := p.b.read(); err != nil {
			return err
		}
	}
}

// Call calls a method of the protocol for the page; result may be nil.
func (p *Page) Call(method string, params, result any) error {
	return p.b.call(p.session, method, params, result)
}

// Eval gives what an expression of JavaScript comes to, a promise what it is resolved
// with, decoded as JSON into result, which may be nil.
func (p *Page) Eval(expression string, result any) error {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.Call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	switch {
	case err != nil:
		return err
	case r.ExceptionDetails != nil:
		return fmt.Errorf("%.80s: %s %s", expression, r.ExceptionDetails.Text, r.ExceptionDetails.Exception.Description)
	case result == nil:
		return nil
	}
	if r.Result.Value == nil {
		return fmt.Errorf("%.80s: comes to nothing", expression)
	}
	return json.Unmarshal(r.Result.Value, result)
}

// Key presses and releases a key by its name (Tab, Escape, Enter) or its character.
func (p *Page) Key(key string) error {
	codes := map[string]int{"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
	down := map[string]any{"type": "keyDown", "key": key, "windowsVirtualKeyCode": codes[key]}
	if len(key) == 1 {
		down["text"] = key
	} else if key == "Enter" {
		down["text"] = "\r"
	}
	if err := p.Call("Input.dispatchKeyEvent", down, nil); err != nil {
		return err
	}
	return p.Call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "windowsVirtualKeyCode": codes[key]}, nil)
}

// Media has the page shown as by a medium, screen or print, for people who prefer the
// scheme light or dark.
func (p *Page) Media(medium, scheme string) error {
	return p.Call("Emulation.setEmulatedMedia", map[string]any{
		"media": medium, "features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
}

// Screenshot gives the whole page as PNG.
func (p *Page) Screenshot() ([]byte, error) {
	var shot struct{ Data []byte }
	err := p.Call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	return shot.Data, err
}

// Events gives what the browser told since the page was opened: of the names that are
// given, or all if none is.
func (p *Page) Events(methods ...string) []Event {
	var list []Event
	for _, e := range p.b.events {
		for _, m := range methods {
			if e.Method == m {
				list = append(list, e)
			}
		}
		if len(methods) == 0 {
			list = append(list, e)
		}
	}
	return list
}

// Violations has axe-core judge the page as it is and gives what it finds, one a line:
// the rule, what it asks, and the elements.
func (p *Page) Violations() ([]string, error) {
	source, err := axe()
	if err != nil {
		return nil, err
	}
	if err := p.Eval("typeof axe === 'object' || (() => {"+source+"\n})()", nil); err != nil {
		return nil, err
	}
	var found []struct {
		ID, Help string
		Nodes    []struct{ Target []any }
	}
	if err := p.Eval("axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations)", &found); err != nil {
		return nil, err
	}
	var list []string
	for _, v := range found {
		line := v.ID + ": " + v.Help + ":"
		for _, n := range v.Nodes {
			line += " " + fmt.Sprint(n.Target...)
		}
		list = append(list, line)
	}
	return list, nil
}

// axe gives the source of axe-core, which lies below this package.
func axe() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("axe-core is looked for in the repository, and this is none")
		}
		dir = filepath.Dir(dir)
	}
	b, err := os.ReadFile(filepath.Join(dir, "internal/browser/npm/node_modules/axe-core/axe.min.js"))
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("axe-core is not here (npm ci in internal/browser/npm): %w", ErrMissing)
	}
	return string(b), err
}

func (b *Browser) call(session, method string, params, result any) error {
	b.next++
	id := b.next
	message := map[string]any{"id": id, "method": method}
	if session != "" {
		message["sessionId"] = session
	}
	if params != nil {
		message["params"] = params
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		return b.ended(method, err)
	}
	for {
		answer, err := b.read()
		if err != nil {
			return b.ended(method, err)
		}
		switch {
		case answer == nil || answer.ID != id:
		case answer.Error != nil:
			return fmt.Errorf("%s: %s", method, answer.Error.Message)
		case result == nil:
			return nil
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

func (b *Browser) ended(method string, err error) error {
	return fmt.Errorf("%s: the browser has ended: %w\n%s", method, err, b.said.String())
}

type answer struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }
	Event
}

// read reads one message: an answer, or an event, which is kept.
func (b *Browser) read() (*answer, error) {
	text, err := b.out.ReadBytes(0)
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(text[:len(text)-1], &a); err != nil {
		return nil, err
	}
	if a.ID == 0 {
		b.events = append(b.events, a.Event)
		return nil, nil
	}
	return &a, nil
}

// tail keeps the end of what a program writes to its error stream.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// Write takes in what was written.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - 4000; n > 0 {
		t.b = t.b[n:]
	}
	return len(p), nil
}

// String gives the end.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
