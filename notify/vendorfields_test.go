package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// enough is longer than any text that a vendor takes, in bytes.
const enough = 600 << 10

// A mutant is a good request with one thing changed.
type mutant struct {
	what           string
	method, target string
	header         http.Header
	body           []byte
}

// good has a message delivered and gives the request that the vendor took, with what
// sends one like it and says whether that is taken.
func (v vendor) good(t *testing.T) (f *fake, good mutant, take func(mutant) bool) {
	t.Helper()
	f = v.serve(t)
	r := v.open(t, f.URL)
	if out := r.Deliver(t.Context(), message()); !out.took() {
		t.Fatalf("got %v", out)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	good = mutant{"as it is", http.MethodPost, f.path, f.header, f.body}
	take = func(m mutant) bool {
		req, err := http.NewRequest(m.method, f.URL+m.target, bytes.NewReader(m.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = m.header.Clone()
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", m.what, err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		// A vendor that refuses by 200 says so in the body.
		return resp.StatusCode < 300 && !strings.Contains(string(text), "error-text")
	}
	if !take(good) {
		t.Fatal("refused when it is sent again")
	}
	return f, good, take
}

// TestVendorFields takes a good request apart: each field is left out, is of
// another type, is longer than it may be, and stands beside one that nobody knows;
// so do headers and parameters, and the method and the path are others. The vendor
// refuses each change; it does without a field only where it documents that, and
// what it is said to do without it takes.
func TestVendorFields(t *testing.T) {
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			f, good, take := v.good(t)
			var mutants, spared []mutant
			if f.form() {
				mutants, spared = v.forms(t, good)
			} else {
				mutants, spared = v.documents(t, good)
			}
			mutants = append(mutants, v.envelopes(t, good)...)
			for _, m := range mutants {
				if take(m) {
					t.Errorf("%s: taken", m.what)
				}
			}
			for _, m := range spared {
				if !take(m) {
					t.Errorf("%s: refused, although it is said to be optional", m.what)
				}
			}
			if len(mutants) < 15 {
				t.Errorf("only %d changes", len(mutants))
			}
		})
	}
}

// envelopes change what is around the body.
func (v vendor) envelopes(t *testing.T, good mutant) (out []mutant) {
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		m := good
		m.what, m.method = method, method
		out = append(out, m)
	}
	u, err := url.Parse(good.target)
	if err != nil {
		t.Fatal(err)
	}
	m, other := good, *u
	other.Path += "x"
	m.what, m.target = "another path", other.String()
	out = append(out, m)
	for name := range u.Query() {
		q := u.Query()
		q.Del(name)
		m, other := good, *u
		other.RawQuery = q.Encode()
		m.what, m.target = "without parameter "+name, other.String()
		out = append(out, m)
	}
	for _, name := range append([]string{"Content-Type"}, v.headers...) {
		for _, value := range []string{"", "wrong"} {
			m := good
			m.what, m.header = fmt.Sprintf("%s: %q", name, value), good.header.Clone()
			m.header.Del(name)
			if value != "" {
				m.header.Set(name, value)
			}
			out = append(out, m)
		}
	}
	return out
}

// forms change each field of a form.
func (v vendor) forms(t *testing.T, good mutant) (out, spared []mutant) {
	change := func(what string, do func(url.Values)) mutant {
		form, err := url.ParseQuery(string(good.body))
		if err != nil {
			t.Fatal(err)
		}
		do(form)
		m := good
		m.what, m.body = what, []byte(form.Encode())
		return m
	}
	form, err := url.ParseQuery(string(good.body))
	if err != nil {
		t.Fatal(err)
	}
	for name := range form {
		without := change("without "+name, func(f url.Values) { f.Del(name) })
		if slices.Contains(v.optional, name) {
			spared = append(spared, without)
		} else {
			out = append(out, without, change("empty "+name, func(f url.Values) { f.Set(name, "") }))
		}
		limit := enough
		if n, ok := v.limits[name]; ok {
			limit = n
		}
		out = append(out,
			change(name+" twice", func(f url.Values) { f.Add(name, f.Get(name)) }),
			change("long "+name, func(f url.Values) { f.Set(name, strings.Repeat("x", limit+1)) }))
		if _, err := strconv.Atoi(form.Get(name)); err == nil && name != "to" {
			out = append(out, change("words in "+name, func(f url.Values) { f.Set(name, "seven") }))
		}
	}
	return append(out, change("an unknown field", func(f url.Values) { f.Set("glassward", "x") })), spared
}

