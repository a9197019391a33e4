package entra_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward/entra"
)

const signIns = "/v1.0/auditLogs/signIns"

// client makes a client of the tenant whose Graph is h.
func (s *tenant) client(t *testing.T, h http.HandlerFunc) *entra.Client {
	t.Helper()
	s.graph = h
	return entra.NewClient(entra.ClientOptions{Service: entra.Graph, Cloud: s.cloud, Credential: s.credential(t), HTTP: s.http(), Now: s.now})
}

func TestTheRequestAsItGoesOut(t *testing.T) {
	s := newTenant(t)
	var got *http.Request
	c := s.client(t, func(w http.ResponseWriter, r *http.Request) { got = r; fmt.Fprint(w, `{}`) })
	answer, err := c.Get(t.Context(), signIns+"?$filter=createdDateTime%20ge%202026-11-20T10:00:00Z", http.Header{"prefer": {"include-unknown-enum-members"}})
	if err != nil || answer.Status != 200 || string(answer.Body) != "{}" {
		t.Fatal(answer, err)
	}
	if got.URL.String() != "https://graph.microsoft.com/v1.0/auditLogs/signIns?$filter=createdDateTime%20ge%202026-11-20T10:00:00Z" || answer.URL != got.URL.String() {
		t.Errorf("asked %s", got.URL)
	}
	if got.Header.Get("Prefer") != "include-unknown-enum-members" || got.Header.Get("Client-Request-Id") == "" || !strings.HasPrefix(got.Header.Get("Authorization"), "Bearer eyJ") {
		t.Errorf("header %v", got.Header)
	}
}

// TestOurTokenGoesNowhereElse is about links that a service, or somebody between,
// gives us.
func TestOurTokenGoesNowhereElse(t *testing.T) {
	s := newTenant(t)
	c := s.client(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("asked %s", r.URL) })
	for _, address := range []string{
		"https://graph.microsoft.com.evil.example/v1.0/x", "https://evil.example/v1.0/x", "http://graph.microsoft.com/v1.0/x",
		"https://graph.microsoft.com:8443/v1.0/x", "https://me@graph.microsoft.com/v1.0/x", "//evil.example/x", "https:graph.microsoft.com", "v1.0/x", "", "https://%zz/",
		"ftp://graph.microsoft.com/x", "https://graph.microsoft.com",
	} {
		_, err := c.Get(t.Context(), address, nil)
		if f := fault(t, err); f.Kind != entra.FaultRequest || f.Code != "OutsideService" {
			t.Errorf("%q: %v", address, err)
		}
	}
	if s.tokens != 0 {
		t.Errorf("%d tokens asked for", s.tokens)
	}
	below := s.cloud
	below.Graph = "https://localhost:8443/tenants/a"
	c = entra.NewClient(entra.ClientOptions{Service: entra.Graph, Cloud: below, HTTP: s.http()})
	for _, address := range []string{"https://localhost:8443/tenants/b/v1.0/x", "https://localhost:8443/tenants/a/../b/x", "https://localhost:8443/tenants/ab/x"} {
		_, err := c.Get(t.Context(), address, nil)
		if f := fault(t, err); f.Code != "OutsideService" {
			t.Errorf("%q: %v", address, err)
		}
	}
	var nobody *entra.Credential
	if _, err := entra.NewClient(entra.ClientOptions{Service: entra.Graph, Cloud: s.cloud, Credential: nobody, HTTP: s.http()}).Get(t.Context(), signIns, nil); fault(t, err).Kind != entra.FaultToken {
		t.Error(err)
	}
	china, _ := entra.LookupCloud("china")
	_, err := entra.NewClient(entra.ClientOptions{Service: entra.Activity, Cloud: china}).Get(t.Context(), "/api", nil)
	if f := fault(t, err); f.Code != "NoService" {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerThatIsNotWhatItSays(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprintf(z, `{"value":[%s1]}`, strings.Repeat("1234,", 5000))
	z.Close()
	for _, c := range []struct {
		name   string
		header http.Header
		status int
		body   string
		code   string
	}{
		{"whole", nil, 200, `{"value":[]}`, ""},
		{"with a byte order mark", nil, 200, "\xef\xbb\xbf{\"value\":[]}\r\n", ""},
		{"packed", http.Header{"Content-Encoding": {"gzip"}}, 200, packed.String(), ""},
		{"packed and cut", http.Header{"Content-Encoding": {"gzip"}}, 200, packed.String()[:packed.Len()-20], "CutBody"},
		{"packed garbage", http.Header{"Content-Encoding": {"gzip"}}, 200, "garbage garbage garbage", "CutBody"},
		{"packed and empty", http.Header{"Content-Encoding": {"gzip"}}, 200, "", "EmptyBody"},
		{"a page for people", http.Header{"Content-Type": {"text/html"}}, 200, "<!doctype html><title>Sign in</title>", "HTML"},
		{"a page that says that it is JSON", http.Header{"Content-Type": {"application/json"}}, 200, " \n<html>", "HTML"},
		{"empty", nil, 200, "", "EmptyBody"},
		{"blank", nil, 200, " \r\n", "EmptyBody"},
		{"cut", nil, 200, `{"value":[{"id":"1"},{"i`, "CutBody"},
		{"text", nil, 200, `ok`, "NotJSON"},
		{"a redirect", http.Header{"Location": {"https://login.example/"}}, 302, "", "Redirect"},
		{"a proxy's refusal", http.Header{"Content-Type": {"text/html"}}, 403, "<html><head><TITLE>Access denied by policy 7</TITLE>", "HTML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTenant(t)
			client := s.client(t, func(w http.ResponseWriter, r *http.Request) {
				for name, v := range c.header {
					w.Header()[name] = v
				}
				w.WriteHeader(c.status)
				w.Write([]byte(c.body))
			})
			answer, err := client.Get(t.Context(), signIns, nil)
			if c.code == "" {
				if err != nil || len(answer.Body) < 10 {
					t.Fatal(answer, err)
				}
				return
			}
			f := fault(t, err)
			if f.Kind != entra.FaultContent || f.Code != c.code || f.Kind.Lasting() {
				t.Errorf("%v\n%+v", err, f)
			}
		})
	}
}

