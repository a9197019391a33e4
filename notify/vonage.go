package notify

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	vonageEndpoint      = "https://rest.nexmo.com"
	vonageVoiceEndpoint = "https://api.nexmo.com"
)

// vonage speaks Vonage's SMS and Voice APIs.
type vonage struct {
	PhoneProvider
	caller caller
}

func (o *vonage) name() string { return o.Name }

func (o *vonage) text(ctx context.Context, to string, s sms, m Message) Outcome {
	target, err := apiURL(cmp.Or(o.Endpoint, vonageEndpoint), "/sms/json")
	if err != nil {
		return mend(err)
	}
	secret, err := o.Secret.Reveal()
	if err != nil {
		return mend(err)
	}
	form := url.Values{
		"from": {strings.TrimPrefix(o.From, "+")}, "to": {strings.TrimPrefix(to, "+")}, "text": {s.text}, "type": {"text"}, "client-ref": {key(string(m.Notice.ID))},
	}
	if s.ucs2 {
		form.Set("type", "unicode")
	}
	header := formHeader()
	header.Set("Authorization", basicAuth(o.Account, secret))
	var id string
	out := o.caller.do(ctx, call{
		target: target, header: header, body: []byte(form.Encode()), secrets: []string{secret, header.Get("Authorization")},
	}, func(r reply) (v Verdict, said string) {
		v, id, said = vonageVerdict(r)
		return v, said
	})
	if out.Verdict == Accepted && o.Reports {
		out.Handle = reportPrefix + id
	}
	return out
}

// vonageVerdict judges an answer. The status is 200 whatever happens; each part
// of the message has a status of its own, "0" for taken.
func vonageVerdict(r reply) (v Verdict, id, text string) {
	v = httpVerdict(r.status)
	if v != Accepted {
		return v, "", ""
	}
	var said struct {
		Messages []struct {
			Status string `json:"status"`
			ID     string `json:"message-id"`
			Error  string `json:"error-text"`
		} `json:"messages"`
	}
	if json.Unmarshal(r.body, &said) != nil || len(said.Messages) == 0 {
		return Mend, "", "not what Vonage answers with"
	}
	for _, m := range said.Messages {
		text = fmt.Sprintf("%s (Vonage %s)", m.Error, m.Status)
		switch m.Status {
		case "0":
		case "1", "5", "10", "13": // throttled, internal error, too many binds, failed communication
			return Retry, "", text
		case "12": // too long
			return Refused, "", text
		default:
			return Mend, "", text
		}
	}
	return Accepted, said.Messages[0].ID, "message " + said.Messages[0].ID
}

type (
	vonageCall struct {
		To       []vonageEnd    `json:"to"`
		From     vonageEnd      `json:"from"`
		NCCO     []vonageAction `json:"ncco"`
		Ringing  int            `json:"ringing_timer"`
		Machine  string         `json:"machine_detection"`
		EventURL []string       `json:"event_url,omitempty"`
	}
	vonageEnd struct {
		Type   string `json:"type"`
		Number string `json:"number"`
	}
	vonageAction struct {
		Action   string      `json:"action"`
		Text     string      `json:"text,omitempty"`
		Loop     int         `json:"loop,omitempty"`
		BargeIn  bool        `json:"bargeIn,omitempty"`
		Type     []string    `json:"type,omitempty"`
		DTMF     *vonageDTMF `json:"dtmf,omitempty"`
		EventURL []string    `json:"eventUrl,omitempty"`
	}
	vonageDTMF struct {
		MaxDigits    int  `json:"maxDigits"`
		SubmitOnHash bool `json:"submitOnHash"`
		TimeOut      int  `json:"timeOut"`
	}
)

// speak makes a call that says the words twice. A text that does not begin with
// <speak> is no markup to Vonage.
func (o *vonage) speak(ctx context.Context, to, words string, m Message) Outcome {
	k, err := o.voice("/v1/calls")
	if err != nil {
		return mend(err)
	}
	c := vonageCall{
		To:   []vonageEnd{{"phone", strings.TrimPrefix(to, "+")}},
		From: vonageEnd{"phone", strings.TrimPrefix(o.From, "+")},
		NCCO: []vonageAction{{Action: "talk", Text: words, Loop: 2}}, Ringing: int(ringFor / time.Second), Machine: "continue",
	}
	if address := o.keys(m); address != "" {
		c.NCCO[0].BargeIn = true
		c.NCCO = append(c.NCCO, vonageAction{Action: "talk", Text: keyHint(m.Notice.Severity), BargeIn: true}, vonageAction{
			Action: "input", Type: []string{"dtmf"}, DTMF: &vonageDTMF{MaxDigits: 20, SubmitOnHash: true, TimeOut: int(keysWithin / time.Second)}, EventURL: []string{address},
		})
	}
	if address := o.status(m); address != "" {
		c.EventURL = []string{address}
	}
	k.body, err = encodeJSON(c)
	if err != nil {
		return mend(err)
	}
	var id string
	out := o.caller.do(ctx, k, func(r reply) (v Verdict, said string) {
		v, id, said = vonageCallVerdict(r)
		return v, said
	})
	if out.Verdict == Accepted {
		out.Handle = id
	}
	return out
}

// reportPrefix marks the handle of a text; calls have their uuid.
const reportPrefix = "sms:"

// ask fetches the call, or the report of a text.
func (o *vonage) ask(ctx context.Context, id string) (arrival, string) {
	if text, ok := strings.CutPrefix(id, reportPrefix); ok {
		return o.report(ctx, text)
	}
	k, err := o.voice("/v1/calls/" + url.PathEscape(id))
	if err != nil {
		return unsure, err.Error()
	}
	k.method = http.MethodGet
	var state arrival
	out := o.caller.do(ctx, k, func(r reply) (v Verdict, said string) {
		state, v, said = vonageArrival(r, id)
		return v, said
	})
	return state, out.Answer
}

