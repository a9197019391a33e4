package ingest

import "time"

// A Report is what a source says of one of its streams beside its records: that
// it has read as far as there is, that it could not, or that something is lost
// for good. Exactly one of Polled, Fault and Hole is set.
type Report struct {
	// Stream is the part of the source concerned, e.g. "signIns/interactive" or
	// "partition/3"; empty means the whole source. Tables are what it fills.
	Stream string
	Tables []string
	// At is the time of the report by the host's clock.
	At time.Time

	Polled *Polled
	// Fault is why the stream could not be read; it is tried again by itself. An
	// *entra.Fault in it says what kind it is. The next Polled of the stream ends it.
	Fault error
	Hole  *Hole
}

// Polled says that a stream was read to the end of what its service offers.
type Polled struct {
	// Through is the event time, or the time of availability, before which the
	// stream holds nothing that was not read, as far as the service can know.
	Through time.Time
	// Records were read, Late of them by a second look at a time already read:
	// that number is the tail of the service's lag.
	Records, Late int
	// Backlog is how many records are known to wait, -1 where the service does not
	// say.
	Backlog int64
	// Offset is how far the service's clock is ahead of the host's, 0 if unknown.
	Offset time.Duration
}

// A Hole is what a source can never give any more: offsets that the hub has
// deleted, a window beyond the service's retention, a page that failed every
// time and was passed over.
type Hole struct {
	// From and To bound the event or availability times that are missing; a zero
	// time is unknown.
	From, To time.Time
	// What says in words what is missing, where, and why.
	What string
}

// An Observer hears the reports of a source. It may be called by several
// goroutines and must not keep the Report's slices. A nil Observer hears nothing.
type Observer func(Report)

// Tell gives a report to the observer, if there is one.
func (o Observer) Tell(r Report) {
	if o != nil {
		o(r)
	}
}
