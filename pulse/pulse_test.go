package pulse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glassward/entra"
)

const (
	tenantID = "6d7a2f5c-0a4b-4e7e-9a55-2c1b8f0e4d11"
	clientID = "7c5f1d2e-9a3b-4c4d-8e5f-0a1b2c3d4e5f"
	canaryID = "c0ffee00-1111-2222-3333-444455556666"
	canary   = "canary@contoso.com"
)

// door is the token service, in memory.
type door struct {
	http.HandlerFunc
}

func (d door) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("connection reset")
		}
	}()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	resp = w.Result()
	resp.Request = r
	return resp, nil
}

func options(h http.HandlerFunc) Options {
	cloud, _ := entra.LookupCloud("")
	return Options{Cloud: cloud, Tenant: tenantID, User: canary, UserID: canaryID, ClientID: clientID, HTTP: &http.Client{Transport: door{h}}}
}

func refuse(w http.ResponseWriter, status, number int) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{
		"error": "invalid_grant", "error_description": fmt.Sprintf("AADSTS%d: Text.\r\nTrace ID: X\r\nCorrelation ID: Y\r\nTimestamp: Z", number), "error_codes": []int{number},
		"trace_id": "4D3F1A00-0000-4000-8000-00000000ABCD", "correlation_id": "9C1B0000-0000-4000-8000-00000000ABCD",
	})
}

func TestThePulseIsAFailedSignIn(t *testing.T) {
	var forms []url.Values
	p, err := New(options(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.URL.String() != "https://login.microsoftonline.com/"+tenantID+"/oauth2/v2.0/token" || r.Header.Get("Client-Request-Id") == "" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		r.ParseForm()
		forms = append(forms, r.PostForm)
		refuse(w, 400, 50126)
	}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		sent, err := p.Send(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if sent.Code != "50126" || sent.Outcome != WrongPassword || sent.RequestID != "4d3f1a00-0000-4000-8000-00000000abcd" || sent.CorrelationID != "9c1b0000-0000-4000-8000-00000000abcd" || sent.At.IsZero() {
			t.Errorf("%+v", sent)
		}
	}
	f := forms[0]
	if f.Get("grant_type") != "password" || f.Get("client_id") != clientID || f.Get("username") != canary || f.Has("client_secret") || f.Has("client_assertion") {
		t.Errorf("%v", f)
	}
	if len(f.Get("password")) < 40 || f.Get("password") == forms[1].Get("password") {
		t.Error("the password is not a new random one")
	}
}

func TestWhatTheDoorAnswers(t *testing.T) {
	number := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { refuse(w, 400, n) }
	}
	for _, c := range []struct {
		name    string
		h       http.HandlerFunc
		outcome Outcome
		kind    entra.FaultKind
		says    string
	}{
		{"wrong password", number(50126), WrongPassword, "", ""},
		{"locked", number(50053), Locked, "", ""},
		{"disabled", number(50057), Disabled, "", ""},
		{"no such user", number(50034), "", entra.FaultRequest, "no such user"},
		{"not a public client", number(7000218), "", entra.FaultRequest, "Allow public client flows"},
		{"no such application", number(700016), "", entra.FaultRequest, "application of the pulse"},
		{"new number", number(98765), "", entra.FaultRequest, "AADSTS98765"},
		{"second factor", number(50076), "", entra.FaultRequest, "password was accepted"},
		{"expired password", number(50055), "", entra.FaultRequest, "password was accepted"},
		{"a token", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"token_type":"Bearer","access_token":"eyJhbGciOiJub25lIn0.e30.c2ln"}`)
		}, "", entra.FaultRequest, "password was accepted"},
		{"busy", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Retry-After", "600"); w.WriteHeader(429) }, "", entra.FaultThrottled, "10m0s"},
		{"down", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, "", entra.FaultOutage, "fails"},
		{"busy in words", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":"temporarily_unavailable","error_description":"x"}`)
		}, "", entra.FaultOutage, "temporarily_unavailable"},
		{"a page", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>") }, "", entra.FaultContent, "proxy"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://evil.example/")
			w.WriteHeader(307)
		}, "", entra.FaultContent, "proxy"},
		{"nobody", func(w http.ResponseWriter, r *http.Request) { panic("x") }, "", entra.FaultOutage, "no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			password := ""
			p, err := New(options(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Host != "login.microsoftonline.com" {
					t.Errorf("asked %s", r.URL)
				}
				r.ParseForm()
				password = r.PostForm.Get("password")
				c.h(w, r)
			}))
			if err != nil {
				t.Fatal(err)
			}
			sent, err := p.Send(t.Context())
			if c.kind == "" {
				if err != nil || sent.Outcome != c.outcome || sent.RequestID == "" {
					t.Errorf("%+v %v", sent, err)
				}
				return
			}
			var f *entra.Fault
			if !errors.As(err, &f) || f.Kind != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "eyJ") {
				t.Errorf("a secret in %v", err)
			}
		})
	}
}

