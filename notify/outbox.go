package notify

import (
	"context"
	"time"

	"glassward"
)

// A Job is one delivery that is due: one notice to one receiver, with all that
// the message is made from.
type Job struct {
	Notice glassward.Notice
	// Receiver is the receiver's name within the notice's action group.
	Receiver string
	// Attempt is the number of the attempt that is to be made, from 1.
	Attempt int
	// Incident is nil for health and test notices.
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
	// Group is the notice's action group; with Attempt.Receiver it names the
	// receiver.
	Group  string
	Status glassward.DeliveryStatus
	Next   time.Time
}

// An Outbox keeps the deliveries that are owed. The control store is one.
type Outbox interface {
	// Claim gives the pending deliveries whose next attempt is due at now, oldest
	// notice first, at most limit of them. It may give again what it gave before
	// and what is not yet settled: the courier knows what it holds, and asks for
	// that many more. No lease is needed, so a restart loses no time.
	Claim(ctx context.Context, now time.Time, limit int) ([]Job, error)
	// Settle records the attempt and moves its delivery, in one transaction.
	// Settling the same attempt again changes nothing.
	Settle(ctx context.Context, s Settlement) error
}

// A Hastener is an Outbox that can bring forward what waits for a receiver. The
// courier asks for it when a receiver that had failed takes a message again, so
// that what has piled up does not sit out its backoff.
type Hastener interface {
	// Hasten makes every pending delivery to the group's receiver due at now.
	Hasten(ctx context.Context, group, receiver string, now time.Time) error
}
