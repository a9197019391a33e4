package incident

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"glassward"
)

// A Policy is what a tenant's configuration says about incidents. The zero
// value has no emergency accounts and the defaults named at each field.
type Policy struct {
	// Accounts maps the object ids of the emergency accounts to names for people.
	// Ids are compared without case.
	Accounts map[string]string
	// Protected maps the ids of the objects that protect the accounts to names for
	// people. Ids are compared without case.
	Protected map[string]string
	// Holders are the people who hold the keys of an account, by its object id. They
	// cannot review what it did.
	Holders map[string][]string
	// Groups are the action groups told when an alert names none.
	Groups []string
	// FollowUp is how far from an incident's activity an alert about the same
	// emergency account, session, actor or protected object may lie and still join;
	// 0 means 4 hours.
	FollowUp time.Duration
	// Span is how long the activity of an incident may last altogether before such
	// an alert opens the next one; 0 means 24 hours.
	Span time.Duration
	// Lookback is the same for alerts without an emergency account whose rule says
	// nothing about it; 0 means 5 hours, as in Sentinel.
	Lookback time.Duration
	// Grace is how long after its end a declared window waits for late records; 0
	// means an hour.
	Grace time.Duration
	// MaxAlerts is how many alerts an incident takes before the next one is
	// opened; 0 means 150, as in Sentinel.
	MaxAlerts int
	// Ladders say by action group who is called when; a group that is not named
	// calls everybody at once, and again while nobody takes a High incident up.
	Ladders map[string]Ladder
	// Limits say by action group how many alarms it is told one by one.
	Limits map[string]Limits
	// Reopen lets a new alert reopen the closed incident that it belongs to
	// instead of opening one that follows it. A rule may say so of its own alerts
	// that name no emergency account.
	Reopen bool
}

const (
	defaultFollowUp  = 4 * time.Hour
	defaultSpan      = 24 * time.Hour
	defaultLookback  = 5 * time.Hour
	defaultMaxAlerts = 150
	// maxSeen bounds Seen. An incident that has seen more is full: the next new
	// fact opens the incident that follows it.
	maxSeen = 5000
)

func (p Policy) followUp() time.Duration { return cmp.Or(p.FollowUp, defaultFollowUp) }
func (p Policy) span() time.Duration     { return cmp.Or(p.Span, defaultSpan) }
func (p Policy) lookback() time.Duration { return cmp.Or(p.Lookback, defaultLookback) }
func (p Policy) maxAlerts() int          { return cmp.Or(p.MaxAlerts, defaultMaxAlerts) }

// reach is how far from an incident's activity an alert may lie and still join
// by its group.
func (p Policy) reach(a glassward.Alert) time.Duration {
	if a.Grouping != nil && a.Grouping.Lookback > 0 {
		return a.Grouping.Lookback
	}
	return p.lookback()
}

// reopens says whether an alert reopens the closed incident that it belongs to.
func (p Policy) reopens(a glassward.Alert) bool {
	g := a.Grouping
	return p.Reopen || g != nil && g.Enabled && g.Reopen && len(concerned(p, a)) == 0
}

// A State is what Step has to know of one tenant: the incidents and alerts that
// the event can concern. More than that does no harm.
type State struct {
	Tenant string
	// Next is the number that the next incident gets, 1 in a new tenant.
	Next int64
	// Incidents are those that hold the alert, those that it could join and, for
	// a command, the one that is named.
	Incidents []glassward.Incident
	// Alerts holds the alert as it was, if it was known. Its Records are the ones
	// that it is known to have; those that the event does not name may be left
	// out.
	Alerts map[glassward.AlertID]glassward.Alert
	// Expected are the expectations that are open, and the one that is named.
	Expected []glassward.Expectation
}

// Changes are what a step makes of a State. They are to be stored together.
type Changes struct {
	// Alerts are new or changed. Their Records are to be added to those that the
	// store has; none is ever taken away.
	Alerts []glassward.Alert
	// Incidents are new or changed, each with a new Etag.
	Incidents []glassward.Incident
	// Notices are owed from now on. A notice whose id is already stored is the
	// same notice and is not owed twice.
	Notices []glassward.Notice
	// Expected are expectations that are new or changed.
	Expected []glassward.Expectation
}

// Empty says whether nothing changes.
func (c Changes) Empty() bool {
	return len(c.Alerts) == 0 && len(c.Incidents) == 0 && len(c.Notices) == 0 && len(c.Expected) == 0
}

