package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
)

// A Message is all that a receiver renders: the notice with what it speaks of,
// routed to a group.
type Message struct {
	Notice glassward.Notice
	// Incident is nil for health and test notices.
	Incident *glassward.Incident
	Alerts   []glassward.Alert
	// Head is the head of the evidence journal.
	Head string
	// Group and Receiver name whom it is for.
	Group, Receiver string
	// Attempt is the number of this attempt, from 1.
	Attempt int
	// Subject is the subject of the mail, not yet encoded.
	Subject string
	// Link is the address of the incident's page, empty if the program has none.
	Link string
	// Code takes the incident up, for who reads the text message; see Letter.
	Code string
	// Rule is the rule of the alert that owed the notice.
	Rule RuleFacts
}

// RuleFacts is what a message says of a rule beyond its alert.
type RuleFacts struct {
	// Query is the rule's query text, Period the time that one evaluation looks
	// at; zero for an NRT rule.
	Query  string
	Period time.Duration
}

// newMessage routes a job: it chooses the subject, the link and the code.
func newMessage(j Job, g ActionGroup, letter func(Job) Letter, rule func(string) RuleFacts) Message {
	m := Message{
		Notice: j.Notice, Incident: j.Incident, Alerts: j.Alerts, Head: j.Head,
		Group: j.Notice.Group, Receiver: j.Receiver, Attempt: j.Attempt,
	}
	if !strings.EqualFold(g.Name, j.Notice.Group) {
		m.Notice.Why += fmt.Sprintf(" (Sent to you because the action group %q has no receiver.)", j.Notice.Group)
	}
	m.Subject = subject(m, g)
	if letter != nil {
		l := letter(j)
		m.Link, m.Code = l.Link, l.Code
	}
	if a := m.alert(); a != nil && rule != nil {
		m.Rule = rule(a.RuleID)
	}
	return m
}

// alert gives the alert that owed the notice, nil if there is none.
func (m Message) alert() *glassward.Alert {
	if m.Notice.Alert == "" {
		return nil
	}
	i := slices.IndexFunc(m.Alerts, func(a glassward.Alert) bool { return a.ID == m.Notice.Alert })
	if i < 0 {
		return nil
	}
	return &m.Alerts[i]
}

// subject is the rule's (it came with the notice), else the group's, else made
// from the title. A subject that somebody configured is kept to the letter,
// since filters and phones are set to it; what is no alarm says so before it.
func subject(m Message, g ActionGroup) string {
	s := cmp.Or(m.Notice.Subject, g.Subject)
	switch m.Notice.Kind {
	case "health":
		// A group's subject stands for its alarms and would mislead here.
		return cmp.Or(m.Notice.Subject, "[GLASSWARD] "+title(m))
	case "storm", "digest", "alive":
		word := calmWord(m.Notice)
		if word == "" {
			word = urgency(m)
		}
		return fmt.Sprintf("[%s] %s", strings.ToUpper(word), m.Notice.Subject)
	case "test":
		return "[TEST] " + cmp.Or(s, "Glassward notification")
	}
	if s == "" {
		s = fmt.Sprintf("[%s] %s", urgency(m), title(m))
	}
	if calm(m.Notice) {
		return calmWord(m.Notice) + ": " + s
	}
	return s
}

// calm says whether a notice is no alarm: it tells how one went on.
func calm(n glassward.Notice) bool { return calmWord(n) != "" }

// calmWord stands before the title of a notice that is no alarm, empty for one
// that is.
func calmWord(n glassward.Notice) string {
	switch n.Kind {
	case "acknowledged":
		return "Taken up"
	case "closed":
		return "Closed"
	case "digest":
		return "Digest"
	case "alive":
		return "Alive"
	}
	return ""
}

// urgency is the word before a subject: an analyst reads High of Sentinel as
// Critical of Azure Monitor, both being Sev0 here.
func urgency(m Message) string {
	switch {
	case m.Notice.Kind == "test": // as loud as an alarm when it is a proof, and yet none
		return "TEST"
	case m.Notice.Severity == glassward.High:
		return "CRITICAL"
	}
	return strings.ToUpper(m.Notice.Severity.String())
}

