package console

import (
	_ "embed"
	"net/http"
)

// description is the OpenAPI description of the routes; internal/apidocs makes it.
//
//go:embed openapi.json
var description []byte

// description answers GET /v1/openapi.json. It is the same for every installation and says
// nothing of this one, so that it is for everybody.
func (s *Server) description(w http.ResponseWriter, _ *http.Request, _ call) *apiError {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(description) // the caller may have gone
	return nil
}