// Apply gives the state after the changes. It leaves s as it is.
func (s State) Apply(c Changes) State {
	out := State{Tenant: s.Tenant, Next: s.Next, Incidents: slices.Clone(s.Incidents), Alerts: maps.Clone(s.Alerts), Expected: slices.Clone(s.Expected)}
	if out.Alerts == nil {
		out.Alerts = map[glassward.AlertID]glassward.Alert{}
	}
	for _, a := range c.Alerts {
		a.Records = unionRecords(out.Alerts[a.ID].Records, a.Records)
		out.Alerts[a.ID] = a
	}
	for _, inc := range c.Incidents {
		i := slices.IndexFunc(out.Incidents, func(o glassward.Incident) bool { return o.Number == inc.Number })
		if i < 0 {
			out.Incidents = append(out.Incidents, inc)
		} else {
			out.Incidents[i] = inc
		}
		out.Next = max(out.Next, inc.Number+1)
	}
	for _, e := range c.Expected {
		i := slices.IndexFunc(out.Expected, func(o glassward.Expectation) bool { return o.ID == e.ID })
		if i < 0 {
			out.Expected = append(out.Expected, e)
		} else {
			out.Expected[i] = e
		}
	}
	return out
}

// An Event is something that Step can judge: an AlertChange, an Enriched, a Call, a
// Lapse, a Due, or what people do: Declare, Withdraw and the commands (Command).
type Event interface{ event() }

// An AlertChange is what a rule found out about one alert.
type AlertChange struct {
	// Alert is the alert as this evaluation sees it; where it grew, that may be
	// the part that is new. Records names what caused it.
	Alert glassward.Alert
	// Grew says that the rule knew the alert already. Step decides by what is
	// stored, not by this.
	Grew bool
	// NewRecords are records that the alert did not have; they are added to
	// Alert.Records.
	NewRecords []glassward.RecordID
	// Withdrawn says that later data took the result away. The alert is marked
	// as unconfirmed and nothing is closed, unless it is a fault of our own that
	// Closes its incident.
	Withdrawn, Closes bool
}

func (AlertChange) event() {}

// An Enriched is what was around an alert that had to go out without it.
type Enriched struct {
	Alert   glassward.AlertID
	Context glassward.Context
}

func (Enriched) event() {}

// Step gives the changes that the event makes to the state at a time. An event
// that was taken in before makes none. Only commands can fail: ErrNotFound,
// ErrConflict, ErrInvalid.
func Step(s State, p Policy, e Event, now time.Time) (Changes, error) {
	st := &step{state: s, policy: p, now: now.UTC().Round(0)}
	switch e := e.(type) {
	case AlertChange:
		st.judge(e)
	case Call:
		st.call(e)
	case Lapse:
		st.lapse(e)
	case Due:
		st.due(e)
	case Enriched:
		if a, ok := st.state.Alerts[e.Alert]; ok && (a.Context == nil || a.Context.Missing != "") {
			a.Context, a.Records = &e.Context, nil
			st.changes.Alerts = append(st.changes.Alerts, a)
		}
	case Declare:
		if err := st.declare(e); err != nil {
			return Changes{}, err
		}
	case Withdraw:
		if err := st.withdrawExpected(e); err != nil {
			return Changes{}, err
		}
	case Command:
		if err := st.command(e); err != nil {
			return Changes{}, err
		}
	default:
		return Changes{}, fmt.Errorf("incident: unknown event %T", e)
	}
	return st.changes, nil
}

// A step is one run of Step.
type step struct {
	state   State
	policy  Policy
	now     time.Time
	changes Changes
}

