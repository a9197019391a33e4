package incident

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward"
)

// A Ladder says whom of an action group to call, and when to call the next, until
// somebody takes the incident up. The zero Ladder calls everybody at once.
type Ladder struct {
	// Steps are in the order in which they are called. None means one step, which
	// is everybody.
	Steps []Rung
	// From is the mildest severity that climbs. What is milder is told to the first
	// step and called once.
	From glassward.Severity
	// Repeat is how long after the last step everybody is called again, and again;
	// 0 means 5 minutes. From the second hour it is at least slowRepeat.
	Repeat time.Duration
}

// A Rung is one step of a ladder.
type Rung struct {
	// After is how long after the page's beginning the step is called.
	After time.Duration
	// Receivers are called side by side; everybody if empty.
	Receivers []string
}

const (
	defaultRepeat = 5 * time.Minute
	// busy is how long all are called at the ladder's own pace, slowRepeat the pace
	// after that: whoever did not answer twelve calls is not woken by the next
	// hundred, and the thirteenth must still come.
	busy       = time.Hour
	slowRepeat = 30 * time.Minute
)

// defaultLadder is that of a group that has none.
var defaultLadder = Ladder{From: glassward.High}

func (p Policy) ladder(group string) Ladder {
	for name, l := range p.Ladders {
		if strings.EqualFold(name, group) {
			return l
		}
	}
	return defaultLadder
}

func (l Ladder) steps() []Rung {
	if len(l.Steps) == 0 {
		return []Rung{{}}
	}
	return l.Steps
}

// reached gives who has been called after so many steps, nil for everybody.
func (l Ladder) reached(steps int) []string {
	all := l.steps()
	var names []string
	for _, r := range all[:min(max(steps, 1), len(all))] {
		if len(r.Receivers) == 0 {
			return nil
		}
		names = union(names, r.Receivers)
	}
	return names
}

// next gives when a climb goes on.
func (l Ladder) next(c glassward.Climb) time.Time {
	if all := l.steps(); c.Steps < len(all) {
		return c.Began.Add(all[c.Steps].After)
	}
	pace := l.Repeat
	if pace <= 0 {
		pace = defaultRepeat
	}
	if !c.Last.Before(c.Began.Add(l.steps()[len(l.steps())-1].After + busy)) {
		pace = max(pace, slowRepeat)
	}
	return c.Last.Add(pace)
}

// A call is what a climb owes.
type call struct {
	kind string
	// receivers are called, everybody if none is named.
	receivers []string
	// number is the step or the round; with the page's key it names the call.
	number int
}

// climb gives how far a climb has come at a time, and the call that it owes for
// that, if any. After a halt it owes one call to everybody whose turn came
// meanwhile, and one round for all that were missed. A clock that was set back
// does not stretch what was waited for: the climb goes back with it.
func (l Ladder) climb(c glassward.Climb, now time.Time) (glassward.Climb, *call) {
	if back := c.Last.Sub(now); back > 0 {
		c.Began, c.Last = c.Began.Add(-back), now
	}
	if l.next(c).After(now) {
		return c, nil
	}
	all := l.steps()
	if c.Steps >= len(all) {
		c.Rounds, c.Last = c.Rounds+1, now
		return c, &call{kind: "repeated", number: c.Rounds}
	}
	owed := &call{kind: "escalated"}
	everybody := false
	for c.Steps < len(all) && !c.Began.Add(all[c.Steps].After).After(now) {
		owed.receivers = union(owed.receivers, all[c.Steps].Receivers)
		everybody = everybody || len(all[c.Steps].Receivers) == 0
		c.Steps++
	}
	if everybody {
		owed.receivers = nil
	}
	owed.number, c.Last = c.Steps, now
	return c, owed
}

// A Call is an event: time has passed, and an incident that is still being called
// about may owe the next step of a ladder.
type Call struct{ Number int64 }

func (Call) event() {}

// begin starts the calling of people for an incident, or carries it on: as long
// as nobody has answered, news are told to everybody who has been called, and the
// ladder is climbed on. Were it begun again each time, whoever makes news every
// two minutes would keep it on its first step.
func (st *step) begin(inc *glassward.Incident, a glassward.Alert, groups []string) {
	var page glassward.Page
	if calling(*inc) {
		page = *inc.Page
		page.Climbs = slices.Clone(page.Climbs)
	} else {
		page.Key = digest([]string{"page", inc.Tenant, strconv.FormatInt(inc.Number, 10), string(a.ID), st.now.Format(time.RFC3339Nano)})
	}
	page.Inward = a.Inward && (page.Inward || len(page.Climbs) == 0)
	page.Alert, page.News = a.ID, st.now
	for _, g := range groups {
		known := slices.ContainsFunc(page.Climbs, func(c glassward.Climb) bool { return strings.EqualFold(c.Group, g) })
		if !known && inc.Severity >= st.policy.ladder(g).From {
			page.Climbs = append(page.Climbs, glassward.Climb{Group: g, Began: st.now, Last: st.now, Steps: 1})
		}
	}
	if len(page.Climbs) == 0 {
		inc.Page = nil
		return
	}
	inc.Page = st.upcoming(page)
}

// calling says whether people are being called about an incident.
func calling(inc glassward.Incident) bool { return inc.Page != nil && !inc.Page.Next.IsZero() }