// report asks for what became of a text: the report of one record.
func (o *vonage) report(ctx context.Context, id string) (arrival, string) {
	target, err := apiURL(cmp.Or(o.Endpoint, vonageVoiceEndpoint), "/v2/reports/records")
	if err != nil {
		return unsure, err.Error()
	}
	secret, err := o.Secret.Reveal()
	if err != nil {
		return unsure, err.Error()
	}
	target.RawQuery = url.Values{"account_id": {o.Account}, "product": {"SMS"}, "direction": {"outbound"}, "id": {id}}.Encode()
	header := http.Header{"Authorization": {basicAuth(o.Account, secret)}}
	var state arrival
	out := o.caller.do(ctx, call{method: http.MethodGet, target: target, header: header, secrets: []string{secret, header.Get("Authorization")}}, func(r reply) (v Verdict, said string) {
		state, v, said = reportArrival(r, id)
		return v, said
	})
	return state, out.Answer
}

// reportArrival judges a report. A text in several parts has arrived when each
// part has.
func reportArrival(r reply, id string) (arrival, Verdict, string) {
	var said struct {
		Records []struct {
			ID     string `json:"message_id"`
			Status string `json:"status"`
			Error  string `json:"error_code_description"`
		} `json:"records"`
	}
	v := httpVerdict(r.status)
	if err := json.Unmarshal(r.body, &said); v != Accepted || err != nil {
		return unsure, min(v, Mend), "not a report of Vonage's"
	}
	state, text := unsure, "message "+id+" is not reported yet"
	for _, x := range said.Records {
		if x.ID != id {
			continue
		}
		text = strings.TrimSpace("message " + id + " " + x.Status + " " + x.Error)
		switch x.Status {
		case "delivered":
			state = arrived
		case "expired", "failed", "rejected", "deleted":
			return lost, Accepted, text
		default: // submitted, accepted, buffered, unknown
			return unsure, Accepted, text
		}
	}
	return state, Accepted, text
}

// voice is a call of the Voice API, which takes a token that the application's
// key has signed.
func (o *vonage) voice(path string) (call, error) {
	target, err := apiURL(cmp.Or(o.Endpoint, vonageVoiceEndpoint), path)
	if err != nil {
		return call{}, err
	}
	text, err := o.PrivateKey.Reveal()
	if err != nil {
		return call{}, err
	}
	token, err := applicationToken(o.Application, text, time.Now())
	if err != nil {
		return call{}, fmt.Errorf("privateKey %s: %w", o.PrivateKey, err)
	}
	header := jsonHeader()
	header.Set("Authorization", "Bearer "+token)
	return call{target: target, header: header, secrets: []string{token}}, nil
}

// tokenLife is how long a token for one call holds.
const tokenLife = time.Minute

// applicationToken signs a JSON Web Token for an application (RFC 7519, RS256)
// with its key in PEM (PKCS #8 or PKCS #1).
func applicationToken(application, text string, now time.Time) (string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", errors.New("holds no PEM text: give the application's private.key as it was downloaded")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return "", errors.New("holds no private key: give the application's private.key as it was downloaded")
		}
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return "", fmt.Errorf("holds a %T: Vonage's are RSA keys", parsed)
	}
	claims, err := encodeJSON(map[string]any{
		"application_id": application, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "jti": rand.Text(),
	})
	if err != nil {
		return "", err
	}
	part := base64.RawURLEncoding.EncodeToString
	signed := part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return signed + "." + part(signature), nil
}

// vonageCallVerdict judges an answer: 201 with the uuid of the call, or an error
// in words.
func vonageCallVerdict(r reply) (v Verdict, id, text string) {
	var said struct {
		UUID   string `json:"uuid"`
		Status string `json:"status"`
		Type   string `json:"type"`
		Title  string `json:"title"`
		Error  string `json:"error_title"`
		Detail string `json:"detail"`
	}
	err := json.Unmarshal(r.body, &said)
	switch v = httpVerdict(r.status); {
	case v == Accepted && (err != nil || said.UUID == "" || r.status != http.StatusCreated):
		return Mend, "", "not what Vonage answers with when it has made a call"
	case v == Accepted:
		return Accepted, said.UUID, "call " + said.UUID + " " + said.Status
	case err != nil:
		return v, "", ""
	}
	// What is wrong with a call is its numbers or its key; the words are ours.
	return min(v, Mend), "", strings.Trim(cmp.Or(said.Title, said.Error)+": "+said.Detail, ": ")
}

// vonageArrival judges what was fetched of a call. A call that a machine took was
// answered by nobody; as long as it is only answered, the machine may still be found
// out.
func vonageArrival(r reply, id string) (arrival, Verdict, string) {
	var said struct {
		UUID   string `json:"uuid"`
		Status string `json:"status"`
	}
	v := httpVerdict(r.status)
	if err := json.Unmarshal(r.body, &said); v != Accepted || err != nil || said.UUID != id {
		return unsure, min(v, Mend), "not what Vonage knows of " + id
	}
	text := "call " + said.UUID + " " + said.Status
	switch said.Status {
	case "human":
		return arrived, Accepted, text
	case "completed":
		return arrived, Accepted, text + takenByWhom
	case "failed", "cancelled", "rejected":
		return lost, Accepted, text
	case "busy", "timeout", "unanswered", "machine":
		return unanswered, Accepted, text
	}
	return unsure, Accepted, text // started, ringing, answered, what is new to us
}
