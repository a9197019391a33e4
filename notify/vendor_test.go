package notify

import (
	"bytes"
	"cmp"
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

// A vendor is a service that notices go to, as its documentation has it.
type vendor struct {
	name string
	// kind is the receivers' list, name if empty.
	kind string
	// group has one receiver, "x", that calls the fake at base.
	group func(t testing.TB, base string) ActionGroup
	// config is the configuration beside it; vendorConfig if nil.
	config func(t testing.TB, base string) Config
	// check holds a request to the vendor's documented schema. nil is the vendor's
	// success, an error its refusal.
	check func(r *http.Request, body []byte) error
	// success and refusal write the vendor's answers.
	success func(w http.ResponseWriter, body []byte)
	refusal func(w http.ResponseWriter, err error)
	// mutations are changes of a good request, each of which the vendor refuses:
	// "field" drops it, "field=value" replaces it; a field of JSON is a path.
	mutations []string
	// optional are the fields that the vendor does without, and free those that hold
	// whatever one likes; elements of lists are *.
	optional, free []string
	// limits are the longest texts of fields, in characters; of every other field it
	// is enough that no endless text is taken.
	limits map[string]int
	// headers must be there and right, besides Content-Type.
	headers []string
	// answers are other answers and what is made of them.
	answers []vendorAnswer
	// secrets may stand in no answer that is recorded.
	secrets []string
}

type vendorAnswer struct {
	status int
	body   string
	want   Verdict
}

var vendors = []vendor{teamsVendor, slackVendor, ntfyVendor, pushoverVendor, pagerDutyVendor, logicAppVendor, smsVendor, smsServiceVendor, voiceVendor, voiceKeysVendor, vonageVendor, vonageVoiceVendor, vonageKeysVendor, webhookVendor}

// reach lets a receiver call a fake on loopback.
func reach() Reach { return Reach{AllowedNetworks: loopback, Timeout: 5 * time.Second} }

// one makes the group's only receiver.
func one(t testing.TB, g ActionGroup, c Config) Receiver {
	t.Helper()
	g.Name = "oncall"
	c.ActionGroups = []ActionGroup{g}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	f, err := NewFleet(c, Network{})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := f.receiver("oncall/" + g.Receivers()[0])
	if !ok {
		t.Fatal("no receiver")
	}
	return r
}

// configuration is the vendor's, without its group.
func (v vendor) configuration(t testing.TB, base string) Config {
	if v.config != nil {
		return v.config(t, base)
	}
	return vendorConfig(t, base)
}

// open makes the vendor's receiver.
func (v vendor) open(t testing.TB, base string) Receiver {
	t.Helper()
	return one(t, v.group(t, base), v.configuration(t, base))
}

// took says whether the service took the message over.
func (o Outcome) took() bool { return o.Verdict == Accepted || o.Verdict == Underway }

// A fake is a vendor's endpoint: it refuses what its documentation does not
// allow, and keeps the last request.
type fake struct {
	*httptest.Server
	vendor vendor
	header http.Header
	body   []byte
	path   string
	// answer overrules the fake's own.
	answer http.HandlerFunc
}

func (v vendor) serve(t testing.TB) *fake {
	f := &fake{vendor: v}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		f.header, f.body, f.path = r.Header, body, r.URL.RequestURI()
		if f.answer != nil {
			f.answer(w, r)
			return
		}
		if r.Method != http.MethodPost {
			v.refusal(w, errors.New("method "+r.Method))
			return
		}
		if err := v.check(r, body); err != nil {
			v.refusal(w, err)
			return
		}
		v.success(w, body)
	}))
	t.Cleanup(f.Close)
	return f
}

// crowded is a sign-in of which every text is long and hostile.
func crowded() Job {
	j := signIn()
	long := strings.Repeat("<&>\u202e*_`{{DATE(x)}} "+nasty+" ", 400)
	a := &j.Alerts[0]
	a.Title, a.Description, a.RuleName = long, long, long
	for i := range a.Rows[0] {
		a.Rows[0][i] = long
	}
	j.Incident.Title, j.Incident.Owner, j.Notice.Why = long, long, long
	for range 50 {
		j.Alerts = append(j.Alerts, glassward.Alert{ID: "x", Title: long})
	}
	return j
}

