// Package mailsink is a mail server that keeps what it is given. The demo shows
// its mails as received; tests read them. It speaks real SMTP (RFC 5321) with
// STARTTLS and authentication, on a socket or over pipes.
package mailsink

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options are what a Sink is made of; the zero value is an open server without
// TLS.
type Options struct {
	// TLS offers STARTTLS.
	TLS *tls.Config
	// Username and Password must be given at login; without them none is asked
	// for.
	Username, Password string
	// Rcpt and Accept are asked before a recipient and a mail are accepted; an
	// *smtp.SMTPError is answered as it is. Nil accepts.
	Rcpt   func(to string) error
	Accept func(m Mail) error
	// Keep is how many mails are kept, the oldest being dropped; 10,000 if zero.
	Keep int
	// Began is called when a client may send the body of a mail (DATA), for
	// measuring; nil for nobody.
	Began func()
}

// A Mail is a mail as received.
type Mail struct {
	From string
	To   []string
	// Data is the mail byte-exact, headers first, lines ending in CRLF.
	Data []byte
	// Encrypted tells whether it came over TLS, User who had logged in.
	Encrypted bool
	User      string
	Received  time.Time
}

// A Sink is the server. It is safe for concurrent use.
type Sink struct {
	o      Options
	server *smtp.Server

	mu    sync.Mutex
	mails []Mail
	total int           // mails ever received
	more  chan struct{} // closed when a mail arrives
	work  sync.WaitGroup

	listeners []net.Listener
}

// maxMail bounds a mail.
const maxMail = 4 << 20

// New makes a sink; Serve or Listen starts it.
func New(o Options) *Sink {
	if o.Keep == 0 {
		o.Keep = 10_000
	}
	s := &Sink{o: o, more: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{sink: s, conn: c}, nil
	}))
	s.server.Domain = "mailsink"
	s.server.MaxMessageBytes = maxMail
	s.server.TLSConfig = o.TLS
	s.server.AllowInsecureAuth = o.TLS == nil
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

// Listen starts the sink on an address ("127.0.0.1:0" for any port).
func Listen(address string, o Options) (*Sink, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for mail: %w", err)
	}
	s := New(o)
	s.Serve(l)
	return s, nil
}

// Serve takes connections from a listener until Close; it returns at once.
func (s *Sink) Serve(l net.Listener) {
	s.mu.Lock()
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	s.work.Go(func() {
		// It ends with an error whenever the listener is closed; that is Close's
		// doing.
		_ = s.server.Serve(l)
	})
}

// Addr gives the address of the last listener, empty if there is none.
func (s *Sink) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) == 0 {
		return ""
	}
	return s.listeners[len(s.listeners)-1].Addr().String()
}

// Port gives the port of Addr, 0 if it has none.
func (s *Sink) Port() int {
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return n
}

// Close ends the sink and its connections. The mails stay.
func (s *Sink) Close() error {
	err := s.server.Close()
	// The server may not have seen a listener yet that it was just given.
	s.mu.Lock()
	for _, l := range s.listeners {
		_ = l.Close() // closed twice is closed
	}
	s.mu.Unlock()
	s.work.Wait()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, smtp.ErrServerClosed) {
		return nil
	}
	return err
}

// Mails gives the mails that were received, in their order.
func (s *Sink) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Wait waits until n mails have been received in all and gives those kept.
func (s *Sink) Wait(ctx context.Context, n int) ([]Mail, error) {
	for {
		s.mu.Lock()
		mails, total, more := slices.Clone(s.mails), s.total, s.more
		s.mu.Unlock()
		if total >= n {
			return mails, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return mails, fmt.Errorf("wait for %d mails, %d came: %w", n, total, ctx.Err())
		}
	}
}

func (s *Sink) keep(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, m)
	if len(s.mails) > s.o.Keep {
		s.mails = slices.Delete(s.mails, 0, len(s.mails)-s.o.Keep)
	}
	s.total++
	close(s.more)
	s.more = make(chan struct{})
}

