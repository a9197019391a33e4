package notify

import (
	"bytes"
	"flag"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

// nasty is a text as an attacker would write it.
const nasty = "EA-01 <b>ok</b>\r\nBcc: all@evil.example \x1b[2J\u202Etxet desrever\u202C https://evil.example/a?b=c www.evil.example"

// signIn is the job of a sign-in by an emergency account, with a second alert
// in its incident.
func signIn() Job {
	start := at("2026-11-20T17:00:05.1234567Z")
	return Job{
		Receiver: "oncall/duty", Attempt: 1, Head: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Notice: glassward.Notice{
			ID: "5f2d7c0e9b1a4d6f8e3c2b1a09f8e7d6", Tenant: "aaaaaaaa-0000-4000-8000-000000000001", Group: "oncall", Incident: 12,
			Alert: "b1e5c0de00000000000000000000000a", Severity: glassward.High, Kind: "fired",
			Why: "First alert of a new incident.", Created: at("2026-11-20T17:02:15.5Z"),
		},
		Incident: &glassward.Incident{
			Number: 12, Tenant: "aaaaaaaa-0000-4000-8000-000000000001", Title: "Emergency account EA-01 in use", Severity: glassward.High,
			Status: glassward.StatusNew, FirstActivity: start, LastActivity: start.Add(90 * time.Second),
			Alerts: []glassward.AlertID{"b1e5c0de00000000000000000000000a", "b1e5c0de00000000000000000000000b"},
		},
		Alerts: []glassward.Alert{
			{
				ID: "b1e5c0de00000000000000000000000a", Tenant: "aaaaaaaa-0000-4000-8000-000000000001",
				RuleID: "11111111-2222-4333-8444-555555555555", RuleName: "Emergency account signed in", RuleVersion: "1.0.0",
				QueryHash: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
				Title:     "EA-01 signed in", Description: "An emergency account completed a sign-in. Call the keeper of the account.",
				Severity: glassward.High, Tactics: []string{"InitialAccess"},
				Entities: []glassward.Entity{
					{Type: "Account", Identifiers: map[string]string{"Name": "ea-01", "UPNSuffix": "fabrikam.onmicrosoft.com", "AadUserId": "0e000000-0000-4000-8000-0000000000a1"}},
					{Type: "IP", Identifiers: map[string]string{"Address": "203.0.113.7"}},
				},
				Columns: []string{"TimeGenerated", "UserPrincipalName", "UserId", "IPAddress", "Location", "LocationDetails", "AppDisplayName", "AppId", "ResultType", "ResultDescription", "ConditionalAccessStatus", "ConditionalAccessPolicies", "AuthenticationRequirement", "UserAgent", "_ItemId"},
				Rows: [][]string{{
					"2026-11-20T17:00:05.1234567Z", "ea-01@fabrikam.onmicrosoft.com", "0e000000-0000-4000-8000-0000000000a1", "203.0.113.7", "DE",
					`{"city":"Berlin","state":"Land Berlin","countryOrRegion":"DE"}`, "Azure Portal", "c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "0", "",
					"success", `[{"displayName":"CA001 Require MFA","result":"success"},{"displayName":"CA002 Block","result":"notApplied"}]`,
					"multiFactorAuthentication", nasty, "x",
				}},
				RowCount: 1, Records: []glassward.RecordID{{1, 2, 3}},
				Start: start, End: start, Received: start.Add(130 * time.Second), Judged: start.Add(130*time.Second + 240*time.Millisecond),
			},
			{
				ID: "b1e5c0de00000000000000000000000b", Title: "Policy " + nasty, Severity: glassward.Medium, Start: start.Add(90 * time.Second),
			},
		},
	}
}

func group() ActionGroup {
	return ActionGroup{
		Name: "oncall", Subject: "[CRITICAL] Emergency Access Activity",
		Email: []EmailReceiver{{Name: "duty", EmailAddress: "duty@example.org"}},
	}
}

func link(j Job) Letter {
	if j.Notice.Incident == 0 {
		return Letter{}
	}
	return Letter{Link: fmt.Sprintf("https://glassward.example.net/incidents/%d", j.Notice.Incident)}
}

func ruleFacts(string) RuleFacts {
	return RuleFacts{Query: "SigninLogs\n| where UserId in (_GetWatchlist('EmergencyAccounts'))\n| where ResultType == \"0\"", Period: 10 * time.Minute}
}

func audit() Job {
	j := signIn()
	j.Notice.Kind, j.Notice.Why = "again", "Something new in the open incident 12: the actor mallory@fabrikam.onmicrosoft.com."
	j.Notice.ID = "0123456789abcdef0123456789abcdef"
	a := &j.Alerts[0]
	a.Title, a.Description, a.RuleName = "Emergency account EA-01 was changed", "", "Emergency account changed"
	a.Late, a.Entities = true, nil
	a.Columns = []string{"TimeGenerated", "OperationName", "InitiatedBy", "TargetResources", "Result"}
	a.Rows = [][]string{{
		"2026-11-20T17:00:05.1234567Z", "Admin registered security info",
		`{"user":{"id":"0e000000-0000-4000-8000-0000000000b2","userPrincipalName":"mallory@fabrikam.onmicrosoft.com","ipAddress":"198.51.100.9"}}`,
		`[{"id":"0e000000-0000-4000-8000-0000000000a1","displayName":"` + `EA-01` + `","type":"User"}]`, "success",
	}}
	j.Incident.Acknowledged = at("2026-11-20T17:01:00Z")
	j.Incident.Status, j.Incident.Owner = glassward.StatusActive, "kim"
	return j
}

func healthJob() Job {
	return Job{Receiver: "oncall/duty", Attempt: 1, Notice: glassward.Notice{
		ID: "health-1", Tenant: "aaaaaaaa-0000-4000-8000-000000000001", Group: "oncall", Severity: glassward.Medium, Kind: "health",
		Why: "receiver night/pager has not taken a notice since 2026-11-20 16:00:00 UTC: HTTP 503", Created: at("2026-11-20T17:02:15Z"),
	}}
}

// TestMail compares whole mails, as sent, and their text with the golden files.
func TestMail(t *testing.T) {
	from := &mail.Address{Name: "Glassward", Address: "glassward@example.net"}
	for name, j := range map[string]Job{"signin": signIn(), "audit": audit(), "health": healthJob()} {
		t.Run(name, func(t *testing.T) {
			m := newMessage(j, group(), link, ruleFacts)
			raw, err := compose(m, newHTMLRenderer(), from, "duty@example.org", at("2026-11-20T17:02:16Z"))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".eml", strings.ReplaceAll(string(raw), "\r\n", "\n"))
			golden(t, name+".txt", NewView(m).String())
			page, err := newHTMLRenderer().render(NewView(m))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".html", page)
			body, err := commonAlert(m)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", indent(t, body))
			for i, line := range bytes.Split(raw, []byte("\r\n")) {
				if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
					t.Errorf("line %d of the mail breaks RFC 5322: %q", i+1, line)
				}
			}
		})
	}
}
