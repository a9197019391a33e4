package browser_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"glassward/internal/browser"
)

// The checks find what they are for: a page with faults has violations, an exception is
// told, and what a page asks of the network is seen.
func TestFaultsAreSeen(t *testing.T) {
	p := browser.ForTest(t, 800, 600)
	text := `<!doctype html><title>x</title><p style="color:#ccc;background:#fff">faint</p><img src="http://elsewhere.invalid/a.png"><script>throw new Error("broken")</script>`
	if err := p.Open("data:text/html," + url.PathEscape(text)); err != nil {
		t.Fatal(err)
	}
	list, err := p.Violations()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(list, "\n")
	for _, want := range []string{"color-contrast", "html-has-lang", "image-alt"} {
		if !strings.Contains(all, want) {
			t.Errorf("axe does not find %s in\n%s", want, all)
		}
	}
	if n := len(p.Events("Runtime.exceptionThrown")); n != 1 {
		t.Errorf("%d exceptions", n)
	}
	if n := len(p.Events("Network.requestWillBeSent")); n != 2 {
		t.Errorf("%d requests: %v", n, p.Events("Network.requestWillBeSent"))
	}
	var two int
	if err := p.Eval("Promise.resolve(1 + 1)", &two); err != nil || two != 2 {
		t.Errorf("1 + 1 is %d: %v", two, err)
	}
	if err := p.Eval("nothing.here", nil); err == nil || !strings.Contains(err.Error(), "ReferenceError") {
		t.Errorf("an exception is %v", err)
	}
}

// Where the browser is missing a test is told what to install.
func TestMissing(t *testing.T) {
	t.Setenv("GLASSWARD_CHROMIUM", "there-is-no-such-browser")
	_, err := browser.Start(t.Context())
	if !errors.Is(err, browser.ErrMissing) || !strings.Contains(err.Error(), "make deps") || !strings.Contains(err.Error(), "chromium") {
		t.Errorf("the error is %v", err)
	}
}

// A browser whose time is over is ended, and whoever waits for it is told.
func TestEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b, err := browser.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Page(100, 100)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := p.Eval("new Promise(() => {})", nil); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("an ended browser answers %v", err)
	}
	if err := b.Close(); err == nil {
		t.Error("closing it says nothing")
	}
}
