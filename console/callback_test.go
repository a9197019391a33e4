package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A provider's call is let in by its signature alone, and nobody else learns
// anything by one.
func TestCallback(t *testing.T) {
	h := &house{}
	s := serve(h, false)
	for _, c := range []struct {
		signature, path, body string
		code                  int
		reached, answer       string
	}{
		{"good", "/callbacks/twilio/keys?incident=12", "Digits=1", 200, "callback twilio keys incident=12 Digits=1", "<Response/>"},
		{"good", "/callbacks/pagerduty/oncall/pager", "{}", 200, "callback pagerduty oncall/pager  {}", "<Response/>"},
		{"", "/callbacks/twilio/keys", "Digits=1", 403, "", "not signed by a provider"},
		{"", "/callbacks/nobody/at/all", "", 403, "", "not signed by a provider"},
		{"odd", "/callbacks/twilio/keys", "", 503, "", "could not be taken now"},
		{"good", "/callbacks/twilio/keys", strings.Repeat("x", 64<<10+1), 400, "", "more than 64 KB"},
	} {
		h.reached = nil
		r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		r.Header = http.Header{"X-Signature": {c.signature}}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.code || strings.Join(h.reached, " ") != c.reached || !strings.Contains(w.Body.String(), c.answer) || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s %q: %d %q %s", c.path, c.signature, w.Code, h.reached, w.Body)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/callbacks/twilio/keys", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
}
