package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"glassward"
)

// A PagerDutyReceiver is a service in PagerDuty with an Events API v2
// integration. The notices of one incident are one alert there, which is
// resolved when ours is closed.
type PagerDutyReceiver struct {
	Name string `yaml:"name" json:"name"`
	// RoutingKey is the integration key, 32 characters, by reference.
	RoutingKey glassward.Secret `yaml:"routingKey" json:"routingKey"`
	// Endpoint is the address of the Events API; https://events.pagerduty.com/v2/enqueue
	// if empty. Accounts in the EU have https://events.eu.pagerduty.com/v2/enqueue.
	Endpoint string `yaml:"endpoint,omitempty" json:"endpoint,omitempty"`
	// APIToken is a read-only key of the REST API, by reference: with it PagerDuty is
	// asked whether somebody has acknowledged. APIEndpoint is that API's address,
	// https://api.pagerduty.com if empty; in the EU https://api.eu.pagerduty.com.
	APIToken    glassward.Secret `yaml:"apiToken,omitempty" json:"apiToken,omitempty"`
	APIEndpoint string           `yaml:"apiEndpoint,omitempty" json:"apiEndpoint,omitempty"`
	// WebhookSecret verifies V3 webhooks of PagerDuty's to
	// https://…/callbacks/pagerduty/GROUP/RECEIVER, by reference: they have us ask at
	// once. Without them it is asked every few seconds while people are called.
	WebhookSecret glassward.Secret `yaml:"webhookSecret,omitempty" json:"webhookSecret,omitempty"`
	Reach         `yaml:",inline"`
}

// PagerDuty's address and limits.
const (
	pagerDutyEndpoint   = "https://events.pagerduty.com/v2/enqueue"
	pagerDutyEndpointEU = "https://events.eu.pagerduty.com/v2/enqueue"
	pagerDutyAPI        = "https://api.pagerduty.com"
	pagerDutyAPIEU      = "https://api.eu.pagerduty.com"

	maxPagerDutySummary = 1024
	maxPagerDutyBody    = 512 << 10
)

func (r PagerDutyReceiver) label() string { return r.Name }

func (r PagerDutyReceiver) destination() string { return "pagerduty " + string(r.RoutingKey) }

func (r PagerDutyReceiver) validate(_ Config, p place) {
	p.needs("routingKey", r.RoutingKey)
	p.address("endpoint", cmp.Or(r.Endpoint, pagerDutyEndpoint))
	p.secret("apiToken", r.APIToken)
	p.address("apiEndpoint", r.apiEndpoint())
	p.secret("webhookSecret", r.WebhookSecret)
	r.Reach.validate(p)
}

func (r PagerDutyReceiver) apiEndpoint() string {
	if r.APIEndpoint == "" && r.Endpoint == pagerDutyEndpointEU {
		return pagerDutyAPIEU
	}
	return cmp.Or(r.APIEndpoint, pagerDutyAPI)
}

func (r PagerDutyReceiver) lint(Watched) ([]Finding, string) { return nil, "" }

func (r PagerDutyReceiver) by(c caller) Receiver { return &pagerDutyReceiver{r, c} }

type pagerDutyReceiver struct {
	PagerDutyReceiver
	caller caller
}

type (
	pagerDutyEvent struct {
		RoutingKey string            `json:"routing_key"`
		Action     string            `json:"event_action"`
		DedupKey   string            `json:"dedup_key"`
		Payload    *pagerDutyPayload `json:"payload,omitempty"`
		Links      []pagerDutyLink   `json:"links,omitempty"`
		Client     string            `json:"client,omitempty"`
		ClientURL  string            `json:"client_url,omitempty"`
	}
	pagerDutyPayload struct {
		Summary   string            `json:"summary"`
		Source    string            `json:"source"`
		Severity  string            `json:"severity"`
		Timestamp string            `json:"timestamp"`
		Component string            `json:"component,omitempty"`
		Group     string            `json:"group,omitempty"`
		Class     string            `json:"class,omitempty"`
		Details   map[string]string `json:"custom_details,omitempty"`
	}
	pagerDutyLink struct {
		Href string `json:"href"`
		Text string `json:"text"`
	}
)