func (st *step) judge(e AlertChange) {
	prev, known := st.state.Alerts[e.Alert.ID]
	switch {
	case e.Withdrawn && known && prev.Unconfirmed:
		return
	case e.Withdrawn && e.Alert.RuleID == HealthRule:
		st.over(e.Alert, prev, known, e.Closes)
		return
	case e.Withdrawn:
		if known {
			st.withdraw(prev)
		}
		return
	}
	next := e.Alert
	next.Tenant = st.state.Tenant
	next.Records = unionRecords(e.Alert.Records, e.NewRecords)
	fresh := missing(next.Records, prev.Records)
	if known {
		next = merge(prev, next, len(fresh) > 0)
		if sameAlert(prev, next) && len(fresh) == 0 {
			return
		}
	} else {
		next = tidy(next)
	}
	homes := st.homes(next.ID)
	if foreseen := known && prev.Expected != "" && len(fresh) == 0 && missing(alertFacts(st.policy, e.Alert), alertFacts(st.policy, prev)) == nil &&
		missing(shows(st.policy, e.Alert), shows(st.policy, prev)) == nil; !foreseen {
		next.Expected = ""
		if len(homes) == 0 && !next.NoIncident {
			next.Expected = st.expect(e.Alert)
		}
	}
	st.changes.Alerts = append(st.changes.Alerts, next)
	if next.Expected != "" {
		return
	}

	// What this evaluation saw, and not what the alert has room to keep, decides
	// about paging.
	facts := union(alertFacts(st.policy, e.Alert), alertFacts(st.policy, next))
	if next.NoIncident {
		st.alone(prev, next, known, facts)
		return
	}
	if len(homes) == 0 {
		st.place(next, facts)
		return
	}
	st.grow(prev, next, e.Alert, homes, facts, len(fresh))
}

// homes gives the incidents that hold the alert, oldest first.
func (st *step) homes(id glassward.AlertID) []glassward.Incident {
	var out []glassward.Incident
	for _, inc := range st.state.Incidents {
		if slices.Contains(inc.Alerts, id) && inc.MergedInto == 0 {
			out = append(out, inc)
		}
	}
	slices.SortFunc(out, func(a, b glassward.Incident) int { return cmp.Compare(a.Number, b.Number) })
	return out
}

// place finds an incident for an alert that is in none.
func (st *step) place(a glassward.Alert, facts []string) {
	home, ok := st.match(a, facts)
	switch {
	case !ok:
		st.open(a, facts, 0, fmt.Sprintf("%s: %s", a.RuleName, a.Title))
	case home.Status == glassward.StatusClosed && st.policy.reopens(a) && !st.full(home):
		why := fmt.Sprintf("incident %d was closed and is reopened by a new alert: %s", home.Number, a.Title)
		st.reopen(&home, why)
		st.join(&home, a, facts)
		home.Seen = union(home.Seen, facts)
		st.page(&home, a, "again", facts, why)
		st.put(home)
	case !st.takes(home, a, st.bond(home, a, facts)):
		st.open(a, facts, home.Number, fmt.Sprintf("%s: %s (follows incident %d, which is %s)", a.RuleName, a.Title, home.Number, st.pastTense(home)))
	default:
		b := st.bond(home, a, facts)
		home, joined := st.unite(home, st.also(home, a, facts))
		news := st.undone(union(joined, st.news(home, a, facts, nil)), home, a)
		if len(news) == 0 && b == byTie && !slices.ContainsFunc(facts, func(f string) bool { return strings.HasPrefix(f, "act:") }) {
			// Nothing in it says what was done, so it may be anything: what joins by
			// nothing but who did it is never silent then.
			news = []string{"alert:" + a.Title}
		}
		st.join(&home, a, facts)
		if len(news) > 0 {
			home.Seen = union(home.Seen, news)
			st.page(&home, a, "again", news, fmt.Sprintf("New in incident %d, by rule %s: %s", home.Number, a.RuleName, st.say(news)))
		}
		st.put(home)
	}
}

// grow takes in a changed alert that is already in an incident; part is what the
// evaluation saw of it.
func (st *step) grow(prev, next, part glassward.Alert, homes []glassward.Incident, facts []string, fresh int) {
	home := homes[len(homes)-1]
	var seen []string
	for _, h := range homes {
		seen = union(seen, h.Seen)
	}
	news := st.news(home, next, facts, seen)
	if fresh > 0 {
		news = st.undone(news, home, part)
	}
	text := fmt.Sprintf("%s: %d rows", next.Title, next.RowCount)
	if fresh > 0 {
		text += fmt.Sprintf(", %d new records", fresh)
	}
	if prev.Unconfirmed && !next.Unconfirmed {
		text += ", confirmed again by later data"
	}
	closed := home.Status == glassward.StatusClosed
	if len(news) > 0 && (closed && !st.policy.reopens(next) || st.full(home)) {
		st.open(next, facts, home.Number, fmt.Sprintf("%s, an alert of incident %d, which is %s: %s", next.Title, home.Number, st.pastTense(home), st.say(news)))
		return
	}
	if len(news) > 0 && closed {
		st.reopen(&home, fmt.Sprintf("incident %d was closed and is reopened: %s", home.Number, st.say(news)))
	}
	if next.Late && !prev.Late {
		st.note(&home, glassward.TimelineEntry{Time: next.End, Kind: "late", Text: lateText(next), Alert: next.ID})
	}
	st.noteGrown(&home, glassward.TimelineEntry{Time: next.End, Kind: "grown", Text: text, Alert: next.ID})
	if len(news) > 0 && !closed {
		var joined []string
		home, joined = st.unite(home, st.also(home, part, alertFacts(st.policy, part)))
		news = union(joined, news)
	}
	st.absorb(&home, next, facts)
	if len(news) > 0 || fresh > 0 {
		st.follow(&home, part)
	}
	if len(news) > 0 {
		home.Seen = union(home.Seen, news)
		st.page(&home, next, "grown", news, fmt.Sprintf("%s in incident %d: %s", next.Title, home.Number, st.say(news)))
	}
	st.put(home)
}