// documents change each field of a JSON document.
func (v vendor) documents(t *testing.T, good mutant) (out, spared []mutant) {
	parsed := func() (root any) {
		if err := json.Unmarshal(good.body, &root); err != nil {
			t.Fatal(err)
		}
		return root
	}
	change := func(what string, do func(root any)) mutant {
		root := parsed()
		do(root)
		body, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		m := good
		m.what, m.body = what, body
		return m
	}
	seen := map[string]bool{}
	// set puts a value where a path leads, a deletion where there is none.
	var set func(at any, path []string, value any, drop bool)
	set = func(at any, path []string, value any, drop bool) {
		switch x := at.(type) {
		case map[string]any:
			switch {
			case len(path) > 1:
				set(x[path[0]], path[1:], value, drop)
			case drop:
				delete(x, path[0])
			default:
				x[path[0]] = value
			}
		case []any:
			n, err := strconv.Atoi(path[0])
			if err != nil {
				t.Fatal(err)
			}
			if len(path) > 1 {
				set(x[n], path[1:], value, drop)
			} else {
				x[n] = value
			}
		}
	}
	var walk func(at any, path []string, shape string)
	visit := func(value any, path []string, shape string, member bool) {
		if seen[shape] {
			return
		}
		seen[shape] = true
		path = slices.Clone(path)
		with := func(what string, to any) mutant {
			return change(what+" "+shape, func(root any) { set(root, path, to, false) })
		}
		if member {
			without := change("without "+shape, func(root any) { set(root, path, nil, true) })
			if slices.Contains(v.optional, shape) {
				spared = append(spared, without)
			} else {
				out = append(out, without)
			}
		}
		switch value.(type) {
		case string:
			limit := enough
			if n, ok := v.limits[shape]; ok {
				limit = n
			}
			out = append(out, with("a number as", 7), with("a list as", []any{}), with("a long", strings.Repeat("x", limit+1)))
		case float64:
			out = append(out, with("words as", "seven"), with("a list as", []any{}))
		case bool:
			out = append(out, with("words as", "true"), with("a number as", 1))
		case []any:
			out = append(out, with("words as", "x"), with("an object as", map[string]any{}))
		case map[string]any:
			out = append(out, with("words as", "x"), with("a list as", []any{}))
		}
		if !slices.Contains(v.free, shape) {
			walk(value, path, shape)
		}
	}
	walk = func(at any, path []string, shape string) {
		switch x := at.(type) {
		case map[string]any:
			unknown := append(slices.Clone(path), "glassward")
			out = append(out, change("an unknown field in "+shape, func(root any) { set(root, unknown, "x", false) }))
			for name, value := range x {
				visit(value, append(path, name), strings.TrimPrefix(shape+"."+name, "."), true)
			}
		case []any:
			for i, value := range x {
				visit(value, append(path, strconv.Itoa(i)), shape+".*", false)
				walk(value, append(path, strconv.Itoa(i)), shape+".*")
			}
		}
	}
	walk(parsed(), nil, "")
	return out, spared
}

// commonAlertShape is the common alert of a log alert V2, a line a field: its path
// and its type; ? is a field that may be missing. Source: learn.microsoft.com,
// "Common alert schema" and its "Sample alert payloads", Log alerts V2: a threshold
// is a text, metricValue a number or null, targetResourceTypes a text that looks like
// a list; properties and dimensions are what the rule and the data have.
const commonAlertShape = `
schemaId string
data object
data.essentials object
data.essentials.alertId string
data.essentials.alertRule string
data.essentials.alertRuleID string ?
data.essentials.severity string
data.essentials.signalType string
data.essentials.monitorCondition string
data.essentials.monitoringService string
data.essentials.alertTargetIDs list
data.essentials.alertTargetIDs.* string
data.essentials.configurationItems list
data.essentials.configurationItems.* string
data.essentials.originAlertId string
data.essentials.firedDateTime string
data.essentials.resolvedDateTime string ?
data.essentials.description string
data.essentials.essentialsVersion string
data.essentials.alertContextVersion string
data.essentials.targetResourceType string ?
data.essentials.targetResourceGroup string ?
data.essentials.investigationLink string ?
data.alertContext object
data.alertContext.properties map
data.alertContext.conditionType string
data.alertContext.condition object
data.alertContext.condition.windowSize string
data.alertContext.condition.allOf list
data.alertContext.condition.allOf.* object
data.alertContext.condition.allOf.*.searchQuery string
data.alertContext.condition.allOf.*.metricMeasureColumn string|null
data.alertContext.condition.allOf.*.targetResourceTypes string
data.alertContext.condition.allOf.*.operator string
data.alertContext.condition.allOf.*.threshold string
data.alertContext.condition.allOf.*.timeAggregation string
data.alertContext.condition.allOf.*.dimensions list
data.alertContext.condition.allOf.*.dimensions.* object
data.alertContext.condition.allOf.*.dimensions.*.name string
data.alertContext.condition.allOf.*.dimensions.*.value string
data.alertContext.condition.allOf.*.metricValue number|null
data.alertContext.condition.allOf.*.failingPeriods object
data.alertContext.condition.allOf.*.failingPeriods.numberOfEvaluationPeriods number
data.alertContext.condition.allOf.*.failingPeriods.minFailingPeriodsToAlert number
data.alertContext.condition.allOf.*.linkToSearchResultsUI string
data.alertContext.condition.allOf.*.linkToFilteredSearchResultsUI string
data.alertContext.condition.allOf.*.linkToSearchResultsAPI string
data.alertContext.condition.allOf.*.linkToFilteredSearchResultsAPI string
data.alertContext.condition.windowStartTime string
data.alertContext.condition.windowEndTime string
data.customProperties map
`

