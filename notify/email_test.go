package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/internal/mailsink"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secret gives a reference to a secret that holds the value.
func secret(t testing.TB, value string) glassward.Secret {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return glassward.Secret("file:" + path)
}

func caFile(t testing.TB, pem []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

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

// mailTo makes a fleet with one e-mail receiver, "oncall/duty", on a server.
func mailTo(t testing.TB, s MailServer, n Network) (*Fleet, Config) {
	t.Helper()
	if s.From == "" {
		s.From = "Glassward <glassward@example.net>"
	}
	c := Config{MailServers: []MailServer{s}, ActionGroups: []ActionGroup{group()}}
	c.MailServers[0].Name = "relay"
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	f, err := NewFleet(c, n)
	if err != nil {
		t.Fatal(err)
	}
	return f, c
}

// deliver sends the sign-in to "oncall/duty".
func deliver(t testing.TB, f *Fleet) Outcome {
	t.Helper()
	r, ok := f.receiver("oncall/duty")
	if !ok {
		t.Fatal("no receiver oncall/duty")
	}
	g, _ := f.config.Group("oncall")
	return r.Deliver(t.Context(), newMessage(signIn(), g, link, ruleFacts))
}

// TestEmailSecurity sends through every kind of protection and login to a real
// server, and tries what must not work.
func TestEmailSecurity(t *testing.T) {
	config, ca, err := mailsink.SelfSigned(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	trusted := caFile(t, ca)
	password := secret(t, "correct horse")
	wrong := secret(t, "battery staple")
	open := mailsink.Options{}
	protected := mailsink.Options{TLS: config}
	login := mailsink.Options{TLS: config, Username: "gw", Password: "correct horse"}
	for _, c := range []struct {
		name     string
		server   mailsink.Options
		implicit bool
		client   MailServer
		want     Verdict
		answer   string // part of it
		user     string
		tls      bool
	}{
		{name: "plain on loopback", server: open, client: MailServer{TLS: Plain}, want: Accepted, answer: "250"},
		{name: "starttls", server: protected, client: MailServer{CAFile: trusted}, want: Accepted, tls: true},
		{name: "starttls, auto login", server: login, client: MailServer{CAFile: trusted, Username: "gw", Password: password}, want: Accepted, user: "gw", tls: true},
		{name: "starttls, PLAIN", server: login, client: MailServer{CAFile: trusted, Auth: AuthPlain, Username: "gw", Password: password}, want: Accepted, user: "gw", tls: true},
		{name: "starttls, LOGIN", server: login, client: MailServer{CAFile: trusted, Auth: AuthLogin, Username: "gw", Password: password}, want: Accepted, user: "gw", tls: true},
		{name: "implicit, login", server: login, implicit: true, client: MailServer{TLS: ImplicitTLS, CAFile: trusted, Username: "gw", Password: password}, want: Accepted, user: "gw", tls: true},
		{name: "opportunistic with", server: protected, client: MailServer{TLS: Opportunistic, CAFile: trusted}, want: Accepted, tls: true},
		{name: "opportunistic without", server: open, client: MailServer{TLS: Opportunistic}, want: Accepted},
		{name: "starttls not offered", server: open, client: MailServer{}, want: Mend, answer: "STARTTLS"},
		{name: "unknown authority", server: protected, client: MailServer{}, want: Mend, answer: "certificate"},
		{name: "implicit, unknown authority", server: protected, implicit: true, client: MailServer{TLS: ImplicitTLS}, want: Mend, answer: "certificate"},
		{name: "wrong password", server: login, client: MailServer{CAFile: trusted, Username: "gw", Password: wrong}, want: Mend, answer: "535"},
		{name: "no login where one is needed", server: login, client: MailServer{CAFile: trusted}, want: Mend, answer: "authenticate"},
		{name: "login not offered", server: protected, client: MailServer{CAFile: trusted, Auth: AuthPlain, Username: "gw", Password: password}, want: Mend, answer: "AUTH"},
		{name: "xoauth2 not offered", server: login, client: MailServer{CAFile: trusted, Auth: AuthXOAuth2, Username: "gw", Password: password}, want: Mend},
		{name: "no such secret", server: login, client: MailServer{CAFile: trusted, Username: "gw", Password: "env:GLASSWARD_NO_SUCH_VARIABLE"}, want: Mend, answer: "not set"},
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
			f, _ := mailTo(t, c.client, Network{})
			out := deliver(t, f)
			if out.Verdict != c.want || !strings.Contains(out.Answer, c.answer) {
				t.Fatalf("got %v, want %v with %q", out, c.want, c.answer)
			}
			for _, s := range []string{"correct horse", "battery staple", "Z3cAY29"} {
				if strings.Contains(out.Answer, s) {
					t.Errorf("the answer holds the login: %s", out.Answer)
				}
			}
			mails := s.Mails()
			if c.want != Accepted {
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
			m := newMessage(signIn(), group(), link, ruleFacts)
			if got, want := mails[0].Part("text/plain"), NewView(m).String(); got != want {
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
		want   Verdict
		answer string
	}{
		{"recipient unknown", mailsink.Options{Rcpt: func(string) error { return reply(550, "no such user") }}, Refused, "recipient: 550"},
		{"greylisted", mailsink.Options{Rcpt: func(string) error { return reply(451, "come back later") }}, Retry, "recipient: 451"},
		{"mailbox full", mailsink.Options{Rcpt: func(string) error { return reply(552, "too much mail") }}, Retry, "552"},
		{"policy", mailsink.Options{Accept: func(mailsink.Mail) error { return reply(554, "looks like spam") }}, Refused, "acceptance: 554"},
		{"server busy", mailsink.Options{Accept: func(mailsink.Mail) error { return reply(452, "disk full") }}, Retry, "acceptance: 452"},
		{"nasty words", mailsink.Options{Accept: func(mailsink.Mail) error { return reply(554, "\x1b[2J‮"+strings.Repeat("x", 1500)) }}, Refused, "⟨U+001B⟩[2J⟨U+202E⟩"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sink(t, c.server)
			f, _ := mailTo(t, MailServer{Host: "127.0.0.1", Port: s.Port(), TLS: Plain}, Network{})
			out := deliver(t, f)
			if out.Verdict != c.want || !strings.Contains(out.Answer, c.answer) {
				t.Fatalf("got %v, want %v with %q", out, c.want, c.answer)
			}
			if len(out.Answer) > maxAnswer {
				t.Errorf("answer of %d bytes", len(out.Answer))
			}
		})
	}
}

// A peer is a mail server that follows a script: what it says, and where it
// stops to answer.
type peer struct {
	greeting string // "" hangs at once
	hang     string // the command that is never answered; "." is the final dot
	drop     string // the command at which the connection is closed
	garbage  string // the command answered by what is no SMTP
	endless  bool   // the greeting never ends
	mails    chan string
}

// serve speaks with one client until it leaves or the script ends.
func (p *peer) serve(c net.Conn) {
	defer c.Close()
	if p.greeting == "" {
		_, _ = c.Read(make([]byte, 1)) // until the client gives up
		return
	}
	for p.endless {
		if _, err := fmt.Fprintf(c, "220-%s\r\n", strings.Repeat("x", 1000)); err != nil {
			return
		}
	}
	fmt.Fprintf(c, "%s\r\n", p.greeting)
	var data strings.Builder
	inData := false
	buf := make([]byte, 0, 4096)
	for {
		i := strings.IndexByte(string(buf), '\n')
		if i < 0 {
			chunk := make([]byte, 4096)
			n, err := c.Read(chunk)
			if err != nil {
				return
			}
			buf = append(buf, chunk[:n]...)
			continue
		}
		line := strings.TrimRight(string(buf[:i]), "\r")
		buf = buf[i+1:]
		command, _, _ := strings.Cut(line, " ")
		command = strings.ToUpper(command)
		if inData {
			data.WriteString(line + "\n")
			command = "body"
			if line == "." {
				command = "."
			}
		}
		switch command {
		case p.hang:
			_, _ = io.Copy(io.Discard, c) // until the client gives up
			return
		case p.drop:
			if command == "." {
				p.mails <- data.String()
			}
			return
		case p.garbage:
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n\r\n<html>\r\n")
			continue
		}
		switch command {
		case "EHLO", "HELO", "MAIL", "RCPT":
			fmt.Fprintf(c, "250 fine\r\n")
		case "DATA":
			fmt.Fprintf(c, "354 go on\r\n")
			inData = true
			data.Reset()
		case "body":
		case ".":
			inData = false
			p.mails <- data.String()
			fmt.Fprintf(c, "250 taken\r\n")
		case "QUIT":
			fmt.Fprintf(c, "221 bye\r\n")
			return
		default:
			fmt.Fprintf(c, "502 what?\r\n")
		}
	}
}

// start gives a network in which every address is the peer's.
func (p *peer) start() Network {
	p.mails = make(chan string, 16)
	return Network{Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go p.serve(server)
		return client, nil
	}}
}

// TestEmailFaults breaks the session in every phase.
func TestEmailFaults(t *testing.T) {
	const ok = "220 ready"
	for _, c := range []struct {
		name   string
		peer   peer
		want   Verdict
		answer string
	}{
		{"hangs before greeting", peer{}, Retry, "connect: no answer in time"},
		{"hangs at EHLO", peer{greeting: ok, hang: "EHLO"}, Retry, "connect: no answer"},
		{"hangs at MAIL", peer{greeting: ok, hang: "MAIL"}, Retry, "sender: no answer"},
		{"hangs at RCPT", peer{greeting: ok, hang: "RCPT"}, Retry, "recipient: no answer"},
		{"hangs at DATA", peer{greeting: ok, hang: "DATA"}, Retry, "data: no answer"},
		{"hangs in the mail", peer{greeting: ok, hang: "body"}, Retry, "no answer"},
		{"hangs at the dot", peer{greeting: ok, hang: "."}, Retry, "same Message-ID"},
		{"hangs at QUIT", peer{greeting: ok, hang: "QUIT"}, Accepted, "250 taken"},
		{"closes at EHLO", peer{greeting: ok, drop: "EHLO"}, Retry, "connect: "},
		{"closes at RCPT", peer{greeting: ok, drop: "RCPT"}, Retry, "recipient: "},
		{"closes in the mail", peer{greeting: ok, drop: "body"}, Retry, ""},
		{"closes after the dot", peer{greeting: ok, drop: "."}, Retry, "same Message-ID"},
		{"speaks something else", peer{greeting: "SSH-2.0-OpenSSH_9.9"}, Retry, "connect: "},
		{"garbage at MAIL", peer{greeting: ok, garbage: "MAIL"}, Retry, "sender: "},
		{"talks without end", peer{greeting: ok, endless: true}, Retry, "without end"},
		{"wants us gone", peer{greeting: "554 no service"}, Mend, "554"},
		{"is closing", peer{greeting: "421 too busy"}, Retry, "421"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, _ := mailTo(t, MailServer{Host: "localhost", TLS: Plain, Timeout: 200 * time.Millisecond}, c.peer.start())
			out := deliver(t, f)
			if out.Verdict != c.want || !strings.Contains(out.Answer, c.answer) {
				t.Errorf("got %v, want %v with %q", out, c.want, c.answer)
			}
		})
	}
}

// TestEmailRepeat loses the server's acceptance: the mail goes out again, the
// same to its Message-ID.
func TestEmailRepeat(t *testing.T) {
	p := &peer{greeting: "220 ready", drop: "."}
	f, _ := mailTo(t, MailServer{Host: "localhost", TLS: Plain}, p.start())
	id := func(mail string) string {
		_, rest, _ := strings.Cut(mail, "\nMessage-ID: ")
		id, _, _ := strings.Cut(rest, "\n")
		return id
	}
	if out := deliver(t, f); out.Verdict != Retry {
		t.Fatalf("first attempt: %v", out)
	}
	first := id(<-p.mails)
	p.drop = ""
	if out := deliver(t, f); out.Verdict != Accepted {
		t.Fatalf("second attempt: %v", out)
	}
	if second := id(<-p.mails); first != second || first != "<5f2d7c0e9b1a4d6f8e3c2b1a09f8e7d6@example.net>" {
		t.Errorf("Message-ID %q, then %q", first, second)
	}
}

func TestEmailStops(t *testing.T) {
	p := &peer{}
	f, _ := mailTo(t, MailServer{Host: "localhost", TLS: Plain}, p.start())
	r, _ := f.receiver("oncall/duty")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	out := r.Deliver(ctx, newMessage(signIn(), group(), nil, nil))
	if out.Verdict != Retry || !strings.Contains(out.Answer, context.Canceled.Error()) {
		t.Errorf("got %v", out)
	}
}

// TestSMTPVerdict is the table of reply codes by phase.
func TestSMTPVerdict(t *testing.T) {
	phases := []smtpPhase{phaseConnect, phaseMail, phaseRcpt, phaseData, phaseDot}
	for code, want := range map[int]string{ // r retry, m mend, f refused, by phase
		0: "rrrrr", 199: "rrrrr", 250: "rrrrr", 354: "rrrrr", 600: "rrrrr",
		421: "rrrrr", 432: "rrrrr", 450: "rrrrr", 451: "rrrrr", 452: "rrrrr", 454: "rrrrr", 455: "rrrrr",
		500: "mmfff", 501: "mmfff", 502: "mmfff", 503: "mmrrr", 504: "mmfff",
		521: "mmmmm", 530: "mmmmm", 534: "mmmmm", 535: "mmmmm", 538: "mmmmm",
		550: "mmfff", 551: "mmfff", 552: "mmrff", 553: "mmfff", 554: "mmfff", 555: "mmfff", 556: "mmfff",
	} {
		for i, p := range phases {
			w := map[byte]Verdict{'r': Retry, 'm': Mend, 'f': Refused}[want[i]]
			if got := smtpVerdict(p, code); got != w {
				t.Errorf("%s %d: got %v, want %v", p, code, got, w)
			}
		}
	}
	if v, _ := smtpOutcome(phaseConnect, &networkError{&net.DNSError{IsNotFound: true}}); v != Mend {
		t.Errorf("unknown host: %v", v)
	}
	if v, _ := smtpOutcome(phaseConnect, &networkError{errors.New("connection refused")}); v != Retry {
		t.Errorf("dial: %v", v)
	}
}
