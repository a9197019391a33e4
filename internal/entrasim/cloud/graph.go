package cloud

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A call is one request to Graph by an application whose token was accepted.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	t       *tenant
	claims  *claims
	beta    bool
	path    string // below the version
	options map[string]string
	now     time.Time // until which the world has lived
}

// A graphFault is why Graph refuses.
type graphFault struct {
	status        int
	code, message string
}

func badGraph(format string, args ...any) *graphFault {
	return &graphFault{http.StatusBadRequest, "BadRequest", fmt.Sprintf(format, args...)}
}

func (c *Cloud) graphError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", graphRealm)
	}
	answer(w, status, object{"error": object{"code": code, "message": message, "innerError": object{
		"date":       c.now().UTC().Format("2006-01-02T15:04:05"),
		"request-id": r.Header.Get(requestID), "client-request-id": clientRequest(r),
	}}})
}

const graphRealm = `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`

// graph serves Microsoft Graph.
func (c *Cloud) graph() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if version != "v1.0" && version != "beta" {
			c.graphError(w, r, http.StatusBadRequest, "BadRequest", "Invalid version: "+version+".")
			return
		}
		k, f := c.graphToken(w, r)
		if f != nil {
			c.graphError(w, r, f.status, f.code, f.message)
			return
		}
		t, ok := c.tenant(k.Tenant)
		if !ok {
			c.graphError(w, r, http.StatusUnauthorized, "InvalidAuthenticationToken", "The tenant of the token is not known.")
			return
		}
		if path == "$batch" {
			c.batch(w, r, version)
			return
		}
		g := &call{w: w, r: r, t: t, claims: k, beta: version == "beta", path: strings.TrimSuffix(path, "/")}
		if f := c.graphCall(g); f != nil {
			c.graphError(w, r, f.status, f.code, f.message)
		}
	})
}

// graphToken judges the token of a request.
func (c *Cloud) graphToken(w http.ResponseWriter, r *http.Request) (*claims, *graphFault) {
	refused := func(message string) *graphFault {
		return &graphFault{http.StatusUnauthorized, "InvalidAuthenticationToken", message}
	}
	k, err := c.readToken(bearer(r))
	switch {
	case err == errNoToken:
		return nil, refused("Access token is empty.")
	case err == errExpiredToken:
		return nil, refused("Lifetime validation failed, the token is expired.")
	case err == errRevokedToken:
		w.Header().Set("WWW-Authenticate", graphRealm+`, error="insufficient_claims", claims="`+base64.StdEncoding.EncodeToString([]byte(`{"access_token":{"nbf":{"essential":true,"value":"`+strconv.FormatInt(c.now().Unix(), 10)+`"}}}`))+`"`)
		return nil, refused("Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp")
	case err != nil:
		return nil, refused("CompactToken parsing failed with error code: 80049217")
	}
	t, ok := c.tenant(k.Tenant)
	if ok {
		s, found := c.service(t, k.Audience)
		ok = found && s == Graph
	}
	if !ok {
		return nil, refused("Access token validation failure. Invalid audience.")
	}
	return k, nil
}

