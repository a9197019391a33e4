package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"glassward/console/kusto"
	"glassward/kql"
)

// maxKusto bounds the body of a Kusto request in bytes, before and after gunzip: a query of the largest
// size of which every byte is escaped, and its parameters.
const maxKusto = 8 << 20

// kustoRoutes are those whose errors have Kusto's form.
func (s *Server) kustoRoutes() []Route {
	return []Route{
		{"GET", kusto.MetadataPath, Public, s.kustoMetadata},
		{"POST", kusto.QueryPath, Query, s.kustoQuery},
		{"GET", kusto.QueryPath, Query, s.kustoQuery},
		{"POST", kusto.QueryV1Path, Query, s.kustoQuery},
		{"GET", kusto.QueryV1Path, Query, s.kustoQuery},
		{"POST", kusto.CommandPath, Query, s.kustoCommand},
		{"POST", kusto.IngestPath + "/{what...}", Public, s.kustoIngest},
	}
}

// kustoMetadata answers GET /v1/rest/auth/metadata, where a cluster says at which login its tokens are
// made. There is none: with 404 and nothing in it clients go on with the token that they have, or with
// none. A body, of an error even, they would take for the metadata.
func (s *Server) kustoMetadata(w http.ResponseWriter, _ *http.Request, _ call) *apiError {
	w.WriteHeader(http.StatusNotFound)
	return nil
}

// kustoIngest says that records come in otherwise.
func (s *Server) kustoIngest(http.ResponseWriter, *http.Request, call) *apiError {
	return asKusto(kusto.BadRequest("Streaming ingestion is not offered: send records to POST /v1/ingest, or by the Logs Ingestion API."))
}

// asKusto makes an error of Kusto one of ours.
func asKusto(e *kusto.Error) *apiError {
	return &apiError{status: e.Status, code: e.Code, message: e.Message, kusto: e}
}

// maxClientID bounds the id that a caller gives its request, in bytes.
const maxClientID = 512

// activity gives the request a name of ours beside the caller's, and says both in the answer's headers.
func (s *Server) activity(w http.ResponseWriter, r *http.Request, kind string) kusto.Activity {
	a := kusto.Activity{ID: correlationID(), Kind: kind, Began: s.o.Now(), Now: s.o.Now}
	return s.called(w, a, r.Header.Get("x-ms-client-request-id"))
}

// called takes id for what the caller calls its request, where it has said nothing yet.
func (s *Server) called(w http.ResponseWriter, a kusto.Activity, id string) kusto.Activity {
	if a.ClientRequestID == "" {
		a.ClientRequestID = strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '?'
			}
			return r
		}, id[:min(len(id), maxClientID)])
	}
	w.Header().Set("x-ms-client-request-id", a.ClientRequestID)
	w.Header().Set("x-ms-activity-id", a.ID)
	return a
}

// refuseKusto tells the caller what is wrong as Kusto does.
func (s *Server) refuseKusto(w http.ResponseWriter, r *http.Request, route Route, err *apiError) {
	h := w.Header()
	if h.Get("x-ms-activity-id") == "" {
		s.activity(w, r, "Request")
	}
	kind := "Query"
	if route.Path == kusto.CommandPath {
		kind = "Command"
	}
	a := kusto.Activity{ID: h.Get("x-ms-activity-id"), ClientRequestID: h.Get("x-ms-client-request-id"), Kind: kind, Now: s.o.Now}
	err.correlation = a.ID
	s.tell(route.Path, err)
	e := err.kusto
	if e == nil {
		e = kusto.Of(err.status, err.message)
	}
	err.head(h)
	h.Set("x-ms-error-code", e.Code)
	w.WriteHeader(err.status)
	_, _ = w.Write(e.Body(a)) // the caller is gone if this fails; there is nobody left to tell
}

// kustoRequest reads a request from its body or its address.
func (s *Server) kustoRequest(w http.ResponseWriter, r *http.Request, g Grant) (kusto.Request, *apiError) {
	if r.Method == http.MethodGet {
		q, err := kusto.RequestOf(r.URL.Query())
		if err != nil {
			return q, asKusto(kusto.BadRequest("%v", err))
		}
		return q, nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxKusto)
	body, bad := s.unpack(w, r, g)
	if bad != nil {
		return kusto.Request{}, bad
	}
	q, err := kusto.ReadRequest(&bounded{r: body, left: maxKusto})
	if err == nil {
		return q, nil
	}
	if bad := unread(err); bad.status != http.StatusBadRequest {
		return q, bad
	}
	return q, asKusto(kusto.BadRequest("%v", err))
}

// database gives the tenant that a database's name means to a caller: a tenant's name or id, and nothing,
// default and the name that connection strings carry by default mean the only one.
func (s *Server) database(g Grant, name string) (string, *apiError) {
	switch strings.ToLower(name) {
	case "", "default", "netdefaultdb":
		return s.tenant(g, "", `the property db: its name or id`)
	}
	t, bad := s.tenant(g, name, "")
	if bad != nil {
		return "", asKusto(kusto.NoDatabase(name))
	}
	return t, nil
}

// kustoQuery answers POST and GET /v2/rest/query with frames, and /v1/rest/query with tables.
func (s *Server) kustoQuery(w http.ResponseWriter, r *http.Request, c call) *apiError {
	a := s.activity(w, r, "Query")
	q, bad := s.kustoRequest(w, r, c.grant)
	if bad != nil {
		return bad
	}
	a = s.called(w, a, q.ClientRequestID)
	if kusto.IsCommand(q.Text) {
		return asKusto(kusto.BadRequest("A command, which begins with a dot, is sent to %s.", kusto.CommandPath))
	}
	tenant, bad := s.database(c.grant, q.Database)
	if bad != nil {
		return bad
	}
	answer := kusto.Answer{Options: q.Options, Activity: a}
	if answer.Result, bad = s.askKusto(r.Context(), c.grant, tenant, q); bad != nil {
		return bad
	}
	return s.send(w, r, func(to io.Writer) error {
		if r.URL.Path == kusto.QueryV1Path {
			return answer.WriteV1(to)
		}
		return answer.WriteV2(r.Context(), to)
	})
}

