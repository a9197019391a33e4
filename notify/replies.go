package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Reply is what came back from a person by a service that was asked. No port of
// ours is open for it.
type Reply struct {
	// Receivers are those that it may have come from, as "group/receiver": several
	// may share a telephone.
	Receivers []string
	// Way is sms, push or pagerduty.
	Way string
	// Who is the name that the service gave, empty if it gave none.
	Who string
	// Text is what the person wrote; empty for a tap on a button.
	Text string
	// Key is the same whenever the reply is read again.
	Key string
	At  time.Time
}

// An asker is a receiver whose service can be asked whether a person has
// acknowledged the message that it calls by a handle.
type asker interface {
	acknowledged(ctx context.Context, handle string) (r Reply, ok bool, err error)
}

// Asks tells whether the service of a receiver can be asked what people did with
// a message: see Acknowledged.
func (f *Fleet) Asks(receiver string) bool {
	r, _ := f.receiver(receiver)
	if p, ok := r.(*pagerDutyReceiver); ok {
		return p.APIToken != ""
	}
	_, ok := r.(asker)
	return ok
}

// Acknowledged asks a receiver's service whether a person has acknowledged the
// message of a handle; ok is false as long as nobody has.
func (f *Fleet) Acknowledged(ctx context.Context, receiver, handle string) (reply Reply, ok bool, err error) {
	r, _ := f.receiver(receiver)
	a, can := r.(asker)
	if !can {
		return Reply{}, false, fmt.Errorf("%s has no service that could be asked", receiver)
	}
	reply, ok, err = a.acknowledged(ctx, handle)
	reply.Receivers = []string{receiver}
	if err != nil {
		err = fmt.Errorf("ask for answers by %s: %w", receiver, err)
	}
	return reply, ok, err
}

// maxPage bounds an answer that lists something, in bytes.
const maxPage = 1 << 20

// maxReplyText bounds what is kept of a text, in bytes.
const maxReplyText = 1600

// A textLine is a number of ours whose incoming texts can be asked for.
type textLine struct {
	name string
	read func(ctx context.Context, since time.Time) ([]incoming, error)
}

// An incoming is a text that came to a number of ours.
type incoming struct {
	id, from, body string
	at             time.Time
}

