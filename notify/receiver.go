package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// A Verdict says what an attempt means for its delivery.
type Verdict uint8

// The verdicts.
const (
	// Retry: it did not work now and will be tried again, for ever.
	Retry Verdict = iota
	// Mend: it will be tried again, but somebody has to mend something first
	// (login refused, certificate wrong, address not found): said at once.
	Mend
	// Refused: the receiver will never take this notice. Said at once.
	Refused
	// Accepted: the receiver took it over.
	Accepted
	// Underway: a service took it over that says later whether it arrived. It is
	// asked after RetryAfter.
	Underway
)

// String gives the verdict in lower case.
func (v Verdict) String() string {
	switch v {
	case Retry:
		return "retry"
	case Mend:
		return "mend"
	case Refused:
		return "refused"
	case Accepted:
		return "accepted"
	case Underway:
		return "underway"
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// An Outcome is what came of one attempt.
type Outcome struct {
	Verdict Verdict
	// Answer is what the receiver said, or what went wrong, in one line of at most
	// 1 KB without secrets.
	Answer string
	// RetryAfter is how long the receiver asked us to wait, 0 if it did not.
	RetryAfter time.Duration
	// Handle is what the service calls the message, by which it can be asked about
	// it; kept with the delivery. It is the receiver's own, at most 2 KB.
	Handle string
	// Weak says what failed although the notice was accepted: the provider before
	// the one that took it. Empty if nothing did.
	Weak string
}

// A Receiver takes messages to one place. Deliver makes one attempt; it gives
// up when the context ends and never retries by itself. It is safe for
// concurrent use.
type Receiver interface {
	Deliver(ctx context.Context, m Message) Outcome
}

// A Reporter is a receiver of which the service says later whether a message
// arrived. Report asks what became of the message of an Underway outcome, by its
// handle, and does what follows from that: it gives Underway again, or Accepted, or
// what Deliver gives when it has to be sent anew. It is safe for concurrent use.
type Reporter interface {
	Receiver
	Report(ctx context.Context, m Message, handle string) Outcome
}

// A DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// maxAnswer bounds a recorded answer, in bytes.
const maxAnswer = 1024

// answer makes what a receiver said fit to be recorded: one printable line of
// at most 1 KB in which none of the secrets stands.
func answer(text string, secrets ...string) string {
	for _, s := range secrets {
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	text = PlainText(strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || r == '\n' || r == '\r' || r == '\t'
	}), " "))
	if len(text) > maxAnswer {
		text = strings.ToValidUTF8(text[:maxAnswer-len("…")], "") + "…"
	}
	return text
}

// connectionVerdict judges an error below the protocol: what only a person can
// mend is said at once, the rest is the network's weather.
func connectionVerdict(err error) Verdict {
	if isCertificate(err) {
		return Mend
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return Mend
	}
	return Retry
}
