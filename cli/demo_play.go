package cli

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/console"
	"glassward/daemon"
	"glassward/incident"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
	"glassward/kql/value"
	"glassward/rule"
)

// A performance is a story that is played, and what Glassward makes of it.
type performance struct {
	*app
	tenant *demoTenant
	story  *entrasim.Story
	at     place

	control *client
	from    time.Time
	length  time.Duration
	steps   int                  // of the story that were shown
	said    map[string]bool      // steps of the canary, which repeat
	ids     map[string]time.Time // events of the story that have not been received
	alerts  map[glassward.AlertID]*shownAlert
	told    map[string]bool // deliveries that were shown
	cases   []console.Case
	missing []entrasim.ExpectedAlert
	// later are those of rules over windows of time: where minutes are seconds, none
	// can be waited for.
	later  []entrasim.ExpectedAlert
	every  map[string]time.Duration // how often such a rule looks, by its name
	status daemon.Status
}

// expect divides what the story tells by who is to tell it.
func (p *performance) expect() error {
	rules, err := rule.Defaults()
	if err != nil {
		return err
	}
	p.every = map[string]time.Duration{}
	for _, r := range rules {
		if r.Kind == rule.Scheduled {
			p.every[r.Name] = r.Frequency
		}
	}
	p.missing, p.later = nil, nil
	for _, a := range p.story.Alerts {
		if p.every[a.Rule] > 0 {
			p.later = append(p.later, a)
		} else {
			p.missing = append(p.missing, a)
		}
	}
	return nil
}

// A shownAlert is an alert with what the story expected; nil if nothing.
type shownAlert struct {
	glassward.Alert
	expected *entrasim.ExpectedAlert
}

func (p *performance) out(format string, args ...any) { fmt.Fprintf(p.Stdout, format+"\n", args...) }

const green = "32"

// happened writes one line of what happens, as it happens.
func (p *performance) happened(word, tone, format string, args ...any) {
	word = fmt.Sprintf("%-10s", word)
	if tone != "" {
		word = p.paint(tone, word)
	}
	p.out("%s  %s %s", clockOf(time.Now()), word, fmt.Sprintf(format, args...))
}

// lengthOf is how long a story is played: less than half of a minute, so that the
// second look of Glassward sees its end.
func lengthOf(s *entrasim.Story) time.Duration {
	return min(max(time.Duration(s.Minutes)*800*time.Millisecond, 10*time.Second), 22*time.Second)
}

// before says how long a story goes on before Glassward begins to watch. Most
// stories begin when it watches: what concerns a declared account it asks for every
// 30 seconds. Where an alarm comes of what only the full lists bring, which are
// read every minute, the story begins before the first look, or the newcomer
// would wait a minute for it.
func before(s *entrasim.Story, length time.Duration) time.Duration {
	const shown = 5500 * time.Millisecond // until Graph gives a record, and whole seconds
	var look time.Duration
	for _, a := range s.Alerts {
		if !strings.Contains(strings.ToLower(a.Title), "ea-0") && !strings.HasPrefix(a.Title, "Emergency") {
			look = max(look, time.Duration(a.Minute)*length/time.Duration(s.Minutes)+shown)
		}
	}
	return look
}

func (p *performance) introduce() {
	p.length = lengthOf(p.story)
	p.out("A simulated tenant: %s, %d people, 2 emergency accounts. Its Microsoft Graph is %s.\n", entrasim.TenantName, demoPeople, p.tenant.at.Graph)
	p.out("%s", p.paint(bold, p.story.Name+"  "+p.story.Title))
	for l := range strings.Lines(p.story.Text) {
		p.out("    %s", strings.TrimRight(l, "\n"))
	}
	p.out("")
}