// TestAnEmptyAnswerToAPost: stopping a subscription answers nothing, and means it.
func TestAnEmptyAnswerToAPost(t *testing.T) {
	s := newTenant(t)
	c := s.client(t, func(w http.ResponseWriter, r *http.Request) {})
	if _, err := c.Do(t.Context(), http.MethodPost, "/v1.0/x", nil, []byte(`{}`)); err != nil {
		t.Error(err)
	}
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	s := newTenant(t)
	requests := 0
	good := ""
	c := s.client(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		if r.Header.Get("Authorization") == good {
			w.Header().Set("WWW-Authenticate", `Bearer realm="", error="insufficient_claims", claims="`+base64.StdEncoding.EncodeToString([]byte(`{"access_token":{"nbf":{"essential":true,"value":"1"}}}`))+`"`)
			w.WriteHeader(401)
			return
		}
		if good == "" {
			good = r.Header.Get("Authorization")
		}
		fmt.Fprint(w, `{}`)
	})
	for range 2 {
		if _, err := c.Get(t.Context(), signIns, nil); err != nil {
			t.Fatal(err)
		}
	}
	if requests != 3 || s.tokens != 2 {
		t.Errorf("%d requests, %d tokens", requests, s.tokens)
	}
	if last := s.asked[len(s.asked)-1]; !strings.Contains(last, "essential") {
		t.Errorf("the claims were not asked for: %s", last)
	}
	// Refused again and again: one new token, then the fault.
	c = s.client(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":{"code":"InvalidAuthenticationToken","message":"no"}}`)
	})
	requests, s.tokens = 0, 0
	_, err := c.Get(t.Context(), signIns, nil)
	if f := fault(t, err); f.Kind != entra.FaultToken || !f.Kind.Lasting() || requests != 2 || s.tokens != 2 {
		t.Errorf("%v, %d requests, %d tokens", err, requests, s.tokens)
	}
	s.skew = time.Hour
	_, err = c.Get(t.Context(), signIns, nil)
	if f := fault(t, err); f.Kind != entra.FaultClock {
		t.Errorf("%v", err)
	}
	// And where no new token is to be had, that is the fault.
	s.refuse = func(w http.ResponseWriter) bool {
		tokenRefusal(w, 401, "invalid_client", 7000222, "expired")
		return true
	}
	_, err = c.Get(t.Context(), signIns, nil)
	if f := fault(t, err); f.Code != "AADSTS7000222" {
		t.Errorf("%v", err)
	}
}

