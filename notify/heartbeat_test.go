package notify_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"glassward"
	"glassward/internal/private"
	"glassward/notify"
)

// A strict check, as healthchecks documents it (healthchecks.io/docs/http_api, and
// templates/docs/http_api.md of its repository): HEAD, GET or POST to the address of
// the check or to its /fail; of a body that is UTF-8 text the first 10 KB are kept;
// 200 with OK, also for a check that there is not and for a ping that was not counted.
// It takes no query, and no other path.
func check(w http.ResponseWriter, r *http.Request, answer string) (path, text string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 10_001))
	switch {
	case err != nil || len(body) > 10_000 || !utf8.Valid(body):
		http.Error(w, "not kept", http.StatusBadRequest)
	case r.Method != http.MethodHead && r.Method != http.MethodGet && r.Method != http.MethodPost:
		http.Error(w, "method", http.StatusMethodNotAllowed)
	case r.URL.RawQuery != "" || r.URL.Path != checkPath && r.URL.Path != checkPath+"/fail":
		http.Error(w, "invalid url format", http.StatusBadRequest)
	case len(body) > 0 && !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain"):
		http.Error(w, "not a text", http.StatusBadRequest)
	default:
		_, _ = io.WriteString(w, answer)
	}
	return r.URL.Path, string(body)
}

const checkPath = "/5f3a9c1e-0000-4000-8000-000000000001"

func TestHeartbeat(t *testing.T) {
	var path, text string
	answer := "OK"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, text = check(w, r, answer)
	}))
	defer server.Close()
	// What differs from a ping is refused.
	for name, change := range map[string]func(*http.Request){
		"method": func(r *http.Request) { r.Method = http.MethodPut },
		"path":   func(r *http.Request) { r.URL.Path += "/failed" },
		"check":  func(r *http.Request) { r.URL.Path = "/5f3a9c1e" },
		"query":  func(r *http.Request) { r.URL.RawQuery = "x=1" },
		"length": func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", 10_001)))
			r.ContentLength = 10_001
		},
		"text": func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("\xff")); r.ContentLength = 1 },
		"type": func(r *http.Request) { r.Header.Set("Content-Type", "application/json") },
		"":     func(*http.Request) {},
	} {
		req, err := http.NewRequest(http.MethodPost, server.URL+checkPath, strings.NewReader("head 12 ab"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
		change(req)
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if (resp.StatusCode == http.StatusOK) != (name == "") {
			t.Errorf("another %s: %s", name, resp.Status)
		}
	}
	file := filepath.Join(t.TempDir(), "ping")
	if err := private.WriteFile(file, []byte(server.URL+checkPath+"\n")); err != nil {
		t.Fatal(err)
	}
	p, err := notify.NewPinger(notify.Heartbeat{URL: glassward.Secret("file:" + file), Reach: notify.Reach{AllowedNetworks: []string{"127.0.0.0/8"}}}, notify.Network{})
	if err != nil {
		t.Fatal(err)
	}
	if out := p.Ping(t.Context(), true, "head 12 ab"); out.Verdict != notify.Accepted || !strings.HasSuffix(path, "01") || text != "head 12 ab" {
		t.Errorf("%+v at %s with %q", out, path, text)
	}
	if out := p.Ping(t.Context(), false, "not judged"); out.Verdict != notify.Accepted || !strings.HasSuffix(path, "01/fail") {
		t.Errorf("%+v at %s", out, path)
	}
	// The text is cut to what is kept, at a character's end.
	if out := p.Ping(t.Context(), true, strings.Repeat("ä", 9000)); out.Verdict != notify.Accepted || len(text) > 10_000 || !utf8.ValidString(text) {
		t.Errorf("%+v with %d bytes", out, len(text))
	}
	for _, c := range []struct {
		says    string
		verdict notify.Verdict
	}{{"OK (not found)", notify.Mend}, {"OK (rate limited)", notify.Retry}} {
		answer = c.says
		if out := p.Ping(t.Context(), true, ""); out.Verdict != c.verdict || strings.Contains(out.Answer, "5f3a9c1e") {
			t.Errorf("%s: %+v", c.says, out)
		}
	}
}

func TestHeartbeatConfiguration(t *testing.T) {
	for _, c := range []struct {
		h    notify.Heartbeat
		says string
	}{
		{notify.Heartbeat{}, "url: missing"},
		{notify.Heartbeat{URL: "https://hc-ping.com/secret"}, "reference"},
		{notify.Heartbeat{URL: "env:PING", Every: 5e9}, "every 5s"},
		{notify.Heartbeat{URL: "env:PING"}, ""},
	} {
		err := notify.Config{Heartbeat: &c.h}.Validate()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.h, err)
		}
	}
}
