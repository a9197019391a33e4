package glassward

import "time"

// An AlertID names an alert for ever: it is derived from the rule, its group
// and the first record that caused it, so that judging again gives it again.
type AlertID string

// An Entity is a thing that an alert is about, as Sentinel maps it: Type is
// Account, IP or CloudApplication …, Identifiers maps Sentinel's identifier
// names (AadUserId, Name, UPNSuffix, Address, AppId …) to values.
type Entity struct {
	Type        string            `json:"type"`
	Identifiers map[string]string `json:"identifiers"`
}

// An Alert is one verdict of one rule. It grows: a result row that shares a
// record with an earlier alert of the same rule and group extends that alert.
type Alert struct {
	ID     AlertID `json:"id"`
	Tenant string  `json:"tenant"`
	// RuleID, RuleName, RuleVersion and QueryHash trace the verdict to the exact
	// text that gave it; QueryHash is SHA-256 in hex.
	RuleID      string `json:"ruleId"`
	RuleName    string `json:"ruleName"`
	RuleVersion string `json:"ruleVersion"`
	QueryHash   string `json:"queryHash"`
	// Group tells apart the alerts of one rule that never extend each other,
	// empty where the rule has one group.
	Group       string   `json:"group,omitempty"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Severity    Severity `json:"severity"`
	Tactics     []string `json:"tactics,omitempty"`
	Techniques  []string `json:"techniques,omitempty"`
	Entities    []Entity `json:"entities,omitempty"`
	// Details are the rule's customDetails, name to values.
	Details map[string][]string `json:"customDetails,omitempty"`
	// Rows are the result rows, column name to text, in the query's order of
	// columns (see Columns); at most 150 are kept and RowCount says how many there
	// were.
	Columns  []string   `json:"columns"`
	Rows     [][]string `json:"rows"`
	RowCount int        `json:"rowCount"`
	// Records is the lineage: the ids of the records that caused the rows, sorted.
	// LineageOverflow says that there were more than the bound.
	Records         []RecordID `json:"-"`
	LineageOverflow bool       `json:"lineageOverflow,omitempty"`
	// Start and End are the first and last event times, Received the latest time
	// of receipt among the records, and Judged when the rule was evaluated.
	Start    time.Time `json:"startTimeUtc"`
	End      time.Time `json:"endTimeUtc"`
	Received time.Time `json:"receivedTimeUtc"`
	Judged   time.Time `json:"judgedTimeUtc"`
	// Late says that a record came after its window had been judged, or later than
	// its road is known for.
	Late bool `json:"late,omitempty"`
	// Unconfirmed says that later data withdrew the result; it never closes
	// anything.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
	// Expected is the id of the expectation that foresaw all of it, empty if none
	// did. Such an alert is in no incident.
	Expected string `json:"expectedBy,omitempty"`
	// Context is what was known around it when it was raised; nil if it is about no
	// emergency account and nothing that protects one.
	Context *Context `json:"context,omitempty"`
	// ActionGroups are the names of the groups to notify.
	ActionGroups []string `json:"actionGroups,omitempty"`
	// NoIncident is set where the rule says createIncident: false.
	NoIncident bool `json:"noIncident,omitempty"`
	// Inward says that the rule reads what Glassward writes about itself. Such an
	// alert is told like any other and is not written into those tables: alarms
	// about alarms would have no end.
	Inward bool `json:"inward,omitempty"`
	// Grouping is what the rule says about which of its alerts share an incident;
	// nil where it says nothing.
	Grouping *IncidentGrouping `json:"incidentGrouping,omitempty"`
}

// An IncidentGrouping says which alerts of one rule share an incident, as
// Sentinel's groupingConfiguration. Alerts that name an emergency account are
// joined by the account, whatever it says.
type IncidentGrouping struct {
	// Enabled is false where every alert is to have an incident of its own.
	Enabled bool `json:"enabled"`
	// Matching is AllEntities, AnyAlert or Selected. With Selected alerts must
	// agree in the entities of the types in Entities, in those of DisplayName and
	// Severity that AlertDetails names, and in the values of the custom details in
	// CustomDetails.
	Matching      string   `json:"matchingMethod"`
	Entities      []string `json:"groupByEntities,omitempty"`
	AlertDetails  []string `json:"groupByAlertDetails,omitempty"`
	CustomDetails []string `json:"groupByCustomDetails,omitempty"`
	// Lookback is how far from the incident's activity an alert may lie and still
	// join, in nanoseconds.
	Lookback time.Duration `json:"lookbackDuration"`
	// Reopen lets an alert reopen the closed incident that it belongs to.
	Reopen bool `json:"reopenClosedIncident,omitempty"`
}
