package console

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"

	"glassward/console/kusto"
	"glassward/console/loganalytics"
)

// An apiError is what a caller is told: a status, and a body in the form of the
// Log Analytics API, {"error":{"code","message","innererror"}}.
type apiError struct {
	status  int
	code    string
	message string
	inner   *loganalytics.Error
	// kusto is the error as Kusto has it, nil where the status says enough.
	kusto *kusto.Error
	// cause is for our log and never leaves; correlation finds it there.
	cause       error
	correlation string
	// retryAfter in seconds, 0 for none.
	retryAfter int
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func internal(err error) *apiError {
	return &apiError{status: http.StatusInternalServerError, code: "InternalServerError",
		message: "something failed here; the log of glassward serve says what", cause: err}
}

func notFound(what, name string) *apiError {
	return &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: fmt.Sprintf("no %s %q here", what, name)}
}

// gone is what a caller is told who went away: nobody hears it. 499 is how logs of servers
// tell it.
func gone() *apiError {
	return &apiError{status: 499, code: "RequestCancelled", message: "the caller is gone"}
}

func badRequest(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "BadArgumentError", message: fmt.Sprintf(format, args...)}
}

// tell notes in our log what the caller is not told, under an id that it is told.
func (s *Server) tell(route string, e *apiError) {
	if e.correlation == "" {
		e.correlation = correlationID()
	}
	if e.cause != nil {
		s.o.Log.Error("request failed", "route", route, "correlationId", e.correlation, "error", e.cause)
	}
}

// panicked notes a defect of ours.
func (s *Server) panicked(route string, p any) *apiError {
	s.o.Log.Error("request panicked; this is a defect of ours", "route", route, "panic", p, "stack", string(debug.Stack()))
	return internal(nil)
}

// correlationID makes an id in the form of a GUID.
func correlationID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// body is the error as JSON.
func (e *apiError) body() []byte {
	text, _ := json.Marshal(map[string]loganalytics.Error{"error": {Code: e.code, Message: e.message, Inner: e.inner, CorrelationID: e.correlation}}) // texts and numbers
	return text
}

func (e *apiError) write(w http.ResponseWriter) {
	e.head(w.Header())
	w.WriteHeader(e.status)
	_, _ = w.Write(e.body()) // the caller is gone if this fails; there is nobody left to tell
}

// head sets the headers of an answer that is an error.
func (e *apiError) head(h http.Header) {
	h.Set("x-ms-error-code", e.code)
	if e.retryAfter > 0 {
		h.Set("Retry-After", fmt.Sprint(e.retryAfter))
	}
	if e.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="glassward"`)
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// The caller is gone if this fails; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}
