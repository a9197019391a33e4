package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassward"
)

// An asked is a vendor's API that is asked, as its documentation has it.
type asked struct {
	name string
	// check holds a request to what the vendor documents.
	check func(r *http.Request) error
	// mutations change a good request so that it must be refused: "header:NAME=value",
	// "query:NAME=value", "query:NAME" drops it, "path=…", "method=…".
	mutations []string
	// ask asks through our code.
	ask func(t *testing.T, f *Fleet) (string, error)
	// answers are what the vendor says, and what is made of it; "error: …" of an
	// error that says so.
	answers []askedAnswer
}

type askedAnswer struct {
	status     int
	body, want string
}

const pagerToken = "y_NbAkKc66ryYTWUXYEu"

// replyConfig has a receiver of each kind that is asked, at the fake's address.
func replyConfig(t testing.TB, base string) Config {
	c := vendorConfig(t, base)
	g := ActionGroup{
		Name:      "oncall",
		Pushover:  []PushoverReceiver{{Name: "push", Token: secret(t, "azGDORePK8gMaC0QOYAMyEEuzJnyUi"), User: secret(t, "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"), Endpoint: base + "/1/messages.json", Reach: reach()}},
		PagerDuty: []PagerDutyReceiver{{Name: "pager", RoutingKey: secret(t, "R0123456789012345678901234567890"), APIToken: secret(t, pagerToken), APIEndpoint: base, Reach: reach()}},
		SMS:       []SMSReceiver{{Name: "kim", Phone: phone("first")}},
		Voice:     []VoiceReceiver{{Name: "kim-call", Phone: phone("first")}},
	}
	c.ActionGroups = []ActionGroup{g, {Name: "late", SMS: []SMSReceiver{{Name: "lee", Phone: Phone{CountryCode: "49", PhoneNumber: "1709999999", Providers: []string{"first"}}}}}}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

func only(q url.Values, names ...string) error {
	for name := range q {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") {
			return fmt.Errorf("parameter %s", name)
		}
	}
	return nil
}

// printed writes a reply as a test reads it.
func printed(r Reply, ok bool) string {
	if !ok {
		return "nobody"
	}
	return fmt.Sprintf("%s by %s %q %q %s %s", strings.Join(r.Receivers, ","), r.Way, r.Who, r.Text, r.Key, r.At.UTC().Format(time.RFC3339))
}

var textsSince = at("2026-11-20T17:00:00Z")

