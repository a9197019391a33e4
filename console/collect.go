package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Collections takes what comes by the Logs Ingestion API.
type Collections interface {
	// Collect makes an upload durable. tenant is the only tenant whose rules may be
	// named, empty for every tenant. The error is ErrNoSuch where there is no such
	// rule, ErrNoStream, ErrPayload, ErrLarge, ErrBusy, or another one of ours.
	Collect(ctx context.Context, tenant string, u Upload) error
}

// An Upload is a body that came to a stream of a data collection rule.
type Upload struct {
	// Rule is the rule's immutable id.
	Rule, Stream string
	// Request is the id that the client gave its request, empty if it gave none: a
	// client that tries again gives the same one.
	Request string
	// Source names the road of the records, Sender whoever holds the token.
	Source, Sender string
	// Body is a JSON array of objects, unpacked.
	Body []byte
}

// ErrNoStream says that a data collection rule has no stream of that name, ErrPayload
// that a body is no JSON array of objects, ErrLarge that its objects are too many.
var (
	ErrNoStream = errors.New("no such stream")
	ErrPayload  = errors.New("body cannot be read")
	ErrLarge    = errors.New("body too large")
)

// maxUpload is how many bytes the body of an upload may have as it comes. What it is
// unpacked to may have as many without what stands between its objects, which
// Microsoft's clients do not count when they cut: so it is read up to maxUnpacked.
const (
	maxUpload   = 1 << 20
	maxUnpacked = 2 << 20
)

// ingestionVersions are the versions of the Logs Ingestion API whose requests and
// answers are those that collect knows.
var ingestionVersions = []string{"2023-01-01", "2021-11-01-preview"}

// collect answers POST /dataCollectionRules/{rule}/streams/{stream}?api-version=…, the
// Logs Ingestion API: 204 when everything that could be understood is durable.
// https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview
func (s *Server) collect(w http.ResponseWriter, r *http.Request, c call) *apiError {
	if id := r.Header.Get("x-ms-client-request-id"); id != "" && len(id) <= maxRequestID {
		w.Header().Set("x-ms-client-request-id", id)
	}
	if bad := ingestionVersion(r); bad != nil {
		return bad
	}
	if s.o.Collections == nil {
		return notFound("route", r.URL.Path)
	}
	body, bad := s.upload(w, r, c.grant)
	if bad != nil {
		return bad
	}
	u := Upload{Rule: r.PathValue("rule"), Stream: r.PathValue("stream"), Request: r.Header.Get("x-ms-client-request-id"), Source: c.grant.Source, Sender: c.grant.Name, Body: body}
	if u.Source == "" {
		u.Source = c.grant.Name
	}
	if len(u.Request) > maxRequestID {
		u.Request = ""
	}
	err := s.o.Collections.Collect(r.Context(), c.grant.Tenant, u)
	switch {
	case errors.Is(err, ErrNoSuch):
		return &apiError{status: http.StatusNotFound, code: "NotFound", message: fmt.Sprintf("no data collection rule with the immutable id %q here; glassward collection list prints them", u.Rule)}
	case errors.Is(err, ErrNoStream):
		return &apiError{status: http.StatusBadRequest, code: "InvalidStream", message: err.Error()}
	case errors.Is(err, ErrPayload):
		return &apiError{status: http.StatusBadRequest, code: "InvalidPayload", message: err.Error()}
	case errors.Is(err, ErrLarge):
		return largeUpload()
	case errors.Is(err, ErrBusy):
		return &apiError{status: http.StatusServiceUnavailable, code: "ServiceUnavailable", message: err.Error(), retryAfter: 30}
	case err != nil:
		return internal(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// maxRequestID is how long a client's id of a request may be; ids are GUIDs.
const maxRequestID = 128

// ingestionVersion refuses a request that states no version of the API, or one that
// is not known.
func ingestionVersion(r *http.Request) *apiError {
	version := r.URL.Query().Get("api-version")
	if version == "" {
		return &apiError{status: http.StatusBadRequest, code: "MissingApiVersionParameter",
			message: "the request needs the parameter api-version: add ?api-version=" + ingestionVersions[0]}
	}
	for _, v := range ingestionVersions {
		if strings.EqualFold(v, version) {
			return nil
		}
	}
	return &apiError{status: http.StatusBadRequest, code: "UnsupportedApiVersion",
		message: fmt.Sprintf("api-version %q is not known; known are %s", version, strings.Join(ingestionVersions, ", "))}
}

// upload reads a request's body to its end, unpacked.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, g Grant) ([]byte, *apiError) {
	if r.ContentLength > maxUpload {
		return nil, largeUpload()
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	from, bad := s.unpack(w, r, g)
	if bad != nil {
		return nil, bad
	}
	body, err := io.ReadAll(io.LimitReader(from, maxUnpacked+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errTooLarge), len(body) > maxUnpacked:
		return nil, largeUpload()
	case err != nil:
		return nil, &apiError{status: http.StatusBadRequest, code: "InvalidPayload", message: fmt.Sprintf("the body cannot be read to its end: %v", err)}
	}
	return body, nil
}

func largeUpload() *apiError {
	return &apiError{status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLarge",
		message: fmt.Sprintf("the body is larger than %d bytes, as it comes or unpacked: send it in parts; none of it was taken", maxUpload)}
}
