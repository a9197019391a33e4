package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"glassward"
)

// A Reach says how a receiver's endpoint is reached. All of it may be left out.
type Reach struct {
	// AllowedNetworks are the private networks that the endpoint's name may
	// resolve to, e.g. "10.1.0.0/16". Without it only public addresses are called.
	AllowedNetworks []string `yaml:"allowedNetworks,omitempty" json:"allowedNetworks,omitempty"`
	// CAFile is a file of PEM certificates to trust in place of the system's.
	CAFile string `yaml:"caFile,omitempty" json:"caFile,omitempty"`
	// Timeout bounds one attempt; 20 s if zero.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

func (r Reach) reach() Reach { return r }

func (r Reach) validate(p place) {
	for _, n := range r.AllowedNetworks {
		if _, err := netip.ParsePrefix(n); err != nil {
			p.say("allowedNetworks %q: write a network as 10.1.0.0/16, one address as 10.1.2.3/32", n)
		}
	}
	if r.Timeout < 0 || r.Timeout > 5*time.Minute {
		p.say("timeout %s: from 1s to 5m", r.Timeout)
	}
}

// A caller makes HTTPS calls to one receiver's endpoint.
type caller struct {
	guard   guard
	roots   *x509.CertPool
	timeout time.Duration
}

func newCaller(r Reach, n Network) (caller, error) {
	roots, err := readCA(r.CAFile)
	if err != nil {
		return caller{}, err
	}
	c := caller{roots: roots, timeout: r.Timeout, guard: guard{resolve: n.Resolve, dial: n.Dial}}
	if c.timeout == 0 {
		c.timeout = defaultWebhookTimeout
	}
	for _, text := range r.AllowedNetworks {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return caller{}, fmt.Errorf("allowedNetworks: %w", err)
		}
		c.guard.allowed = append(c.guard.allowed, p.Masked())
	}
	return c, nil
}

// A call is one request. The secrets, and what of the target may be one, are taken
// out of every answer that is recorded.
type call struct {
	method  string // POST if empty
	target  *url.URL
	header  http.Header // Content-Type at least
	body    []byte
	secrets []string
	// most is how much of the answer is read, 64 KB if zero.
	most int64
}

// A reply is what an endpoint answered: its status, and what was read of its body.
type reply struct {
	status int
	body   []byte
}

const maxReply = 64 << 10

// do makes the call on a connection of its own: an alarm must not fail on one
// that the other side has forgotten. judge says what an answer means; a text
// that it gives is recorded in place of the body.
func (c caller) do(ctx context.Context, k call, judge func(reply) (Verdict, string)) Outcome {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, cmp.Or(k.method, http.MethodPost), k.target.String(), bytes.NewReader(k.body))
	if err != nil {
		return Outcome{Verdict: Mend, Answer: "the endpoint's address cannot be called"}
	}
	req.Header = k.header
	req.Header.Set("User-Agent", "Glassward")
	hidden := append(hiddenParts(k.target), k.secrets...)
	client := &http.Client{
		Transport: &http.Transport{
			// The transport dials apart from the request, with no deadline; ours ends
			// with it.
			DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
				return c.guard.DialContext(ctx, network, address)
			},
			TLSClientConfig:        &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return callFailed(err, k.target, c.timeout, hidden)
	}
	defer resp.Body.Close()
	// Where the status is the answer, a body that cannot be read takes nothing
	// from it; a judge that wants more finds it cut off.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, cmp.Or(k.most, maxReply)))
	text := "HTTP " + strconv.Itoa(resp.StatusCode)
	if name := http.StatusText(resp.StatusCode); name != "" {
		text += " " + name
	}
	out := Outcome{RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	var said string
	out.Verdict, said = judge(reply{resp.StatusCode, body})
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		text += " (redirects are not followed)"
	case said != "":
		text += ": " + said
	case len(body) > 0:
		text += ": " + string(body[:min(len(body), maxAnswer)])
	}
	if out.RetryAfter > 0 {
		text += fmt.Sprintf(" (Retry-After %s)", out.RetryAfter.Round(time.Second))
	}
	out.Answer = answer(text, hidden...)
	return out
}

// byStatus judges an answer by its status alone.
func byStatus(r reply) (Verdict, string) { return httpVerdict(r.status), "" }

// callFailed judges a call that gave no answer. The client's error holds the
// whole address; only its cause is kept.
func callFailed(err error, target *url.URL, timeout time.Duration, hidden []string) Outcome {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	out := Outcome{Verdict: connectionVerdict(err)}
	text := err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		text = fmt.Sprintf("%s (%s)", errTimeout, timeout)
	case errors.Is(err, errForbidden):
		out.Verdict = Mend
	}
	out.Answer = answer(target.Scheme+"://"+target.Host+": "+text, hidden...)
	return out
}

// endpoint gives the address that a field of the configuration holds or refers
// to. From a secret it is checked here, since Validate could not see it.
func endpoint(field, text string) (*url.URL, error) {
	if isReference(text) {
		revealed, err := glassward.Secret(text).Reveal()
		if err != nil {
			return nil, err
		}
		if err := checkURI(revealed); err != nil && !errors.Is(err, errSecretURI) {
			return nil, fmt.Errorf("%s %s: %w", field, text, err)
		}
		text = revealed
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not an address", field)
	}
	return u, nil
}

// mend is the outcome of what never left the house: the configuration has to be
// mended.
func mend(err error) Outcome { return Outcome{Verdict: Mend, Answer: answer(err.Error())} }

// jsonHeader is the header of a call with a JSON body.
func jsonHeader() http.Header {
	return http.Header{"Content-Type": {"application/json; charset=utf-8"}}
}
