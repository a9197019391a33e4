package cloud

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"glassward/internal/entrasim"
)

// PlatformIssuer is who the platform of the cloud says it is in the tokens of
// workload federation that [Cloud.FederatedToken] makes.
const PlatformIssuer = "https://platform.example/oidc"

// FederatedToken makes a token by which a platform says who a workload is, for
// the file that the platform would renew. The issuer may be any; all are signed
// with the one key that the token endpoint trusts.
func (c *Cloud) FederatedToken(f entrasim.Federation, life time.Duration) string {
	now := c.o.Now()
	return sign(c.platform, object{
		"iss": f.Issuer, "sub": f.Subject, "aud": f.Audience, "jti": c.guid(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(life).Unix(),
	})
}

// authority serves the token endpoint and what clients ask before they use it.
func (c *Cloud) authority() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		root := "https://" + r.Host
		tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		get := r.Method == http.MethodGet
		switch {
		case get && tenant == "common" && rest == "discovery/instance":
			c.instance(w, r)
		case get && (rest == "v2.0/.well-known/openid-configuration" || rest == ".well-known/openid-configuration"):
			t, ok := c.tenant(tenant)
			if !ok {
				c.tokenError(w, r, unknownTenant(tenant))
				return
			}
			v2 := strings.HasPrefix(rest, "v2.0/")
			doc := object{
				"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
				"jwks_uri":                              root + "/" + t.id + "/discovery/keys",
				"response_types_supported":              []string{"code", "id_token", "token"},
				"subject_types_supported":               []string{"pairwise"},
				"authorization_endpoint":                root + "/" + t.id + "/oauth2/authorize",
				"token_endpoint":                        root + "/" + t.id + "/oauth2/token",
				"issuer":                                "https://sts.windows.net/" + t.id + "/",
				"tenant_region_scope":                   "EU",
			}
			if v2 {
				doc["authorization_endpoint"] = root + "/" + t.id + "/oauth2/v2.0/authorize"
				doc["token_endpoint"] = root + "/" + t.id + "/oauth2/v2.0/token"
				doc["issuer"] = root + "/" + t.id + "/v2.0"
			}
			answer(w, http.StatusOK, doc)
		case rest == "oauth2/v2.0/token" || rest == "oauth2/token":
			if r.Method != http.MethodPost {
				c.tokenError(w, r, &tokenFault{http.StatusBadRequest, "invalid_request", 900561, "The endpoint only accepts POST requests. Received a " + r.Method + " request.", ""})
				return
			}
			c.token(w, r, tenant, rest == "oauth2/token")
		default:
			http.NotFound(w, r)
		}
	})
}

func (c *Cloud) instance(w http.ResponseWriter, r *http.Request) {
	at, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	if err != nil || at.Scheme != "https" || at.Host == "" {
		c.tokenError(w, r, &tokenFault{http.StatusBadRequest, "invalid_instance", 50049, "Unknown or invalid instance.", ""})
		return
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(at.Path, "/"), "/")
	answer(w, http.StatusOK, object{
		"tenant_discovery_endpoint": "https://" + at.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []object{{"preferred_network": at.Host, "preferred_cache": at.Host, "aliases": []string{at.Host}}},
	})
}

// A tokenFault is why no token is given. The trace is an id of its own if empty.
type tokenFault struct {
	status int
	word   string
	number int
	text   string
	trace  string
}

func invalidClient(number int, text string) *tokenFault {
	return &tokenFault{http.StatusUnauthorized, "invalid_client", number, text, ""}
}

func badRequest(word string, number int, text string) *tokenFault {
	return &tokenFault{http.StatusBadRequest, word, number, text, ""}
}

func unknownTenant(name string) *tokenFault {
	return badRequest("invalid_request", 90002, "Tenant '"+name+"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.")
}

