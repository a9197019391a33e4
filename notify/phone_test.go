package notify

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	twilioAccount = "AC0123456789abcdef0123456789abcdef"
	twilioToken   = "hunter2hunter2hunter2hunter2hunt"
	vonageSecret  = "hunter3Hunter3"
)

// vendorConfig has the phone providers, at the fake's address.
func vendorConfig(t testing.TB, base string) Config {
	return Config{PhoneProviders: []PhoneProvider{
		{Name: "first", Type: Twilio, Account: twilioAccount, Secret: secret(t, twilioToken), From: "+15005550006", Endpoint: base, Reach: reach()},
		{Name: "second", Type: Vonage, Account: "abcd1234", Secret: secret(t, vonageSecret), From: "Glassward", Endpoint: base, Reach: reach()},
		{
			Name: "third", Type: Vonage, Account: "abcd1234", Secret: secret(t, vonageSecret), From: "+15005550007", Endpoint: base, Reach: reach(),
			Application: vonageApp, PrivateKey: vonageKey(t),
		},
	}}
}

func phone(providers ...string) Phone {
	return Phone{CountryCode: "49", PhoneNumber: "0170 1234567", Providers: providers}
}

// callingConfig has the same providers, which call us.
func callingConfig(t testing.TB, base string) Config {
	c := vendorConfig(t, base)
	c.PhoneProviders[0].CallbackURL = callbackBase
	c.PhoneProviders[2].CallbackURL, c.PhoneProviders[2].SignatureSecret = callbackBase, secret(t, vonageSigning)
	return c
}

// checkCallback holds an address that we are called at to what it must be.
func checkCallback(address, provider, what string, names ...string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host != "glassward.example.org" || u.Path != "/callbacks/"+provider+"/"+what {
		return fmt.Errorf("21609: %q is not where we are called", address)
	}
	for _, name := range names {
		if u.Query().Get(name) == "" {
			return fmt.Errorf("%s is not in %q", name, address)
		}
	}
	return only(u.Query(), names...)
}

// smsVendor is Twilio's Messages resource. Sources: twilio.com/docs, "Messages
// resource" (To, From or MessagingServiceSid, Body of at most 1,600 characters,
// StatusCallback; 201 with sid and status: queued, or accepted with a messaging
// service), "Twilio API responses" (code, message, more_info, status), "Error and
// Warning Dictionary" (the codes below), and the OpenAPI description "api v2010"
// (the values of status).
var smsVendor = vendor{
	name: "sms",
	group: func(testing.TB, string) ActionGroup {
		return ActionGroup{SMS: []SMSReceiver{{Name: "x", Phone: phone("first")}}}
	},
	check:     checkMessage,
	success:   twilioMessage("queued"),
	refusal:   twilioRefusal,
	mutations: append([]string{"header:Authorization=Basic eDp5", "From", "From=*20"}, messageMutations...),
	limits:    map[string]int{"Body": 160},
	headers:   []string{"Authorization"},
	answers: append([]vendorAnswer{
		{201, `{"sid":"SM1","status":"queued","error_code":null}`, Accepted},
		{201, `{"sid":"SM1","status":"failed","error_code":30007}`, Mend},
		{201, `{"sid":"CA1","status":"queued"}`, Mend},
		{400, `{"code":21602,"message":"Message body is required.","status":400}`, Refused},
		{400, `{"code":21617,"message":"The concatenated message body exceeds the 1600 character limit","status":400}`, Refused},
		{400, `{"code":21610,"message":"Attempt to send to unsubscribed recipient","status":400}`, Mend},
		{400, `{"code":21614,"message":"'To' number is not a valid mobile number","status":400}`, Mend},
	}, twilioAnswers...),
	secrets: []string{twilioToken},
}

// smsServiceVendor is the same with a messaging service and an API key, and calls us.
var smsServiceVendor = vendor{
	name: "sms-service", kind: "sms",
	group: smsVendor.group,
	config: func(t testing.TB, base string) Config {
		c := callingConfig(t, base)
		p := &c.PhoneProviders[0]
		p.MessagingService, p.APIKey, p.SignatureSecret = twilioService, twilioKey, secret(t, twilioToken)
		return c
	},
	check:     checkMessage,
	success:   twilioMessage("accepted"),
	refusal:   twilioRefusal,
	mutations: append([]string{"MessagingServiceSid", "MessagingServiceSid=MG1", "StatusCallback=http://localhost/", "From=+15005550006"}, messageMutations...),
	optional:  []string{"StatusCallback"},
	limits:    map[string]int{"Body": 160},
	headers:   []string{"Authorization"},
	answers:   smsVendor.answers,
	secrets:   []string{twilioToken},
}

