package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Clients that cannot be given a token sign in for one: they send an id and a secret to an
// authority, and are given what they show as the bearer. The authority here is this server, and
// the secret is the token: OAuth 2.0's client credentials (RFC 6749, section 4.4), found as
// RFC 8414 says. The paths are those of an AD FS, whose tenant is called "adfs": of it
// Microsoft's libraries ask nobody else whether there is such an authority.
const (
	authorityPath = "/adfs"
	tokenPath     = authorityPath + "/oauth2/token"
	// tokenV2Path is where clients sign in that take adfs for a tenant of Entra's.
	tokenV2Path = authorityPath + "/oauth2/v2.0/token"
	keysPath    = authorityPath + "/discovery/keys"
	// maxSignIn bounds the form of a sign-in, in bytes.
	maxSignIn = 16 << 10
	// signedInFor is for how many seconds clients keep a token before they sign in again. The
	// token itself ends when it does, and is refused at once when it is revoked.
	signedInFor = 3600
)

// signInRoutes are those whose errors have the form of OAuth 2.0.
func (s *Server) signInRoutes() []Route {
	return []Route{
		{"GET", authorityPath + "/.well-known/openid-configuration", Public, s.authority},
		{"GET", authorityPath + "/v2.0/.well-known/openid-configuration", Public, s.authority},
		{"GET", keysPath, Public, s.noKeys},
		{"POST", tokenPath, Public, s.signIn},
		{"POST", tokenV2Path, Public, s.signIn},
	}
}

// authority answers where a client looks for the address to sign in at.
func (s *Server) authority(w http.ResponseWriter, r *http.Request, _ call) *apiError {
	// Clients hold the issuer against the address by which they came.
	base := "http://" + r.Host
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		base = "https://" + r.Host
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                base + authorityPath,
		"token_endpoint":                        base + tokenPath,
		"authorization_endpoint":                base + authorityPath + "/oauth2/authorize", // nobody can; some clients refuse a document without it
		"jwks_uri":                              base + keysPath,
		"response_types_supported":              []string{"none"},
		"grant_types_supported":                 []string{"client_credentials"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
	})
	return nil
}

// noKeys answers where the keys stand that tokens are signed with: tokens are not signed.
func (s *Server) noKeys(w http.ResponseWriter, _ *http.Request, _ call) *apiError {
	writeJSON(w, http.StatusOK, map[string]any{"keys": []string{}})
	return nil
}

// signIn answers a sign-in: the secret that is one of our tokens is given back as the bearer.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, _ call) *apiError {
	form, bad := signInForm(w, r)
	if bad != nil {
		return bad
	}
	if kind := form.Get("grant_type"); kind != "client_credentials" {
		return &apiError{status: http.StatusBadRequest, code: "unsupported_grant_type",
			message: fmt.Sprintf("only programs sign in here, with grant_type client_credentials, not %q", kind)}
	}
	secret := form.Get("client_secret")
	if _, password, ok := r.BasicAuth(); ok {
		// Each half is encoded as in a form: RFC 6749, section 2.3.1.
		if plain, err := url.QueryUnescape(password); err == nil {
			password = plain
		}
		secret = password
	}
	if secret == "" {
		return &apiError{status: http.StatusUnauthorized, code: "invalid_client", message: "no client_secret: it is the token that glassward token create made"}
	}
	if !s.o.NoAuth {
		switch g, err := s.o.Tokens.CheckToken(r.Context(), secret); {
		case errors.Is(err, ErrBadToken):
			return &apiError{status: http.StatusUnauthorized, code: "invalid_client", message: "the client_secret is no token here: " + err.Error()}
		case err != nil:
			return internal(err)
		default:
			if over := s.o.Limits.Request(r.URL.Path, g.Name); over != nil {
				return throttled(over)
			}
		}
	}
	h := w.Header()
	h.Set("Pragma", "no-cache") // RFC 6749, section 5.1; that nothing keeps it is said already
	writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": secret, "expires_in": signedInFor, "ext_expires_in": signedInFor})
	return nil
}

// signInForm reads a form in which everything stands once.
func signInForm(w http.ResponseWriter, r *http.Request) (url.Values, *apiError) {
	wrong := func(format string, args ...any) *apiError {
		return &apiError{status: http.StatusBadRequest, code: "invalid_request", message: fmt.Sprintf(format, args...)}
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return nil, wrong("a sign-in is a form: Content-Type application/x-www-form-urlencoded")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, &apiError{status: http.StatusRequestEntityTooLarge, code: "invalid_request", message: fmt.Sprintf("the form has more than %d KB", maxSignIn>>10)}
		}
		return nil, wrong("the form cannot be read") // its text may have a secret in it
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return nil, wrong("%q stands in the form %d times", name, len(values))
		}
	}
	return r.PostForm, nil
}

// refuseSignIn tells the caller what is wrong as OAuth 2.0 does (RFC 6749, section 5.2).
func (s *Server) refuseSignIn(w http.ResponseWriter, _ *http.Request, route Route, err *apiError) {
	s.tell(route.Path, err)
	code := err.code
	switch {
	case err.status == http.StatusTooManyRequests:
		code = "temporarily_unavailable"
	case err.status >= http.StatusInternalServerError:
		code = "server_error"
	case err.status == http.StatusForbidden:
		code = "access_denied"
	}
	err.head(w.Header())
	if err.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="glassward"`)
	}
	w.WriteHeader(err.status)
	text, _ := json.Marshal(map[string]string{"error": code, "error_description": err.message, "correlation_id": err.correlation}) // texts
	_, _ = w.Write(text)                                                                                                           // the caller may have gone
}
