package console

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// An apiError is what a caller is told: a status, and a body in the form of the
// Log Analytics API, {"error":{"code","message","innererror"}}.
type apiError struct {
	status  int
	code    string
	message string
	inner   *innerError
	// cause is for our log and never leaves.
	cause error
	// retryAfter in seconds, 0 for none.
	retryAfter int
}

type innerError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Line    int    `json:"line,omitempty"`
	Pos     int    `json:"pos,omitempty"`
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func internal(err error) *apiError {
	return &apiError{status: http.StatusInternalServerError, code: "InternalServerError",
		message: "something failed here; the log of glassward serve says what", cause: err}
}

func notFound(what, name string) *apiError {
	return &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: fmt.Sprintf("no %s %q here", what, name)}
}

func badRequest(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "BadArgumentError", message: fmt.Sprintf(format, args...)}
}

func (e *apiError) write(w http.ResponseWriter) {
	w.Header().Set("x-ms-error-code", e.code)
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(e.retryAfter))
	}
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="glassward"`)
	}
	body := map[string]any{"code": e.code, "message": e.message}
	if e.inner != nil {
		body["innererror"] = e.inner
	}
	writeJSON(w, e.status, map[string]any{"error": body})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// The caller is gone if this fails; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}
