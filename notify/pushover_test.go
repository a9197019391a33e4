package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	pushoverToken = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
	pushoverUser  = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
)

// pushoverVendor is Pushover's message API. Source: pushover.net/api (parameters
// and their limits, "Emergency Priority": retry at least 30, expire at most
// 10800, the receipt of 30 characters; "Response Format": status and errors;
// 429 is the monthly limit).
var pushoverVendor = vendor{
	name: "pushover",
	group: func(t testing.TB, base string) ActionGroup {
		return ActionGroup{Pushover: []PushoverReceiver{{
			Name: "x", Reach: reach(), Endpoint: base + "/1/messages.json", Token: secret(t, pushoverToken), User: secret(t, pushoverUser), Device: "phone", Sound: "siren",
		}}}
	},
	check: checkPushover,
	success: func(w http.ResponseWriter, body []byte) {
		form, _ := url.ParseQuery(string(body))
		if form.Get("priority") == "2" {
			fmt.Fprint(w, `{"status":1,"request":"647d2300-702c-4b38-8b2f-d56326ae460b","receipt":"rLqVuqTRh62UzxtmqiaLzQmVcPgiCy"}`)
			return
		}
		fmt.Fprint(w, `{"status":1,"request":"647d2300-702c-4b38-8b2f-d56326ae460b"}`)
	},
	refusal: func(w http.ResponseWriter, err error) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": 0, "request": "5042853c", "errors": []string{err.Error()}})
	},
	mutations: []string{
		"header:Content-Type=text/plain", "token", "token=short", "user", "user=short", "message", "message=*1025", "title=*251", "url=*513", "url_title=*101",
		"priority=3", "priority=high", "retry", "retry=29", "expire", "expire=10801", "timestamp=yesterday", "device=*26", "urgency=high",
	},
	optional: []string{"title", "url", "url_title", "device", "sound", "timestamp"},
	limits:   map[string]int{"message": 1024, "title": 250, "url": 512, "url_title": 100, "device": 25},
	answers: []vendorAnswer{
		{200, `{"status":1,"request":"a","receipt":"r"}`, Accepted},
		{200, `{"status":1,"request":"a"}`, Mend}, // no emergency
		{200, `{"status":0,"request":"a","errors":["no active devices"]}`, Mend},
		{200, `<html>`, Mend},
		{400, `{"token":"invalid","errors":["application token is invalid"],"status":0,"request":"a"}`, Mend},
		{400, `{"user":"invalid","errors":["user identifier is not a valid user, group, or subscribed user key"],"status":0,"request":"a"}`, Mend},
		{400, `{"message":"cannot be blank","errors":["message cannot be blank"],"status":0,"request":"a"}`, Refused},
	},
	secrets: []string{pushoverToken, pushoverUser},
}

var pushoverKey = regexp.MustCompile(`^[A-Za-z0-9]{30}$`)

func checkPushover(r *http.Request, body []byte) error {
	if r.URL.Path != "/1/messages.json" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return errors.New("not the message API's path or a form")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return err
	}
	limits := map[string]int{
		"token": 30, "user": 30, "message": 1024, "title": 250, "url": 512, "url_title": 100, "device": 25, "sound": 30,
		"priority": 2, "retry": 5, "expire": 5, "timestamp": 12,
	}
	for name, values := range form {
		limit, known := limits[name]
		if !known || len(values) != 1 || utf8.RuneCountInString(values[0]) > limit {
			return fmt.Errorf("%s is unknown or too long", name)
		}
	}
	number := func(name string, from, to int) error {
		if n, err := strconv.Atoi(form.Get(name)); err != nil || n < from || n > to {
			return fmt.Errorf("%s must be from %d to %d", name, from, to)
		}
		return nil
	}
	switch {
	case !pushoverKey.MatchString(form.Get("token")):
		return errors.New("application token is invalid")
	case !pushoverKey.MatchString(form.Get("user")):
		return errors.New("user identifier is not a valid user, group, or subscribed user key")
	case form.Get("message") == "":
		return errors.New("message cannot be blank")
	}
	err = number("priority", -2, 2)
	if form.Has("timestamp") {
		err = errors.Join(err, number("timestamp", 1, 1<<40))
	}
	if err != nil {
		return err
	}
	if form.Get("priority") == "2" {
		return errors.Join(number("retry", 30, 10800), number("expire", 30, 10800))
	}
	return nil
}

// TestPushoverReceipt keeps the receipt in what is recorded: by it the
// acknowledgement can be asked for.
func TestPushoverReceipt(t *testing.T) {
	f := pushoverVendor.serve(t)
	out := one(t, pushoverVendor.group(t, f.URL), Config{}).Deliver(t.Context(), message())
	if out.Answer != "HTTP 200 OK: receipt rLqVuqTRh62UzxtmqiaLzQmVcPgiCy" {
		t.Errorf("got %v", out)
	}
	if v, _, _ := pushoverVerdict(reply{status: 429}, true); v != Mend {
		t.Errorf("the quota: %v", v)
	}
}
