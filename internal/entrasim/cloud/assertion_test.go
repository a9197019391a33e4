package cloud_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// assertion makes a JWT of a head and claims, signed with RS256 or PS256.
func assertion(t *testing.T, key *rsa.PrivateKey, head, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(head) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	var sig []byte
	var err error
	if head["alg"] == "PS256" {
		sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestWhichAssertionsProveAnApplication(t *testing.T) {
	cert, key := certificate(t)
	_, stranger := certificate(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unlimited)
		defer b.c.Close()
		tenant := b.w.Tenant().ID
		b.w.AddCertificate(entrasim.GlasswardApp, entrasim.Certificate{DER: cert.Raw, To: time.Now().Add(48 * time.Hour)})
		fed := entrasim.Federation{Issuer: cloud.PlatformIssuer, Subject: "workload", Audience: "api://AzureADTokenExchange"}
		b.w.AddFederation(entrasim.GlasswardApp, fed)
		s1, s256 := sha1.Sum(cert.Raw), sha256.Sum256(cert.Raw)
		endpoint := b.e.Authority + "/" + tenant + "/oauth2/v2.0/token"
		post := func(jwt string) (int, string) {
			status, code, _, _ := b.ask(request{method: "POST", url: endpoint, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, body: url.Values{
				"grant_type": {"client_credentials"}, "client_id": {entrasim.GlasswardApp}, "scope": {b.e.Graph + "/.default"},
				"client_assertion": {jwt}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			}.Encode()})
			return status, code
		}
		good := func() (head, claims map[string]any) {
			now := time.Now().Unix()
			return map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(s256[:])},
				map[string]any{"aud": endpoint, "iss": entrasim.GlasswardApp, "sub": entrasim.GlasswardApp, "jti": "1", "nbf": now, "iat": now, "exp": now + 600}
		}
		for _, m := range []struct {
			name   string
			change func(head, claims map[string]any)
			key    *rsa.PrivateKey
			code   string
		}{
			{"as it should be", nil, key, ""},
			{"of an older client", func(h, _ map[string]any) {
				h["alg"] = "RS256"
				delete(h, "x5t#S256")
				h["x5t"] = base64.RawURLEncoding.EncodeToString(s1[:])
			}, key, ""},
			{"signed with another key", nil, stranger, "50012"},
			{"an algorithm that was not used", func(h, _ map[string]any) { h["alg"] = "none" }, key, "50012"},
			{"another certificate's thumbprint", func(h, _ map[string]any) {
				h["x5t#S256"] = base64.RawURLEncoding.EncodeToString(make([]byte, 32))
			}, key, "700027"},
			{"no thumbprint", func(h, _ map[string]any) { delete(h, "x5t#S256") }, key, "700027"},
			{"another tenant's endpoint", func(_, c map[string]any) {
				c["aud"] = b.e.Authority + "/" + b.o.Tenant().ID + "/oauth2/v2.0/token"
			}, key, "50012"},
			{"no audience", func(_, c map[string]any) { delete(c, "aud") }, key, "50012"},
			{"another subject", func(_, c map[string]any) { c["sub"] = "x" }, key, "700021"},
			{"over", func(_, c map[string]any) { c["exp"] = time.Now().Unix() - 301 }, key, "700024"},
			{"not begun", func(_, c map[string]any) { c["nbf"] = time.Now().Unix() + 301 }, key, "700024"},
			{"without an end", func(_, c map[string]any) { delete(c, "exp") }, key, "700024"},
			{"without a number of its own", func(_, c map[string]any) { delete(c, "jti") }, key, "50027"},
		} {
			head, claims := good()
			if m.change != nil {
				m.change(head, claims)
			}
			status, code := post(assertion(t, m.key, head, claims))
			if code != m.code || m.code == "" && status != 200 || m.code != "" && status != 401 {
				t.Errorf("%s: %d %s, not %q", m.name, status, code, m.code)
			}
		}
		for _, m := range []struct {
			name string
			fed  entrasim.Federation
			life time.Duration
			code string
		}{
			{"as it should be", fed, time.Hour, ""},
			{"another issuer", entrasim.Federation{Issuer: "https://x.example", Subject: fed.Subject, Audience: fed.Audience}, time.Hour, "700211"},
			{"another subject", entrasim.Federation{Issuer: fed.Issuer, Subject: "x", Audience: fed.Audience}, time.Hour, "700213"},
			{"another audience", entrasim.Federation{Issuer: fed.Issuer, Subject: fed.Subject, Audience: "x"}, time.Hour, "700212"},
			{"over", fed, -time.Hour, "700024"},
		} {
			if status, code := post(b.c.FederatedToken(m.fed, m.life)); code != m.code {
				t.Errorf("federation, %s: %d %s, not %q", m.name, status, code, m.code)
			}
		}
		// Clocks that are an hour apart look like an assertion out of its time.
		b.c.Faults().Clock(time.Hour)
		head, claims := good()
		if _, code := post(assertion(t, key, head, claims)); code != "700024" {
			t.Errorf("an hour apart: %q", code)
		}
		b.c.Faults().Clock(0)
		time.Sleep(48 * time.Hour)
		head, claims = good()
		if _, code := post(assertion(t, key, head, claims)); code != "700027" {
			t.Errorf("a certificate that is over: %q", code)
		}
	})
}
