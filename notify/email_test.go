package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"glassward"
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

// TestEmailFaults breaks the session in every phase, in virtual time.
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
			synctest.Test(t, func(t *testing.T) {
				f, _ := mailTo(t, MailServer{Host: "localhost", TLS: Plain, Timeout: 200 * time.Millisecond}, c.peer.start())
				out := deliver(t, f)
				if out.Verdict != c.want || !strings.Contains(out.Answer, c.answer) {
					t.Errorf("got %v, want %v with %q", out, c.want, c.answer)
				}
			})
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

// TestEmailStops stops a session that has begun: the server has the connection, and
// says nothing.
func TestEmailStops(t *testing.T) {
	p := &peer{}
	n := p.start()
	ctx, cancel := context.WithCancel(t.Context())
	dial := n.Dial
	n.Dial = func(c context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(c, network, address)
		cancel()
		return conn, err
	}
	f, _ := mailTo(t, MailServer{Host: "localhost", TLS: Plain}, n)
	r, _ := f.receiver("oncall/duty")
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