const (
	twilioService = "MG0123456789abcdef0123456789abcdef"
	twilioKey     = "SK0123456789abcdef0123456789abcdef"
)

var messageMutations = []string{"header:Content-Type=application/json", "To", "To=0170 1234567", "Body", "Body=*1601", "Body=*161", "Text=hello"}

func checkMessage(r *http.Request, body []byte) error {
	form, err := checkTwilio(r, body, "Messages.json", "To", "From", "MessagingServiceSid", "Body", "StatusCallback")
	if err != nil {
		return err
	}
	service := form.Get("MessagingServiceSid")
	switch {
	case form.Has("From") == form.Has("MessagingServiceSid"):
		return errors.New("21603")
	case form.Has("From") && !e164.MatchString(form.Get("From")):
		return errors.New("21606")
	case form.Has("MessagingServiceSid") && service != twilioService:
		return errors.New("21705")
	}
	text := form.Get("Body")
	switch {
	case text == "":
		return errors.New("21602")
	case utf8.RuneCountInString(text) > 1600:
		return errors.New("21617")
	}
	if n, ok := gsmLength(text); ok && n > 160 || !ok && len(utf16.Encode([]rune(text))) > 70 {
		return errors.New("more than one segment")
	}
	if form.Has("StatusCallback") {
		return checkCallback(form.Get("StatusCallback"), "first", "status", "receiver")
	}
	return nil
}

func twilioMessage(status string) func(http.ResponseWriter, []byte) {
	return func(w http.ResponseWriter, body []byte) {
		form, _ := url.ParseQuery(string(body))
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"sid": "SM0123456789abcdef0123456789abcdef", "status": status, "error_code": nil, "error_message": nil, "num_segments": "1", "body": form.Get("Body"), "to": form.Get("To")})
	}
}

var twilioAnswers = []vendorAnswer{
	{200, "<html>", Mend},
	{201, "", Mend},
	{400, `{"code":21211,"message":"Invalid 'To' Phone Number","status":400}`, Mend},
	{400, `{"code":21606,"message":"The 'From' phone number is not valid","status":400}`, Mend},
	{400, `{"code":21408,"message":"Permission to send has not been enabled for the region","status":400}`, Mend},
	{401, `{"code":20003,"message":"Authenticate","more_info":"https://www.twilio.com/docs/errors/20003","status":401}`, Mend},
	{429, `{"code":20429,"message":"Too Many Requests","status":429}`, Retry},
	{503, `{"code":20503,"message":"Service unavailable","status":503}`, Retry},
}

func twilioRefusal(w http.ResponseWriter, err error) {
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": 21211, "message": err.Error(), "more_info": "https://www.twilio.com/docs/errors/21211", "status": 400})
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)

// checkTwilio reads a form that has no other fields, each once, by a user of the
// account: the account and its token, or an API key and its secret.
func checkTwilio(r *http.Request, body []byte, resource string, fields ...string) (url.Values, error) {
	if r.URL.Path != "/2010-04-01/Accounts/"+twilioAccount+"/"+resource {
		return nil, errors.New("20404")
	}
	if user, password, ok := r.BasicAuth(); !ok || user != twilioAccount && user != twilioKey || password != twilioToken {
		return nil, errors.New("20003")
	}
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return nil, errors.New("not a form")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	for name, values := range form {
		if len(values) != 1 {
			return nil, fmt.Errorf("%s twice", name)
		}
	}
	if !e164.MatchString(form.Get("To")) {
		return nil, errors.New("21211")
	}
	return form, only(form, fields...)
}