// TestVendors delivers to each vendor's fake what it must take, and compares
// the request with the golden file.
func TestVendors(t *testing.T) {
	closed := signIn()
	closed.Notice.Kind, closed.Incident.Closed = "closed", at("2026-11-20T17:20:00Z")
	taken := signIn()
	taken.Notice.Kind, taken.Incident.Acknowledged, taken.Incident.Owner = "acknowledged", at("2026-11-20T17:05:00Z"), "Kim"
	test := Job{Receiver: "oncall/x", Notice: glassward.Notice{
		ID: "test-ABCDEFGHIJKLMNOPQRSTUVWXYZ", Group: "oncall", Severity: glassward.Informational, Kind: "test", Why: "a test", Created: at("2026-11-20T17:00:00Z"),
	}}
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			f := v.serve(t)
			r := v.open(t, f.URL)
			for name, j := range map[string]Job{"signin": signIn(), "audit": audit(), "health": healthJob(), "crowded": crowded(), "acknowledged": taken, "closed": closed, "test": test} {
				out := r.Deliver(t.Context(), newMessage(j, group(), link, ruleFacts))
				if !out.took() {
					t.Errorf("%s: %v\n%s", name, out, f.body)
				}
				for _, s := range v.secrets {
					if strings.Contains(out.Answer, s) {
						t.Errorf("%s: the answer holds the secret %s: %s", name, s, out.Answer)
					}
				}
				if name == "signin" {
					golden(t, "signin."+cmp.Or(map[string]string{"webhook": "json"}[v.name], v.name), f.readable(t))
					first := string(f.body)
					r.Deliver(t.Context(), newMessage(j, group(), link, ruleFacts))
					if string(f.body) != first {
						t.Errorf("a repeat differs:\n%s\n%s", first, f.body)
					}
				}
			}
		})
	}
}

// readable prints the last request for a golden file.
func (f *fake) readable(t testing.TB) string {
	t.Helper()
	if !f.form() {
		var b bytes.Buffer
		if err := json.Indent(&b, f.body, "", "  "); err != nil {
			t.Fatal(err)
		}
		return b.String() + "\n"
	}
	values, err := url.ParseQuery(string(f.body))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, field := range strings.Split(string(f.body), "&") {
		name, _, _ := strings.Cut(field, "=")
		fmt.Fprintf(&b, "%s: %s\n", name, values.Get(name))
	}
	return b.String()
}

func (f *fake) form() bool {
	return strings.HasPrefix(f.header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// TestVendorMutations changes one thing of a good request at a time: the fake
// refuses every change, so that it would have refused us, too.
func TestVendorMutations(t *testing.T) {
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			f, good, take := v.good(t)
			header, body, form := good.header, good.body, f.form()
			for _, m := range v.mutations {
				field, value, replace := strings.Cut(m, "=")
				changed, h := body, header
				if name, ok := strings.CutPrefix(field, "header:"); ok {
					h = header.Clone()
					h.Set(name, value)
				} else if form {
					changed = mutateForm(t, body, field, value, replace)
				} else {
					changed = mutateJSON(t, body, field, value, replace)
				}
				if bytes.Equal(changed, body) && len(h) == len(header) && !strings.HasPrefix(field, "header:") {
					t.Errorf("%s changes nothing", m)
				}
				if take(mutant{m, good.method, good.target, h, changed}) {
					t.Errorf("%s: taken", m)
				}
			}
		})
	}
}

func mutateForm(t testing.TB, body []byte, field, value string, replace bool) []byte {
	t.Helper()
	values, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	if replace {
		if strings.HasPrefix(value, "*") {
			n, _ := strconv.Atoi(value[1:])
			value = strings.Repeat("x", n)
		}
		values.Set(field, value)
	} else {
		values.Del(field)
	}
	return []byte(values.Encode())
}

