// Package console is Glassward's face on HTTP: the API that pushers, clients
// and the CLI speak, and the read-only incident page that notices link to. It
// holds no data; what it needs stands behind small interfaces.
package console

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/console/limit"
	"glassward/console/loganalytics"
	"glassward/kql"
)

// Workspaces is where records go and answers come from. Its errors are of the
// kinds below where the caller can do something about it.
type Workspaces interface {
	// Workspace gives the tenant id that a path's name means: a tenant's id or
	// name in any case, or "default" where there is one workspace alone.
	Workspace(name string) (tenant string, ok bool)
	// Tenants gives every workspace that holds records, in the order of the configuration. Which
	// of them a caller may hear of is the console's to say.
	Tenants() []Tenant
	// Schema gives the tables and stored functions that queries of a workspace may name. An
	// unknown tenant is ErrNoSuch.
	Schema(tenant string) (Schema, error)
	// Ingest decodes and commits what body holds. The receipt is good even where
	// an error is given: it counts what was committed before.
	Ingest(ctx context.Context, tenant string, p Push, body io.Reader) (Receipt, error)
	// Query compiles and runs one query.
	Query(ctx context.Context, tenant string, q Question) (*kql.Result, error)
}

// Desk is where incidents are read and acted upon.
type Desk interface {
	// Incidents gives a page, newest first, and the cursor of the next, empty if
	// there is none.
	Incidents(ctx context.Context, tenant string, f Filter) (page []glassward.Incident, next string, err error)
	Incident(ctx context.Context, tenant string, number int64) (Case, error)
	Act(ctx context.Context, tenant string, number int64, a Action) (glassward.Incident, error)
	// Graph gives an incident's entities and what connects them, as it is encoded.
	Graph(ctx context.Context, tenant string, number int64) (any, error)
	// Expectations gives what is and was expected, the latest first. Declare and
	// Withdraw change it, and have the tenant's action groups told.
	Expectations(ctx context.Context, tenant string) ([]glassward.Expectation, error)
	Declare(ctx context.Context, tenant string, e glassward.Expectation) (glassward.Expectation, error)
	Withdraw(ctx context.Context, tenant, id string, x Withdrawal, via string) (glassward.Expectation, error)
}

// Operator is what only the scope operate reaches. who is the name of the grant
// by which it is done.
type Operator interface {
	Status(ctx context.Context, tenant string) (any, error)
	Reload(ctx context.Context, who string) error
	TestGroup(ctx context.Context, group, who string) (any, error)
	// Prove sends a test with a code to each receiver of a group, or to those that
	// are named; AnswerProof takes the code that a person has read; Proofs says what
	// is known of each receiver.
	Prove(ctx context.Context, group string, receivers []string, who string) (any, error)
	AnswerProof(ctx context.Context, code, who string) (any, error)
	Proofs(ctx context.Context) (any, error)
	CreateToken(ctx context.Context, t NewToken, who string) (secret string, err error)
	ListTokens(ctx context.Context) (any, error)
	RevokeToken(ctx context.Context, name, who string) error
	Rules(ctx context.Context, tenant string) (any, error)
	// Backtest judges a rule over what is stored, or two versions of one, and
	// commits nothing.
	Backtest(ctx context.Context, tenant string, b Backtest, who string) (any, error)
	// Backup, Restore and Compact are for the owner of the data folder alone: they
	// name folders of this machine.
	Backup(ctx context.Context, b Backup, who string) (any, error)
	Restore(ctx context.Context, r Restore, who string) (any, error)
	Compact(ctx context.Context, tenant, who string) (any, error)
	// Export writes everything that is kept of one tenant as a zip; Forget removes
	// it, of one that is not configured any more, for the owner alone.
	Export(ctx context.Context, tenant, who string, to io.Writer) error
	Forget(ctx context.Context, tenant, who string) (any, error)
}

