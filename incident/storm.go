package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
)

// Limits say how many notices of alarms an action group gets one by one.
type Limits struct {
	// Storm is how many a minute; the next one begins a storm: one notice tells how
	// many there are, and the rest are collected. 0 means 10.
	Storm int
	// Day is how many between midnights (UTC); what comes after that and is not High
	// is collected. 0 means 100.
	Day int
}

const (
	defaultStorm = 10
	defaultDay   = 100
	// calmAfter ends a storm in which nothing new came for so long; stormAgain is
	// how often one that lasts is told again, dayDigest how often what is beyond
	// the day's limit.
	calmAfter  = 5 * time.Minute
	stormAgain = 15 * time.Minute
	dayDigest  = time.Hour
	// gatheredAtMost bounds the incidents that a collection knows by number.
	gatheredAtMost = 5000
)

func (l Limits) storm() int { return cmp.Or(l.Storm, defaultStorm) }
func (l Limits) day() int   { return cmp.Or(l.Day, defaultDay) }

func (p Policy) limits(group string) Limits {
	for name, l := range p.Limits {
		if strings.EqualFold(name, group) {
			return l
		}
	}
	return Limits{}
}

// A Traffic is what one tenant's alarms were to one action group of late.
type Traffic struct {
	// Recent are the notices of the last minute.
	Recent []Told `json:"recent,omitempty"`
	// Date is the day of which Today counts the notices.
	Date  string `json:"date,omitempty"`
	Today int    `json:"today,omitempty"`
	// Storm is one that lasts, Beyond what is beyond the day's limit.
	Storm  *Collection `json:"storm,omitempty"`
	Beyond *Collection `json:"beyond,omitempty"`
	// Words are when what somebody declared was told in the last minute, Declared is
	// what was declared beyond what is told one by one.
	Words    []time.Time `json:"words,omitempty"`
	Declared *Collection `json:"declared,omitempty"`
}

// A Told is a notice that went out.
type Told struct {
	At       time.Time          `json:"at"`
	Severity glassward.Severity `json:"severity"`
	Accounts []string           `json:"accounts,omitempty"`
}

// A Collection is notices that do not go out one by one.
type Collection struct {
	// Key names it; the notices that it holds carry it. Day says that it is told when
	// it is due, and no storm.
	Key   string    `json:"key"`
	Day   bool      `json:"day,omitempty"`
	Began time.Time `json:"began"`
	// Told is when people were last told of it.
	Told time.Time `json:"told,omitzero"`
	// Last is when something new was last held; Due when there is something to
	// tell or the collection ends.
	Last time.Time `json:"last"`
	Due  time.Time `json:"due"`
	// Severity and Accounts are what people have been told of: more than that goes
	// out at once.
	Severity glassward.Severity `json:"severity"`
	Accounts []string           `json:"accounts,omitempty"`
	// Lead is the incident that people are called about in the place of all.
	Lead int64 `json:"lead,omitempty"`
	// Held counts the notices that were held, Incidents what they were about.
	Held      int     `json:"held"`
	Incidents []int64 `json:"incidents,omitempty"`
	// Rounds counts how often it was told.
	Rounds int `json:"rounds"`
	// Before counts the notices that went out one by one in the minute in which a
	// storm began.
	Before int `json:"before,omitempty"`
}

// An offer is a notice that is owed, with what decides whether it goes out.
type offer struct {
	notice   glassward.Notice
	accounts []string
}

// gated says whether a notice is an alarm, of which there may be too many. What
// tells how an alarm went on is as rare as the people who do it.
func gated(kind string) bool {
	switch kind {
	case "fired", "grown", "again", "health", "escalated", "repeated":
		return true
	}
	return false
}

// news says whether a notice tells something new, and not again.
func news(kind string) bool { return kind != "escalated" && kind != "repeated" }

