package notify_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"

	"glassward"
	"glassward/internal/mailsink"
	"glassward/internal/pipe"
	"glassward/notify"
)

// sink starts a mail server on a socket.
func sink(t testing.TB, o mailsink.Options) *mailsink.Sink {
	t.Helper()
	s, err := mailsink.Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestEmailSecurity sends through every kind of protection and login to a real
// server, and tries what must not work.
func TestEmailSecurity(t *testing.T) {
	config, ca, err := mailsink.SelfSigned(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	trusted := notify.CAFile(t, ca)
	password := notify.SecretFile(t, "correct horse")
	wrong := notify.SecretFile(t, "battery staple")
	open := mailsink.Options{}
	protected := mailsink.Options{TLS: config}
	login := mailsink.Options{TLS: config, Username: "gw", Password: "correct horse"}
	for _, c := range []struct {
		name     string
		server   mailsink.Options
		implicit bool
		client   notify.MailServer
		want     notify.Verdict
		answer   string // part of it
		user     string
		tls      bool
	}{
		{name: "plain on loopback", server: open, client: notify.MailServer{TLS: notify.Plain}, want: notify.Accepted, answer: "250"},
		{name: "starttls", server: protected, client: notify.MailServer{CAFile: trusted}, want: notify.Accepted, tls: true},
		{name: "starttls, auto login", server: login, client: notify.MailServer{CAFile: trusted, Username: "gw", Password: password}, want: notify.Accepted, user: "gw", tls: true},
		{name: "starttls, PLAIN", server: login, client: notify.MailServer{CAFile: trusted, Auth: notify.AuthPlain, Username: "gw", Password: password}, want: notify.Accepted, user: "gw", tls: true},
		{name: "starttls, LOGIN", server: login, client: notify.MailServer{CAFile: trusted, Auth: notify.AuthLogin, Username: "gw", Password: password}, want: notify.Accepted, user: "gw", tls: true},
		{name: "implicit, login", server: login, implicit: true, client: notify.MailServer{TLS: notify.ImplicitTLS, CAFile: trusted, Username: "gw", Password: password}, want: notify.Accepted, user: "gw", tls: true},
		{name: "opportunistic with", server: protected, client: notify.MailServer{TLS: notify.Opportunistic, CAFile: trusted}, want: notify.Accepted, tls: true},
		{name: "opportunistic without", server: open, client: notify.MailServer{TLS: notify.Opportunistic}, want: notify.Accepted},
		{name: "starttls not offered", server: open, client: notify.MailServer{}, want: notify.Mend, answer: "STARTTLS"},
		{name: "unknown authority", server: protected, client: notify.MailServer{}, want: notify.Mend, answer: "certificate"},
		{name: "implicit, unknown authority", server: protected, implicit: true, client: notify.MailServer{TLS: notify.ImplicitTLS}, want: notify.Mend, answer: "certificate"},
		{name: "wrong password", server: login, client: notify.MailServer{CAFile: trusted, Username: "gw", Password: wrong}, want: notify.Mend, answer: "535"},
		{name: "no login where one is needed", server: login, client: notify.MailServer{CAFile: trusted}, want: notify.Mend, answer: "authenticate"},
		{name: "login not offered", server: protected, client: notify.MailServer{CAFile: trusted, Auth: notify.AuthPlain, Username: "gw", Password: password}, want: notify.Mend, answer: "AUTH"},
		{name: "starttls, XOAUTH2", server: login, client: notify.MailServer{CAFile: trusted, Auth: notify.AuthXOAuth2, Username: "gw", Password: password}, want: notify.Accepted, user: "gw", tls: true},
		{name: "XOAUTH2, token expired", server: login, client: notify.MailServer{CAFile: trusted, Auth: notify.AuthXOAuth2, Username: "gw", Password: wrong}, want: notify.Mend, answer: "535"},
		{name: "login in clear on loopback", server: mailsink.Options{Username: "gw", Password: "correct horse"}, client: notify.MailServer{TLS: notify.Plain, Username: "gw", Password: password}, want: notify.Accepted, user: "gw"},
		{name: "no such secret", server: login, client: notify.MailServer{CAFile: trusted, Username: "gw", Password: "env:GLASSWARD_NO_SUCH_VARIABLE"}, want: notify.Mend, answer: "not set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s *mailsink.Sink
			if c.implicit {
				l, err := tls.Listen("tcp", "127.0.0.1:0", config)
				if err != nil {
					t.Fatal(err)
				}
				s = mailsink.New(c.server)
				s.Serve(l)
				defer s.Close()
			} else {
				s = sink(t, c.server)
			}
			c.client.Host, c.client.Port = "localhost", s.Port()
			f, _ := notify.MailTo(t, c.client, notify.Network{})
			out := notify.DeliverSignIn(t, f)
			if out.Verdict != c.want || !strings.Contains(out.Answer, c.answer) {
				t.Fatalf("got %v, want %v with %q", out, c.want, c.answer)
			}
			for _, s := range []string{"correct horse", "battery staple", "Z3cAY29"} {
				if strings.Contains(out.Answer, s) {
					t.Errorf("the answer holds the login: %s", out.Answer)
				}
			}
			mails := s.Mails()
			if c.want != notify.Accepted {
				if len(mails) != 0 {
					t.Errorf("%d mails were sent", len(mails))
				}
				return
			}
			if len(mails) != 1 || mails[0].Encrypted != c.tls || mails[0].User != c.user {
				t.Fatalf("got %+v", mails)
			}
			if got, want := mails[0].Subject(), "[CRITICAL] Emergency Access Activity"; got != want {
				t.Errorf("subject %q, want %q", got, want)
			}
			m := notify.SignInMessage()
			if got, want := mails[0].Part("text/plain"), notify.NewView(m).String(); got != want {
				t.Errorf("text part:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestEmailReplies has a real server refuse or put off at the steps that it can.
func TestEmailReplies(t *testing.T) {
	reply := func(code int, text string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: text}
	}
	for _, c := range []struct {
		name   string
		server mailsink.Options
		want   notify.Verdict
		answer string
	}{
		{"recipient unknown", mailsink.Options{Rcpt: func(string) error { return reply(550, "no such user") }}, notify.Refused, "recipient: 550"},
		{"greylisted", mailsink.Options{Rcpt: func(string) error { return reply(451, "come back later") }}, notify.Retry, "recipient: 451"},
		{"mailbox full", mailsink.Options{Rcpt: func(string) error { return reply(552, "too much mail") }}, notify.Retry, "552"},
		{"policy", mailsink.Options{Accept: func(mailsink.Mail) error { return reply(554, "looks like spam") }}, notify.Refused, "acceptance: 554"},
		{"server busy", mailsink.Options{Accept: func(mailsink.Mail) error { return reply(452, "disk full") }}, notify.Retry, "acceptance: 452"},
		{"nasty words", mailsink.Options{Accept: func(mailsink.Mail) error { return reply(554, "\x1b[2J\u202E"+strings.Repeat("x", 1500)) }}, notify.Refused, "⟨U+001B⟩[2J⟨U+202E⟩"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sink(t, c.server)
			f, _ := notify.MailTo(t, notify.MailServer{Host: "127.0.0.1", Port: s.Port(), TLS: notify.Plain}, notify.Network{})
			out := notify.DeliverSignIn(t, f)
			if out.Verdict != c.want || !strings.Contains(out.Answer, c.answer) {
				t.Fatalf("got %v, want %v with %q", out, c.want, c.answer)
			}
			if len(out.Answer) > notify.MaxAnswer {
				t.Errorf("answer of %d bytes", len(out.Answer))
			}
		})
	}
}

// TestReceiverDownForAnHour is the outage of one mail server, in virtual time
// and with real SMTP and HTTP: everything is delivered afterwards, each mail
// once, and the other mail server and the webhook are not delayed by it.
func TestReceiverDownForAnHour(t *testing.T) {
	for _, how := range []string{"refuses connections", "hangs"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				well, ill, hooks := pipe.New("pipe"), pipe.New("pipe"), pipe.New("pipe")
				good, bad := mailsink.New(mailsink.Options{}), mailsink.New(mailsink.Options{})
				good.Serve(well)
				bad.Serve(ill)
				var calls sync.Map
				hook := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					calls.Store(r.Header.Get("webhook-id"), time.Now())
				})}
				go hook.Serve(hooks)
				down := true
				var mu sync.Mutex
				setDown := func(v bool) { mu.Lock(); down = v; mu.Unlock() }
				dial := func(ctx context.Context, network, address string) (net.Conn, error) {
					mu.Lock()
					isDown := down
					mu.Unlock()
					switch {
					case strings.HasPrefix(address, "bad.example"):
						if !isDown {
							return ill.Dial(ctx, network, address)
						}
						if how == "hangs" {
							client, server := net.Pipe()
							go func() { _, _ = io.Copy(io.Discard, server) }()
							return client, nil
						}
						return nil, errors.New("connection refused")
					case strings.HasPrefix(address, "127.0.0.1"):
						return hooks.Dial(ctx, network, address)
					}
					return well.Dial(ctx, network, address)
				}
				config := notify.Config{
					MailServers: []notify.MailServer{
						{Name: "good", Host: "good.example", TLS: notify.Opportunistic, From: "gw@example.net"},
						{Name: "bad", Host: "bad.example", TLS: notify.Opportunistic, From: "gw@example.net"},
					},
					ActionGroups: []notify.ActionGroup{{
						Name:  "oncall",
						Email: []notify.EmailReceiver{{Name: "a", EmailAddress: "a@example.org", Server: "good"}, {Name: "b", EmailAddress: "b@example.org", Server: "bad"}},
						Webhook: []notify.WebhookReceiver{
							{Name: "h", ServiceURI: "http://127.0.0.1/hook", AllowedNetworks: []string{"127.0.0.0/8"}},
						},
					}},
				}
				if err := config.Validate(); err != nil {
					t.Fatal(err)
				}
				fleet, err := notify.NewFleet(config, notify.Network{Dial: dial})
				if err != nil {
					t.Fatal(err)
				}
				box, told := notify.NewMemoryOutbox(), &notify.Troubles{}
				c, end := notify.RunCourier(t, notify.Options{Outbox: box, Fleet: fleet, Trouble: told.Tell})

				const notices = 60
				owed := map[string]time.Time{}
				for i := range notices {
					id := fmt.Sprintf("n%02d", i)
					owed[id] = time.Now()
					box.Owe(id, "oncall")
					c.Wake()
					time.Sleep(time.Minute)
				}
				for id, at := range owed {
					if d := box.Of("oncall/a")[glassward.NoticeID(id)]; d.Status != glassward.Delivered || d.Settled.Sub(at) > time.Second {
						t.Errorf("a, %s: %s after %s", id, d.Status, d.Settled.Sub(at))
					}
					called, ok := calls.Load(id)
					if !ok || called.(time.Time).Sub(at) > time.Second {
						t.Errorf("h, %s: not called within a second", id)
					}
				}
				if n := len(bad.Mails()); n != 0 {
					t.Fatalf("the server that is down took %d mails", n)
				}

				setDown(false)
				up := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
				defer cancel()
				mails, err := bad.Wait(ctx, notices)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				t.Logf("all delivered %s after the server was well again", time.Since(up))
				ids := map[string]int{}
				for _, m := range mails {
					ids[m.Header("Message-ID")]++
				}
				for id := range owed {
					if n := ids["<"+id+"@example.net>"]; n != 1 {
						t.Errorf("%s came %d times", id, n)
					}
					if d := box.Of("oncall/b")[glassward.NoticeID(id)]; d.Status != glassward.Delivered {
						t.Errorf("b, %s: %s", id, d.Status)
					}
				}
				if got, want := told.String(), "receiver-failing oncall/b over=false\nreceiver-failing oncall/b over=true\n"; got != want {
					t.Errorf("troubles:\n%swant:\n%s", got, want)
				}
				// No page waited longer than five minutes between two attempts; where
				// each attempt takes its whole timeout, the queue's turn comes on top.
				most := 5 * time.Minute
				if how == "hangs" {
					most += notices * notify.DefaultMailTimeout / notify.PerReceiver
				}
				attempts := box.AttemptsAt("oncall/b", "n00")
				if len(attempts) < 5 {
					t.Errorf("%d attempts in an hour", len(attempts))
				}
				for i := 1; i < len(attempts); i++ {
					gap := attempts[i].At.Sub(attempts[i-1].At.Add(attempts[i-1].Took))
					if gap > most {
						t.Errorf("%s between attempts %d and %d", gap, i, i+1)
					}
				}
				end()
				good.Close()
				bad.Close()
				hook.Close()
			})
		})
	}
}

