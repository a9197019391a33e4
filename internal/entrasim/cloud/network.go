package cloud

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"glassward/internal/pipe"
)

// Endpoints say where the services stand.
type Endpoints struct {
	// Roots without a slash at the end. All but ManagedIdentity are https.
	Authority, Graph, Activity, ResourceManager, LogAnalytics, ManagedIdentity string
	// Hubs are the Event Hubs namespaces, host and port, by tenant id.
	Hubs map[string]string
	// CA is the certificate, in PEM, by which the servers are known. In memory
	// only the hubs speak TLS.
	CA []byte
}

// services are those that speak HTTP, with the host that each has in public.
var services = []struct {
	service Service
	host    string
}{
	{Authority, "login.microsoftonline.com"},
	{Graph, "graph.microsoft.com"},
	{Activity, "manage.office.com"},
	{ResourceManager, "management.azure.com"},
	{LogAnalytics, "api.loganalytics.io"},
	{Metadata, metadataHost},
}

const metadataHost = "169.254.169.254"

func (e *Endpoints) set(s Service, root string) {
	switch s {
	case Authority:
		e.Authority = root
	case Graph:
		e.Graph = root
	case Activity:
		e.Activity = root
	case ResourceManager:
		e.ResourceManager = root
	case LogAnalytics:
		e.LogAnalytics = root
	case Metadata:
		e.ManagedIdentity = root
	}
}

// Listen opens the servers on the loopback, each on a port of its own, with TLS
// under a certificate authority of their own. The metadata endpoint speaks
// without TLS, as the real one does.
func (c *Cloud) Listen() (Endpoints, error) {
	ca, err := c.newAuthority()
	if err != nil {
		return Endpoints{}, err
	}
	e := Endpoints{CA: ca.pem, Hubs: map[string]string{}}
	for _, s := range services {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return Endpoints{}, fmt.Errorf("no port for %s: %w", s.service, err)
		}
		root := "http://" + ln.Addr().String()
		if s.service != Metadata {
			root = "https://" + ln.Addr().String()
			ln = tls.NewListener(ln, ca.config.Clone())
		}
		e.set(s.service, root)
		c.mu.Lock()
		c.roots[root] = s.service
		c.mu.Unlock()
		c.serve(ln, c.handler(s.service))
	}
	for _, t := range c.order {
		addr, err := t.hubs.listen(ca)
		if err != nil {
			return Endpoints{}, err
		}
		e.Hubs[t.world.Tenant().ID] = addr
	}
	return e, nil
}

// serve answers on a listener until the cloud is closed.
func (c *Cloud) serve(ln net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(ln) }) // ends with Close
	c.onClose(func() { s.Close(); done.Wait() })
}

// Client gives a client that trusts the servers of [Cloud.Listen] and finds the
// metadata endpoint among them.
func (c *Cloud) Client(e Endpoints) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(e.CA)
	var d net.Dialer
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if host, _, _ := net.SplitHostPort(addr); host == metadataHost {
				addr = strings.TrimPrefix(e.ManagedIdentity, "http://")
			}
			return d.DialContext(ctx, network, addr)
		},
		MaxIdleConnsPerHost: 16,
	}
	c.onClose(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Pipe opens the servers in memory, under the names that they have in public,
// for tests in virtual time. The connections that the client makes carry no TLS,
// though its addresses are https.
func (c *Cloud) Pipe() (*http.Client, Endpoints) {
	p := pipe.New("pipe")
	e := Endpoints{Hubs: map[string]string{}}
	handlers := map[string]http.Handler{}
	for _, s := range services {
		root := "https://" + s.host
		if s.service == Metadata {
			root = "http://" + s.host
		}
		e.set(s.service, root)
		handlers[s.host] = c.handler(s.service)
	}
	c.serve(p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(r.Host)
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		handlers[host].ServeHTTP(w, r)
	}))
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		if handlers[strings.ToLower(host)] == nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
		}
		return p.Dial(ctx, network, addr)
	}
	transport := &http.Transport{DialContext: dial, DialTLSContext: dial, MaxIdleConnsPerHost: 16}
	c.onClose(transport.CloseIdleConnections)
	ca, err := c.newAuthority()
	if err != nil {
		panic(err) // keys and certificates of our own can always be made
	}
	e.CA = ca.pem
	for _, t := range c.order {
		e.Hubs[t.world.Tenant().ID] = t.hubs.open(ca)
	}
	return &http.Client{Transport: transport}, e
}

// DialHubs connects to an Event Hubs namespace in memory; the caller speaks TLS
// over it, as over a socket. The address is one of [Endpoints.Hubs] of [Cloud.Pipe].
func (c *Cloud) DialHubs(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	for _, t := range c.order {
		if strings.EqualFold(host, t.hubs.namespace()) {
			return t.hubs.dial(ctx)
		}
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
}

// issued is a certificate authority and what a server needs of it.
type issued struct {
	pem    []byte
	config *tls.Config
}

// newAuthority makes a certificate authority and a certificate of it for the
// loopback and the namespaces. It is good in real time and in virtual time.
func (c *Cloud) newAuthority() (*issued, error) {
	from, to := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	key, leafKey := newKey(), newKey()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Simulated cloud"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, t := range c.order {
		leaf.DNSNames = append(leaf.DNSNames, t.hubs.namespace())
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &issued{
		pem:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		config: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{leafDER, rootDER}, PrivateKey: leafKey}}},
	}, nil
}
