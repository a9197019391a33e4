package entra_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"glassward"
	"glassward/entra"
)

func ask(c *entra.Credential) (string, error) {
	return askFor(c, "https://graph.microsoft.com/.default")
}

func askFor(c *entra.Credential, scope string) (string, error) {
	t, err := c.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{scope}})
	return t.Token, err
}

func fault(t *testing.T, err error) *entra.Fault {
	t.Helper()
	var f *entra.Fault
	if !errors.As(err, &f) {
		t.Fatalf("not a fault: %v", err)
	}
	return f
}

func TestACertificateGetsATokenAndSaysWhenItEnds(t *testing.T) {
	s := newTenant(t)
	ends := time.Now().Add(90 * 24 * time.Hour).Truncate(time.Second)
	cert, _, text := identity(t, ends)
	s.cert = cert
	c, err := entra.NewCredential(entra.CredentialOptions{Cloud: s.cloud, Tenant: tenantID, ClientID: clientID, Certificate: secretFile(t, text), HTTP: s.http()})
	if err != nil {
		t.Fatal(err)
	}
	token, err := ask(c)
	if err != nil {
		t.Fatal(err)
	}
	claims, ok := entra.ParseClaims(token)
	if !ok || claims.AppID != clientID || claims.Tenant != tenantID || len(claims.Roles) != 1 || claims.Roles[0] != "AuditLog.Read.All" || claims.Auth != "2" || !claims.AppOnly || claims.Expires.IsZero() {
		t.Errorf("claims %+v", claims)
	}
	if at, ok := c.Expires(); !ok || !at.Equal(ends) {
		t.Errorf("ends %v %v, want %v", at, ok, ends)
	}
}

func TestACertificateFromPFX(t *testing.T) {
	pfx, err := os.ReadFile("testdata/test.pfx")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "test.pfx")
	if err := os.WriteFile(file, pfx, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PFX_PASSWORD", "open sesame")
	t.Setenv("PFX_WRONG", "open barley")
	options := entra.CredentialOptions{Cloud: newTenant(t).cloud, Tenant: tenantID, ClientID: clientID, Certificate: glassward.Secret("file:" + file), CertificatePassword: "env:PFX_PASSWORD"}
	c, err := entra.NewCredential(options)
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := c.Expires(); !ok || at.Year() < 2030 {
		t.Errorf("ends %v %v", at, ok)
	}
	options.CertificatePassword = "env:PFX_WRONG"
	if _, err := entra.NewCredential(options); err == nil || strings.Contains(err.Error(), "barley") || !strings.Contains(err.Error(), "openssl pkcs12") {
		t.Errorf("wrong password: %v", err)
	}
}

