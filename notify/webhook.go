package notify

import (
	"bytes"
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
	"strings"
	"time"

	"glassward"
)

// A webhookReceiver posts the common alert schema to one endpoint.
type webhookReceiver struct {
	WebhookReceiver
	guard guard
	roots *x509.CertPool
}

func newWebhookReceiver(r WebhookReceiver, dial DialFunc, resolve ResolveFunc) (*webhookReceiver, error) {
	roots, err := readCA(r.CAFile)
	if err != nil {
		return nil, err
	}
	w := &webhookReceiver{WebhookReceiver: r, roots: roots, guard: guard{resolve: resolve, dial: dial}}
	for _, n := range r.AllowedNetworks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("allowedNetworks: %w", err)
		}
		w.guard.allowed = append(w.guard.allowed, p.Masked())
	}
	return w, nil
}

// Deliver makes one call. webhook-id is the notice's, the same in every repeat;
// webhook-timestamp is that of the attempt.
func (r *webhookReceiver) Deliver(ctx context.Context, m Message) Outcome {
	target, err := r.target()
	if err != nil {
		return Outcome{Verdict: Mend, Answer: answer(err.Error())}
	}
	keys, err := signingKeys(r.SigningSecrets)
	if err != nil {
		return Outcome{Verdict: Mend, Answer: answer(err.Error())}
	}
	body, err := commonAlert(m)
	if err != nil {
		return Outcome{Verdict: Mend, Answer: answer(err.Error())}
	}
	timeout := r.Timeout
	if timeout == 0 {
		timeout = defaultWebhookTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return Outcome{Verdict: Mend, Answer: "the endpoint's address cannot be called"}
	}
	now := time.Now()
	id := key(string(m.Notice.ID))
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Glassward")
	req.Header["webhook-id"] = []string{id}
	req.Header["webhook-timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
	if len(keys) > 0 {
		req.Header["webhook-signature"] = []string{signature(keys, id, now, body)}
	}
	return r.call(req, target, timeout)
}

// target gives the endpoint's address. From a secret it is checked here, since
// Validate could not see it.
func (r *webhookReceiver) target() (*url.URL, error) {
	text := r.ServiceURI
	if isReference(text) {
		revealed, err := glassward.Secret(text).Reveal()
		if err != nil {
			return nil, err
		}
		if err := checkURI(revealed); err != nil && !errors.Is(err, errSecretURI) {
			return nil, fmt.Errorf("serviceUri %s: %w", text, err)
		}
		text = revealed
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("serviceUri is not an address")
	}
	return u, nil
}

// call makes the request on a connection of its own: an alarm must not fail on
// one that the other side has forgotten.
func (r *webhookReceiver) call(req *http.Request, target *url.URL, timeout time.Duration) Outcome {
	client := &http.Client{
		Transport: &http.Transport{
			// The transport dials apart from the request, with no deadline; ours ends
			// with it.
			DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
				return r.guard.DialContext(req.Context(), network, address)
			},
			TLSClientConfig:        &tls.Config{RootCAs: r.roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return callFailed(err, target, timeout)
	}
	defer resp.Body.Close()
	// The status is the answer; a body that cannot be read takes nothing from it.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	text := "HTTP " + strconv.Itoa(resp.StatusCode)
	if name := http.StatusText(resp.StatusCode); name != "" {
		text += " " + name
	}
	out := Outcome{Verdict: httpVerdict(resp.StatusCode), RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		text += " (redirects are not followed)"
	case len(body) > 0:
		text += ": " + string(body)
	}
	if out.RetryAfter > 0 {
		text += fmt.Sprintf(" (Retry-After %s)", out.RetryAfter.Round(time.Second))
	}
	out.Answer = answer(text, hiddenParts(target)...)
	return out
}

// callFailed judges a call that gave no answer. The client's error holds the
// whole address; only its cause is kept.
func callFailed(err error, target *url.URL, timeout time.Duration) Outcome {
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
	out.Answer = answer(target.Scheme+"://"+target.Host+": "+text, hiddenParts(target)...)
	return out
}

// hiddenParts gives what of an address may be a secret: its path and query.
func hiddenParts(u *url.URL) []string {
	parts := []string{u.RequestURI(), u.RawQuery, u.Path, u.EscapedPath()}
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if len(segment) >= 16 { // long enough for a token, too long for a word
			parts = append(parts, segment)
		}
	}
	return parts
}
