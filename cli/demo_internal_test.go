package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
)

func performed(name string) (*performance, *bytes.Buffer) {
	var out bytes.Buffer
	s := storyOf(name)
	p := &performance{app: &app{Env: Env{Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }}, color: "auto"},
		tenant: &demoTenant{world: entrasim.NewWorld(entrasim.Options{Seed: 1, Start: time.Now()})}, story: s,
		alerts: map[glassward.AlertID]*shownAlert{}}
	if err := p.expect(); err != nil {
		panic(err)
	}
	return p, &out
}

// What did not come is said, and so is what nobody foresaw; names that attackers
// chose do nothing to a terminal.
func TestDemoSaysWhatDidNotCome(t *testing.T) {
	p, out := performed("S2")
	p.showAlert(glassward.Alert{ID: "1", RuleName: "Emergency account sign-in", Title: "Emergency account EA-02: sign-in completed", Severity: glassward.High}, 1)
	p.showAlert(glassward.Alert{ID: "1", RuleName: "Emergency account sign-in", Title: "Emergency account EA-02: sign-in completed", Severity: glassward.High}, 1)
	p.showAlert(glassward.Alert{ID: "2", RuleName: "x", Title: "a \x1b[2Jname", Severity: glassward.Low}, 2)
	if err := p.showExpectations(); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for want, n := range map[string]int{
		"minute 7: Emergency account EA-02: sign-in completed\n": 1,
		"not foreseen: a ": 1,
		"\x1b":             0,
		"An alarm did not come: minute 4, rule Emergency account entered or left an administrative unit":   1,
		"An alarm did not come: minute 5, rule Authentication methods policy changed":                      1,
		"An alarm did not come: minute 7, rule Emergency account authentication method deleted or changed": 2,
		"needs a poll of the configuration":                                               2,
		"EA-02 … without an approved key                    told, by a more general rule": 1,
		"looks at its own consent every 15 minutes":                                       1,
	} {
		if got := strings.Count(text, want); got != n {
			t.Errorf("%q stands there %d times, want %d:\n%s", want, got, n, text)
		}
	}
	if len(p.missing) != 7 {
		t.Errorf("missing: %+v", p.missing)
	}
}

// Every expectation of every story gets a verdict, and every story its time.
func TestDemoKnowsEveryStory(t *testing.T) {
	for _, s := range entrasim.Scenarios() {
		p, _ := performed(s.Name)
		for _, a := range s.Alerts {
			p.showAlert(glassward.Alert{ID: glassward.AlertID(a.Title + time.Duration(a.Minute).String()), RuleName: a.Rule, Title: strings.ReplaceAll(a.Title, "*", "somewhere"), Severity: glassward.High}, 1)
		}
		for _, e := range s.For(p.tenant.world) {
			if mark, text := p.verdict(e); mark == "" || text == "" {
				t.Errorf("%s: nothing is said of %+v", s.Name, e)
			}
		}
		length := lengthOf(s)
		if wait := before(s, length); length < 10*time.Second || length > 25*time.Second || wait > length+10*time.Second {
			t.Errorf("%s lasts %s and waits %s", s.Name, length, wait)
		}
	}
}

func TestDemoShowsOneMailWhole(t *testing.T) {
	p, out := performed("S8")
	mail := func(subject string) mailsink.Mail {
		return mailsink.Mail{Data: []byte("Subject: " + subject + "\r\nContent-Type: text/plain\r\n\r\nbody of " + subject + "\r\n")}
	}
	p.showMails([]mailsink.Mail{mail("one"), mail("two"), mail("three")})
	if text := out.String(); !strings.Contains(text, "body of one") || strings.Contains(text, "body of two") || !strings.Contains(text, "The other 2 mails") || !strings.Contains(text, "three") {
		t.Errorf("%s", text)
	}
}