// end ends the calling of people. Who has been called is kept: they are told how
// it goes on.
func end(inc *glassward.Incident) {
	if inc.Page != nil {
		page := *inc.Page
		page.Next = time.Time{}
		inc.Page = &page
	}
}

// onePage joins the calling of people for two incidents that turned out to be one:
// nobody who was to be called is forgotten, and no group begins anew.
func onePage(into, from *glassward.Page) *glassward.Page {
	going := func(p *glassward.Page) bool { return p != nil && !p.Next.IsZero() }
	if !going(from) {
		return into
	}
	if !going(into) {
		return from
	}
	page := *into
	page.Climbs = slices.Clone(page.Climbs)
	for _, c := range from.Climbs {
		i := slices.IndexFunc(page.Climbs, func(x glassward.Climb) bool { return strings.EqualFold(x.Group, c.Group) })
		switch {
		case i < 0:
			page.Climbs = append(page.Climbs, c)
		case c.Began.Before(page.Climbs[i].Began):
			page.Climbs[i] = c
		}
	}
	page.Next = earlier(page.Next, from.Next)
	return &page
}

// upcoming gives the page with the time of its next call.
func (st *step) upcoming(page glassward.Page) *glassward.Page {
	page.Next = time.Time{}
	for _, c := range page.Climbs {
		if next := st.policy.ladder(c.Group).next(c); page.Next.IsZero() || next.Before(page.Next) {
			page.Next = next
		}
	}
	return &page
}

// called gives who of a group has been called about an incident, nil for
// everybody. An alert that is in none cannot be taken up, and goes to everybody.
func (st *step) called(inc *glassward.Incident, group string) []string {
	if inc == nil {
		return nil
	}
	steps := 1
	if inc.Page != nil {
		for _, c := range inc.Page.Climbs {
			if strings.EqualFold(c.Group, group) {
				steps = c.Steps
			}
		}
	}
	return st.policy.ladder(group).reached(steps)
}

// call owes what a page owes now.
func (st *step) call(e Call) {
	at := slices.IndexFunc(st.state.Incidents, func(inc glassward.Incident) bool { return inc.Number == e.Number })
	if at < 0 || !calling(st.state.Incidents[at]) || st.state.Incidents[at].Status == glassward.StatusClosed {
		return
	}
	inc := st.state.Incidents[at]
	page := *inc.Page
	page.Climbs = slices.Clone(page.Climbs)
	var again []string
	for i, c := range page.Climbs {
		next, owed := st.policy.ladder(c.Group).climb(c, st.now)
		page.Climbs[i] = next
		if owed == nil {
			continue
		}
		why := fmt.Sprintf("Nobody has acknowledged incident %d for %s", inc.Number, spell(next.Last.Sub(next.Began)))
		if owed.kind == "repeated" {
			again = append(again, fmt.Sprintf("%s for the %s time", c.Group, ordinal(owed.number)))
			why += fmt.Sprintf(": everybody of %s is called again, for the %s time", c.Group, ordinal(owed.number))
		} else {
			why += fmt.Sprintf(": step %d of %s is called (%s)", owed.number, c.Group, everybodyOr(owed.receivers))
			st.note(&inc, glassward.TimelineEntry{Time: st.now, Kind: "page", Text: why, Alert: page.Alert})
		}
		n := glassward.Notice{
			ID:     noticeID(st.state.Tenant, inc.Number, c.Group, []string{owed.kind, page.Key, strconv.Itoa(owed.number)}),
			Tenant: st.state.Tenant, Group: c.Group, Receivers: owed.receivers, Incident: inc.Number, Alert: page.Alert,
			Severity: inc.Severity, Kind: owed.kind, Why: why, Created: st.now, Inward: page.Inward,
		}
		if ofHealth(inc) {
			n.Subject = healthSubject(inc)
		}
		st.changes.Notices = append(st.changes.Notices, n)
	}
	if len(again) > 0 {
		// An incident that nobody takes up for a month is one line and not thousands;
		// each call stands in the journal.
		if last := len(inc.Timeline) - 1; last >= 0 && inc.Timeline[last].Kind == "repeat" {
			inc.Timeline = slices.Clone(inc.Timeline[:last])
		}
		st.note(&inc, glassward.TimelineEntry{Time: st.now, Kind: "repeat", Text: "nobody has acknowledged: called again, " + strings.Join(again, ", ")})
	}
	if inc.Page = st.upcoming(page); reflect.DeepEqual(inc.Page, st.state.Incidents[at].Page) {
		return // it was too early
	}
	st.put(inc)
}

// ofHealth says whether an incident is about faults of our own alone.
func ofHealth(inc glassward.Incident) bool { return slices.Equal(inc.RuleIDs, []string{HealthRule}) }

// healthSubject is the subject of a mail about a fault of our own: a group's
// subject stands for its alarms and would mislead here.
func healthSubject(inc glassward.Incident) string { return "[GLASSWARD] " + inc.Title }

// spell writes a time as 45s, 3m or 1h30m.
func spell(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func everybodyOr(names []string) string {
	if len(names) == 0 {
		return "everybody"
	}
	return strings.Join(names, ", ")
}

// ordinal writes a number as people say it: 1st, 2nd, 3rd, 11th.
func ordinal(n int) string {
	suffix := "th"
	if tens := n % 100; tens < 11 || tens > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}
