// Package pulse sends the canary's failed sign-in: a request for a token with a
// random password for an account that exists for nothing else. Entra writes a
// row for it, and the time until that row comes by a road is the one honest
// measure of the road, from the door of the tenant to us. If it stays away, the
// road is cut, whoever cut it and wherever.
//
// What it needs: a user without roles, licences, groups and mail, with a long
// random password that nobody keeps, and a public client to sign in to: Azure CLI,
// which every tenant knows, or, where that is blocked, a registration made for it
// ("Allow public client flows", no permissions). Glassward's own registration must
// not be made a public client for it. No secret is needed, and none is sent: the
// password of each pulse is made for it and forgotten.
//
// What it risks, and what to say to the people who watch:
//   - Failed sign-ins look like an attack. Identity Protection and others' rules
//     will see one every few minutes, from this host, for this user. Except the
//     canary by its object id, never by this host's address.
//   - After some failures the account is locked for a while (50053). Rows go on
//     coming, so the pulse goes on; but an account that a person or an emergency
//     needs could be locked out of its house by us. So the pulse refuses an account
//     that holds a role or is an emergency account.
//   - The password grant is judged by Conditional Access only after the password,
//     so policies do not stop the row; a tenant that blocks this host's address
//     altogether may.
//   - The row proves that interactive sign-ins flow. It proves nothing of audits
//     or of other sign-in categories.
//   - Whoever knows the canary can make rows for it too: a row counts as ours only
//     if its id is the one that the token service told us.
//   - A password that fits is a horror and is told as one: somebody has set it.
package pulse

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/entra"
)

const (
	// Shortest is the least interval: below it the pulse would be a burden and
	// the account locked for ever longer.
	Shortest = 5 * time.Minute
	// Usual is the interval where none is given.
	Usual = 15 * time.Minute

	answerTime = time.Minute
	service    = "Microsoft Entra ID"
	doing      = "send the pulse"
)

// Options say for whom pulses are sent, and how often.
type Options struct {
	Cloud    entra.Cloud
	Tenant   string // id of the tenant
	User     string // user principal name of the canary
	UserID   string // its object id, by which its rows are known
	ClientID string // of the public client made for the pulse

	Interval time.Duration // zero: Usual; less than Shortest is refused
	HTTP     *http.Client
	Now      func() time.Time

	// Emergency holds the object ids and names of the emergency accounts: none of
	// them may be the canary.
	Emergency []string
	// Roles names the directory roles that the canary holds, asked before each
	// pulse; a canary with roles gets none. While it cannot answer the last answer
	// counts, and before the first there is no pulse. Nil: nobody looks.
	Roles func(ctx context.Context) ([]string, error)
}

// PasswordAccepted is the code of the fault that a random password fitted:
// somebody has set it.
const PasswordAccepted = "PasswordAccepted"

// An Outcome is what the sign-in came to.
type Outcome string

// The outcomes after which a row is to be expected.
const (
	WrongPassword Outcome = "wrong password" // 50126, as it should be
	Locked        Outcome = "locked"         // 50053: locked for a while, or the address is blocked
	Disabled      Outcome = "disabled"       // 50057: the canary is disabled; the row comes all the same
)

// Sent is a pulse that went out and of which a row is to be expected.
type Sent struct {
	At            time.Time     // when it was sent, by our clock
	RequestID     string        // the id that the sign-in's row should have
	CorrelationID string        // the correlation id in the row
	Code          string        // e.g. "50126"
	Outcome       Outcome       //
	Took          time.Duration // until the answer
}

// A Pulse sends the canary's failed sign-ins. Send and Run belong to one
// goroutine.
type Pulse struct {
	o     Options
	http  *http.Client
	roles []string
	asked bool // roles have been answered once
}

