package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

const vonageEndpoint = "https://rest.nexmo.com"

// vonage speaks Vonage's SMS API.
type vonage struct {
	PhoneProvider
	caller caller
}

func (o *vonage) name() string { return o.Name }

// speak is never asked: see PhoneProvider.speaks.
func (o *vonage) speak(context.Context, string, string) Outcome {
	return Outcome{Verdict: Mend, Answer: "Vonage's SMS API does not call"}
}

func (o *vonage) text(ctx context.Context, to string, s sms, id string) Outcome {
	target, err := apiURL(cmp.Or(o.Endpoint, vonageEndpoint), "/sms/json")
	if err != nil {
		return mend(err)
	}
	secret, err := o.Secret.Reveal()
	if err != nil {
		return mend(err)
	}
	form := url.Values{
		"from": {strings.TrimPrefix(o.From, "+")}, "to": {strings.TrimPrefix(to, "+")}, "text": {s.text}, "type": {"text"}, "client-ref": {id},
	}
	if s.ucs2 {
		form.Set("type", "unicode")
	}
	header := formHeader()
	header.Set("Authorization", basicAuth(o.Account, secret))
	return o.caller.post(ctx, call{
		target: target, header: header, body: []byte(form.Encode()), secrets: []string{secret, header.Get("Authorization")},
	}, vonageVerdict)
}

// vonageVerdict judges an answer. The status is 200 whatever happens; each part
// of the message has a status of its own, "0" for taken.
func vonageVerdict(r reply) (Verdict, string) {
	v := httpVerdict(r.status)
	if v != Accepted {
		return v, ""
	}
	var said struct {
		Messages []struct {
			Status string `json:"status"`
			ID     string `json:"message-id"`
			Error  string `json:"error-text"`
		} `json:"messages"`
	}
	if json.Unmarshal(r.body, &said) != nil || len(said.Messages) == 0 {
		return Mend, "not what Vonage answers with"
	}
	for _, m := range said.Messages {
		text := fmt.Sprintf("%s (Vonage %s)", m.Error, m.Status)
		switch m.Status {
		case "0":
		case "1", "5", "10", "13": // throttled, internal error, too many binds, failed communication
			return Retry, text
		case "12": // too long
			return Refused, text
		default:
			return Mend, text
		}
	}
	return Accepted, "message " + said.Messages[0].ID
}