// mutateJSON drops what stands at a path, or puts the JSON value there; "*300"
// is a text of 300 letters.
func mutateJSON(t testing.TB, body []byte, path, value string, replace bool) []byte {
	t.Helper()
	var root any
	if err := json.Unmarshal(body, &root); err != nil {
		t.Fatal(err)
	}
	var with any
	if n, err := strconv.Atoi(strings.TrimPrefix(value, "*")); err == nil && strings.HasPrefix(value, "*") {
		with = strings.Repeat("x", n)
	} else if replace {
		if err := json.Unmarshal([]byte(value), &with); err != nil {
			t.Fatalf("%s=%s: %v", path, value, err)
		}
	}
	at, steps := root, strings.Split(path, ".")
	for i, step := range steps {
		last := i == len(steps)-1
		switch v := at.(type) {
		case map[string]any:
			switch {
			case last && replace:
				v[step] = with
			case last:
				delete(v, step)
			default:
				at = v[step]
			}
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(v) {
				t.Fatalf("%s: no %s", path, step)
			}
			if last {
				v[n] = with
			}
			at = v[n]
		default:
			t.Fatalf("%s leads nowhere", path)
		}
	}
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestVendorAnswers asks what is made of every answer that a vendor documents.
// A 410 is never more than something to mend, and no secret is recorded.
func TestVendorAnswers(t *testing.T) {
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			f := v.serve(t)
			r := v.open(t, f.URL)
			common := []vendorAnswer{{410, "gone", Mend}, {500, "oops", Retry}, {503, "", Retry}, {401, "", Mend}, {302, "", Mend}}
			if v.name != "pushover" { // where it is the month's quota
				common = append(common, vendorAnswer{429, "", Retry})
			}
			for _, a := range append(common, v.answers...) {
				f.answer = func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Retry-After", "30")
					w.WriteHeader(a.status)
					body := a.body
					if body == "oops" { // a server that prints what it was sent
						body = r.URL.RequestURI() + " " + r.Header.Get("Authorization") + " " + string(f.body)
					}
					fmt.Fprint(w, body)
				}
				out := r.Deliver(t.Context(), message())
				if out.took() != (a.want == Accepted) || !out.took() && out.Verdict != a.want || a.want != Accepted && out.RetryAfter != 30*time.Second {
					t.Errorf("%d %q: got %v %q, want %v", a.status, a.body, out.Verdict, out.Answer, a.want)
				}
				if !strings.Contains(out.Answer, strconv.Itoa(a.status)) {
					t.Errorf("%d: %q does not name the status", a.status, out.Answer)
				}
				for _, s := range v.secrets {
					if strings.Contains(out.Answer, s) {
						t.Errorf("%d: the answer holds the secret %s: %s", a.status, s, out.Answer)
					}
				}
			}
		})
	}
}

// TestVendorTest sends a test notice through notify test's way.
func TestVendorTest(t *testing.T) {
	for _, v := range vendors {
		f := v.serve(t)
		c := v.configuration(t, f.URL)
		g := v.group(t, f.URL)
		g.Name = "oncall"
		c.ActionGroups = []ActionGroup{g}
		fleet, err := NewFleet(c, Network{})
		if err != nil {
			t.Fatal(err)
		}
		results, err := fleet.Test(t.Context(), "oncall")
		if err != nil || len(results) != 1 || !results[0].OK || strings.ToLower(results[0].Kind) != cmp.Or(v.kind, v.name) {
			t.Errorf("%s: %+v %v", v.name, results, err)
		}
	}
}

// FuzzAnswers gives every judge any answer: only a 2xx is ever a success.
func FuzzAnswers(f *testing.F) {
	for _, v := range vendors {
		for _, a := range v.answers {
			f.Add(a.status, []byte(a.body))
		}
	}
	f.Add(200, []byte(`{"status":1}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for name, judge := range judges {
			v, text := judge(reply{status, body})
			if v == Accepted && (status < 200 || status > 299) {
				t.Errorf("%s: %d is a success", name, status)
			}
			if v == Refused && status >= 500 && httpVerdict(status) != Refused {
				t.Errorf("%s: %d is final", name, status)
			}
			_ = answer(text)
		}
		// Nothing but the words that the vendor documents is an arrival.
		for name, of := range map[string]func(reply, string) (arrival, Verdict, string){"twilio": twilioArrival, "vonage": vonageArrival, "report": reportArrival} {
			if state, _, _ := of(reply{status, body}, "CA1"); state != unsure && (status < 200 || status > 299 || !bytes.Contains(body, []byte("CA1"))) {
				t.Errorf("%s: %d %q is arrival %d", name, status, body, state)
			}
		}
	})
}

var judges = map[string]func(reply) (Verdict, string){
	"flow": flowVerdict, "slack": slackVerdict,
	"ntfy": func(r reply) (Verdict, string) { return ntfyVerdict(r, "t") },
	"pushover": func(r reply) (Verdict, string) {
		v, text, _ := pushoverVerdict(r, true)
		return v, text
	},
	"sms": func(r reply) (Verdict, string) {
		v, _, text := twilioVerdict(r, "SM")
		return v, text
	},
	"call": func(r reply) (Verdict, string) {
		v, _, text := vonageCallVerdict(r)
		return v, text
	},
	"vonage": func(r reply) (Verdict, string) {
		v, _, text := vonageVerdict(r)
		return v, text
	},
	"pagerduty": func(r reply) (Verdict, string) { return pagerDutyVerdict(r, "k") },
}

// strictJSON reads a body into a documented shape: no unknown field, nothing
// after it.
func strictJSON(r *http.Request, body []byte, into any) error {
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return fmt.Errorf("Content-Type %q", kind)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something after the JSON")
	}
	return nil
}
