package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"glassward/internal/private"
)

// How long what is made holds. 397 days is the most that browsers take of a server
// (CA/Browser Forum, baseline requirements 6.3.2).
const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 397 * 24 * time.Hour
	// backdated is how far a client's clock may be behind ours.
	backdated = time.Hour
)

// The files of a folder of made certificates.
const (
	authorityFile = "authority.pem"
	serverFile    = "server.pem"
)

// always are the names under which this machine reaches itself.
var always = []string{"localhost", "127.0.0.1", "::1"}

var nameForm = regexp.MustCompile(`^(?i:[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.(?i:[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?))*$`)

// CheckName says why a certificate cannot be made for a name: it takes host names and
// addresses as they stand in an URL, without port.
func CheckName(name string) error {
	if net.ParseIP(name) != nil {
		return nil
	}
	if len(name) > 253 || !nameForm.MatchString(name) {
		return fmt.Errorf("%q is no host name or address: write glassward.example.org or 10.1.2.3, without https:// and port", name)
	}
	return nil
}

// allNames gives the names that a server is made for: those by which this machine
// reaches itself, and more.
func allNames(more []string) []string {
	var list []string
	for _, n := range append(slices.Clone(always), more...) {
		n = strings.ToLower(n)
		if ip := net.ParseIP(n); ip != nil {
			n = ip.String()
		}
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// split parts host names from addresses.
func split(names []string) (hosts []string, addresses []net.IP) {
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			if v4 := ip.To4(); v4 != nil {
				ip = v4
			}
			addresses = append(addresses, ip)
		} else {
			hosts = append(hosts, n)
		}
	}
	return hosts, addresses
}

// Make makes an authority for the names, and those by which this machine reaches
// itself, with a server's certificate, and puts them into the folder in the place of
// what is there. Clients that trusted the authority before have to be given the new one.
func Make(dir string, names []string, now time.Time) error {
	if err := private.MkdirAll(dir); err != nil {
		return err
	}
	if err := private.Check(dir); err != nil {
		return fmt.Errorf("the folder of certificates %s: %w", dir, err)
	}
	for _, n := range names {
		if err := CheckName(n); err != nil {
			return err
		}
	}
	hosts, addresses := split(allNames(names))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	sheet := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Glassward authority of " + title(names), SerialNumber: serial.Text(16)[:8]},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(authorityLife),
		KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 0, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: hosts,
	}
	for _, ip := range addresses {
		bits := 8 * len(ip)
		sheet.PermittedIPRanges = append(sheet.PermittedIPRanges, &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, bits)})
	}
	der, err := x509.CreateCertificate(rand.Reader, sheet, sheet, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("make an authority: %w", err)
	}
	if err := write(filepath.Join(dir, authorityFile), key, der); err != nil {
		return err
	}
	return Renew(dir, names, now)
}

// title is what an authority is called by: the first name that people gave.
func title(names []string) string {
	if len(names) > 0 {
		return names[0]
	}
	return "this machine"
}

// newSerial gives 128 random bits, as large a number as every client takes.
func newSerial() (*big.Int, error) {
	bound := new(big.Int).Lsh(big.NewInt(1), 127)
	n, err := rand.Int(rand.Reader, bound)
	if err != nil {
		return nil, err
	}
	return n.SetBit(n, 126, 1), nil
}

// ErrNames is wrapped where a server is to have names that its authority may not give.
var ErrNames = errors.New("the authority was not made for it")

// Renew makes a new server's certificate and key by the folder's authority. The error
// wraps fs.ErrNotExist where there is none, private.ErrExposed where others can read its
// key, and ErrNames where it was not made for one of the names.
func Renew(dir string, names []string, now time.Time) error {
	authority, err := readPair(filepath.Join(dir, authorityFile))
	if err != nil {
		return err
	}
	by := authority.Leaf
	if left := by.NotAfter.Sub(now); left < 24*time.Hour {
		return fmt.Errorf("the authority %s ends %s: glassward certificate renew --authority makes another, which clients have to be given", filepath.Join(dir, authorityFile), by.NotAfter.UTC().Format(time.RFC3339))
	}
	names = allNames(names)
	for _, n := range names {
		if !mayName(by, n) {
			return fmt.Errorf("%w: %s is none of its names; glassward certificate renew --authority makes another, which clients have to be given", ErrNames, n)
		}
	}
	hosts, addresses := split(names)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	ends := now.Add(serverLife - backdated)
	if ends.After(by.NotAfter) {
		ends = by.NotAfter
	}
	sheet := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Glassward"},
		NotBefore: now.Add(-backdated), NotAfter: ends,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: hosts, IPAddresses: addresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, sheet, by, &key.PublicKey, authority.PrivateKey)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	return write(filepath.Join(dir, serverFile), key, der, authority.Certificate[0])
}

// mayName says whether an authority's constraints let it name a host or an address.
func mayName(authority *x509.Certificate, name string) bool {
	if ip := net.ParseIP(name); ip != nil {
		return slices.ContainsFunc(authority.PermittedIPRanges, func(n *net.IPNet) bool { return n.Contains(ip) })
	}
	return slices.ContainsFunc(authority.PermittedDNSDomains, func(d string) bool {
		return strings.EqualFold(name, d) || strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(d))
	})
}

// Authority gives the certificate of a folder's authority in PEM, without its key: what
// clients and browsers are given to trust.
func Authority(dir string) ([]byte, error) {
	pair, err := readPair(filepath.Join(dir, authorityFile))
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), nil
}

// write puts a key and certificates into one file that is its owner's alone.
func write(file string, key crypto.Signer, ders ...[]byte) error {
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs})
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return private.WriteFile(file, text)
}

// readPair reads a file with a certificate and its key.
func readPair(file string) (tls.Certificate, error) {
	_, pair, err := readPairOf(file, file)
	return pair, err
}

// readPairOf reads a certificate with its chain, and its key, which must be its owner's
// alone. content is what was read, by which a change shows.
func readPairOf(certificate, key string) (content []byte, pair tls.Certificate, err error) {
	if err := private.Check(key); err != nil {
		return nil, pair, fmt.Errorf("read the key of the certificate %s: %w", key, err)
	}
	chain, err := readBounded(certificate)
	if err != nil {
		return nil, pair, fmt.Errorf("read the certificate %s: %w", certificate, err)
	}
	secret, err := readBounded(key)
	if err != nil {
		return nil, pair, fmt.Errorf("read the key of the certificate %s: %w", key, err)
	}
	if pair, err = tls.X509KeyPair(chain, secret); err != nil {
		return nil, pair, fmt.Errorf("read the certificate %s: %w", certificate, err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, pair, fmt.Errorf("read the certificate %s: %w", certificate, err)
		}
	}
	return bytes.Join([][]byte{chain, secret}, []byte{0}), pair, nil
}

// maxFile bounds a certificate's file in bytes.
const maxFile = 1 << 20

func readBounded(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, &fs.PathError{Op: "read", Path: file, Err: errors.New("it is no file of certificates")}
	}
	return os.ReadFile(file)
}