// Options are what a Server is made of. All but Metrics have to be given.
type Options struct {
	Workspaces Workspaces
	Desk       Desk
	Operator   Operator
	Tokens     Tokens
	Callbacks  Callbacks
	Letters    Letters
	// Collections takes what comes by the Logs Ingestion API; nil takes nothing.
	Collections Collections
	// NoAuth lets every request in as Local; serve refuses it on anything but
	// loopback.
	NoAuth bool
	// Limits keeps account of what callers ask; nil keeps one with the defaults. Its
	// limit of bodies bounds them in bytes, before and after gunzip.
	Limits  *limit.Book
	Metrics http.Handler
	// Version is the program's, for clients that ask.
	Version string
	Log     *slog.Logger
	Now     func() time.Time
}

// A Server answers HTTP. It is safe for concurrent use.
type Server struct {
	o   Options
	mux *http.ServeMux
}

// New makes a Server.
func New(o Options) *Server {
	if o.Limits == nil {
		o.Limits = limit.New(limit.Options{Now: o.Now})
	}
	o.Workspaces = inTurn{o.Workspaces, o.Limits}
	s := &Server{o: o, mux: http.NewServeMux()}
	for _, r := range s.routes() {
		s.mux.Handle(strings.TrimSpace(r.Method+" "+r.Path), s.guard(r, s.refuse))
	}
	for _, r := range s.kustoRoutes() {
		s.mux.Handle(r.Method+" "+r.Path, s.guard(r, s.refuseKusto))
	}
	for _, r := range s.signInRoutes() {
		s.mux.Handle(r.Method+" "+r.Path, s.guard(r, s.refuseSignIn))
	}
	return s
}

// A Route is one line of the API: what it needs is written beside it.
type Route struct {
	Method, Path string
	Scope        Scope
	handle       func(http.ResponseWriter, *http.Request, call) *apiError
}

// A call is a request that was let in.
type call struct {
	grant Grant
	// tenant is the workspace that the path names, empty where it names none.
	tenant string
	// letter is what the path's link opens.
	letter Letter
}

func (s *Server) routes() []Route {
	return []Route{
		{"GET", "/healthz", Public, s.health},
		{"GET", "/v1/openapi.json", Public, s.description},
		{"GET", "/a/{letter}", Link, s.readLetter},
		{"POST", "/a/{letter}", Link, s.answerLetter},
		{"POST", CallbackPath, Public, s.callback},
		{"POST", "/v1/ingest", Ingest, s.ingest},
		{"POST", "/dataCollectionRules/{rule}/streams/{stream}", Ingest, s.collect},
		{"POST", "/v1/workspaces/{workspace}/query", Query, s.query},
		{"GET", "/v1/workspaces/{workspace}/query", Query, s.query},
		{"POST", "/v1/workspaces/{workspace}/metadata", Query, s.metadata},
		{"GET", "/v1/workspaces/{workspace}/metadata", Query, s.metadata},
		{"POST", "/v1/$batch", Query, s.batch},
		{"GET", "/v1/workspaces/{workspace}/incidents", Query, s.incidents},
		{"GET", "/v1/workspaces/{workspace}/incidents/{number}", Query, s.incident},
		{"GET", "/v1/workspaces/{workspace}/incidents/{number}/graph", Query, s.graph},
		{"POST", "/v1/workspaces/{workspace}/incidents/{number}/{action}", Acknowledge, s.act},
		{"GET", "/v1/workspaces/{workspace}/expected", Query, s.expectations},
		{"POST", "/v1/workspaces/{workspace}/expected", Operate, s.declare},
		{"POST", "/v1/workspaces/{workspace}/expected/{id}/withdraw", Operate, s.withdraw},
		{"GET", "/v1/workspaces/{workspace}/rules", Query, s.rules},
		{"POST", "/v1/workspaces/{workspace}/backtest", Query, s.backtest},
		{"GET", "/v1/status", Operate, s.status},
		{"POST", "/v1/reload", Operate, s.reload},
		{"POST", "/v1/actiongroups/{group}/test", Operate, s.testGroup},
		{"POST", "/v1/actiongroups/{group}/prove", Operate, s.prove},
		{"GET", "/v1/proofs", Operate, s.proofs},
		{"POST", "/v1/proofs", Operate, s.answerProof},
		{"GET", "/v1/tokens", Operate, s.listTokens},
		{"POST", "/v1/tokens", Operate, s.createToken},
		{"DELETE", "/v1/tokens/{name}", Operate, s.revokeToken},
		{"GET", "/metrics", Operate, s.metrics},
		{"POST", "/v1/backup", Owner, s.backup},
		{"POST", "/v1/restore", Owner, s.restore},
		{"POST", "/v1/compact", Owner, s.compact},
		{"POST", "/v1/export", Operate, s.export},
		{"POST", "/v1/forget", Owner, s.forget},
		{"", "/", Public, s.nowhere},
	}
}

