package kusto

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// An Error is why a request gave nothing, or not all, in Kusto's own names
// (https://learn.microsoft.com/kusto/api/netfx/kusto-data-client-errors).
type Error struct {
	// Status is that of HTTP.
	Status int
	// Code is the sub-code of the failure, Type the exception that Microsoft's clients raise, without
	// its namespace.
	Code, Type string
	// Message says what happened, for people.
	Message string
	// Permanent says that the same request fails again.
	Permanent bool
	// Inner is the mistake in the query, nil if it is none.
	Inner *Error
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// BadRequest is a request that cannot be understood.
func BadRequest(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "General_BadRequest", Type: "KustoBadRequestException", Message: fmt.Sprintf(format, args...), Permanent: true}
}

// BadQuery is a query with a mistake of grammar or of meaning: code is the mistake's, text the diagnostics
// with line and caret.
func BadQuery(syntax bool, code, text string) *Error {
	kind, what := "SemanticException", "Semantic error: "
	if syntax {
		kind, what = "SyntaxException", "Syntax error: "
	}
	e := BadRequest("Request is invalid and cannot be processed: %s%s: %s", what, code, text)
	e.Inner = &Error{Code: code, Type: kind, Message: what + code + ": " + text, Permanent: true}
	return e
}

// NoDatabase is a database that is not there, or that the caller may not read: the two look the same.
func NoDatabase(name string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "BadRequest_DatabaseNotExist", Type: "DatabaseNotFoundException",
		Message: fmt.Sprintf("Database %q was not found, or this token may not read it.", name), Permanent: true}
}

// Timeout is a query that took longer than it may.
func Timeout(message string) *Error {
	return &Error{Status: http.StatusGatewayTimeout, Code: "RequestExecutionTimeout", Type: "KustoServiceTimeoutException", Message: message}
}

// Throttled is a query that found too many others.
func Throttled(message string) *Error {
	return &Error{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Type: "KustoRequestThrottledException", Message: message}
}

// LowMemory is a query that needs more memory than it may have.
func LowMemory(message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "LowMemoryCondition", Type: "KustoServicePartialQueryFailureLowMemoryConditionException",
		Message: message + " (E_LOW_MEMORY_CONDITION, 80DA0007)", Permanent: true}
}

// limitsExceeded is a result of which rows are missing.
func limitsExceeded(records, bytes int64) *Error {
	limit := "the server's limit of records or bytes"
	switch {
	case records > 0:
		limit = fmt.Sprintf("the limit of %d records", records)
	case bytes > 0:
		limit = fmt.Sprintf("the limit of %d bytes", bytes)
	}
	return &Error{Status: http.StatusBadRequest, Code: "LimitsExceeded", Type: "KustoServicePartialQueryFailureLimitsExceededException",
		Message: "Query execution has exceeded the allowed limits (80DA0003): the result is cut at " + limit + ", rows are missing (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). Narrow the query, or summarize."}
}

// Of gives the error for a status of HTTP, with Kusto's names for it.
func Of(status int, message string) *Error {
	e := &Error{Status: status, Message: message, Permanent: true}
	switch status {
	case http.StatusUnauthorized:
		e.Code, e.Type = "Unauthorized", "KustoRequestDeniedException"
	case http.StatusForbidden:
		e.Code, e.Type = "Forbidden", "KustoRequestDeniedException"
	case http.StatusNotFound:
		e.Code, e.Type = "NotFound", "KustoRequestException"
	case http.StatusMethodNotAllowed:
		e.Code, e.Type = "MethodNotAllowed", "KustoRequestException"
	case http.StatusRequestEntityTooLarge:
		e.Code, e.Type = "PayloadTooLarge", "KustoRequestPayloadTooLargeException"
	case http.StatusTooManyRequests:
		return Throttled(message)
	case http.StatusGatewayTimeout:
		return Timeout(message)
	case http.StatusServiceUnavailable:
		e.Code, e.Type, e.Permanent = "ServiceUnavailable", "KustoServiceException", false
	default:
		if status < http.StatusInternalServerError {
			e.Code, e.Type = "General_BadRequest", "KustoBadRequestException"
		} else {
			e.Code, e.Type, e.Permanent = "General_InternalServerError", "KustoServiceException", false
		}
	}
	return e
}

// summary is the sentence that says no more than who is at fault.
func (e *Error) summary() string {
	switch e.Type {
	case "KustoServiceException", "KustoServiceTimeoutException":
		return "The request could not be executed."
	case "KustoRequestThrottledException":
		return "The request was denied, there are too many."
	case "SyntaxException", "SemanticException":
		return e.Message
	}
	return "Request is invalid and cannot be executed."
}

// oneAPI gives the error in the form of Microsoft's OneAPI guidelines, whose keys with @ are Kusto's.
func (e *Error) oneAPI(a Activity) map[string]oneAPIError {
	return map[string]oneAPIError{"error": e.inner(a)}
}

type oneAPIError struct {
	Code      string        `json:"code"`
	Message   string        `json:"message"`
	Type      string        `json:"@type"`
	Text      string        `json:"@message"`
	Context   oneAPIContext `json:"@context"`
	Permanent bool          `json:"@permanent"`
	Inner     *oneAPIError  `json:"innererror,omitempty"`
}

type oneAPIContext struct {
	Timestamp        string `json:"timestamp"`
	ServiceAlias     string `json:"serviceAlias"`
	MachineName      string `json:"machineName"`
	ProcessName      string `json:"processName"`
	ProcessID        int    `json:"processId"`
	ThreadID         int    `json:"threadId"`
	ClientRequestID  string `json:"clientRequestId"`
	ActivityID       string `json:"activityId"`
	SubActivityID    string `json:"subActivityId"`
	ActivityType     string `json:"activityType"`
	ParentActivityID string `json:"parentActivityId"`
	ActivityStack    string `json:"activityStack"`
}

func (e *Error) inner(a Activity) oneAPIError {
	out := oneAPIError{Code: e.Code, Message: e.summary(), Type: "Kusto.Data.Exceptions." + e.Type, Text: e.Message, Permanent: e.Permanent,
		// What a cluster says of its machines has no meaning here, and would be told to strangers.
		Context: oneAPIContext{Timestamp: a.now(), ServiceAlias: "GLASSWARD", ProcessName: "glassward", ClientRequestID: a.ClientRequestID,
			ActivityID: a.ID, SubActivityID: a.ID, ActivityType: a.Kind, ParentActivityID: a.ID,
			ActivityStack: fmt.Sprintf("(Activity stack: CRID=%s ARID=%s > %s/%s)", a.ClientRequestID, a.ID, a.Kind, a.ID)}}
	if e.Inner != nil {
		in := e.Inner.inner(a)
		out.Inner = &in
	}
	return out
}

// Body gives the body of an answer that is an error and nothing else.
func (e *Error) Body(a Activity) []byte {
	text, _ := json.Marshal(e.oneAPI(a)) // texts, numbers and truths
	return append(text, '\n')
}
