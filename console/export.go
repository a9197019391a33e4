package console

import (
	"encoding/json"
	"net/http"
	"strings"
)

// A Departure names a tenant that goes: to be exported, or to be forgotten.
type Departure struct {
	// Tenant is an id or a name; of a tenant that is not configured any more, its
	// id.
	Tenant string `json:"tenant"`
}

func departure(w http.ResponseWriter, r *http.Request) (d Departure, bad *apiError) {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&d); err != nil || d.Tenant == "" {
		return d, badRequest(`the body is not JSON of the form {"tenant": "…"}: %v`, err)
	}
	return d, nil
}

// export answers POST /v1/export with a zip. An answer that is cut off has no
// manifest and cannot be taken for a whole one.
func (s *Server) export(w http.ResponseWriter, r *http.Request, c call) *apiError {
	d, bad := departure(w, r)
	if bad != nil {
		return bad
	}
	tenant, known := s.o.Workspaces.Workspace(d.Tenant)
	if known && c.grant.Tenant != "" && !strings.EqualFold(tenant, c.grant.Tenant) || !known && c.grant.Tenant != "" {
		return notFound("workspace", d.Tenant)
	}
	if !known {
		tenant = strings.ToLower(d.Tenant)
	}
	out := &begun{ResponseWriter: w}
	err := s.o.Operator.Export(r.Context(), tenant, c.grant.Name, out)
	if err == nil {
		return nil
	}
	if !out.wrote {
		return s.answer(w, nil, err)
	}
	s.o.Log.Error("an export ended in the middle", "tenant", tenant, "error", err)
	panic(http.ErrAbortHandler)
}

// begun notes whether an answer has begun.
type begun struct {
	http.ResponseWriter
	wrote bool
}

func (b *begun) Write(p []byte) (int, error) {
	if !b.wrote {
		b.wrote = true
		b.Header().Set("Content-Type", "application/zip")
	}
	return b.ResponseWriter.Write(p)
}

func (s *Server) forget(w http.ResponseWriter, r *http.Request, c call) *apiError {
	d, bad := departure(w, r)
	if bad != nil {
		return bad
	}
	v, err := s.o.Operator.Forget(r.Context(), strings.ToLower(d.Tenant), c.grant.Name)
	return s.answer(w, v, err)
}
