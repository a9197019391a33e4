package console

import (
	"encoding/json"
	"net/http"

	"glassward"
)

// A Withdrawal ends an expectation before its time.
type Withdrawal struct {
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
}

// expectations answers GET /v1/workspaces/{workspace}/expected: what is and was
// expected, the latest first, at most a hundred.
func (s *Server) expectations(w http.ResponseWriter, r *http.Request, c call) *apiError {
	list, err := s.o.Desk.Expectations(r.Context(), c.tenant)
	if list == nil {
		list = []glassward.Expectation{}
	}
	return s.answer(w, map[string]any{"value": list}, err)
}

// declare answers POST /v1/workspaces/{workspace}/expected.
func (s *Server) declare(w http.ResponseWriter, r *http.Request, c call) *apiError {
	var e glassward.Expectation
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	d.DisallowUnknownFields() // a misspelt bound would be none
	if err := d.Decode(&e); err != nil {
		return badRequest(`the body is not JSON of the form {"by": "…", "account": "…", "places": ["…"], "operations": [{"name": "…", "times": 1}], "until": "…", "reason": "…"}: %v`, err)
	}
	e.Via = c.grant.Name
	made, err := s.o.Desk.Declare(r.Context(), c.tenant, e)
	return s.answer(w, made, err)
}

// withdraw answers POST /v1/workspaces/{workspace}/expected/{id}/withdraw.
func (s *Server) withdraw(w http.ResponseWriter, r *http.Request, c call) *apiError {
	var x Withdrawal
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&x); err != nil {
		return badRequest(`the body is not JSON of the form {"by": "…"}: %v`, err)
	}
	ended, err := s.o.Desk.Withdraw(r.Context(), c.tenant, r.PathValue("id"), x, c.grant.Name)
	return s.answer(w, ended, err)
}
