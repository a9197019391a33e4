package entra

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"glassward"
)

// CredentialOptions say as whom tokens are asked for. Exactly one of
// Certificate, ClientSecret, FederatedToken and ManagedIdentity is set.
type CredentialOptions struct {
	Cloud    Cloud
	Tenant   string // id of the tenant; not needed for a managed identity
	ClientID string // of our application; for a managed identity only if it is user-assigned

	// Certificate holds a certificate and its private key as PEM or PFX. The file may
	// be replaced while the program runs. CertificatePassword opens a PFX.
	Certificate         glassward.Secret
	CertificatePassword glassward.Secret
	// ClientSecret is allowed and discouraged: whoever reads it once is us.
	ClientSecret glassward.Secret
	// FederatedToken is the path of a token file that the platform renews; it is read
	// anew for each request.
	FederatedToken  string
	ManagedIdentity bool

	HTTP *http.Client
	Now  func() time.Time
}

// A CredentialKind says by what our application proves itself.
type CredentialKind string

// The kinds of credentials.
const (
	CertificateCredential CredentialKind = "certificate"
	SecretCredential      CredentialKind = "secret"
	FederatedCredential   CredentialKind = "federated"
	ManagedIdentity       CredentialKind = "managed identity"
)

// A Credential gets tokens for our application and keeps each until it is nearly
// over. It is safe for concurrent use.
type Credential struct {
	o    CredentialOptions
	kind CredentialKind
	http *http.Client

	mu     sync.Mutex
	leaf   *x509.Certificate
	offset time.Duration
	kept   map[string]*keptToken // by scope
}

// keptToken is the token of one scope. Whoever asks for a new one holds the turn
// meanwhile, so that a hundred streams ask once, and all of them hear of a failure
// at once.
type keptToken struct {
	turn chan struct{}

	mu     sync.Mutex
	token  azcore.AccessToken
	err    error // of the last request, nil after a success
	failed time.Time
}

// good gives the token if it lasts that long by now.
func (k *keptToken) good(now time.Time, left time.Duration) (azcore.AccessToken, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.token, k.token.Token != "" && k.token.ExpiresOn.Sub(now) > left
}