// kustoCommand answers POST /v1/rest/mgmt: commands that show what there is.
func (s *Server) kustoCommand(w http.ResponseWriter, r *http.Request, c call) *apiError {
	a := s.activity(w, r, "Command")
	q, bad := s.kustoRequest(w, r, c.grant)
	if bad != nil {
		return bad
	}
	s.called(w, a, q.ClientRequestID)
	if !kusto.IsCommand(q.Text) {
		return asKusto(kusto.BadRequest("A query, which does not begin with a dot, is sent to %s.", kusto.QueryPath))
	}
	command, wrong := kusto.ReadCommand(q.Text)
	if wrong != nil {
		return asKusto(wrong)
	}
	databases, bad := s.databases(c.grant, q.Database, command)
	if bad != nil {
		return bad
	}
	table, wrong := command.Show(databases, kusto.Caller{Name: c.grant.Name, Version: s.o.Version})
	if wrong != nil {
		return asKusto(wrong)
	}
	if command.Pipe != "" {
		if table, bad = s.pipe(r.Context(), c.grant, q, command, table, databases); bad != nil {
			return bad
		}
	}
	return s.send(w, r, func(to io.Writer) error { return kusto.WriteTable(to, table) })
}

// databases gives those that a command is about, of those that the caller may read.
func (s *Server) databases(g Grant, current string, command kusto.Command) ([]kusto.Database, *apiError) {
	names, every := command.Databases()
	var wanted []string
	for _, name := range names {
		if name == "" {
			name = current
		}
		t, bad := s.database(g, name)
		if bad != nil {
			return nil, bad
		}
		wanted = append(wanted, t)
	}
	here, _ := s.database(g, current)
	var out []kusto.Database
	for _, t := range s.o.Workspaces.Tenants() {
		isIt := func(id string) bool { return strings.EqualFold(id, t.ID) }
		if g.Tenant != "" && !isIt(g.Tenant) || !every && !slices.ContainsFunc(wanted, isIt) {
			continue
		}
		d := kusto.Database{Name: t.Name, ID: t.ID, Current: isIt(here)}
		if d.Name == "" {
			d.Name = t.ID
		} else {
			d.Pretty = t.Name
		}
		if command.NeedsSchema() {
			schema, err := s.o.Workspaces.Schema(t.ID)
			switch {
			case err != nil && every:
				// One that cannot be opened at present does not hide the others.
				s.o.Log.Warn("a command shows a database without its tables", "tenant", t.ID, "error", err)
			case err != nil:
				return nil, refusedKusto(err, d.Name)
			}
			d.Functions = schema.Functions
			for _, x := range schema.Tables {
				table := kusto.TableSchema{Name: x.Name, Doc: x.Doc}
				for _, col := range x.Columns {
					table.Columns = append(table.Columns, kusto.ColumnSchema{Name: col.Name, Type: col.Type, Doc: col.Doc})
				}
				d.Tables = append(d.Tables, table)
			}
		}
		out = append(out, d)
	}
	if len(wanted) > 0 && len(out) == 0 {
		// The console's own incidents stand under a name that is no database.
		return nil, asKusto(kusto.NoDatabase(current))
	}
	return out, nil
}

// pipe applies the operators behind a command's first pipe to its result.
func (s *Server) pipe(ctx context.Context, g Grant, q kusto.Request, command kusto.Command, t kusto.Table, databases []kusto.Database) (kusto.Table, *apiError) {
	tenant, bad := s.database(g, q.Database)
	if bad != nil {
		// The operators read the command's result alone, so that it does not matter which is asked.
		if len(databases) == 0 {
			return kusto.Table{}, bad
		}
		tenant = databases[0].ID
	}
	q.Text = command.Piped(t)
	result, bad := s.askKusto(ctx, g, tenant, q)
	if bad != nil {
		return kusto.Table{}, bad
	}
	return kusto.Table{Columns: result.Columns, Rows: result.Rows}, nil
}

// askKusto runs a query for a caller.
func (s *Server) askKusto(ctx context.Context, g Grant, tenant string, q kusto.Request) (*kql.Result, *apiError) {
	o := q.Options
	result, err := s.o.Workspaces.Query(ctx, tenant, Question{
		Text: q.Text, Parameters: q.Parameters, Wait: o.Timeout, MaxRows: o.MaxRecords, MaxBytes: o.MaxBytes, Who: g.Name,
		Names: s.readable(g),
	})
	if err == nil {
		return result, nil
	}
	if ctx.Err() != nil {
		return nil, gone()
	}
	return nil, refusedKusto(err, q.Database)
}

// refusedKusto says to the caller why a query of a database gave nothing.
func refusedKusto(err error, database string) *apiError {
	var bad *QueryError
	switch {
	case errors.As(err, &bad):
		return asKusto(kusto.BadQuery(bad.Syntax, bad.KustoCode(), bad.Text))
	case errors.Is(err, ErrNoSuch):
		return asKusto(kusto.NoDatabase(database))
	case errors.Is(err, ErrBudget):
		return asKusto(kusto.LowMemory(err.Error()))
	}
	return refused(err)
}
