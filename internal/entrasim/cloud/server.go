package cloud

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// guarded puts the clock and the troubles of the cloud before a service.
func (c *Cloud) guarded(s Service, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", c.now().UTC().Format(http.TimeFormat))
		request := c.guid()
		r.Header.Set(requestID, request)
		switch s {
		case Graph:
			w.Header().Set("request-id", request)
			w.Header().Set("client-request-id", clientRequest(r))
			w.Header().Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"North Europe","Slice":"E","Ring":"4","ScaleUnit":"001","RoleInstance":"DB1PEPF00000001"}}`)
		case ResourceManager, LogAnalytics, Activity, Authority:
			w.Header().Set("x-ms-request-id", request)
		}
		t := c.faults.take(s, c.tenantOf(s, r), r)
		if t == nil {
			h.ServeHTTP(w, r)
			return
		}
		switch {
		case t.Hang:
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		case t.Drop:
			panic(http.ErrAbortHandler)
		case t.Cut:
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			copyHeader(w.Header(), rec.Header())
			w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2]) // the caller is to lose the rest anyhow
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		if t.RetryAfter != "" {
			w.Header().Set("Retry-After", t.RetryAfter)
		}
		if t.Body != "" || t.ContentType != "" {
			w.Header().Set("Content-Type", t.ContentType)
			w.WriteHeader(t.Status)
			_, _ = io.WriteString(w, t.Body)
			return
		}
		c.refuse(s, w, r, t.Status, t.Code, t.Message)
	})
}

// requestID carries the id that a request was given, among its headers.
const requestID = "X-Given-Request-Id"

func clientRequest(r *http.Request) string {
	if id := r.Header.Get("client-request-id"); id != "" {
		return id
	}
	return r.Header.Get(requestID)
}

func copyHeader(to, from http.Header) {
	for k, v := range from {
		to[k] = v
	}
}

// refuse writes an error in the form of a service.
func (c *Cloud) refuse(s Service, w http.ResponseWriter, r *http.Request, status int, code, message string) {
	switch s {
	case Graph:
		c.graphError(w, r, status, code, message)
	case Authority:
		n, _ := strconv.Atoi(code)
		if n == 0 {
			n = 90033
		}
		c.tokenError(w, r, &tokenFault{status: status, word: "temporarily_unavailable", number: n, text: message})
	case Metadata:
		answer(w, status, object{"error": code, "error_description": message})
	case LogAnalytics:
		answer(w, status, object{"error": object{"message": message, "code": code, "correlationId": r.Header.Get(requestID)}})
	default:
		answer(w, status, object{"error": object{"code": code, "message": message}})
	}
}

type object = map[string]any

// answer writes JSON.
func answer(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(err) // maps of plain values always encode
	}
	raw(w, status, bytes.TrimRight(b.Bytes(), "\n"))
}

// raw writes JSON that is ready.
func raw(w http.ResponseWriter, status int, body []byte) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // who has gone away needs no answer
}

// tenantOf tells whose request it is, as far as can be seen.
func (c *Cloud) tenantOf(s Service, r *http.Request) string {
	if s == Authority {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if t, ok := c.tenant(name); ok {
			return t.id
		}
		return name
	}
	if claims, err := c.readToken(bearer(r)); err == nil {
		return strings.ToLower(claims.Tenant)
	}
	return ""
}

// bearer is the token that a request carries.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// A limiter counts the requests of the last while, those that it refuses too.
type limiter struct{ times []time.Time }

// pass tells whether one more request may pass, and if not, how long until one
// would, if nobody asked meanwhile.
func (c *Cloud) pass(key string, limit int, per time.Duration) (wait time.Duration, ok bool) {
	if limit < 0 {
		return 0, true
	}
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.limiters[key]
	if l == nil {
		l = &limiter{}
		c.limiters[key] = l
	}
	for len(l.times) > 0 && !l.times[0].After(now.Add(-per)) {
		l.times = l.times[1:]
	}
	before := len(l.times)
	l.times = append(l.times, now)
	if before < limit {
		return 0, true
	}
	return l.times[len(l.times)-limit].Add(per).Sub(now), false
}
