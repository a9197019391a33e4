package notify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassward"
)

const whsec = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" // 0123456789…

var loopback = []string{"127.0.0.0/8", "::1/128"}

// hook makes a webhook receiver that may call loopback.
func hook(t testing.TB, r WebhookReceiver) Receiver {
	t.Helper()
	r.Name = "pager"
	if r.AllowedNetworks == nil {
		r.AllowedNetworks = loopback
	}
	c := Config{ActionGroups: []ActionGroup{{Name: "oncall", Webhook: []WebhookReceiver{r}}}}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	f, err := NewFleet(c, Network{})
	if err != nil {
		t.Fatal(err)
	}
	w, _ := f.receiver("oncall/pager")
	return w
}

func message() Message { return newMessage(signIn(), group(), link, ruleFacts) }

// TestWebhookCall looks at a call as the endpoint gets it, over TLS, and checks
// its signatures as a receiver would.
func TestWebhookCall(t *testing.T) {
	type call struct {
		header http.Header
		body   []byte
		method string
	}
	calls := make(chan call, 2)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		calls <- call{r.Header, body, r.Method}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "queued as 17")
	}))
	defer server.Close()
	ca := caFile(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of twenty-four bytes or more"))
	r := hook(t, WebhookReceiver{
		ServiceURI: server.URL + "/hooks", CAFile: ca,
		SigningSecrets: []glassward.Secret{secret(t, whsec), secret(t, other)},
	})
	for range 2 {
		if out := r.Deliver(t.Context(), message()); out.Verdict != Accepted || out.Answer != "HTTP 202 Accepted: queued as 17" {
			t.Fatalf("got %v", out)
		}
	}
	first, second := <-calls, <-calls
	if first.method != http.MethodPost || first.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%s %s", first.method, first.header.Get("Content-Type"))
	}
	id, stamp := first.header.Get("webhook-id"), first.header.Get("webhook-timestamp")
	if id != "5f2d7c0e9b1a4d6f8e3c2b1a09f8e7d6" || id != second.header.Get("webhook-id") {
		t.Errorf("webhook-id %q, then %q", id, second.header.Get("webhook-id"))
	}
	if n, err := strconv.ParseInt(stamp, 10, 64); err != nil || time.Since(time.Unix(n, 0)).Abs() > 5*time.Minute {
		t.Errorf("webhook-timestamp %q", stamp)
	}
	golden(t, "signin.json", indent(t, first.body))
	signatures := strings.Split(first.header.Get("webhook-signature"), " ")
	if len(signatures) != 2 {
		t.Fatalf("signatures %q", signatures)
	}
	for i, text := range []string{whsec, other} {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, stamp, first.body)
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); signatures[i] != want {
			t.Errorf("signature %d is %s, want %s", i, signatures[i], want)
		}
	}
}