// alone takes in an alert whose rule makes no incidents. It tells the groups
// that the rule names, and again when it grows by something new.
func (st *step) alone(prev, next glassward.Alert, known bool, facts []string) {
	if len(next.ActionGroups) == 0 {
		return
	}
	kind, why, news := "fired", fmt.Sprintf("%s: %s", next.RuleName, next.Title), facts
	if known {
		news = missing(facts, alertFacts(st.policy, prev))
		if next.Severity > prev.Severity {
			news = union(news, []string{"severity:" + next.Severity.String()})
		}
		if len(news) == 0 {
			return
		}
		kind, why = "grown", fmt.Sprintf("%s: %s", next.Title, st.say(news))
	}
	st.owe(nil, next, kind, news, next.ActionGroups, why)
}

func (st *step) withdraw(a glassward.Alert) {
	a.Unconfirmed = true
	a.Records = nil
	st.changes.Alerts = append(st.changes.Alerts, a)
	homes := st.homes(a.ID)
	if len(homes) == 0 {
		return
	}
	home := homes[len(homes)-1]
	st.note(&home, glassward.TimelineEntry{Time: a.End, Kind: "unconfirmed", Text: a.Title + ": not confirmed by later data", Alert: a.ID})
	st.put(home)
}

// over notes that a fault of our own is gone: in the incident that holds its
// alert, or, where the caller cannot say any more when it began, in the open one
// of the same cause and subject.
func (st *step) over(a, prev glassward.Alert, known, closes bool) {
	var home glassward.Incident
	text := a.Title
	if known {
		prev.Unconfirmed, prev.Records = true, nil
		st.changes.Alerts = append(st.changes.Alerts, prev)
		if homes := st.homes(a.ID); len(homes) > 0 {
			home = homes[len(homes)-1]
		}
		if a.Title == prev.Title {
			text += ": over"
		}
	} else {
		key := groupKey(tidy(a))
		for _, inc := range st.state.Incidents {
			if inc.GroupKey == key && inc.Status != glassward.StatusClosed && inc.Number > home.Number {
				home = inc
			}
		}
	}
	if home.Number == 0 {
		return
	}
	if !known && isOver(home) {
		return
	}
	st.note(&home, glassward.TimelineEntry{Time: st.now, Kind: "unconfirmed", Text: text, Alert: prev.ID})
	if ofHealth(home) {
		end(&home) // nobody is woken for what is over
	}
	if closes && home.Status != glassward.StatusClosed && ofHealth(home) {
		if a.Description != "" && !strings.HasPrefix(prev.Description, a.Description) {
			text += ". " + a.Description // what is left of it, a blind interval for instance
		}
		st.close(&home, Close{Target: Target{By: "Glassward"}, Classification: glassward.Undetermined, Comment: text})
	}
	st.put(home)
}

// isOver says whether the last that was heard of a fault is that it is gone.
func isOver(inc glassward.Incident) bool {
	for _, e := range slices.Backward(inc.Timeline) {
		switch e.Kind {
		case "unconfirmed":
			return true
		case "alert", "grown":
			return false
		}
	}
	return false
}

func (st *step) full(inc glassward.Incident) bool {
	return len(inc.Alerts) >= st.policy.maxAlerts() || len(inc.Seen) >= maxSeen
}

func (st *step) pastTense(inc glassward.Incident) string {
	if inc.Status == glassward.StatusClosed {
		return "closed"
	}
	if !st.full(inc) {
		return "as long as an incident lasts"
	}
	return "full"
}