func title(m Message) string {
	switch m.Notice.Kind {
	case "storm", "digest", "alive": // what they are about is not one alert
		return m.Notice.Subject
	}
	if a := m.alert(); a != nil && a.Title != "" {
		return a.Title
	}
	if m.Incident != nil && m.Incident.Title != "" {
		return m.Incident.Title
	}
	return cmp.Or(m.Notice.Subject, m.Notice.Why, "Notice "+string(m.Notice.ID))
}

// A View is a message as a person reads it, in plain lines. Every text in it
// has passed Inert and is bounded, so that renderers need only escape for their
// output.
type View struct {
	Title    string
	Severity string // "High (Sev0)"
	Level    string // "High"
	Why      string
	Text     string // the alert's description
	Link     string
	Facts    []Fact
	Incident []Fact
	Others   []string // the incident's other alerts
	Rows     [][]Fact // the result rows, non-empty columns only
	RowsLeft string   // what is not shown of the rows
	Trace    []Fact
}

// Bounds of what a message shows. A mail that a phone cuts off is as good as
// the part that it shows.
const (
	maxTitle       = 200
	maxText        = 2000
	maxList        = 8000
	maxValue       = 300
	maxRows        = 5
	maxColumns     = 30
	maxOtherAlerts = 10
)

func show(s string, n int) string { return Inert(clip(s, n)) }

// paragraphs is show for a text of which the lines are the rule author's own.
// What a rule takes into it from a record is one line (package rule sees to it),
// so that no record can write lines of its own.
func paragraphs(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(clip(s, n)), "\n")
	for i, l := range lines {
		lines[i] = Inert(strings.TrimRight(l, " \t\r"))
	}
	return strings.Join(lines, "\n")
}

// NewView lays a message out.
func NewView(m Message) View {
	v := View{
		Title:    show(title(m), maxTitle),
		Severity: fmt.Sprintf("%s (%s)", m.Notice.Severity, m.Notice.Severity.Sev()),
		Level:    m.Notice.Severity.String(),
		Why:      show(m.Notice.Why, maxText),
		Link:     m.Link,
	}
	if v.Why == v.Title {
		v.Why = ""
	}
	a := m.alert()
	if a != nil {
		v.alert(*a)
	}
	if m.Notice.Text != "" {
		v.Text = paragraphs(m.Notice.Text, maxList)
	}
	if m.Incident != nil && m.Notice.Kind != "digest" { // which is about many
		v.incident(*m.Incident)
	}
	for _, other := range m.Alerts {
		if a != nil && other.ID == a.ID {
			continue
		}
		if len(v.Others) == maxOtherAlerts {
			v.Others = append(v.Others, "… and more on the incident's page")
			break
		}
		v.Others = append(v.Others, fmt.Sprintf("%s  %s  %s", clock(other.Start), other.Severity, show(other.Title, maxTitle)))
	}
	v.trace(m, a)
	return v
}

func (v *View) alert(a glassward.Alert) {
	v.Text = paragraphs(a.Description, maxText)
	for _, f := range facts(a) {
		v.add(f.Label, f.Value)
		if f.Label == "Who" {
			v.add("When", when(a))
		}
	}
	if len(v.Facts) == 0 || !slices.ContainsFunc(v.Facts, func(f Fact) bool { return f.Label == "When" }) {
		v.add("When", when(a))
	}
	v.add("Lag", lag(a))
	for _, f := range Around(a) {
		v.add(f.Label, f.Value)
	}
	if a.Unconfirmed {
		v.add("Note", "not confirmed by later data")
	}
	for i, r := range rows(a) {
		if i == maxRows {
			break
		}
		var line []Fact
		for c, name := range a.Columns {
			if c < len(r.cells) && r.cells[c] != "" && !strings.HasPrefix(name, "_") && len(line) < maxColumns {
				line = append(line, Fact{show(name, 80), show(r.cells[c], maxValue)})
			}
		}
		v.Rows = append(v.Rows, line)
	}
	if count := max(a.RowCount, len(a.Rows)); count > len(v.Rows) {
		v.RowsLeft = fmt.Sprintf("%d of %d result rows shown", len(v.Rows), count)
	}
}

