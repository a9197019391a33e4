package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"glassward/console/loganalytics"
)

// A Question is one query with its limits.
type Question struct {
	Text string
	// Timespans each restrict TimeGenerated, in ISO 8601 (PT2H, start/end, …).
	Timespans []string
	// Workspaces are the tenants whose tables are read together with those of the one that
	// is asked.
	Workspaces []string
	// Names gives the tenant that a name in workspace("…") means, where the caller may read
	// that one; nil where the caller may read none but the one that is asked.
	Names func(name string) (tenant string, ok bool)
	// Parameters are the values of the query parameters that Text declares, as literals of KQL.
	Parameters map[string]string
	// MaxRows and MaxBytes cut the result, which then is Truncated; 0 is the server's own limit, which
	// they can only lower.
	MaxRows, MaxBytes int64
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

// KustoCode gives the code under which Kusto tells the same mistake, where that is known,
// and ours elsewhere.
func (e *QueryError) KustoCode() string {
	switch e.Code {
	case "KQL0201", "KQL0202", "KQL0209":
		return "SEM0100" // a name cannot be resolved
	case "KQL0203":
		return "SEM0260" // no such function
	}
	if e.Syntax {
		return "SYN0002"
	}
	return e.Code
}

// Errors that a Workspaces wraps.
var (
	// ErrTimeout is a query that took longer than its limit.
	ErrTimeout = errors.New("the query took longer than its time limit")
	// ErrBudget is a query that wanted more memory than queries may have.
	ErrBudget = errors.New("the query needs more memory than its budget")
	// ErrThrottled is a query that found the queue full.
	ErrThrottled = errors.New("too many queries at once")
)

// maxQuery and maxBatch bound the bodies of requests that ask, in bytes.
const (
	maxQuery = 2 << 20
	maxBatch = 8 << 20
)

// query answers GET and POST /v1/workspaces/{workspace}/query in the form of the Log
// Analytics query API v1.
func (s *Server) query(w http.ResponseWriter, r *http.Request, c call) *apiError {
	var q loganalytics.Query
	var err error
	if r.Method == http.MethodPost {
		q, err = loganalytics.ReadQuery(http.MaxBytesReader(w, r.Body, maxQuery), r.URL.Query())
	} else {
		q, err = loganalytics.QueryOf(r.URL.Query())
	}
	if err != nil {
		return unread(err)
	}
	a, bad := s.ask(r.Context(), c.grant, c.tenant, q, loganalytics.ReadPreferences(r.Header.Values("Prefer")), 0)
	if bad != nil {
		return bad
	}
	return s.send(w, r, a.Write)
}

// unread says that a body could not be understood.
func unread(err error) *apiError {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, errTooLarge) {
		return &apiError{status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLarge", message: "the body is larger than a query may be"}
	}
	return badRequest("%v", err)
}

// readable gives what a query may name with workspace("…") or database("…"): the tenants that the
// caller may read, by whatever they are called.
func (s *Server) readable(g Grant) func(name string) (tenant string, ok bool) {
	return func(name string) (string, bool) {
		t, bad := s.tenant(g, loganalytics.WorkspaceName(name), "")
		return t, bad == nil
	}
}

// ask runs a query for a caller; bytes lowers the limit of its result, 0 leaves it.
func (s *Server) ask(ctx context.Context, g Grant, tenant string, q loganalytics.Query, p loganalytics.Preferences, bytes int64) (loganalytics.Answer, *apiError) {
	question := Question{Text: q.Text, Timespans: q.Timespans, Wait: min(p.Wait, loganalytics.MaxWait), Who: g.Name, MaxBytes: bytes, Names: s.readable(g)}
	for _, name := range q.Workspaces {
		t, ok := question.Names(name)
		if !ok {
			return loganalytics.Answer{}, &apiError{status: http.StatusBadRequest, code: "BadArgumentError", message: "The request had some invalid properties",
				inner: &loganalytics.Error{Code: "FailedToResolveResource", Message: "there is no workspace " + name + " that this token may read"}}
		}
		question.Workspaces = append(question.Workspaces, t)
	}
	began := s.o.Now()
	result, err := s.o.Workspaces.Query(ctx, tenant, question)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return loganalytics.Answer{}, gone()
	}
	if bad := refused(err); bad != nil {
		return loganalytics.Answer{}, bad
	}
	return loganalytics.Answer{Result: result, Took: s.o.Now().Sub(began), Statistics: p.Statistics, Render: p.Render}, nil
}

// refused says to the caller why a query gave nothing.
func refused(err error) *apiError {
	var bad *QueryError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad):
		inner := loganalytics.Error{Code: "SemanticError", Message: "A semantic error occurred."}
		if bad.Syntax {
			inner = loganalytics.Error{Code: "SyntaxError", Message: "A recognition error occurred in the query."}
		}
		inner.Inner = &loganalytics.Error{Code: bad.KustoCode(), Message: bad.Text, Line: bad.Line, Pos: bad.Pos}
		return &apiError{status: http.StatusBadRequest, code: "BadArgumentError", message: "The request had some invalid properties", inner: &inner}
	case errors.Is(err, ErrNoSuch):
		return &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: err.Error()}
	case errors.Is(err, ErrBusy):
		return &apiError{status: http.StatusServiceUnavailable, code: "WorkspaceUnavailable", message: err.Error(), retryAfter: 30}
	case errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return &apiError{status: http.StatusGatewayTimeout, code: "GatewayTimeout", message: err.Error()}
	case errors.Is(err, ErrThrottled):
		return &apiError{status: http.StatusTooManyRequests, code: "ThrottledError", message: err.Error(), retryAfter: 5}
	case errors.Is(err, ErrBudget):
		return &apiError{status: http.StatusBadRequest, code: "BadArgumentError", message: err.Error()}
	}
	return internal(err)
}