// New sees whether the options make sense.
func New(o Options) (*Pulse, error) {
	if o.Interval == 0 {
		o.Interval = Usual
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	authority, err := url.Parse(o.Cloud.Authority)
	switch {
	case err != nil || authority.Scheme != "https" || authority.Host == "":
		return nil, fmt.Errorf("pulse: authority %q: where tokens are had must be an https address", o.Cloud.Authority)
	case !glassward.IsGUID(o.Tenant):
		return nil, fmt.Errorf("pulse: tenant %q: the tenant is named by its id, a GUID", o.Tenant)
	case !glassward.IsGUID(o.ClientID):
		return nil, fmt.Errorf("pulse: client id %q: make an application registration for the pulse (public client, no permissions) and name its client id, a GUID", o.ClientID)
	case !glassward.IsGUID(o.UserID):
		return nil, fmt.Errorf("pulse: user id %q: declare the canary by its object id, a GUID", o.UserID)
	case !strings.Contains(o.User, "@"):
		return nil, fmt.Errorf("pulse: user %q: a sign-in needs the canary's user principal name", o.User)
	case o.Interval < Shortest:
		return nil, fmt.Errorf("pulse: an interval of %s: at least %s, or the account is locked for ever longer and others' alarms ring", o.Interval, Shortest)
	}
	for _, name := range o.Emergency {
		if strings.EqualFold(name, o.UserID) || strings.EqualFold(name, o.User) {
			return nil, fmt.Errorf("pulse: %s is an emergency account: failed sign-ins could lock it when it is needed; make a user that exists for the pulse alone", o.User)
		}
	}
	client := http.Client{}
	if o.HTTP != nil {
		client = *o.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Pulse{o: o, http: &client}, nil
}

// Run sends pulses until the context ends, whose error it gives, and tells of
// each. The first goes out at a random moment of the first minute and each
// further one after the interval, a tenth more or less, so that many tenants and
// restarts do not fall together.
func (p *Pulse) Run(ctx context.Context, told func(Sent, error)) error {
	pause := mathrand.N(time.Minute)
	for {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		sent, err := p.Send(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		told(sent, err)
		pause = p.pause(err)
	}
}

// pause is the time until the next pulse. It is never shorter than Shortest, and
// never than the service asked for.
func (p *Pulse) pause(err error) time.Duration {
	d := p.o.Interval*9/10 + mathrand.N(p.o.Interval/5)
	var f *entra.Fault
	if errors.As(err, &f) {
		d = max(d, f.RetryAfter)
	}
	return max(d, Shortest)
}

// Send sends one pulse. An error means that no row is to be expected, except
// after a fault with the code PasswordAccepted: then the account is somebody
// else's by now. Errors are *entra.Fault, or the context's own.
func (p *Pulse) Send(ctx context.Context) (Sent, error) {
	if err := p.harmless(ctx); err != nil {
		return Sent{}, err
	}
	random := make([]byte, 33)
	_, _ = rand.Read(random) // never fails
	correlation := newID()
	form := url.Values{
		"grant_type": {"password"},
		"client_id":  {p.o.ClientID},
		"scope":      {"openid"},
		"username":   {p.o.User},
		"password":   {base64.RawURLEncoding.EncodeToString(random) + "aA1!"},
	}
	timed, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	address := strings.TrimRight(p.o.Cloud.Authority, "/") + "/" + p.o.Tenant + "/oauth2/v2.0/token"
	r, err := http.NewRequestWithContext(timed, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return Sent{}, &entra.Fault{Kind: entra.FaultRequest, Service: service, Doing: doing, Message: "the request cannot be written"}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Glassward-pulse")
	r.Header.Set("client-request-id", correlation)
	r.Header.Set("return-client-request-id", "true")
	sent := Sent{At: p.o.Now(), CorrelationID: correlation}
	began := time.Now()
	resp, err := p.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return Sent{}, ctx.Err()
		}
		return Sent{}, entra.NetworkFault(service, doing, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		if ctx.Err() != nil {
			return Sent{}, ctx.Err()
		}
		return Sent{}, entra.NetworkFault(service, doing, err)
	}
	sent.Took = time.Since(began)
	return classify(sent, resp.StatusCode, resp.Header, body)
}

// harmless sees that the canary is one.
func (p *Pulse) harmless(ctx context.Context) error {
	if p.o.Roles == nil {
		return nil
	}
	roles, err := p.o.Roles(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		p.roles, p.asked = slices.Clone(roles), true
	}
	if !p.asked {
		return &entra.Fault{Kind: entra.FaultRequest, Service: service, Doing: doing, Code: "RolesUnknown",
			Message: "not sent, because nobody can say yet whether " + p.o.User + " holds roles: " + err.Error(), Err: err}
	}
	if len(p.roles) > 0 {
		return &entra.Fault{Kind: entra.FaultRequest, Service: service, Doing: doing, Code: "CanaryHoldsRoles",
			Message: "not sent, because " + p.o.User + " holds " + strings.Join(p.roles, ", ") + "; the canary must be an account without roles, since its failed sign-ins lock it"}
	}
	return nil
}

// rows are the numbers after which Entra writes a row for the canary.
var rows = map[string]Outcome{
	"50126": WrongPassword,
	"50056": WrongPassword, // the account has no password; refused the same way
	"50053": Locked,
	"50057": Disabled,
}

// accepted are the numbers that come only when the password fits: what follows
// is about a second factor, a policy, or the password's age.
var accepted = []string{"50055", "50072", "50074", "50076", "50079", "50131", "50140", "50144", "50158", "53000", "53001", "53003", "53004", "65001", "530002", "530003"}

// misconfigured tells, for numbers after which no row of the canary is to be
// expected, what is wrong.
var misconfigured = map[string]string{
	"50034":   "the tenant has no such user: look at the canary's user principal name",
	"50020":   "the canary belongs to another tenant",
	"90002":   "there is no such tenant",
	"90038":   "the tenant lives in another cloud",
	"700016":  "the tenant does not know the application of the pulse",
	"7000218": "the application of the pulse is not a public client: switch on Allow public client flows in its registration",
	"7000112": "the application of the pulse is disabled in the tenant",
	"50105":   "the application of the pulse asks for assignment, and the canary is not assigned",
}

var number = regexp.MustCompile(`AADSTS(\d{4,9})`)

// answer is what the token endpoint says; any of it may be absent or of another
// type.
type answer struct {
	Error       any   `json:"error"`
	Description any   `json:"error_description"`
	Codes       []any `json:"error_codes"`
	Trace       any   `json:"trace_id"`
	Correlation any   `json:"correlation_id"`
	Token       any   `json:"access_token"`
	IDToken     any   `json:"id_token"`
}

// classify reads the answer to a pulse.
func classify(sent Sent, status int, h http.Header, body []byte) (Sent, error) {
	f := &entra.Fault{Kind: entra.FaultOutage, Service: service, Doing: doing, Status: status}
	if n, err := strconv.ParseFloat(strings.TrimSpace(h.Get("Retry-After")), 64); err == nil && n > 0 {
		f.RetryAfter = time.Duration(min(n, 3600) * float64(time.Second))
	}
	switch {
	case status == http.StatusTooManyRequests:
		f.Kind = entra.FaultThrottled
		return Sent{}, f
	case status >= 500:
		return Sent{}, f
	}
	var a answer
	text := func(v any) string { s, _ := v.(string); return clip(s) }
	if json.Unmarshal(body, &a) != nil || text(a.Error) == "" && text(a.Token) == "" && text(a.IDToken) == "" {
		f.Kind, f.Code, f.Message = entra.FaultContent, "NotJSON", "an answer that is not the token service's; look for a proxy between"
		return Sent{}, f
	}
	if id := text(a.Trace); id != "" {
		sent.RequestID = strings.ToLower(id)
	} else if id := h.Get("x-ms-request-id"); id != "" {
		sent.RequestID = strings.ToLower(clip(id))
	}
	if id := text(a.Correlation); id != "" {
		sent.CorrelationID = strings.ToLower(id)
	}
	f.RequestID = sent.RequestID
	if m := number.FindStringSubmatch(text(a.Description)); m != nil {
		sent.Code = m[1]
	} else if len(a.Codes) > 0 {
		if n, ok := a.Codes[0].(float64); ok && n > 0 && n < 1e9 {
			sent.Code = strconv.Itoa(int(n))
		}
	}
	if sent.Code != "" {
		f.Code = "AADSTS" + sent.Code
	}
	if status < 300 || slices.Contains(accepted, sent.Code) {
		f.Kind, f.Code = entra.FaultRequest, PasswordAccepted
		f.Message = "the canary's password was accepted, although it was a random one. Somebody has set it or stands between: disable the account now, and take the token service's answers from this host for forged until it is known why"
		return sent, f
	}
	if outcome, ok := rows[sent.Code]; ok {
		sent.Outcome = outcome
		return sent, nil
	}
	f.Kind = entra.FaultRequest
	if e := text(a.Error); e == "temporarily_unavailable" || e == "server_error" {
		f.Kind = entra.FaultOutage
	}
	if f.Code == "" {
		f.Code = text(a.Error)
	}
	f.Message = "refused for a reason that leaves no row of the canary"
	if words, ok := misconfigured[sent.Code]; ok {
		f.Message = words
	}
	return Sent{}, f
}

// clip shortens what came from afar and takes out what is not printable ASCII:
// only ids, codes and numbers are read from it.
func clip(s string) string {
	if len(s) > 300 {
		s = s[:300]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// newID makes a random id, by which the row's correlation id is known.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