// voiceVendor is Twilio's Calls resource. Sources: twilio.com/docs, "Call
// resource" (To, From, Twiml of at most 4,000 characters, Timeout of at most 600,
// StatusCallback; 201 with a sid), "Answering Machine Detection" (MachineDetection,
// AsyncAmd, AsyncAmdStatusCallback), "TwiML for Programmable Voice" (Response, Say,
// Pause), "TwiML: Gather" (input, finishOnKey, timeout, method, action; Say and Pause
// within).
var voiceVendor = vendor{
	name: "voice",
	group: func(testing.TB, string) ActionGroup {
		return ActionGroup{Voice: []VoiceReceiver{{Name: "x", Phone: phone("first")}}}
	},
	check: checkCall,
	success: func(w http.ResponseWriter, _ []byte) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"sid":"CA0123456789abcdef0123456789abcdef","status":"queued"}`)
	},
	refusal: twilioRefusal,
	mutations: []string{
		"header:Authorization=Basic eDp5", "To", "To=1", "From", "From=Glassward", "Timeout=soon", "Timeout=601", "Twiml", "Twiml=*4001", "Twiml=<Response><Say>x</Response>", "Twiml=<Response></Response>",
		"Twiml=<Response><Dial>+1900</Dial></Response>", "Twiml=<Response><Gather input=\"dtmf\"><Dial>+1900</Dial></Gather></Response>", "MachineDetection=Yes", "AsyncAmd=maybe", "Body=hello",
	},
	optional: []string{"Timeout", "MachineDetection", "AsyncAmd"},
	limits:   map[string]int{"Twiml": 4000},
	headers:  []string{"Authorization"},
	answers: append([]vendorAnswer{
		{201, `{"sid":"CA1","status":"queued"}`, Accepted},
		{201, `{"sid":"SM1","status":"queued"}`, Mend},
		{400, `{"code":32018,"message":"Twiml size exceeded","status":400}`, Refused},
	}, twilioAnswers...),
	secrets: []string{twilioToken},
}

// voiceKeysVendor is the same where Twilio calls us: keys can be pressed.
var voiceKeysVendor = vendor{
	name: "voice-keys", kind: "voice",
	group: voiceVendor.group, config: callingConfig,
	check: checkCall, success: voiceVendor.success, refusal: twilioRefusal,
	mutations: append([]string{
		"StatusCallback=ftp://x", "AsyncAmdStatusCallback=https://elsewhere.example.org/", "Twiml=<Response><Gather input=\"fax\"><Say>x</Say></Gather></Response>",
		"Twiml=<Response><Gather input=\"dtmf\" finishOnKey=\"#\" timeout=\"0\" method=\"POST\" action=\"" + callbackBase + "/callbacks/first/keys?receiver=x\"><Say>x</Say></Gather></Response>",
		"Twiml=<Response><Gather input=\"dtmf\" finishOnKey=\"#\" timeout=\"10\" method=\"POST\" action=\"https://elsewhere.example.org/\"><Say>x</Say></Gather></Response>",
	}, voiceVendor.mutations...),
	optional: append([]string{"StatusCallback", "AsyncAmdStatusCallback"}, voiceVendor.optional...),
	limits:   voiceVendor.limits, headers: voiceVendor.headers, answers: voiceVendor.answers, secrets: voiceVendor.secrets,
}

func checkCall(r *http.Request, body []byte) error {
	form, err := checkTwilio(r, body, "Calls.json", "To", "From", "Twiml", "Timeout", "StatusCallback", "MachineDetection", "AsyncAmd", "AsyncAmdStatusCallback")
	if err != nil {
		return err
	}
	if !e164.MatchString(form.Get("From")) {
		return errors.New("21212")
	}
	if n, err := strconv.Atoi(form.Get("Timeout")); form.Has("Timeout") && (err != nil || n < 1 || n > 600) {
		return errors.New("21208")
	}
	for name, allowed := range map[string][]string{"MachineDetection": {"Enable", "DetectMessageEnd"}, "AsyncAmd": {"true", "false"}} {
		if form.Has(name) && !slices.Contains(allowed, form.Get(name)) {
			return errors.New(name)
		}
	}
	for _, name := range []string{"StatusCallback", "AsyncAmdStatusCallback"} {
		if form.Has(name) {
			if err := checkCallback(form.Get(name), "first", "status", "receiver"); err != nil {
				return err
			}
		}
	}
	if utf8.RuneCountInString(form.Get("Twiml")) > 4000 {
		return errors.New("32018")
	}
	_, err = spoken(form.Get("Twiml"))
	return err
}

// spoken gives what a TwiML document says; it may say, pause and gather keys, no
// more.
func spoken(document string) ([]string, error) {
	d := xml.NewDecoder(strings.NewReader(document))
	var said []string
	var in []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if len(said) == 0 || len(in) != 0 {
				return nil, errors.New("it says nothing")
			}
			return said, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			in = append(in, t.Name.Local)
			switch strings.Join(in, "/") {
			case "Response", "Response/Pause", "Response/Gather/Pause":
			case "Response/Say", "Response/Gather/Say":
				said = append(said, "")
			case "Response/Gather":
				if err := checkGather(t.Attr); err != nil {
					return nil, err
				}
			default:
				return nil, fmt.Errorf("element %s", strings.Join(in, "/"))
			}
		case xml.EndElement:
			in = in[:len(in)-1]
		case xml.CharData:
			if len(in) == 0 || in[len(in)-1] != "Say" {
				return nil, errors.New("text outside Say")
			}
			said[len(said)-1] += string(t)
		default:
			return nil, fmt.Errorf("%T", t)
		}
	}
}

func checkGather(attributes []xml.Attr) error {
	for _, a := range attributes {
		var ok bool
		switch a.Name.Local {
		case "input":
			ok = a.Value == "dtmf"
		case "finishOnKey":
			ok = len(a.Value) <= 1 && strings.Trim(a.Value, "0123456789#*") == ""
		case "timeout":
			n, err := strconv.Atoi(a.Value)
			ok = err == nil && n > 0
		case "method":
			ok = a.Value == "POST"
		case "action":
			ok = checkCallback(a.Value, "first", "keys", "receiver", "tenant", "incident") == nil
		}
		if !ok {
			return fmt.Errorf("Gather %s=%q", a.Name.Local, a.Value)
		}
	}
	if len(attributes) != 5 {
		return errors.New("Gather leaves something to its defaults")
	}
	return nil
}

// vonageVendor is Vonage's SMS API. Source: developer.vonage.com, OpenAPI
// description "sms" (basic authentication, from, to of 7 to 15 digits without +,
// text, type; 200 whatever happens), "SMS API errors" (the statuses). client-ref is of
// at most 40 characters in the description's 1.0.6 and of 100 in later ones: the fake
// holds us to the shorter.
var vonageVendor = vendor{
	name: "vonage", kind: "sms",
	group: func(testing.TB, string) ActionGroup {
		return ActionGroup{SMS: []SMSReceiver{{Name: "x", Phone: phone("second")}}}
	},
	check: func(r *http.Request, body []byte) error {
		if r.URL.Path != "/sms/json" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			return errors.New("path or form")
		}
		if user, password, _ := r.BasicAuth(); user != "abcd1234" || password != vonageSecret {
			return errors.New("4")
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return err
		}
		for name, values := range form {
			if len(values) != 1 {
				return fmt.Errorf("%s twice", name)
			}
		}
		_, gsm := gsmLength(form.Get("text"))
		switch {
		case !regexp.MustCompile(`^[1-9][0-9]{6,14}$`).MatchString(form.Get("to")):
			return errors.New("3")
		case !regexp.MustCompile(`^[A-Za-z0-9]{1,11}$|^[1-9][0-9]{6,14}$`).MatchString(form.Get("from")):
			return errors.New("15")
		case form.Get("text") == "" || len(form.Get("client-ref")) > 40 || utf8.RuneCountInString(form.Get("text")) > 3200:
			return errors.New("2")
		case form.Has("type") && form.Get("type") != "text" && form.Get("type") != "unicode" || form.Get("type") != "unicode" && !gsm:
			return errors.New("3")
		}
		return only(form, "from", "to", "text", "type", "client-ref")
	},
	success: func(w http.ResponseWriter, _ []byte) {
		fmt.Fprint(w, `{"message-count":"1","messages":[{"to":"491701234567","message-id":"0A0000000123ABCD1","status":"0","remaining-balance":"3.1","message-price":"0.03","network":"12345"}]}`)
	},
	refusal: func(w http.ResponseWriter, err error) {
		fmt.Fprintf(w, `{"message-count":"1","messages":[{"status":"3","error-text":%q}]}`, err.Error())
	},
	mutations: []string{
		"header:Content-Type=application/json", "header:Authorization=Basic eDp5", "to", "to=+491701234567", "from", "from=*12", "text", "text=日本", "type=html", "client-ref=*41", "body=x",
	},
	optional: []string{"type", "client-ref"},
	limits:   map[string]int{"from": 11, "client-ref": 40},
	headers:  []string{"Authorization"},
	answers: []vendorAnswer{
		{200, `{"message-count":"1","messages":[{"status":"0","message-id":"a"}]}`, Accepted},
		{200, `{"message-count":"2","messages":[{"status":"0","message-id":"a"},{"status":"1","error-text":"Throughput Rate Exceeded"}]}`, Retry},
		{200, `{"message-count":"1","messages":[{"status":"1","error-text":"Throughput Rate Exceeded"}]}`, Retry},
		{200, `{"message-count":"1","messages":[{"status":"4","error-text":"Bad Credentials"}]}`, Mend},
		{200, `{"message-count":"1","messages":[{"status":"5","error-text":"Internal Error"}]}`, Retry},
		{200, `{"message-count":"1","messages":[{"status":"9","error-text":"Quota Exceeded - rejected"}]}`, Mend},
		{200, `{"message-count":"1","messages":[{"status":"12","error-text":"too long"}]}`, Refused},
		{200, `{"message-count":"0","messages":[]}`, Mend},
		{200, "<html>", Mend},
	},
	secrets: []string{vonageSecret},
}

// TestSecondProvider texts through the second provider when the first fails, and
// says that the first does.
func TestSecondProvider(t *testing.T) {
	down := smsVendor.serve(t)
	down.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	well := vonageVendor.serve(t)
	c := vendorConfig(t, down.URL)
	c.PhoneProviders[1].Endpoint = well.URL
	r := one(t, ActionGroup{SMS: []SMSReceiver{{Name: "x", Phone: phone("first", "second")}}}, c)
	out := r.Deliver(t.Context(), message())
	if out.Verdict != Accepted || !strings.HasPrefix(out.Answer, "second: HTTP 200 OK: message 0A") || !strings.HasPrefix(out.Weak, "first: HTTP 503") {
		t.Errorf("got %+v", out)
	}
	well.answer = func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"messages":[{"status":"4","error-text":"Bad Credentials"}]}`)
	}
	out = r.Deliver(t.Context(), message())
	if out.Verdict != Retry || out.RetryAfter.Seconds() != 120 || !strings.Contains(out.Answer, "first: HTTP 503") || !strings.Contains(out.Answer, "second: HTTP 200 OK: Bad Credentials (Vonage 4)") {
		t.Errorf("both down: %+v", out)
	}
	down.answer = nil
	if out = r.Deliver(t.Context(), message()); out.Verdict != Underway || out.Weak != "" || !strings.HasPrefix(out.Answer, "first: HTTP 201 Created: SM") {
		t.Errorf("the first is back: %+v", out)
	}
}

