package notify

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward"
)

// A Callback is a request that a provider made of us.
type Callback struct {
	// Provider is the phone provider's name, or "pagerduty"; What is text, keys or
	// status, or, of PagerDuty, "group/receiver".
	Provider, What string
	// Query is the request's as it was sent.
	Query  string
	Header http.Header
	Body   []byte
}

// A Heard is what a callback says.
type Heard struct {
	// Reply is what a person wrote or keyed in; nil where the callback only says
	// that something has changed. Then the provider is asked for it: a callback
	// acknowledges nothing by itself.
	Reply *Reply
	// About names the incident, where the callback knows it.
	Tenant   string
	Incident int64
	// Receiver is whose delivery has changed, empty if that is not known.
	Receiver string
	// Answer gives the body that tells the person what became of the reply, and its
	// media type.
	Answer func(said string) (mediaType string, body []byte)
}

// ErrCallback is what every callback gets that is not signed by a provider of
// ours: why is nobody's business.
var ErrCallback = errors.New("this is not signed by a provider that is configured to call here")

// callbackPath is where providers call.
const callbackPath = "/callbacks/"

// signedWithin is how old a signature with a time may be.
const signedWithin = 5 * time.Minute

// Hear verifies a callback's signature and reads it. The same callback again says
// the same, with the same key. The error is ErrCallback, or what the provider sent
// that cannot be read.
func (f *Fleet) Hear(c Callback, now time.Time) (Heard, error) {
	if c.Provider == "pagerduty" {
		return f.hearPagerDuty(c)
	}
	i := slices.IndexFunc(f.config.PhoneProviders, func(p PhoneProvider) bool { return strings.EqualFold(p.Name, c.Provider) && p.CallbackURL != "" })
	if i < 0 {
		return Heard{}, ErrCallback
	}
	p := f.config.PhoneProviders[i]
	if p.Type == Vonage {
		return f.hearVonage(p, c, now)
	}
	return f.hearTwilio(p, c)
}

// hearTwilio reads a form that Twilio has signed (twilio.com/docs, "Webhooks
// security": X-Twilio-Signature).
func (f *Fleet) hearTwilio(p PhoneProvider, c Callback) (Heard, error) {
	token, err := p.signatureSecret().Reveal()
	if err != nil {
		return Heard{}, fmt.Errorf("signatureSecret of phone provider %s: %w", p.Name, err)
	}
	form, err := url.ParseQuery(string(c.Body))
	if err != nil {
		return Heard{}, ErrCallback
	}
	address := p.callback(c.What, c.Query)
	got := []byte(c.Header.Get("X-Twilio-Signature"))
	if !hmac.Equal(got, []byte(twilioSignature(token, address, form))) {
		// Some of Twilio's products sign the port as well.
		u, err := url.Parse(address)
		if err != nil || u.Port() != "" {
			return Heard{}, ErrCallback
		}
		u.Host += ":443"
		if !hmac.Equal(got, []byte(twilioSignature(token, u.String(), form))) {
			return Heard{}, ErrCallback
		}
	}
	if form.Get("AccountSid") != p.Account {
		return Heard{}, ErrCallback
	}
	say := func(said string) (string, []byte) {
		return "text/xml; charset=utf-8", []byte("<Response><Say>" + escapeXML(said) + "</Say></Response>")
	}
	switch c.What {
	case "text":
		from := f.config.telephones(form.Get("From"))
		if len(from) == 0 || form.Get("MessageSid") == "" {
			return Heard{Answer: emptyTwiML}, nil // a stranger's text is no answer
		}
		return Heard{
			Reply:  &Reply{Receivers: from, Way: "sms", Text: clip(form.Get("Body"), maxReplyText), Key: "sms:" + form.Get("MessageSid")},
			Answer: emptyTwiML, // who answers by text is told by the notice that somebody has it
		}, nil
	case "keys":
		return f.keyed(c, form.Get("To"), form.Get("CallSid"), form.Get("Digits"), say)
	case "status":
		return Heard{Receiver: receiverOf(c), Answer: emptyTwiML}, nil
	}
	return Heard{}, fmt.Errorf("nothing is heard at %s", PlainText(c.What))
}