var askedVendors = []asked{
	{
		// Source: pushover.net/api/receipts: GET /1/receipts/(receipt).json?token=, the
		// fields status, acknowledged, acknowledged_at, acknowledged_by.
		name: "pushover",
		check: func(r *http.Request) error {
			if r.URL.Path != "/1/receipts/rLqVuqTRh62UzxtmqiaLzQmVcPgiCy.json" || r.URL.Query().Get("token") != "azGDORePK8gMaC0QOYAMyEEuzJnyUi" {
				return errors.New("path or token")
			}
			return only(r.URL.Query(), "token")
		},
		mutations: []string{"query:token", "query:token=x", "path=/1/receipts/x.json", "query:device=y"},
		ask: func(t *testing.T, f *Fleet) (string, error) {
			r, ok, err := f.Acknowledged(t.Context(), "oncall/push", "rLqVuqTRh62UzxtmqiaLzQmVcPgiCy")
			return printed(r, ok), err
		},
		answers: []askedAnswer{
			{200, `{"status":1,"acknowledged":0,"acknowledged_at":0,"acknowledged_by":"","last_delivered_at":1795194000,"expired":0,"request":"r"}`, "nobody"},
			{200, `{"status":1,"acknowledged":1,"acknowledged_at":1795194060,"acknowledged_by":"uQiRzpo4DXghDmr9QzzfQu27cmVRsG","acknowledged_by_device":"phone","expired":0}`,
				`oncall/push by push "" "" pushover:rLqVuqTRh62UzxtmqiaLzQmVcPgiCy 2026-11-20T17:01:00Z`},
			{200, `{"status":0}`, "error: not a receipt"},
			{404, `{"receipt":"not found; may be invalid or expired","errors":["receipt not found"],"status":0}`, "error: HTTP 404"},
			{200, `<html>`, "error: not a receipt"},
			{429, ``, "error: HTTP 429"},
		},
	},
	{
		// Source: developer.pagerduty.com, REST API v2, "List incidents": GET /incidents,
		// Authorization: Token token=…, Accept with version=2, incident_key, date_range,
		// limit; incidents with status, acknowledgements (at, acknowledger of type
		// user_reference) and last_status_change_by.
		name: "pagerduty",
		check: func(r *http.Request) error {
			q := r.URL.Query()
			switch {
			case r.URL.Path != "/incidents":
				return errors.New("path")
			case r.Header.Get("Authorization") != "Token token="+pagerToken:
				return errors.New("2006 unauthorized")
			case !strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.pagerduty+json") || !strings.HasSuffix(r.Header.Get("Accept"), "version=2"):
				return errors.New("version")
			case q.Get("incident_key") != "glassward-0123456789abcdef-12" || q.Get("date_range") != "all":
				return errors.New("filter")
			}
			if n, err := strconv.Atoi(q.Get("limit")); err != nil || n < 1 || n > 100 {
				return errors.New("limit")
			}
			return only(q, "incident_key", "date_range", "limit")
		},
		mutations: []string{"header:Authorization=Token token=x", "header:Accept=text/html", "query:incident_key", "query:limit=1000", "query:date_range=some", "query:sort=x", "path=/incidents/1"},
		ask: func(t *testing.T, f *Fleet) (string, error) {
			r, ok, err := f.Acknowledged(t.Context(), "oncall/pager", "glassward-0123456789abcdef-12")
			return printed(r, ok), err
		},
		answers: []askedAnswer{
			{200, `{"incidents":[],"limit":25,"offset":0,"more":false}`, "nobody"},
			{200, `{"incidents":[{"id":"PT4KHLK","incident_key":"glassward-0123456789abcdef-12","status":"triggered","acknowledgements":[]}]}`, "nobody"},
			{200, `{"incidents":[{"id":"PT4KHLK","incident_key":null,"status":"acknowledged","acknowledgements":[{"at":"2026-11-20T17:01:00Z","acknowledger":{"id":"PXPGF42","type":"user_reference","summary":"Kim <b>\u202eLee"}}]}]}`,
				`oncall/pager by pagerduty "Kim <b>⟨U+202E⟩Lee" "" pagerduty:PT4KHLK/2026-11-20T17:01:00.000Z 2026-11-20T17:01:00Z`},
			{200, `{"incidents":[{"id":"PT4KHLK","status":"acknowledged","acknowledgements":[{"at":"2026-11-20T17:01:00Z","acknowledger":{"id":"P1","type":"service_reference","summary":"Glassward"}}]}]}`, "nobody"},
			{200, `{"incidents":[{"id":"PT4KHLK","status":"resolved","acknowledgements":[],"last_status_change_at":"2026-11-20T17:02:00Z","last_status_change_by":{"type":"user_reference","summary":"Kim"}}]}`,
				`oncall/pager by pagerduty "Kim" "" pagerduty:PT4KHLK/resolved 2026-11-20T17:02:00Z`},
			{200, `{"incidents":[{"id":"PT4KHLK","status":"resolved","last_status_change_by":{"type":"service_reference","summary":"auto"}}]}`, "nobody"},
			{200, `{"incidents":[{"id":"PT4KHLK","incident_key":"another","status":"acknowledged","acknowledgements":[{"at":"2026-11-20T17:01:00Z","acknowledger":{"type":"user_reference"}}]}]}`, "nobody"},
			{200, `{"error":{"code":2001}}`, "error: not a page"},
			{401, `{"error":{"message":"Unauthorized"}}`, "error: HTTP 401"},
		},
	},
	{
		// Source: twilio.com/docs, "Messages resource", "Read multiple Message resources":
		// To, DateSent>, PageSize of at most 1,000; messages with direction, date_sent in
		// RFC 2822, next_page_uri.
		name: "twilio",
		check: func(r *http.Request) error {
			q := r.URL.Query()
			user, password, _ := r.BasicAuth()
			switch {
			case r.URL.Path != "/2010-04-01/Accounts/"+twilioAccount+"/Messages.json":
				return errors.New("20404")
			case user != twilioAccount || password != twilioToken:
				return errors.New("20003")
			case q.Get("To") != "+15005550006":
				return errors.New("21211")
			}
			if _, err := time.Parse(time.DateOnly, q.Get("DateSent>")); err != nil {
				return err
			}
			if n, err := strconv.Atoi(q.Get("PageSize")); err != nil || n < 1 || n > 1000 {
				return errors.New("PageSize")
			}
			return only(q, "To", "DateSent>", "PageSize", "Page", "PageToken")
		},
		mutations: []string{"header:Authorization=Basic eDp5", "query:To", "query:DateSent>=today", "query:PageSize=2000", "query:Direction=inbound", "path=/2010-04-01/Accounts/AC1/Messages.json"},
		ask: func(t *testing.T, f *Fleet) (string, error) {
			list, err := f.Texts(t.Context(), textsSince)
			var out []string
			for _, r := range list {
				out = append(out, printed(r, true))
			}
			return strings.Join(out, "\n"), err
		},
		answers: []askedAnswer{
			{200, `{"messages":[],"next_page_uri":null}`, ""},
			{200, `{"messages":[
				{"sid":"SM4","direction":"inbound","from":"+491701234567","to":"+15005550006","body":"482913 on it","date_sent":"Fri, 20 Nov 2026 17:02:00 +0000","status":"received"},
				{"sid":"SM3","direction":"inbound","from":"+491709999999","to":"+15005550006","body":"who is this","date_sent":"Fri, 20 Nov 2026 17:01:00 +0000"},
				{"sid":"SM2","direction":"inbound","from":"+15550001111","to":"+15005550006","body":"482913","date_sent":"Fri, 20 Nov 2026 17:01:00 +0000"},
				{"sid":"SM1","direction":"outbound-api","from":"+491701234567","to":"+15005550006","body":"482913","date_sent":"Fri, 20 Nov 2026 17:01:00 +0000"},
				{"sid":"SM0","direction":"inbound","from":"+491701234567","to":"+15005550006","body":"yesterday's","date_sent":"Fri, 20 Nov 2026 16:59:59 +0000"},
				{"sid":"SMX","direction":"inbound","from":"+491701234567","to":"+15005550006","body":"of no time","date_sent":null}],"next_page_uri":null}`,
				"late/lee by sms \"\" \"who is this\" sms:SM3 2026-11-20T17:01:00Z\noncall/kim,oncall/kim-call by sms \"\" \"482913 on it\" sms:SM4 2026-11-20T17:02:00Z"},
			{200, `{"code":20003}`, ""},
			{200, `<html>`, "error: not a page of Twilio's messages"},
			{503, ``, "error: HTTP 503"},
		},
	},
}

