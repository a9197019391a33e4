package entra

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

const (
	// maxBody bounds an answer after unpacking: a page of a thousand sign-ins is
	// below ten megabytes, the query API stops at a hundred.
	maxBody = 128 << 20
	// answerTime is how long a request may take, the query API's slowest included.
	answerTime = 4 * time.Minute
)

// ClientOptions say whom a client asks and as whom.
type ClientOptions struct {
	Service    Service
	Cloud      Cloud
	Credential azcore.TokenCredential
	HTTP       *http.Client // nil: http.DefaultTransport. Its transport may trust a CA of its own
	Pace       Pace         // zero: what the service allows
	Header     http.Header  // sent with every request
	Now        func() time.Time
}

// A Client asks one service for one tenant. All who ask there share it, since
// the service counts their requests together. It is safe for concurrent use.
type Client struct {
	o     ClientOptions
	root  *url.URL
	http  *http.Client
	lanes []*lane

	mu      sync.Mutex
	offsets []reading // of the last answers
}

// NewClient makes a client. A service that the cloud does not have is found when
// it is asked.
func NewClient(o ClientOptions) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	if c, ok := o.Credential.(*Credential); ok && c == nil {
		o.Credential = nil // nobody was described as whom to ask
	}
	c := &Client{o: o, http: withoutRedirects(o.HTTP)}
	c.root, _ = url.Parse(o.Cloud.Root(o.Service))
	usual := usualPace(o.Service)
	main := o.Pace
	if main.Requests <= 0 || main.Per <= 0 {
		main = usual
	}
	// Who sets another pace for a service with several means them all: where the
	// limits are raised, or where the tenant is a simulated one that lives fast.
	quicker := float64(main.Requests) / float64(usual.Requests) * float64(usual.Per) / float64(main.Per)
	beside := func(n int, per time.Duration) *lane {
		return &lane{pace: Pace{n, time.Duration(float64(per) / max(quicker, 1))}}
	}
	c.lanes = []*lane{{pace: main}}
	if o.Service == Graph {
		// Graph counts these apart. Risk and Conditional Access are one request a second
		// for all applications of the tenant together: another's greed there must not
		// close the gate before the sign-ins.
		c.lanes = append(c.lanes, beside(1, 1100*time.Millisecond), beside(100, 10*time.Second))
	}
	return c
}

// usualPace is below what each service publishes as its limit.
func usualPace(s Service) Pace {
	switch s {
	case Graph:
		return Pace{5, 10 * time.Second}
	case Activity:
		return Pace{1000, time.Minute}
	case LogAnalytics:
		return Pace{100, 30 * time.Second}
	}
	return Pace{100, 10 * time.Second}
}

// lane gives the lane that a path is counted in.
func (c *Client) lane(path string) *lane {
	if len(c.lanes) == 1 {
		return c.lanes[0]
	}
	switch {
	case strings.Contains(path, "/auditLogs/"):
		return c.lanes[0]
	case strings.Contains(path, "/identityProtection/"), strings.Contains(path, "/identity/conditionalAccess/"):
		return c.lanes[1]
	}
	return c.lanes[2]
}

// Service gives the service that the client asks.
func (c *Client) Service() Service { return c.o.Service }

// Root gives the service's root, as the cloud has it.
func (c *Client) Root() string { return c.o.Cloud.Root(c.o.Service) }

// An Answer is what a service said, whole and unpacked.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	URL    string // which was asked
}

// Get asks for a resource; see Do.
func (c *Client) Get(ctx context.Context, url string, header http.Header) (*Answer, error) {
	return c.Do(ctx, http.MethodGet, url, header, nil)
}

// Do asks once, when the pace lets it. The address is a whole one or a path
// below the service's root; one that leads elsewhere is refused, because the
// token goes with it. Whatever is not a 2xx answer with a whole body of the
// promised sort comes back as a *Fault, except that the end of the context comes
// back as the context's error; beside a fault stands the answer, if there was
// one. A 401 is tried again once with a new token;
// nothing else is tried again: that is the caller's affair (Backoff).
func (c *Client) Do(ctx context.Context, method, address string, header http.Header, body []byte) (*Answer, error) {
	u, fault := c.resolve(address)
	if fault != nil {
		return nil, fault
	}
	doing := "read " + u.Path
	if method != http.MethodGet {
		doing = strings.ToLower(method) + " " + u.Path
	}
	token, err := c.token(ctx, doing, "", "")
	if err != nil {
		return nil, err
	}
	answer, err := c.once(ctx, method, u, doing, header, body, token)
	var f *Fault
	if !errors.As(err, &f) || f.Status != http.StatusUnauthorized {
		return answer, err
	}
	fresh, tokenErr := c.token(ctx, doing, token, claimsOf(answer.Header))
	if tokenErr != nil {
		return nil, tokenErr
	}
	return c.once(ctx, method, u, doing, header, body, fresh)
}

