package notify

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

const example = `
mailServers:
  - name: relay
    host: smtp.example.net
    username: glassward
    password: env:SMTP_PASSWORD
    from: Glassward <glassward@example.net>
    timeout: 45s
phoneProviders:
  - {name: twilio, type: twilio, account: AC0123456789abcdef0123456789abcdef, apiKey: SK0123456789abcdef0123456789abcdef, secret: env:TWILIO, from: "+15005550006"}
  - {name: vonage, type: vonage, account: abcd1234, secret: env:VONAGE, from: Glassward}
actionGroups:
  - name: oncall
    groupShortName: oncall
    enabled: true
    subject: "[CRITICAL] Emergency Access Activity"
    emailReceivers:
      - {name: duty, emailAddress: duty@example.org, useCommonAlertSchema: true, status: Enabled}
    webhookReceivers:
      - name: pager
        serviceUri: https://pager.example.com/hooks/glassward
        useCommonAlertSchema: true
        signingSecrets: ["env:PAGER_NEW", "file:/etc/glassward/pager"]
        allowedNetworks: [10.1.0.0/16]
        timeout: 10s
    teamsReceivers:
      - {name: channel, url: "file:/etc/glassward/teams", timeout: 15s}
    slackReceivers:
      - name: war-room
        url: env:SLACK_URL
        caFile: /etc/ssl/proxy.pem
    ntfyReceivers:
      - {name: phones, server: https://ntfy.example.net, topic: alarms, token: env:NTFY_TOKEN}
    pushoverReceivers:
      - {name: kim, token: env:PO_APP, user: env:PO_KIM, retry: 30s, expire: 3h}
    pagerdutyReceivers:
      - {name: duty-pager, routingKey: env:PD_KEY, endpoint: https://events.eu.pagerduty.com/v2/enqueue}
    logicAppReceivers:
      - {name: playbook, callbackUrl: env:LOGIC_APP, useCommonAlertSchema: true, resourceId: /subscriptions/s}
    smsReceivers:
      - {name: kim-sms, countryCode: "49", phoneNumber: "1701234567", segments: 2, status: Enabled}
    voiceReceivers:
      - {name: kim-call, countryCode: 49, phoneNumber: "(0170) 123-4567", providers: [twilio]}
    ladder:
      from: Medium
      repeat: 10m
      steps:
        - receivers: [duty, phones, kim, Kim-SMS, kim-call]
        - {after: 3m, receivers: [duty-pager]}
        - after: 10m
`

