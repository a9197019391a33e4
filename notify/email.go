package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"sync/atomic"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"glassward/internal/fault"
)

// An emailReceiver sends mails to one address. Every mail has a session of its
// own with one recipient, so that the refusal of one address loses no other.
type emailReceiver struct {
	to     string
	server *mailServer
	html   htmlRenderer
}

// A mailServer is a MailServer in use; its receivers share it.
type mailServer struct {
	MailServer
	from  *mail.Address
	roots *x509.CertPool
	dial  DialFunc
	slots chan struct{} // one for each connection that may be open
}

func newMailServer(s MailServer, dial DialFunc) (*mailServer, error) {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return nil, fmt.Errorf("from %q: %w", s.From, err)
	}
	roots, err := readCA(s.CAFile)
	if err != nil {
		return nil, err
	}
	n := s.Connections
	if n == 0 {
		n = defaultConnections
	}
	return &mailServer{MailServer: s, from: from, roots: roots, dial: dial, slots: make(chan struct{}, n)}, nil
}

// readCA reads a file of PEM certificates; nil, the system's, for no file.
func readCA(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("caFile: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("caFile %s: holds no PEM certificate", file)
	}
	return pool, nil
}

// Deliver sends the message in one SMTP session (RFC 5321).
func (r *emailReceiver) Deliver(ctx context.Context, m Message) Outcome {
	raw, err := compose(m, r.html, r.server.from, r.to, time.Now())
	if err != nil {
		return Outcome{Verdict: Mend, Answer: answer(err.Error())}
	}
	return r.server.send(ctx, r.to, raw)
}

// send waits for a slot, talks, and judges. Until the final dot the server has
// the configured timeout, then as long again to accept the mail: a server that
// scans mails is slow there, and giving up early would send it twice.
func (s *mailServer) send(ctx context.Context, to string, raw []byte) Outcome {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return Outcome{Answer: "stopped while waiting for a connection"}
	}
	password := ""
	if s.auth() != AuthNone {
		var err error
		if password, err = s.Password.Reveal(); err != nil {
			return Outcome{Verdict: Mend, Answer: answer(err.Error())}
		}
	}
	session := &smtpSession{server: s, password: password, phase: phaseConnect}
	reply, err := session.run(ctx, to, raw)
	if err == nil {
		return Outcome{Verdict: Accepted, Answer: s.answer(reply, password)}
	}
	verdict, text := smtpOutcome(session.phase, err)
	return Outcome{Verdict: verdict, Answer: s.answer(text, password)}
}

// answer removes the login from what is recorded, plain and as AUTH sends it.
func (s *mailServer) answer(text, password string) string {
	if password == "" {
		return answer(text)
	}
	b64 := base64.StdEncoding.EncodeToString
	return answer(text, password, b64([]byte(password)), b64([]byte("\x00"+s.Username+"\x00"+password)))
}

// A smtpSession is one connection with one mail.
type smtpSession struct {
	server   *mailServer
	password string
	phase    smtpPhase
	conn     atomic.Pointer[net.Conn]
	late     atomic.Bool // the timeout ran out
}

var errTimeout = errors.New("no answer in time")

// run does the session and gives the server's reply to the mail. Ending ctx, or
// the timeout, closes the connection and so frees whatever hangs.
func (s *smtpSession) run(ctx context.Context, to string, raw []byte) (reply string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timeout := s.server.timeout()
	clock := time.AfterFunc(timeout, func() { s.late.Store(true); cancel() })
	defer clock.Stop()
	defer context.AfterFunc(ctx, s.close)()
	defer s.close()
	defer func() {
		if err != nil && s.late.Load() {
			err = fmt.Errorf("%w (%s)", errTimeout, timeout)
		} else if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}()

	c, err := s.connect(ctx, timeout)
	if err != nil {
		return "", err
	}
	s.phase = phaseMail
	if err := c.Mail("<" + s.server.from.Address + ">"); err != nil {
		return "", err
	}
	s.phase = phaseRcpt
	if err := c.Rcpt("<" + to + ">"); err != nil {
		return "", err
	}
	s.phase = phaseData
	w, err := c.Data()
	if err != nil {
		return "", err
	}
	s.phase = phaseBody
	if _, err := w.Write(raw); err != nil {
		return "", err
	}
	s.phase = phaseDot
	clock.Reset(timeout)
	if err := c.UpdateDeadline(2 * timeout); err != nil {
		return "", err
	}
	if err := fault.Point("notify.dot.before"); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if d, ok := w.(*smtp.DataCloser); ok {
		reply = d.ServerResponse()
	}
	// The mail is the server's now. QUIT is politeness; its reply is not awaited,
	// since a server that hangs here must not make a delivered mail look late.
	if c.UpdateDeadline(time.Second) == nil {
		_, _ = c.Text.Cmd("QUIT")
	}
	return "250 " + reply, nil
}

