package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
)

// ties gives those of an alert's facts by which it belongs to an incident of
// other rules: the sessions, actors and protected objects. Only an id ties: a
// name can be written by anybody, and an address is shared by a whole office.
func ties(facts []string) []string {
	var out []string
	for _, f := range facts {
		switch kind, value, _ := strings.Cut(f, ":"); kind {
		case "session", "actor":
			if !glassward.IsGUID(value) || strings.Trim(value, "0-") == "" {
				continue
			}
		case "protected":
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

// Ties gives what an incident is found by beyond its accounts and keys, each as
// "kind:value": the sessions, actors and protected objects that it has seen.
func Ties(inc glassward.Incident) []string { return ties(inc.Seen) }

// guarded says whether facts speak of an emergency account or of what protects
// one. Only about these incidents are sessions and actors followed from rule to
// rule: an administrator's other deeds stay as their rules group them.
func guarded(facts []string) bool {
	return slices.ContainsFunc(facts, func(f string) bool {
		return strings.HasPrefix(f, "account:") || strings.HasPrefix(f, "protected:")
	})
}

// A bond is why an alert belongs to an incident, weakest first.
type bond int

const (
	unbound bond = iota
	byGroup
	byTie
	byAccount
)

// bond says why an alert belongs to an incident, by what both know and by how
// far apart they are.
func (st *step) bond(inc glassward.Incident, a glassward.Alert, facts []string) bond {
	gap := gap(inc.FirstActivity, inc.LastActivity, a.Start, a.End)
	health := a.RuleID == HealthRule
	accounts := concerned(st.policy, a)
	switch {
	case inc.MergedInto != 0:
		return unbound // whatever belonged to it belongs to the other
	case overlaps(inc.Accounts, accounts) && gap <= st.policy.followUp():
		return byAccount
	case !health && gap <= st.policy.followUp() && (guarded(facts) || guarded(inc.Seen)) && overlaps(inc.Seen, ties(facts)):
		return byTie
	case len(accounts) > 0:
		return unbound
	case inc.GroupKey != groupKey(a) && !slices.Contains(inc.MergedKeys, groupKey(a)):
		return unbound
	case health && inc.Status != glassward.StatusClosed:
		// A fault of our own that lasts is one incident, however long it lasts.
		return byGroup
	case gap > st.policy.reach(a):
		return unbound
	}
	return byGroup
}

// match gives the incident that an alert belongs to: an open one with room if
// there is any, else the latest that is closed or full. Among several the
// strongest bond wins, then the nearest in time, then the newest.
func (st *step) match(a glassward.Alert, facts []string) (home glassward.Incident, found bool) {
	var best bond
	var bestGap time.Duration
	for _, inc := range st.state.Incidents {
		b := st.bond(inc, a, facts)
		if b == unbound {
			continue
		}
		g := gap(inc.FirstActivity, inc.LastActivity, a.Start, a.End)
		takes, better := st.takes(inc, a, b), !found
		if found {
			switch homeTakes := st.takes(home, a, best); {
			case takes != homeTakes:
				better = takes
			case takes && b != best:
				better = b > best
			case takes && g != bestGap:
				better = g < bestGap
			default:
				better = inc.Number > home.Number
			}
		}
		if better {
			home, best, bestGap, found = inc, b, g, true
		}
	}
	return home, found
}

// also gives the open incidents besides home, oldest first, to which the alert
// is bound by more than its rule's grouping: it shows that they are one.
func (st *step) also(home glassward.Incident, a glassward.Alert, facts []string) []glassward.Incident {
	if st.bond(home, a, facts) <= byGroup {
		return nil
	}
	var out []glassward.Incident
	for _, inc := range st.state.Incidents {
		if b := st.bond(inc, a, facts); inc.Number != home.Number && b > byGroup && st.takes(inc, a, b) {
			out = append(out, inc)
		}
	}
	slices.SortFunc(out, func(x, y glassward.Incident) int { return cmp.Compare(x.Number, y.Number) })
	return out
}

// takes says whether an incident is open and has room for an alert that is bound
// to it: for one alert more, and, unless its rule says how far it groups, in time.
func (st *step) takes(inc glassward.Incident, a glassward.Alert, b bond) bool {
	return inc.Status != glassward.StatusClosed && !st.full(inc) &&
		(b == byGroup || stretch(inc.FirstActivity, inc.LastActivity, a.Start, a.End) <= st.policy.span())
}

// stretch is the time from the beginning of the earlier of two intervals to the
// end of the later.
func stretch(a0, a1, b0, b1 time.Time) time.Duration {
	if b0.Before(a0) {
		a0 = b0
	}
	if b1.After(a1) {
		a1 = b1
	}
	return a1.Sub(a0)
}

// unite makes one incident of those that an alert shows to be one. The oldest
// goes on, since people know it longest; the others are closed and name it. What
// would not fit stays by itself. It gives the incident that goes on, and facts
// that say which joined.
func (st *step) unite(home glassward.Incident, others []glassward.Incident) (glassward.Incident, []string) {
	var joined []string
	for _, other := range others {
		into, from := home, other
		if from.Number < into.Number {
			into, from = from, into
		}
		if len(into.Alerts)+len(from.Alerts) >= st.policy.maxAlerts() || len(into.Seen)+len(from.Seen) >= maxSeen ||
			stretch(into.FirstActivity, into.LastActivity, from.FirstActivity, from.LastActivity) > st.policy.span() {
			continue
		}
		home = st.merge(into, from)
		joined = append(joined, fmt.Sprintf("incident:%d", from.Number))
	}
	return home, joined
}

// merge takes everything of one incident into another and closes it.
func (st *step) merge(into, from glassward.Incident) glassward.Incident {
	title := from.Title
	if into.Severity >= glassward.Medium && from.Severity >= glassward.Medium && !slices.Equal(into.RuleIDs, from.RuleIDs) {
		into.Severity = glassward.High
	}
	into.Severity = max(into.Severity, from.Severity)
	into.Alerts = slices.Clone(into.Alerts)
	for _, id := range from.Alerts {
		if !slices.Contains(into.Alerts, id) {
			into.Alerts = append(into.Alerts, id)
		}
	}
	into.Accounts = union(into.Accounts, from.Accounts)
	into.RuleIDs = union(into.RuleIDs, from.RuleIDs)
	into.ActionGroups = union(into.ActionGroups, from.ActionGroups)
	into.Seen = union(into.Seen, from.Seen)
	into.Entities = mergeEntities(into.Entities, from.Entities)
	into.Shows = union(into.Shows, from.Shows)
	into.Tasks = mergeTasks(into.Tasks, from.Tasks)
	into.Owner = cmp.Or(into.Owner, from.Owner)
	for _, key := range append([]string{from.GroupKey}, from.MergedKeys...) {
		if key != "" && key != into.GroupKey {
			into.MergedKeys = union(into.MergedKeys, []string{key})
		}
	}
	if from.FirstActivity.Before(into.FirstActivity) {
		into.FirstActivity = from.FirstActivity
	}
	if from.LastActivity.After(into.LastActivity) {
		into.LastActivity = from.LastActivity
	}
	into.Timeline = slices.Concat(into.Timeline, from.Timeline)
	slices.SortStableFunc(into.Timeline, func(x, y glassward.TimelineEntry) int { return x.Noted.Compare(y.Noted) })
	st.note(&into, glassward.TimelineEntry{Time: st.now, Kind: "merge", Text: fmt.Sprintf("incident %d (%s) belongs to this one", from.Number, title)})

	into.Page = onePage(into.Page, from.Page)
	from.MergedInto = into.Number
	st.close(&from, Close{Target: Target{By: "Glassward"}, Classification: glassward.Undetermined,
		Comment: fmt.Sprintf("it is one with incident %d and goes on there", into.Number)})
	st.put(from)
	return into
}

// severity gives the severity of an incident with one alert more. An incident
// about an emergency account, or about what protects one, is High as soon as two
// rules agree in it that something of severity Medium or more happens: one step
// of an attack can be anybody's mistake, two are seldom.
func (st *step) severity(inc glassward.Incident, a glassward.Alert, facts []string) glassward.Severity {
	if len(inc.RuleIDs) > 0 && !slices.Contains(inc.RuleIDs, a.RuleID) && a.RuleID != HealthRule &&
		min(inc.Severity, a.Severity) >= glassward.Medium && (guarded(facts) || guarded(inc.Seen)) {
		return glassward.High
	}
	return max(inc.Severity, a.Severity)
}