// Texts asks the phone providers for the texts that telephones of receivers have
// sent to our numbers since then, oldest first. The replies are good even where
// there is an error: it names the providers that could not be asked.
func (f *Fleet) Texts(ctx context.Context, since time.Time) ([]Reply, error) {
	var out []Reply
	var errs []error
	for _, line := range f.lines {
		list, err := line.read(ctx, since)
		if err != nil {
			errs = append(errs, fmt.Errorf("ask for texts at phone provider %s: %w", line.name, err))
		}
		for _, in := range list {
			if from := f.config.telephones(in.from); len(from) > 0 && !in.at.Before(since) {
				out = append(out, Reply{Receivers: from, Way: "sms", Text: clip(in.body, maxReplyText), Key: "sms:" + in.id, At: in.at})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Reply) int { return a.At.Compare(b.At) })
	return out, errors.Join(errs...)
}

// ReadsTexts tells whether there is a number whose incoming texts can be asked
// for.
func (f *Fleet) ReadsTexts() bool { return len(f.lines) > 0 }

// telephones gives the receivers whose number it is.
func (c Config) telephones(number string) []string {
	var out []string
	for _, g := range c.ActionGroups {
		for _, r := range g.SMS {
			if r.e164() == number {
				out = append(out, fullName(g.Name, r.Name))
			}
		}
		for _, r := range g.Voice {
			if r.e164() == number {
				out = append(out, fullName(g.Name, r.Name))
			}
		}
	}
	return out
}

// get fetches a JSON answer; judge reads it where the status is 2xx.
func (c caller) get(ctx context.Context, k call, judge func(body []byte) error) error {
	k.method, k.most = http.MethodGet, maxPage
	var bad error
	out := c.do(ctx, k, func(r reply) (Verdict, string) {
		v := httpVerdict(r.status)
		if v == Accepted {
			if bad = judge(r.body); bad != nil {
				return Mend, bad.Error()
			}
		}
		return v, ""
	})
	if out.Verdict != Accepted {
		return errors.New(out.Answer)
	}
	return nil
}

// Twilio's incoming texts: twilio.com/docs, "Messages resource", reading several.
const (
	maxTextPage  = 50
	maxTextPages = 10
)

// texts reads what came to our number since then, newest first there. Twilio
// filters by day; the rest is done here.
func (t *twilio) texts(ctx context.Context, since time.Time) ([]incoming, error) {
	query := url.Values{"To": {t.From}, "DateSent>": {since.UTC().Format(time.DateOnly)}, "PageSize": {fmt.Sprint(maxTextPage)}}
	var out []incoming
	for range maxTextPages {
		k, err := t.call("Messages.json")
		if err != nil {
			return out, err
		}
		k.target.RawQuery = query.Encode()
		var next url.Values
		old := false
		err = t.caller.get(ctx, k, func(body []byte) error {
			list, token, err := readTexts(body, t.From)
			for _, in := range list {
				old = old || in.at.Before(since)
				out = append(out, in)
			}
			next = token
			return err
		})
		if err != nil || next == nil || old {
			return out, err
		}
		query = next
	}
	return out, fmt.Errorf("more than %d texts since %s: only the newest were read", maxTextPage*maxTextPages, clock(since))
}

// readTexts reads a page: the incoming texts to our number, and the query of the
// next page, nil if there is none.
func readTexts(body []byte, to string) ([]incoming, url.Values, error) {
	var page struct {
		Messages []struct {
			SID       string `json:"sid"`
			Direction string `json:"direction"`
			From      string `json:"from"`
			To        string `json:"to"`
			Body      string `json:"body"`
			DateSent  string `json:"date_sent"`
			Created   string `json:"date_created"`
		} `json:"messages"`
		Next *string `json:"next_page_uri"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, nil, errors.New("not a page of Twilio's messages")
	}
	var out []incoming
	for _, m := range page.Messages {
		if m.Direction != "inbound" || m.To != to || m.SID == "" {
			continue
		}
		at, err := mail.ParseDate(m.DateSent)
		if err != nil {
			if at, err = mail.ParseDate(m.Created); err != nil {
				continue // a text of no time could be older than the alarm
			}
		}
		out = append(out, incoming{id: m.SID, from: m.From, body: m.Body, at: at})
	}
	if page.Next == nil || *page.Next == "" {
		return out, nil, nil
	}
	// Of the address only the query is taken: our token goes nowhere else.
	next, err := url.Parse(*page.Next)
	if err != nil || len(next.Query()) == 0 {
		return out, nil, errors.New("the next page of texts has no address")
	}
	return out, next.Query(), nil
}

// Pushover: pushover.net/api/receipts.

// acknowledged asks for a receipt.
func (r *pushoverReceiver) acknowledged(ctx context.Context, receipt string) (Reply, bool, error) {
	if !isReceipt(receipt) {
		return Reply{}, false, errors.New("this is no receipt")
	}
	base, err := endpoint("endpoint", r.endpoint())
	if err != nil {
		return Reply{}, false, err
	}
	token, err := r.Token.Reveal()
	if err != nil {
		return Reply{}, false, err
	}
	target := base.JoinPath("../receipts/" + receipt + ".json")
	target.RawQuery = url.Values{"token": {token}}.Encode()
	var out Reply
	var ok bool
	err = r.caller.get(ctx, call{target: target, header: http.Header{}, secrets: []string{token}}, func(body []byte) (err error) {
		out, ok, err = readReceipt(body, receipt)
		return err
	})
	return out, ok, err
}

func isReceipt(text string) bool {
	return text != "" && len(text) <= 64 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

func readReceipt(body []byte, receipt string) (Reply, bool, error) {
	var said struct {
		Status         int   `json:"status"`
		Acknowledged   int   `json:"acknowledged"`
		AcknowledgedAt int64 `json:"acknowledged_at"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Status != 1 {
		return Reply{}, false, errors.New("not a receipt of Pushover's")
	}
	if said.Acknowledged != 1 {
		return Reply{}, false, nil
	}
	return Reply{Way: "push", Key: "pushover:" + receipt, At: time.Unix(said.AcknowledgedAt, 0)}, true, nil
}

// PagerDuty: developer.pagerduty.com, REST API v2, "List incidents".

// acknowledged asks for the incidents of a dedup_key.
func (r *pagerDutyReceiver) acknowledged(ctx context.Context, dedup string) (Reply, bool, error) {
	if r.APIToken == "" {
		return Reply{}, false, errors.New("it takes apiToken, a read-only key of the REST API")
	}
	target, err := apiURL(r.apiEndpoint(), "/incidents")
	if err != nil {
		return Reply{}, false, err
	}
	token, err := r.APIToken.Reveal()
	if err != nil {
		return Reply{}, false, err
	}
	target.RawQuery = url.Values{"incident_key": {dedup}, "date_range": {"all"}, "limit": {"25"}}.Encode()
	header := http.Header{"Authorization": {"Token token=" + token}, "Accept": {"application/vnd.pagerduty+json;version=2"}, "Content-Type": {"application/json"}}
	var out Reply
	var ok bool
	err = r.caller.get(ctx, call{target: target, header: header, secrets: []string{token}}, func(body []byte) (err error) {
		out, ok, err = readIncidents(body, dedup)
		return err
	})
	return out, ok, err
}

type pagerDutyWho struct {
	Type    string `json:"type"`
	Summary string `json:"summary"`
}

// person says whether it is a user: what our own events and other machines have
// acknowledged is nobody's answer.
func (w pagerDutyWho) person() bool { return strings.HasPrefix(w.Type, "user") }

// readIncidents gives the first acknowledgement by a person, or a person's
// resolving.
func readIncidents(body []byte, dedup string) (Reply, bool, error) {
	var page struct {
		Incidents []struct {
			ID               string        `json:"id"`
			Key              string        `json:"incident_key"`
			Status           string        `json:"status"`
			ChangedAt        time.Time     `json:"last_status_change_at"`
			ChangedBy        *pagerDutyWho `json:"last_status_change_by"`
			Acknowledgements []struct {
				At           time.Time    `json:"at"`
				Acknowledger pagerDutyWho `json:"acknowledger"`
			} `json:"acknowledgements"`
		} `json:"incidents"`
	}
	if err := json.Unmarshal(body, &page); err != nil || page.Incidents == nil {
		return Reply{}, false, errors.New("not a page of PagerDuty's incidents")
	}
	for _, in := range page.Incidents {
		// One that was made of alerts has no key of its own.
		if in.ID == "" || in.Key != "" && in.Key != dedup {
			continue
		}
		for _, a := range in.Acknowledgements {
			if a.Acknowledger.person() {
				return Reply{Way: "pagerduty", Who: show(a.Acknowledger.Summary, maxTitle), Key: "pagerduty:" + in.ID + "/" + stamp(a.At), At: a.At}, true, nil
			}
		}
		if in.Status == "resolved" && in.ChangedBy != nil && in.ChangedBy.person() {
			return Reply{Way: "pagerduty", Who: show(in.ChangedBy.Summary, maxTitle), Key: "pagerduty:" + in.ID + "/resolved", At: in.ChangedAt}, true, nil
		}
	}
	return Reply{}, false, nil
}
