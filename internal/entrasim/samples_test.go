package entrasim_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward/internal/entrasim"
)

// A form is which properties records have, by path, with the types of their
// values.
type form map[string]map[string]bool

// add takes a value in. Elements of an array are told together; what a list of
// names and values holds is told by the name alone.
func (f form) add(path string, v any) {
	kind := "null"
	switch v := v.(type) {
	case map[string]any:
		kind = "object"
		for k, x := range v {
			f.add(path+"."+strings.ToLower(k), x)
		}
	case []any:
		kind = "array"
		for _, x := range v {
			f.add(path+"[]", x)
		}
	case string:
		kind = "string"
	case float64:
		kind = "number"
	case bool:
		kind = "bool"
	}
	if f[path] == nil {
		f[path] = map[string]bool{}
	}
	f[path][kind] = true
}

// documented are properties that Microsoft documents and the samples do not
// have, by the beginning of their path.
var documented = map[string][]string{
	"signin": {
		".properties.resourceserviceprincipalid", ".properties.crosstenantaccesstype", ".properties.autonomoussystemnumber", ".properties.flaggedforreview", ".properties.authenticationprotocol",
		".properties.sessionid", ".properties.sessionlifetimepolicies", ".properties.incomingtokentype", ".properties.mfadetail", ".properties.uniquetokenidentifier", ".properties.usertype",
		".properties.clientcredentialtype", ".properties.managedserviceidentity", ".properties.signineventtypes", ".properties.processingtimeinms", ".properties.serviceprincipalcredential",
		".properties.location.geocoordinates.altitude", ".resultdescription", ".properties.authenticationrequirementpolicies[].", ".properties.riskeventtypes",
		".properties.devicedetail.",
	},
	"audit":      {".properties.initiatedby.user.roles", ".properties.targetresources[].administrativeunits", ".properties.initiatedby.app.appid"},
	"management": {},
}

// TestOurShapesAreThoseOfRealRecords compares with samples of real records,
// where they are: no property of ours that they do not have or that is not
// documented, and none of another type.
func TestOurShapesAreThoseOfRealRecords(t *testing.T) {
	rates := entrasim.Normal()
	rates.Audit, rates.NonInteractive, rates.Risk = 400, 3, 40
	w := entrasim.NewWorld(entrasim.Options{Seed: 17, Start: monday, Users: 60, Rates: &rates})
	w.Advance(monday.Add(30 * time.Hour))
	ours := map[string]form{"signin": {}, "audit": {}, "management": {}, "risk": {}}
	read := func(what string, raw []byte) {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		ours[what].add("", v)
	}
	for _, e := range w.Events() {
		for v := 1; v <= e.Versions(); v++ {
			switch {
			case e.Kind.SignInEventType() != "":
				read("signin", e.Diagnostic(v))
			case e.Kind == entrasim.DirectoryAudit:
				read("audit", e.Diagnostic(v))
			case e.Kind == entrasim.RiskDetection:
				read("risk", e.Diagnostic(v))
			}
		}
		if raw := e.Activity(); raw != nil && e.Kind != entrasim.CloudAppEvent && e.Kind != entrasim.RiskDetection {
			read("management", raw)
		}
	}
	for what, pattern := range map[string]string{"signin": "signin_[dp]*", "audit": "audit_[dp]*", "management": "o365_[mp]*", "risk": "risk_diag*"} {
		if len(ours[what]) < 20 {
			t.Errorf("%s: only %d properties", what, len(ours[what]))
		}
		files, err := filepath.Glob("../../../shared/samples/" + pattern + ".ndjson")
		if err != nil {
			t.Fatal(err)
		}
		seen := form{}
		for _, name := range files {
			file, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(file)
			lines.Buffer(nil, 8<<20)
			for lines.Scan() {
				var v any
				if json.Unmarshal(lines.Bytes(), &v) == nil {
					seen.add("", v)
				}
			}
			file.Close()
		}
		if len(seen) == 0 {
			continue // the samples are not part of the source
		}
		for _, path := range slices.Sorted(maps.Keys(ours[what])) {
			kinds := ours[what][path]
			if seen[path] == nil {
				if !slices.ContainsFunc(documented[what], func(p string) bool { return strings.HasPrefix(path, p) }) {
					t.Errorf("%s: no real record has %s", what, path)
				}
				continue
			}
			for kind := range kinds {
				if kind == "string" && (path == ".durationms" || path == ".level") {
					continue // seen as text in other published samples
				}
				if kind != "null" && !seen[path][kind] && !(len(seen[path]) == 1 && seen[path]["null"]) {
					t.Errorf("%s: %s is of type %s, in real records %v", what, path, kind, fmt.Sprint(slices.Sorted(maps.Keys(seen[path]))))
				}
			}
		}
	}
}