// send writes an answer of any size.
func (s *Server) send(w http.ResponseWriter, r *http.Request, write func(io.Writer) error) *apiError {
	body, done := packed(w, r)
	if err := errors.Join(write(body), done()); err != nil && r.Context().Err() == nil {
		s.o.Log.Warn("answer to a query was not written whole", "error", err)
	}
	return nil
}

// packed gives where an answer of any size is written, as gzip where the caller takes it;
// done ends it.
func packed(w http.ResponseWriter, r *http.Request) (body io.Writer, done func() error) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Vary", "Accept-Encoding")
	for item := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(item), ";")
		if strings.EqualFold(name, "gzip") && strings.ReplaceAll(weight, " ", "") != "q=0" {
			h.Set("Content-Encoding", "gzip")
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is one of gzip's
			return z, z.Close
		}
	}
	return w, func() error { return nil }
}

// batchAtOnce is how many queries of a batch run, or wait for a place, at one time, and
// batchBytes how large each one's result may be: those that wait to be written are no larger
// together than one query's.
const (
	batchAtOnce = 4
	batchBytes  = 16 << 20
)

// batch answers POST /v1/$batch: always 200, with an answer to each member in their order.
// Each member is judged by itself: whoever may not read its workspace learns nothing of it.
func (s *Server) batch(w http.ResponseWriter, r *http.Request, c call) *apiError {
	requests, err := loganalytics.ReadBatch(http.MaxBytesReader(w, r.Body, maxBatch))
	if err != nil {
		return unread(err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), loganalytics.MaxWait)
	defer cancel()
	return s.send(w, r, func(to io.Writer) error { return s.answerEach(ctx, cancel, c.grant, requests, to) })
}

// answerEach writes the answers to the members of a batch; cancel ends them when nobody reads on.
func (s *Server) answerEach(ctx context.Context, cancel func(), g Grant, requests []loganalytics.Request, to io.Writer) error {
	answers := loganalytics.NewBatchWriter(to)
	// The service answers in any order, and a client of Microsoft's takes what comes first for the answer to its
	// first query. A place is given back when its answer is written, so that few of them wait in memory.
	places := make(chan struct{}, batchAtOnce)
	before := make(chan struct{})
	close(before)
	for _, q := range requests {
		places <- struct{}{}
		turn, written := before, make(chan struct{})
		go func() {
			status, text := s.member(ctx, g, q)
			<-turn
			if err := answers.Member(q.ID, status, text); err != nil {
				cancel() // the caller is gone
			}
			<-places
			close(written)
		}()
		before = written
	}
	<-before
	return answers.Close()
}

// member answers one query of a batch.
func (s *Server) member(ctx context.Context, g Grant, q loganalytics.Request) (status int, body []byte) {
	var text bytes.Buffer
	err := func() (bad *apiError) {
		defer func() {
			if p := recover(); p != nil {
				bad = s.panicked("/v1/$batch", p)
			}
		}()
		if q.Err != nil {
			return badRequest("%v", q.Err)
		}
		tenant, bad := s.tenant(g, loganalytics.WorkspaceName(q.Workspace), "workspace")
		if bad != nil {
			return bad
		}
		a, bad := s.ask(ctx, g, tenant, q.Query, loganalytics.ReadPreferences(q.Prefer), batchBytes)
		if bad != nil {
			return bad
		}
		if err := a.Write(&text); err != nil {
			return internal(err)
		}
		return nil
	}()
	if err != nil {
		s.tell("/v1/$batch", err)
		return err.status, err.body()
	}
	return http.StatusOK, text.Bytes()
}

// metadata answers GET and POST /v1/workspaces/{workspace}/metadata.
func (s *Server) metadata(w http.ResponseWriter, r *http.Request, c call) *apiError {
	schema, err := s.o.Workspaces.Schema(c.tenant)
	if bad := refused(err); bad != nil {
		return bad
	}
	name := ""
	for _, t := range s.o.Workspaces.Tenants() {
		if strings.EqualFold(t.ID, c.tenant) {
			name = t.Name
		}
	}
	tables := make([]loganalytics.MetadataTable, len(schema.Tables))
	for i, t := range schema.Tables {
		tables[i] = loganalytics.MetadataTable{Name: t.Name, Description: t.Doc}
		for _, column := range t.Columns {
			tables[i].Columns = append(tables[i].Columns, loganalytics.MetadataColumn{Name: column.Name, Type: loganalytics.ColumnType(column.Type), Description: column.Doc})
		}
	}
	writeJSON(w, http.StatusOK, loganalytics.NewMetadata(c.tenant, name, tables, schema.Functions))
	return nil
}