// connect opens the connection up to and including the login.
func (s *smtpSession) connect(ctx context.Context, timeout time.Duration) (*smtp.Client, error) {
	srv := s.server
	config := &tls.Config{ServerName: srv.Host, RootCAs: srv.roots, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{
		gomail.WithPort(srv.port()),
		// The session keeps its own time; the client's deadline is only the net
		// below.
		gomail.WithTimeout(2 * timeout),
		gomail.WithHELO(cmp.Or(srv.Helo, domainOf(srv.from.Address))),
		gomail.WithTLSConfig(config),
		gomail.WithoutSMTPUTF8(), // addresses are ASCII by Validate
		gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			return s.open(ctx, network, address, config)
		}),
	}
	switch srv.tls() {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case Opportunistic, ImplicitTLS: // with implicit TLS the dialer did it, and the server offers no more
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case Plain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if srv.auth() != AuthNone {
		options = append(options, gomail.WithUsername(srv.Username), gomail.WithPassword(s.password), srv.authOption())
	}
	c, err := gomail.NewClient(srv.Host, options...)
	if err != nil {
		return nil, err
	}
	return c.DialToSMTPClientWithContext(ctx)
}

// authOption chooses the login. A loopback server without TLS may have the
// password in the clear; Validate allows that nowhere else.
func (s *mailServer) authOption() gomail.Option {
	mode := map[AuthMode]gomail.SMTPAuthType{
		AuthPlain: gomail.SMTPAuthPlain, AuthLogin: gomail.SMTPAuthLogin, AuthXOAuth2: gomail.SMTPAuthXOAUTH2,
	}[s.auth()]
	if s.tls() == Plain {
		switch mode {
		case gomail.SMTPAuthPlain:
			mode = gomail.SMTPAuthPlainNoEnc
		case gomail.SMTPAuthLogin:
			mode = gomail.SMTPAuthLoginNoEnc
		}
	}
	if mode != "" {
		return gomail.WithSMTPAuth(mode)
	}
	prefer := []gomail.SMTPAuthType{
		gomail.SMTPAuthSCRAMSHA256PLUS, gomail.SMTPAuthSCRAMSHA256,
		gomail.SMTPAuthSCRAMSHA1PLUS, gomail.SMTPAuthSCRAMSHA1,
	}
	if s.tls() == Plain {
		prefer = append(prefer[1:2:2], gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc)
	} else {
		prefer = append(prefer, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin)
	}
	return gomail.WithOpportunisticSMTPAuth(prefer...)
}

// maxSession bounds the bytes that a server may send in a session, TLS
// included; the client library reads replies without bound.
const maxSession = 256 << 10

// open dials, remembers the connection so that it can be closed from outside,
// and wraps it in TLS where that comes first.
func (s *smtpSession) open(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
	raw, err := s.server.dial(ctx, network, address)
	if err != nil {
		return nil, &networkError{err}
	}
	s.conn.Store(&raw)
	if err := ctx.Err(); err != nil {
		// What closes the connection when ctx ends may have run before there was one.
		s.close()
		return nil, err
	}
	bounded := &boundedConn{Conn: raw, left: maxSession}
	if s.server.tls() != ImplicitTLS {
		return bounded, nil
	}
	c := tls.Client(bounded, config)
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (s *smtpSession) close() {
	if c := s.conn.Load(); c != nil {
		_ = (*c).Close() // the session is over; nobody waits for what is in flight
	}
}

// A boundedConn gives an error when more is read than it allows.
type boundedConn struct {
	net.Conn
	left int
}

var errTalkative = errors.New("the server sends without end")

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTalkative
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