func TestConfigReads(t *testing.T) {
	var c Config
	if err := yaml.UnmarshalWithOptions([]byte(example), &c, yaml.Strict()); err != nil {
		t.Fatal(yaml.FormatError(err, false, true))
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	s := c.MailServers[0]
	if s.port() != 587 || s.tls() != StartTLS || s.auth() != AuthAuto || s.timeout() != 45*time.Second {
		t.Errorf("mail server %+v", s)
	}
	if d := cmp.Diff([]string{"duty", "pager", "channel", "war-room", "phones", "kim", "duty-pager", "playbook", "kim-sms", "kim-call"}, c.Receivers("OnCall")); d != "" {
		t.Error(d)
	}
	if f := c.Lint(t.Context(), Watched{}); len(f) != 0 {
		t.Errorf("findings: %+v", f)
	}
}

// TestValidate changes one thing at a time in the example, and wants one error
// that names the place and the cure.
func TestValidate(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"no host", "host: smtp.example.net", "host: ''", "mailServers[0] relay: host: missing"},
		{"host with port", "host: smtp.example.net", "host: smtp.example.net:25", "the port goes under port"},
		{"port", "timeout: 45s", "port: 70000", "port 70000: from 1 to 65535"},
		{"no TLS beyond loopback", "timeout: 45s", "tls: none", "tls: none is accepted for a loopback host only"},
		{"unknown TLS", "timeout: 45s", "tls: yes please", `tls "yes please": use starttls, implicit, opportunistic or none`},
		{"password over opportunistic TLS", "timeout: 45s", "tls: opportunistic", "could hand the password"},
		{"unknown login", "timeout: 45s", "auth: kerberos", `auth "kerberos": use auto`},
		{"password in the file", "env:SMTP_PASSWORD", "hunter2", "password: holds a value; secrets are given by reference"},
		{"login without password", "password: env:SMTP_PASSWORD", "port: 25", "auth auto needs username and password"},
		{"password without login", "username: glassward", "auth: none", "auth: none, yet there is a username or password"},
		{"no sender", "from: Glassward <glassward@example.net>", "from: ''", "from: missing"},
		{"no address", "from: Glassward <glassward@example.net>", "from: Glassward", "not an address"},
		{"long short name", "groupShortName: oncall", "groupShortName: on-call-people", "at most 12 characters"},
		{"disabled", "enabled: true", "enabled: false", "would silence every rule"},
		{"two lines of subject", "[CRITICAL] Emergency Access Activity", `a\r\nBcc: x@y.z`, "subject: must be one line"},
		{"same name", "name: pager", "name: DUTY", `name "DUTY" is used twice`},
		{"slash in a name", "name: pager", "name: a/b", "without slashes"},
		{"empty name", "name: pager", "name: ''", "name: missing"},
		{"address with name", "emailAddress: duty@example.org", "emailAddress: 'Duty <duty@example.org>'", "is not a plain address"},
		{"injected address", "emailAddress: duty@example.org", `emailAddress: "duty@example.org>\r\nDATA"`, "is not a plain address"},
		{"umlaut", "emailAddress: duty@example.org", "emailAddress: duty@bücher.example", "xn-- form"},
		{"unknown server", "status: Enabled", "server: other", `no mail server "other"`},
		{"no URI", "serviceUri: https://pager.example.com/hooks/glassward", "serviceUri: ''", "webhookReceivers[0] pager: serviceUri: missing"},
		{"http", "serviceUri: https:", "serviceUri: http:", "would send the alarm in the clear"},
		{"ftp", "serviceUri: https:", "serviceUri: ftp:", `scheme "ftp": use https`},
		{"no host in URI", "https://pager.example.com/hooks", "https:///hooks", "not an address"},
		{"password in URI", "https://pager", "https://me:hunter2@pager", "user name or password"},
		{"secret in query", "hooks/glassward", "hooks?sig=hunter2", "carries a secret in its query (sig=…)"},
		{"signing secret in the file", "env:PAGER_NEW", "whsec_hunter2", "signingSecrets[0]: holds a value"},
		{"network", "10.1.0.0/16", "10.1.0.0", "write a network as 10.1.0.0/16"},
		{"Teams without address", `url: "file:/etc/glassward/teams", `, "", "teamsReceivers[0] channel: url: missing"},
		{"Teams address in the file", "file:/etc/glassward/teams", "https://x.logic.azure.com/?sig=hunter2", "teamsReceivers[0] channel: url: holds a value"},
		{"Slack address in the file", "env:SLACK_URL", "https://hooks.slack.com/services/T/B/hunter2", "slackReceivers[0] war-room: url: holds a value"},
		{"ntfy server with a path", "https://ntfy.example.net", "https://ntfy.example.net/alarms", "ntfyReceivers[0] phones: server: an address without a path"},
		{"ntfy in the clear", "https://ntfy.example.net", "http://ntfy.example.net", "would send the alarm in the clear"},
		{"ntfy topic", "topic: alarms", "topic: a b", `topic "a b": at most 64 letters`},
		{"ntfy token in the file", "env:NTFY_TOKEN", "tk_hunter2", "token: holds a value"},
		{"Pushover without user", "user: env:PO_KIM, ", "", "pushoverReceivers[0] kim: user: missing"},
		{"Pushover's retry", "retry: 30s", "retry: 5s", "retry 5s: at least 30s"},
		{"Pushover's expiry", "expire: 3h", "expire: 4h", "expire 4h0m0s: from retry to 3h0m0s"},
		{"Pushover's device", "token: env:PO_APP", "device: a/b, token: env:PO_APP", `device "a/b"`},
		{"routing key in the file", "env:PD_KEY", "hunter2", "pagerdutyReceivers[0] duty-pager: routingKey: holds a value"},
		{"PagerDuty in the clear", "https://events.eu", "http://events.eu", "endpoint: http://events.eu.pagerduty.com would send"},
		{"callback address in the file", "env:LOGIC_APP", "https://x.logic.azure.com/?sig=hunter2", "logicAppReceivers[0] playbook: callbackUrl: holds a value"},
		{"provider of no type", "type: vonage", "type: sinch", `phoneProviders[1] vonage: type "sinch": use twilio or vonage`},
		{"account SID", "account: AC01", "account: AC1", "account \"AC123456789abcdef0123456789abcdef\": AC and 32 hex digits"},
		{"API key for an account", "apiKey: SK", "apiKey: AC", "apiKey \"AC0123456789abcdef0123456789abcdef\": SK and"},
		{"provider's secret in the file", "env:TWILIO", "hunter2", "phoneProviders[0] twilio: secret: holds a value"},
		{"provider without sender", `, from: "+15005550006"`, "", "from \"\": a number as"},
		{"long sender", "from: Glassward}", "from: Glassward-alarms}", "at most 11 letters"},
		{"same provider", "name: vonage", "name: Twilio", `name "Twilio" is used twice`},
		{"telephone number", `"1701234567"`, `"call Kim"`, "smsReceivers[0] kim-sms: countryCode"},
		{"segments", "segments: 2", "segments: 9", "segments 9: from 1 to 3"},
		{"unknown provider", "providers: [twilio]", "providers: [sinch]", `no phone provider "sinch"`},
		{"provider without voice", "providers: [twilio]", "providers: [vonage]", `phone provider "vonage" cannot call people`},
		{"timeout of Teams", "timeout: 15s", "timeout: 15h", "teamsReceivers[0] channel: timeout 15h0m0s: from 1s to 5m"},
		{"severity of the ladder", "from: Medium", "from: Urgent", "ladder: from: unknown severity \"Urgent\""},
		{"impatient ladder", "repeat: 10m", "repeat: 10s", "ladder: repeat 10s: from 1m0s"},
		{"no steps", "steps:", "steps: []\n      others:", "ladder: steps: from 1 to 20"},
		{"late first step", "- receivers: [duty,", "- after: 1m\n          receivers: [duty,", "ladder: steps[0]: after 1m0s: the first step is called at once"},
		{"steps out of order", "after: 10m", "after: 2m", "ladder: steps[2]: after 2m0s: each step comes later"},
		{"late step", "after: 10m", "after: 48h", "ladder: steps[2]: after 48h0m0s: at most 24h0m0s"},
		{"nobody of the group", "[duty-pager]", "[omar]", "ladder: steps[1]: receivers: the group has no receiver \"omar\"; it has duty, pager"},
		{"in no step", "after: 10m", "{after: 10m, receivers: [pager]}", "ladder: receiver \"channel\" stands in no step"},
		{"timeout", "timeout: 10s", "timeout: 1h", "timeout 1h0m0s: from 1s to 5m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(example, c.from) {
				t.Fatalf("the example does not hold %q", c.from)
			}
			var config Config
			if err := yaml.Unmarshal([]byte(strings.Replace(example, c.from, c.to, 1)), &config); err != nil {
				t.Fatal(err)
			}
			err := config.Validate()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the secret: %v", err)
			}
			if strings.ContainsAny(err.Error(), "\r\x1b") {
				t.Errorf("the error holds control characters: %q", err)
			}
		})
	}
}