// TestWeakened is told once, until the first way works again.
func TestWeakened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, told := newOutbox(), &troubles{}
		weak := []string{"", "first: HTTP 503", "first: HTTP 503", "", "first: HTTP 503"}
		n := 0
		fleet := scripted(map[string]scriptedReceiver{"x": func(context.Context, Message) Outcome {
			n++
			return Outcome{Verdict: Accepted, Weak: weak[n-1]}
		}})
		c, end := run(t, Options{Outbox: box, Fleet: fleet, Trouble: told.tell})
		want := []int{0, 1, 1, 1, 2}
		for i := range weak {
			box.owe(fmt.Sprint("n", i), "oncall")
			c.Wake()
			synctest.Wait()
			if len(told.list) != want[i] {
				t.Errorf("after notice %d: %s", i, told)
			}
		}
		if s := told.list[0].String(); s != "receiver oncall/x takes notices by its second way only: first: HTTP 503" {
			t.Error(s)
		}
		end()
	})
}

// TestShortMessage keeps the link, and no strange letter takes the room away.
func TestShortMessage(t *testing.T) {
	const tail = "\nhttps://glassward.example.net/incidents/12"
	for _, c := range []struct {
		name, title string
		segments    int
		want        string
		ucs2        bool
	}{
		{"plain", "EA-01 signed in", 1, "CRITICAL: EA-01 signed in\nea-01@fabrikam.onmicrosoft.com\n203.0.113.7, Berlin, Land Berlin, DE\n0, completed" + tail, false},
		{"folded", "Dvořák “EA” – geöffnet…", 2, "CRITICAL: Dvorak \"EA\" - geöffnet...\nea-01@fabrikam.onmicrosoft.com\n203.0.113.7, Berlin, Land Berlin, DE\n0, completed" + tail, false},
		{"strange letters", "李雷 🔥 EA-01", 1, "CRITICAL: ?? ? EA-01\nea-01@fabrikam.onmicrosoft.com\n203.0.113.7, Berlin, Land Berlin, DE\n0, completed" + tail, false},
		{"cut", strings.Repeat("x", 70), 1, "CRITICAL: " + strings.Repeat("x", 70) + "\nea-01@fabrikam.onmicrosoft.com\n20..." + tail, false},
		{"two septets each", strings.Repeat("[]", 40), 1, "CRITICAL: " + strings.Repeat("[]", 26) + "..." + tail, false},
	} {
		j := signIn()
		j.Alerts[0].Title = c.title
		got := shortMessage(newMessage(j, group(), link, nil), c.segments)
		if got.text != c.want || got.ucs2 != c.ucs2 {
			t.Errorf("%s:\n%q, want\n%q", c.name, got.text, c.want)
		}
	}
	// A link that leaves no room for the headline is left out.
	long := func(Job) Letter { return Letter{Link: "https://glassward.example.net/" + strings.Repeat("x", 60)} }
	if got := shortMessage(newMessage(signIn(), group(), long, nil), 1); strings.Contains(got.text, "https") {
		t.Errorf("got %+v", got)
	}
	// The code is kept, whatever else is cut; what is no alarm has none.
	coded := func(Job) Letter { return Letter{Link: "https://glassward.example.net/a/abc", Code: "482913"} }
	if got := shortMessage(newMessage(signIn(), group(), coded, nil), 1); !strings.HasSuffix(got.text, "\nCode 482913\nhttps://glassward.example.net/a/abc") {
		t.Errorf("got %+v", got)
	}
	taken := signIn()
	taken.Notice.Kind, taken.Notice.Why = "acknowledged", "Kim has taken up incident 12: on it"
	if got := shortMessage(newMessage(taken, group(), coded, nil), 1); strings.Contains(got.text, "482913") || !strings.HasPrefix(got.text, "Taken up: ") || !strings.Contains(got.text, "Kim has taken up incident 12") {
		t.Errorf("got %+v", got)
	}
	// Short enough, and in letters of its own: sent as it is.
	j := healthJob()
	j.Notice.Why = "李雷 停止"
	if got := shortMessage(newMessage(j, group(), nil, nil), 1); !got.ucs2 || got.text != "MEDIUM: 李雷 停止" {
		t.Errorf("got %+v", got)
	}
}

