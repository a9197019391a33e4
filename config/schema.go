package config

import (
	"encoding/json"

	"github.com/invopop/jsonschema"
)

// Schema gives the JSON Schema of glassward.yaml, or of a tenant file, for
// editors that complete and check while one types.
func Schema(tenant bool) ([]byte, error) {
	r := &jsonschema.Reflector{RequiredFromJSONSchemaTags: true, DoNotReference: true}
	var s *jsonschema.Schema
	if tenant {
		s = r.Reflect(&Tenant{})
		s.Title = "Glassward tenant"
	} else {
		s = r.Reflect(&Config{})
		s.Title = "Glassward"
	}
	return json.MarshalIndent(s, "", "  ")
}
