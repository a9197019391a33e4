package console

import (
	"encoding/json"
	"net/http"
)

// A Backup is what backup asks for.
type Backup struct {
	// To is the folder that the backup becomes, on the daemon's machine.
	To string `json:"to"`
	// Tenant backs up one workspace alone, empty all there is.
	Tenant string `json:"tenant,omitempty"`
}

// A Restore is what restore asks for while the daemon runs.
type Restore struct {
	// From is the backup's folder, on the daemon's machine.
	From   string `json:"from"`
	Tenant string `json:"tenant"`
	// Replace puts the workspace that is there aside.
	Replace bool `json:"replace,omitempty"`
}

// A Compact is what compact asks for.
type Compact struct {
	// Tenant is the workspace, empty for each after the other.
	Tenant string `json:"tenant,omitempty"`
}

// body reads a request's body as JSON.
func body(w http.ResponseWriter, r *http.Request, into any) *apiError {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(into); err != nil {
		return badRequest("the body is not the JSON that %s takes: %v", r.URL.Path, err)
	}
	return nil
}

// named turns a tenant's name into its id.
func (s *Server) named(name string) (string, *apiError) {
	if name == "" {
		return "", nil
	}
	tenant, ok := s.o.Workspaces.Workspace(name)
	if !ok {
		return "", notFound("workspace", name)
	}
	return tenant, nil
}

func (s *Server) backup(w http.ResponseWriter, r *http.Request, c call) *apiError {
	var b Backup
	if err := body(w, r, &b); err != nil {
		return err
	}
	var bad *apiError
	if b.Tenant, bad = s.named(b.Tenant); bad != nil {
		return bad
	}
	v, err := s.o.Operator.Backup(r.Context(), b, c.grant.Name)
	return s.answer(w, v, err)
}

func (s *Server) restore(w http.ResponseWriter, r *http.Request, c call) *apiError {
	var b Restore
	if err := body(w, r, &b); err != nil {
		return err
	}
	var bad *apiError
	if b.Tenant, bad = s.named(b.Tenant); bad != nil {
		return bad
	}
	v, err := s.o.Operator.Restore(r.Context(), b, c.grant.Name)
	return s.answer(w, v, err)
}

func (s *Server) compact(w http.ResponseWriter, r *http.Request, c call) *apiError {
	var b Compact
	if err := body(w, r, &b); err != nil {
		return err
	}
	var bad *apiError
	if b.Tenant, bad = s.named(b.Tenant); bad != nil {
		return bad
	}
	v, err := s.o.Operator.Compact(r.Context(), b.Tenant, c.grant.Name)
	return s.answer(w, v, err)
}
