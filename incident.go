package glassward

import "time"

// Incident states, classifications and reasons are Sentinel's.
type (
	// IncidentStatus is New, Active or Closed.
	IncidentStatus string
	// Classification is given when an incident is closed.
	Classification string
)

// The states of an incident.
const (
	StatusNew    IncidentStatus = "New"
	StatusActive IncidentStatus = "Active"
	StatusClosed IncidentStatus = "Closed"
)

// The classifications of a closed incident.
const (
	Undetermined   Classification = "Undetermined"
	TruePositive   Classification = "TruePositive"
	BenignPositive Classification = "BenignPositive"
	FalsePositive  Classification = "FalsePositive"
)

// An Incident is what people work on: alerts that belong together.
type Incident struct {
	// Number counts from 1 within a tenant; Tenant and Number name the incident.
	Number int64  `json:"incidentNumber"`
	Tenant string `json:"tenant"`

	Title          string         `json:"title"`
	Description    string         `json:"description"`
	Severity       Severity       `json:"severity"`
	Status         IncidentStatus `json:"status"`
	Owner          string         `json:"owner,omitempty"`
	Classification Classification `json:"classification,omitempty"`
	Reason         string         `json:"classificationReason,omitempty"`
	Comment        string         `json:"classificationComment,omitempty"`

	FirstActivity time.Time `json:"firstActivityTimeUtc"`
	LastActivity  time.Time `json:"lastActivityTimeUtc"`
	Created       time.Time `json:"createdTimeUtc"`
	Modified      time.Time `json:"lastModifiedTimeUtc"`
	Acknowledged  time.Time `json:"acknowledgedTimeUtc,omitzero"`
	Closed        time.Time `json:"closedTimeUtc,omitzero"`

	// Alerts are in the order in which they joined.
	Alerts   []AlertID `json:"alertIds"`
	Entities []Entity  `json:"entities,omitempty"`
	// Accounts are the object ids of the emergency accounts concerned.
	Accounts []string `json:"accounts,omitempty"`
	// RuleIDs are the rules whose alerts are in the incident, sorted.
	RuleIDs []string `json:"relatedAnalyticRuleIds,omitempty"`
	// ActionGroups are the groups that were told of the incident, sorted; who was
	// told is told again.
	ActionGroups []string `json:"actionGroups,omitempty"`
	// GroupKey is what an alert without an emergency account must share to join;
	// Previous is the number of the closed or full incident that this one
	// follows, 0 if none.
	GroupKey string `json:"groupKey,omitempty"`
	Previous int64  `json:"previousIncidentNumber,omitempty"`
	// MergedInto is the number of the incident that this one turned out to be a
	// part of, 0 if none: it is closed and goes on there. MergedKeys are the
	// GroupKeys of those that became part of this one.
	MergedInto int64    `json:"mergedIntoIncidentNumber,omitempty"`
	MergedKeys []string `json:"mergedGroupKeys,omitempty"`
	// Seen holds what has already paged: addresses, sessions, actors, protected
	// objects and more, each as "kind:value". What is not in it pages again.
	Seen []string `json:"seen,omitempty"`
	// Shows says what makes a review necessary, each as "kind:account": use, secret,
	// credential, change or unclear. It is empty where the incident shows failures
	// alone, or nothing about the emergency accounts and their protection.
	Shows []string `json:"shows,omitempty"`
	// Tasks are what has to be done before it can be closed.
	Tasks []Task `json:"tasks,omitempty"`
	// Explained is when somebody explained the failures that it shows; it closes by
	// itself when it is quiet.
	Explained   time.Time `json:"explainedTimeUtc,omitzero"`
	ExplainedBy string    `json:"explainedBy,omitempty"`
	// Page is the latest calling of people, nil if they were told and not called.
	Page     *Page           `json:"page,omitempty"`
	Timeline []TimelineEntry `json:"timeline"`
	// Etag changes with every modification; writers must present the one they
	// read.
	Etag string `json:"etag"`
}

// A Page is the calling of people for an incident. It begins when they are told,
// and ends when one of them takes the incident up or it is closed.
type Page struct {
	// Key names the page; it stands in the keys of its notices.
	Key string `json:"key"`
	// Alert is the one that people were told of last.
	Alert AlertID `json:"alertId"`
	// News is when that was.
	News time.Time `json:"news,omitzero"`
	// Inward says that every alert that people were told of is, see Alert.
	Inward bool `json:"inward,omitempty"`
	// Next is when somebody is called next, if nobody answers; zero when nobody is
	// called any more.
	Next   time.Time `json:"next,omitzero"`
	Climbs []Climb   `json:"climbs"`
}

// A Climb is how far a page has come on the ladder of one action group.
type Climb struct {
	Group string `json:"actionGroup"`
	// Began is when the group was first called, Last when it was last called.
	Began time.Time `json:"began"`
	Last  time.Time `json:"last"`
	// Steps counts the steps that were called, Rounds how often all were called
	// again after the last step.
	Steps  int `json:"steps"`
	Rounds int `json:"rounds,omitempty"`
}

// A TimelineEntry is one thing that happened in an incident.
type TimelineEntry struct {
	// Time is when it happened in the world, Noted when we learned of it.
	Time  time.Time `json:"time"`
	Noted time.Time `json:"noted"`
	// Kind is alert, grown, late, unconfirmed, page, repeat (everybody was called
	// again), answer (which stopped no calling), acknowledge, assign, comment,
	// explain, task, merge, close, reopen or delivery.
	Kind  string  `json:"kind"`
	Text  string  `json:"text"`
	Actor string  `json:"actor,omitempty"`
	Alert AlertID `json:"alertId,omitempty"`
}

// The kinds of a Task.
const (
	TaskSignOut = "signOut"
	TaskRotate  = "rotate"
	TaskReseal  = "reseal"
	TaskReview  = "review"
)

// A Task is what follows from an incident and has to be done by people.
type Task struct {
	// Number counts from 1 within the incident.
	Number int `json:"number"`
	// Kind is signOut, rotate, reseal or review; Account the object id of the
	// emergency account that it is about, empty for a review.
	Kind    string `json:"kind"`
	Account string `json:"account,omitempty"`
	// Text says what to do, Why which alert made it.
	Text    string    `json:"text"`
	Why     string    `json:"why"`
	Created time.Time `json:"createdTimeUtc"`
	// Done is when it was done, zero while it is open; By and Note say by whom and
	// how.
	Done time.Time `json:"doneTimeUtc,omitzero"`
	By   string    `json:"doneBy,omitempty"`
	Note string    `json:"note,omitempty"`
}