// TestThePaceIsKept: never more than five in any ten seconds, urgent before
// normal before bulk, and a place left for the urgent.
func TestThePaceIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTenant(t)
		var mu sync.Mutex
		var at []time.Time
		var order []string
		began := time.Now()
		c := s.client(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			order = append(order, r.URL.RawQuery)
			fmt.Fprint(w, `{}`)
		})
		var all sync.WaitGroup
		send := func(ctx context.Context, name string, n int) {
			for range n {
				all.Go(func() {
					if _, err := c.Get(ctx, signIns+"?"+name, nil); err != nil {
						t.Error(err)
					}
				})
			}
		}
		send(entra.WithPriority(t.Context(), entra.Bulk), "bulk", 30)
		synctest.Wait()
		if len(at) != 4 {
			t.Errorf("bulk took %d places at once", len(at))
		}
		send(entra.WithPriority(t.Context(), entra.Urgent), "urgent", 1)
		synctest.Wait()
		if len(at) != 5 || order[4] != "urgent" {
			t.Errorf("the urgent one waits: %v", order)
		}
		send(t.Context(), "normal", 7)
		send(entra.WithPriority(t.Context(), entra.Urgent), "urgent", 4)
		// One that gives up does not hold a place.
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second); cancel() }()
		if _, err := c.Get(entra.WithPriority(ctx, entra.Urgent), signIns, nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		all.Wait()
		for i := 5; i < len(at); i++ {
			if gap := at[i].Sub(at[i-5]); gap < 10*time.Second {
				t.Errorf("six requests in %v", gap)
			}
		}
		// Those that go at the same moment arrive in any order.
		when := map[string][]int{}
		for i, name := range order[5:] {
			when[name] = append(when[name], int(at[5+i].Sub(began).Seconds()))
		}
		if got := fmt.Sprint(when["urgent"], when["normal"]); got != "[10 10 10 10] [10 20 20 20 20 20 30]" || when["bulk"][0] != 30 {
			t.Errorf("urgent and normal went at %s, bulk at %v", got, when["bulk"])
		}
		if took := time.Since(began); len(at) != 42 || took < 80*time.Second || took > 100*time.Second {
			t.Errorf("%d requests in %v", len(at), took)
		}
	})
}

