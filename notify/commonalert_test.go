package notify

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"glassward"
)

func indent(t *testing.T, body []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// TestCommonAlertTypes holds the body to the published types of log alerts V2.
func TestCommonAlertTypes(t *testing.T) {
	closed := signIn()
	closed.Notice.Kind = "closed"
	closed.Incident.Closed = at("2026-11-20T17:20:00Z")
	for name, j := range map[string]Job{"fired": signIn(), "closed": closed, "health": healthJob()} {
		t.Run(name, func(t *testing.T) {
			body, err := commonAlert(newMessage(j, group(), link, ruleFacts))
			if err != nil {
				t.Fatal(err)
			}
			var v map[string]any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatal(err)
			}
			if v["schemaId"] != "azureMonitorCommonAlertSchema" {
				t.Errorf("schemaId %v", v["schemaId"])
			}
			data := v["data"].(map[string]any)
			es := data["essentials"].(map[string]any)
			for k, value := range es {
				switch k {
				case "alertTargetIDs", "configurationItems":
					for _, item := range value.([]any) {
						if _, ok := item.(string); !ok {
							t.Errorf("essentials.%s holds %T", k, item)
						}
					}
				default:
					if _, ok := value.(string); !ok {
						t.Errorf("essentials.%s is %T, want string", k, value)
					}
				}
			}
			for _, k := range []string{"alertId", "alertRule", "severity", "signalType", "monitorCondition", "monitoringService", "originAlertId", "firedDateTime", "description", "essentialsVersion", "alertContextVersion"} {
				if _, ok := es[k]; !ok {
					t.Errorf("essentials.%s is missing", k)
				}
			}
			if _, ok := es["resolvedDateTime"]; ok != (name == "closed") {
				t.Errorf("resolvedDateTime present: %v", ok)
			}
			if want := map[bool]string{true: "Resolved", false: "Fired"}[name == "closed"]; es["monitorCondition"] != want {
				t.Errorf("monitorCondition %v, want %s", es["monitorCondition"], want)
			}
			c := data["alertContext"].(map[string]any)["condition"].(map[string]any)["allOf"].([]any)[0].(map[string]any)
			if _, ok := c["threshold"].(string); !ok {
				t.Errorf("threshold is %T, want string", c["threshold"])
			}
			if _, ok := c["targetResourceTypes"].(string); !ok {
				t.Errorf("targetResourceTypes is %T, want string", c["targetResourceTypes"])
			}
			switch c["metricValue"].(type) {
			case float64:
			case nil:
				if name != "health" {
					t.Error("metricValue is null")
				}
			default:
				t.Errorf("metricValue is %T", c["metricValue"])
			}
			if _, ok := c["dimensions"].([]any); !ok {
				t.Errorf("dimensions is %T, want array", c["dimensions"])
			}
			if bytes.Contains(body, []byte("countryOrRegion")) || bytes.Contains(body, []byte(`"SearchResults"`)) {
				t.Error("the body holds result rows")
			}
		})
	}
}

func TestCommonAlertIsBounded(t *testing.T) {
	j := signIn()
	huge := strings.Repeat("\x01\u202E<", 1<<20)
	j.Notice.Why, j.Notice.Tenant = huge, huge
	a := &j.Alerts[0]
	a.Title, a.Description, a.RuleName, a.RuleID = huge, huge, huge, huge
	a.Entities = append(a.Entities, glassward.Entity{Type: "Account", Identifiers: map[string]string{"FullName": huge}})
	m := newMessage(j, group(), link, func(string) RuleFacts { return RuleFacts{Query: huge} })
	body, err := commonAlert(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > maxBody {
		t.Errorf("%d bytes, at most %d", len(body), maxBody)
	}
	if !json.Valid(body) {
		t.Error("no JSON")
	}
}

func TestISODuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		10 * time.Minute: "PT10M", time.Hour: "PT1H", 24 * time.Hour: "P1D", 48 * time.Hour: "P2D",
		90*time.Minute + 5*time.Second: "PT1H30M5S", 0: "PT0S", 30 * time.Hour: "PT30H",
	} {
		if got := isoDuration(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}

// TestADigestListsItsIncidents: a webhook hears of what a storm's digest stands for,
// for of those it hears nowhere else.
func TestADigestListsItsIncidents(t *testing.T) {
	j := healthJob()
	j.Notice.Kind, j.Notice.Why, j.Notice.Text = "digest", "These were not told one by one.", "Incident 16, Low: one\nIncident 17, Low: another"
	body, err := commonAlert(newMessage(j, group(), link, ruleFacts))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Data struct{ Essentials struct{ Description string } }
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	if want := j.Notice.Why + "\n" + j.Notice.Text; v.Data.Essentials.Description != want {
		t.Errorf("%q, want %q", v.Data.Essentials.Description, want)
	}
}