func TestPhoneWithoutProvider(t *testing.T) {
	c := Config{ActionGroups: []ActionGroup{{Name: "g", SMS: []SMSReceiver{{Name: "kim", Phone: Phone{CountryCode: "+49", PhoneNumber: "0170/1234567"}}}}}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "smsReceivers[0] kim: providers: there is no phone provider for it") {
		t.Errorf("got %v", err)
	}
	if got := c.ActionGroups[0].SMS[0].e164(); got != "+491701234567" {
		t.Errorf("got %s", got)
	}
}

func TestValidateGroups(t *testing.T) {
	many := Config{ActionGroups: []ActionGroup{{Name: "g"}}}
	if err := many.Validate(); err == nil || !strings.Contains(err.Error(), "no receiver") {
		t.Errorf("got %v", err)
	}
	if names := many.Receivers("nobody"); names != nil {
		t.Errorf("an unknown group has %v", names)
	}
	two := Config{
		MailServers:  []MailServer{{Name: "a", Host: "a.example", From: "x@a.example"}, {Name: "a", Host: "127.0.0.1", TLS: Plain, From: "x@a.example"}},
		ActionGroups: []ActionGroup{{Name: "g", Email: []EmailReceiver{{Name: "r", EmailAddress: "r@example.org"}}}},
	}
	err := two.Validate()
	for _, want := range []string{`mailServers[1] a: name "a" is used twice`, "several mail servers: say which by server"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestLint(t *testing.T) {
	mx := func(_ context.Context, domain string) ([]*net.MX, error) {
		if domain == "contractor.example" {
			return []*net.MX{{Host: "contractor-example.mail.protection.outlook.com.", Pref: 0}}, nil
		}
		return []*net.MX{{Host: "mx." + domain + ".", Pref: 10}}, nil
	}
	watched := Watched{Domains: []string{"fabrikam.example"}, LookupMX: mx}
	email := func(name, address string) EmailReceiver { return EmailReceiver{Name: name, EmailAddress: address} }
	hook := func(name, uri string) WebhookReceiver {
		return WebhookReceiver{Name: name, ServiceURI: uri, SigningSecrets: nil}
	}
	relay := MailServer{Name: "relay", Host: "mail.provider.example", From: "gw@provider.example"}
	office := MailServer{Name: "relay", Host: "smtp.office365.com", From: "gw@fabrikam.example"}
	for _, c := range []struct {
		name   string
		server MailServer
		group  ActionGroup
		want   []string
	}{
		{"two apart", relay, ActionGroup{Email: []EmailReceiver{email("a", "a@provider.example"), email("b", "b@fabrikam.example")}}, nil},
		{"single", relay, ActionGroup{Email: []EmailReceiver{email("a", "a@provider.example")}}, []string{SingleReceiver}},
		{"all in the tenant", relay, ActionGroup{Email: []EmailReceiver{
			email("a", "a@fabrikam.onmicrosoft.com"), email("b", "b@fabrikam.example"), email("c", "c@contractor.example"),
		}}, []string{DependsOnTenant}},
		{"through Exchange Online", office, ActionGroup{Email: []EmailReceiver{email("a", "a@provider.example"), email("b", "b@other.example")}}, []string{DependsOnTenant}},
		{"Logic App and mailbox", relay, ActionGroup{
			Email:   []EmailReceiver{email("a", "a@fabrikam.example")},
			Webhook: []WebhookReceiver{hook("flow", "https://prod-01.westeurope.logic.azure.com/workflows/x")},
		}, []string{UnsignedWebhook, DependsOnTenant}},
		{"connector", relay, ActionGroup{
			Email:   []EmailReceiver{email("a", "a@provider.example")},
			Webhook: []WebhookReceiver{hook("teams", "https://fabrikam.webhook.office.com/webhookb2/x")},
		}, []string{UnsignedWebhook, RetiredEndpoint}},
		{"everything in Microsoft's cloud", relay, ActionGroup{
			Email: []EmailReceiver{email("a", "a@fabrikam.example")}, Teams: []TeamsReceiver{{Name: "t", URL: "env:T"}}, LogicApp: []LogicAppReceiver{{Name: "l", CallbackURL: "env:L"}},
		}, []string{DependsOnTenant}},
		{"open topic, and one that is no secret", relay, ActionGroup{Ntfy: []NtfyReceiver{{Name: "a", Topic: "alarms"}, {Name: "b", Topic: "alarms", Token: "env:X"}}}, []string{OpenTopic, SameDestination}},
		{"same twice", relay, ActionGroup{Email: []EmailReceiver{email("a", "a@provider.example"), email("b", "A@provider.example")}}, []string{SameDestination}},
		{"unsubscribed", relay, ActionGroup{Email: []EmailReceiver{
			email("a", "a@provider.example"), {Name: "b", EmailAddress: strings.Repeat("b", 60) + "@provider.example", Status: "Disabled"},
		}}, []string{DisabledInAzure, LongForAzure}},
		{"opportunistic", MailServer{Name: "relay", Host: "mail.provider.example", TLS: Opportunistic, From: "gw@provider.example"},
			ActionGroup{Email: []EmailReceiver{email("a", "a@provider.example"), email("b", "b@other.example")}}, []string{OpportunisticTLS}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.group.Name = "oncall"
			config := Config{MailServers: []MailServer{c.server}, ActionGroups: []ActionGroup{c.group}}
			if err := config.Validate(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range config.Lint(t.Context(), watched) {
				got = append(got, f.Code)
				if f.Place == "" || f.Message == "" || f.Fix == "" {
					t.Errorf("half a finding: %+v", f)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}
