package console

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"glassward"
)

// A Scope is what a token allows, or what a route needs.
type Scope string

// The scopes. Public, Link and Owner are what routes need and no token carries:
// the first is open to everybody, the second to whoever holds a signed link, the
// third to whoever comes by the control socket in the data folder.
const (
	Public      Scope = "public"
	Link        Scope = "link"
	Ingest      Scope = "ingest"
	Query       Scope = "query"
	Acknowledge Scope = "acknowledge"
	Operate     Scope = "operate"
	Owner       Scope = "owner"
)

// A Grant is what one caller may do.
type Grant struct {
	// Name is who acts: the token's name, or "local" for the holder of the data
	// folder.
	Name string
	// Tenant binds the grant to one tenant; empty means every tenant.
	Tenant string
	// Source names the road of records pushed with this grant.
	Source string
	Scopes []Scope
	// owner marks the holder of the data folder, who came by the control socket.
	owner bool
	// account is under what name the grant is held to limits; empty for none: the
	// owner, and everybody where there are no tokens.
	account string
}

func (g Grant) has(s Scope) bool { return slices.Contains(g.Scopes, s) }

// Local is the grant of whoever reaches the control socket in the data folder,
// whose mode lets in the folder's owner alone.
var Local = Grant{Name: "local", Source: "local", Scopes: []Scope{Ingest, Query, Acknowledge, Operate}, owner: true}

// everybody is Local as every caller has it where serve was started with
// --no-auth on loopback.
var everybody = Grant{Name: Local.Name, Source: Local.Source, Scopes: Local.Scopes}

// reserved are names that the audit and the sources of records give a meaning:
// no token may look like the folder's owner, or like a signal.
var reserved = []string{Local.Name, "link", "anonymous", "SIGHUP"}

// fromThisMachine refuses what a page in somebody's browser may send to a
// loopback address where no token is asked for: requests from another origin,
// and those under a foreign name that was made to resolve to loopback.
func fromThisMachine(r *http.Request) *apiError {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	if strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback()) {
		if err := http.NewCrossOriginProtection().Check(r); err == nil {
			return nil
		}
	}
	return &apiError{status: http.StatusForbidden, code: "CrossOriginRequest",
		message: "without authentication only programs of this machine are let in, and this looks like a page in a browser: ask under 127.0.0.1, or use a token"}
}

// ErrBadToken is what a Tokens gives for a token that is unknown, revoked or
// expired; the three are not told apart to the caller.
var ErrBadToken = errors.New("token is unknown, revoked or expired")

// Tokens checks bearer tokens. It gives ErrBadToken for one that does not hold.
type Tokens interface {
	CheckToken(ctx context.Context, token string) (Grant, error)
}

type grantKey struct{}

// WithGrant marks a context as coming from a caller that is already known, as
// the control socket's listener does with Local.
func WithGrant(ctx context.Context, g Grant) context.Context {
	return context.WithValue(ctx, grantKey{}, g)
}

func grantOf(ctx context.Context) Grant {
	g, _ := ctx.Value(grantKey{}).(Grant)
	return g
}

// decide is the one function that decides every access: may this request, to a
// route that needs the scope, go on, and as whom? tenant is the tenant that the
// route's path means by name, empty where it names none. Of who shows a token that
// holds it gives the grant even where it refuses him.
func (s *Server) decide(r *http.Request, need Scope, name, tenant string) (Grant, *apiError) {
	switch need {
	case Public:
		return Grant{Name: "anonymous"}, nil
	}
	g := grantOf(r.Context())
	if g.Name == "" {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || token == "" {
			return Grant{}, &apiError{status: http.StatusUnauthorized, code: "AuthenticationFailed",
				message: "this route needs a token: send Authorization: Bearer <token>; glassward token create makes one"}
		}
		var err error
		switch g, err = s.o.Tokens.CheckToken(r.Context(), token); {
		case errors.Is(err, ErrBadToken):
			return Grant{}, &apiError{status: http.StatusForbidden, code: "InvalidAuthenticationToken", message: err.Error()}
		case err != nil:
			return Grant{}, internal(err)
		}
		g.account = g.Name
	}
	if need == Owner {
		if !g.owner {
			return g, &apiError{status: http.StatusForbidden, code: "InsufficientAccessError",
				message: "this names folders of the machine and is for the owner of the data folder: use the glassward command there"}
		}
		return g, nil
	}
	if !g.has(need) {
		return g, &apiError{status: http.StatusForbidden, code: "InsufficientAccessError",
			message: fmt.Sprintf("token %q has not the scope %q, which this route needs", g.Name, need)}
	}
	// A tenant that the token is not for looks the same as one that does not
	// exist: nobody learns who else is a customer here.
	if tenant != "" && g.Tenant != "" && !strings.EqualFold(tenant, g.Tenant) {
		return g, notFound("workspace", name)
	}
	return g, nil
}

