package certificate

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Keeper serves a certificate and keeps it good: Look takes over what has changed on
// the disk, and makes anew what was made here and nears its end. It is safe for
// concurrent use.
type Keeper struct {
	certificate, key string
	// dir and names are set where the certificate is made here.
	dir   string
	names []string
	now   func() time.Time

	mu      sync.Mutex // one look at a time
	content []byte
	current atomic.Pointer[tls.Certificate]
}

// Own keeps a certificate of the user's own: a PEM file with it and its chain, and one
// with its key. The error is that it cannot be served.
func Own(certificate, key string, now func() time.Time) (*Keeper, error) {
	k := &Keeper{certificate: certificate, key: key, now: now}
	_, err := k.Look()
	return k, err
}

// Made keeps the certificate of a folder, which Make makes where there is none yet. It
// is for the names beside those by which this machine reaches itself; a change of names
// makes it anew. The error is that it cannot be served.
func Made(dir string, names []string, now func() time.Time) (*Keeper, error) {
	file := filepath.Join(dir, serverFile)
	k := &Keeper{certificate: file, key: file, dir: dir, names: names, now: now}
	if _, err := readPair(filepath.Join(dir, authorityFile)); errors.Is(err, fs.ErrNotExist) {
		err = Make(dir, names, now())
		if err != nil {
			return nil, err
		}
	}
	_, err := k.Look()
	if k.current.Load() != nil {
		// What is there is served, whatever keeps it from being renewed: who looks
		// again learns of it.
		return k, nil
	}
	return k, err
}

// Look reads the files again, and first makes the certificate anew where it is made here
// and less than a third of its time is left, or its names are others. changed says that
// another is served than before. After an error the one before is served on.
func (k *Keeper) Look() (changed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var renewal error
	if k.dir != "" {
		renewal = k.renewIfDue()
	}
	content, pair, err := readPairOf(k.certificate, k.key)
	if err != nil {
		return false, errors.Join(renewal, err)
	}
	if bytes.Equal(content, k.content) {
		return false, renewal
	}
	k.content = content
	k.current.Store(&pair)
	return true, renewal
}

func (k *Keeper) renewIfDue() error {
	pair, err := readPair(k.certificate)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !k.due(pair.Leaf):
		return nil
	}
	return Renew(k.dir, k.names, k.now())
}

// due says whether a certificate that was made here is to be made anew.
func (k *Keeper) due(leaf *x509.Certificate) bool {
	if Left(leaf, k.now()) < leaf.NotAfter.Sub(leaf.NotBefore)/3 {
		return true
	}
	for _, n := range allNames(k.names) {
		if leaf.VerifyHostname(n) != nil {
			return true
		}
	}
	return false
}

// Renew makes the certificate anew whether or not it is time, and serves it.
func (k *Keeper) Renew() error {
	if k.dir == "" {
		return fmt.Errorf("the certificate %s was not made here: put a new one in its place, it is read within a minute", k.certificate)
	}
	if err := Renew(k.dir, k.names, k.now()); err != nil {
		return err
	}
	_, err := k.Look()
	return err
}

// TLS gives the configuration of a server that shows what is kept, as it is at each
// handshake: TLS 1.2 and newer, HTTP/2 and 1.1.
func (k *Keeper) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current.Load(), nil },
	}
}

// Sheet says what the certificate is that is served now.
func (k *Keeper) Sheet() Sheet { return sheetOf(k.current.Load().Leaf, k.certificate, k.dir != "") }

// Left gives how long a certificate holds yet; it is negative when it has ended.
func Left(c *x509.Certificate, now time.Time) time.Duration { return c.NotAfter.Sub(now) }

// A Sheet is what people ask of a certificate.
type Sheet struct {
	// File is where it lies, Made whether it is made here.
	File string `json:"file"`
	Made bool   `json:"made"`
	// Subject and Issuer are distinguished names (RFC 2253).
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`
	// Names are the hosts and addresses that it is for.
	Names []string  `json:"names"`
	From  time.Time `json:"from"`
	Ends  time.Time `json:"ends"`
	// SHA256 and SHA1 are its fingerprints in hex: browsers show the first, Windows
	// the second.
	SHA256 string `json:"sha256"`
	SHA1   string `json:"sha1"`
}

func sheetOf(c *x509.Certificate, file string, made bool) Sheet {
	s := Sheet{File: file, Made: made, Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: append([]string{}, c.DNSNames...), From: c.NotBefore.UTC(), Ends: c.NotAfter.UTC()}
	for _, ip := range c.IPAddresses {
		s.Names = append(s.Names, ip.String())
	}
	long, short := sha256.Sum256(c.Raw), sha1.Sum(c.Raw)
	s.SHA256, s.SHA1 = hex.EncodeToString(long[:]), hex.EncodeToString(short[:])
	return s
}

// There says whether a certificate was made in a folder.
func There(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, authorityFile))
	return err == nil
}

// Read gives the sheets of a user's own certificate or, with dir, of the made one and of
// its authority, without serving or renewing anything.
func Read(certificate, key, dir string) ([]Sheet, error) {
	if dir == "" {
		_, pair, err := readPairOf(certificate, key)
		if err != nil {
			return nil, err
		}
		return []Sheet{sheetOf(pair.Leaf, certificate, false)}, nil
	}
	var list []Sheet
	for _, name := range []string{serverFile, authorityFile} {
		file := filepath.Join(dir, name)
		pair, err := readPair(file)
		if err != nil {
			return nil, err
		}
		list = append(list, sheetOf(pair.Leaf, file, true))
	}
	return list, nil
}

// A State is how near its end a certificate is.
type State int

// The states of a certificate. Near is when 30 days are left, Urgent when it is 7; of
// one that holds for less than 120 days, a quarter of its time and a thirteenth, so that
// one that is renewed as it should be is never near.
const (
	Good State = iota
	Near
	Urgent
	Ended
)

// State says how near its end the certificate is.
func (s Sheet) State(now time.Time) State {
	life, left := s.Ends.Sub(s.From), s.Ends.Sub(now)
	switch {
	case left <= 0:
		return Ended
	case left < min(7*24*time.Hour, life/13):
		return Urgent
	case left < min(30*24*time.Hour, life/4):
		return Near
	}
	return Good
}

// Fingerprint writes a fingerprint in the way in which browsers show it: AB:CD:….
func Fingerprint(hex string) string {
	var b strings.Builder
	for i := 0; i+2 <= len(hex); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(strings.ToUpper(hex[i : i+2]))
	}
	return b.String()
}