// TestReplies asks each vendor's strict fake, and makes of its answers what they
// mean: an acknowledgement is a person's, and nothing else is.
func TestReplies(t *testing.T) {
	for _, v := range askedVendors {
		t.Run(v.name, func(t *testing.T) {
			var answer askedAnswer
			var last *http.Request
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				text, err := io.ReadAll(r.Body)
				if err == nil && (len(text) > 0 || r.Method != http.MethodGet) {
					err = errors.New("method or body")
				}
				if err == nil {
					err = v.check(r)
				}
				if err != nil {
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprint(w, err)
					return
				}
				last = r
				w.WriteHeader(answer.status)
				fmt.Fprint(w, answer.body)
			}))
			defer s.Close()
			f, err := NewFleet(replyConfig(t, s.URL), Network{})
			if err != nil {
				t.Fatal(err)
			}
			for _, answer = range v.answers {
				got, err := v.ask(t, f)
				if want, bad := strings.CutPrefix(answer.want, "error: "); bad {
					if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), twilioToken) || strings.Contains(err.Error(), pagerToken) || strings.Contains(err.Error(), "azGDORePK8gMaC0QOYAMyEEuzJnyUi") {
						t.Errorf("%d %s: %q, %v", answer.status, answer.body, got, err)
					}
				} else if err != nil || got != answer.want {
					t.Errorf("%d %s:\n%s\nwant\n%s\n%v", answer.status, answer.body, got, answer.want, err)
				}
			}
			answer = v.answers[0]
			for _, m := range v.mutations {
				field, value, replace := strings.Cut(m, "=")
				u := *last.URL
				u.Scheme, u.Host = "http", strings.TrimPrefix(s.URL, "http://")
				header, q := last.Header.Clone(), u.Query()
				switch kind, name, _ := strings.Cut(field, ":"); {
				case kind == "header":
					header.Set(name, value)
				case kind == "query" && replace:
					q.Set(name, value)
				case kind == "query":
					q.Del(name)
				case kind == "path":
					u.Path = value
				}
				u.RawQuery = q.Encode()
				req, err := http.NewRequest(http.MethodGet, u.String(), nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header = header
				resp, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode < 300 {
					t.Errorf("%s: taken with %d", m, resp.StatusCode)
				}
			}
			http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		})
	}
}