// TestSignature is the example of the Standard Webhooks libraries.
func TestSignature(t *testing.T) {
	key, err := parseSigningKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := signature([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, bad := range []string{"", "secret", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "whsec_" + strings.Repeat("QUJD", 30)} {
		if _, err := parseSigningKey(bad); err == nil {
			t.Errorf("%q was taken", bad)
		} else if bad != "" && strings.Contains(err.Error(), strings.TrimPrefix(bad, "whsec_")) && len(bad) > 6 {
			t.Errorf("the error holds the secret: %v", err)
		}
	}
}

// verdicts is the verdict of every status, by runs.
const verdicts = `
100-199 retry
200-299 accepted
300     refused
301-303 mend
304-306 refused
307-308 mend
309-399 refused
400     refused
401-404 mend
405-406 refused
407     mend
408-409 retry
410     mend
411-420 refused
421     mend
422     refused
423-425 retry
426     mend
427-428 refused
429     retry
430-499 refused
500     retry
501     refused
502-504 retry
505-506 refused
507     retry
508     refused
509     retry
510     refused
511     mend
512-599 retry
`

// TestEveryStatus asks a real server for every status that HTTP has, and wants
// the verdict of the table.
func TestEveryStatus(t *testing.T) {
	want := map[int]string{}
	for line := range strings.Lines(strings.TrimSpace(verdicts)) {
		var run, verdict string
		if _, err := fmt.Sscan(line, &run, &verdict); err != nil {
			t.Fatal(err)
		}
		first, last, ok := strings.Cut(run, "-")
		if !ok {
			last = first
		}
		from, _ := strconv.Atoi(first)
		to, _ := strconv.Atoi(last)
		for status := from; status <= to; status++ {
			want[status] = verdict
		}
	}
	for status := 100; status < 600; status++ {
		if got := httpVerdict(status).String(); got != want[status] {
			t.Errorf("%d: got %s, want %s", status, got, want[status])
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		w.Header().Set("Location", "/200")
		w.WriteHeader(status)
	}))
	defer server.Close()
	for status := 200; status < 600; status++ { // net/http handles 1xx itself
		out := hook(t, WebhookReceiver{ServiceURI: fmt.Sprintf("%s/%d", server.URL, status)}).Deliver(t.Context(), message())
		if out.Verdict.String() != want[status] || !strings.Contains(out.Answer, strconv.Itoa(status)) {
			t.Errorf("%d: got %v, want %s", status, out, want[status])
		}
	}
}

// TestWebhookFaults are endpoints that misbehave.
func TestWebhookFaults(t *testing.T) {
	hang := make(chan struct{})
	handlers := map[string]http.HandlerFunc{
		"hangs": func(http.ResponseWriter, *http.Request) { <-hang },
		"closes": func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				c.Close()
			}
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprint(c, "220 mail.example ESMTP\r\n")
				c.Close()
			}
		},
		"endless body": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		},
		"endless header": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		},
		"nasty": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "\x1b[2J no such "+r.URL.Path+"?"+r.URL.RawQuery)
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.ReplaceAll(strings.TrimPrefix(r.URL.Path, "/a-long-token-in-the-path/"), "-", " ")
		_, _ = io.Copy(io.Discard, r.Body)
		handlers[name](w, r)
	}))
	defer server.Close()
	defer close(hang)
	for name, want := range map[string]struct {
		verdict Verdict
		answer  string
	}{
		"hangs": {Retry, "no answer in time (300ms)"}, "closes": {Retry, ""}, "garbage": {Retry, "malformed"},
		"endless body": {Accepted, "HTTP 200"}, "endless header": {Retry, "header"}, "nasty": {Refused, "⟨U+001B⟩[2J no such ***"},
	} {
		t.Run(name, func(t *testing.T) {
			// The address is a secret: nothing of it may be recorded but its host.
			uri := secret(t, server.URL+"/a-long-token-in-the-path/"+strings.ReplaceAll(name, " ", "-")+"?sig=hunter2-hunter2")
			// Only what never answers has to be waited for: the others end by themselves, and
			// a busy machine must not make them late.
			timeout := 300 * time.Millisecond
			if name != "hangs" {
				timeout = time.Minute
			}
			r := hook(t, WebhookReceiver{ServiceURI: string(uri), Timeout: timeout})
			out := r.Deliver(t.Context(), message())
			if out.Verdict != want.verdict || !strings.Contains(out.Answer, want.answer) {
				t.Errorf("got %v, want %v with %q", out, want.verdict, want.answer)
			}
			if strings.Contains(out.Answer, "hunter2") || strings.Contains(out.Answer, "a-long-token") {
				t.Errorf("the answer holds the secret: %s", out.Answer)
			}
			if len(out.Answer) > maxAnswer {
				t.Errorf("answer of %d bytes", len(out.Answer))
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		uri := secret(t, "http://"+address+"/a-long-token-in-the-path?sig=hunter2-hunter2")
		out := hook(t, WebhookReceiver{ServiceURI: string(uri)}).Deliver(t.Context(), message())
		if out.Verdict != Retry || !strings.Contains(out.Answer, "refused") || strings.Contains(out.Answer, "hunter2") || strings.Contains(out.Answer, "a-long-token") {
			t.Errorf("got %v", out)
		}
	})
	t.Run("secrets that cannot be used", func(t *testing.T) {
		for _, r := range []WebhookReceiver{
			{ServiceURI: "env:GLASSWARD_NO_SUCH_VARIABLE"},
			{ServiceURI: string(secret(t, "http://example.org/hunter2"))},
			{ServiceURI: server.URL, SigningSecrets: []glassward.Secret{secret(t, "hunter2")}},
		} {
			out := hook(t, r).Deliver(t.Context(), message())
			if out.Verdict != Mend || strings.Contains(out.Answer, "hunter2") {
				t.Errorf("%s: got %v", r.ServiceURI, out)
			}
		}
	})
	t.Run("certificate of somebody else", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		defer server.Close()
		out := hook(t, WebhookReceiver{ServiceURI: server.URL}).Deliver(t.Context(), message())
		if out.Verdict != Mend || !strings.Contains(out.Answer, "certificate") {
			t.Errorf("got %v", out)
		}
	})
	t.Run("certificate that has expired", func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		sheet := &x509.Certificate{
			SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(0, 0, -1),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, sheet, sheet, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		server.StartTLS()
		defer server.Close()
		trusted := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		out := hook(t, WebhookReceiver{ServiceURI: server.URL, CAFile: trusted}).Deliver(t.Context(), message())
		if out.Verdict != Mend || !strings.Contains(out.Answer, "expired") {
			t.Errorf("got %v", out)
		}
	})
}

