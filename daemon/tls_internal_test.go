package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward/config"
)

func TestCheckTLS(t *testing.T) {
	dir := t.TempDir()
	until := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sheet := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.AddDate(-1, 0, 0), NotAfter: until, DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, sheet, sheet, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := &config.TLS{Certificate: filepath.Join(dir, "server.pem"), Key: filepath.Join(dir, "key.pem")}
	write := func(file, kind string, b []byte) {
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(c.Certificate, "CERTIFICATE", der)
	if _, err := CheckTLS(c); err == nil || !strings.Contains(err.Error(), "read the key") {
		t.Errorf("without a key: %v", err)
	}
	write(c.Key, "PRIVATE KEY", pkcs)
	if got, err := CheckTLS(c); err != nil || !got.Equal(until) {
		t.Errorf("%s, %v; want %s", got, err, until)
	}
	if err := os.Chmod(c.Key, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckTLS(c); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
}
