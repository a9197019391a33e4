package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
)

// A smtpPhase is the step of an SMTP session that a reply answers.
type smtpPhase string

const (
	phaseConnect smtpPhase = "connect"    // dial, greeting, EHLO, STARTTLS, AUTH
	phaseMail    smtpPhase = "sender"     // MAIL FROM
	phaseRcpt    smtpPhase = "recipient"  // RCPT TO
	phaseData    smtpPhase = "data"       // DATA, before the first byte of the mail
	phaseBody    smtpPhase = "mail"       // while the mail was written
	phaseDot     smtpPhase = "acceptance" // the reply to the final dot
)

// smtpVerdict judges a reply code (RFC 5321 §4.2) by the phase that it came in.
//
// 4yz is for a while in every phase. 5yz is final where it is about this
// recipient or this mail; where it is about us (we may not connect, log in or
// send as that sender), no other mail would fare better and somebody has to
// mend it. 552 to RCPT is for a while by RFC 5321 §4.5.3.1.10. 530 wants a
// login or TLS, whenever it comes. Anything else is no SMTP.
func smtpVerdict(phase smtpPhase, code int) Verdict {
	switch {
	case code >= 400 && code < 500:
		return Retry
	case code < 500 || code > 599:
		return Retry
	case code == 530, code == 534, code == 535, code == 538, code == 521:
		return Mend
	}
	switch phase {
	case phaseConnect, phaseMail:
		return Mend
	case phaseRcpt:
		if code == 552 {
			return Retry
		}
	}
	if code == 503 { // bad sequence: the server lost its place
		return Retry
	}
	return Refused
}

// smtpOutcome judges an error of a session.
func smtpOutcome(phase smtpPhase, err error) (Verdict, string) {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return smtpVerdict(phase, reply.Code), fmt.Sprintf("%s: %d %s", phase, reply.Code, reply.Msg)
	}
	text := string(phase) + ": " + err.Error()
	if phase == phaseDot {
		text += " (the mail may have been accepted; it goes out again with the same Message-ID)"
	}
	verdict := connectionVerdict(err)
	if phase == phaseConnect && !isNetwork(err) {
		verdict = Mend // the server speaks, and lacks what we were told to use: STARTTLS, AUTH
	}
	return verdict, text
}

// A networkError marks what a dialer said.
type networkError struct{ error }

func (e *networkError) Unwrap() error { return e.error }

// isNetwork tells whether an error is one of the connection or of what came
// over it, and not of what both sides are able to do.
func isNetwork(err error) bool {
	var dialed *networkError
	var network net.Error
	var garbage textproto.ProtocolError
	return errors.As(err, &dialed) || errors.As(err, &network) || errors.As(err, &garbage) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, errTimeout) || errors.Is(err, errTalkative) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// isCertificate tells whether an error is about the peer's certificate.
func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