// TestTextPages reads page after page, with our token to one host alone, until a
// text is older than what was asked for.
func TestTextPages(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("Page"))
		asked = append(asked, r.Host+r.URL.Path+" "+r.URL.Query().Get("Page"))
		sent := textsSince.Add(time.Duration(2-n) * time.Minute).UTC().Format(time.RFC1123Z)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"messages":      []any{map[string]any{"sid": fmt.Sprint("SM", n), "direction": "inbound", "from": "+491701234567", "to": "+15005550006", "body": "x", "date_sent": sent}},
			"next_page_uri": fmt.Sprintf("https://evil.example/2010-04-01/elsewhere?To=%%2B15005550006&PageSize=50&Page=%d&PageToken=x", n+1),
		})
	}))
	defer s.Close()
	f, err := NewFleet(replyConfig(t, s.URL), Network{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Texts(t.Context(), textsSince)
	if err != nil || len(list) != 3 || list[0].Key != "sms:SM2" || len(asked) != 4 {
		t.Errorf("%+v %v %q", list, err, asked)
	}
	for _, a := range asked {
		if !strings.HasPrefix(a, strings.TrimPrefix(s.URL, "http://")+"/2010-04-01/Accounts/"+twilioAccount+"/Messages.json") {
			t.Errorf("asked %s", a)
		}
	}
}

// TestAsks says which receivers can be asked here.
func TestAsks(t *testing.T) {
	c := replyConfig(t, "http://127.0.0.1:1")
	f, err := NewFleet(c, Network{})
	if err != nil {
		t.Fatal(err)
	}
	c.ActionGroups[0].PagerDuty[0].APIToken = glassward.Secret("")
	c.PhoneProviders = c.PhoneProviders[1:2]
	c.ActionGroups[0].SMS, c.ActionGroups[0].Voice, c.ActionGroups[1].SMS[0].Providers = nil, nil, nil
	less, err := NewFleet(c, Network{})
	if err != nil {
		t.Fatal(err)
	}
	for receiver, want := range map[string][2]bool{"oncall/push": {true, true}, "oncall/pager": {true, false}, "oncall/kim": {false, false}, "oncall/none": {false, false}} {
		if f.Asks(receiver) != want[0] || less.Asks(receiver) != want[1] {
			t.Errorf("%s: %v %v", receiver, f.Asks(receiver), less.Asks(receiver))
		}
	}
	if !f.ReadsTexts() || less.ReadsTexts() {
		t.Error("ReadsTexts")
	}
	if _, _, err := f.Acknowledged(t.Context(), "oncall/push", "../../x?"); err == nil {
		t.Error("a handle that is no receipt was asked for")
	}
}

// FuzzReplies reads any answer of a service: a reply has a key and a way, and
// what it says is bounded.
func FuzzReplies(f *testing.F) {
	for _, v := range askedVendors {
		for _, a := range v.answers {
			f.Add([]byte(a.body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, read := range []func([]byte, string) (Reply, bool, error){readReceipt, readIncidents} {
			r, ok, err := read(body, "k")
			if ok && (err != nil || r.Way == "" || r.Key == "" || r.Text != "" || PlainText(r.Who) != r.Who) {
				t.Errorf("%+v %v", r, err)
			}
		}
		list, _, _ := readTexts(body, "+15005550006")
		for _, in := range list {
			if in.id == "" || in.at.IsZero() {
				t.Errorf("%+v", in)
			}
		}
	})
}
