package entra_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"glassward"
	"glassward/entra"
)

const (
	tenantID = "6d7a2f5c-0a4b-4e7e-9a55-2c1b8f0e4d11"
	clientID = "0b9c4c3e-52f1-4f0a-8a6f-9a1d7c3e5b22"
)

// memory serves requests by a handler without sockets, so that it works in
// virtual time. A handler that panics with http.ErrAbortHandler breaks the
// connection.
type memory struct{ http.Handler }

func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	broken := false
	func() {
		defer func() {
			if p := recover(); p != nil {
				broken = true
			}
		}()
		m.ServeHTTP(w, r)
	}()
	if broken {
		return nil, io.ErrUnexpectedEOF
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// tenant is a small and strict token service and Graph: it checks signatures,
// audiences and tokens, and answers what it is told to.
type tenant struct {
	t     *testing.T
	cloud entra.Cloud
	now   func() time.Time

	mu        sync.Mutex
	cert      *x509.Certificate
	secret    string
	federated string // the assertion that is taken
	roles     map[string][]string
	life      time.Duration
	refuse    func(w http.ResponseWriter) bool // the token service's trouble
	issued    map[string]time.Time             // tokens and their ends
	tokens    int
	asked     []string // paths and claims of token requests
	graph     http.Handler
	skew      time.Duration
}

func newTenant(t *testing.T) *tenant {
	public, _ := entra.LookupCloud("public")
	return &tenant{t: t, cloud: public, now: time.Now, issued: map[string]time.Time{}, life: time.Hour,
		roles: map[string][]string{"https://graph.microsoft.com": {"AuditLog.Read.All"}, "https://manage.office.com": {"ActivityFeed.Read"}}}
}

func (s *tenant) http() *http.Client { return &http.Client{Transport: memory{s}} }

func (s *tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().Add(s.skew).UTC().Format(http.TimeFormat))
	authority, _ := url.Parse(s.cloud.Authority)
	if r.Host == authority.Host || r.URL.Host == authority.Host {
		s.serveToken(w, r)
		return
	}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	ends, known := s.issued[bearer]
	s.mu.Unlock()
	if !ok || !known || s.now().After(ends) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":{"code":"InvalidAuthenticationToken","message":"Access token is empty, unknown or over.","innerError":{"request-id":"11111111-aaaa-bbbb-cccc-222222222222"}}}`)
		return
	}
	s.graph.ServeHTTP(w, r)
}

func (s *tenant) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	s.mu.Lock()
	defer s.mu.Unlock()
	base := s.cloud.Authority + "/" + tenantID
	if r.URL.Path == "/"+tenantID+"/v2.0/.well-known/openid-configuration" {
		json.NewEncoder(w).Encode(map[string]string{
			"issuer": base + "/v2.0", "authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token",
		})
		return
	}
	if r.Method != "POST" || r.URL.Path != "/"+tenantID+"/oauth2/v2.0/token" {
		s.t.Errorf("token service: %s %s", r.Method, r.URL.Path)
		w.WriteHeader(404)
		return
	}
	if err := r.ParseForm(); err != nil {
		w.WriteHeader(400)
		return
	}
	s.asked = append(s.asked, r.Form.Get("scope")+" "+r.Form.Get("claims"))
	if s.refuse != nil && s.refuse(w) {
		return
	}
	if r.Form.Get("grant_type") != "client_credentials" || r.Form.Get("client_id") != clientID {
		tokenRefusal(w, 400, "unauthorized_client", 700016, "Application with identifier '"+r.Form.Get("client_id")+"' was not found in the directory.")
		return
	}
	switch {
	case r.Form.Get("client_secret") != "":
		if r.Form.Get("client_secret") != s.secret {
			tokenRefusal(w, 401, "invalid_client", 7000215, "Invalid client secret provided.")
			return
		}
	case s.federated != "" && r.Form.Get("client_assertion") == s.federated:
	default:
		if err := s.check(r.Form.Get("client_assertion_type"), r.Form.Get("client_assertion"), base+"/oauth2/v2.0/token"); err != nil {
			tokenRefusal(w, 401, "invalid_client", 700027, err.Error())
			return
		}
	}
	audience, ok := strings.CutSuffix(strings.Fields(r.Form.Get("scope"))[0], "/.default")
	if !ok || s.roles[audience] == nil {
		tokenRefusal(w, 400, "invalid_resource", 500011, "The resource principal named "+audience+" was not found in the tenant.")
		return
	}
	s.tokens++
	token := s.token(map[string]any{
		"aud": audience, "tid": tenantID, "appid": clientID, "oid": "f0000000-0000-0000-0000-00000000000f", "roles": s.roles[audience],
		"appidacr": "2", "idtyp": "app", "iat": s.now().Unix(), "exp": s.now().Add(s.life).Unix(), "jti": s.tokens, "wids": []string{"0997a1d0-0d1d-4acb-b408-d5ca73121e90"},
	})
	s.issued[token] = s.now().Add(s.life)
	json.NewEncoder(w).Encode(map[string]any{"token_type": "Bearer", "expires_in": int(s.life.Seconds()), "ext_expires_in": int(s.life.Seconds()), "access_token": token})
}

