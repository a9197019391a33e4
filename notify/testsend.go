package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"glassward"
)

// A TestResult is how one receiver took a test notice.
type TestResult struct {
	// Receiver is the full name, "group/receiver".
	Receiver string `json:"receiver"`
	// Kind is email, webhook, teams …, as the receiver's list is called.
	Kind string `json:"kind"`
	OK   bool   `json:"ok"`
	// Answer is what the receiver said, or what went wrong. Of a text or a call it
	// is that the provider took it; whether it arrives is not waited for.
	Answer string        `json:"answer"`
	Took   time.Duration `json:"took"`
}

// Test sends a test notice to each receiver of a group, all at once and past
// the outbox, one attempt each, and gives their answers in the group's order.
// It gives an error only if there is no such group.
func (f *Fleet) Test(ctx context.Context, group string) ([]TestResult, error) {
	g, ok := f.config.Group(group)
	if !ok {
		var names []string
		for _, g := range f.config.ActionGroups {
			names = append(names, g.Name)
		}
		return nil, fmt.Errorf("there is no action group %q; there are: %s", PlainText(group), strings.Join(names, ", "))
	}
	notice := glassward.Notice{
		ID: glassward.NoticeID("test-" + rand.Text()), Group: g.Name, Severity: glassward.Informational, Kind: "test",
		Why:     "Somebody asked for a test of this action group. Nothing has happened; if you can read this, the receiver works.",
		Created: time.Now(),
	}
	names := g.Receivers()
	services := g.services()
	results := make([]TestResult, len(names))
	var work sync.WaitGroup
	for i, name := range names {
		full := fullName(g.Name, name)
		r, _ := f.receiver(full)
		results[i] = TestResult{Receiver: full, Kind: "email"}
		if i >= len(g.Email) {
			results[i].Kind = services[i-len(g.Email)].kind
		}
		work.Go(func() {
			at := time.Now()
			out := r.Deliver(ctx, newMessage(Job{Notice: notice, Receiver: full, Attempt: 1}, g, nil, nil))
			results[i].OK = out.Verdict == Accepted || out.Verdict == Underway
			results[i].Answer = out.Answer
			results[i].Took = time.Since(at)
		})
	}
	work.Wait()
	return results, nil
}
