package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"glassward/console/loganalytics"
)

// A NewToken is what token create asks for.
type NewToken struct {
	Name   string  `json:"name"`
	Tenant string  `json:"tenant,omitempty"`
	Scopes []Scope `json:"scopes"`
	// Source names the road of what is pushed with the token; empty takes Name.
	Source  string    `json:"source,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

// ErrNoSuch is wrapped where the thing to act upon does not exist.
var ErrNoSuch = errors.New("does not exist")

func (s *Server) answer(w http.ResponseWriter, v any, err error) *apiError {
	switch {
	case errors.Is(err, ErrNoSuch):
		return &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: err.Error()}
	case errors.Is(err, ErrBusy):
		return &apiError{status: http.StatusServiceUnavailable, code: "WorkspaceUnavailable", message: err.Error(), retryAfter: 30}
	case errors.Is(err, ErrInvalid):
		return badRequest("%v", err)
	case err != nil:
		return internal(err)
	}
	writeJSON(w, http.StatusOK, v)
	return nil
}

func (s *Server) status(w http.ResponseWriter, r *http.Request, c call) *apiError {
	v, err := s.o.Operator.Status(r.Context(), c.grant.Tenant)
	return s.answer(w, v, err)
}

func (s *Server) rules(w http.ResponseWriter, r *http.Request, c call) *apiError {
	v, err := s.o.Operator.Rules(r.Context(), c.tenant)
	return s.answer(w, v, err)
}

// A Backtest asks what a rule would have raised, and where Old is given, what an
// older version of it would have raised that it does not, and the other way round.
type Backtest struct {
	// Rule and Old are texts of rule files, File and OldFile what to call them.
	File    string `json:"file"`
	Rule    string `json:"rule"`
	OldFile string `json:"oldFile,omitempty"`
	Old     string `json:"old,omitempty"`
	// From and To bound the time that is judged.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Examples is how many alerts of each kind are answered, 20 if it is 0, at most
	// 1,000.
	Examples int `json:"examples,omitempty"`
	// Wait is how long it may take; 0 means ten minutes.
	Wait time.Duration `json:"-"`
}

// backtest answers POST /v1/workspaces/{workspace}/backtest.
func (s *Server) backtest(w http.ResponseWriter, r *http.Request, c call) *apiError {
	var b Backtest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20)).Decode(&b); err != nil {
		return badRequest(`the body is not JSON of the form {"file": "…", "rule": "…", "from": "…", "to": "…"}: %v`, err)
	}
	b.Wait = loganalytics.ReadPreferences(r.Header.Values("Prefer")).Wait
	// It runs queries over all that is stored: it waits as they do.
	leave, err := enter(r.Context(), s.o.Limits, c.tenant)
	if err != nil {
		return throttled(err)
	}
	defer leave()
	v, err := s.o.Operator.Backtest(r.Context(), c.tenant, b, c.grant.Name)
	switch {
	case errors.Is(err, ErrTimeout):
		return &apiError{status: http.StatusGatewayTimeout, code: "GatewayTimeout", message: err.Error()}
	case errors.Is(err, ErrBudget):
		return badRequest("%v", err)
	}
	return s.answer(w, v, err)
}

// everywhere refuses what concerns the whole daemon to a token of one tenant.
func everywhere(c call) *apiError {
	if c.grant.Tenant != "" {
		return &apiError{status: http.StatusForbidden, code: "InsufficientAccessError",
			message: "this concerns every tenant, and the token is for one alone"}
	}
	return nil
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request, c call) *apiError {
	if err := everywhere(c); err != nil {
		return err
	}
	return s.answer(w, map[string]string{"status": "reloaded"}, s.o.Operator.Reload(r.Context(), c.grant.Name))
}

func (s *Server) testGroup(w http.ResponseWriter, r *http.Request, c call) *apiError {
	if err := everywhere(c); err != nil {
		return err
	}
	v, err := s.o.Operator.TestGroup(r.Context(), r.PathValue("group"), c.grant.Name)
	return s.answer(w, v, err)
}

// A Proof is what prove and answerProof take: the receivers that shall be proven,
// all of the group if there is none, or the code that a person has read.
type Proof struct {
	Receivers []string `json:"receivers,omitempty"`
	Code      string   `json:"code,omitempty"`
}

func (s *Server) readProof(w http.ResponseWriter, r *http.Request, c call) (p Proof, _ *apiError) {
	if err := everywhere(c); err != nil {
		return p, err
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&p); err != nil {
		return p, badRequest(`the body is not JSON of the form {"receivers": ["…"]} or {"code": "…"}: %v`, err)
	}
	return p, nil
}

// prove answers POST /v1/actiongroups/{group}/prove.
func (s *Server) prove(w http.ResponseWriter, r *http.Request, c call) *apiError {
	p, bad := s.readProof(w, r, c)
	if bad != nil {
		return bad
	}
	v, err := s.o.Operator.Prove(r.Context(), r.PathValue("group"), p.Receivers, c.grant.Name)
	return s.answer(w, v, err)
}

// answerProof answers POST /v1/proofs.
func (s *Server) answerProof(w http.ResponseWriter, r *http.Request, c call) *apiError {
	p, bad := s.readProof(w, r, c)
	if bad != nil {
		return bad
	}
	v, err := s.o.Operator.AnswerProof(r.Context(), p.Code, c.grant.Name)
	return s.answer(w, v, err)
}

func (s *Server) proofs(w http.ResponseWriter, r *http.Request, c call) *apiError {
	if err := everywhere(c); err != nil {
		return err
	}
	v, err := s.o.Operator.Proofs(r.Context())
	return s.answer(w, v, err)
}

func (s *Server) listTokens(w http.ResponseWriter, r *http.Request, c call) *apiError {
	if err := everywhere(c); err != nil {
		return err
	}
	v, err := s.o.Operator.ListTokens(r.Context())
	return s.answer(w, v, err)
}

func (s *Server) createToken(w http.ResponseWriter, r *http.Request, c call) *apiError {
	if err := everywhere(c); err != nil {
		return err
	}
	var t NewToken
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&t); err != nil {
		return badRequest(`the body is not JSON of the form {"name": "…", "scopes": ["ingest"]}: %v`, err)
	}
	if t.Name == "" || len(t.Scopes) == 0 {
		return badRequest("a token needs a name and at least one scope: ingest, query, acknowledge or operate")
	}
	for _, name := range []string{t.Name, t.Source} {
		if slices.ContainsFunc(reserved, func(x string) bool { return strings.EqualFold(x, name) }) {
			return badRequest("%q is what Glassward calls somebody else: take another name", name)
		}
	}
	for _, scope := range t.Scopes {
		if !slices.Contains(Local.Scopes, scope) {
			return badRequest("unknown scope %q: use ingest, query, acknowledge or operate", scope)
		}
	}
	if t.Tenant != "" {
		tenant, ok := s.o.Workspaces.Workspace(t.Tenant)
		if !ok {
			return notFound("workspace", t.Tenant)
		}
		t.Tenant = tenant
	}
	secret, err := s.o.Operator.CreateToken(r.Context(), t, c.grant.Name)
	return s.answer(w, map[string]string{"name": t.Name, "token": secret}, err)
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request, c call) *apiError {
	if err := everywhere(c); err != nil {
		return err
	}
	return s.answer(w, map[string]string{"status": "revoked"}, s.o.Operator.RevokeToken(r.Context(), r.PathValue("name"), c.grant.Name))
}