// TestDeadAddress gives the second address of a name its turn in virtual time
// when the first one does not answer.
func TestDeadAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := pipe.New("pipe")
		server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })}
		go server.Serve(wire)
		r, err := notify.NewWebhook(notify.WebhookReceiver{ServiceURI: "http://two.example/"}, func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "8.8.8.8:80" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return wire.Dial(ctx, network, address)
		}, func(context.Context, string, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("8.8.4.4")}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		out := r.Deliver(t.Context(), notify.SignInMessage())
		if out.Verdict != notify.Accepted || time.Since(start) != notify.DefaultWebhookTimeout/2 {
			t.Errorf("got %v after %s", out, time.Since(start))
		}
		server.Close()
	})
}

// TestTestSend asks both receivers of a group, one of which is down.
func TestTestSend(t *testing.T) {
	s := sink(t, mailsink.Options{})
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer down.Close()
	g := notify.OnCall()
	g.Webhook = []notify.WebhookReceiver{{Name: "pager", ServiceURI: down.URL, AllowedNetworks: notify.Loopback}}
	f, err := notify.NewFleet(notify.Config{
		MailServers:  []notify.MailServer{{Name: "relay", Host: "127.0.0.1", Port: s.Port(), TLS: notify.Plain, From: "gw@example.net"}},
		ActionGroups: []notify.ActionGroup{g},
	}, notify.Network{})
	if err != nil {
		t.Fatal(err)
	}
	results, err := f.Test(t.Context(), "ONCALL")
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 || results[0].Receiver != "oncall/duty" || !results[0].OK || results[0].Kind != "email" ||
		results[1].OK || results[1].Kind != "webhook" || !strings.Contains(results[1].Answer, "503") {
		t.Errorf("got %+v", results)
	}
	mails := s.Mails()
	if len(mails) != 1 || mails[0].Subject() != "[TEST] [CRITICAL] Emergency Access Activity" || !strings.Contains(mails[0].Part("text/plain"), "Nothing has happened") {
		t.Errorf("got %v", mails)
	}
	if _, err := f.Test(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), "there are: oncall") {
		t.Errorf("got %v", err)
	}
}