func (s *tenant) token(claims map[string]any) string {
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(map[string]string{"alg": "RS256", "typ": "JWT"}) + "." + part(claims) + ".c2lnbmF0dXJl"
}

// check looks at a client assertion as the real service does.
func (s *tenant) check(kind, assertion, audience string) error {
	parts := strings.Split(assertion, ".")
	if kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || len(parts) != 3 || s.cert == nil {
		return fmt.Errorf("Client assertion is malformed or no certificate is registered.")
	}
	var header struct {
		Alg, Typ string
		S256     string `json:"x5t#S256"`
		S1       string `json:"x5t"`
	}
	var claims struct {
		Aud, Iss, Sub, Jti string
		Nbf, Exp           int64
	}
	for i, v := range []any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(b, v) != nil {
			return fmt.Errorf("Client assertion cannot be read.")
		}
	}
	long, short := sha256.Sum256(s.cert.Raw), sha1.Sum(s.cert.Raw)
	// Microsoft's own library writes the thumbprint in the common base64.
	if header.S256 != base64.RawURLEncoding.EncodeToString(long[:]) && header.S256 != base64.StdEncoding.EncodeToString(long[:]) && header.S1 != base64.RawURLEncoding.EncodeToString(short[:]) && header.S1 != base64.StdEncoding.EncodeToString(short[:]) {
		return fmt.Errorf("The certificate with identifier used to sign the client assertion is not registered on application.")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	key := s.cert.PublicKey.(*rsa.PublicKey)
	switch header.Alg {
	case "PS256":
		err = rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil)
	case "RS256":
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	default:
		err = fmt.Errorf("algorithm %q", header.Alg)
	}
	if err != nil {
		return err
	}
	now := s.now().Unix()
	if claims.Aud != audience || claims.Iss != clientID || claims.Sub != clientID || claims.Jti == "" || claims.Nbf > now+300 || claims.Exp < now-300 {
		return fmt.Errorf("Client assertion claims: %+v", claims)
	}
	return nil
}

func tokenRefusal(w http.ResponseWriter, status int, oauth string, number int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{
		"error":             oauth,
		"error_description": fmt.Sprintf("AADSTS%d: %s\r\nTrace ID: 3f0a\r\nCorrelation ID: 9c1b\r\nTimestamp: 2026-11-20 02:02:12Z", number, text),
		"error_codes":       []int{number}, "timestamp": "2026-11-20 02:02:12Z", "trace_id": "3f0a0000-0000-0000-0000-000000000000", "correlation_id": "9c1b0000-0000-0000-0000-000000000000",
		"error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", number),
	})
}

// identity makes a certificate and its key.
func identity(t *testing.T, ends time.Time) (*x509.Certificate, *rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "glassward"}, NotBefore: ends.Add(-365 * 24 * time.Hour), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return cert, key, text
}

// secretFile writes a file that only its owner can read.
func secretFile(t *testing.T, text string) glassward.Secret {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return glassward.Secret("file:" + name)
}

// credential makes a credential by secret for the tenant.
func (s *tenant) credential(t *testing.T) *entra.Credential {
	t.Helper()
	s.secret = "p~ssw0rd-of-the-application"
	c, err := entra.NewCredential(entra.CredentialOptions{Cloud: s.cloud, Tenant: tenantID, ClientID: clientID, ClientSecret: secretFile(t, s.secret), HTTP: s.http(), Now: s.now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
