package incident

import (
	"strings"
	"time"

	"glassward"
)

// HealthRule is the id of the built-in rule that Glassward's own alarms belong
// to. No rule file can have it.
const HealthRule = "glassward-health"

// A Health is something that is wrong with Glassward itself: a tenant file that
// cannot be read, a record that contradicts another, a disk that fills up, a
// store that was damaged. Its own blindness is an alarm like any other: it
// becomes an alert of HealthRule, an incident and a notice.
type Health struct {
	// Cause is the code of the condition, e.g. "tenant-file", and Subject the thing
	// that has it, e.g. the file's name. Alerts with the same two join one open
	// incident.
	Cause   Code
	Subject string
	// Title and Detail tell people what happened; what to do about it is the
	// condition's cure, which follows.
	Title  string
	Detail string
	// Severity is the condition's if it is left Informational.
	Severity glassward.Severity
	// Since is when it began. The same fault since the same time is the same
	// alert, told once; since another time it is told again.
	Since time.Time
	// Groups are the action groups to tell; the tenant's own if empty.
	Groups []string
	// Records are the ids of the records concerned, if it is about records.
	Records []glassward.RecordID
	// Over says that the fault is gone. The incident says so, and is closed where the
	// condition closes it: it shows no success of anybody and no change of what
	// protects an account, so nobody has to review it. Since need not be known any
	// more.
	Over bool
}

// Change gives the alert that the fault is. The tenant is empty for what
// concerns the whole installation.
func (h Health) Change(tenant string, now time.Time) AlertChange {
	group := string(h.Cause) + " " + h.Subject
	c, declared := ConditionOf(h.Cause)
	if h.Severity == glassward.Informational {
		h.Severity = glassward.High
		if declared {
			h.Severity = c.Severity
		}
	}
	detail := h.Detail
	if !h.Over && c.Cure != "" && !strings.Contains(detail, c.Cure) {
		detail = strings.TrimPrefix(detail+"\n"+c.Cure, "\n")
	}
	since := h.Since.UTC()
	return AlertChange{
		Withdrawn: h.Over, Closes: h.Over && c.Closes,
		Alert: glassward.Alert{
			ID:     AlertID(tenant, HealthRule, group, since.Format(time.RFC3339Nano)),
			Tenant: tenant, RuleID: HealthRule, RuleName: "Glassward health", RuleVersion: "1", Group: group,
			Title: h.Title, Description: detail, Severity: h.Severity,
			Details: map[string][]string{"Cause": {string(h.Cause)}, "Subject": {h.Subject}},
			Records: h.Records, Start: since, End: since, Received: since, Judged: now.UTC(),
			ActionGroups: h.Groups,
		},
	}
}