// A session is one client's.
type session struct {
	sink *Sink
	conn *smtp.Conn
	user string
	mail Mail
}

func (s *session) AuthMechanisms() []string {
	if s.sink.o.Username == "" {
		return nil
	}
	return []string{sasl.Plain, sasl.Login, "XOAUTH2"}
}

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != s.sink.o.Username || password != s.sink.o.Password {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
	case sasl.Login:
		return &login{check: check}, nil
	case "XOAUTH2":
		return xoauth2(check), nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.sink.o.Username != "" && s.user == "" {
		return smtp.ErrAuthRequired
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.mail = Mail{From: from, User: s.user, Encrypted: encrypted}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.sink.o.Rcpt != nil {
		if err := s.sink.o.Rcpt(to); err != nil {
			return err
		}
	}
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	if s.sink.o.Began != nil {
		s.sink.o.Began()
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m := s.mail
	m.Data, m.Received = data, time.Now()
	if s.sink.o.Accept != nil {
		if err := s.sink.o.Accept(m); err != nil {
			return err
		}
	}
	s.sink.keep(m)
	return nil
}

func (s *session) Reset()        { s.mail = Mail{} }
func (s *session) Logout() error { return nil }

// login is AUTH LOGIN, which go-sasl has for clients only.
type login struct {
	check func(user, password string) error
	user  string
	step  int
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	if l.step == 0 && response != nil { // the name came with the command
		l.step = 1
	}
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

// xoauth2 is Google's and Microsoft's AUTH XOAUTH2; the token is the password.
type xoauth2 func(user, token string) error

func (check xoauth2) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil {
		return []byte{}, false, nil
	}
	user, rest, _ := strings.Cut(strings.TrimPrefix(string(response), "user="), "\x01")
	token, _, _ := strings.Cut(strings.TrimPrefix(rest, "auth=Bearer "), "\x01")
	return nil, true, check(user, token)
}

// message reads the mail's headers.
func (m Mail) message() (*mail.Message, error) { return mail.ReadMessage(bytes.NewReader(m.Data)) }

// Header gives a header's value with encoded words decoded, empty if the mail
// has none of that name.
func (m Mail) Header(name string) string {
	msg, err := m.message()
	if err != nil {
		return ""
	}
	v := msg.Header.Get(name)
	if decoded, err := new(mime.WordDecoder).DecodeHeader(v); err == nil {
		return decoded
	}
	return v
}

// Subject gives the decoded subject.
func (m Mail) Subject() string { return m.Header("Subject") }

// Part gives the first part of a content type ("text/plain", "text/html"),
// decoded, with LF line ends; empty if there is none.
func (m Mail) Part(contentType string) string {
	msg, err := m.message()
	if err != nil {
		return ""
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		if err == nil && kind == contentType {
			return body(msg.Body, msg.Header.Get("Content-Transfer-Encoding"))
		}
		return ""
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err != nil {
			return ""
		}
		if kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type")); err == nil && kind == contentType {
			return body(p, p.Header.Get("Content-Transfer-Encoding"))
		}
	}
}

func body(r io.Reader, encoding string) string {
	if strings.EqualFold(encoding, "quoted-printable") {
		r = quotedprintable.NewReader(r)
	}
	b, _ := io.ReadAll(io.LimitReader(r, maxMail)) // what could be decoded of a part is shown
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// String shows the mail as a person reads it: the headers that matter and the
// text part, without control characters.
func (m Mail) String() string {
	var b strings.Builder
	for _, name := range []string{"Date", "From", "To", "Subject", "Message-ID", "References", "Auto-Submitted"} {
		if v := m.Header(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, clean(v))
		}
	}
	b.WriteByte('\n')
	b.WriteString(clean(m.Part("text/plain")))
	return b.String()
}

// clean keeps line ends and drops other controls: whoever mails us must not
// drive the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r >= ' ' && r != 0x7f && (r < 0x80 || r >= 0xa0) && (r < 0x202a || r > 0x202e) && (r < 0x2066 || r > 0x2069) {
			return r
		}
		return -1
	}, s)
}
