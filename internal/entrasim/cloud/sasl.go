package cloud

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The cluster behind a namespace knows neither OAUTHBEARER nor a password that
// changes. So the namespace itself asks who somebody is, and lets through what
// follows.

// maxFrame bounds what a client may send before it is known.
const maxFrame = 1 << 20

// serve speaks with one client until either side ends.
func (h *hubs) serve(client net.Conn) {
	defer client.Close()
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.conns[client] = true
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.conns, client)
		h.mu.Unlock()
	}()
	if h.start() != nil {
		return
	}
	h.mu.Lock()
	back := h.back
	h.mu.Unlock()
	if back == nil {
		return
	}
	near, err := back.Dial(context.Background(), "tcp", h.address)
	if err != nil {
		return
	}
	var write sync.Mutex
	var answers sync.WaitGroup
	answers.Go(func() {
		defer client.Close()
		for {
			frame, err := readFrame(near, 1<<30)
			if err != nil {
				return
			}
			write.Lock()
			err = writeFrame(client, frame)
			write.Unlock()
			if err != nil {
				return
			}
		}
	})
	s := &session{h: h}
	for {
		limit := maxFrame
		if s.known {
			limit = 1 << 30
		}
		frame, err := readFrame(client, limit)
		if err != nil {
			break
		}
		reply, pass, last := s.take(frame)
		if reply != nil {
			write.Lock()
			err = writeFrame(client, reply)
			write.Unlock()
		}
		if pass && err == nil {
			err = writeFrame(near, frame)
		}
		if err != nil || last {
			break
		}
	}
	near.Close()
	answers.Wait()
}

func readFrame(r io.Reader, limit int) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(size[:])))
	if n < 8 && n != 4 && n != 5 || n > limit {
		return nil, errors.New("a frame of that size is not taken")
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}

func writeFrame(w io.Writer, frame []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}

// A session is what is known of a client.
type session struct {
	h         *hubs
	mechanism string
	known     bool
}

// take judges a request: it is answered here, or passed on, or the connection
// ends, as it does for everything from somebody unknown.
func (s *session) take(frame []byte) (reply []byte, pass, last bool) {
	if len(frame) < 8 {
		return nil, false, true
	}
	key := int16(binary.BigEndian.Uint16(frame))
	version := int16(binary.BigEndian.Uint16(frame[2:]))
	correlation := frame[4:8]
	switch key {
	case int16(kmsg.ApiVersions):
		return nil, true, false
	case int16(kmsg.SASLHandshake), int16(kmsg.SASLAuthenticate):
	default:
		if s.known {
			switch key {
			case int16(kmsg.Fetch), int16(kmsg.ListOffsets), int16(kmsg.Metadata):
				s.h.pump()
			}
		}
		return nil, s.known, !s.known
	}
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	if version > req.MaxVersion() {
		return nil, false, true
	}
	b := kbin.Reader{Src: frame[8:]}
	b.NullableString() // the client's id
	if req.IsFlexible() {
		for n := b.Uvarint(); n > 0 && b.Ok(); n-- { // tags, which say nothing yet
			b.Uvarint()
			b.Span(int(b.Uvarint()))
		}
	}
	var resp kmsg.Response
	switch r := req.(type) {
	case *kmsg.SASLHandshakeRequest:
		a := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		a.SupportedMechanisms = []string{"PLAIN", "OAUTHBEARER"}
		if s.mechanism = b.String(); s.mechanism != "PLAIN" && s.mechanism != "OAUTHBEARER" {
			a.ErrorCode, last = kerr.UnsupportedSaslMechanism.Code, true
		}
		resp = a
	case *kmsg.SASLAuthenticateRequest:
		a := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		var said []byte
		if r.IsFlexible() {
			said = b.CompactBytes()
		} else {
			said = b.Bytes()
		}
		if !b.Ok() {
			return nil, false, true
		}
		life, err := s.authenticate(said)
		if s.known = err == nil; err != nil {
			text := err.Error()
			a.ErrorCode, a.ErrorMessage, last = kerr.SaslAuthenticationFailed.Code, &text, true
		}
		a.SessionLifetimeMillis = life.Milliseconds()
		resp = a
	}
	out := append([]byte{}, correlation...)
	if resp.IsFlexible() {
		out = append(out, 0) // no tags
	}
	return resp.AppendTo(out), false, last
}

// authenticate judges what a client says who he is, and tells for how long that
// is good; zero is for ever.
func (s *session) authenticate(said []byte) (time.Duration, error) {
	switch s.mechanism {
	case "PLAIN":
		parts := strings.SplitN(string(said), "\x00", 3)
		if len(parts) != 3 || parts[1] != "$ConnectionString" {
			return 0, wording("Invalid credentials: the user has to be $ConnectionString")
		}
		fields := map[string]string{}
		for _, f := range strings.Split(parts[2], ";") {
			k, v, _ := strings.Cut(strings.TrimSpace(f), "=")
			fields[strings.ToLower(k)] = v
		}
		s.h.mu.Lock()
		key := s.h.key
		s.h.mu.Unlock()
		if !strings.HasPrefix(strings.ToLower(fields["endpoint"]), "sb://") || fields["sharedaccesskeyname"] != "glassward-listen" || fields["sharedaccesskey"] != key {
			return 0, wording("Invalid SASL credentials provided: Unauthorized")
		}
		return 0, nil
	case "OAUTHBEARER":
		head, rest, ok := strings.Cut(string(said), "\x01")
		if !ok || !strings.HasPrefix(head, "n,") {
			return 0, wording("Invalid OAUTHBEARER message")
		}
		for _, f := range strings.Split(rest, "\x01") {
			token, ok := strings.CutPrefix(f, "auth=Bearer ")
			if !ok {
				continue
			}
			return s.h.accept(token)
		}
		return 0, wording("Invalid OAUTHBEARER message: there is no token")
	}
	return 0, wording("SaslHandshake has to come first")
}

// accept judges a token.
func (h *hubs) accept(token string) (time.Duration, error) {
	k, err := h.c.readToken(token)
	if err != nil {
		return 0, wording("Invalid token: " + err.Error())
	}
	s, ok := h.c.service(h.t, k.Audience)
	switch {
	case !ok || s != EventHubs:
		return 0, wording("Invalid token: InvalidAudience")
	case !strings.EqualFold(k.Tenant, h.t.id):
		return 0, wording("Invalid token: InvalidIssuer")
	}
	h.mu.Lock()
	denied := h.denied
	h.mu.Unlock()
	if denied {
		return 0, wording("Unauthorized access. 'Listen' claim(s) are required to perform this operation")
	}
	return time.Unix(k.Until, 0).Sub(h.c.now()), nil
}