func TestWhoMayNotBeTheCanary(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"emergency by id":   func(o *Options) { o.Emergency = []string{"x", strings.ToUpper(canaryID)} },
		"emergency by name": func(o *Options) { o.Emergency = []string{"Canary@Contoso.com"} },
		"at least 5m":       func(o *Options) { o.Interval = time.Minute },
		"object id":         func(o *Options) { o.UserID = canary },
		"principal name":    func(o *Options) { o.User = "canary" },
		"public client":     func(o *Options) { o.ClientID = "" },
		"tenant":            func(o *Options) { o.Tenant = "contoso.com" },
		"https":             func(o *Options) { o.Cloud.Authority = "http://x" },
	} {
		o := options(nil)
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), strings.Fields(name)[0]) {
			t.Errorf("%s: %v", name, err)
		}
	}

	sent := 0
	var roles []string
	var trouble error = errors.New("not readable")
	o := options(func(w http.ResponseWriter, r *http.Request) { sent++; refuse(w, 400, 50126) })
	o.Roles = func(context.Context) ([]string, error) { return roles, trouble }
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(n int, code string) {
		t.Helper()
		_, err := p.Send(t.Context())
		var f *entra.Fault
		if errors.As(err, &f) != (code != "") || f != nil && f.Code != code || sent != n {
			t.Errorf("sent %d: %v", sent, err)
		}
	}
	expect(0, "RolesUnknown")
	trouble = nil
	expect(1, "")
	trouble = errors.New("an outage")
	expect(2, "") // the last answer counts
	trouble, roles = nil, []string{"Helpdesk Administrator"}
	expect(2, "CanaryHoldsRoles")
	trouble = errors.New("an outage")
	expect(2, "CanaryHoldsRoles")
}

func TestTheRhythm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		busy := ""
		began := time.Now()
		o := options(func(w http.ResponseWriter, r *http.Request) {
			at = append(at, time.Now())
			if busy != "" {
				w.Header().Set("Retry-After", busy)
				w.WriteHeader(429)
				return
			}
			refuse(w, 400, 50126)
		})
		o.Interval = Shortest
		p, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour)
		defer cancel()
		told := 0
		err = p.Run(ctx, func(sent Sent, err error) {
			told++
			if told == 20 {
				busy = "1800"
			} else {
				busy = ""
			}
		})
		if !errors.Is(err, context.DeadlineExceeded) || told != len(at) {
			t.Errorf("%v, %d told of %d", err, told, len(at))
		}
		if first := at[0].Sub(began); first >= time.Minute {
			t.Errorf("the first after %v", first)
		}
		differ := false
		for i := 1; i < len(at); i++ {
			gap := at[i].Sub(at[i-1])
			if i == 21 {
				if gap < 30*time.Minute {
					t.Errorf("asked for half an hour, back after %v", gap)
				}
				continue
			}
			if gap < Shortest || gap > Shortest*11/10 {
				t.Errorf("a gap of %v", gap)
			}
			differ = differ || gap != at[1].Sub(at[0])
		}
		if !differ || len(at) < 40 {
			t.Errorf("%d pulses, jitter %v", len(at), differ)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(400, "1", []byte(`{"error":"invalid_grant","error_description":"AADSTS50126: x","error_codes":[50126],"trace_id":"A"}`))
	f.Add(200, "", []byte(`{"access_token":"x"}`))
	f.Add(400, "NaN", []byte(`{"error":{},"error_codes":["x"],"trace_id":7}`))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		sent, err := classify(Sent{At: time.Unix(1, 0)}, status, http.Header{"Retry-After": {after}}, body)
		var fault *entra.Fault
		switch {
		case err == nil && sent.Outcome == "":
			t.Error("sent without an outcome")
		case err != nil && !errors.As(err, &fault):
			t.Errorf("not a fault: %v", err)
		case err != nil && (fault.RetryAfter < 0 || strings.ContainsAny(err.Error(), "\n\x1b")):
			t.Errorf("%q", err)
		}
	})
}