// Deliver sends one event. The dedup_key is the incident's, so that a repeat
// changes nothing.
func (r *pagerDutyReceiver) Deliver(ctx context.Context, m Message) Outcome {
	target, err := endpoint("endpoint", cmp.Or(r.Endpoint, pagerDutyEndpoint))
	if err != nil {
		return mend(err)
	}
	routing, err := r.RoutingKey.Reveal()
	if err != nil {
		return mend(err)
	}
	e := pagerDuty(m)
	e.RoutingKey = routing
	body, err := encodeJSON(e)
	if err == nil && len(body) > maxPagerDutyBody {
		e.Payload.Details = map[string]string{"noticeId": string(m.Notice.ID), "truncated": "true"}
		body, err = encodeJSON(e)
	}
	if err != nil {
		return mend(fmt.Errorf("write the event: %w", err))
	}
	out := r.caller.do(ctx, call{target: target, header: jsonHeader(), body: body, secrets: []string{routing}}, func(answer reply) (Verdict, string) {
		return pagerDutyVerdict(answer, e.DedupKey)
	})
	if out.Verdict == Accepted && e.Action == "trigger" {
		out.Handle = e.DedupKey
	}
	return out
}

func pagerDuty(m Message) pagerDutyEvent {
	v := NewView(m)
	e := pagerDutyEvent{Action: "trigger", DedupKey: dedupKey(m), Client: "Glassward", ClientURL: v.Link}
	switch m.Notice.Kind { // these take the key and nothing else
	case "closed":
		return pagerDutyEvent{Action: "resolve", DedupKey: dedupKey(m)}
	case "acknowledged":
		return pagerDutyEvent{Action: "acknowledge", DedupKey: dedupKey(m)}
	}
	p := pagerDutyPayload{
		Summary: cutRunes(v.Title, maxPagerDutySummary), Source: cmp.Or(show(m.Notice.Tenant, maxTitle), "glassward"),
		Severity: pagerDutySeverity(m.Notice.Severity), Timestamp: stamp(m.Notice.Created), Group: show(m.Group, maxTitle),
		Details: map[string]string{},
	}
	if a := m.alert(); a != nil {
		p.Class = show(a.RuleName, maxTitle)
	}
	for _, s := range chatSections(v) {
		for _, f := range s.lines {
			if f.Label != "" {
				p.Details[f.Label] = f.Value
			}
		}
	}
	if v.Text != "" {
		p.Details["What to do"] = v.Text
	}
	e.Payload = &p
	if v.Link != "" {
		e.Links = []pagerDutyLink{{v.Link, "Open the incident"}}
	}
	return e
}

// dedupKey is the incident's key across tenants; a notice without an incident is
// an alert of its own.
func dedupKey(m Message) string {
	if m.Notice.Incident == 0 {
		return "glassward-" + key(string(m.Notice.ID))
	}
	sum := sha256.Sum256([]byte(m.Notice.Tenant))
	return fmt.Sprintf("glassward-%s-%d", hex.EncodeToString(sum[:8]), m.Notice.Incident)
}

func pagerDutySeverity(s glassward.Severity) string {
	switch s {
	case glassward.High:
		return "critical"
	case glassward.Medium:
		return "error"
	case glassward.Low:
		return "warning"
	}
	return "info"
}

// pagerDutyVerdict judges an answer: 202 with our dedup_key, or 400 with errors.
// An error about the routing key is mended in the configuration.
func pagerDutyVerdict(r reply, dedup string) (Verdict, string) {
	var said struct {
		Status   string
		Message  string
		DedupKey string `json:"dedup_key"`
		Errors   []string
	}
	err := json.Unmarshal(r.body, &said)
	v := httpVerdict(r.status)
	text := strings.Join(append([]string{said.Message}, said.Errors...), "; ")
	if err != nil {
		text = ""
	}
	switch {
	case v == Accepted && (err != nil || said.Status != "success" || said.DedupKey != dedup):
		return Mend, "not PagerDuty's success with our dedup_key"
	case v == Accepted:
		return Accepted, "dedup_key " + said.DedupKey
	case v == Refused && strings.Contains(text, "routing_key"):
		return Mend, text
	}
	return v, text
}