// resolve makes the address whole and sees that it is the service's.
func (c *Client) resolve(address string) (*url.URL, *Fault) {
	fault := func(code, message string) *Fault {
		return &Fault{Kind: FaultRequest, Service: string(c.o.Service), Doing: "ask", Code: code, Message: message}
	}
	if c.root == nil || c.root.Host == "" {
		return nil, fault("NoService", fmt.Sprintf("the cloud %q has no such service", c.o.Cloud.Name))
	}
	if strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") {
		address = c.Root() + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fault(codeOutside, "an address that is none")
	}
	if !c.ours(u) {
		return nil, fault(codeOutside, line(fmt.Sprintf("an address at %s, which is not %s; our token does not go there", u.Host, c.root.Host), 200))
	}
	u.Fragment = ""
	return u, nil
}

// ours reports whether an address is the service's: same scheme, host, port and
// root, and nobody's name in it.
func (c *Client) ours(u *url.URL) bool {
	return u.Scheme == c.root.Scheme && sameHost(u, c.root) && u.User == nil && u.Opaque == "" &&
		strings.HasPrefix(u.Path, strings.TrimRight(c.root.Path, "/")+"/") && !slices.Contains(strings.Split(u.Path, "/"), "..")
}

func sameHost(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		if u.Scheme == "http" {
			return "80"
		}
		return "443"
	}
	return strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return "another address"
}

// forgetter is a credential that keeps tokens and can be told that one is no
// longer taken.
type forgetter interface{ Forget(token string) }

// token gives a token; a refused one is given back, so that a new one is had.
func (c *Client) token(ctx context.Context, doing, refused, claims string) (string, error) {
	if c.o.Credential == nil {
		return "", nil // a service on this host that asks for none
	}
	if f, ok := c.o.Credential.(forgetter); ok && refused != "" {
		f.Forget(refused)
	}
	t, err := c.o.Credential.GetToken(ctx, policy.TokenRequestOptions{
		Scopes: []string{c.o.Cloud.Scope(c.o.Service)}, Claims: claims, EnableCAE: claims != "",
	})
	switch {
	case err == nil:
		return t.Token, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	var f *Fault
	if errors.As(err, &f) {
		return "", err
	}
	// A credential that is not ours: its text may hold anything.
	return "", &Fault{Kind: FaultToken, Service: string(c.o.Service), Doing: doing, Message: line(err.Error(), 300), Err: err}
}

// claimsOf reads the claims that a service wants in a new token, from a
// challenge of continuous access evaluation.
func claimsOf(h http.Header) string {
	for _, challenge := range h.Values("WWW-Authenticate") {
		_, rest, found := strings.Cut(challenge, `claims="`)
		if !found {
			continue
		}
		text, _, _ := strings.Cut(rest, `"`)
		for _, coding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if b, err := coding.DecodeString(text); err == nil && len(b) > 0 && b[0] == '{' {
				return string(b)
			}
		}
	}
	return ""
}

