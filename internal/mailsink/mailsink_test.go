package mailsink

import (
	"context"
	"errors"
	"net"
	"net/smtp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"glassward/internal/pipe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mixed = "From: a@example.net\r\nTo: b@example.org\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\n" +
	"Content-Type: multipart/alternative; boundary=x\r\n\r\n" +
	"--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nf=C3=BCr=\r\n alle=1B[2J\r\n" +
	"--x\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--x--\r\n"

// TestSink takes mails over the standard library's client.
func TestSink(t *testing.T) {
	s, err := Listen("127.0.0.1:0", Options{Keep: 2})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := smtp.SendMail(s.Addr(), nil, "a@example.net", []string{"b@example.org"}, []byte(mixed)); err != nil {
			t.Fatal(err)
		}
	}
	mails, err := s.Wait(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(mails) != 2 {
		t.Fatalf("%d mails are kept, want 2", len(mails))
	}
	m := mails[0]
	if m.From != "a@example.net" || len(m.To) != 1 || string(m.Data) != mixed || m.Encrypted || m.User != "" {
		t.Errorf("got %+v", m)
	}
	if m.Subject() != "grün" || m.Part("text/plain") != "für alle\x1b[2J" || m.Part("text/html") != "<p>x</p>" || m.Part("text/calendar") != "" {
		t.Errorf("subject %q, text %q, html %q", m.Subject(), m.Part("text/plain"), m.Part("text/html"))
	}
	if got, want := m.String(), "From: a@example.net\nTo: b@example.org\nSubject: grün\n\nfür alle[2J"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if s.Port() == 0 || s.Addr() == "" {
		t.Errorf("address %q, port %d", s.Addr(), s.Port())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Wait(ctx, 9); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestSinkRefuses asks for a login and for a recipient that it knows.
func TestSinkRefuses(t *testing.T) {
	config, _, err := SelfSigned(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Listen("127.0.0.1:0", Options{TLS: config, Username: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := smtp.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Mail("a@example.net"); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("mail without login: %v", err)
	}
	if ok, _ := c.Extension("AUTH"); ok {
		t.Error("a login is offered without TLS")
	}
	if ok, _ := c.Extension("STARTTLS"); !ok {
		t.Error("STARTTLS is not offered")
	}
}

// TestPipe runs the same server in virtual time.
func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipe.New("pipe")
		s := New(Options{})
		s.Serve(p)
		conn, err := p.Dial(t.Context(), "tcp", "anywhere:25")
		if err != nil {
			t.Fatal(err)
		}
		c, err := smtp.NewClient(conn, "anywhere")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := errors.Join(c.Mail("a@example.net"), c.Rcpt("b@example.org")); err != nil {
			t.Fatal(err)
		}
		w, err := c.Data()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(mixed)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Close(), c.Quit()); err != nil {
			t.Fatal(err)
		}
		if n := len(s.Mails()); n != 1 {
			t.Errorf("%d mails", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := p.Dial(t.Context(), "tcp", "anywhere:25"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dial after Close: %v", err)
		}
	})
}