// play plays the story. start lets Glassward begin to watch.
func (p *performance) play(ctx context.Context, start func() (*client, error)) error {
	p.said, p.ids, p.alerts, p.told = map[string]bool{}, map[string]time.Time{}, map[glassward.AlertID]*shownAlert{}, map[string]bool{}
	if err := p.expect(); err != nil {
		return err
	}
	begin := func() {
		p.out("%s", p.paint(bold, fmt.Sprintf("The %d minutes of the story, in %d seconds", p.story.Minutes, p.length/time.Second)))
		p.from = time.Now()
		p.tenant.world.Play(p.story, p.from, p.length)
	}
	wait := before(p.story, p.length)
	if wait > 0 {
		begin()
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for calm, n := 0, 0; calm < 3; n++ {
		select {
		case <-ctx.Done():
			return p.tooLate(ctx)
		case <-tick.C:
		}
		now := time.Now()
		p.tenant.world.Advance(now)
		p.showSteps()
		if p.control == nil {
			if wait > 0 && now.Sub(p.from) < wait {
				continue
			}
			var err error
			if p.control, err = start(); err != nil {
				return err
			}
			p.happened("Glassward", bold, "begins to watch; it asks for the two accounts every 30 s, for everybody every minute")
		}
		if n%3 > 0 {
			continue // whoever looks is written down
		}
		if err := p.look(ctx); err != nil {
			if ctx.Err() != nil {
				return p.tooLate(ctx)
			}
			return err
		}
		calm++
		if p.from.IsZero() && p.looked() {
			if !p.said[""] {
				p.said[""] = true
				p.happened("Glassward", bold, "has read the last %d minutes: nothing to tell", demoPast/time.Minute)
			}
			p.out("")
			begin()
		}
		if p.from.IsZero() || now.Sub(p.from) < p.length || len(p.missing) > 0 || p.busy() {
			calm = 0
		}
	}
	return nil
}

// looked says whether Glassward has read what there is.
func (p *performance) looked() bool {
	return len(p.status.Workspaces) > 0 && len(p.status.Workspaces[0].Roads) > 0 &&
		!slices.ContainsFunc(p.status.Workspaces[0].Roads, func(r daemon.RoadStatus) bool { return r.Polled.IsZero() })
}

// tooLate ends a performance that has taken too long: what is missing is told
// with the rest. Ctrl-C ends it as well.
func (p *performance) tooLate(ctx context.Context) error {
	if context.Cause(ctx) == context.DeadlineExceeded {
		return nil
	}
	return ctx.Err()
}

func (p *performance) busy() bool {
	return p.status.Owed.Pending > 0 || p.status.Owed.Unrouted > 0 || len(p.status.Workspaces) == 0 || p.status.Workspaces[0].Waiting > 0
}

// showSteps shows what has happened in the tenant since the last time.
func (p *performance) showSteps() {
	played := p.tenant.world.Played()
	for _, s := range played[p.steps:] {
		canary := false
		for _, e := range s.Events {
			p.ids[e.ID] = e.At
			canary = canary || e.UserID == entrasim.CanaryID
		}
		text := s.Text
		if canary && p.said[text] {
			continue
		}
		if canary {
			text += ", and goes on to"
		}
		p.said[s.Text] = true
		p.happened(fmt.Sprintf("minute %d", s.Minute), "", "%s", line(text))
	}
	p.steps = len(played)
}

// look asks Glassward what it has, and shows what is new.
func (p *performance) look(ctx context.Context) error {
	if err := p.control.call(ctx, "GET", "/v1/status", nil, &p.status); err != nil {
		return err
	}
	if err := p.showReceived(ctx); err != nil {
		return err
	}
	var list struct{ Value []glassward.Incident }
	if err := p.control.call(ctx, "GET", p.at.path("/incidents"), nil, &list); err != nil {
		return err
	}
	slices.SortFunc(list.Value, func(a, b glassward.Incident) int { return int(a.Number - b.Number) })
	p.cases = p.cases[:0]
	for _, i := range list.Value {
		var c console.Case
		if err := p.control.call(ctx, "GET", p.at.path("/incidents/%d", i.Number), nil, &c); err != nil {
			return err
		}
		p.cases = append(p.cases, c)
		slices.SortStableFunc(c.Alerts, func(a, b glassward.Alert) int { return a.Start.Compare(b.Start) })
		for _, al := range c.Alerts {
			p.showAlert(al, i.Number)
		}
		p.showTold(c)
	}
	return nil
}

// showReceived shows how many records of the story have come, and how long they
// took.
func (p *performance) showReceived(ctx context.Context) error {
	if len(p.ids) == 0 {
		return nil
	}
	var ids, legs []string
	for id := range p.ids {
		ids = append(ids, `"`+id+`"`)
	}
	slices.Sort(ids)
	// After a union nobody knows any more when a record came.
	for _, table := range []string{"SigninLogs", "AADNonInteractiveUserSignInLogs", "AADServicePrincipalSignInLogs", "AuditLogs"} {
		legs = append(legs, fmt.Sprintf("(%s | where Id in (%s) | project Id, Came = _TimeReceived)", table, strings.Join(ids, ", ")))
	}
	r, err := p.control.query(ctx, "default", "union "+strings.Join(legs, ", "))
	if err != nil {
		return err
	}
	n := 0
	var least, most time.Duration
	for _, row := range r.Rows {
		id := text(value.String, row[0])
		came, ok := row[1].(int64)
		at, mine := p.ids[id]
		if !ok || !mine {
			continue
		}
		delete(p.ids, id)
		took := max(0, value.Ticks(came).Time().Sub(at))
		if n++; n == 1 || took < least {
			least = took
		}
		most = max(most, took)
	}
	if n > 0 {
		span := seconds(least.Seconds())
		if n > 1 {
			span += " to " + seconds(most.Seconds())
		}
		p.happened("received", "", "%s of this by Graph, %s after it happened", counted(n, "record", "records"), span)
	}
	return nil
}

// showAlert shows an alert that is new, and finds what the story expected.
func (p *performance) showAlert(al glassward.Alert, number int64) {
	if _, known := p.alerts[al.ID]; known {
		return
	}
	x := &shownAlert{Alert: al}
	p.alerts[al.ID] = x
	minute := "not foreseen"
	if al.RuleID == incident.HealthRule {
		minute = "of itself"
	}
	if p.every[al.RuleName] > 0 {
		minute = "of minutes that are seconds here"
	}
	for _, list := range []*[]entrasim.ExpectedAlert{&p.missing, &p.later} {
		for i, e := range *list {
			if ok, err := path.Match(e.Title, al.Title); ok && err == nil && e.Rule == al.RuleName {
				x.expected, minute = &e, fmt.Sprintf("minute %d", e.Minute)
				*list = slices.Delete(*list, i, i+1)
				break
			}
		}
	}
	late := ""
	if al.Late {
		late = ", late"
	}
	p.happened("alert", toneOf(al.Severity), "%s, %s%s: %s", al.Severity, minute, late, line(al.Title))
}

func toneOf(s glassward.Severity) string {
	if s == glassward.High {
		return red
	}
	return amber
}

// showTold shows which receivers have taken notices of an incident.
func (p *performance) showTold(c console.Case) {
	took := map[string]int{}
	var receivers []string
	for _, d := range c.Deliveries {
		key := fmt.Sprint(d.Notice, "/", d.Receiver)
		if d.Status != glassward.Delivered || p.told[key] {
			continue
		}
		p.told[key] = true
		if took[d.Receiver]++; took[d.Receiver] == 1 {
			receivers = append(receivers, d.Receiver)
		}
	}
	for _, r := range receivers {
		p.happened("told", green, "%s took %s of incident %d", line(r), counted(took[r], "mail", "mails"), c.Incident.Number)
	}
}

// report shows what has come of the story.
func (p *performance) report(ctx context.Context) error {
	for _, c := range p.cases {
		p.out("")
		p.printCase(c)
	}
	p.showMails(p.tenant.sink.Mails())
	if err := p.showExpectations(); err != nil {
		return err
	}
	p.out("\n%s", p.paint(bold, "Status"))
	if err := p.control.call(ctx, "GET", "/v1/status", nil, &p.status); err != nil {
		return err
	}
	if err := p.printStatus(p.status); err != nil && err != errSilent {
		return err
	}
	return nil
}

// showMails shows the first mail as it was received, and the subjects of all.
func (p *performance) showMails(mails []mailsink.Mail) {
	for i, m := range mails {
		if i == 0 {
			p.out("\n%s\n", p.paint(bold, "The first mail, as received"))
			printMail(p.app, m)
			continue
		}
		if i == 1 {
			p.out("\n%s", p.paint(bold, fmt.Sprintf("The other %s", counted(len(mails)-1, "mail", "mails"))))
		}
		p.out("  %s  %s", clockOf(m.Received), line(m.Subject()))
	}
}

// unseen says why what is seen by more than logs and rules is not told.
var unseen = map[string]string{
	"poll":    "not yet watched: needs a poll of the configuration in Entra and Azure",
	"twin":    "not yet watched: needs a model of the policies that knows who still gets in",
	"pulse":   "not in this demo: the beats of a pulse are 5 minutes apart",
	"state":   "not yet watched: needs a memory of which accounts are sealed",
	"host":    "not yet watched: needs a second host that watches the first",
	"drill":   "not yet watched: needs drills that are announced",
	"feed":    "not yet watched: needs a feed of recalled key models",
	"channel": "not yet watched: needs tests of the ways by which people are told",
}

// blinded is the detection of the catalogue that Glassward makes of itself.
const blinded = "D47"

// showExpectations shows what a complete watch has to tell of the story, and what
// of it Glassward has told.
func (p *performance) showExpectations() error {
	p.out("\n%s", p.paint(bold, "What this story has to raise, and what became of it"))
	var rows [][]string
	for _, e := range p.story.For(p.tenant.world) {
		mark, verdict := p.verdict(e)
		rows = append(rows, []string{"  " + mark, fmt.Sprint(e.Minute), e.Severity, clip(line(strings.Join(strings.FieldsFunc(e.Title, func(r rune) bool { return r == '*' }), " … ")), 60), line(verdict)})
	}
	if err := p.grid([]string{"", "minute", "", "what", ""}, rows); err != nil {
		return err
	}
	for _, m := range p.missing {
		p.out("  %s", p.paint(red, fmt.Sprintf("An alarm did not come: minute %d, rule %s: %s", m.Minute, line(m.Rule), line(m.Title))))
	}
	for _, m := range p.later {
		p.out("  %s", p.paint(amber, fmt.Sprintf("Not in this demo: minute %d, rule %s, which looks every %s: %s", m.Minute, line(m.Rule), strings.TrimSuffix(p.every[m.Rule].String(), "0s"), line(m.Title))))
	}
	return nil
}

// verdict says what became of an expected incident.
func (p *performance) verdict(e entrasim.Expectation) (mark, text string) {
	if e.Kind == blinded {
		// Whether the look at its own application falls into the story is chance.
		for _, a := range p.alerts {
			if a.RuleID == incident.HealthRule {
				return "✓", "told, by Glassward of itself"
			}
		}
		return "–", "not in this demo: Glassward looks at its own consent every 15 minutes"
	}
	for by := range strings.SplitSeq(e.By, "+") {
		if by != "logs" {
			return "–", unseen[by]
		}
	}
	var general string
	for _, a := range p.alerts {
		if a.expected == nil || a.expected.Minute != e.Minute {
			continue
		}
		if ok, err := path.Match(e.Title, a.Title); ok && err == nil {
			return "✓", "told"
		}
		general = a.Title
	}
	if general == "" {
		for _, m := range p.later {
			if m.Minute == e.Minute {
				return "–", "not in this demo: its rule looks at minutes, which are seconds here"
			}
		}
		return "–", "not yet watched: needs a rule of its own"
	}
	return "✓", "told, by a more general rule"
}

// printMail writes a mail's headers and its text part.
func printMail(a *app, m mailsink.Mail) {
	for _, h := range []string{"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"} {
		if v := m.Header(h); v != "" {
			fmt.Fprintf(a.Stdout, "  %s: %s\n", h, line(v))
		}
	}
	fmt.Fprintln(a.Stdout)
	for l := range strings.Lines(m.Part("text/plain")) {
		fmt.Fprintln(a.Stdout, strings.TrimRight("  "+line(strings.TrimRight(l, "\r\n")), " "))
	}
}