func emptyTwiML(string) (string, []byte) {
	return "text/xml; charset=utf-8", []byte("<Response></Response>")
}

func receiverOf(c Callback) string {
	q, err := url.ParseQuery(c.Query)
	if err != nil {
		return ""
	}
	return q.Get("receiver")
}

// keyed makes a reply of what was keyed in during a call of ours. The address was
// made by us and is under the provider's signature, and the number that was called
// must be the receiver's.
func (f *Fleet) keyed(c Callback, to, call, digits string, say func(string) (string, []byte)) (Heard, error) {
	q, err := url.ParseQuery(c.Query)
	if err != nil {
		return Heard{}, ErrCallback
	}
	receiver := q.Get("receiver")
	if !slices.Contains(f.config.telephones("+"+strings.TrimPrefix(to, "+")), receiver) || call == "" {
		return Heard{}, fmt.Errorf("call %s was none to %s", PlainText(call), PlainText(receiver))
	}
	h := Heard{Receiver: receiver, Tenant: q.Get("tenant"), Answer: say}
	if h.Incident, err = strconv.ParseInt(q.Get("incident"), 10, 64); err != nil {
		return Heard{}, fmt.Errorf("call %s was about no incident", PlainText(call))
	}
	if digits == "" {
		return h, nil
	}
	// The digits may be a PIN: the key does not show them.
	sum := sha256.Sum256([]byte(call + "\x00" + digits))
	h.Reply = &Reply{Receivers: []string{receiver}, Way: "voice", Text: clip(digits, 64), Key: "voice:" + call + "/" + hex.EncodeToString(sum[:4])}
	return h, nil
}

// twilioSignature is the base64 of HMAC-SHA1 over the address and the sorted
// fields of the form, each of its different values once.
func twilioSignature(token, address string, form url.Values) string {
	m := hmac.New(sha1.New, []byte(token))
	m.Write([]byte(address))
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range slices.Compact(slices.Sorted(slices.Values(form[name]))) {
			m.Write([]byte(name + value))
		}
	}
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// hearVonage reads JSON that Vonage has signed (developer.vonage.com, "Signed
// webhooks": a JWT by HS256 with the hash of the payload).
func (f *Fleet) hearVonage(p PhoneProvider, c Callback, now time.Time) (Heard, error) {
	secret, err := p.signatureSecret().Reveal()
	if err != nil {
		return Heard{}, fmt.Errorf("signatureSecret of phone provider %s: %w", p.Name, err)
	}
	if !vonageSigned(c, secret, p, now) {
		return Heard{}, ErrCallback
	}
	var said struct {
		UUID string `json:"uuid"`
		To   string `json:"to"`
		DTMF struct {
			Digits string `json:"digits"`
		} `json:"dtmf"`
	}
	if err := json.Unmarshal(c.Body, &said); err != nil {
		return Heard{}, errors.New("not what Vonage sends")
	}
	switch c.What {
	case "keys":
		return f.keyed(c, said.To, said.UUID, said.DTMF.Digits, func(said string) (string, []byte) {
			body, err := encodeJSON([]vonageAction{{Action: "talk", Text: said}})
			if err != nil { // two texts
				body = []byte("[]")
			}
			return "application/json", body
		})
	case "status":
		return Heard{Receiver: receiverOf(c), Answer: noContent}, nil
	}
	return Heard{}, fmt.Errorf("nothing is heard at %s", PlainText(c.What))
}

func noContent(string) (string, []byte) { return "application/json", []byte("{}") }