// TestSeptets holds the alphabet to 3GPP TS 23.038: 127 characters besides the
// escape, and ten of two.
func TestSeptets(t *testing.T) {
	if n := utf8.RuneCountInString(gsmBasic); n != 127 {
		t.Errorf("the alphabet has %d characters", n)
	}
	for text, want := range map[string]int{"": 0, "@£": 2, "€": 2, "[]{}": 8, "Ç": 1, "ß": 1, "\n": 1} {
		if n, ok := gsmLength(text); n != want || !ok {
			t.Errorf("%q: %d %v", text, n, ok)
		}
	}
	for _, text := range []string{"ç", "`", "\t", "…", "李", "\x00"} {
		if _, ok := gsmLength(text); ok {
			t.Errorf("%q is of the alphabet", text)
		}
	}
}

// FuzzPhone fits every text into what was allowed, with the link whole, and says
// nothing but words.
func FuzzPhone(f *testing.F) {
	for _, s := range []string{"", nasty, "李雷", strings.Repeat("[", 300), "</Say><Dial>+1900</Dial>", "🔥🔥", "\xff"} {
		f.Add(s, 1)
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, segments int) {
		segments = 1 + (segments&0xff)%3
		j := signIn()
		j.Alerts[0].Title, j.Alerts[0].Rows[0][1] = s, s
		m := newMessage(j, group(), link, nil)
		text := shortMessage(m, segments)
		n, gsm := gsmLength(text.text)
		if text.ucs2 {
			n = len(utf16.Encode([]rune(text.text)))
		}
		if !gsm && !text.ucs2 || n > room(segments, text.ucs2) || !strings.HasSuffix(text.text, "\n"+m.Link) {
			t.Fatalf("%q: %d of %d: %q", s, n, room(segments, text.ucs2), text.text)
		}
		document := twiml(spokenText(m), "", "")
		said, err := spoken(document)
		if err != nil || len(said) != 3 || said[0] != said[2] || utf8.RuneCountInString(document) > 4000 {
			t.Fatalf("%q: %v in %s", s, err, document)
		}
	})
}
