package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"glassward"
	"glassward/config"
	"glassward/entra"
)

// A reach is how a tenant's services are reached: where they are, as whom, and
// through which clients. Every tenant has its own, so that neither a credential
// nor a service's patience is shared.
type reach struct {
	cloud      entra.Cloud
	http       *http.Client
	credential *entra.Credential // nil where no application is configured
	// authority is who signs the services' certificates; nil is who the system
	// trusts.
	authority *x509.CertPool

	// licence is what was read of the tenant's licences last, nil before.
	licence atomic.Pointer[entra.Licence]

	mu      sync.Mutex
	clients map[entra.Service]*entra.Client
	now     func() time.Time
}

// requestTimeout bounds one request to a service, its answer included.
const requestTimeout = 2 * time.Minute

// reachOf makes ready what a tenant's file says of its cloud and application. It
// asks nobody yet.
func reachOf(t config.Tenant, n Network, now func() time.Time) (*reach, error) {
	cloud, err := t.CloudOf()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 8
	var pool *x509.CertPool
	if t.Endpoints != nil && t.Endpoints.CA != "" {
		if pool, err = authority(t.Endpoints.CA); err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	services := n.Services
	if services == nil {
		services = transport
	}
	r := &reach{cloud: cloud, authority: pool, http: &http.Client{Transport: services, Timeout: requestTimeout}, clients: map[entra.Service]*entra.Client{}, now: now}
	if a := t.Application; a != nil {
		r.credential, err = entra.NewCredential(entra.CredentialOptions{
			Cloud: cloud, Tenant: t.ID, ClientID: a.ClientID,
			Certificate: a.Certificate, CertificatePassword: a.CertificatePassword, ClientSecret: a.ClientSecret,
			FederatedToken: a.FederatedToken, ManagedIdentity: a.ManagedIdentity, HTTP: r.http, Now: now,
		})
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Graph gives a client of Microsoft Graph for a tenant, as its file says: for a
// command that asks by itself.
func Graph(t config.Tenant) (*entra.Client, error) {
	r, err := reachOf(t, Network{}, time.Now)
	if err != nil {
		return nil, err
	}
	if r.credential == nil {
		return nil, fmt.Errorf("tenant %s: no application is configured: give application with clientId and certificate", t.Name)
	}
	return r.client(entra.Graph), nil
}

// ResourceManager gives clients of Azure Resource Manager for a tenant: one that asks as
// the tenant's application, and, if a token of a person is referred to, one that asks as
// that person.
func ResourceManager(t config.Tenant, token glassward.Secret) (application, person *entra.Client, err error) {
	r, err := reachOf(t, Network{}, time.Now)
	if err != nil {
		return nil, nil, err
	}
	if r.credential != nil {
		application = r.client(entra.ResourceManager)
	}
	if token != "" {
		person = entra.NewClient(entra.ClientOptions{Service: entra.ResourceManager, Cloud: r.cloud, Credential: entra.PersonToken{Token: token}, HTTP: r.http})
	}
	return application, person, nil
}

// authority reads the PEM file of a certificate authority; what the system
// trusts is trusted as well.
func authority(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("endpoints.ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("endpoints.ca: %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// paces are what the services allow one application in one tenant, with room
// left: Graph's reports 5 requests in 10 seconds, by a clock that sees them later
// than ours, the Activity API 2000 a minute.
var paces = map[entra.Service]entra.Pace{
	entra.Graph:        {Requests: 5, Per: 11 * time.Second},
	entra.Activity:     {Requests: 1000, Per: time.Minute},
	entra.LogAnalytics: {Requests: 100, Per: 30 * time.Second},
}

// client gives the one client of a service: all streams share its pace.
func (r *reach) client(s entra.Service) *entra.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.clients[s]
	if c == nil {
		c = entra.NewClient(entra.ClientOptions{Service: s, Cloud: r.cloud, Credential: r.credential, HTTP: r.http, Pace: paces[s], Now: r.now})
		r.clients[s] = c
	}
	return c
}

// learn takes in what our application looks like in the tenant.
func (r *reach) learn(s *entra.Self) {
	if s != nil && s.Licence.Known {
		r.licence.Store(&s.Licence.Value)
	}
}

// keeps gives how long Entra keeps sign-ins and audits for the tenant, 0 if its
// licences are not known: a week without P1, 30 days with it.
func (r *reach) keeps() time.Duration {
	switch l := r.licence.Load(); {
	case l == nil:
		return 0
	case l.P1 || l.P2:
		return 30 * 24 * time.Hour
	}
	return 7 * 24 * time.Hour
}

// close gives connections back.
func (r *reach) close() { r.http.CloseIdleConnections() }

// GraphOf gives a client of Microsoft Graph for a tenant as its file describes
// it. It asks nobody yet.
func GraphOf(t config.Tenant, now func() time.Time) (*entra.Client, error) {
	r, err := reachOf(t, Network{}, now)
	if err != nil {
		return nil, err
	}
	if r.credential == nil {
		return nil, fmt.Errorf("tenant %s: no application is described", t.Name)
	}
	return r.client(entra.Graph), nil
}