// pass decides about the notices that one commit owes to a group: each comes back,
// with Held set where it does not go out by itself, and with them what tells of
// those.
func (t Traffic) pass(tenant, group string, l Limits, offers []offer, now time.Time) (Traffic, []glassward.Notice) {
	t.Recent = slices.DeleteFunc(slices.Clone(t.Recent), func(r Told) bool { return now.Sub(r.At) >= time.Minute || r.At.After(now) })
	if date := now.Format(time.DateOnly); date != t.Date {
		t.Date, t.Today = date, 0
	}
	t.Storm, t.Beyond = t.Storm.clone(), t.Beyond.clone()
	out := make([]glassward.Notice, len(offers))
	var going []int // that go out by themselves
	began := false
	for i, o := range offers {
		out[i] = o.notice
		if o.notice.Kind == "expected" {
			t.word(&out[i], tenant, group, l, now)
			continue
		}
		if !gated(o.notice.Kind) {
			continue
		}
		if t.Storm != nil {
			if t.Storm.takes(o) {
				t.Storm.hold(&out[i], now)
				continue
			}
		} else if len(t.Recent)+len(going) >= l.storm() {
			began = true
			t.Storm = &Collection{Key: digest([]string{"storm", tenant, group, now.Format(time.RFC3339Nano)}), Began: now}
			for _, r := range t.Recent {
				t.Storm.told(r.Severity, r.Accounts)
			}
			// None of this commit has gone out yet: they are told together, but who was
			// not told of an account hears of it by itself.
			stay := going[:0:0]
			for _, g := range going {
				if t.Storm.unknown(offers[g].accounts) {
					t.Storm.told(out[g].Severity, offers[g].accounts)
					stay = append(stay, g)
					continue
				}
				t.Storm.hold(&out[g], now)
			}
			going = stay
			if !t.Storm.unknown(o.accounts) {
				t.Storm.hold(&out[i], now)
				continue
			}
		}
		if t.Storm == nil && t.Today+len(going) >= l.day() && o.notice.Severity < glassward.High {
			if t.Beyond == nil {
				midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
				t.Beyond = &Collection{Key: digest([]string{"day", tenant, group, now.Format(time.RFC3339Nano)}), Day: true, Began: now, Due: earlier(now.Add(dayDigest), midnight)}
			}
			t.Beyond.hold(&out[i], now)
			continue
		}
		if t.Storm != nil {
			t.Storm.told(o.notice.Severity, o.accounts)
		}
		going = append(going, i)
	}
	for _, g := range going {
		t.Recent = append(t.Recent, Told{At: now, Severity: out[g].Severity, Accounts: offers[g].accounts})
		t.Today++
	}
	if began {
		var held []glassward.Notice
		for _, n := range out {
			if n.Held == t.Storm.Key {
				held = append(held, n)
			}
		}
		t.Storm.Before = len(t.Recent)
		if len(held) < l.storm() && len(t.Recent) > 0 {
			// People have been called by those that went out. How many there are is known
			// when the minute is over.
			t.Storm.Due = t.Recent[0].At.Add(time.Minute)
			return t, out
		}
		t.Storm.Due = now.Add(stormAgain)
		out = append(out, t.Storm.page(tenant, group, t.Storm.Before+len(held), held, now))
	}
	return t, out
}

