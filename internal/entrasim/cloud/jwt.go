package cloud

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"time"

	"glassward/internal/entrasim"
)

// claims are what an access token says.
type claims struct {
	Audience string   `json:"aud"`
	Issuer   string   `json:"iss"`
	IssuedAt int64    `json:"iat"`
	From     int64    `json:"nbf"`
	Until    int64    `json:"exp"`
	AppID    string   `json:"appid"`
	AppIDACR string   `json:"appidacr"`
	Kind     string   `json:"idtyp,omitempty"`
	Object   string   `json:"oid"`
	Subject  string   `json:"sub"`
	Tenant   string   `json:"tid"`
	Roles    []string `json:"roles,omitempty"`
	Scope    string   `json:"scp,omitempty"` // of a person's
	UTI      string   `json:"uti"`
	Version  string   `json:"ver"`
	// Serial counts the tokens of the cloud; who asks need not understand it.
	Serial int64 `json:"aio,string"`
}

func (k *claims) has(role string) bool {
	for _, r := range k.Roles {
		if r == role {
			return true
		}
	}
	return false
}

// sign makes a compact JWT with ES256.
func sign(key *ecdsa.PrivateKey, body any) string {
	head, _ := json.Marshal(map[string]string{"typ": "JWT", "alg": "ES256", "kid": "entrasim"})
	payload, err := json.Marshal(body)
	if err != nil {
		panic(err) // claims always marshal
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err) // a key of our own always signs
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig[:])
}

// verify checks a compact JWT with ES256 and reads its claims.
func verify(key *ecdsa.PublicKey, token string, into any) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errors.New("no compact JWT")
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(sig) != 64 {
		return errors.New("bad signature")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return errors.New("bad signature")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	return json.Unmarshal(payload, into)
}

var (
	errNoToken      = errors.New("no token")
	errExpiredToken = errors.New("expired")
)

// readToken checks an access token: its signature, its time and whether it was
// revoked.
func (c *Cloud) readToken(token string) (*claims, error) {
	if token == "" {
		return nil, errNoToken
	}
	var k claims
	if err := verify(&c.key.PublicKey, token, &k); err != nil {
		return nil, err
	}
	if now := c.now().Unix(); now >= k.Until || now < k.From {
		return &k, errExpiredToken
	}
	c.faults.mu.Lock()
	last, ok := c.faults.revoked[strings.ToLower(k.Tenant)]
	c.faults.mu.Unlock()
	if ok && k.Serial <= last {
		return &k, errRevokedToken
	}
	return &k, nil
}

var errRevokedToken = errors.New("revoked")

// An assertion is a JWT by which an application proves who it is.
type assertion struct {
	head struct {
		Alg    string `json:"alg"`
		SHA1   string `json:"x5t"`
		SHA256 string `json:"x5t#S256"`
	}
	body struct {
		Audience any      `json:"aud"`
		Issuer   string   `json:"iss"`
		Subject  string   `json:"sub"`
		ID       string   `json:"jti"`
		From     *float64 `json:"nbf"`
		Until    *float64 `json:"exp"`
	}
	signed    string
	signature []byte
}

func parseAssertion(token string) (*assertion, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("no compact JWT")
	}
	a := &assertion{signed: parts[0] + "." + parts[1]}
	for i, into := range []any{&a.head, &a.body} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, into); err != nil {
			return nil, err
		}
	}
	var err error
	a.signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	return a, err
}

// audience tells whether an assertion is meant for any of some names.
func (a *assertion) audience(names ...string) bool {
	var have []string
	switch aud := a.body.Audience.(type) {
	case string:
		have = []string{aud}
	case []any:
		for _, v := range aud {
			if s, ok := v.(string); ok {
				have = append(have, s)
			}
		}
	}
	for _, h := range have {
		for _, n := range names {
			if strings.EqualFold(h, n) {
				return true
			}
		}
	}
	return false
}

// late tells whether it is outside the time of an assertion, five minutes
// forgiven on either side.
func (a *assertion) late(now time.Time) bool {
	const skew = 300
	at := float64(now.Unix())
	return a.body.Until == nil || at > *a.body.Until+skew || a.body.From != nil && at < *a.body.From-skew
}

// certificate finds the certificate that an assertion names among those of an
// application.
func (a *assertion) certificate(list []entrasim.Certificate) (*entrasim.Certificate, bool) {
	for i := range list {
		if a.head.SHA256 != "" {
			sum := sha256.Sum256(list[i].DER)
			if sameBytes(a.head.SHA256, sum[:]) {
				return &list[i], true
			}
			continue
		}
		sum := sha1.Sum(list[i].DER)
		if sameBytes(a.head.SHA1, sum[:]) {
			return &list[i], true
		}
	}
	return nil, false
}

// sameBytes compares base64, of which libraries write either alphabet, with
// what it should hold.
func sameBytes(text string, want []byte) bool {
	text = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
	got, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1
}

// verify checks the signature with the key of a certificate.
func (a *assertion) verify(der []byte) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errors.New("the key is not of RSA")
	}
	sum := sha256.Sum256([]byte(a.signed))
	switch a.head.Alg {
	case "RS256":
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], a.signature)
	case "PS256":
		return rsa.VerifyPSS(key, crypto.SHA256, sum[:], a.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return errors.New("the algorithm " + a.head.Alg + " is not known")
}
