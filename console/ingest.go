package console

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A Push says on whose word records come in.
type Push struct {
	// Source names the road: the token's source or name.
	Source string
	// Table overrides recognition of the table; empty recognises each record.
	Table string
	// Whole says that the sender has all of the body and that it is short: what comes
	// of it piece by piece belongs together. Of a body without an end each piece
	// counts at once.
	Whole bool
}

// wholeBody is how long a body, as it is sent, may be that is taken in as a whole.
const wholeBody = 1 << 20

// A Receipt counts what became of a body's records.
type Receipt struct {
	Records    int            `json:"records"`
	Added      int            `json:"added"`
	Updated    int            `json:"updated"`
	Duplicates int            `json:"duplicates"`
	Conflicts  int            `json:"conflicts,omitempty"`
	Tables     map[string]int `json:"tables,omitempty"`
	Rejected   int            `json:"rejected"`
	// Rejects are the first hundred refused records with their reasons.
	Rejects []Refusal `json:"rejects,omitempty"`
}

// A Refusal is one record that was not taken.
type Refusal struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// ErrBusy is given while intake pauses (the disk is nearly full): the caller
// should come again, nothing of its body was lost or half taken.
var ErrBusy = errors.New("intake pauses")

// ingest answers POST /v1/ingest[?tenant=…&table=…]. A body whose every record
// was refused is a 400, one with some refused a 200 that names them.
func (s *Server) ingest(w http.ResponseWriter, r *http.Request, c call) *apiError {
	tenant, bad := s.tenant(c.grant, r.URL.Query().Get("tenant"), "?tenant=")
	if bad != nil {
		return bad
	}
	body, bad := s.unpack(w, r, c.grant)
	if bad != nil {
		return bad
	}
	source := c.grant.Source
	if source == "" {
		source = c.grant.Name
	}
	push := Push{Source: source, Table: r.URL.Query().Get("table"), Whole: r.ContentLength >= 0 && r.ContentLength <= wholeBody}
	receipt, err := s.o.Workspaces.Ingest(r.Context(), tenant, push, body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge) || errors.Is(err, errTooLarge):
		return &apiError{status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLarge",
			message: fmt.Sprintf("the body is larger than %d bytes; %d records before that point were taken: send the rest in smaller bodies", s.maxBody(c.grant), receipt.Added+receipt.Updated+receipt.Duplicates)}
	case errors.Is(err, ErrNoSuch):
		return &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: err.Error()}
	case errors.Is(err, ErrBusy):
		return &apiError{status: http.StatusServiceUnavailable, code: "IntakePaused", message: err.Error(), retryAfter: 30}
	case err != nil:
		return internal(err)
	}
	status := http.StatusOK
	if receipt.Records == 0 && receipt.Rejected > 0 {
		status = http.StatusBadRequest
		w.Header().Set("x-ms-error-code", "NoRecordTaken")
	}
	writeJSON(w, status, receipt)
	return nil
}

// unpack gives a request's body as it was before it was packed. A body may be
// gzip by its header, by its first bytes, or by both; every layer that is opened
// is bounded, because a few bytes can stand for very many. The folder's owner
// hands over files of any size.
func (s *Server) unpack(w http.ResponseWriter, r *http.Request, g Grant) (io.Reader, *apiError) {
	body := io.Reader(r.Body)
	if !g.owner {
		body = http.MaxBytesReader(w, r.Body, s.maxBody(g))
	}
	packed := false
	switch enc := strings.ToLower(r.Header.Get("Content-Encoding")); enc {
	case "", "identity":
	case "gzip":
		packed = true
	default:
		return nil, &apiError{status: http.StatusUnsupportedMediaType, code: "UnsupportedMediaType", message: fmt.Sprintf("Content-Encoding %q: send gzip or none", enc)}
	}
	for range maxLayers {
		peek := bufio.NewReader(body)
		head, _ := peek.Peek(2) // what cannot be read is said by whoever reads on
		body = peek
		if !packed && string(head) != "\x1f\x8b" {
			return body, nil
		}
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, badRequest("the body says that it is gzip, and is not: %v", err)
		}
		body, packed = z, false
		if !g.owner {
			body = &bounded{r: s.charged(r, z), left: s.maxBody(g)}
		}
	}
	return nil, badRequest("the body is gzip within gzip within gzip: pack it once")
}

// maxLayers is in how many layers of gzip records are looked for, and one more.
const maxLayers = 3

var errTooLarge = errors.New("body too large after gunzip")

// bounded fails, where io.LimitReader would end as if the body were whole.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
