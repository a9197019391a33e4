package certificate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward/certificate"
	"glassward/internal/private"
)

// A clock is set by hand.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

// greets opens a connection to a server under a name, as a client that trusts the
// authority alone, and gives what the server showed.
func greets(t *testing.T, k *certificate.Keeper, authority []byte, name string, c *clock) (*x509.Certificate, tls.ConnectionState, error) {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatal("the authority is no certificate")
	}
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	go func() { _ = tls.Server(theirs, k.TLS()).Handshake() }()
	client := tls.Client(ours, &tls.Config{RootCAs: roots, ServerName: name, Time: c.now, NextProtos: []string{"h2"}})
	if err := client.Handshake(); err != nil {
		return nil, tls.ConnectionState{}, err
	}
	s := client.ConnectionState()
	return s.PeerCertificates[0], s, nil
}

func made(t *testing.T, dir string, names []string, c *clock) (*certificate.Keeper, []byte) {
	t.Helper()
	k, err := certificate.Made(dir, names, c.now)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := certificate.Authority(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k, authority
}

func TestWhoTrustsTheAuthorityTrustsTheServer(t *testing.T) {
	c := newClock()
	dir := filepath.Join(t.TempDir(), "tls")
	k, authority := made(t, dir, []string{"Glassward.Example.org", "10.1.2.3"}, c)
	if strings.Contains(string(authority), "PRIVATE") {
		t.Error("the key goes out with the authority")
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "glassward.example.org", "10.1.2.3"} {
		leaf, s, err := greets(t, k, authority, name, c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.NegotiatedProtocol != "h2" || s.Version < tls.VersionTLS12 {
			t.Errorf("%s: spoken is %q by version %x", name, s.NegotiatedProtocol, s.Version)
		}
		if days := leaf.NotAfter.Sub(leaf.NotBefore) / (24 * time.Hour); days > 397 {
			t.Errorf("the certificate holds %d days, more than clients take", days)
		}
	}
	if _, _, err := greets(t, k, authority, "elsewhere.example.org", c); err == nil {
		t.Error("another name is taken")
	}
	for _, file := range []string{"authority.pem", "server.pem"} {
		if err := private.Check(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	// Made again it is the same: clients go on.
	again, same := made(t, dir, []string{"Glassward.Example.org", "10.1.2.3"}, c)
	if string(same) != string(authority) || again.Sheet().SHA256 != k.Sheet().SHA256 {
		t.Error("a second start made another")
	}
}

// Whoever has the authority's key cannot name other servers with it.
func TestAStolenAuthorityNamesNobodyElse(t *testing.T) {
	c := newClock()
	dir := filepath.Join(t.TempDir(), "tls")
	_, authority := made(t, dir, []string{"glassward.example.org"}, c)
	stolen, err := tls.LoadX509KeyPair(filepath.Join(dir, "authority.pem"), filepath.Join(dir, "authority.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forge := func(sheet *x509.Certificate, use x509.ExtKeyUsage) error {
		sheet.SerialNumber, sheet.NotBefore, sheet.NotAfter, sheet.ExtKeyUsage = big.NewInt(1), c.t.Add(-time.Hour), c.t.Add(time.Hour), []x509.ExtKeyUsage{use}
		der, err := x509.CreateCertificate(rand.Reader, sheet, stolen.Leaf, &key.PublicKey, stolen.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: c.t, KeyUsages: []x509.ExtKeyUsage{use}})
		return err
	}
	mine := []string{"glassward.example.org"}
	if err := forge(&x509.Certificate{DNSNames: mine}, x509.ExtKeyUsageServerAuth); err != nil {
		t.Errorf("its own name: %v", err)
	}
	for what, err := range map[string]error{
		"a name":        forge(&x509.Certificate{DNSNames: []string{"login.microsoftonline.com"}}, x509.ExtKeyUsageServerAuth),
		"an address":    forge(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}}, x509.ExtKeyUsageServerAuth),
		"a client":      forge(&x509.Certificate{DNSNames: mine}, x509.ExtKeyUsageClientAuth),
		"a code signer": forge(&x509.Certificate{DNSNames: mine}, x509.ExtKeyUsageCodeSigning),
	} {
		if err == nil {
			t.Errorf("%s that it may not name is taken", what)
		}
	}
	if stolen.Leaf.KeyUsage != x509.KeyUsageCertSign || !stolen.Leaf.MaxPathLenZero || stolen.Leaf.MaxPathLen != 0 || !stolen.Leaf.PermittedDNSDomainsCritical {
		t.Errorf("the authority may %b, path length %d (%v), critical %v", stolen.Leaf.KeyUsage, stolen.Leaf.MaxPathLen, stolen.Leaf.MaxPathLenZero, stolen.Leaf.PermittedDNSDomainsCritical)
	}
}

func TestItRenewsItself(t *testing.T) {
	c := newClock()
	dir := filepath.Join(t.TempDir(), "tls")
	k, authority := made(t, dir, nil, c)
	first := k.Sheet()
	look := func(want bool) {
		t.Helper()
		if changed, err := k.Look(); err != nil || changed != want {
			t.Errorf("after %s: changed %v, %v; want %v", c.t.Sub(first.From), changed, err, want)
		}
	}
	look(false)
	c.t = c.t.AddDate(0, 0, 264)
	look(false)
	c.t = c.t.AddDate(0, 0, 2) // a third is left
	look(true)
	look(false)
	if _, _, err := greets(t, k, authority, "localhost", c); err != nil {
		t.Errorf("after the renewal: %v", err)
	}
	// Years without anybody's doing, up to the authority's own end.
	for c.t.Before(first.From.Add(3600 * 24 * time.Hour)) {
		c.t = c.t.AddDate(0, 1, 0)
		if _, err := k.Look(); err != nil {
			t.Fatalf("after %s: %v", c.t.Sub(first.From), err)
		}
		if s := k.Sheet(); s.State(c.t) != certificate.Good {
			// Only the authority's end brings it near its own.
			if left := first.From.Add(3650 * 24 * time.Hour).Sub(c.t); left > 31*24*time.Hour {
				t.Fatalf("after %s it ends %s", c.t.Sub(first.From), s.Ends)
			}
		}
	}
	c.t = first.From.Add(3650 * 24 * time.Hour)
	if _, err := k.Look(); err == nil || !strings.Contains(err.Error(), "renew --authority") {
		t.Errorf("at the authority's end: %v", err)
	}
}

func TestNamesOfTheConfigurationAreFollowed(t *testing.T) {
	c := newClock()
	dir := filepath.Join(t.TempDir(), "tls")
	_, authority := made(t, dir, []string{"example.org"}, c)
	// A name below one that the authority has is within what it may.
	k, same := made(t, dir, []string{"example.org", "glassward.example.org"}, c)
	if string(same) != string(authority) {
		t.Error("another authority was made")
	}
	if _, _, err := greets(t, k, authority, "glassward.example.org", c); err != nil {
		t.Error(err)
	}
	// Another is not: what is there is served on, and it is said.
	k, _ = made(t, dir, []string{"example.com"}, c)
	if _, err := k.Look(); !errors.Is(err, certificate.ErrNames) || !strings.Contains(err.Error(), "example.com") {
		t.Errorf("a name that the authority may not give: %v", err)
	}
	if _, _, err := greets(t, k, authority, "localhost", c); err != nil {
		t.Error(err)
	}
	if err := certificate.Make(dir, []string{"example.com"}, c.t); err != nil {
		t.Fatal(err)
	}
	if changed, err := k.Look(); err != nil || !changed {
		t.Errorf("another authority: changed %v, %v", changed, err)
	}
	for _, bad := range []string{"https://x.org", "x.org:8470", "", "a b", "*.x.org", "-"} {
		if err := certificate.CheckName(bad); err == nil {
			t.Errorf("%q is taken for a name", bad)
		}
	}
}

func TestAnExposedKeyIsRefused(t *testing.T) {
	c := newClock()
	dir := filepath.Join(t.TempDir(), "tls")
	k, _ := made(t, dir, nil, c)
	if err := os.Chmod(filepath.Join(dir, "authority.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := certificate.Authority(dir); !errors.Is(err, private.ErrExposed) {
		t.Errorf("export: %v", err)
	}
	if err := k.Renew(); !errors.Is(err, private.ErrExposed) {
		t.Errorf("renew: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "server.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := certificate.Made(dir, nil, c.now); !errors.Is(err, private.ErrExposed) {
		t.Errorf("serve: %v", err)
	}
}

// own writes a certificate of somebody else's making.
func own(t *testing.T, dir string, serial int64, until time.Time) (certificate, key []byte) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sheet := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: until.AddDate(-1, 0, 0), NotAfter: until, DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, sheet, sheet, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs})
}

func TestOnesOwnIsReadAgain(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	file, keyFile := filepath.Join(dir, "server.pem"), filepath.Join(dir, "key.pem")
	put := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := certificate.Own(file, keyFile, c.now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without files: %v", err)
	}
	cert, key := own(t, dir, 1, c.t.AddDate(0, 1, 0))
	put(file, cert)
	put(keyFile, key)
	k, err := certificate.Own(file, keyFile, c.now)
	if err != nil {
		t.Fatal(err)
	}
	first := k.Sheet()
	// Between the two files the pair does not fit: the one before is served on.
	cert, key = own(t, dir, 2, c.t.AddDate(0, 6, 0))
	put(file, cert)
	if changed, err := k.Look(); err == nil || changed || k.Sheet().SHA256 != first.SHA256 {
		t.Errorf("half a change: changed %v, %v", changed, err)
	}
	put(keyFile, key)
	if changed, err := k.Look(); err != nil || !changed || k.Sheet().SHA256 == first.SHA256 {
		t.Errorf("a whole change: changed %v, %v", changed, err)
	}
	if err := k.Renew(); err == nil {
		t.Error("another's certificate was made here")
	}
}

func TestStates(t *testing.T) {
	day := 24 * time.Hour
	now := newClock().t
	for _, x := range []struct {
		life, left time.Duration
		want       certificate.State
	}{
		{397 * day, 31 * day, certificate.Good}, {397 * day, 29 * day, certificate.Near}, {397 * day, 6 * day, certificate.Urgent},
		// What is renewed with a third left, as ACME clients do, is never near.
		{90 * day, 28 * day, certificate.Good}, {90 * day, 22 * day, certificate.Near}, {90 * day, 6 * day, certificate.Urgent},
		{6 * day, 2 * day, certificate.Good}, {6 * day, 30 * time.Hour, certificate.Near}, {6 * day, 11 * time.Hour, certificate.Urgent},
		{6 * day, 0, certificate.Ended},
	} {
		s := certificate.Sheet{From: now.Add(x.left - x.life), Ends: now.Add(x.left)}
		if got := s.State(now); got != x.want {
			t.Errorf("%s left of %s: %v, want %v", x.left, x.life, got, x.want)
		}
	}
	if got := certificate.Fingerprint("00abff"); got != "00:AB:FF" {
		t.Error(got)
	}
}
