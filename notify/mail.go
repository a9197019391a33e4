package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"glassward"
)

// compose writes a message as a mail (RFC 5322): multipart/alternative, text
// first, then HTML. The same notice gives the same Message-ID whenever and how
// often it is sent, so that a receiver can tell a repeat; the mails of one
// incident refer to one thread. Auto-Submitted (RFC 3834) keeps holiday
// answerers quiet. There is no way to unsubscribe.
func compose(m Message, h htmlRenderer, from *mail.Address, to string, now time.Time) ([]byte, error) {
	v := NewView(m)
	page, err := h.render(v)
	if err != nil {
		return nil, fmt.Errorf("render the HTML part: %w", err)
	}
	domain := domainOf(from.Address)
	id := messageID(m.Notice.ID, domain)

	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("Date", now.UTC().Format(time.RFC1123Z))
	header("From", fold("From", from.String()))
	header("To", "<"+to+">")
	header("Subject", headerText("Subject", m.Subject))
	header("Message-ID", id)
	if thread := threadID(m, domain); thread != "" {
		header("In-Reply-To", thread)
		header("References", thread)
	}
	header("Auto-Submitted", "auto-generated")
	header("X-Auto-Response-Suppress", "All") // Exchange's word for the same
	if m.Notice.Severity == glassward.High {
		header("Importance", "high")
		header("X-Priority", "1")
	}
	header("X-Glassward-Notice", headerText("X-Glassward-Notice", string(m.Notice.ID)))
	header("MIME-Version", "1.0")
	parts := multipart.NewWriter(&b)
	if err := parts.SetBoundary(boundary(m.Notice.ID)); err != nil {
		return nil, err
	}
	header("Content-Type", "multipart/alternative;\r\n boundary=\""+parts.Boundary()+"\"")
	b.WriteString("\r\n")
	for _, p := range []struct{ kind, text string }{{"text/plain", v.String()}, {"text/html", page}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {p.kind + "; charset=utf-8"},
			"Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return nil, err
		}
		q := quotedprintable.NewWriter(w)
		if _, err := io.WriteString(q, p.text); err != nil {
			return nil, err
		}
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// messageID gives the Message-ID of a notice at a sender's domain. A notice id
// that cannot stand in one is replaced by its hash.
func messageID(id glassward.NoticeID, domain string) string {
	return "<" + key(string(id)) + "@" + domain + ">"
}

// threadID gives the id that the mails of an incident refer to, empty for a
// notice without incident. No mail carries it; mail programs thread by it all
// the same.
func threadID(m Message, domain string) string {
	if m.Notice.Incident == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(m.Notice.Tenant))
	return fmt.Sprintf("<incident-%d-%s@%s>", m.Notice.Incident, hex.EncodeToString(sum[:6]), domain)
}

// key makes a notice's id safe to stand in a Message-ID or a webhook-id: itself
// if it is made of letters, digits, hyphen and underscore, else its SHA-256.
func key(id string) string {
	ok := id != "" && len(id) <= 64
	for i := 0; i < len(id) && ok; i++ {
		c := id[i]
		ok = c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_'
	}
	if ok {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// boundary is derived from the notice, so that a repeat is the same to the
// byte apart from its date. It cannot occur in a part: quoted-printable writes
// "=_" nowhere.
func boundary(id glassward.NoticeID) string {
	sum := sha256.Sum256([]byte("boundary " + id))
	return "=_" + hex.EncodeToString(sum[:15])
}

func domainOf(address string) string {
	return address[strings.LastIndexByte(address, '@')+1:]
}
