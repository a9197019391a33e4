package notify

import (
	"context"
	"strings"
	"time"

	"glassward"
)

// A Job is one delivery that is due: one notice to one receiver, with all that
// the message is made from.
type Job struct {
	Notice glassward.Notice
	// Receiver is the receiver's full name, "group/receiver", as Route was given
	// it. It is empty for a notice that has not been routed yet.
	Receiver string
	// Attempt is the number of the attempt that is to be made, from 1.
	Attempt int
	// Handle is that of the Settlement before, empty if it had none.
	Handle string
	// Incident is nil for a notice that belongs to none.
	Incident *glassward.Incident
	// Alerts are those of the incident; the one that owed the notice is found by
	// Notice.Alert wherever it stands.
	Alerts []glassward.Alert
	// Head is the head of the evidence journal in hex, empty if there is none. It
	// leaves the host with every notice.
	Head string
}

// A Settlement is the outcome of one attempt: what to record, and what becomes
// of the delivery. Status is Pending with the time of the next attempt,
// Delivered or Failed.
type Settlement struct {
	Attempt glassward.Attempt
	Status  glassward.DeliveryStatus
	Next    time.Time
	// Handle is by what the service can be asked about the message, empty if it
	// cannot. It takes the place of the one before.
	Handle string
}

// An Outbox keeps the notices and deliveries that are owed. The control store
// is one. A notice is committed without deliveries, together with what owes it;
// who receives it is decided here, by the configuration as it is when the
// notice goes out.
type Outbox interface {
	// Claim gives what is due at now, oldest notice first, at most limit jobs: the
	// notices that have no delivery yet (Receiver is empty), and the pending
	// deliveries whose next attempt is not after now. It may give again what it
	// gave before and what is not yet settled: the courier knows what it holds,
	// and asks for that many more. No lease is needed, so a restart loses no time.
	// What is owed to the receivers in busy is left out: one that hangs must not stand
	// before the others.
	Claim(ctx context.Context, now time.Time, limit int, busy ...string) ([]Job, error)
	// Route adds a pending delivery, due at once, for each of the receivers. One
	// that exists already is left as it is.
	Route(ctx context.Context, id glassward.NoticeID, receivers []string) error
	// Settle records the attempt and moves its delivery, in one transaction.
	// Settling the same attempt again changes nothing.
	Settle(ctx context.Context, s Settlement) error
}

// A Hastener is an Outbox that can bring forward what waits for a receiver. The
// courier asks for it when a receiver that had failed takes a message again, so
// that what has piled up does not sit out its backoff.
type Hastener interface {
	// Hasten makes every pending delivery to the receiver due at now.
	Hasten(ctx context.Context, receiver string, now time.Time) error
}

// fullName names a receiver among those of all groups. Neither part holds a
// slash (Validate).
func fullName(group, receiver string) string { return group + "/" + receiver }

// splitName gives the parts of a full name.
func splitName(full string) (group, receiver string) {
	group, receiver, _ = strings.Cut(full, "/")
	return group, receiver
}