func (v *View) add(label, value string) {
	if value != "" {
		v.Facts = append(v.Facts, Fact{label, show(value, 2*maxValue)})
	}
}

func (v *View) incident(in glassward.Incident) {
	state := string(in.Status)
	switch {
	case in.Status == glassward.StatusClosed && in.Classification != "":
		state += ", " + string(in.Classification)
	case !in.Acknowledged.IsZero():
		state += ", acknowledged " + clock(in.Acknowledged)
	case in.Status == glassward.StatusNew:
		state += ", nobody has acknowledged it"
	}
	v.Incident = []Fact{
		{"Incident", fmt.Sprintf("%d, %s", in.Number, show(in.Title, maxTitle))},
		{"State", show(state, maxTitle)},
		{"Owner", show(cmp.Or(in.Owner, "nobody yet"), maxTitle)},
		{"Activity", span(in.FirstActivity, in.LastActivity)},
		{"Alerts", fmt.Sprint(len(in.Alerts))},
	}
}

// trace is what leads from the message to the records: principle 6 of the
// design, every claim can be traced.
func (v *View) trace(m Message, a *glassward.Alert) {
	add := func(label, value string) {
		if value != "" {
			v.Trace = append(v.Trace, Fact{label, show(value, maxValue)})
		}
	}
	add("Tenant", m.Notice.Tenant)
	add("Notice", string(m.Notice.ID))
	if a != nil {
		add("Alert", string(a.ID))
		add("Rule", strings.TrimSpace(named(a.RuleName, a.RuleID)+" "+a.RuleVersion))
		add("Query", prefix("sha256:", a.QueryHash))
		if n := len(a.Records); n > 0 {
			more := ""
			if a.LineageOverflow {
				more = " and more"
			}
			add("Records", fmt.Sprintf("%d%s, first %s", n, more, a.Records[0]))
		}
	}
	add("Group", m.Group)
	add("Journal head", m.Head)
}

func prefix(p, s string) string {
	if s == "" {
		return ""
	}
	return p + s
}

// clock prints a time in UTC, to the second; the reader's phone knows its own
// zone, and a responder compares with logs in UTC.
func clock(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// span prints a stretch of time, short where both ends are on one day.
func span(from, to time.Time) string {
	from, to = from.UTC().Truncate(time.Second), to.UTC().Truncate(time.Second)
	switch {
	case to.IsZero() || from.Equal(to):
		return clock(from)
	case from.IsZero():
		return clock(to)
	case from.YearDay() == to.YearDay() && from.Year() == to.Year():
		return from.Format("2006-01-02 15:04:05") + " to " + to.Format("15:04:05 UTC")
	}
	return clock(from) + " to " + clock(to)
}

func when(a glassward.Alert) string {
	s := span(a.Start, a.End)
	if a.Late {
		s += " (the record came late)"
	}
	return s
}

// lag says how long each part of the way took: what Entra took to hand the
// record over, and what we took.
func lag(a glassward.Alert) string {
	if a.End.IsZero() || a.Received.IsZero() {
		return ""
	}
	s := fmt.Sprintf("event → received %s", took(a.Received.Sub(a.End)))
	if !a.Judged.IsZero() {
		s += fmt.Sprintf(" → judged %s", took(a.Judged.Sub(a.Received)))
	}
	return s
}

// took prints a duration as a person says it.
func took(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	switch {
	case d < 10*time.Millisecond:
		d = d.Round(time.Millisecond / 10)
	case d < 10*time.Second:
		d = d.Round(10 * time.Millisecond)
	default:
		d = d.Round(time.Second)
	}
	return sign + d.String()
}
