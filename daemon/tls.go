package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"glassward/config"
	"glassward/internal/private"
)

// serverTLS reads the certificate. The key's file must be its owner's alone.
func serverTLS(c *config.TLS) (*tls.Config, error) {
	if err := private.Check(c.Key); err != nil {
		return nil, fmt.Errorf("read the key of the certificate %s: %w", c.Key, err)
	}
	pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s: %w", c.Certificate, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// CheckTLS says whether serve would take a certificate, and until when it holds.
func CheckTLS(c *config.TLS) (until time.Time, err error) {
	t, err := serverTLS(c)
	if err != nil {
		return until, err
	}
	leaf, err := x509.ParseCertificate(t.Certificates[0].Certificate[0])
	if err != nil {
		return until, fmt.Errorf("read the certificate %s: %w", c.Certificate, err)
	}
	return leaf.NotAfter, nil
}

func tlsListener(l net.Listener, c *tls.Config) net.Listener { return tls.NewListener(l, c) }
