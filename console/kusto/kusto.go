// Package kusto is the wire format of Azure Data Explorer's REST API, as its clients read and write it: the
// bodies of requests, answers to queries as frames (v2) or as tables (v1), commands that begin with a dot
// and their result tables, and errors. Which caller may read what, and the running of a query, are
// elsewhere.
//
// The format is documented at https://learn.microsoft.com/kusto/api/rest/. Microsoft's client for Go reads it
// by the line and by the order of the keys, so both are kept.
package kusto

import (
	"time"
)

// Paths of the API.
const (
	QueryPath    = "/v2/rest/query"
	QueryV1Path  = "/v1/rest/query"
	CommandPath  = "/v1/rest/mgmt"
	MetadataPath = "/v1/rest/auth/metadata"
	IngestPath   = "/v1/rest/ingest"
)

// An Activity is one request on its way: what every answer and error names.
type Activity struct {
	// ID is ours, a GUID. ClientRequestID is the caller's, any text.
	ID, ClientRequestID string
	// Kind is Query or Command.
	Kind string
	// Began is when the request came, Now gives the time.
	Began time.Time
	Now   func() time.Time
}

func (a Activity) now() string { return a.Now().UTC().Format("2006-01-02T15:04:05.0000000Z") }
