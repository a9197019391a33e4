package notify

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A webhookReceiver posts the common alert schema to one endpoint.
type webhookReceiver struct {
	WebhookReceiver
	caller caller
}

func (r WebhookReceiver) label() string { return r.Name }

func (r WebhookReceiver) destination() string { return r.ServiceURI }

func (r WebhookReceiver) reach() Reach { return Reach{r.AllowedNetworks, r.CAFile, r.Timeout} }

func (r WebhookReceiver) validate(_ Config, p place) {
	p.address("serviceUri", r.ServiceURI)
	for i, s := range r.SigningSecrets {
		p.secret(fmt.Sprintf("signingSecrets[%d]", i), s)
	}
	r.reach().validate(p)
}

func (r WebhookReceiver) by(c caller) Receiver { return &webhookReceiver{r, c} }

func (r WebhookReceiver) lint(w Watched) (out []Finding, depends string) {
	if len(r.SigningSecrets) == 0 {
		out = append(out, Finding{
			Code: UnsignedWebhook, Message: "calls are not signed: whoever knows the address can forge an alarm",
			Fix: "give signingSecrets and check webhook-signature (Standard Webhooks) at the receiver",
		})
	}
	host := hostOf(r.ServiceURI)
	if within(host, "outlook.office.com", "webhook.office.com") {
		out = append(out, retiredConnector)
	}
	return out, w.webhook(host)
}

// Deliver makes one call. webhook-id is the notice's, the same in every repeat;
// webhook-timestamp is that of the attempt.
func (r *webhookReceiver) Deliver(ctx context.Context, m Message) Outcome {
	target, err := endpoint("serviceUri", r.ServiceURI)
	if err != nil {
		return mend(err)
	}
	keys, err := signingKeys(r.SigningSecrets)
	if err != nil {
		return mend(err)
	}
	body, err := commonAlert(m)
	if err != nil {
		return mend(err)
	}
	now := time.Now()
	id := key(string(m.Notice.ID))
	header := jsonHeader()
	header["webhook-id"] = []string{id}
	header["webhook-timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
	if len(keys) > 0 {
		header["webhook-signature"] = []string{signature(keys, id, now, body)}
	}
	return r.caller.do(ctx, call{target: target, header: header, body: body}, byStatus)
}

// hiddenParts gives what of an address may be a secret: its path and query.
func hiddenParts(u *url.URL) []string {
	parts := []string{u.RequestURI(), u.RawQuery, u.Path, u.EscapedPath()}
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if len(segment) >= 16 { // long enough for a token, too long for a word
			parts = append(parts, segment)
		}
	}
	return parts
}
