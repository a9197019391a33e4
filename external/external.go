// Package external reads the files on the web that queries name with externaldata.
//
// A query may name any address, so what can be reached is decided here and nowhere else: addresses
// must be allowed by the configuration, https, and lead to a host of the public internet. The address
// that is connected to is what is checked, after its name was resolved; redirects are not followed, no
// proxy is used, and size and time are bounded.
package external

import (
	"bytes"
	"compress/gzip"
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
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"glassward/kql"
)

// The bounds of what one file may be, and of what is remembered of all of them.
const (
	maxTransfer = 16 << 20
	maxFile     = 64 << 20
	maxKept     = 128 << 20
	maxURIs     = 16
	timeout     = 30 * time.Second
	// fresh is how long a file that was read stands for itself.
	fresh = 5 * time.Minute
	// atOnce is how many files are read at once.
	atOnce = 4
)

// Reader reads files and remembers them for some minutes. It is safe for concurrent use.
type Reader struct {
	client *http.Client
	now    func() time.Time
	places chan struct{}

	mu   sync.Mutex
	kept map[string]file
	size int
}

type file struct {
	text []byte
	at   time.Time
}

// NewReader makes a reader.
func NewReader() *Reader { return newReader(public, nil, time.Now) }

func newReader(allowed func(netip.Addr) bool, roots *x509.CertPool, now func() time.Time) *Reader {
	dialer := &net.Dialer{
		Timeout: 10 * time.Second,
		// Control sees the address that is connected to, whatever the name resolved to before.
		Control: func(_, address string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if !allowed(a.Addr()) {
				return fmt.Errorf("%w: %s", errPrivate, a.Addr())
			}
			return nil
		},
	}
	transport := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 15 * time.Second,
		MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 1,
	}
	if roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &Reader{
		client: &http.Client{
			Transport: transport, Timeout: timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		now: now, places: make(chan struct{}, atOnce), kept: map[string]file{},
	}
}

var errPrivate = errors.New("the name leads to an address that is not on the public internet")

// Rows gives the rows of the files that a query asks for. allow are the addresses that may be read, as
// CheckAllowed takes them; none allows nothing.
func (r *Reader) Rows(ctx context.Context, allow []string, want kql.ExternalData) ([][]any, error) {
	if len(want.URIs) > maxURIs {
		return nil, fmt.Errorf("more than %d addresses", maxURIs)
	}
	var rows [][]any
	for _, uri := range want.URIs {
		u, err := permitted(uri, allow)
		if err != nil {
			return nil, err
		}
		text, err := r.read(ctx, u)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", u, err)
		}
		more, err := decode(text, want, maxCells-len(rows)*len(want.Columns))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", u, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// CheckAllowed says what is wrong with an entry of the list of allowed addresses. An entry is an https address with a
// path. It allows that address alone, as it is written, what stands behind a ? too; one whose last character is / or *
// allows every address that begins with it.
func CheckAllowed(entry string) error {
	_, err := parseEntry(entry)
	return err
}

// An allowed entry is an address, or what addresses begin with.
type allowed struct {
	host, port, path string
	prefix           bool
}

func parseEntry(entry string) (*allowed, error) {
	text, star := strings.CutSuffix(entry, "*")
	if strings.Contains(text, "*") {
		return nil, fmt.Errorf("%s: a * can only be the last character of an entry", entry)
	}
	u, err := parse(text)
	if err != nil {
		return nil, err
	}
	if raw, err := url.Parse(text); err != nil || raw.Path == "" {
		return nil, fmt.Errorf("%s: the path is missing: %s://%s/ allows every address of the host", entry, u.Scheme, u.Host)
	}
	a := &allowed{host: u.Hostname(), port: port(u), path: target(u)}
	a.prefix = star || strings.HasSuffix(a.path, "/")
	return a, nil
}

// target is what of an address stands behind the host.
func target(u *url.URL) string {
	if u.RawQuery == "" && !u.ForceQuery {
		return u.Path
	}
	return u.Path + "?" + u.RawQuery
}

// parse reads an address and refuses what could mean something else to somebody else.
func parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no address", text)
	case u.Scheme != "https":
		return nil, fmt.Errorf("%s: only https is read", text)
	case u.User != nil:
		return nil, fmt.Errorf("%s: an address with a user's name is not read", u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s: the host is missing", text)
	case u.Opaque != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s: an address of the form https://host/path is needed", text)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	clean := path.Clean(u.Path)
	if strings.HasSuffix(u.Path, "/") && clean != "/" {
		clean += "/"
	}
	escaped := strings.ToLower(u.EscapedPath())
	if clean != u.Path || strings.Contains(u.Path, `\`) || strings.Contains(escaped, "%2f") || strings.Contains(escaped, "%5c") || strings.Contains(escaped, "%00") {
		return nil, fmt.Errorf("%s: the path must be written plainly", text)
	}
	return u, nil
}

// permitted gives the address if it is allowed.
func permitted(uri string, allow []string) (*url.URL, error) {
	if strings.Contains(uri, ";") {
		// Kusto takes credentials there, and we have none to give.
		return nil, errors.New("an address with credentials after ; is not read")
	}
	u, err := parse(uri)
	if err != nil {
		return nil, err
	}
	for _, entry := range allow {
		a, err := parseEntry(entry)
		if err != nil || !strings.EqualFold(a.host, u.Hostname()) || a.port != port(u) {
			continue
		}
		if t := target(u); a.path == t || a.prefix && strings.HasPrefix(t, a.path) {
			return u, nil
		}
	}
	if len(allow) == 0 {
		return nil, fmt.Errorf("reading %s is not allowed: nothing outside is (name it in query.external of the configuration, or keep the data as a watchlist)", u)
	}
	return nil, fmt.Errorf("reading %s is not allowed (name it in query.external of the configuration)", u)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return "443"
}

// read gives a file, as it was some minutes ago at the most.
func (r *Reader) read(ctx context.Context, u *url.URL) ([]byte, error) {
	key := u.String()
	if text, ok := r.remembered(key); ok {
		return text, nil
	}
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if text, ok := r.remembered(key); ok {
		return text, nil
	}
	text, err := r.fetch(ctx, u)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size+len(text) > maxKept {
		clear(r.kept)
		r.size = 0
	}
	r.size += len(text) - len(r.kept[key].text)
	r.kept[key] = file{text, r.now()}
	return text, nil
}

func (r *Reader) remembered(key string) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.kept[key]
	return f.text, ok && r.now().Sub(f.at) < fresh
}

func (r *Reader) fetch(ctx context.Context, u *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "glassward")
	resp, err := r.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the address is named by who asks
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 3 {
		return nil, fmt.Errorf("it sends on to another address (%s), which is not followed", resp.Status)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxTransfer+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxTransfer {
		return nil, fmt.Errorf("it is larger than %d MiB", maxTransfer>>20)
	}
	if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if text, err = io.ReadAll(io.LimitReader(z, maxFile+1)); err != nil {
			return nil, err
		}
		if len(text) > maxFile {
			return nil, fmt.Errorf("unpacked it is larger than %d MiB", maxFile>>20)
		}
	}
	return text, nil
}

// notPublic are the ranges beside those that netip knows by their kind: shared and reserved ones, those
// of documentation, Azure's own host, and those by which an address of another kind is reached.
func notPublic() []netip.Prefix {
	var list []netip.Prefix
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "168.63.129.16/32", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// public says whether an address is one of the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range notPublic() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
