package lag

import (
	"strings"
	"time"

	"glassward"
)

// A Road is one way by which a tenant's records come.
type Road struct {
	// Name names the road to people and in records. What stands before its first
	// colon is the road's kind, from which the lag is guessed as long as none was
	// learned: graph, activity, eventhub, storage, workspace.
	Name string
	// Tables are what it is expected to fill.
	Tables []string
	// SameIDs says that its records have the ids that Entra gave them, so that
	// what one such road brings can be awaited on another.
	SameIDs bool
	// Added is when it was switched on; zero means when the tracker first hears
	// of it.
	Added time.Time
}

// Kind gives what stands before the first colon of the name, the whole name if
// there is none.
func (r Road) Kind() string {
	kind, _, _ := strings.Cut(r.Name, ":")
	return kind
}

// A Sighting is a record that came by a road.
type Sighting struct {
	Table string
	ID    glassward.RecordID
	// Event is when it happened, Received when it came, by the host's clock.
	Event, Received time.Time
	// Backfill says that it was fetched as history: its lag says nothing about
	// the road.
	Backfill bool
	// UserID is the account that it is about, if any: by it a pulse is known.
	UserID string
}

// A Report is what a source says of one of its streams. Exactly one of Polled,
// Fault and Hole is set.
type Report struct {
	// Stream is the part of the road, empty for the whole. Tables are what it
	// fills; empty means every table of the road.
	Stream string
	Tables []string
	// At is the time of the report by the host's clock.
	At     time.Time
	Polled *Polled
	Fault  *Fault
	Hole   *Hole
}

// Polled says that a stream was read to the end of what its service offers.
type Polled struct {
	// Through is the time before which nothing is unread, as far as the service
	// can know.
	Through time.Time
	// Records were read, Late of them by a second look.
	Records, Late int
	// Backlog is how many records are known to wait, -1 if unknown.
	Backlog int64
	// Offset is the service's clock minus the host's; 0 if it is unknown, or, of a
	// road that has given another before, that they agree.
	Offset time.Duration
}

// A Fault is why a stream could not be read.
type Fault struct {
	// Kind is the kind of the fault, e.g. "token", "consent", "licence", "outage".
	Kind string
	// Text is the source's own word on it, Lasting says that it will not pass
	// unless a person acts.
	Text    string
	Lasting bool
}

// A Hole is what a road can never give any more.
type Hole struct {
	From, To time.Time
	What     string
}

// A Pulse is a failed sign-in of the canary that was made on purpose and that
// the service has refused: its record is awaited on every road that carries one
// of the tables. A sign-in that never reached the service is no pulse.
type Pulse struct {
	At time.Time
	// UserID is the canary's object id.
	UserID string
	// Tables are those in which the record may come; any of them will do.
	Tables []string
	// Every is how often pulses are sent.
	Every time.Duration
}

// A State says how a road stands with a table.
type State string

// The states. Warming is a road that has not given its first record of the table,
// which may take 48 hours after it was switched on; fresh is what it should be;
// late means that records come, but later than the road is known for; silent that
// none come although some must; cut that the road itself says why none can.
const (
	Warming State = "warming"
	Fresh   State = "fresh"
	Late    State = "late"
	Silent  State = "silent"
	Cut     State = "cut"
)

// Percentiles are of durations; N is the weight of what they were taken of, with
// older ones counting less.
type Percentiles struct {
	P50, P95, P99 time.Duration
	N             float64
}

// An Interval is a time during which a road did not show what happened in a
// table: [From, To). Late is how many of its records came afterwards.
type Interval struct {
	Table    string
	From, To time.Time
	Late     int
}

// A Change is a road that went from one state to another, for one table or for
// several together, or something that was found out about it.
type Change struct {
	At     time.Time
	Road   string
	Tables []string
	// Was and Is are the states before and after; the same where the state did
	// not change, as for a clock or a hole.
	Was, Is State
	// Since is when it began.
	Since time.Time
	// Cause and Subject name the fault for the incident that it joins: "road",
	// "degraded", "hole" or "clock", and the road.
	Cause, Subject string
	// Tell says that people have to be told; the others are for the record.
	Tell bool
	// Over says that the fault of that cause and subject is gone.
	Over     bool
	Severity glassward.Severity
	// Title and Detail are words for people. Reason is a short one for the
	// record: the fault's kind, or the evidence.
	Title, Detail, Reason string
	// Blind are the tables that no road shows now, Others the roads that still
	// show some of the tables.
	Blind, Others []string
	// Intervals are the blind times that ended with the change.
	Intervals []Interval
	// Lag is what the road is known for, LateCount how many records came later.
	Lag       Percentiles
	LateCount int64
}

// A Stream is how a road stands with a table.
type Stream struct {
	Road, Table string
	State       State
	Since       time.Time
	// Why says in words why it has the state.
	Why string
	// NewestEvent and NewestReceived are of the newest record that was not
	// fetched as history.
	NewestEvent, NewestReceived time.Time
	// Lag is what was learned, and a guess while Learned is false.
	Lag     Percentiles
	Learned bool
	// Count is how many records came, LateCount how many of them later than the
	// 99th percentile.
	Count, LateCount int64
	// Backlog is how many records wait at the service, -1 if unknown.
	Backlog int64
	// LastPoll is when the road was last read to its end.
	LastPoll time.Time
	// Offset is the service's clock minus the host's.
	Offset time.Duration
	// LastFault is the latest fault, of the kind FaultKind, at FaultAt.
	LastFault, FaultKind string
	FaultAt              time.Time
	// Next is when the road will be held to be silent if nothing comes, zero if
	// that cannot be said.
	Next time.Time
	// Missing is the share of records that another road showed and this one did
	// not, of Compared ones.
	Missing  float64
	Compared int
	// Degraded says that so many are missing that people were told.
	Degraded bool
}

// Options are what a tracker can be told. The zero value will do.
type Options struct {
	// Blinds gives what else to say when a table is blind, e.g. the names of the
	// detections that read it; nil says nothing.
	Blinds func(tables []string) []string
}
