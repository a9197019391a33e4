package browser

import (
	"context"
	"testing"
	"time"
)

// ForTest gives a page, its size in CSS pixels, in a browser that ends with the test,
// after five minutes at the latest. That it cannot be had, or does not end well, fails
// the test.
func ForTest(t *testing.T, width, height int) *Page {
	t.Helper()
	// A test's own context ends before what it cleans up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	t.Cleanup(cancel)
	b, err := Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := b.Page(width, height)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