// once sends a request. Beside a fault it gives the answer that was one, where
// there was an answer.
func (c *Client) once(ctx context.Context, method string, u *url.URL, doing string, header http.Header, body []byte, token string) (*Answer, error) {
	lane := c.lane(u.Path)
	if err := lane.wait(ctx); err != nil {
		return nil, err
	}
	timed, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var payload io.Reader
	if body != nil {
		payload = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(timed, method, u.String(), payload)
	if err != nil {
		return nil, &Fault{Kind: FaultRequest, Service: string(c.o.Service), Doing: doing, Message: "the request cannot be written", Err: err}
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Glassward")
	r.Header.Set("Client-Request-Id", newID())
	for _, from := range []http.Header{c.o.Header, header} {
		for name, values := range from {
			r.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	// Asked for and unpacked here, so that it works with any transport and a cut
	// stream is seen as one.
	r.Header.Set("Accept-Encoding", "gzip")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	before := c.o.Now()
	resp, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, NetworkFault(c.o.Service, doing, err)
	}
	defer resp.Body.Close()
	c.learn(resp.Header, before, c.o.Now())
	data, readErr := readBody(resp)
	if readErr != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	answer := &Answer{Status: resp.StatusCode, Header: resp.Header, Body: data, URL: u.String()}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		f := classify(c.o.Service, doing, resp.StatusCode, resp.Header, data, c.Offset(), c.o.Now())
		if f.Kind == FaultThrottled || f.Kind == FaultOutage && f.RetryAfter > 0 {
			f.RetryAfter = lane.refused(f.RetryAfter)
		}
		return answer, f
	}
	lane.accepted()
	if f := sound(method, resp, data, readErr); f != nil {
		f.Service, f.Doing, f.Status = string(c.o.Service), doing, resp.StatusCode
		f.RequestID = line(resp.Header.Get("Request-Id"), 80)
		return answer, f
	}
	return answer, nil
}

var errTooLarge = errors.New("too large")

// readBody reads and unpacks, within bounds.
func readBody(resp *http.Response) ([]byte, error) {
	var from io.Reader = resp.Body
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(resp.Body)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		from = z
	}
	data, err := io.ReadAll(io.LimitReader(from, maxBody+1))
	if len(data) > maxBody {
		return data[:maxBody], errTooLarge
	}
	return data, err
}

// sound looks at a 2xx answer and gives a fault where it is not what it says:
// short, empty, or a page for people.
func sound(method string, resp *http.Response, data []byte, readErr error) *Fault {
	f := &Fault{Kind: FaultContent}
	body := bytes.TrimSpace(trimBOM(data))
	switch {
	case errors.Is(readErr, errTooLarge):
		f.Code, f.Message = codeTooLarge, fmt.Sprintf("an answer of more than %d MB", maxBody>>20)
	case readErr != nil:
		f.Code, f.Message, f.Err = codeCut, fmt.Sprintf("the answer broke off after %d bytes", len(data)), readErr
	case looksHTML(resp.Header, data):
		f.Code, f.Message = codeHTML, line(htmlTitle(data), 120)
	case method != http.MethodGet && len(body) == 0, resp.StatusCode == http.StatusNoContent:
		return nil
	case len(body) == 0:
		f.Code, f.Message = codeEmpty, "an answer without a body"
	case body[0] == '{' && body[len(body)-1] != '}', body[0] == '[' && body[len(body)-1] != ']':
		f.Code, f.Message = codeCut, fmt.Sprintf("the answer ends in the middle, after %d bytes", len(data))
	case body[0] != '{' && body[0] != '[':
		f.Code, f.Message = codeNotJSON, "an answer that is not JSON"
	default:
		return nil
	}
	return f
}

// learn takes the service's clock from an answer.
func (c *Client) learn(h http.Header, before, after time.Time) {
	if d, ok := offsetOf(h, before, after); ok {
		c.mu.Lock()
		if len(c.offsets) == 9 {
			c.offsets = c.offsets[1:]
		}
		c.offsets = append(c.offsets, reading{d, after})
		c.mu.Unlock()
	}
}

// A reading is how far the service's clock was ahead of ours when ours said at.
type reading struct {
	offset time.Duration
	at     time.Time
}

// later is the reading at another time. A host clock that was set since is known
// by the monotonic clock beside it: or the first answers afterwards would be taken
// for all of the time up to a moment that has not come yet.
func (r reading) later(now time.Time) time.Duration {
	return r.after(now.Round(0).Sub(r.at.Round(0)), now.Sub(r.at))
}

// after is the reading when our clock has gone on by wall while passed went by.
func (r reading) after(wall, passed time.Duration) time.Duration { return r.offset - (wall - passed) }

// offsetOf compares the answer's Date, which has whole seconds and may have
// aged in a cache, with the middle of the request's time.
func offsetOf(h http.Header, before, after time.Time) (time.Duration, bool) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0, false
	}
	date = date.Add(500*time.Millisecond + seconds(h.Get("Age"), 1))
	return date.Sub(before.Add(after.Sub(before) / 2)), true
}

// Offset is how far the service's clock is ahead of ours: the median of the
// last answers. What is below the Date header's own fineness counts as none.
func (c *Client) Offset() time.Duration {
	c.mu.Lock()
	readings := slices.Clone(c.offsets)
	c.mu.Unlock()
	if len(readings) == 0 {
		return 0
	}
	now := c.o.Now()
	sorted := make([]time.Duration, 0, len(readings))
	for _, r := range readings {
		sorted = append(sorted, r.later(now))
	}
	slices.Sort(sorted)
	d := sorted[len(sorted)/2]
	if d.Abs() < 1500*time.Millisecond {
		return 0
	}
	return d.Round(time.Millisecond)
}

// withoutRedirects copies a client so that it follows none.
func withoutRedirects(given *http.Client) *http.Client {
	c := http.Client{}
	if given != nil {
		c = *given
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// NetworkFault makes the outage of a service that gave no answer to a request: err
// is what the HTTP client said, doing what the request was for. The address is
// left out of the text: its query may name people.
func NetworkFault(service Service, doing string, err error) *Fault {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	message := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		message = "nothing came in time"
	}
	return &Fault{Kind: FaultOutage, Service: string(service), Doing: doing, Message: line(message, 200), Err: err}
}

// networkCure says where to look when nobody answers.
func networkCure(err error) string {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		return "See whether this host resolves names"
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &verify):
		return "The way to the service is inspected or turned aside: if a proxy does this on purpose, give Glassward its CA"
	}
	return ""
}

// newID makes a random id for a request.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program if it must
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