// tenant gives the tenant that a request means which names it elsewhere than in its path: by
// the name, and without one the only tenant that the grant is for. where says where the
// request should have named one.
func (s *Server) tenant(g Grant, name, where string) (string, *apiError) {
	if name == "" {
		if g.Tenant != "" {
			return g.Tenant, nil
		}
		t, ok := s.o.Workspaces.Workspace("default")
		if !ok {
			return "", badRequest("this token is for every tenant: say which with %s", where)
		}
		return t, nil
	}
	t, ok := s.o.Workspaces.Workspace(name)
	if !ok && g.Tenant != "" && strings.EqualFold(name, "default") {
		return g.Tenant, nil
	}
	if !ok || (g.Tenant != "" && !strings.EqualFold(t, g.Tenant)) {
		return "", notFound("workspace", name)
	}
	return t, nil
}

// letterLife is how long the link of a notice opens its incident; answerLife how
// long it takes it up.
const (
	letterLife = 30 * 24 * time.Hour
	answerLife = 3 * 24 * time.Hour
)

// Signer makes and checks what notices carry: links and codes. The link of a
// notice opens its incident without a login: it must work on a phone on the night
// when Entra does not. Each receiver's is its own.
type Signer struct {
	// Key is secret, at least 32 bytes.
	Key []byte
}

// A letter's token is the beginning of its notice's id and a MAC over id and
// receiver: short enough for a text message, and nothing has to be kept for it.
const (
	namedBytes = 6
	macBytes   = 12
)

func (s Signer) mac(purpose string, parts ...string) []byte {
	m := hmac.New(sha256.New, s.Key)
	fmt.Fprintf(m, "%s\x00%s", purpose, strings.Join(parts, "\x00"))
	return m.Sum(nil)
}

// Letter gives the path of the page by which a receiver ("group/receiver") reads
// a notice's incident and answers; before it belongs the address under which
// people reach the console. It is empty for a notice whose id is not in hex.
func (s Signer) Letter(id glassward.NoticeID, receiver string) string {
	named, err := hex.DecodeString(string(id))
	if err != nil || len(named) < namedBytes {
		return ""
	}
	token := append(named[:namedBytes:namedBytes], s.mac("letter", string(id), strings.ToLower(receiver))[:macBytes]...)
	return "/a/" + base64.RawURLEncoding.EncodeToString(token)
}

// Opens says whether a token is the letter of that notice to that receiver.
func (s Signer) Opens(token string, id glassward.NoticeID, receiver string) bool {
	want := s.Letter(id, receiver)
	return want != "" && hmac.Equal([]byte(want), []byte("/a/"+token))
}

// NamedBy gives the hex digits with which the id of a token's notice begins,
// empty if it is no token.
func NamedBy(token string) string {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != namedBytes+macBytes {
		return ""
	}
	return hex.EncodeToString(b[:namedBytes])
}

// Code gives the six digits that a text message to a receiver carries: they take
// up the incident that people are called about by that page, and no later one.
func (s Signer) Code(page, receiver string) string {
	sum := s.mac("code", page, strings.ToLower(receiver))
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(sum)%1_000_000)
}

// checkLetter gives the letter that a request's path names.
func (s *Server) checkLetter(r *http.Request) (Letter, *apiError) {
	l, err := s.o.Letters.Letter(r.Context(), r.PathValue("letter"))
	switch {
	case errors.Is(err, ErrNoLetter):
		return l, &apiError{status: http.StatusForbidden, code: "InvalidLink", message: "this link is not one of ours, or was cut: open it from the notice, whole"}
	case err != nil:
		return l, internal(err)
	case s.o.Now().After(l.Sent.Add(letterLife)):
		return l, &apiError{status: http.StatusForbidden, code: "ExpiredLink", message: "this link has expired: glassward incident show prints the incident"}
	}
	return l, nil
}
