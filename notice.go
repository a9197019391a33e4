package glassward

import "time"

// A NoticeID is the stable key of a notice: the same notice, sent again after a
// crash, carries the same key, so that receivers can tell a repeat.
type NoticeID string

// A Notice is a message that is owed to an action group. It is committed
// together with the change that owes it.
type Notice struct {
	ID     NoticeID `json:"id"`
	Tenant string   `json:"tenant"`
	Group  string   `json:"actionGroup"`
	// Receivers are those of the group that are told, by name; all if empty.
	Receivers []string `json:"receivers,omitempty"`
	Incident  int64    `json:"incidentNumber,omitempty"`
	// Alert is the alert that owed the notice, empty for health notices.
	Alert    AlertID  `json:"alertId,omitempty"`
	Severity Severity `json:"severity"`
	// Kind is fired, grown, again (something new in an open incident), escalated
	// (the next step of a ladder), repeated (nobody has answered), storm (alarms that
	// are told together), digest (what was collected), alive (the weekly word),
	// acknowledged, closed, health, expected, test or heartbeat,
	// which goes no further than the courier.
	Kind string `json:"kind"`
	// Why says in one sentence why this notice is sent now.
	Why     string `json:"why"`
	Subject string `json:"subject,omitempty"`
	// Text is what a notice lists that is not about one alert: storm, digest, alive.
	Text string `json:"text,omitempty"`
	// Held is set where the notice goes to nobody by itself: it names the storm or
	// the day in whose digest it stands.
	Held string `json:"held,omitempty"`
	// Storm is the storm or the day that a storm or a digest tells of: whoever takes
	// up the notice's incident by it takes up those that it names.
	Storm   string    `json:"storm,omitempty"`
	Created time.Time `json:"created"`
	// Inward says that the alert is, see Alert.
	Inward bool `json:"inward,omitempty"`
}

// A DeliveryStatus is the state of one notice at one receiver.
type DeliveryStatus string

// The states of a delivery. Failed is final (the receiver refused for good);
// whatever else went wrong is Pending with a next attempt.
const (
	Pending   DeliveryStatus = "pending"
	Delivered DeliveryStatus = "delivered"
	Failed    DeliveryStatus = "failed"
)

// A Delivery is one notice to one receiver, with its attempts.
type Delivery struct {
	Notice   NoticeID       `json:"noticeId"`
	Receiver string         `json:"receiver"`
	Status   DeliveryStatus `json:"status"`
	Attempts int            `json:"attempts"`
	Next     time.Time      `json:"next,omitzero"`
	Settled  time.Time      `json:"settled,omitzero"`
	// Answer is what the receiver said last, at most 1 KB, without secrets.
	Answer string `json:"answer,omitempty"`
}

// An Attempt is one try of a delivery.
type Attempt struct {
	Notice   NoticeID      `json:"noticeId"`
	Receiver string        `json:"receiver"`
	Number   int           `json:"number"`
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"took"`
	OK       bool          `json:"ok"`
	Answer   string        `json:"answer"`
}