// commonAlertOptional are the fields of the shape that may be missing.
func commonAlertOptional() (out []string) {
	for line := range strings.Lines(commonAlertShape) {
		if path, _, ok := strings.Cut(line, " "); ok && strings.HasSuffix(strings.TrimSpace(line), "?") {
			out = append(out, path)
		}
	}
	return out
}

// checkCommonAlert holds a body to the shape, to the values that Azure documents, and
// to the 256 KB that it sends at most.
func checkCommonAlert(r *http.Request, body []byte) error {
	if len(body) > 256<<10 {
		return errors.New("more than 256 KB")
	}
	var root map[string]any
	if err := strictJSON(r, body, &root); err != nil {
		return err
	}
	types, missing := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(commonAlertShape)) {
		field := strings.Fields(line)
		types[field[0]] = field[1]
		missing[field[0]] = len(field) == 2
	}
	var hold func(at any, shape string) error
	hold = func(at any, shape string) error {
		kind, known := types[shape]
		if !known && shape != "" {
			return fmt.Errorf("unknown field %s", shape)
		}
		switch x := at.(type) {
		case nil:
			if !strings.HasSuffix(kind, "|null") {
				return fmt.Errorf("%s is null", shape)
			}
		case string:
			if !strings.HasPrefix(kind, "string") {
				return fmt.Errorf("%s is a text", shape)
			}
		case float64:
			if !strings.HasPrefix(kind, "number") {
				return fmt.Errorf("%s is a number", shape)
			}
		case []any:
			if kind != "list" {
				return fmt.Errorf("%s is a list", shape)
			}
			for _, e := range x {
				if err := hold(e, shape+".*"); err != nil {
					return err
				}
			}
		case map[string]any:
			if kind == "map" {
				for name, e := range x {
					if _, ok := e.(string); !ok {
						return fmt.Errorf("%s.%s is no text", shape, name)
					}
				}
				return nil
			}
			if kind != "object" && shape != "" {
				return fmt.Errorf("%s is an object", shape)
			}
			for path, must := range missing {
				parent, name := "", path
				if i := strings.LastIndexByte(path, '.'); i >= 0 {
					parent, name = path[:i], path[i+1:]
				}
				if _, ok := x[name]; parent == shape && name != "*" && must && !ok {
					return fmt.Errorf("required property %s", path)
				}
			}
			for name, e := range x {
				if err := hold(e, strings.TrimPrefix(shape+"."+name, ".")); err != nil {
					return err
				}
			}
		default:
			return fmt.Errorf("%s is %T", shape, x)
		}
		return nil
	}
	if err := hold(root, ""); err != nil {
		return err
	}
	var e struct {
		SchemaID string
		Data     struct {
			Essentials struct{ Severity, MonitorCondition, FiredDateTime string }
		}
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	es := e.Data.Essentials
	if e.SchemaID != "azureMonitorCommonAlertSchema" || !slices.Contains([]string{"Sev0", "Sev1", "Sev2", "Sev3", "Sev4"}, es.Severity) || !slices.Contains([]string{"Fired", "Resolved"}, es.MonitorCondition) {
		return errors.New("schemaId, severity or monitorCondition")
	}
	return nil
}
