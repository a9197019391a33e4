package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/config"
	"glassward/notify"
	"glassward/rule"
)

func TestWeakenedNamesWhatIsTakenAway(t *testing.T) {
	base := func() *config.Config {
		return &config.Config{
			PublicURL:     "https://g.example.org",
			AcrossTenants: config.AcrossTenants{Compare: true, Shared: []string{"198.51.100.0/24"}},
			Config: notify.Config{
				People:         []notify.Person{{Name: "Kim"}},
				Heartbeat:      &notify.Heartbeat{URL: "env:PING"},
				MailServers:    []notify.MailServer{{Name: "main", Host: "smtp.example.org", From: "g@example.org"}},
				PhoneProviders: []notify.PhoneProvider{{Name: "twilio", Type: notify.Twilio, From: "+15005550006"}},
				ActionGroups: []notify.ActionGroup{{
					Name:    "emergency",
					Email:   []notify.EmailReceiver{{Name: "oncall", EmailAddress: "oncall@example.org"}},
					Webhook: []notify.WebhookReceiver{{Name: "pager", ServiceURI: "https://pager.example.org"}},
					SMS:     []notify.SMSReceiver{{Name: "kim", Phone: notify.Phone{CountryCode: "49", PhoneNumber: "1701234567"}}},
				}},
			},
			Each: []config.Tenant{{
				ID: "t1", Name: "contoso", ActionGroups: []string{"emergency"}, Domains: []string{"contoso.example"},
				EmergencyAccounts: []config.EmergencyAccount{{ObjectID: "a1", Name: "EA-01", Kind: "user", Holders: []string{"Kim", "Lee"}}, {ObjectID: "a2"}},
			}},
		}
	}
	rules := func() *rule.Set {
		return &rule.Set{Rules: []*rule.Rule{{ID: "r1", Name: "mine", Query: "SigninLogs", Severity: glassward.High, Enabled: true}}}
	}
	for _, c := range []struct {
		name   string
		change func(*config.Config, *rule.Set)
		want   []string
	}{
		{"nothing", func(*config.Config, *rule.Set) {}, nil},
		{"something is added", func(c *config.Config, s *rule.Set) {
			c.Each[0].EmergencyAccounts = append(c.Each[0].EmergencyAccounts, config.EmergencyAccount{ObjectID: "a3"})
			c.ActionGroups = append(c.ActionGroups, notify.ActionGroup{Name: "more"})
			s.Rules = append(s.Rules, &rule.Rule{ID: "r2"})
		}, nil},
		{"an account", func(c *config.Config, _ *rule.Set) { c.Each[0].EmergencyAccounts = c.Each[0].EmergencyAccounts[1:] },
			[]string{"tenant contoso: emergency account a1 (EA-01) is no longer declared"}},
		{"an account's kind", func(c *config.Config, _ *rule.Set) { c.Each[0].EmergencyAccounts[0].Kind = "decoy" },
			[]string{"tenant contoso: emergency account a1 (EA-01) is declared a decoy, no longer a user"}},
		{"a holder", func(c *config.Config, _ *rule.Set) { c.Each[0].EmergencyAccounts[0].Holders = []string{"kim"} },
			[]string{"tenant contoso: Lee is no longer named as a holder of a1 (EA-01), and may review what it does"}},
		{"a domain", func(c *config.Config, _ *rule.Set) { c.Each[0].Domains = nil },
			[]string{"tenant contoso: domain contoso.example is no longer named as its own, so receivers there count as independent of it"}},
		{"the words", func(c *config.Config, _ *rule.Set) { c.Each[0].DependentContacts = config.DependentWords },
			[]string{"tenant contoso: it was accepted that whoever owns the tenant can silence its alarms"}},
		{"where links lead", func(c *config.Config, _ *rule.Set) { c.PublicURL = "https://evil.example.org" },
			[]string{"links in notices begin with https://evil.example.org, no longer with https://g.example.org"}},
		{"who may take up", func(c *config.Config, _ *rule.Set) {
			c.People = append(c.People, notify.Person{Name: "Mallory", PIN: "env:PIN"})
		},
			[]string{"Mallory may take incidents up, as people now says"}},
		{"the comparison of tenants", func(c *config.Config, _ *rule.Set) { c.AcrossTenants.Compare = false },
			[]string{"what meets several tenants is no longer compared"}},
		{"what is compared", func(c *config.Config, _ *rule.Set) {
			c.AcrossTenants.Shared = []string{"198.51.100.7", "203.0.113.0/24"}
		},
			[]string{"203.0.113.0/24 counts as shared by several tenants, and is not compared any more"}},
		{"where the ping goes", func(c *config.Config, _ *rule.Set) { c.Heartbeat = &notify.Heartbeat{URL: "env:OTHER"} },
			[]string{"the dead man's ping goes elsewhere or is rarer"}},
		{"the dead man's ping", func(c *config.Config, _ *rule.Set) { c.Heartbeat = nil }, []string{"the dead man's ping is no longer sent"}},
		{"a tenant", func(c *config.Config, _ *rule.Set) { c.Each = nil }, []string{"tenant contoso is no longer watched"}},
		{"a group of a tenant", func(c *config.Config, _ *rule.Set) { c.Each[0].ActionGroups = nil },
			[]string{"tenant contoso: action group emergency is no longer told"}},
		{"a group", func(c *config.Config, _ *rule.Set) { c.ActionGroups = nil }, []string{"action group emergency is gone"}},
		{"an address", func(c *config.Config, _ *rule.Set) { c.ActionGroups[0].Email[0].EmailAddress = "evil@example.org" },
			[]string{"action group emergency: mail receiver oncall is gone or changed"}},
		{"an endpoint", func(c *config.Config, _ *rule.Set) { c.ActionGroups[0].Webhook = nil },
			[]string{"action group emergency: webhook receiver pager is gone or changed"}},
		{"a mail server", func(c *config.Config, _ *rule.Set) { c.MailServers[0].Host = "elsewhere.example.org" },
			[]string{"mail server main is gone or changed"}},
		{"a telephone", func(c *config.Config, _ *rule.Set) { c.ActionGroups[0].SMS[0].PhoneNumber = "1709999999" },
			[]string{"action group emergency: sms receiver kim is gone or changed"}},
		{"a phone provider", func(c *config.Config, _ *rule.Set) { c.PhoneProviders[0].From = "+15005550001" },
			[]string{"phone provider twilio is gone or changed"}},
		{"a rule", func(_ *config.Config, s *rule.Set) { s.Rules = nil }, []string{`rule "mine" is gone`}},
		{"a rule's switch", func(_ *config.Config, s *rule.Set) { s.Rules[0].Enabled = false }, []string{`rule "mine" is switched off`}},
		{"a rule's query", func(_ *config.Config, s *rule.Set) { s.Rules[0].Query = "SigninLogs | take 0" }, []string{`rule "mine" is changed`}},
		{"a rule's severity", func(_ *config.Config, s *rule.Set) { s.Rules[0].Severity = glassward.Low }, []string{`rule "mine" is changed`}},
		{"a rule's threshold", func(_ *config.Config, s *rule.Set) { s.Rules[0].Threshold = 1_000_000 }, []string{`rule "mine" is changed`}},
		{"a rule's silence", func(_ *config.Config, s *rule.Set) { s.Rules[0].Suppression = time.Hour }, []string{`rule "mine" is changed`}},
	} {
		next, nextRules := base(), rules()
		c.change(next, nextRules)
		var got []string
		for tenant, lines := range weakened(base(), next, rules(), nextRules) {
			for _, l := range lines {
				if strings.Contains(l, "contoso") != (tenant == "t1") {
					t.Errorf("%s: %q is told to the people of %q", c.name, l, tenant)
				}
			}
			got = append(got, lines...)
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