// word decides about a notice of what somebody declared to be expected. It is told
// beside every storm of alarms, since it says what will page nobody; and of such words
// no more than a storm's number go out one by one in a minute.
func (t *Traffic) word(n *glassward.Notice, tenant, group string, l Limits, now time.Time) {
	t.Words = slices.DeleteFunc(slices.Clone(t.Words), func(at time.Time) bool { return now.Sub(at) >= time.Minute || at.After(now) })
	if t.Declared == nil && len(t.Words) < l.storm() {
		t.Words = append(t.Words, now)
		return
	}
	if t.Declared = t.Declared.clone(); t.Declared == nil {
		t.Declared = &Collection{Key: digest([]string{"declared", tenant, group, now.Format(time.RFC3339Nano)}), Day: true, Began: now, Due: t.Words[0].Add(time.Minute)}
	}
	t.Declared.hold(n, now)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (c *Collection) clone() *Collection {
	if c == nil {
		return nil
	}
	out := *c
	out.Accounts, out.Incidents = slices.Clone(c.Accounts), slices.Clone(c.Incidents)
	return &out
}

// unknown says whether one of the emergency accounts is one that nobody was told
// of.
func (c *Collection) unknown(accounts []string) bool {
	return slices.ContainsFunc(accounts, func(a string) bool { return !slices.Contains(c.Accounts, a) })
}

// told notes what people have been told of.
func (c *Collection) told(s glassward.Severity, accounts []string) {
	c.Severity, c.Accounts = max(c.Severity, s), union(c.Accounts, accounts)
}

// takes says whether a storm holds a notice. What is worse than all that was told,
// or about another emergency account, goes out; and so does what calls people
// about the storm itself.
func (c *Collection) takes(o offer) bool {
	if !news(o.notice.Kind) && o.notice.Incident != 0 && o.notice.Incident == c.Lead {
		return false
	}
	return o.notice.Severity <= c.Severity && !c.unknown(o.accounts)
}

func (c *Collection) hold(n *glassward.Notice, now time.Time) {
	n.Held = c.Key
	c.Held++
	c.Severity = max(c.Severity, n.Severity)
	if news(n.Kind) {
		c.Last = now
	}
	if n.Incident != 0 && len(c.Incidents) < gatheredAtMost && !slices.Contains(c.Incidents, n.Incident) {
		c.Incidents = append(c.Incidents, n.Incident)
	}
}

// page tells of a storm in the place of the notices that it holds: it stands for
// the worst of them, whose incident people are called about.
func (c *Collection) page(tenant, group string, count int, held []glassward.Notice, now time.Time) glassward.Notice {
	lead := held[0]
	for _, n := range held {
		if n.Severity > lead.Severity {
			lead = n
		}
	}
	c.Lead, c.Told = lead.Incident, now
	c.Rounds++
	n := glassward.Notice{
		ID:     noticeID(tenant, lead.Incident, group, []string{"storm", c.Key, fmt.Sprint(c.Rounds)}),
		Tenant: tenant, Group: group, Receivers: lead.Receivers, Incident: lead.Incident, Alert: lead.Alert,
		Severity: lead.Severity, Kind: "storm", Storm: c.Key, Created: now,
	}
	if !slices.ContainsFunc(held, func(n glassward.Notice) bool { return news(n.Kind) }) {
		n.Subject = fmt.Sprintf("Nobody has taken up %s", several(len(c.Incidents), "incident"))
	} else if c.Rounds == 1 {
		n.Subject = fmt.Sprintf("%d alarms within a minute", count)
	} else {
		n.Subject = fmt.Sprintf("%d alarms since %s, and no end", c.Held, c.Began.Format("15:04 UTC"))
	}
	n.Why = fmt.Sprintf("%s, in %s. They are collected: a digest follows when it is over. What is worse, or about another emergency account, is told at once. Whoever takes up incident %d by this takes them all up.", n.Subject, several(len(c.Incidents), "incident"), n.Incident)
	n.Text = list(held)
	return n
}

func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// listed bounds the lines of a list in a notice.
const listed = 40

// list says what notices were about, the worst first, one incident a line.
func list(held []glassward.Notice) string {
	type line struct {
		n    glassward.Notice
		more int
	}
	var lines []line
	at := map[int64]int{}
	for _, n := range held {
		if i, ok := at[n.Incident]; ok && n.Incident != 0 {
			lines[i].more++
			if n.Severity > lines[i].n.Severity {
				lines[i].n = n
			}
			continue
		}
		at[n.Incident] = len(lines)
		lines = append(lines, line{n: n})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(b.n.Severity, a.n.Severity) })
	var out []string
	for i, l := range lines {
		if i == listed {
			out = append(out, fmt.Sprintf("… and %s more: glassward incident list", several(len(lines)-i, "incident")))
			break
		}
		text := fmt.Sprintf("%s: %s", l.n.Severity, strings.Join(strings.Fields(l.n.Why), " "))
		if l.n.Incident != 0 {
			text = fmt.Sprintf("Incident %d, %s", l.n.Incident, text)
		}
		if l.more > 0 {
			text += fmt.Sprintf(" (and %d more)", l.more)
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

// Due gives when there is something to tell of what was collected, zero if
// nothing is.
func (t Traffic) Due() time.Time {
	var next time.Time
	for _, c := range []*Collection{t.Storm, t.Beyond, t.Declared} {
		if c != nil && (next.IsZero() || c.due().Before(next)) {
			next = c.due()
		}
	}
	return next
}

// due gives when a collection is told of again, or is over.
func (c *Collection) due() time.Time {
	if c.Day {
		return c.Due
	}
	return earlier(c.Due, c.calm())
}

// calm gives when a storm is over, if nothing new comes.
func (c *Collection) calm() time.Time {
	if c.Last.IsZero() { // it never held anything new
		return c.Began.Add(calmAfter)
	}
	return c.Last.Add(calmAfter)
}

// Telling gives the keys of the collections that are due at a time, or that began
// by a clock that stood later.
func (t Traffic) Telling(now time.Time) []string {
	var keys []string
	for _, c := range []*Collection{t.Storm, t.Beyond, t.Declared} {
		if c != nil && (!c.due().After(now) || c.Began.After(now)) {
			keys = append(keys, c.Key)
		}
	}
	return keys
}

// tell tells of the collections that are due; held gives what each of them holds.
func (t Traffic) tell(tenant, group string, held map[string][]glassward.Notice, now time.Time) (Traffic, []glassward.Notice) {
	var out []glassward.Notice
	due := t.Telling(now)
	t.Storm, t.Beyond = t.Storm.clone(), t.Beyond.clone()
	if s := t.Storm; s != nil && slices.Contains(due, s.Key) {
		fresh := slices.DeleteFunc(slices.Clone(held[s.Key]), func(n glassward.Notice) bool { return !news(n.Kind) })
		if s.calm().After(now) && !s.Began.After(now) {
			s.Due = now.Add(stormAgain)
			since := after(fresh, s.Told)
			if s.Rounds == 0 && len(since) == 0 {
				since = held[s.Key] // that nobody took up what there is
			}
			if len(since) > 0 {
				out = append(out, s.page(tenant, group, s.Before+len(since), since, now))
			}
		} else {
			if len(fresh) > 0 {
				out = append(out, s.digest(tenant, group, fmt.Sprintf("The storm that began at %s is over", s.Began.Format("15:04 UTC")), fresh, now))
			}
			t.Storm = nil
		}
	}
	if c := t.Declared; c != nil && slices.Contains(due, c.Key) {
		if list := held[c.Key]; len(list) > 0 {
			out = append(out, c.words(tenant, group, list, now))
		}
		t.Declared = nil
	}
	if b := t.Beyond; b != nil && slices.Contains(due, b.Key) {
		if since := after(held[b.Key], b.Told); len(since) > 0 {
			out = append(out, b.digest(tenant, group, "More alarms than the day's limit", since, now))
		}
		midnight := b.Began.Truncate(24 * time.Hour).Add(24 * time.Hour)
		b.Told, b.Due = now, earlier(now.Add(dayDigest), midnight)
		if !b.Due.After(now) || b.Began.After(now) {
			t.Beyond = nil
		}
	}
	return t, out
}

// words tells what was declared beyond what is told one by one.
func (c *Collection) words(tenant, group string, held []glassward.Notice, now time.Time) glassward.Notice {
	n := glassward.Notice{
		ID:     noticeID(tenant, 0, group, []string{"declared", c.Key}),
		Tenant: tenant, Group: group, Kind: "expected", Severity: c.Severity, Created: now, Text: list(held),
	}
	n.Subject = fmt.Sprintf("[GLASSWARD] Expected events: %s more within a minute", several(len(held), "word"))
	n.Why = fmt.Sprintf("%s about expected events came within a minute after those that were told one by one. If nobody of yours declares so much, look at who does: glassward expected list.", several(len(held), "word"))
	return n
}

// after gives those of the notices that were owed after a time.
func after(list []glassward.Notice, t time.Time) []glassward.Notice {
	return slices.DeleteFunc(slices.Clone(list), func(n glassward.Notice) bool { return !n.Created.After(t) })
}

// digest tells what was held, when nobody has to be woken by it. By its incident, the
// worst of them, all can be taken up.
func (c *Collection) digest(tenant, group, what string, held []glassward.Notice, now time.Time) glassward.Notice {
	n := glassward.Notice{
		ID:     noticeID(tenant, 0, group, []string{"digest", c.Key, now.Format(time.RFC3339Nano)}),
		Tenant: tenant, Group: group, Kind: "digest", Storm: c.Key, Created: now,
		Text: list(held),
	}
	incidents := map[int64]bool{}
	n.Severity = glassward.Informational
	for _, h := range held {
		incidents[h.Incident] = true
		if n.Incident == 0 || h.Severity > n.Severity {
			n.Incident = cmp.Or(h.Incident, n.Incident)
		}
		n.Severity = max(n.Severity, h.Severity)
	}
	if slices.ContainsFunc(held, func(h glassward.Notice) bool { return h.Incident == c.Lead }) {
		n.Incident = c.Lead
	}
	n.Subject = fmt.Sprintf("%s: %s in %s", what, several(len(held), "alarm"), several(len(incidents), "incident"))
	n.Why = "These were not told one by one. Each is kept, and its incident waits to be taken up."
	if n.Incident != 0 {
		n.Why += fmt.Sprintf(" Whoever takes up incident %d by this takes up all that are named.", n.Incident)
	}
	return n
}