func TestAReplacedCertificateIsFound(t *testing.T) {
	s := newTenant(t)
	old, _, oldText := identity(t, time.Now().Add(time.Hour))
	cert, _, text := identity(t, time.Now().Add(1000*time.Hour).Truncate(time.Second))
	s.cert = old
	ref := secretFile(t, oldText)
	c, err := entra.NewCredential(entra.CredentialOptions{Cloud: s.cloud, Tenant: tenantID, ClientID: clientID, Certificate: ref, HTTP: s.http()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(c); err != nil {
		t.Fatal(err)
	}
	s.cert = cert
	if err := os.WriteFile(strings.TrimPrefix(string(ref), "file:"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Renew(context.Background(), "https://graph.microsoft.com/.default"); err != nil {
		t.Fatal(err)
	}
	if at, _ := c.Expires(); !at.Equal(cert.NotAfter) {
		t.Errorf("ends %v, want %v", at, cert.NotAfter)
	}
}

func TestTheFederatedTokenIsReadAnewForEachRequest(t *testing.T) {
	s := newTenant(t)
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text+"\n"), 0o644); err != nil { // the platform's own mode
			t.Fatal(err)
		}
	}
	write("platform-token-1")
	s.federated = "platform-token-1"
	c, err := entra.NewCredential(entra.CredentialOptions{Cloud: s.cloud, Tenant: tenantID, ClientID: clientID, FederatedToken: file, HTTP: s.http()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(c); err != nil {
		t.Fatal(err)
	}
	write("platform-token-2")
	s.federated = "platform-token-2"
	if _, err := c.Renew(context.Background(), "https://graph.microsoft.com/.default"); err != nil {
		t.Fatal(err)
	}
}

func TestAManagedIdentityAsksTheMachine(t *testing.T) {
	t.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token")
	t.Setenv("IDENTITY_HEADER", "header-of-the-platform")
	var got *http.Request
	machine := memory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"access_token": "token-of-the-machine", "expires_on": "4102444800", "resource": r.URL.Query().Get("resource"), "token_type": "Bearer"})
	})}
	// The library keeps these tokens for the whole process, so that each run needs an
	// identity of its own.
	identity := fmt.Sprintf("0b9c4c3e-52f1-4f0a-8a6f-%012x", time.Now().UnixNano()&0xffffffffffff)
	cloud, _ := entra.LookupCloud("")
	c, err := entra.NewCredential(entra.CredentialOptions{Cloud: cloud, ManagedIdentity: true, ClientID: identity, HTTP: &http.Client{Transport: machine}})
	if err != nil {
		t.Fatal(err)
	}
	token, err := ask(c)
	if err != nil || token != "token-of-the-machine" {
		t.Fatal(token, err)
	}
	if got.URL.Query().Get("client_id") != identity || got.Header.Get("X-IDENTITY-HEADER") != "header-of-the-platform" {
		t.Errorf("asked %s %v", got.URL, got.Header)
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	_, _, text := identity(t, time.Now().Add(time.Hour))
	_, _, other := identity(t, time.Now().Add(time.Hour))
	cloud, _ := entra.LookupCloud("")
	readable := secretFile(t, text)
	if err := os.Chmod(strings.TrimPrefix(string(readable), "file:"), 0o640); err != nil {
		t.Fatal(err)
	}
	mixed := text[:strings.Index(text, "-----BEGIN PRIVATE")] + other[strings.Index(other, "-----BEGIN PRIVATE"):]
	good := secretFile(t, text)
	for _, c := range []struct {
		name string
		o    entra.CredentialOptions
		want string
	}{
		{"nothing", entra.CredentialOptions{}, "no credential"},
		{"two", entra.CredentialOptions{ManagedIdentity: true, ClientSecret: "env:X"}, "more than one"},
		{"tenant", entra.CredentialOptions{Cloud: cloud, Tenant: "my/tenant", ClientID: clientID, Certificate: good}, "tenant"},
		{"client", entra.CredentialOptions{Cloud: cloud, Tenant: tenantID, ClientID: "x", Certificate: good}, "client id"},
		{"authority", entra.CredentialOptions{Cloud: entra.Cloud{Authority: "http://x"}, Tenant: tenantID, ClientID: clientID, Certificate: good}, "https"},
		{"readable by others", entra.CredentialOptions{Cloud: cloud, Tenant: tenantID, ClientID: clientID, Certificate: readable}, "chmod 600"},
		{"another's key", entra.CredentialOptions{Cloud: cloud, Tenant: tenantID, ClientID: clientID, Certificate: secretFile(t, mixed)}, "another certificate"},
		{"no key", entra.CredentialOptions{Cloud: cloud, Tenant: tenantID, ClientID: clientID, Certificate: secretFile(t, text[:strings.Index(text, "-----BEGIN PRIVATE")])}, "private key"},
		{"garbage", entra.CredentialOptions{Cloud: cloud, Tenant: tenantID, ClientID: clientID, Certificate: secretFile(t, "garbage")}, "cannot be read"},
		{"encrypted", entra.CredentialOptions{Cloud: cloud, Tenant: tenantID, ClientID: clientID, Certificate: secretFile(t, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")}, "encrypted"},
		{"a value", entra.CredentialOptions{Cloud: cloud, Tenant: tenantID, ClientID: clientID, ClientSecret: "hunter2hunter2"}, "reference"},
		{"no file", entra.CredentialOptions{Cloud: cloud, Tenant: tenantID, ClientID: clientID, FederatedToken: "/nowhere/token"}, "/nowhere/token"},
	} {
		_, err := entra.NewCredential(c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := entra.NewCredential(entra.CredentialOptions{Cloud: cloud, Tenant: tenantID, ClientID: clientID, Certificate: readable}); !errors.Is(err, glassward.ErrSecretExposed) {
		t.Errorf("exposed: %v", err)
	}
}

func TestTheTokenServicesTroubleInWords(t *testing.T) {
	for _, c := range []struct {
		name   string
		refuse func(w http.ResponseWriter)
		skew   time.Duration
		kind   entra.FaultKind
		code   string
		says   string
	}{
		{"secret expired", func(w http.ResponseWriter) {
			tokenRefusal(w, 401, "invalid_client", 7000222, "The provided client secret keys for app are expired.")
		}, 0, entra.FaultToken, "AADSTS7000222", "has expired"},
		{"certificate not registered", func(w http.ResponseWriter) { tokenRefusal(w, 401, "invalid_client", 700027, "no") }, 0, entra.FaultToken, "AADSTS700027", "Register it"},
		{"the same, with clocks an hour apart", func(w http.ResponseWriter) { tokenRefusal(w, 401, "invalid_client", 700024, "no") }, time.Hour, entra.FaultClock, "AADSTS700024", "NTP"},
		{"application deleted", func(w http.ResponseWriter) { tokenRefusal(w, 400, "unauthorized_client", 700016, "no") }, 0, entra.FaultToken, "AADSTS700016", "deleted"},
		{"disabled", func(w http.ResponseWriter) { tokenRefusal(w, 400, "unauthorized_client", 7000112, "no") }, 0, entra.FaultToken, "AADSTS7000112", "Enable it"},
		{"conditional access", func(w http.ResponseWriter) { tokenRefusal(w, 400, "invalid_grant", 53003, "no") }, 0, entra.FaultToken, "AADSTS53003", "Conditional Access"},
		{"a number that nobody knows", func(w http.ResponseWriter) { tokenRefusal(w, 400, "invalid_client", 99999999, "Something new.") }, 0, entra.FaultToken, "AADSTS99999999", "Something new"},
		{"busy", func(w http.ResponseWriter) { tokenRefusal(w, 400, "temporarily_unavailable", 90033, "no") }, 0, entra.FaultOutage, "AADSTS90033", "trouble"},
		{"too many", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "17"); w.WriteHeader(429) }, 0, entra.FaultThrottled, "", "17s"},
		{"down", func(w http.ResponseWriter) { w.WriteHeader(503) }, 0, entra.FaultOutage, "", "fails"},
		{"a proxy's page", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("<html><title>Sign in to the guest network</title>"))
		}, 0, entra.FaultContent, "HTML", "guest network"},
		{"a proxy's refusal", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(403)
			w.Write([]byte("<html><title>Blocked</title>"))
		}, 0, entra.FaultContent, "HTML", "proxy"},
		{"a redirect", func(w http.ResponseWriter) { w.Header().Set("Location", "https://portal.hotel/"); w.WriteHeader(302) }, 0, entra.FaultContent, "Redirect", "portal.hotel"},
		{"cut", func(w http.ResponseWriter) {
			w.Write([]byte(`{"token_type":"Bearer","access_token":"eyJhbGciOiJub25l`))
		}, 0, entra.FaultContent, "NotJSON", "no token"},
		{"nobody", func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }, 0, entra.FaultOutage, "", "no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTenant(t)
			s.skew = c.skew
			s.refuse = func(w http.ResponseWriter) bool {
				w.Header().Set("X", "")
				c.refuse(w)
				return true
			}
			credential := s.credential(t)
			token, err := ask(credential)
			f := fault(t, err)
			if token != "" || f.Kind != c.kind || f.Code != c.code || !strings.Contains(f.Error(), c.says) {
				t.Errorf("%v\n%+v", err, f)
			}
			for _, secret := range []string{s.secret, "eyJ"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("a secret in %v", err)
				}
			}
			if c.skew != 0 && (credential.Offset()-c.skew).Abs() > 2*time.Second {
				t.Errorf("offset %v", credential.Offset())
			}
		})
	}
}