func vonageSigned(c Callback, secret string, p PhoneProvider, now time.Time) bool {
	token, ok := strings.CutPrefix(c.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if !ok || len(parts) != 3 {
		return false
	}
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(signature, m.Sum(nil)) {
		return false
	}
	var head struct{ Alg string }
	var claims struct {
		IAT         int64
		APIKey      string `json:"api_key"`
		PayloadHash string `json:"payload_hash"`
	}
	for i, into := range []any{&head, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			return false
		}
	}
	return head.Alg == "HS256" && claims.APIKey == p.Account && now.Sub(time.Unix(claims.IAT, 0)).Abs() <= signedWithin && payloadHash(c.Body, claims.PayloadHash)
}

// payloadHash tells whether it is the hash of a body: Vonage takes it of the JSON
// without white space, whatever the body that it sends has.
func payloadHash(body []byte, hash string) bool {
	is := func(b []byte) bool {
		sum := sha256.Sum256(b)
		return hmac.Equal([]byte(strings.ToLower(hash)), []byte(hex.EncodeToString(sum[:])))
	}
	var tight bytes.Buffer
	return is(body) || json.Compact(&tight, body) == nil && is(tight.Bytes())
}

// hearPagerDuty takes a V3 webhook as a reason to ask (developer.pagerduty.com,
// "Verifying webhook signatures": X-PagerDuty-Signature, v1= and the hex of
// HMAC-SHA256 over the body; several while a secret is changed).
func (f *Fleet) hearPagerDuty(c Callback) (Heard, error) {
	r, _ := f.receiver(c.What)
	pager, ok := r.(*pagerDutyReceiver)
	if !ok || pager.WebhookSecret == "" {
		return Heard{}, ErrCallback
	}
	secret, err := pager.WebhookSecret.Reveal()
	if err != nil {
		return Heard{}, fmt.Errorf("webhookSecret of %s: %w", c.What, err)
	}
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(c.Body)
	want := []byte("v1=" + hex.EncodeToString(m.Sum(nil)))
	for _, s := range strings.Split(c.Header.Get("X-PagerDuty-Signature"), ",") {
		if hmac.Equal([]byte(strings.TrimSpace(s)), want) {
			return Heard{Receiver: c.What, Answer: noContent}, nil
		}
	}
	return Heard{}, ErrCallback
}

// callback gives the address at which the provider calls us, as it is signed.
func (s PhoneProvider) callback(what, query string) string {
	u := strings.TrimRight(s.CallbackURL, "/") + callbackPath + url.PathEscape(s.Name) + "/" + what
	if query != "" {
		u += "?" + query
	}
	return u
}

// keys gives the address at which keys are taken that a person presses during a
// call about a message; empty where the provider does not call us, or there is no
// incident to take up.
func (s PhoneProvider) keys(m Message) string {
	if s.CallbackURL == "" || m.Notice.Incident == 0 || calm(m.Notice) {
		return ""
	}
	return s.callback("keys", url.Values{"receiver": {m.Receiver}, "tenant": {m.Notice.Tenant}, "incident": {strconv.FormatInt(m.Notice.Incident, 10)}}.Encode())
}

// status gives the address at which the provider says what became of a message,
// empty where it does not call us.
func (s PhoneProvider) status(m Message) string {
	if s.CallbackURL == "" {
		return ""
	}
	return s.callback("status", url.Values{"receiver": {m.Receiver}}.Encode())
}

// signatureSecret is by what callbacks are signed.
func (s PhoneProvider) signatureSecret() glassward.Secret {
	if s.SignatureSecret == "" && s.Type == Twilio && s.APIKey == "" {
		return s.Secret // the account's token signs, too
	}
	return s.SignatureSecret
}

// keyHint says what to press.
func keyHint(s glassward.Severity) string {
	if s == glassward.High {
		return "To take it up, key in your PIN or the code of the text message, then the hash key."
	}
	return "To take it up, press 1, then the hash key."
}