// domain is what a tenant may be named by besides its id.
var domain = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z-]*\.)+[0-9A-Za-z-]+$`)

// NewCredential sees whether the options make sense and whether what they point
// at can be read: a certificate file that others can read is refused, and so is a
// key that does not fit its certificate. It asks nobody yet.
func NewCredential(o CredentialOptions) (*Credential, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Credential{o: o, kept: map[string]*keptToken{}}
	n := 0
	for kind, set := range map[CredentialKind]bool{
		CertificateCredential: o.Certificate != "", SecretCredential: o.ClientSecret != "",
		FederatedCredential: o.FederatedToken != "", ManagedIdentity: o.ManagedIdentity,
	} {
		if set {
			n++
			c.kind = kind
		}
	}
	switch {
	case n == 0:
		return nil, errors.New("no credential is given: name a certificate, a federated token file, a managed identity or, discouraged, a client secret")
	case n > 1:
		return nil, errors.New("more than one credential is given: name one of certificate, federated token file, managed identity and client secret")
	}
	if c.kind != ManagedIdentity {
		if !glassward.IsGUID(o.Tenant) && !domain.MatchString(o.Tenant) {
			return nil, fmt.Errorf("tenant %q: a tenant is named by its id (a GUID) or one of its domains", o.Tenant)
		}
		if !glassward.IsGUID(o.ClientID) {
			return nil, fmt.Errorf("client id %q: our application's client id is a GUID", o.ClientID)
		}
		if u, err := url.Parse(o.Cloud.Authority); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("authority %q: where tokens are had must be an https address", o.Cloud.Authority)
		}
	}
	c.http = withoutRedirects(o.HTTP)
	if c.kind == ManagedIdentity {
		c.http = withoutProxy(c.http)
	}
	if _, err := c.build(nil); err != nil {
		return nil, err
	}
	return c, nil
}

// withoutProxy copies a client so that it goes the straight way: the endpoint of
// managed identities is on the machine itself, and no proxy may see its tokens.
func withoutProxy(c *http.Client) *http.Client {
	t, ok := c.Transport.(*http.Transport)
	if c.Transport == nil {
		t, ok = http.DefaultTransport.(*http.Transport)
	}
	if !ok {
		return c
	}
	straight := *c
	own := t.Clone()
	own.Proxy = nil
	straight.Transport = own
	return &straight
}

// Kind says by what our application proves itself.
func (c *Credential) Kind() CredentialKind { return c.kind }

// Tenant gives the tenant as it was configured.
func (c *Credential) Tenant() string { return c.o.Tenant }

// ClientID gives the client id as it was configured.
func (c *Credential) ClientID() string { return c.o.ClientID }

// Cloud gives the cloud that tokens are asked for.
func (c *Credential) Cloud() Cloud { return c.o.Cloud }

// Expires says when the certificate in use ends; false if there is none.
func (c *Credential) Expires() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaf == nil {
		return time.Time{}, false
	}
	return c.leaf.NotAfter, true
}

// Offset is how far the clock of the token service is ahead of ours, as its last
// answer told.
func (c *Credential) Offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// Forget drops a kept token that a service no longer takes.
func (c *Credential) Forget(token string) {
	for _, k := range c.all() {
		k.mu.Lock()
		if k.token.Token == token {
			k.token = azcore.AccessToken{}
		}
		k.mu.Unlock()
	}
}

func (c *Credential) all() []*keptToken {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*keptToken
	for _, k := range c.kept {
		all = append(all, k)
	}
	return all
}

const (
	// renewEarly is how long before its end a token is replaced, lastMoment until
	// when it is given while no new one can be had.
	renewEarly = 5 * time.Minute
	lastMoment = 30 * time.Second
	// tokenTime is how long a request for a token may take; the endpoint on the
	// machine is asked several times in it.
	tokenTime        = time.Minute
	tokenTimeMachine = 4 * time.Minute
)

// GetToken gives a token for the scopes, from those that are kept if one is good
// for five minutes more. A token that is nearly over is given as long as it lasts
// when no new one can be had. Errors are *Fault, except for the context's own.
func (c *Credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return c.get(ctx, o, false)
}

// Renew asks for a new token, whatever is kept, and so tries the credential. An
// administrator's changes show in a new token only. For a managed identity the
// platform and the library keep tokens too, up to a day, and give those. A token
// that opens less than one that still lasts is given and not kept.
func (c *Credential) Renew(ctx context.Context, scope string) (azcore.AccessToken, error) {
	return c.get(ctx, policy.TokenRequestOptions{Scopes: []string{scope}}, true)
}

func (c *Credential) get(ctx context.Context, o policy.TokenRequestOptions, anew bool) (azcore.AccessToken, error) {
	if len(o.Scopes) != 1 || o.Scopes[0] == "" {
		return azcore.AccessToken{}, &Fault{Kind: FaultRequest, Service: "Microsoft Entra ID", Doing: "get a token", Message: fmt.Sprintf("a token is for one service, and the cloud %q has no such service", c.o.Cloud.Name)}
	}
	key := o.Scopes[0]
	c.mu.Lock()
	k := c.kept[key]
	if k == nil {
		k = &keptToken{turn: make(chan struct{}, 1)}
		c.kept[key] = k
	}
	c.mu.Unlock()
	kept := o.Claims == "" && !anew // one that is kept will do
	if t, ok := k.good(c.o.Now(), renewEarly); ok && kept {
		return t, nil
	}
	began := time.Now()
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return azcore.AccessToken{}, ctx.Err()
	}
	if t, ok := k.good(c.o.Now(), renewEarly); ok && kept {
		return t, nil
	}
	last, lasts := k.good(c.o.Now(), lastMoment)
	k.mu.Lock()
	err, failed := k.err, k.failed
	k.mu.Unlock()
	if err != nil && kept {
		if lasts && time.Since(failed) < firstPause {
			return last, nil
		}
		if !lasts && failed.After(began) {
			return azcore.AccessToken{}, err
		}
	}
	t, err := c.ask(ctx, o)
	if ctx.Err() != nil && err != nil {
		return azcore.AccessToken{}, ctx.Err() // whoever waits asks for himself
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err, k.failed = err, time.Now()
	if err == nil {
		// What was taken from us is told by the new token; what the old one still opens
		// is read as long as it lasts.
		if !anew || !lasts || !opensLess(t, last) {
			k.token = t
		}
		return t, nil
	}
	if lasts && kept {
		return last, nil
	}
	return azcore.AccessToken{}, err
}

// opensLess says whether a token lacks a permission that another has.
func opensLess(t, than azcore.AccessToken) bool {
	now, known := ParseClaims(t.Token)
	before, too := ParseClaims(than.Token)
	return known && too && slices.ContainsFunc(before.Roles, func(r string) bool { return !slices.Contains(now.Roles, r) })
}

// ask makes one request for a token. The client below is made anew each time: it
// keeps tokens of its own, which could not be dropped, and so a certificate, a
// secret or a token file that was replaced is found.
func (c *Credential) ask(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	w := &witness{http: c.http, now: c.o.Now}
	inner, err := c.build(w)
	if err != nil {
		return azcore.AccessToken{}, &Fault{Kind: FaultToken, Service: "Microsoft Entra ID", Doing: "get a token for " + string(c.serviceOf(o.Scopes[0])), Message: err.Error(), Err: err}
	}
	limit := tokenTime
	if c.kind == ManagedIdentity {
		limit = tokenTimeMachine
	}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t, err := inner.GetToken(timed, o)
	if d, ok := w.clock(); ok {
		c.mu.Lock()
		c.offset = d
		c.mu.Unlock()
	}
	if err == nil && t.Token != "" {
		// Its end is reckoned by the clock of the options from here on.
		t.ExpiresOn = c.o.Now().Add(time.Until(t.ExpiresOn))
		return t, nil
	}
	if ctx.Err() != nil {
		return azcore.AccessToken{}, ctx.Err()
	}
	return azcore.AccessToken{}, c.fault(w, o.Scopes[0], err)
}

// serviceOf names the service that a scope is for.
func (c *Credential) serviceOf(scope string) Service {
	for _, s := range []Service{Graph, Activity, ResourceManager, LogAnalytics} {
		if c.o.Cloud.Scope(s) == scope {
			return s
		}
	}
	return Service(strings.TrimSuffix(scope, "/.default"))
}

// fault tells what went wrong from what the witness saw. The library's own text
// is used only where nothing was seen: it may hold a whole answer, token and all.
func (c *Credential) fault(w *witness, scope string, err error) *Fault {
	service := c.serviceOf(scope)
	doing := "get a token for " + string(service)
	w.mu.Lock()
	defer w.mu.Unlock()
	var f *Fault
	switch {
	case w.err != nil:
		f = NetworkFault(service, doing, w.err)
	case w.status == 0:
		message := "no token can be asked for"
		if err != nil {
			message = line(err.Error(), 240)
		}
		f = &Fault{Kind: FaultToken, Doing: doing, Message: message}
	case w.status >= 200 && w.status <= 299:
		f = &Fault{Kind: FaultContent, Doing: doing, Status: w.status, Code: codeNotJSON, Message: "an answer that holds no token"}
		if looksHTML(w.header, w.body) {
			f.Code, f.Message = codeHTML, line(htmlTitle(w.body), 120)
		} else if strings.HasSuffix(w.path, "/openid-configuration") {
			f.Message = "the description of the tenant's endpoints is not as it should be"
		}
	case w.status >= 300 && w.status <= 399:
		f = &Fault{Kind: FaultContent, Doing: doing, Status: w.status, Code: codeRedirect, Message: line("redirected to "+hostOf(w.header.Get("Location")), 200)}
	default:
		f = classifyToken(service, doing, w.status, w.header, w.body, w.offset, c.o.Now())
	}
	// It is the sign-in service that speaks, whatever the token was for.
	f.Service = "Microsoft Entra ID"
	return f
}

// build makes the library's credential, reading what it needs.
func (c *Credential) build(w *witness) (azcore.TokenCredential, error) {
	if w == nil {
		w = &witness{http: c.http, now: c.o.Now}
	}
	options := azcore.ClientOptions{
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: strings.TrimRight(c.o.Cloud.Authority, "/") + "/"},
		// Whoever wants the token waits and asks again, with a pause of his own.
		Retry:     policy.RetryOptions{MaxRetries: -1},
		Telemetry: policy.TelemetryOptions{Disabled: true},
		Transport: w,
	}
	switch c.kind {
	case CertificateCredential:
		certs, key, err := c.certificate()
		if err != nil {
			return nil, err
		}
		// Instance discovery would ask a further host whether the authority is genuine;
		// it is the configured one, reached by TLS.
		return azidentity.NewClientCertificateCredential(c.o.Tenant, c.o.ClientID, certs, key, &azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	case SecretCredential:
		secret, err := c.o.ClientSecret.Reveal()
		if err != nil {
			return nil, err
		}
		w.secret = secret
		return azidentity.NewClientSecretCredential(c.o.Tenant, c.o.ClientID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	case FederatedCredential:
		read := func(context.Context) (string, error) {
			b, err := os.ReadFile(c.o.FederatedToken)
			if err != nil {
				return "", fmt.Errorf("federated token: %w", err)
			}
			text := strings.TrimSpace(string(b))
			if text == "" {
				return "", fmt.Errorf("federated token %s: the file is empty", c.o.FederatedToken)
			}
			return text, nil
		}
		if _, err := read(context.Background()); err != nil {
			return nil, err
		}
		return azidentity.NewClientAssertionCredential(c.o.Tenant, c.o.ClientID, read, &azidentity.ClientAssertionCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	}
	// The endpoint on the machine is away for a minute now and then; here the
	// library's own repeats are right.
	options.Retry = policy.RetryOptions{}
	m := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: options}
	if c.o.ClientID != "" {
		m.ID = azidentity.ClientID(c.o.ClientID)
	}
	return azidentity.NewManagedIdentityCredential(m)
}

// certificate reads certificate and key, and remembers the certificate.
func (c *Credential) certificate() ([]*x509.Certificate, crypto.PrivateKey, error) {
	ref := c.o.Certificate
	text, err := ref.Reveal() // refuses a file that others can read
	if err != nil {
		return nil, nil, err
	}
	data := []byte(text)
	if scheme, path, _ := strings.Cut(string(ref), ":"); scheme == "file" {
		// Reveal takes off a last line break, which may belong to a PFX.
		if data, err = os.ReadFile(path); err != nil {
			return nil, nil, err
		}
	} else if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil {
		data = b // a PFX in a variable
	}
	password := ""
	isPEM := strings.Contains(string(data), "-----BEGIN ")
	if c.o.CertificatePassword != "" && !isPEM {
		if password, err = c.o.CertificatePassword.Reveal(); err != nil {
			return nil, nil, err
		}
	}
	if strings.Contains(string(data), "-----BEGIN ENCRYPTED PRIVATE KEY-----") || strings.Contains(string(data), "Proc-Type: 4,ENCRYPTED") {
		return nil, nil, fmt.Errorf("certificate %s: the private key is encrypted; keep it unencrypted in a file that only Glassward can read (openssl pkey -in old.pem -out new.pem; chmod 600), or use a PFX with a password", ref)
	}
	certs, key, err := azidentity.ParseCertificates(data, []byte(password))
	if err != nil {
		hint := "it must hold the certificate and its RSA private key"
		if !isPEM {
			hint = "if it is a PFX with newer encryption, or its password is not at hand, make a PEM of it: openssl pkcs12 -in file.pfx -out file.pem -nodes; chmod 600 file.pem"
		}
		return nil, nil, fmt.Errorf("certificate %s cannot be read: %s; %s", ref, line(err.Error(), 120), hint)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("certificate %s: its key cannot sign", ref)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	i := slices.IndexFunc(certs, func(x *x509.Certificate) bool { return ok && public.Equal(x.PublicKey) })
	if i < 0 {
		return nil, nil, fmt.Errorf("certificate %s: the private key belongs to another certificate", ref)
	}
	c.mu.Lock()
	c.leaf = certs[i]
	c.mu.Unlock()
	return certs, key, nil
}

// A witness stands between the library and the network and remembers the last
// that it saw, so that a fault can be told from the answer itself.
type witness struct {
	http   *http.Client
	now    func() time.Time
	secret string

	mu     sync.Mutex
	path   string
	status int
	header http.Header
	body   []byte
	err    error
	offset time.Duration
	dated  bool
}

// Do sends a request of the library.
func (w *witness) Do(r *http.Request) (*http.Response, error) {
	before := w.now()
	resp, err := w.http.Do(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.path, w.status, w.header, w.body, w.err = r.URL.Path, 0, nil, nil, err
	if err != nil {
		return nil, err
	}
	// Answers here are small; the library reads them whole in any case.
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	_ = resp.Body.Close() // only read from
	if err != nil {
		w.err = err
		return nil, err
	}
	w.status, w.header = resp.StatusCode, resp.Header
	w.body = body
	if w.secret != "" {
		w.body = []byte(strings.ReplaceAll(string(body), w.secret, "…"))
	}
	if d, ok := offsetOf(resp.Header, before, w.now()); ok {
		w.offset, w.dated = d, true
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp, nil
}

// clock gives the offset that was seen, none if it is below the fineness of a
// Date.
func (w *witness) clock() (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.offset.Abs() < 1500*time.Millisecond {
		return 0, w.dated
	}
	return w.offset.Round(time.Millisecond), w.dated
}