// graphCall counts a call, finds what is asked for and answers.
func (c *Cloud) graphCall(g *call) *graphFault {
	report := reports[g.path]
	app, all := g.claims.AppID+"/"+g.t.id, g.claims.AppID
	switch {
	case report != nil && report.protection, strings.HasPrefix(g.path, "identityProtection/"), strings.HasPrefix(g.path, "identity/conditionalAccess/"):
		if _, ok := c.pass("protection/"+g.t.id, c.o.Limits.Protection, time.Second); !ok {
			return &graphFault{http.StatusTooManyRequests, "TooManyRequests", "Too many requests"} // and no word about when to come again
		}
	case report != nil || strings.HasPrefix(g.path, "auditLogs/"):
		wait, ok := c.pass("reports/"+app, c.o.Limits.Reports, 10*time.Second)
		waitAll, okAll := c.pass("reports-all/"+all, c.o.Limits.ReportsAll, 10*time.Second)
		if !ok || !okAll {
			c.faults.retryHeader(g.w.Header(), max(wait, waitAll))
			return &graphFault{http.StatusTooManyRequests, "UnknownError", "This request is throttled. Please try again after the value specified in the Retry-After header. CorrelationId: " + g.r.Header.Get(requestID)}
		}
	default:
		if wait, ok := c.pass("directory/"+app, c.o.Limits.Directory, 10*time.Second); !ok {
			c.faults.retryHeader(g.w.Header(), wait)
			return &graphFault{http.StatusTooManyRequests, "TooManyRequests", "Please retry again later."}
		}
	}
	if g.path == "identity/conditionalAccess/evaluate" {
		return c.evaluate(g)
	}
	if g.r.Method != http.MethodGet {
		return &graphFault{http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."}
	}
	options, f := readOptions(g.r.URL.RawQuery)
	if f != nil {
		return f
	}
	g.options = options
	g.now = c.live(g.t)
	if report != nil {
		if _, ok := options["$expand"]; ok {
			return badGraph("The query parameter '$expand' is not supported.")
		}
		return c.report(g, report)
	}
	return c.directory(g)
}

// readOptions reads the system query options, those with a dollar sign. Others
// are none of Graph's business.
func readOptions(query string) (map[string]string, *graphFault) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, badGraph("The query string is malformed.")
	}
	out := map[string]string{}
	for k, v := range values {
		if !strings.HasPrefix(k, "$") {
			continue
		}
		name := strings.ToLower(k)
		if _, twice := out[name]; twice || len(v) > 1 {
			return nil, badGraph("Query option '%s' was specified more than once, but it must be specified at most once.", name)
		}
		switch name {
		case "$filter", "$top", "$orderby", "$select", "$skiptoken", "$count", "$search", "$expand":
		case "$skip":
			return nil, badGraph("Query option 'Skip' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings.")
		default:
			return nil, badGraph("The query parameter '%s' is not supported.", k)
		}
		out[name] = v[0]
	}
	return out, nil
}

// allowed tells whether a token carries one of some permissions that was not
// taken back at once.
func (c *Cloud) allowed(g *call, permissions ...string) bool {
	for _, p := range permissions {
		if g.claims.has(p) && !c.faults.is(c.faults.cut, g.t.id+"/"+p) {
			return true
		}
	}
	return false
}

