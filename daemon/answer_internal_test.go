package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"glassward"
	"glassward/config"
	"glassward/console"
	"glassward/incident"
	"glassward/notify"
)

const testTenant = "11111111-2222-4333-8444-555555555555"

// A desk is a daemon that does not run, with a clock that a test moves.
type testDesk struct {
	*Daemon
	t *testing.T
	// ahead is how far the clock has been moved; the daemon reads it while a test
	// moves it.
	ahead atomic.Int64
}

// testStart is when a testDesk's clock begins.
var testStart = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

func (k *testDesk) clock() time.Time { return testStart.Add(time.Duration(k.ahead.Load())) }

func newTestDesk(t *testing.T) *testDesk {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"anna.pin": "493817\n",
		"glassward.yaml": `
data: data
listen: 127.0.0.1:0
mailServers: [{name: relay, host: 127.0.0.1, port: 25, tls: none, from: x@example.net}]
phoneProviders: [{name: vonage, type: vonage, account: abcd1234, secret: env:NOT_USED, from: Glassward}]
actionGroups:
  - name: oncall
    emailReceivers:
      - {name: own, emailAddress: a@contoso.example}
      - {name: out, emailAddress: a@example.org}
    smsReceivers: [{name: anna-sms, countryCode: "49", phoneNumber: "1701234567"}, {name: omar-sms, countryCode: "49", phoneNumber: "1707654321"}]
    ntfyReceivers: [{name: push, topic: "env:NOT_USED"}]
  - name: chat
    teamsReceivers: [{name: card, url: "env:NOT_USED"}]
people:
  - {name: Anna, pin: "file:` + filepath.Join(dir, "anna.pin") + `", receivers: [oncall/anna-sms, oncall/push]}
`,
		"tenants/t.yaml": "tenant: " + testTenant + "\nemergencyAccounts: [{objectId: 0ea1aaaa-0000-4000-8000-000000000001, name: EA-01}]\nactionGroups: [oncall, chat]\ndomains: [contoso.example]\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := config.Load(filepath.Join(dir, "glassward.yaml"))
	if c == nil || len(c.Each) == 0 {
		t.Fatal(problems)
	}
	k := &testDesk{t: t}
	d, err := New(t.Context(), Options{Config: c, NoAuth: true, Now: k.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	k.Daemon = d
	return k
}

// raise opens an incident and gives it.
func (k *testDesk) raise(name string, severity glassward.Severity) glassward.Incident {
	k.t.Helper()
	a := glassward.Alert{ID: glassward.AlertID(name), RuleID: name, Title: name, Severity: severity, Start: k.clock(), End: k.clock()}
	changes, err := k.Daemon.desk.Take(k.t.Context(), incident.Outcome{Tenant: testTenant, Alerts: []incident.AlertChange{{Alert: a}}})
	if err != nil || len(changes.Incidents) != 1 {
		k.t.Fatal(changes, err)
	}
	// Each receiver has its notice.
	for _, n := range changes.Notices {
		var names []string
		for _, r := range k.people().Receivers(n.Group) {
			names = append(names, n.Group+"/"+r)
		}
		if err := k.state.Route(k.t.Context(), n.ID, names); err != nil {
			k.t.Fatal(err)
		}
	}
	return changes.Incidents[0]
}

// letter gives what a receiver was sent about an incident.
func (k *testDesk) letter(inc glassward.Incident, receiver string) notify.Letter {
	k.t.Helper()
	list, err := k.state.Notices(k.t.Context(), inc.Tenant, inc.Number, 100)
	if err != nil {
		k.t.Fatal(err)
	}
	group, _, _ := strings.Cut(receiver, "/")
	for _, n := range list {
		if n.Group == group && n.Kind != "acknowledged" {
			return k.letterOf(notify.Job{Notice: n, Receiver: receiver, Incident: &inc})
		}
	}
	k.t.Fatalf("%s has no notice of incident %d", receiver, inc.Number)
	return notify.Letter{}
}

// open gives the letter that a link is of.
func (k *testDesk) open(link string) console.Letter {
	k.t.Helper()
	_, token, _ := strings.Cut(link, "/a/")
	l, err := letters{k.Daemon}.Letter(k.t.Context(), token)
	if err != nil {
		k.t.Fatal(err)
	}
	return l
}

func (k *testDesk) incident(number int64) glassward.Incident {
	k.t.Helper()
	inc, err := k.state.Incident(k.t.Context(), testTenant, number)
	if err != nil {
		k.t.Fatal(err)
	}
	return inc
}

// said gives the last line of an incident's timeline.
func (k *testDesk) said(number int64) string {
	timeline := k.incident(number).Timeline
	last := timeline[len(timeline)-1]
	return fmt.Sprintf("%s %s: %s", last.Kind, last.Actor, last.Text)
}

// A letter is its receiver's, and what it takes up is as good as what was written
// into it.
func TestAnswersByThePage(t *testing.T) {
	k := newTestDesk(t)
	page := letters{k.Daemon}
	inc := k.raise("signin", glassward.High)
	mail, card, text := k.letter(inc, "oncall/out"), k.letter(inc, "chat/card"), k.letter(inc, "oncall/anna-sms")
	if mail.Link == text.Link || len(text.Code) != 6 || !strings.HasPrefix(mail.Link, "http://127.0.0.1:") {
		t.Fatalf("mail %+v, text %+v", mail, text)
	}
	if l := k.open(mail.Link); l.Number != 1 || l.Tenant != testTenant || l.Receiver != "oncall/out" || !l.Critical || l.Used || l.Who != "" {
		t.Errorf("%+v", l)
	}
	if l := k.open(text.Link); l.Who != "Anna" {
		t.Errorf("%+v", l)
	}
	for _, x := range []struct {
		link, who, why, code string
		stopped              bool
		want                 string
	}{
		{mail.Link, "Kim", "on it", "", false, "answer Kim: on it (by page, oncall/out); the calling goes on: a critical incident takes"},
		{card.Link, "Mallory", "false alarm", "", false, "answer Mallory: false alarm (by page, chat/card); the calling goes on: it came through a channel that the watched tenant controls"},
		{mail.Link, "Kim", "on it", "123", false, "answer Kim: on it (by page, oncall/out); the calling goes on"},
		{mail.Link, "Kim\u202e", "on it", text.Code, true, "acknowledge Kim⟨U+202E⟩: on it (by page, code, oncall/out)"},
	} {
		said, err := page.Answer(t.Context(), k.open(x.link), console.Reply{Who: x.who, Why: x.why, Code: x.code})
		if err != nil {
			t.Fatal(err)
		}
		if got := k.said(1); !strings.HasPrefix(got, x.want) {
			t.Errorf("got  %s\nwant %s", got, x.want)
		}
		if calling := !k.incident(1).Page.Next.IsZero(); calling == x.stopped || x.stopped != strings.Contains(said, "Nobody is called any more") {
			t.Errorf("%s: calling %v, said %q", x.want, calling, said)
		}
	}
	if l := k.open(mail.Link); !l.Used {
		t.Error("the letter that took the incident up is good for another time")
	}
	if l := k.open(card.Link); l.Used {
		t.Error("a letter that took nothing up is used")
	}
	// The code is that page's; the next has another.
	k.ahead.Add(int64(time.Hour))
	next := k.raise("other", glassward.High)
	if code := k.letter(next, "oncall/anna-sms").Code; code == text.Code {
		t.Error("two pages have one code")
	}
	if _, err := page.Answer(t.Context(), k.open(k.letter(next, "oncall/out").Link), console.Reply{Who: "Kim", Why: "x", Code: text.Code}); err != nil {
		t.Fatal(err)
	}
	if k.incident(2).Page.Next.IsZero() {
		t.Error("the code of one page took another up")
	}
	// A PIN names its person, whatever name is written beside it.
	if _, err := page.Answer(t.Context(), k.open(k.letter(next, "chat/card").Link), console.Reply{Who: "Mallory", Why: "on it", Code: "493817"}); err != nil {
		t.Fatal(err)
	}
	if got := k.said(2); got != "acknowledge Anna: on it (by page, PIN, chat/card)" {
		t.Error(got)
	}
	// What is not critical takes no code, but no channel of the tenant either.
	mild := k.raise("mild", glassward.Medium)
	for receiver, want := range map[string]string{"oncall/own": "answer", "oncall/push": "acknowledge"} {
		if _, err := page.Answer(t.Context(), k.open(k.letter(mild, receiver).Link), console.Reply{Who: "Kim", Why: "on it"}); err != nil {
			t.Fatal(err)
		}
		if got := k.said(3); !strings.HasPrefix(got, want+" Kim") {
			t.Errorf("%s: %s", receiver, got)
		}
	}
	if l := k.letter(mild, "oncall/anna-sms"); l.Code != "" {
		t.Errorf("a mild incident has the code %s", l.Code)
	}
}

// Nobody finds a code by trying, and whoever tries is an alarm; the console works
// all the while, and so do other people's letters.
func TestCodesAreNotGuessed(t *testing.T) {
	k := newTestDesk(t)
	page := letters{k.Daemon}
	inc := k.raise("signin", glassward.High)
	mail, text := k.letter(inc, "oncall/out"), k.letter(inc, "oncall/anna-sms")
	for i := range wrongAtMost {
		if _, err := page.Answer(t.Context(), k.open(mail.Link), console.Reply{Who: "x", Why: "x", Code: fmt.Sprintf("%06d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	right := console.Reply{Who: "Kim", Why: "on it", Code: text.Code}
	if _, err := page.Answer(t.Context(), k.open(mail.Link), right); !errors.Is(err, console.ErrTooMany) {
		t.Errorf("after %d wrong codes: %v", wrongAtMost, err)
	}
	if alarm := k.incident(2); !strings.Contains(alarm.Title, "Somebody tries codes for incident 1") || alarm.Severity != glassward.High {
		t.Errorf("the alarm: %+v", alarm)
	}
	if _, err := page.Answer(t.Context(), k.open(k.letter(inc, "oncall/push").Link), right); err != nil || !k.incident(1).Page.Next.IsZero() {
		t.Errorf("by another letter: %v", err)
	}
	k.ahead.Add(int64(answerPause + time.Second))
	again := k.raise("other", glassward.High)
	right.Code = k.letter(again, "oncall/omar-sms").Code
	if _, err := page.Answer(t.Context(), k.open(k.letter(again, "oncall/out").Link), right); err != nil || !k.incident(again.Number).Page.Next.IsZero() {
		t.Errorf("after the pause: %v", err)
	}
}

// An answer that came by itself, from a telephone or another service.
func TestAnswersByOtherWays(t *testing.T) {
	k := newTestDesk(t)
	inc := k.raise("signin", glassward.High)
	// A poll that finds it twice.
	a := answer{Tenant: testTenant, Incident: 1, Receiver: "oncall/push", Way: "push", Key: "pushover:r1"}
	for range 2 {
		out, err := k.respond(t.Context(), a)
		if err != nil || out.Stopped {
			t.Fatal(out, err)
		}
	}
	if got := k.said(1); got != "answer Anna: answered by push (by push, oncall/push); the calling goes on: a critical incident takes the code of the text message, a PIN or the console" {
		t.Error(got)
	}
	n := len(k.incident(1).Timeline)
	// A text message that names nothing, while people are called about one thing.
	if out, err := k.respond(t.Context(), answer{Receiver: "oncall/omar-sms", Way: "sms", Text: "ok", Key: "sms:1"}); err != nil || out.Stopped || len(k.incident(1).Timeline) != n+1 {
		t.Error(out, err)
	}
	other := k.raise("other", glassward.High)
	if _, err := k.respond(t.Context(), answer{Receiver: "oncall/omar-sms", Way: "sms", Text: "ok", Key: "sms:2"}); !errors.Is(err, errNothingToAnswer) {
		t.Errorf("which of two is meant: %v", err)
	}
	code := k.letter(other, "oncall/omar-sms").Code
	if out, err := k.respond(t.Context(), answer{Receiver: "oncall/omar-sms", Way: "sms", Text: code + " driving there", Key: "sms:3"}); err != nil || !out.Stopped || out.Incident.Number != 2 {
		t.Error(out, err)
	}
	if got := k.said(2); got != "acknowledge oncall/omar-sms: driving there (by sms, code, oncall/omar-sms)" {
		t.Error(got)
	}
	// Digits keyed in on a telephone.
	if out, err := k.respond(t.Context(), answer{Tenant: testTenant, Incident: 1, Receiver: "oncall/anna-sms", Way: "voice", Text: "493817", Key: "voice:1"}); err != nil || !out.Stopped || k.incident(1).Owner != "Anna" {
		t.Error(out, err)
	}
	_ = inc
	for _, a := range []answer{{Tenant: testTenant, Incident: 9, Receiver: "oncall/push", Way: "push"}, {Receiver: "gone/push", Way: "sms", Text: code}} {
		if _, err := k.respond(t.Context(), a); !errors.Is(err, errNothingToAnswer) {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// In a storm a text that names no incident is about what stands for all of it, and
// takes up what its page named.
func TestAnswerToAStorm(t *testing.T) {
	k := newTestDesk(t)
	o := incident.Outcome{Tenant: testTenant}
	for i := range 30 {
		o.Alerts = append(o.Alerts, incident.AlertChange{Alert: glassward.Alert{
			ID: glassward.AlertID(fmt.Sprint("a", i)), RuleID: fmt.Sprint("r", i), Title: fmt.Sprint("alarm ", i), Severity: glassward.High, Start: k.clock(), End: k.clock(),
			Entities: []glassward.Entity{{Type: "IP", Identifiers: map[string]string{"Address": fmt.Sprint("192.0.2.", i)}}},
		}})
	}
	if _, err := k.Daemon.desk.Take(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	done, err := k.respond(t.Context(), answer{Receiver: "oncall/anna-sms", Way: "sms", Text: "493817 on it", Key: "sms:1"})
	if err != nil || !done.Stopped || !strings.Contains(done.Said, "together with 29 other incidents") {
		t.Fatalf("%+v %v", done.Said, err)
	}
	refs, _, err := k.state.Calling(t.Context(), k.clock().AddDate(1, 0, 0), 100)
	if err != nil || len(refs) != 0 {
		t.Errorf("people are still called about %d incidents: %v", len(refs), err)
	}
	inc, err := k.state.Incident(t.Context(), testTenant, 20)
	if err != nil || inc.Owner != "Anna" || !strings.Contains(inc.Timeline[len(inc.Timeline)-1].Text, "which stood for it in a storm") {
		t.Errorf("one of the others: %+v %v", inc.Timeline, err)
	}
}
