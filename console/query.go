package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Question is one query with its limits.
type Question struct {
	Text string
	// Timespan restricts TimeGenerated in ISO 8601 (PT2H, start/end, …), empty for
	// no restriction.
	Timespan string
	// Wait is the time limit; 0 means three minutes.
	Wait time.Duration
	// Who asks; goes to GlasswardAudit.
	Who string
}

// A QueryError is a query that was refused: Text is the diagnostics as a person
// reads them, with line and caret.
type QueryError struct {
	Code, Text string
	Line, Pos  int
	// Syntax tells a mistake of grammar from one of meaning.
	Syntax bool
}

func (e *QueryError) Error() string { return e.Text }

// Errors that a Workspaces wraps.
var (
	// ErrTimeout is a query that took longer than its limit.
	ErrTimeout = errors.New("the query took longer than its time limit")
	// ErrBudget is a query that wanted more memory than queries may have.
	ErrBudget = errors.New("the query needs more memory than its budget")
	// ErrThrottled is a query that found the queue full.
	ErrThrottled = errors.New("too many queries at once")
)

// waitOf reads how long a caller is willing to wait: Prefer: wait=SECONDS, as the
// Log Analytics API has it. 0 where it does not say.
func waitOf(h http.Header) time.Duration {
	for _, list := range h.Values("Prefer") {
		for part := range strings.SplitSeq(list, ",") {
			name, n, ok := strings.Cut(strings.TrimSpace(part), "=")
			if seconds, err := strconv.ParseFloat(n, 64); ok && strings.EqualFold(name, "wait") && err == nil && seconds > 0 && seconds < 86_400 {
				return time.Duration(seconds * float64(time.Second))
			}
		}
	}
	return 0
}

// query answers POST /v1/workspaces/{workspace}/query in the form of the Log
// Analytics query API v1.
func (s *Server) query(w http.ResponseWriter, r *http.Request, c call) *apiError {
	var body struct {
		Query    string `json:"query"`
		Timespan string `json:"timespan"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body); err != nil {
		return badRequest(`the body is not JSON of the form {"query": "…", "timespan": "PT1H"}: %v`, err)
	}
	if strings.TrimSpace(body.Query) == "" {
		return badRequest("the body has no query")
	}
	result, err := s.o.Workspaces.Query(r.Context(), c.tenant, Question{Text: body.Query, Timespan: body.Timespan, Wait: waitOf(r.Header), Who: c.grant.Name})
	var refused *QueryError
	switch {
	case errors.As(err, &refused):
		e := &apiError{status: http.StatusBadRequest, code: "BadArgumentError", message: "The request had some invalid properties",
			inner: &innerError{Code: refused.Code, Message: refused.Text, Line: refused.Line, Pos: refused.Pos}}
		return e
	case errors.Is(err, ErrNoSuch):
		return &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: err.Error()}
	case errors.Is(err, ErrBusy):
		return &apiError{status: http.StatusServiceUnavailable, code: "WorkspaceUnavailable", message: err.Error(), retryAfter: 30}
	case errors.Is(err, ErrTimeout):
		return &apiError{status: http.StatusGatewayTimeout, code: "GatewayTimeout", message: err.Error()}
	case errors.Is(err, ErrThrottled):
		return &apiError{status: http.StatusTooManyRequests, code: "ThrottledError", message: err.Error(), retryAfter: 5}
	case errors.Is(err, ErrBudget):
		return &apiError{status: http.StatusBadRequest, code: "BadArgumentError", message: err.Error()}
	case err != nil:
		return internal(err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := WriteQueryResponse(w, result); err != nil {
		s.o.Log.Warn("answer to a query was not written whole", "error", err)
	}
	return nil
}