func TestRetryAfterHeader(t *testing.T) {
	now := at("2026-11-20T17:00:00Z")
	for value, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "0": 0, "120": 2 * time.Minute, "3600": time.Hour, "86400": time.Hour,
		"99999999999999999999999": 0, "9223372036854775807": time.Hour,
		"Fri, 20 Nov 2026 17:05:00 GMT": 5 * time.Minute, "Fri, 20 Nov 2026 16:00:00 GMT": 0,
		"Fri, 20 Nov 2099 17:05:00 GMT": time.Hour, "Friday, 20-Nov-26 17:05:00 GMT": 5 * time.Minute,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

// TestGuard dials what a name resolves to, and only what may be called.
func TestGuard(t *testing.T) {
	var dialed string
	names := map[string][]netip.Addr{
		"public.example":   {netip.MustParseAddr("93.184.216.34")},
		"rebound.example":  {netip.MustParseAddr("127.0.0.1")},
		"metadata.example": {netip.MustParseAddr("169.254.169.254")},
		"mixed.example":    {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2606:2800:220:1::1")},
		"mapped.example":   {netip.MustParseAddr("::ffff:127.0.0.1")},
		"nat64.example":    {netip.MustParseAddr("64:ff9b::7f00:1")},
	}
	dial := func(allowed []string, address string) error {
		dialed = ""
		k, err := newCaller(Reach{AllowedNetworks: allowed}, Network{Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			dialed = address
			client, server := net.Pipe()
			server.Close()
			return client, nil
		}, Resolve: func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if a, ok := names[host]; ok {
				return a, nil
			}
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := k.guard.DialContext(t.Context(), "tcp", address)
		if c != nil {
			c.Close()
		}
		return err
	}
	for _, c := range []struct{ address, allowed, want string }{
		{"public.example:443", "", "93.184.216.34:443"},
		{"rebound.example:443", "", ""},
		{"metadata.example:80", "", ""},
		{"mixed.example:443", "", "[2606:2800:220:1::1]:443"},
		{"mixed.example:443", "10.0.0.0/24", "10.0.0.1:443"},
		{"mapped.example:443", "", ""},
		{"mapped.example:443", "127.0.0.1/32", "127.0.0.1:443"},
		{"nat64.example:443", "", ""},
		{"nowhere.example:443", "", ""},
		{"8.8.8.8:443", "", "8.8.8.8:443"},
		{"[2001:4860:4860::8888]:443", "", "[2001:4860:4860::8888]:443"},
		{"0.0.0.0:80", "", ""}, {"10.1.2.3:80", "", ""}, {"172.16.0.1:80", "", ""}, {"192.168.1.1:80", "", ""},
		{"100.64.0.1:80", "", ""}, {"169.254.169.254:80", "", ""}, {"198.18.0.1:80", "", ""}, {"224.0.0.1:80", "", ""},
		{"255.255.255.255:80", "", ""}, {"[::1]:80", "", ""}, {"[::]:80", "", ""}, {"[fe80::1]:80", "", ""},
		{"[fd00::1]:80", "", ""}, {"[ff02::1]:80", "", ""}, {"[2002:7f00:1::]:80", "", ""}, {"[fd00:ec2::254]:80", "", ""},
		{"192.168.1.1:80", "192.168.0.0/16", "192.168.1.1:80"},
	} {
		var allowed []string
		if c.allowed != "" {
			allowed = []string{c.allowed}
		}
		err := dial(allowed, c.address)
		if dialed != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s allowing %q: dialed %q (%v), want %q", c.address, c.allowed, dialed, err, c.want)
		}
	}
}

// TestWebhookForbidden says at once that an endpoint may not be called.
func TestWebhookForbidden(t *testing.T) {
	out := hook(t, WebhookReceiver{ServiceURI: "https://127.0.0.1/", AllowedNetworks: []string{"10.0.0.0/8"}}).Deliver(t.Context(), message())
	if out.Verdict != Mend || !strings.Contains(out.Answer, "allowedNetworks") {
		t.Errorf("got %v", out)
	}
}

// TestBrokenReceiver leaves the others whole.
func TestBrokenReceiver(t *testing.T) {
	g := group()
	g.Webhook = []WebhookReceiver{{Name: "pager", ServiceURI: "https://pager.example.com/", CAFile: "/no/such/file"}}
	f, err := NewFleet(Config{
		MailServers:  []MailServer{{Name: "relay", Host: "127.0.0.1", TLS: Plain, From: "gw@example.net"}},
		ActionGroups: []ActionGroup{g},
	}, Network{})
	if err == nil || !strings.Contains(err.Error(), "oncall/pager: caFile") {
		t.Fatalf("got %v", err)
	}
	if _, ok := f.receiver("oncall/duty"); !ok {
		t.Error("the other receiver is missing")
	}
	r, _ := f.receiver("oncall/pager")
	if out := r.Deliver(t.Context(), message()); out.Verdict != Mend || !strings.Contains(out.Answer, "caFile") {
		t.Errorf("got %v", out)
	}
}
