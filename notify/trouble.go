package notify

import (
	"fmt"
	"time"

	"glassward"
)

// A TroubleKind says what is wrong between us and a receiver.
type TroubleKind string

// The kinds.
const (
	// Failing: attempts have failed for a minute, or one failed in a way that only
	// a person can mend. Told once, until it is over.
	Failing TroubleKind = "receiver-failing"
	// RefusedNotice: the receiver refused a notice for good.
	RefusedNotice TroubleKind = "notice-refused"
	// Weakened: the receiver took a notice by its second way, since the first
	// failed. Told once, until the first works again.
	Weakened TroubleKind = "receiver-weakened"
	// Unrouted: a notice is owed to a group that does not exist or has nobody in
	// it. It went to the tenant's other groups where there are any.
	Unrouted TroubleKind = "notice-unrouted"
)

// A Trouble is the courier's own alarm: somebody may not be hearing us. The
// program makes a health notice of it and sends it to the other groups.
type Trouble struct {
	Kind TroubleKind
	// Over says that the trouble has ended (of Failing only).
	Over bool
	// Receiver is the full name, "group/receiver"; Group is the notice's.
	Receiver string
	Group    string
	// Notice is the notice at hand, and Tenant whose it is.
	Notice glassward.Notice
	Tenant string
	// Answer is what the receiver said last; of Weakened, what its first way said.
	Answer string
	// Since is when it began: the same for every telling of one trouble.
	Since time.Time
}

// String says the trouble in one sentence.
func (t Trouble) String() string {
	switch {
	case t.Kind == Weakened:
		return fmt.Sprintf("receiver %s takes notices by its second way only: %s", t.Receiver, t.Answer)
	case t.Over:
		return fmt.Sprintf("receiver %s takes notices again, after failing since %s", t.Receiver, clock(t.Since))
	case t.Kind == Failing:
		return fmt.Sprintf("receiver %s has not taken a notice since %s: %s", t.Receiver, clock(t.Since), t.Answer)
	case t.Kind == RefusedNotice:
		return fmt.Sprintf("receiver %s refused notice %s for good: %s", t.Receiver, t.Notice.ID, t.Answer)
	}
	return fmt.Sprintf("action group %q has no receiver; notice %s went elsewhere or waits: %s", t.Group, t.Notice.ID, t.Answer)
}
