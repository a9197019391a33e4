package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"glassward"
)

// A PushoverReceiver is a person or a group at Pushover. A critical notice is an
// emergency there: it sounds again until somebody acknowledges it in the app.
type PushoverReceiver struct {
	Name string `yaml:"name" json:"name"`
	// Token is the application's, User the person's or the group's key, both by
	// reference.
	Token glassward.Secret `yaml:"token" json:"token"`
	User  glassward.Secret `yaml:"user" json:"user"`
	// Device names one of the person's devices; all of them if empty.
	Device string `yaml:"device,omitempty" json:"device,omitempty"`
	// Sound is one of Pushover's; the person's own choice if empty.
	Sound string `yaml:"sound,omitempty" json:"sound,omitempty"`
	// Retry is how often an emergency sounds, 60 s if zero, and Expire for how long,
	// an hour if zero: from 30 s, to 3 hours.
	Retry  time.Duration `yaml:"retry,omitempty" json:"retry,omitempty"`
	Expire time.Duration `yaml:"expire,omitempty" json:"expire,omitempty"`
	// Endpoint is the address of the API; Pushover's own if empty.
	Endpoint string `yaml:"endpoint,omitempty" json:"endpoint,omitempty"`
	Reach    `yaml:",inline"`
}

// Pushover's address and limits; texts are in characters.
const (
	pushoverEndpoint = "https://api.pushover.net/1/messages.json"

	maxPushoverMessage = 1024
	maxPushoverTitle   = 250
	maxPushoverURL     = 512
	minPushoverRetry   = 30 * time.Second
	maxPushoverExpire  = 10800 * time.Second
)

func (r PushoverReceiver) retry() time.Duration {
	if r.Retry == 0 {
		return time.Minute
	}
	return r.Retry
}

func (r PushoverReceiver) expire() time.Duration {
	if r.Expire == 0 {
		return time.Hour
	}
	return r.Expire
}

func (r PushoverReceiver) endpoint() string { return cmp.Or(r.Endpoint, pushoverEndpoint) }

func (r PushoverReceiver) label() string { return r.Name }

func (r PushoverReceiver) destination() string {
	return "pushover " + string(r.User) + " " + r.Device
}

func (r PushoverReceiver) validate(_ Config, p place) {
	p.needs("token", r.Token)
	p.needs("user", r.User)
	p.address("endpoint", r.endpoint())
	if len(r.Device) > 25 || strings.Trim(r.Device, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		p.say("device %q: at most 25 letters, digits, _ and -", r.Device)
	}
	if r.retry() < minPushoverRetry {
		p.say("retry %s: at least %s", r.Retry, minPushoverRetry)
	}
	if r.expire() < r.retry() || r.expire() > maxPushoverExpire {
		p.say("expire %s: from retry to %s", r.expire(), maxPushoverExpire)
	}
	r.Reach.validate(p)
}

func (r PushoverReceiver) lint(Watched) ([]Finding, string) { return nil, "" }

func (r PushoverReceiver) by(c caller) Receiver { return &pushoverReceiver{r, c} }

type pushoverReceiver struct {
	PushoverReceiver
	caller caller
}

// Deliver sends one message. Pushover knows no key for repeats. The receipt of
// an emergency is its handle.
func (r *pushoverReceiver) Deliver(ctx context.Context, m Message) Outcome {
	target, err := endpoint("endpoint", r.endpoint())
	if err != nil {
		return mend(err)
	}
	token, err := r.Token.Reveal()
	if err != nil {
		return mend(err)
	}
	user, err := r.User.Reveal()
	if err != nil {
		return mend(err)
	}
	form := r.form(m)
	form.Set("token", token)
	form.Set("user", user)
	emergency := form.Get("priority") == "2"
	var receipt string
	out := r.caller.do(ctx, call{
		target: target, header: formHeader(), body: []byte(form.Encode()), secrets: []string{token, user},
	}, func(answer reply) (v Verdict, said string) {
		v, said, receipt = pushoverVerdict(answer, emergency)
		return v, said
	})
	out.Handle = receipt
	return out
}

func (r *pushoverReceiver) form(m Message) url.Values {
	v := NewView(m)
	form := url.Values{
		"title":    {cutRunes("["+urgency(m)+"] "+v.Title, maxPushoverTitle)},
		"message":  {cutRunes(shortText(v, 4*maxPushoverMessage), maxPushoverMessage)},
		"priority": {strconv.Itoa(pushoverPriority(m))}, "timestamp": {strconv.FormatInt(m.Notice.Created.Unix(), 10)},
	}
	if form.Get("priority") == "2" {
		form.Set("retry", strconv.Itoa(int(r.retry()/time.Second)))
		form.Set("expire", strconv.Itoa(int(r.expire()/time.Second)))
	}
	if v.Link != "" && utf8.RuneCountInString(v.Link) <= maxPushoverURL {
		form.Set("url", v.Link)
		form.Set("url_title", "Open the incident")
	}
	if r.Device != "" {
		form.Set("device", r.Device)
	}
	if r.Sound != "" {
		form.Set("sound", r.Sound)
	}
	return form
}

// pushoverPriority gives -1 (quiet) to 2 (emergency).
func pushoverPriority(m Message) int {
	if calm(m.Notice) {
		return 0
	}
	switch m.Notice.Severity {
	case glassward.High:
		return 2
	case glassward.Medium:
		return 1
	case glassward.Low:
		return 0
	}
	return -1
}

// cutRunes shortens a text to limit characters.
func cutRunes(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

func formHeader() http.Header {
	return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
}

// pushoverVerdict judges an answer: status 1 is success, and an emergency has a
// receipt. 429 is the month's quota, which somebody has to raise. An error about
// the token, the user or the device is mended in the configuration; one about
// the message is final.
func pushoverVerdict(r reply, emergency bool) (v Verdict, text, receipt string) {
	var said struct {
		Status  int
		Request string
		Receipt string
		Errors  []string
	}
	err := json.Unmarshal(r.body, &said)
	v = httpVerdict(r.status)
	text = strings.Join(said.Errors, "; ")
	switch {
	case r.status == http.StatusTooManyRequests:
		return Mend, cmp.Or(text, "the month's quota of messages is used up"), ""
	case v == Accepted:
		switch {
		case err != nil || said.Status != 1:
			return Mend, cmp.Or(text, "not Pushover's status 1"), ""
		case emergency && said.Receipt == "":
			return Mend, "taken without a receipt, so not as an emergency", ""
		case emergency:
			return Accepted, "receipt " + said.Receipt, said.Receipt
		}
		return Accepted, "request " + said.Request, ""
	case v == Refused:
		for _, about := range []string{"token", "user", "device", "account", "subscription"} {
			if strings.Contains(strings.ToLower(text), about) {
				return Mend, text, ""
			}
		}
	}
	return v, text, ""
}