func TestASecretThatTheServiceRepeatsIsNotPassedOn(t *testing.T) {
	s := newTenant(t)
	c := s.credential(t)
	secret := s.secret
	s.refuse = func(w http.ResponseWriter) bool {
		tokenRefusal(w, 401, "invalid_client", 7000215, "the secret "+secret+" is wrong, and so is eyJhbGciOiJub25lIn0.eyJhIjoxfQ.sig")
		return true
	}
	if _, err := ask(c); err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "eyJ") {
		t.Errorf("%v", err)
	}
}

func TestATenantWithoutOffice(t *testing.T) {
	s := newTenant(t)
	delete(s.roles, "https://manage.office.com")
	_, err := askFor(s.credential(t), s.cloud.Scope(entra.Activity))
	if f := fault(t, err); f.Kind != entra.FaultLicence || !strings.Contains(f.Error(), "no such service") {
		t.Error(err)
	}
}

// TestTokensAreKeptAndRenewed runs through three hours of one stream and many.
func TestTokensAreKeptAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTenant(t)
		c := s.credential(t)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := ask(c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if s.tokens != 1 {
			t.Errorf("%d tokens for 50 streams", s.tokens)
		}
		first, _ := ask(c)
		time.Sleep(54 * time.Minute)
		if again, _ := ask(c); again != first {
			t.Error("renewed too early")
		}
		// In its last minutes a token is renewed, and used on while none is to be had.
		time.Sleep(2 * time.Minute)
		s.refuse = func(w http.ResponseWriter) bool { w.WriteHeader(503); return true }
		before := len(s.asked)
		for range 30 {
			if again, err := ask(c); again != first || err != nil {
				t.Errorf("an outage took the token that was still good: %v", err)
			}
		}
		if len(s.asked) != before+1 {
			t.Errorf("asked %d times while it is out of order", len(s.asked)-before)
		}
		time.Sleep(4 * time.Minute)
		if _, err := ask(c); err == nil {
			t.Error("a token that is over was given")
		}
		s.refuse = nil
		second, err := ask(c)
		if err != nil || second == first {
			t.Error("not renewed", err)
		}
		// What a service no longer takes is dropped; another's is not.
		c.Forget("something else")
		if again, _ := ask(c); again != second {
			t.Error("the wrong token was forgotten")
		}
		c.Forget(second)
		if again, _ := ask(c); again == second {
			t.Error("not forgotten")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Renew(ctx, s.cloud.Scope(entra.Graph)); !errors.Is(err, context.Canceled) {
			t.Errorf("ended context: %v", err)
		}
	})
}

