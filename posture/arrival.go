package posture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward/directory"
	"glassward/directory/truth"
)

// alive: records came lately to where they are watched, and an alarm was seen to come of
// one.
func alive(v *view) {
	c := v.azure(directory.LogArrivals, directory.Users)
	at := v.a.s.Reading(directory.LogArrivals, "").At
	if at.IsZero() {
		at = c.Taken
	}
	for _, log := range []struct {
		category, table string
		judge           func(v *view, id string, newest, at time.Time)
	}{{"SignInLogs", "SigninLogs", signInsArrive}, {"AuditLogs", "AuditLogs", auditsArrive}} {
		workspaces, others := v.destinations(log.category)
		if len(workspaces) == 0 {
			if len(others) > 0 {
				v.unknown("", log.category, "go to %s: whether they arrive there is not in Azure's answers", strings.Join(others, " and "))
			} else {
				v.fail("", log.category, "are sent nowhere (MON-01)")
			}
		}
		slices.Sort(workspaces)
		for _, id := range slices.CompactFunc(workspaces, directory.SameResource) {
			i := slices.IndexFunc(c.LogArrivals, func(a *directory.LogArrival) bool {
				return a.Table == log.table && directory.SameResource(a.Workspace, id)
			})
			switch {
			case i < 0:
				v.azureSay(Unknown, id, log.table, "is in no subscription that was read")
			case at.IsZero():
				v.azureSay(Unknown, id, log.table, "the snapshot does not say when it was read")
			case c.LogArrivals[i].Newest.After(at.Add(time.Hour)):
				v.azureSay(Unknown, id, log.table, "the newest record is of %s, after it was read", c.LogArrivals[i].Newest.Format(time.RFC3339))
			default:
				log.judge(v, id, c.LogArrivals[i].Newest, at)
			}
		}
	}
	lastAlarm(v)
}

// signInsArrive: somebody signs in every hour, but at night and in small tenants.
func signInsArrive(v *view, id string, newest, at time.Time) {
	const table = "SigninLogs"
	switch age := at.Sub(newest); {
	case newest.IsZero():
		v.azureSay(Fail, id, table, "no record of the last %d days", directory.ArrivalDays)
	case age <= time.Duration(v.o.Norms.SignInLogMinutes)*time.Minute:
		v.azureSay(Pass, id, table, "the newest record is %s old", rounded(age))
	case age <= 24*time.Hour:
		v.azureSay(Warn, id, table, "the newest record is %s old, more than %d minutes: nobody signs in, or records come late", rounded(age), v.o.Norms.SignInLogMinutes)
	default:
		v.azureSay(Fail, id, table, "the newest record is %s old", rounded(age))
	}
}

// auditsArrive: where nobody changes anything no record is made, for days. What the
// directory tells of its people is the measure then: one that was made, or given another
// password, after the newest record was has left a record that did not come.
func auditsArrive(v *view, id string, newest, at time.Time) {
	const table = "AuditLogs"
	norm := time.Duration(v.o.Norms.AuditLogHours) * time.Hour
	age := at.Sub(newest)
	what := "the newest record is " + rounded(age) + " old"
	switch {
	case newest.IsZero():
		what = fmt.Sprintf("no record of the last %d days", directory.ArrivalDays)
	case age <= norm:
		v.azureSay(Pass, id, table, "%s", what)
		return
	}
	// What is so new that its record may be on the way says nothing, and neither does what
	// is older than was asked for.
	from, until := at.AddDate(0, 0, -directory.ArrivalDays), at.Add(-norm)
	missing := func(changed time.Time) bool {
		return changed.After(newest.Add(time.Minute)) && changed.After(from) && changed.Before(until)
	}
	for _, u := range v.a.s.Contents().Users {
		// The password of somebody who is synchronised is changed elsewhere.
		if missing(u.Created) || u.Synced == truth.False && missing(u.LastPasswordChange) {
			v.azureSay(Fail, id, table, "%s, and %s was made or given another password after it", what, v.name(u.ID))
			return
		}
	}
	v.azureSay(Warn, id, table, "%s, and the directory shows no change of people since: change something, and look whether it comes", what)
}

// rounded is an age as people say it.
func rounded(d time.Duration) string {
	if d = max(d, 0); d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// lastAlarm: not long ago the log of a drill arrived and the alert fired.
func lastAlarm(v *view) {
	if len(v.o.Drills) == 0 {
		v.unknown("", "drills", "none are declared: whether an alarm was ever seen to come is not in the directory")
		return
	}
	var last *Drill
	for i := range v.o.Drills {
		d := &v.o.Drills[i]
		if slices.Contains(d.Steps, "log") && slices.Contains(d.Steps, "alert") && (last == nil || d.Day.After(last.Day)) {
			last = d
		}
	}
	if last == nil {
		v.fail("", "drills", "none in which the log arrived and the alert fired")
		return
	}
	v.ago(last.Account, "drills", last.Day, v.o.Norms.DrillDays)
}