func (c *Cloud) tokenError(w http.ResponseWriter, r *http.Request, f *tokenFault) {
	trace := f.trace
	if trace == "" {
		trace = c.guid()
	}
	at := c.now().UTC().Format("2006-01-02 15:04:05Z")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
	w.Header().Set("x-ms-request-id", trace)
	answer(w, f.status, object{
		"error":             f.word,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", f.number, f.text, trace, clientRequest(r), at),
		"error_codes":       []int{f.number},
		"timestamp":         at,
		"trace_id":          trace,
		"correlation_id":    clientRequest(r),
		"error_uri":         "https://" + r.Host + "/error?code=" + strconv.Itoa(f.number),
	})
}

// token answers a request for a token; v1 asks for a resource in place of a
// scope.
func (c *Cloud) token(w http.ResponseWriter, r *http.Request, name string, v1 bool) {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		c.tokenError(w, r, missing("grant_type"))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		c.tokenError(w, r, badRequest("invalid_request", 90013, "Invalid input received from the user."))
		return
	}
	form := r.PostForm
	for k, v := range form {
		if len(v) > 1 {
			c.tokenError(w, r, badRequest("invalid_request", 9002313, "Invalid request. Request is malformed or invalid. The parameter '"+k+"' is duplicated."))
			return
		}
	}
	switch grant := form.Get("grant_type"); grant {
	case "":
		c.tokenError(w, r, missing("grant_type"))
	case "client_credentials":
		t, k, f := c.clientCredentials(r, name, v1)
		if f != nil {
			c.tokenError(w, r, f)
			return
		}
		c.give(w, t, k, v1)
	case "password":
		c.tokenError(w, r, c.password(r, name))
	default:
		c.tokenError(w, r, badRequest("unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+grant+"'."))
	}
}

func missing(parameter string) *tokenFault {
	return badRequest("invalid_request", 900144, "The request body must contain the following parameter: '"+parameter+"'.")
}

// clientCredentials judges a request of an application for itself.
func (c *Cloud) clientCredentials(r *http.Request, name string, v1 bool) (*tenant, *claims, *tokenFault) {
	switch strings.ToLower(name) {
	case "common", "consumers", "organizations":
		return nil, nil, badRequest("invalid_request", 9001023, "The grant type 'client_credentials' is not supported over the /common or /consumers endpoints. Please use a tenant-specific endpoint.")
	}
	t, ok := c.tenant(name)
	if !ok {
		return nil, nil, unknownTenant(name)
	}
	c.live(t)
	form := r.PostForm
	id, secret, basic := r.BasicAuth()
	if basic {
		// Both halves are form-encoded before they are joined.
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	if id == "" {
		return nil, nil, missing("client_id")
	}
	app, sp, f := c.application(t, id)
	if f != nil {
		return nil, nil, f
	}
	k := &claims{AppID: app.AppID, Object: sp.ID, Subject: sp.ID, Kind: "app", Tenant: t.world.Tenant().ID, Version: "1.0", Issuer: "https://sts.windows.net/" + t.id + "/"}
	switch {
	case form.Get("client_assertion") != "" || form.Get("client_assertion_type") != "":
		k.AppIDACR = "2"
		f = c.checkAssertion(r, t, app)
	case secret != "":
		k.AppIDACR = "1"
		f = c.checkSecret(app, secret)
	default:
		f = invalidClient(7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	}
	if f != nil {
		return nil, nil, f
	}
	if c.faults.is(c.faults.blocked, app.AppID) {
		return nil, nil, badRequest("invalid_grant", 53003, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.")
	}
	if f := c.resource(t, form, v1, k); f != nil {
		return nil, nil, f
	}
	c.roles(t, sp, k)
	return t, k, nil
}

// application finds an application and its principal in a tenant.
func (c *Cloud) application(t *tenant, id string) (*entrasim.Application, *entrasim.ServicePrincipal, *tokenFault) {
	app, ok := t.world.Application(id)
	var sp *entrasim.ServicePrincipal
	if ok {
		sp, ok = t.world.ServicePrincipal(app.AppID)
	}
	if !ok {
		return nil, nil, badRequest("unauthorized_client", 700016, "Application with identifier '"+id+"' was not found in the directory '"+t.world.Tenant().Name+"'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.")
	}
	if !sp.Enabled {
		return nil, nil, badRequest("unauthorized_client", 7000112, "Application '"+id+"'("+app.DisplayName+") is disabled.")
	}
	return app, sp, nil
}

func (c *Cloud) checkSecret(app *entrasim.Application, text string) *tokenFault {
	now := c.now()
	for _, s := range app.Secrets {
		if s.Text != text {
			continue
		}
		if !s.To.IsZero() && !now.Before(s.To) {
			return invalidClient(7000222, "The provided client secret keys for app '"+app.AppID+"' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.")
		}
		return nil
	}
	return invalidClient(7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '"+app.AppID+"'.")
}

// assertionType is what the parameter client_assertion_type must say.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func (c *Cloud) checkAssertion(r *http.Request, t *tenant, app *entrasim.Application) *tokenFault {
	form := r.PostForm
	if form.Get("client_assertion") == "" {
		return missing("client_assertion")
	}
	if form.Get("client_assertion_type") == "" {
		return missing("client_assertion_type")
	}
	if form.Get("client_assertion_type") != assertionType {
		return badRequest("invalid_request", 7000219, "'client_assertion_type' must be '"+assertionType+"'.")
	}
	a, err := parseAssertion(form.Get("client_assertion"))
	if err != nil {
		return invalidClient(50027, "JWT token is invalid or malformed.")
	}
	if id := form.Get("client_id"); id != "" && a.body.Issuer != id || a.head.Alg == "ES256" {
		return c.checkFederation(a, form.Get("client_assertion"), app)
	}
	cert, ok := a.certificate(app.Certificates)
	if !ok {
		return invalidClient(700027, "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '"+app.AppID+"'.]")
	}
	if err := a.verify(cert.DER); err != nil {
		return invalidClient(50012, "Client assertion contains an invalid signature. [Reason - The provided signature value did not match the expected signature value.]")
	}
	now := c.now()
	if !cert.To.IsZero() && !now.Before(cert.To) {
		return invalidClient(700027, "The certificate with identifier used to sign the client assertion is expired on application. [Reason - The key used is expired.]")
	}
	if !strings.EqualFold(a.body.Subject, app.AppID) || !strings.EqualFold(a.body.Issuer, app.AppID) {
		return invalidClient(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
	}
	root, named := "https://"+r.Host, strings.Trim(r.URL.Path, "/")
	first, _, _ := strings.Cut(named, "/")
	if !a.audience(root+"/"+named, root+"/"+t.id+"/oauth2/v2.0/token", root+"/"+t.id+"/oauth2/token", root+"/"+t.id+"/v2.0", root+"/"+first+"/oauth2/v2.0/token") {
		return invalidClient(50012, "Client assertion audience claim does not match Realm issuer.")
	}
	if a.late(now) {
		return invalidClient(700024, "Client assertion is not within its valid time range. Current time: "+now.UTC().Format("2006-01-02T15:04:05.0000000Z")+".")
	}
	if a.body.ID == "" {
		return invalidClient(50027, "JWT token is invalid or malformed. The claim 'jti' is missing.")
	}
	return nil
}

// checkFederation judges the token of another issuer.
func (c *Cloud) checkFederation(a *assertion, token string, app *entrasim.Application) *tokenFault {
	if len(app.Federations) == 0 {
		return invalidClient(70021, "No matching federated identity record found for presented assertion. Assertion Issuer: '"+a.body.Issuer+"'. Assertion Subject: '"+a.body.Subject+"'.")
	}
	issuer, subject := false, false
	for _, f := range app.Federations {
		if f.Issuer != a.body.Issuer {
			continue
		}
		issuer = true
		if f.Subject != a.body.Subject {
			continue
		}
		subject = true
		if !a.audience(f.Audience) {
			continue
		}
		var ignored object
		if err := verify(&c.platform.PublicKey, token, &ignored); err != nil {
			return invalidClient(50012, "Client assertion contains an invalid signature.")
		}
		if a.late(c.now()) {
			return invalidClient(700024, "Client assertion is not within its valid time range.")
		}
		return nil
	}
	switch {
	case !issuer:
		return invalidClient(700211, "No matching federated identity record found for presented assertion issuer '"+a.body.Issuer+"'.")
	case !subject:
		return invalidClient(700213, "No matching federated identity record found for presented assertion subject '"+a.body.Subject+"'.")
	}
	return invalidClient(700212, "No matching federated identity record found for presented assertion audience.")
}

// resource finds what a token is asked for.
func (c *Cloud) resource(t *tenant, form url.Values, v1 bool, k *claims) *tokenFault {
	name := form.Get("resource")
	if v1 {
		if name == "" {
			return missing("resource")
		}
	} else {
		var asked []string
		for _, s := range strings.Fields(form.Get("scope")) {
			switch s {
			case "openid", "offline_access", "profile", "email":
			default:
				asked = append(asked, s)
			}
		}
		if len(asked) == 0 {
			return missing("scope")
		}
		if len(asked) > 1 {
			return badRequest("invalid_scope", 70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope '"+strings.Join(asked, " ")+"' names more than one resource (700022).")
		}
		var ok bool
		if name, ok = strings.CutSuffix(asked[0], "/.default"); !ok {
			return badRequest("invalid_scope", 1002012, "The provided value for scope "+asked[0]+" is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).")
		}
	}
	s, ok := c.service(t, name)
	if !ok || s == Activity && !t.world.Licensed(entrasim.Office) {
		return badRequest("invalid_resource", 500011, "The resource principal named "+name+" was not found in the tenant named "+t.world.Tenant().Name+". This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.")
	}
	k.Audience = name
	return nil
}

// service finds the service that a resource names for a tenant.
func (c *Cloud) service(t *tenant, name string) (Service, bool) {
	name = strings.ToLower(strings.TrimRight(name, "/"))
	c.mu.Lock()
	s, ok := c.roots[name]
	c.mu.Unlock()
	if ok {
		return s, s != Authority && s != Metadata
	}
	if host, ok := strings.CutPrefix(name, "https://"); ok && t.hubs.named(host) {
		return EventHubs, true
	}
	return "", false
}

// roles fills in the permissions that a principal has been granted at the
// resource of its token.
func (c *Cloud) roles(t *tenant, sp *entrasim.ServicePrincipal, k *claims) {
	if c.faults.is(c.faults.bare, t.id) {
		return
	}
	s, _ := c.service(t, k.Audience)
	for _, p := range sp.Granted {
		if of := permissionOf(p); of == s {
			k.Roles = append(k.Roles, p)
		}
	}
}

// permissionOf tells whose application permission it is.
func permissionOf(p string) Service {
	if strings.HasPrefix(p, "ActivityFeed.") || strings.HasPrefix(p, "ServiceHealth.Read") {
		return Activity
	}
	return Graph
}

// issue makes an access token of claims.
func (c *Cloud) issue(k *claims) (token string, life time.Duration) {
	now := c.now()
	life = time.Duration(60*60+c.number(30*60)) * time.Second
	k.IssuedAt, k.From, k.Until = now.Unix(), now.Add(-5*time.Minute).Unix(), now.Add(life).Unix()
	k.UTI, k.Serial = opaque()[:22], c.serial.Add(1)
	return sign(c.key, k), life
}

func (c *Cloud) give(w http.ResponseWriter, _ *tenant, k *claims, v1 bool) {
	token, life := c.issue(k)
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
	seconds := int(life / time.Second)
	if !v1 {
		answer(w, http.StatusOK, object{"token_type": "Bearer", "expires_in": seconds - 1, "ext_expires_in": seconds - 1, "access_token": token})
		return
	}
	answer(w, http.StatusOK, object{
		"token_type": "Bearer", "expires_in": strconv.Itoa(seconds - 1), "ext_expires_in": strconv.Itoa(seconds - 1),
		"expires_on": strconv.FormatInt(k.Until, 10), "not_before": strconv.FormatInt(k.From, 10), "resource": k.Audience, "access_token": token,
	})
}
