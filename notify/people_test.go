package notify

import (
	"context"
	"net"
	"strings"
	"testing"

	"glassward"
)

// A PIN is one person's, for the incidents of the groups that the person is in.
func TestByPIN(t *testing.T) {
	c := Config{People: []Person{
		{Name: "Anna", PIN: secret(t, "493817"), Receivers: []string{"oncall/anna"}},
		{Name: "Omar", PIN: secret(t, "a long phrase")},
		{Name: "Short", PIN: secret(t, "12345"), Receivers: []string{"OnCall/short"}},
		{Name: "Lost", PIN: "env:GLASSWARD_NO_SUCH_PIN"},
		{Name: "Lead", PIN: secret(t, "correct-horse")},
		{Name: "Nobody"},
	}}
	for _, tt := range []struct{ pin, group, want string }{
		{"493817", "oncall", "Anna"}, {"493817", "OnCall", "Anna"}, {"493817", "other", ""},
		{"correct-horse", "other", "Lead"}, {"correct-hors", "other", ""}, {"", "oncall", ""},
		{"12345", "oncall", ""}, {"a long phrase", "oncall", ""},
	} {
		p, ok, err := c.ByPIN(tt.pin, []string{tt.group})
		if p.Name != tt.want || ok != (tt.want != "") {
			t.Errorf("%q for %s: %q, %v; want %q", tt.pin, tt.group, p.Name, ok, tt.want)
		}
		for _, part := range []string{"Omar: the PIN needs", "Lost: secret env:GLASSWARD_NO_SUCH_PIN"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("the error does not say %q: %v", part, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "phrase") {
			t.Errorf("the error tells the PIN: %v", err)
		}
	}
}

// What comes back from a receiver that the watched tenant controls is known.
func TestDepends(t *testing.T) {
	c := Config{
		MailServers: []MailServer{{Name: "relay", Host: "smtp.example.net", From: "x@example.net"}, {Name: "exchange", Host: "smtp.office365.com", From: "x@contoso.example"}},
		ActionGroups: []ActionGroup{{Name: "oncall",
			Email: []EmailReceiver{{Name: "own", EmailAddress: "a@contoso.example", Server: "relay"}, {Name: "hosted", EmailAddress: "a@hosted.example", Server: "relay"},
				{Name: "out", EmailAddress: "a@example.org", Server: "relay"}, {Name: "by-exchange", EmailAddress: "a@example.org", Server: "exchange"}},
			Teams: []TeamsReceiver{{Name: "card"}}, SMS: []SMSReceiver{{Name: "text"}}, Ntfy: []NtfyReceiver{{Name: "push"}},
		}},
	}
	mx := func(_ context.Context, domain string) ([]*net.MX, error) {
		if domain == "hosted.example" {
			return []*net.MX{{Host: "hosted-example.mail.protection.outlook.com."}}, nil
		}
		return nil, nil
	}
	w := Watched{Domains: []string{"contoso.example"}, LookupMX: mx}
	for receiver, depends := range map[string]bool{
		"oncall/own": true, "oncall/hosted": true, "oncall/by-exchange": true, "ONCALL/Card": true, "oncall/gone": true, "gone/text": true, "": true,
		"oncall/out": false, "oncall/text": false, "oncall/push": false,
	} {
		if why := c.Depends(t.Context(), receiver, w); (why != "") != depends {
			t.Errorf("%s: %q", receiver, why)
		}
	}
	if got := c.Texts([]string{"OnCall", "none"}); len(got) != 1 || got[0] != "oncall/text" {
		t.Errorf("texts: %v", got)
	}
}

func TestValidatePeople(t *testing.T) {
	c := Config{
		ActionGroups: []ActionGroup{{Name: "g", Ntfy: []NtfyReceiver{{Name: "push", Topic: "t"}}}},
		People: []Person{
			{Name: "anna", PIN: "hunter2", Receivers: []string{"g/push", "g/none"}},
			{Name: "Anna", PIN: glassward.Secret("env:X"), Receivers: []string{"G/push"}},
		},
	}
	err := c.Validate()
	for _, want := range []string{"people[0] anna: pin: holds a value", `people[0] anna: receivers: there is no receiver "g/none"`, `people[1] Anna: name "Anna" is used twice`, "people[1] Anna: receivers: G/push is anna's already"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error holds the PIN: %v", err)
	}
}
