package notify_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"glassward"
	"glassward/internal/private"
	"glassward/notify"
)

// A strict check, as healthchecks documents it: POST to the address or to /fail, and
// a 200 that does not always mean it.
func TestHeartbeat(t *testing.T) {
	var path, text string
	answer := "OK"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		path, text = r.URL.Path, string(body)
		if r.Method != http.MethodPost || !strings.HasPrefix(path, "/5f3a9c1e-0000-4000-8000-000000000001") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ping")
	if err := private.WriteFile(file, []byte(server.URL+"/5f3a9c1e-0000-4000-8000-000000000001\n")); err != nil {
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
