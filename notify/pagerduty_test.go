package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const routingKey = "hunter2hunter2hunter2hunter2hunt"

// pagerDutyVendor is the Events API v2. Source: developer.pagerduty.com, "Send an
// Alert Event" (fields, limits, 202 with dedup_key) and the OpenAPI description
// in PagerDuty/api-schema, reference/events-v2 (400 with errors, 429).
var pagerDutyVendor = vendor{
	name: "pagerduty",
	group: func(t testing.TB, base string) ActionGroup {
		return ActionGroup{PagerDuty: []PagerDutyReceiver{{Name: "x", Reach: reach(), Endpoint: base + "/v2/enqueue", RoutingKey: secret(t, routingKey)}}}
	},
	check: checkPagerDuty,
	success: func(w http.ResponseWriter, body []byte) {
		var e struct {
			Key string `json:"dedup_key"`
		}
		_ = json.Unmarshal(body, &e)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"status":"success","message":"Event processed","dedup_key":%q}`, e.Key)
	},
	refusal: func(w http.ResponseWriter, err error) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": []string{err.Error()}})
	},
	mutations: []string{
		"header:Content-Type=text/plain", "routing_key", `routing_key="short"`, "event_action", `event_action="fire"`, "dedup_key=*256", "payload", "payload.summary",
		"payload.summary=*1025", "payload.source", `payload.source=""`, "payload.severity", `payload.severity="Sev0"`, `payload.timestamp="yesterday"`,
		"payload.custom_details=*600000", `links.0.href="not an address"`, `links.0.link="x"`, `urgency="high"`,
	},
	optional: []string{"dedup_key", "client", "client_url", "links", "links.*.text", "payload.timestamp", "payload.component", "payload.group", "payload.class", "payload.custom_details"},
	free:     []string{"payload.custom_details"},
	limits:   map[string]int{"dedup_key": 255, "payload.summary": 1024, "routing_key": 32},
	answers: []vendorAnswer{
		{202, `{"status":"success","message":"Event processed","dedup_key":"glassward-7b4b1a2c-12"}`, Mend}, // not ours
		{200, "<html>", Mend},
		{400, `{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}`, Mend},
		{400, `{"status":"invalid event","message":"Event object is invalid","errors":["'payload.severity' is invalid"]}`, Refused},
		{413, "", Refused},
	},
	secrets: []string{routingKey},
}

func checkPagerDuty(r *http.Request, body []byte) error {
	if r.URL.Path != "/v2/enqueue" || len(body) > 512<<10 {
		return errors.New("path or size")
	}
	var e struct {
		RoutingKey  string `json:"routing_key"`
		EventAction string `json:"event_action"`
		DedupKey    string `json:"dedup_key"`
		Payload     *struct {
			Summary, Source, Severity, Timestamp, Component, Group, Class string
			CustomDetails                                                 map[string]any `json:"custom_details"`
		}
		Images []struct{ Src, Href, Alt string }
		Links  []struct {
			Href string
			Text string
		}
		Client    string
		ClientURL string `json:"client_url"`
	}
	if err := strictJSON(r, body, &e); err != nil {
		return err
	}
	if len(e.RoutingKey) != 32 {
		return errors.New("Length of 'routing_key' is incorrect (should be 32 characters)")
	}
	if len(e.DedupKey) > 255 {
		return errors.New("'dedup_key' is too long")
	}
	if e.EventAction != "trigger" {
		if !slices.Contains([]string{"acknowledge", "resolve"}, e.EventAction) || e.DedupKey == "" || e.Payload != nil {
			return errors.New("'event_action' is invalid")
		}
		return nil
	}
	p := e.Payload
	if p == nil || p.Summary == "" || utf8.RuneCountInString(p.Summary) > 1024 || p.Source == "" || !slices.Contains([]string{"critical", "error", "warning", "info"}, p.Severity) {
		return errors.New("'payload' is missing or invalid")
	}
	if _, err := time.Parse(time.RFC3339, p.Timestamp); err != nil && p.Timestamp != "" {
		return errors.New("'payload.timestamp' is invalid")
	}
	for _, l := range e.Links {
		if u, err := url.Parse(l.Href); err != nil || u.Host == "" {
			return errors.New("'links' is invalid")
		}
	}
	return nil
}

// TestPagerDutyIncident keeps the notices of one incident one alert there, apart
// from another tenant's incident of the same number.
func TestPagerDutyIncident(t *testing.T) {
	event := func(change func(*Job)) pagerDutyEvent {
		j := signIn()
		change(&j)
		return pagerDuty(newMessage(j, group(), link, ruleFacts))
	}
	fired := event(func(*Job) {})
	closed := event(func(j *Job) { j.Notice.ID, j.Notice.Kind = "other", "closed" })
	if closed.DedupKey != fired.DedupKey || closed.Action != "resolve" || closed.Payload != nil {
		t.Errorf("closed: %+v", closed)
	}
	if taken := event(func(j *Job) { j.Notice.ID, j.Notice.Kind = "other", "acknowledged" }); taken.DedupKey != fired.DedupKey || taken.Action != "acknowledge" || taken.Payload != nil {
		t.Errorf("taken up: %+v", taken)
	}
	if other := event(func(j *Job) { j.Notice.Tenant = "bbbbbbbb-0000-4000-8000-000000000001" }); other.DedupKey == fired.DedupKey {
		t.Error("two tenants share an alert")
	}
	if health := event(func(j *Job) { j.Notice.Incident = 0 }); !strings.HasSuffix(health.DedupKey, string(signIn().Notice.ID)) {
		t.Errorf("without incident: %s", health.DedupKey)
	}
	if fired.Payload.Severity != "critical" {
		t.Errorf("severity %s", fired.Payload.Severity)
	}
}
