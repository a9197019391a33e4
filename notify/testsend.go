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
	g, err := f.group(group)
	if err != nil {
		return nil, err
	}
	notice := glassward.Notice{
		ID: glassward.NoticeID("test-" + rand.Text()), Group: g.Name, Severity: glassward.Informational, Kind: "test",
		Why:     "Somebody asked for a test of this action group. Nothing has happened; if you can read this, the receiver works.",
		Created: time.Now(),
	}
	results := f.tested(g)
	var work sync.WaitGroup
	for i := range results {
		work.Go(func() { f.try(ctx, g, &results[i], notice) })
	}
	work.Wait()
	return results, nil
}

// group gives a group, or says which there are.
func (f *Fleet) group(name string) (ActionGroup, error) {
	g, ok := f.config.Group(name)
	if !ok {
		var names []string
		for _, g := range f.config.ActionGroups {
			names = append(names, g.Name)
		}
		return g, fmt.Errorf("there is no action group %q; there are: %s", PlainText(name), strings.Join(names, ", "))
	}
	return g, nil
}

// tested gives a result that is still empty for each receiver of a group.
func (f *Fleet) tested(g ActionGroup) []TestResult {
	var out []TestResult
	for _, r := range g.Email {
		out = append(out, TestResult{Receiver: fullName(g.Name, r.Name), Kind: "email"})
	}
	for _, s := range g.services() {
		out = append(out, TestResult{Receiver: fullName(g.Name, s.label()), Kind: s.kind})
	}
	return out
}

// try makes one attempt past the outbox.
func (f *Fleet) try(ctx context.Context, g ActionGroup, result *TestResult, n glassward.Notice) Outcome {
	r, _ := f.receiver(result.Receiver)
	at := time.Now()
	out := r.Deliver(ctx, newMessage(Job{Notice: n, Receiver: result.Receiver, Attempt: 1}, g, nil, nil))
	result.OK = out.Verdict == Accepted || out.Verdict == Underway
	result.Answer = out.Answer
	result.Took = time.Since(at)
	return out
}