// news gives the facts that have not paged in the incident, and the severity if
// it rises.
func (st *step) news(inc glassward.Incident, a glassward.Alert, facts, seen []string) []string {
	news := missing(facts, union(inc.Seen, seen))
	if s := st.severity(inc, a, facts); s > inc.Severity {
		news = union(news, []string{"severity:" + s.String()})
	}
	return news
}

// open makes a new incident of the alert.
func (st *step) open(a glassward.Alert, facts []string, previous int64, why string) {
	next := max(st.state.Next, 1)
	for _, inc := range st.changes.Incidents {
		next = max(next, inc.Number+1)
	}
	inc := glassward.Incident{
		Number: next, Tenant: st.state.Tenant,
		Title: a.Title, Description: a.Description, Severity: a.Severity,
		Status: glassward.StatusNew, Created: st.now,
		FirstActivity: a.Start.UTC(), LastActivity: a.End.UTC(),
		Previous: previous,
	}
	if len(concerned(st.policy, a)) == 0 {
		inc.GroupKey = groupKey(a)
	}
	st.join(&inc, a, facts)
	inc.Seen = union(nil, facts)
	st.page(&inc, a, "fired", facts, why)
	st.put(inc)
}

func (st *step) reopen(inc *glassward.Incident, why string) {
	inc.Status = glassward.StatusNew
	inc.Classification, inc.Reason, inc.Comment = "", "", ""
	inc.Closed, inc.Acknowledged = time.Time{}, time.Time{}
	st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "reopen", Text: why})
}

// join adds an alert that the incident does not hold.
func (st *step) join(inc *glassward.Incident, a glassward.Alert, facts []string) {
	st.note(inc, glassward.TimelineEntry{Time: a.Start, Kind: "alert", Text: fmt.Sprintf("%s (%s)", a.Title, a.Severity), Alert: a.ID})
	if a.Late {
		st.note(inc, glassward.TimelineEntry{Time: a.Start, Kind: "late", Text: lateText(a), Alert: a.ID})
	}
	st.follow(inc, a)
	inc.Alerts = append(slices.Clone(inc.Alerts), a.ID)
	st.absorb(inc, a, facts)
}

// absorb carries what an alert knows over to its incident.
func (st *step) absorb(inc *glassward.Incident, a glassward.Alert, facts []string) {
	inc.Severity = st.severity(*inc, a, facts)
	if s := a.Start.UTC(); s.Before(inc.FirstActivity) {
		inc.FirstActivity = s
	}
	if e := a.End.UTC(); e.After(inc.LastActivity) {
		inc.LastActivity = e
	}
	inc.Entities = mergeEntities(inc.Entities, a.Entities)
	inc.RuleIDs = union(inc.RuleIDs, []string{a.RuleID})
	for _, f := range facts {
		if id, ok := strings.CutPrefix(f, "account:"); ok {
			inc.Accounts = union(inc.Accounts, []string{id})
		}
	}
}

// note adds an entry to the timeline, which is kept in the order in which we
// learned of things.
func (st *step) note(inc *glassward.Incident, e glassward.TimelineEntry) {
	e.Time, e.Noted = e.Time.UTC(), st.now
	inc.Timeline = append(slices.Clone(inc.Timeline), e)
}

// noteGrown adds an entry, or brings the alert's entry up to date where nothing
// but growth came since: an alert that grows every minute for a week is one
// line and not ten thousand.
func (st *step) noteGrown(inc *glassward.Incident, e glassward.TimelineEntry) {
	for i := len(inc.Timeline) - 1; i >= 0 && inc.Timeline[i].Kind == "grown"; i-- {
		if inc.Timeline[i].Alert == e.Alert {
			inc.Timeline = slices.Delete(slices.Clone(inc.Timeline), i, i+1)
			break
		}
	}
	st.note(inc, e)
}

// put seals the incident and adds it to the changes.
func (st *step) put(inc glassward.Incident) {
	inc.Modified = st.now
	inc.Etag = Etag(inc)
	st.changes.Incidents = append(st.changes.Incidents, inc)
}

// gap is the time between two intervals, 0 if they touch.
func gap(a0, a1, b0, b1 time.Time) time.Duration {
	switch {
	case b0.After(a1):
		return b0.Sub(a1)
	case a0.After(b1):
		return a0.Sub(b1)
	}
	return 0
}

func lateText(a glassward.Alert) string {
	if d := a.Received.Sub(a.End); d > 0 && !a.Received.IsZero() {
		return fmt.Sprintf("%s: judged after its window, received %s after the event", a.Title, d.Round(time.Second))
	}
	return a.Title + ": judged after its window"
}