// TestTheGate: who is told to wait makes all wait, and only at that counter.
func TestTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTenant(t)
		closed := true
		header := "7.5"
		c := s.client(t, func(w http.ResponseWriter, r *http.Request) {
			if closed && strings.Contains(r.URL.Path, "auditLogs") {
				if header != "" {
					w.Header().Set("Retry-After", header)
				}
				w.WriteHeader(429)
				fmt.Fprint(w, `{"error":{"code":"UnknownError","message":"This request is throttled."}}`)
				return
			}
			fmt.Fprint(w, `{}`)
		})
		ask := func(path string) (time.Duration, error) {
			began := time.Now()
			_, err := c.Get(t.Context(), path, nil)
			return time.Since(began), err
		}
		_, err := ask(signIns)
		if f := fault(t, err); f.Kind != entra.FaultThrottled || f.RetryAfter != 7500*time.Millisecond {
			t.Fatalf("%+v", f)
		}
		closed = false
		if took, err := ask("/v1.0/identityProtection/riskDetections"); took != 0 || err != nil {
			t.Errorf("another counter was closed: %v %v", took, err)
		}
		if took, err := ask("/v1.0/auditLogs/directoryAudits"); took != 7500*time.Millisecond || err != nil {
			t.Errorf("the gate let through after %v: %v", took, err)
		}
		if took, err := ask(signIns); took != 0 || err != nil {
			t.Errorf("the gate stayed: %v %v", took, err)
		}
		// Without a Retry-After the gate closes for longer each time, up to five
		// minutes.
		closed, header = true, ""
		var last time.Duration
		for i := range 8 {
			_, err := ask(signIns)
			f := fault(t, err)
			if i > 0 && i < 5 && f.RetryAfter < last*5/4 || f.RetryAfter > 5*time.Minute || f.RetryAfter < 7*time.Second {
				t.Errorf("pause %d: %v after %v", i, f.RetryAfter, last)
			}
			last = f.RetryAfter
		}
		if last < 3*time.Minute {
			t.Errorf("the last pause was %v", last)
		}
		// A service out of order that names a time is believed too, and a year is not.
		header = "31536000"
		_, err = ask(signIns)
		if f := fault(t, err); f.RetryAfter != time.Hour {
			t.Errorf("%v", f.RetryAfter)
		}
	})
}

func TestRefusedTogetherCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTenant(t)
		c := s.client(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			w.WriteHeader(429)
		})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				_, err := c.Get(t.Context(), signIns, nil)
				if f := fault(t, err); f.RetryAfter > 10*time.Second {
					t.Errorf("left alone for %v", f.RetryAfter)
				}
			})
		}
		all.Wait()
	})
}

func TestTheServicesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, skew := range []time.Duration{0, time.Second, -time.Hour, 90 * time.Second} {
			s := newTenant(t)
			s.skew = skew
			c := s.client(t, func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(400 * time.Millisecond)
				fmt.Fprint(w, `{}`)
			})
			if c.Offset() != 0 {
				t.Error("an offset before the first answer")
			}
			for range 4 {
				if _, err := c.Get(t.Context(), "/v1.0/users", nil); err != nil {
					t.Fatal(err)
				}
			}
			want := skew
			if skew.Abs() < 1500*time.Millisecond {
				want = 0
			}
			if (c.Offset() - want).Abs() > time.Second {
				t.Errorf("offset %v, want %v", c.Offset(), want)
			}
		}
	})
}

func TestTheEndOfTheContextIsNoFault(t *testing.T) {
	s := newTenant(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := s.client(t, func(w http.ResponseWriter, r *http.Request) { cancel(); panic(http.ErrAbortHandler) })
	_, err := c.Get(ctx, signIns, nil)
	var f *entra.Fault
	if !errors.Is(err, context.Canceled) || errors.As(err, &f) {
		t.Errorf("%v", err)
	}
}

func TestABrokenConnection(t *testing.T) {
	s := newTenant(t)
	c := s.client(t, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	_, err := c.Get(t.Context(), signIns+"?$filter=userPrincipalName%20eq%20'a@b'", nil)
	if f := fault(t, err); f.Kind != entra.FaultOutage || f.Status != 0 || strings.Contains(err.Error(), "a@b") {
		t.Errorf("%v", err)
	}
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b entra.Backoff
		last := time.Duration(0)
		for i := range 12 {
			d := b.Next(errors.New("x"))
			if d < 7500*time.Millisecond || d > 5*time.Minute || i < 5 && d < last {
				t.Errorf("pause %d: %v after %v", i, d, last)
			}
			last = d
		}
		if last < 3*time.Minute || b.Failures() != 12 {
			t.Errorf("%v after %d", last, b.Failures())
		}
		if d := b.Next(&entra.Fault{RetryAfter: 20 * time.Minute}); d < 20*time.Minute || d > 23*time.Minute {
			t.Errorf("below what was asked: %v", d)
		}
		b.Reset()
		began := time.Now()
		if err := b.Wait(t.Context(), nil); err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("after a success %v %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Wait(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