// Routes lists the API with the scope that each route needs.
func (s *Server) Routes() []Route {
	return slices.Concat(s.routes(), s.kustoRoutes(), s.signInRoutes())
}

// Routes lists the API as every Server has it, for what describes it.
func Routes() []Route { return new(Server).Routes() }

// ServeHTTP answers one request. Double slashes are cleaned, and what is another address
// of a route is taken for it, without a redirect: clients that join addresses carelessly
// would lose their POST to one.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	path, _ = loganalytics.Address(path)
	if plain, err := url.PathUnescape(path); err == nil {
		r.URL.Path, r.URL.RawPath = plain, path
	}
	s.mux.ServeHTTP(w, r)
}

// nowhere answers what no route does.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request, _ call) *apiError {
	var others []string
	for _, method := range []string{"GET", "POST", "DELETE"} {
		if _, pattern := s.mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != "/" {
			others = append(others, method)
		}
	}
	if len(others) == 0 {
		return notFound("route", r.Method+" "+r.URL.Path)
	}
	allow := strings.Join(others, ", ")
	w.Header().Set("Allow", allow)
	return &apiError{status: http.StatusMethodNotAllowed, code: "MethodNotAllowed", message: fmt.Sprintf("%s takes %s, not %s", r.URL.Path, allow, r.Method)}
}

// guard lets a request in or not, and turns what goes wrong into an answer in the form that
// clients of the route read.
func (s *Server) guard(route Route, refuse func(http.ResponseWriter, *http.Request, Route, *apiError)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				refuse(w, r, route, s.panicked(route.Path, p))
			}
		}()
		var (
			c   call
			err *apiError
		)
		if s.o.NoAuth && route.Scope != Link && grantOf(r.Context()).Name == "" {
			err = fromThisMachine(r)
			r = r.WithContext(WithGrant(r.Context(), everybody))
		}
		if err == nil {
			c, err = s.admit(r, route)
			err = s.account(r, route, c, err)
		}
		if err == nil {
			worked, answered := s.metered(r, route, c)
			defer answered()
			err = s.reckoned(r, route, c, route.handle(w, worked, c))
		}
		if err != nil {
			refuse(w, r, route, err)
		}
	})
}

// refuse tells the caller what is wrong in the form of Log Analytics.
func (s *Server) refuse(w http.ResponseWriter, _ *http.Request, route Route, err *apiError) {
	s.tell(route.Path, err)
	err.write(w)
}

// admit decides first by the name that the path carries and then turns it into
// a tenant, so that a stranger learns nothing from the order of errors.
func (s *Server) admit(r *http.Request, route Route) (call, *apiError) {
	if route.Scope == Link {
		l, err := s.checkLetter(r)
		return call{grant: Grant{Name: "link", Tenant: l.Tenant, account: "link " + l.Tenant + " " + strconv.FormatInt(l.Number, 10) + " " + l.Receiver}, tenant: l.Tenant, letter: l}, err
	}
	name := r.PathValue("workspace")
	tenant, known := s.o.Workspaces.Workspace(name)
	if !known && !strings.EqualFold(name, "default") {
		tenant = name
	}
	g, err := s.decide(r, route.Scope, name, tenant)
	if err == nil && name != "" && !known {
		// What a token for one tenant calls the default is that one.
		tenant, err = s.tenant(g, name, "")
	}
	return call{grant: g, tenant: tenant}, err
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request, _ call) *apiError {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request, c call) *apiError {
	if err := everywhere(c); err != nil {
		return err
	}
	if s.o.Metrics == nil {
		return notFound("route", r.URL.Path)
	}
	s.o.Metrics.ServeHTTP(w, r)
	return nil
}