// TestATokenServiceThatHangs: everybody hears of it after a minute, not one after
// the other, and who gives up need not wait.
func TestATokenServiceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTenant(t)
		c := s.credential(t)
		requests := 0
		hanging, err := entra.NewCredential(entra.CredentialOptions{Cloud: s.cloud, Tenant: tenantID, ClientID: clientID, ClientSecret: secretFile(t, s.secret),
			HTTP: &http.Client{Transport: memory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			})}}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, err := ask(hanging)
				if f := fault(t, err); f.Kind != entra.FaultOutage || time.Since(began) > 61*time.Second {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.Sleep(time.Millisecond)
		if _, err := hanging.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{s.cloud.Scope(entra.Graph)}}); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		all.Wait()
		if requests != 1 {
			t.Errorf("%d requests", requests)
		}
		if _, err := ask(c); err != nil {
			t.Error(err)
		}
	})
}

// TestACAOfOnesOwn goes over a real socket with TLS, as a simulated tenant and an
// inspecting proxy do.
func TestACAOfOnesOwn(t *testing.T) {
	s := newTenant(t)
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it will complain of who does not trust it
	server.StartTLS()
	defer server.Close()
	s.cloud.Authority, s.secret = server.URL, "a secret"
	options := entra.CredentialOptions{Cloud: s.cloud, Tenant: tenantID, ClientID: clientID, ClientSecret: secretFile(t, s.secret), HTTP: server.Client()}
	trusting, err := entra.NewCredential(options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(trusting); err != nil {
		t.Error(err)
	}
	options.HTTP = nil
	strange, err := entra.NewCredential(options)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ask(strange)
	if f := fault(t, err); f.Kind != entra.FaultOutage || !strings.Contains(f.Error(), "give Glassward its CA") {
		t.Error(err)
	}
}

// TestNoProxySeesTheMachinesTokens: the endpoint of a managed identity is on the
// machine itself.
func TestNoProxySeesTheMachinesTokens(t *testing.T) {
	machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"access_token":"token-of-the-machine","expires_on":"4102444800","resource":"x","token_type":"Bearer"}`)
	}))
	defer machine.Close()
	t.Setenv("IDENTITY_ENDPOINT", machine.URL)
	t.Setenv("IDENTITY_HEADER", "x")
	cloud, _ := entra.LookupCloud("")
	proxied := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("through the proxy") }}}
	c, err := entra.NewCredential(entra.CredentialOptions{Cloud: cloud, ManagedIdentity: true, ClientID: fmt.Sprintf("1b9c4c3e-52f1-4f0a-8a6f-%012x", time.Now().UnixNano()&0xffffffffffff), HTTP: proxied})
	if err != nil {
		t.Fatal(err)
	}
	if token, err := ask(c); err != nil || token != "token-of-the-machine" {
		t.Error(token, err)
	}
}
