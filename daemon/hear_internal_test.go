package daemon

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"glassward"
	"glassward/config"
	"glassward/incident"
	"glassward/notify"
)

// A telephony is Pushover and Twilio in one: it takes what is sent, and says what
// people did with it.
type telephony struct {
	mu    sync.Mutex
	code  string // of the last text
	texts []map[string]any
	taps  int
	down  bool
}

func (v *telephony) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	answer := func(status int, x any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(x)
	}
	switch path := r.URL.Path; {
	case r.Method == http.MethodPost && path == "/1/messages.json":
		answer(200, map[string]any{"status": 1, "receipt": "receipt1"})
	case path == "/1/receipts/receipt1.json":
		answer(200, map[string]any{"status": 1, "acknowledged": v.taps, "acknowledged_at": time.Now().Unix()})
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/Messages.json"):
		v.code = regexp.MustCompile(`code is ([0-9]{6})`).FindStringSubmatch(r.FormValue("Body"))[1]
		answer(201, map[string]any{"sid": "SM1", "status": "queued"})
	case strings.HasSuffix(path, "/Messages.json"):
		answer(200, map[string]any{"messages": v.texts, "next_page_uri": nil})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (v *telephony) says(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

// signedByTwilio is X-Twilio-Signature: HMAC-SHA1 over the address and the sorted
// fields.
func signedByTwilio(token, address string, form url.Values) string {
	m := hmac.New(sha1.New, []byte(token))
	m.Write([]byte(address))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		m.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// listener makes a daemon that is not run, over receivers at the address.
func listener(t *testing.T, address string, now func() time.Time) *Daemon {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"key": "hunter2hunter2\n",
		"glassward.yaml": strings.ReplaceAll(`data: data
listen: 127.0.0.1:0
phoneProviders:
  - {name: twilio, type: twilio, account: AC0123456789abcdef0123456789abcdef, secret: "file:KEY", from: "+15005550006", endpoint: ADDRESS, allowedNetworks: [127.0.0.0/8], callbackUrl: "https://glassward.example.org"}
actionGroups:
  - name: oncall
    pushoverReceivers: [{name: kim, token: "file:KEY", user: "file:KEY", endpoint: ADDRESS/1/messages.json, allowedNetworks: [127.0.0.0/8]}]
    smsReceivers: [{name: lee, countryCode: "49", phoneNumber: "1701234567"}]
`, "ADDRESS", address),
	} {
		text = strings.ReplaceAll(text, "KEY", filepath.Join(dir, "key"))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := config.Load(filepath.Join(dir, "glassward.yaml"))
	if c == nil {
		t.Fatal(problems)
	}
	d, err := New(t.Context(), Options{Config: c, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.work.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestHearProofs proves receivers by what people do in their apps and text back.
func TestHearProofs(t *testing.T) {
	v := &telephony{}
	s := httptest.NewServer(v)
	defer s.Close()
	d := listener(t, s.URL, time.Now)
	h := d.newHearing(t.Context())
	v.says(func() { v.down = true })
	h.round(t.Context()) // nobody is awaited, so nobody is asked
	if len(h.failing) != 0 {
		t.Errorf("asked for nothing: %v", h.failing)
	}
	v.says(func() { v.down = false })
	if _, err := (operator{d}).Prove(t.Context(), "oncall", nil, "root"); err != nil {
		t.Fatal(err)
	}
	proven := func() string {
		var out []string
		for _, p := range d.proofs.List(time.Now()) {
			if !p.Proven.IsZero() {
				out = append(out, fmt.Sprintf("%s by %s via %s", p.Receiver, p.By, p.Via))
			}
		}
		return strings.Join(out, "; ")
	}
	h.round(t.Context())
	if got := proven(); got != "" {
		t.Errorf("nobody has answered: %s", got)
	}
	v.says(func() {
		v.texts = []map[string]any{
			inbound("SM8", "+15550001111", v.code, time.Now().Add(time.Second)),
			inbound("SM7", "+491701234567", "what is this?", time.Now().Add(time.Second)),
			inbound("SM6", "+491701234567", v.code, time.Now().Add(-time.Hour)),
		}
	})
	h.round(t.Context())
	if got := proven(); got != "" {
		t.Errorf("a stranger, no code, and an old text: %s", got)
	}
	v.says(func() {
		v.taps = 1
		v.texts = append(v.texts, inbound("SM9", "+491701234567", "ok "+v.code, time.Now().Add(time.Second)))
	})
	h.round(t.Context())
	if got := proven(); got != "oncall/kim by kim via push; oncall/lee by lee via sms" {
		t.Errorf("proven: %s", got)
	}
}

// inbound is an incoming text as Twilio lists it.
func inbound(sid, from, body string, at time.Time) map[string]any {
	return map[string]any{"sid": sid, "direction": "inbound", "from": from, "to": "+15005550006", "body": body, "date_sent": at.UTC().Format(time.RFC1123Z)}
}

// TestHearIncident takes answers to a critical incident: what proves nobody is
// recorded, the code of the text message takes it up, and nothing counts twice.
func TestHearIncident(t *testing.T) {
	v := &telephony{}
	s := httptest.NewServer(v)
	defer s.Close()
	d := listener(t, s.URL, time.Now)
	ctx := t.Context()
	d.tell(ctx, "", incident.Health{Cause: "disk", Subject: "x", Title: "the disk is nearly full", Severity: glassward.High, Since: time.Now()})
	notices, err := d.state.Notices(ctx, "", 1, 10)
	if err != nil || len(notices) != 1 {
		t.Fatalf("%+v %v", notices, err)
	}
	if err := d.state.Route(ctx, notices[0].ID, []string{"oncall/kim", "oncall/lee"}); err != nil {
		t.Fatal(err)
	}
	if err := d.state.Settle(ctx, notify.Settlement{Attempt: glassward.Attempt{Notice: notices[0].ID, Receiver: "oncall/kim", Number: 1, At: time.Now(), OK: true}, Status: glassward.Delivered, Handle: "receipt1"}); err != nil {
		t.Fatal(err)
	}
	now := func() (glassward.Incident, string) {
		t.Helper()
		inc, err := d.state.Incident(ctx, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, e := range inc.Timeline {
			kinds = append(kinds, e.Kind)
		}
		return inc, strings.Join(kinds, " ")
	}
	inc, began := now()
	h := d.newHearing(ctx)
	h.round(ctx)
	if _, got := now(); got != began {
		t.Errorf("nobody has answered: %s", got)
	}
	later := time.Now().Add(2 * time.Second)
	v.says(func() {
		v.taps = 1
		v.texts = []map[string]any{inbound("SM1", "+491701234567", "on it", later), inbound("SM2", "+491701234567", "stale", inc.Created.Add(-time.Minute))}
	})
	h.round(ctx)
	inc, got := now()
	if want := began + " answer answer"; got != want || !inc.Acknowledged.IsZero() {
		t.Errorf("without proof: %s, want %s; acknowledged %s", got, want, inc.Acknowledged)
	}
	code := d.code(inc, "oncall/lee")
	if code == "" {
		t.Fatal("the text message has no code")
	}
	v.says(func() { v.texts = append(v.texts, inbound("SM3", "+491701234567", code+" I drive there", later)) })
	h.round(ctx)
	inc, got = now()
	if want := began + " answer answer acknowledge"; got != want || inc.Acknowledged.IsZero() || !strings.Contains(inc.Timeline[len(inc.Timeline)-1].Text, "I drive there") {
		t.Errorf("with the code: %s, want %s: %+v", got, want, inc.Timeline[len(inc.Timeline)-1])
	}
	// A process that knows of nothing hears it all again.
	d.newHearing(ctx).round(ctx)
	if _, again := now(); again != got {
		t.Errorf("again: %s, want %s", again, got)
	}
}

// TestUnheard makes an alarm of a service that cannot be asked while somebody is
// awaited, and ends it.
func TestUnheard(t *testing.T) {
	v := &telephony{}
	s := httptest.NewServer(v)
	defer s.Close()
	var ahead atomic.Int64
	d := listener(t, s.URL, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	h := d.newHearing(t.Context())
	if _, err := (operator{d}).Prove(t.Context(), "oncall", nil, "root"); err != nil {
		t.Fatal(err)
	}
	v.says(func() { v.down = true })
	open := func() int {
		t.Helper()
		stats, err := d.state.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats.Open[""]
	}
	h.round(t.Context())
	ahead.Store(int64(unheardAfter / 2))
	h.round(t.Context())
	if n := open(); n != 0 {
		t.Errorf("told at once: %d", n)
	}
	ahead.Store(int64(unheardAfter))
	h.round(t.Context())
	h.round(t.Context())
	if n := open(); n != 2 { // receipts and texts
		t.Errorf("told: %d", n)
	}
	v.says(func() { v.down = false })
	h.round(t.Context())
	if n := open(); n != 0 {
		t.Errorf("over: %d are open", n)
	}
}

// TestCallback takes a code by Twilio's call and nothing that is not signed.
func TestCallback(t *testing.T) {
	v := &telephony{}
	s := httptest.NewServer(v)
	defer s.Close()
	d := listener(t, s.URL, time.Now)
	if _, err := (operator{d}).Prove(t.Context(), "oncall", []string{"lee"}, "root"); err != nil {
		t.Fatal(err)
	}
	post := func(signature string) (int, string) {
		t.Helper()
		form := url.Values{"AccountSid": {"AC0123456789abcdef0123456789abcdef"}, "MessageSid": {"SM5"}, "From": {"+491701234567"}, "To": {"+15005550006"}, "Body": {v.code}}
		r := httptest.NewRequest("POST", "/callbacks/twilio/text", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Twilio-Signature", signature)
		if signature == "" {
			r.Header.Set("X-Twilio-Signature", signedByTwilio("hunter2hunter2", "https://glassward.example.org/callbacks/twilio/text", form))
		}
		w := httptest.NewRecorder()
		d.console.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	if code, body := post("AAAA"); code != http.StatusForbidden || d.proofs.List(time.Now())[1].Proven.After(time.Time{}) {
		t.Errorf("not signed: %d %s", code, body)
	}
	for range 2 { // Twilio calls again where an answer was lost
		if code, body := post(""); code != http.StatusOK || !strings.Contains(body, "<Response>") {
			t.Errorf("%d %s", code, body)
		}
	}
	if p := d.proofs.List(time.Now())[1]; p.Proven.IsZero() || p.Via != "sms" {
		t.Errorf("%+v", p)
	}
}
