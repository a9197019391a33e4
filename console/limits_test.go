package console_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward/console"
	"glassward/console/limit"
	"glassward/kql"
)

// A limited is a server with the limits of production, or others, and what it told of
// refusals.
type limited struct {
	*console.Server
	t  *testing.T
	mu sync.Mutex
	// refused counts by "route caller reason".
	refused map[string]int
}

func serveLimited(t *testing.T, w console.Workspaces, of func(string) limit.Limits) *limited {
	s := &limited{t: t, refused: map[string]int{}}
	h := &house{letter: console.Letter{Tenant: alpha, Number: 7, Receiver: "oncall/mail", Sent: time.Now()}}
	if w == nil {
		w = h
	}
	book := limit.New(limit.Options{Of: of, Refused: func(route, who string, r limit.Reason) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refused[route+" "+who+" "+string(r)]++
	}})
	s.Server = console.New(console.Options{Workspaces: w, Desk: h, Operator: h, Callbacks: h, Tokens: h, Letters: h, Limits: book, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	return s
}

func (s *limited) ask(method, path, token string, body io.Reader, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, body)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

// is checks a status, and of a refusal that it has Azure's form.
func (s *limited) is(res *http.Response, status int) {
	s.t.Helper()
	if res.StatusCode != status {
		text, _ := io.ReadAll(res.Body)
		s.t.Errorf("answered %s, want %d: %s", res.Status, status, text)
		return
	}
	if status != http.StatusTooManyRequests {
		return
	}
	var body struct {
		Error struct{ Code, Message string }
	}
	err := json.NewDecoder(res.Body).Decode(&body)
	if err != nil || body.Error.Code != "ThrottledError" || body.Error.Message == "" || res.Header.Get("x-ms-error-code") != "ThrottledError" || res.Header.Get("Retry-After") == "" {
		s.t.Errorf("refused by %+v (%v), headers %v", body, err, res.Header)
	}
}

func TestATokensRequestsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveLimited(t, nil, nil)
		incidents := "/v1/workspaces/alpha/incidents"
		for range 200 {
			s.is(s.ask("GET", incidents, "query@"+alpha, nil), 200)
		}
		s.is(s.ask("GET", incidents, "query@"+alpha, nil), 429)
		// Neither do requests get through that it may not make.
		s.is(s.ask("GET", "/v1/status", "query@"+alpha, nil), 429)
		s.is(s.ask("GET", "/v1/workspaces/beta/incidents", "query@"+alpha, nil), 429)
		// Another token from the same address, and the owner, are not concerned.
		s.is(s.ask("GET", incidents, "query@"+beta, nil), 404)
		s.is(s.ask("GET", "/v1/status", "operate@", nil), 200)
		for range 500 {
			r := httptest.NewRequest("GET", incidents, nil)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r.WithContext(console.WithGrant(r.Context(), console.Local)))
			s.is(w.Result(), 200)
		}
		time.Sleep(time.Second)
		s.is(s.ask("GET", incidents, "query@"+alpha, nil), 200)
		if n := s.refused["/v1/workspaces/{workspace}/incidents query@"+alpha+" requests"]; n != 2 {
			t.Errorf("told of %v", s.refused)
		}
	})
}

// Whoever floods with tokens that do not hold keeps nobody out who has one, nor whoever
// answers an alarm, though all come from one address.
func TestStrangersAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveLimited(t, nil, nil)
		for i := range 120 {
			s.is(s.ask("GET", "/v1/status", fmt.Sprintf("guess%d", i), nil), 403)
		}
		s.is(s.ask("GET", "/v1/status", "guess", nil), 429)
		s.is(s.ask("GET", "/v1/status", "", nil), 429)
		s.is(s.ask("GET", "/healthz", "", nil), 429)
		s.is(s.ask("GET", "/a/forged", "", nil), 429)
		s.is(s.ask("POST", "/callbacks/twilio/status", "", strings.NewReader(""), "X-Signature", "bad"), 429)

		s.is(s.ask("GET", "/v1/status", "operate@", nil), 200)
		s.is(s.ask("GET", links.Letter(notice, "oncall/mail"), "", nil), 200)
		s.is(s.ask("POST", "/callbacks/twilio/status", "", strings.NewReader(""), "X-Signature", "good"), 200)
		time.Sleep(30 * time.Second)
		s.is(s.ask("GET", "/healthz", "", nil), 200)
	})
}

// What is pushed counts as it comes and as it is unpacked.
func TestPushedBytesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveLimited(t, nil, func(who string) limit.Limits {
			if who == "ingest@"+beta {
				return limit.Limits{Body: 100}
			}
			return limit.Limits{Bytes: 60_000}
		})
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(bytes.Repeat([]byte(" "), 90_000))
		_ = z.Close()
		s.is(s.ask("POST", "/v1/ingest", "ingest@"+alpha, &packed, "Content-Encoding", "gzip"), 200)
		s.is(s.ask("POST", "/v1/ingest", "ingest@"+alpha, strings.NewReader("{}")), 429)
		time.Sleep(31 * time.Second)
		s.is(s.ask("POST", "/v1/ingest", "ingest@"+alpha, strings.NewReader("{}")), 200)
		s.is(s.ask("POST", "/v1/ingest", "ingest@"+beta, strings.NewReader(strings.Repeat(" ", 101))), 413)
		for _, told := range []string{"/v1/ingest ingest@" + alpha + " ingest", "/v1/ingest ingest@" + beta + " body"} {
			if s.refused[told] != 1 {
				t.Errorf("%s is not told: %v", told, s.refused)
			}
		}
	})
}

// A slow is a house whose queries take a minute, but one.
type slow struct{ *house }

func (s slow) Query(ctx context.Context, tenant string, q console.Question) (*kql.Result, error) {
	if q.Text == "quick" {
		return &kql.Result{}, nil
	}
	select {
	case <-time.After(time.Minute):
		return &kql.Result{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// One token's queries make no other token's wait, and those that wait too long are refused.
func TestQueriesWaitForTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveLimited(t, slow{&house{}}, func(string) limit.Limits { return limit.Limits{Requests: 1000, Waiting: 20} })
		query := func(token, text string) *http.Response {
			return s.ask("POST", "/v1/workspaces/alpha/query", token, strings.NewReader(`{"query":"`+text+`"}`))
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		answers := map[int]int{}
		for range 30 {
			all.Go(func() {
				res := query("query@", "long")
				mu.Lock()
				defer mu.Unlock()
				answers[res.StatusCode]++
				if res.StatusCode == 429 {
					s.is(res, 429)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		s.is(query("query@"+alpha, "quick"), 200)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("another token's query waited %s", waited)
		}
		all.Wait()
		if answers[200] < 6 || answers[429] < 5 || answers[200]+answers[429] != 30 {
			t.Errorf("answers: %v", answers)
		}
	})
}