// top reads how many rows a page may have.
func (g *call) top(usual, most int, lower bool) (int, *graphFault) {
	text, ok := g.options["$top"]
	if !ok {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most && !lower {
		return 0, badGraph("Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", text, most)
	}
	return min(n, most), nil
}

// A cursor is what an opaque link stands for: a place in a list, bound to the
// question that was asked.
type cursor struct {
	question string
	at       time.Time // the last row of the page before
	id       string
	offset   int // of lists that have no time
	page     int
}

// question names what a call asks, without the place in the list.
func (g *call) question() string {
	return fmt.Sprint(g.t.id, "/", g.claims.AppID, g.r.URL.Path, g.options["$filter"], "|", g.options["$orderby"], "|", g.options["$select"], "|", g.options["$top"], "|", g.options["$search"], "|", g.options["$expand"])
}

// place finds where a call goes on; the zero cursor is the beginning.
func (c *Cloud) place(g *call) (cursor, *graphFault) {
	token, ok := g.options["$skiptoken"]
	if !ok {
		return cursor{page: 1}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.cursors[token]
	if p == nil || p.question != g.question() {
		return cursor{}, &graphFault{http.StatusBadRequest, "UnknownError", "Invalid Skip Token, skip token is null or does not belong to this request."}
	}
	return *p, nil
}

// keptLinks is how many links stay good.
const keptLinks = 20_000

// link makes the address of the next page.
func (c *Cloud) link(g *call, next cursor) string {
	next.question = g.question()
	token := opaque() + "_1"
	c.mu.Lock()
	c.cursors[token] = &next
	c.links = append(c.links, token)
	for len(c.links) > keptLinks {
		delete(c.cursors, c.links[0])
		c.links = c.links[1:]
	}
	c.mu.Unlock()
	u := url.URL{Scheme: "https", Host: g.r.Host, Path: g.r.URL.Path}
	var q []string
	for _, k := range []string{"$filter", "$orderby", "$select", "$top", "$search", "$count", "$expand"} {
		if v, ok := g.options[k]; ok {
			q = append(q, k+"="+url.QueryEscape(v))
		}
	}
	u.RawQuery = strings.Join(append(q, "$skiptoken="+token), "&")
	c.faults.mu.Lock()
	trick := c.faults.links
	c.faults.mu.Unlock()
	switch trick {
	case SelfLink:
		return "https://" + g.r.Host + g.r.URL.RequestURI()
	case OtherHost:
		u.Host = "graph.example.org"
	case OtherPath:
		u.Path = strings.TrimSuffix(u.Path, "/") + "Elsewhere"
	case PlainHTTP:
		u.Scheme = "http"
	}
	return u.String()
}

// page writes a page of a list.
func (c *Cloud) page(g *call, context string, rows [][]byte, next string, count int) {
	var b strings.Builder
	version := "v1.0"
	if g.beta {
		version = "beta"
	}
	fmt.Fprintf(&b, `{"@odata.context":"https://%s/%s/$metadata#%s"`, g.r.Host, version, context)
	if count >= 0 {
		fmt.Fprintf(&b, `,"@odata.count":%d`, count)
	}
	if next != "" {
		text, _ := json.Marshal(next) // a string always marshals
		fmt.Fprintf(&b, `,"@odata.nextLink":%s`, strings.ReplaceAll(string(text), `\u0026`, "&"))
	}
	b.WriteString(`,"value":[`)
	for i, r := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(r)
	}
	b.WriteString("]}")
	g.w.Header().Set("OData-Version", "4.0")
	g.w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	raw(g.w, http.StatusOK, []byte(b.String()))
}

// choose keeps the selected properties of an entity.
func choose(entity []byte, names string) []byte {
	if names == "" {
		return entity
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(entity, &all) != nil {
		return entity
	}
	out := map[string]json.RawMessage{}
	for _, n := range strings.Split(names, ",") {
		if v, ok := all[strings.TrimSpace(n)]; ok {
			out[strings.TrimSpace(n)] = v
		}
	}
	for k, v := range all {
		if strings.HasPrefix(k, "@odata.") {
			out[k] = v
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return entity
	}
	return b
}

// batch answers several requests in one, each counted for itself, in any order.
func (c *Cloud) batch(w http.ResponseWriter, r *http.Request, version string) {
	refuse := func(format string, args ...any) {
		c.graphError(w, r, http.StatusBadRequest, "BadRequest", fmt.Sprintf(format, args...))
	}
	if r.Method != http.MethodPost {
		c.graphError(w, r, http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
		return
	}
	var in struct {
		Requests []struct {
			ID        string            `json:"id"`
			Method    string            `json:"method"`
			URL       string            `json:"url"`
			Headers   map[string]string `json:"headers"`
			DependsOn []string          `json:"dependsOn"`
		} `json:"requests"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 4<<20)).Decode(&in); err != nil || len(in.Requests) == 0 {
		refuse("Invalid batch payload format.")
		return
	}
	if len(in.Requests) > 20 {
		refuse("Number of batch request steps exceeds the maximum value of 20.")
		return
	}
	done := map[string]int{}
	for _, q := range in.Requests {
		if _, twice := done[q.ID]; q.ID == "" || twice {
			refuse("Request Id: '%s' has to be unique in a batch.", q.ID)
			return
		}
		done[q.ID] = 0
	}
	type response struct {
		ID      string            `json:"id"`
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	}
	var out []response
	for _, q := range in.Requests {
		failed := false
		for _, d := range q.DependsOn {
			if s, ok := done[d]; !ok || s == 0 || s >= 400 {
				failed = true
			}
		}
		rec := httptest.NewRecorder()
		inner, err := http.NewRequestWithContext(r.Context(), q.Method, "https://"+r.Host+"/"+version+"/"+strings.TrimPrefix(q.URL, "/"), nil)
		switch {
		case err != nil:
			c.graphError(rec, r, http.StatusBadRequest, "BadRequest", "The URL of the request is malformed.")
		case failed:
			c.graphError(rec, r, http.StatusFailedDependency, "FailedDependency", "Failed dependency.")
		case strings.Contains(q.URL, "$batch"):
			c.graphError(rec, r, http.StatusBadRequest, "BadRequest", "A batch cannot be part of a batch.")
		default:
			inner.Header.Set("Authorization", r.Header.Get("Authorization"))
			inner.Header.Set(requestID, c.guid())
			for k, v := range q.Headers {
				inner.Header.Set(k, v)
			}
			c.graph().ServeHTTP(rec, inner)
		}
		done[q.ID] = rec.Code
		a := response{ID: q.ID, Status: rec.Code, Headers: map[string]string{}, Body: rec.Body.Bytes()}
		for k := range rec.Header() {
			a.Headers[k] = rec.Header().Get(k)
		}
		out = append(out, a)
	}
	for i := len(out) - 1; i > 0; i-- {
		j := c.number(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	answer(w, http.StatusOK, object{"responses": out})
}
