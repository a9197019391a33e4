package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"glassward"
)

const (
	callbackBase  = "https://glassward.example.org"
	vonageSigning = "signature-secret-of-vonage"
	pagerSigning  = "MbbhcBwcZ4cTVcYi6EXNhFKBMVPPsWPR0N7DwVqSX5U"
)

// callbackConfig has providers that call us, and sends to base.
func callbackConfig(t testing.TB, base string) Config {
	c := replyConfig(t, base)
	c.PhoneProviders[0].CallbackURL = callbackBase
	c.PhoneProviders[2].CallbackURL, c.PhoneProviders[2].SignatureSecret = callbackBase+"/", secret(t, vonageSigning)
	c.ActionGroups[0].PagerDuty[0].WebhookSecret = secret(t, pagerSigning)
	c.ActionGroups[0].Voice = append(c.ActionGroups[0].Voice, VoiceReceiver{Name: "kim-vonage", Phone: phone("third")})
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// byTwilio is a form as Twilio sends and signs it.
func byTwilio(what, query string, fields ...string) Callback {
	form := url.Values{"AccountSid": {twilioAccount}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	address := callbackBase + "/callbacks/first/" + what
	if query != "" {
		address += "?" + query
	}
	return Callback{Provider: "first", What: what, Query: query, Body: []byte(form.Encode()), Header: http.Header{
		"X-Twilio-Signature": {twilioSignature(twilioToken, address, form)}, "Content-Type": {"application/x-www-form-urlencoded"},
	}}
}

// byVonage is JSON as Vonage sends and signs it.
func byVonage(what, query, body string, claims map[string]any) Callback {
	sum := sha256.Sum256([]byte(body))
	all := map[string]any{"iat": textsSince.Unix(), "jti": "j", "iss": "Vonage", "payload_hash": hex.EncodeToString(sum[:]), "api_key": "abcd1234", "application_id": vonageApp}
	for name, v := range claims {
		all[name] = v
	}
	text, _ := json.Marshal(all)
	part := base64.RawURLEncoding.EncodeToString
	signed := part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part(text)
	m := hmac.New(sha256.New, []byte(vonageSigning))
	m.Write([]byte(signed))
	return Callback{Provider: "third", What: what, Query: query, Body: []byte(body), Header: http.Header{"Authorization": {"Bearer " + signed + "." + part(m.Sum(nil))}}}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func byPagerDuty(receiver, body string) Callback {
	m := hmac.New(sha256.New, []byte(pagerSigning))
	m.Write([]byte(body))
	return Callback{Provider: "pagerduty", What: receiver, Body: []byte(body), Header: http.Header{"X-Pagerduty-Signature": {"v1=" + strings.Repeat("0", 64) + ",v1=" + hex.EncodeToString(m.Sum(nil))}}}
}

const keysQuery = "incident=12&receiver=oncall%2Fkim-call&tenant=t1"

// goodCallbacks are what the providers document, with what is heard.
func goodCallbacks() map[string]struct {
	c    Callback
	want string
} {
	vonageKeys := strings.Replace(keysQuery, "kim-call", "kim-vonage", 1)
	return map[string]struct {
		c    Callback
		want string
	}{
		"text":             {byTwilio("text", "", "MessageSid", "SM9", "From", "+491701234567", "To", "+15005550006", "Body", "482913 on it"), `oncall/kim,oncall/kim-call,oncall/kim-vonage by sms "482913 on it" sms:SM9`},
		"stranger's text":  {byTwilio("text", "", "MessageSid", "SM9", "From", "+15550001111", "To", "+15005550006", "Body", "482913"), "nothing"},
		"keys":             {byTwilio("keys", keysQuery, "CallSid", "CA9", "To", "+491701234567", "Digits", "739164"), `oncall/kim-call by voice "739164" voice:CA9/`},
		"no keys":          {byTwilio("keys", keysQuery, "CallSid", "CA9", "To", "+491701234567"), "oncall/kim-call"},
		"another's call":   {byTwilio("keys", keysQuery, "CallSid", "CA9", "To", "+491709999999", "Digits", "739164"), "error: call CA9 was none to oncall/kim-call"},
		"status":           {byTwilio("status", "receiver=oncall%2Fkim", "MessageSid", "SM1", "MessageStatus", "undelivered"), "oncall/kim"},
		"somewhere":        {byTwilio("elsewhere", "", "Body", "x"), "error: nothing is heard at elsewhere"},
		"keys by Vonage":   {byVonage("keys", vonageKeys, `{"speech":{"results":[]},"dtmf":{"digits":"739164","timed_out":false},"from":"15005550007","to":"491701234567","uuid":"u9","conversation_uuid":"CON-1","timestamp":"2026-11-20T17:00:00Z"}`, nil), `oncall/kim-vonage by voice "739164" voice:u9/`},
		"spaced by Vonage": {byVonage("status", "receiver=oncall%2Fkim-vonage", "{ \"status\" : \"completed\" }", map[string]any{"payload_hash": hashOf(`{"status":"completed"}`)}), "oncall/kim-vonage"},
		"status by Vonage": {byVonage("status", "receiver=oncall%2Fkim-vonage", `{"status":"completed","uuid":"u9"}`, nil), "oncall/kim-vonage"},
		"PagerDuty":        {byPagerDuty("oncall/pager", `{"event":{"id":"01","event_type":"incident.acknowledged","agent":{"type":"user_reference"}}}`), "oncall/pager"},
	}
}

func heard(h Heard) string {
	if h.Reply != nil {
		return fmt.Sprintf("%s by %s %q %s", strings.Join(h.Reply.Receivers, ","), h.Reply.Way, h.Reply.Text, h.Reply.Key)
	}
	if h.Receiver == "" {
		return "nothing"
	}
	return h.Receiver
}

func callbackFleet(t testing.TB) *Fleet {
	f, err := NewFleet(callbackConfig(t, "http://127.0.0.1:1"), Network{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestCallbacks hears what is signed, twice the same, and nothing that was
// changed. Only what a person wrote or keyed in is a reply.
func TestCallbacks(t *testing.T) {
	f := callbackFleet(t)
	for name, g := range goodCallbacks() {
		for range 2 {
			h, err := f.Hear(g.c, textsSince)
			if want, bad := strings.CutPrefix(g.want, "error: "); bad {
				if err == nil || err.Error() != want {
					t.Errorf("%s: %+v %v", name, h, err)
				}
				continue
			}
			if err != nil || !strings.HasPrefix(heard(h), g.want) || h.Reply != nil && strings.Contains(h.Reply.Key, "739164") {
				t.Errorf("%s: %q %v, want %q", name, heard(h), err, g.want)
			}
			if h.Reply != nil && h.Reply.Way == "voice" && (h.Incident != 12 || h.Tenant != "t1") {
				t.Errorf("%s: about %s/%d", name, h.Tenant, h.Incident)
			}
			if h.Answer == nil {
				t.Errorf("%s: no answer", name)
			} else if kind, body := h.Answer("<Kim> has it"); strings.Contains(string(body), "<Kim>") && kind != "application/json" {
				t.Errorf("%s: %s %s", name, kind, body)
			}
		}
		for change, c := range map[string]Callback{
			"body": func(c Callback) Callback { c.Body = append([]byte("x=1&"), c.Body...); return c }(g.c),
			"provider": func(c Callback) Callback {
				c.Provider = map[string]string{"first": "third", "third": "first", "pagerduty": "second"}[c.Provider]
				return c
			}(g.c),
			"header": func(c Callback) Callback { c.Header = http.Header{}; return c }(g.c),
		} {
			if h, err := f.Hear(c, textsSince); !errors.Is(err, ErrCallback) {
				t.Errorf("%s, another %s: %+v %v", name, change, h, err)
			}
		}
		if g.c.Provider == "first" {
			for change, c := range map[string]Callback{
				"what":  func(c Callback) Callback { c.What += "x"; return c }(g.c),
				"query": func(c Callback) Callback { c.Query = "incident=13&" + c.Query; return c }(g.c),
			} {
				if h, err := f.Hear(c, textsSince); !errors.Is(err, ErrCallback) {
					t.Errorf("%s, another %s: %+v %v", name, change, h, err)
				}
			}
		}
	}
	for name, c := range map[string]Callback{
		"account":       byTwilio("status", "", "AccountSid", "AC99999999999999999999999999999999"),
		"old":           byVonage("status", "", `{}`, map[string]any{"iat": textsSince.Unix() - 301}),
		"of tomorrow":   byVonage("status", "", `{}`, map[string]any{"iat": textsSince.Unix() + 301}),
		"another's key": byVonage("status", "", `{}`, map[string]any{"api_key": "other"}),
		"payload":       byVonage("status", "", `{}`, map[string]any{"payload_hash": ""}),
		"does not call": {Provider: "second", What: "status", Header: http.Header{}},
		"no pager":      byPagerDuty("oncall/kim", "{}"),
		"nobody":        {Provider: "", What: "", Header: http.Header{}},
	} {
		if h, err := f.Hear(c, textsSince); !errors.Is(err, ErrCallback) {
			t.Errorf("%s: %+v %v", name, h, err)
		}
	}
	// None is no algorithm.
	none := byVonage("status", "", `{}`, nil)
	parts := strings.Split(none.Header.Get("Authorization"), ".")
	none.Header.Set("Authorization", "Bearer "+base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))+"."+parts[1]+".")
	if _, err := f.Hear(none, textsSince); !errors.Is(err, ErrCallback) {
		t.Errorf("alg none: %v", err)
	}
}

// TestTwilioSignature holds it to the examples that are published.
func TestTwilioSignature(t *testing.T) {
	for caller, want := range map[string]string{"+14158675309": "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "+12349013030": "0/KCTR6DLpKmkAf8muzZqo1nDgQ="} {
		form := url.Values{"CallSid": {"CA1234567890ABCDE"}, "Caller": {caller}, "Digits": {"1234"}, "From": {caller}, "To": {"+18005551212"}}
		if got := twilioSignature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	// Some of Twilio's products sign the port.
	c := byTwilio("status", "receiver=x", "MessageSid", "SM1")
	form, _ := url.ParseQuery(string(c.Body))
	c.Header.Set("X-Twilio-Signature", twilioSignature(twilioToken, "https://glassward.example.org:443/callbacks/first/status?receiver=x", form))
	if h, err := callbackFleet(t).Hear(c, textsSince); err != nil || h.Receiver != "x" {
		t.Errorf("with the port: %+v %v", h, err)
	}
}

// FuzzCallbacks hears nothing that is not signed, whatever it is.
func FuzzCallbacks(f *testing.F) {
	for _, g := range goodCallbacks() {
		f.Add(g.c.Provider, g.c.What, g.c.Query, g.c.Header.Get("X-Twilio-Signature"), g.c.Header.Get("Authorization"), g.c.Body)
	}
	fleet := callbackFleet(f)
	good := goodCallbacks()
	f.Fuzz(func(t *testing.T, provider, what, query, signature, token string, body []byte) {
		c := Callback{Provider: provider, What: what, Query: query, Body: body, Header: http.Header{
			"X-Twilio-Signature": {signature}, "Authorization": {token}, "X-Pagerduty-Signature": {signature},
		}}
		h, err := fleet.Hear(c, textsSince)
		if err == nil {
			for _, g := range good {
				if string(g.c.Body) == string(body) {
					return // a seed
				}
			}
			t.Errorf("%+v of %+v", h, c)
		}
	})
}

// TestKeys has the providers send the keys that are pressed during a call to an
// address of ours, where they call us; and nowhere for what is no alarm.
func TestKeys(t *testing.T) {
	var form url.Values
	var sent vonageCall
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusCreated)
		if r.URL.Path == "/v1/calls" {
			sent = vonageCall{}
			if err := strictJSON(r, body, &sent); err != nil {
				t.Error(err)
			}
			fmt.Fprint(w, `{"uuid":"u","status":"started"}`)
			return
		}
		form, _ = url.ParseQuery(string(body))
		fmt.Fprint(w, `{"sid":"CA1","status":"queued"}`)
	}))
	defer s.Close()
	f, err := NewFleet(callbackConfig(t, s.URL), Network{})
	if err != nil {
		t.Fatal(err)
	}
	deliver := func(receiver string, change func(*Job)) {
		t.Helper()
		j := signIn()
		j.Receiver, j.Notice.Incident, j.Notice.Tenant, j.Notice.Severity = receiver, 12, "t1", glassward.High
		change(&j)
		r, _ := f.receiver(receiver)
		if out := r.Deliver(t.Context(), newMessage(j, group(), nil, nil)); !out.took() {
			t.Fatalf("%+v", out)
		}
	}
	// twilio.com/docs, "TwiML: Gather": input, finishOnKey, timeout, method, action;
	// Say and Pause within.
	type document struct {
		XMLName xml.Name `xml:"Response"`
		Say     []string
		Gather  *struct {
			Input       string `xml:"input,attr"`
			FinishOnKey string `xml:"finishOnKey,attr"`
			Timeout     int    `xml:"timeout,attr"`
			Method      string `xml:"method,attr"`
			Action      string `xml:"action,attr"`
			Say         []string
		}
	}
	read := func() (d document) {
		t.Helper()
		if err := xml.Unmarshal([]byte(form.Get("Twiml")), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	deliver("oncall/kim-call", func(*Job) {})
	d := read()
	if g := d.Gather; g == nil || len(d.Say) != 0 || g.Input != "dtmf" || g.FinishOnKey != "#" || g.Timeout != 10 || g.Method != "POST" ||
		g.Action != callbackBase+"/callbacks/first/keys?"+keysQuery || len(g.Say) != 4 || !strings.Contains(g.Say[3], "PIN") {
		t.Errorf("%s", form.Get("Twiml"))
	}
	if form.Get("StatusCallback") != callbackBase+"/callbacks/first/status?receiver=oncall%2Fkim-call" {
		t.Errorf("status callback %s", form.Get("StatusCallback"))
	}
	deliver("oncall/kim-call", func(j *Job) { j.Notice.Severity = glassward.Low })
	if g := read().Gather; g == nil || !strings.Contains(g.Say[3], "press 1") {
		t.Errorf("%s", form.Get("Twiml"))
	}
	for _, change := range []func(*Job){
		func(j *Job) { j.Notice.Kind = "closed" },
		func(j *Job) { j.Notice.Incident, j.Notice.Kind = 0, "test" },
	} {
		deliver("oncall/kim-call", change)
		if d := read(); d.Gather != nil || len(d.Say) != 3 {
			t.Errorf("%s", form.Get("Twiml"))
		}
	}
	// developer.vonage.com, "NCCO reference": input of type dtmf with maxDigits,
	// submitOnHash, timeOut and eventUrl, after a talk with bargeIn.
	deliver("oncall/kim-vonage", func(*Job) {})
	want := callbackBase + "/callbacks/third/keys?" + strings.Replace(keysQuery, "kim-call", "kim-vonage", 1)
	if len(sent.NCCO) != 3 || !sent.NCCO[0].BargeIn || sent.NCCO[2].Action != "input" || !sent.NCCO[2].DTMF.SubmitOnHash || sent.NCCO[2].EventURL[0] != want || len(sent.EventURL) != 1 {
		t.Errorf("%+v", sent)
	}
}

// TestCallbackURL says what keeps a provider from calling us.
func TestCallbackURL(t *testing.T) {
	for address, want := range map[string]string{
		"https://glassward.example.org":      "",
		"https://glassward.example.org:8443": "",
		"https://glassward.example.org/path": "without a path",
		"https://127.0.0.1":                  "reaches us",
		"ftp://x":                            "use https",
	} {
		c := replyConfig(t, "https://api.example.org")
		c.PhoneProviders[0].CallbackURL = address
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", address, err)
		}
	}
	c := replyConfig(t, "https://api.example.org")
	c.PhoneProviders[2].CallbackURL = callbackBase
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "needs signatureSecret") {
		t.Error(err)
	}
}
