package console_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// signIn posts a form, with a name and a secret in the header where basic holds them.
func signIn(s http.Handler, path, form, basic string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if name, secret, ok := strings.Cut(basic, ":"); ok {
		r.SetBasicAuth(name, secret)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestSignIn: what is shown as a secret comes back as the bearer where it is a token of the tenant, and
// what is wrong is said as OAuth 2.0 does.
func TestSignIn(t *testing.T) {
	s := serve(&house{}, false)
	const programs, secret = "grant_type=client_credentials&client_id=any", "&client_secret=query%40" + alpha
	for _, x := range []struct {
		name, path, form, basic string
		status                  int
		answer                  string
	}{
		{"as AD FS", "/adfs/oauth2/token", programs + secret + "&resource=https%3A%2F%2Fapi.loganalytics.io", "", 200, `"access_token":"query@` + alpha + `"`},
		{"as Entra", "//adfs//oauth2/v2.0/token", programs + secret + "&scope=https%3A%2F%2Fapi.loganalytics.io%2F.default", "", 200, `"expires_in":3600`},
		{"in the header", "/adfs/oauth2/token", "grant_type=client_credentials", "any:query%40" + alpha, 200, `"access_token":"query@` + alpha + `"`},
		{"a forged secret", "/adfs/oauth2/token", programs + "&client_secret=forged", "", 401, `"error":"invalid_client"`},
		{"a forged header", "/adfs/oauth2/token", "grant_type=client_credentials" + secret, "any:forged", 401, `"error":"invalid_client"`},
		{"no secret", "/adfs/oauth2/token", programs, "", 401, "glassward token create"},
		{"a person", "/adfs/oauth2/v2.0/token", "grant_type=password&username=ann&password=hunter2", "", 400, `"error":"unsupported_grant_type"`},
		{"nothing", "/adfs/oauth2/token", "", "", 400, `"error":"unsupported_grant_type"`},
		{"in the address alone", "/adfs/oauth2/token?" + programs + secret, "", "", 400, `"error":"unsupported_grant_type"`},
		{"twice", "/adfs/oauth2/token", programs + secret + secret, "", 400, `\"client_secret\" stands in the form 2 times`},
		{"no form", "/adfs/oauth2/token", "client_secret=%zzhunter2", "", 400, "the form cannot be read"},
		{"too large", "/adfs/oauth2/token", programs + "&client_secret=" + strings.Repeat("x", 20_000), "", 413, "invalid_request"},
	} {
		w := signIn(s, x.path, x.form, x.basic)
		if w.Code != x.status || !strings.Contains(w.Body.String(), x.answer) || !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %d %s", x.name, w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" || (x.status == 401) != (w.Header().Get("WWW-Authenticate") == `Basic realm="glassward"`) {
			t.Errorf("%s: headers %v", x.name, w.Header())
		}
	}
	r := httptest.NewRequest("POST", "/adfs/oauth2/token", strings.NewReader(`{"grant_type":"client_credentials"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != 400 || !strings.Contains(w.Body.String(), "a sign-in is a form") {
		t.Errorf("JSON: %d %s", w.Code, w.Body)
	}
	// Where no tokens are asked for, none is looked at.
	r = httptest.NewRequest("POST", "http://127.0.0.1/adfs/oauth2/token", strings.NewReader(programs+"&client_secret=any"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w = httptest.NewRecorder()
	if serve(&house{}, true).ServeHTTP(w, r); w.Code != 200 || !strings.Contains(w.Body.String(), `"access_token":"any"`) {
		t.Errorf("without tokens: %d %s", w.Code, w.Body)
	}
}

// TestAuthority: a client finds where to sign in, under the name by which it came.
func TestAuthority(t *testing.T) {
	s := serve(&house{}, false)
	for _, path := range []string{"/adfs/.well-known/openid-configuration", "/adfs/v2.0/.well-known/openid-configuration"} {
		for _, proxied := range []bool{false, true} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = "glassward.example"
			if proxied {
				r.Header.Set("X-Forwarded-Proto", "https")
			} else {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			var d struct {
				Issuer        string `json:"issuer"`
				TokenEndpoint string `json:"token_endpoint"`
				Keys          string `json:"jwks_uri"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != 200 || d.Issuer != "https://glassward.example/adfs" {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
			token, ok := strings.CutPrefix(d.TokenEndpoint, "https://glassward.example")
			if w := signIn(s, token, "grant_type=client_credentials&client_secret=query@"+alpha, ""); !ok || w.Code != 200 {
				t.Errorf("%s leads to %s: %d", path, d.TokenEndpoint, w.Code)
			}
			keys, ok := strings.CutPrefix(d.Keys, "https://glassward.example")
			if w := ask(s, "GET", keys, "", ""); !ok || w.Body.String() != `{"keys":[]}`+"\n" {
				t.Errorf("%s leads to %s: %d %s", path, d.Keys, w.Code, w.Body)
			}
		}
	}
}

// TestGuessedSecretsAreLimited: who guesses is stopped, and nobody else from the same address.
func TestGuessedSecretsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveLimited(t, nil, nil)
		const form = "grant_type=client_credentials&client_secret="
		for range 120 {
			if w := signIn(s, "/adfs/oauth2/token", form+"guess", ""); w.Code != 401 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		w := signIn(s, "/adfs/oauth2/token", form+"guess", "")
		if w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"error":"temporarily_unavailable"`) {
			t.Errorf("a guess too many: %d %s", w.Code, w.Body)
		}
		s.is(s.ask("GET", "/healthz", "", nil), 429)
		if w := signIn(s, "/adfs/oauth2/v2.0/token", form+"query@", ""); w.Code != 200 {
			t.Errorf("beside it: %d %s", w.Code, w.Body)
		}
		time.Sleep(30 * time.Second)
		if w := signIn(s, "/adfs/oauth2/token", form+"guess", ""); w.Code != 401 {
			t.Errorf("later: %d %s", w.Code, w.Body)
		}
		// Forms that are too large are counted like guesses.
		last := 0
		for range 121 {
			last = signIn(s, "/adfs/oauth2/token", form+strings.Repeat("x", 20_000), "").Code
		}
		if last != 429 {
			t.Errorf("after 121 forms that are too large: %d", last)
		}
	})
}

// FuzzSignIn: whatever is sent is answered with a code of OAuth's, and nothing but a token is let in.
func FuzzSignIn(f *testing.F) {
	for _, form := range []string{"grant_type=client_credentials&client_secret=query@" + alpha, "grant_type=client_credentials&client_secret=x", "%", "a=1&a=2", "grant_type=refresh_token&refresh_token=x"} {
		f.Add("adfs/oauth2/token", form, "application/x-www-form-urlencoded", "a:b")
		f.Add("adfs/oauth2/v2.0/token", form, "application/json", "")
	}
	s := serve(&house{}, false)
	f.Fuzz(func(t *testing.T, path, form, kind, basic string) {
		r, err := http.NewRequest("POST", "http://127.0.0.1/"+path, strings.NewReader(form))
		if err != nil || !strings.HasSuffix(r.URL.Path, "/token") {
			return
		}
		r.Header.Set("Content-Type", kind)
		if name, secret, ok := strings.Cut(basic, ":"); ok {
			r.SetBasicAuth(name, secret)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var answer struct {
			Error       any
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code >= 500 || (w.Code >= 400) != (answer.Error != nil) {
			t.Errorf("%d %s %v", w.Code, w.Body, err)
		}
		if w.Code == 200 && !strings.Contains(answer.AccessToken, "@") {
			t.Errorf("let in with %q", answer.AccessToken)
		}
	})
}
