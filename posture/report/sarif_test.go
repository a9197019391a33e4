package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"glassward/directory"
	"glassward/posture"
	"glassward/posture/report"
)

// TestSARIFSchema holds reports against testdata/sarif-schema.json: what SARIF 2.1.0's
// schema demands and allows of the objects that are written.
func TestSARIFSchema(t *testing.T) {
	text, err := os.ReadFile("testdata/sarif-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*report.Document{"all": document(), "hostile": hostileDocument(), "tenant": assessed(t, nil), "none": {Report: &posture.Report{}}} {
		log := sarif(t, d)
		v := &validator{schema: schema}
		v.check("$", schema, log)
		for _, p := range v.problems {
			t.Errorf("%s: %s", name, p)
		}
		// What the text of the specification asks beyond the schema.
		run := log.(map[string]any)["runs"].([]any)[0].(map[string]any)
		rules := run["tool"].(map[string]any)["driver"].(map[string]any)["rules"].([]any)
		prints := map[string]bool{}
		for i, x := range run["results"].([]any) {
			r := x.(map[string]any)
			rule := rules[int(r["ruleIndex"].(float64))].(map[string]any)
			if rule["id"] != r["ruleId"] {
				t.Errorf("%s: result %d names rule %v by the place of %v", name, i, r["ruleId"], rule["id"])
			}
			if (r["kind"] == "fail") == (r["level"] == "none") {
				t.Errorf("%s: result %d is %v at level %v (section 3.27.10)", name, i, r["kind"], r["level"])
			}
			for _, p := range r["partialFingerprints"].(map[string]any) {
				if prints[fmt.Sprint(p)] && name != "hostile" {
					t.Errorf("%s: result %d has the fingerprint of another", name, i)
				}
				prints[fmt.Sprint(p)] = true
			}
		}
	}
	// The schema holds something.
	for _, bad := range []string{
		`{"version":"2.1.0"}`, `{"version":"2.0","runs":[]}`,
		`{"version":"2.1.0","runs":[{"tool":{"driver":{}}}]}`,
		`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{}]}]}`,
		`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"message":{"text":"x"},"kind":"failed"}]}]}`,
		`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","rule":[]}}}]}`,
	} {
		var log any
		if err := json.Unmarshal([]byte(bad), &log); err != nil {
			t.Fatal(err)
		}
		v := &validator{schema: schema}
		if v.check("$", schema, log); len(v.problems) == 0 {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

func sarif(t *testing.T, d *report.Document) any {
	t.Helper()
	var b bytes.Buffer
	if err := report.SARIF(&b, d); err != nil {
		t.Fatal(err)
	}
	var log any
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	return log
}

// prints gives the fingerprints of a document's results that are no pass, with their texts.
func prints(t *testing.T, d *report.Document) map[string]string {
	m := map[string]string{}
	for _, x := range sarif(t, d).(map[string]any)["runs"].([]any)[0].(map[string]any)["results"].([]any) {
		r := x.(map[string]any)
		if r["kind"] == "fail" || r["kind"] == "open" {
			m[r["partialFingerprints"].(map[string]any)["glasswardResult/v1"].(string)] = r["message"].(map[string]any)["text"].(string)
		}
	}
	return m
}

// A fault keeps its fingerprint when its numbers change or the account is given another
// name, and another tenant's is another's.
func TestFingerprints(t *testing.T) {
	before, d := prints(t, document()), document()
	for i := range d.Findings {
		for j := range d.Findings[i].Seen {
			s := &d.Findings[i].Seen[j]
			s.Value, s.Name, s.Object = s.Value+" and a day", "renamed", strings.ToUpper(s.Object)
		}
	}
	after := prints(t, d)
	for p, text := range before {
		if after[p] == "" {
			t.Errorf("lost: %s", text)
		}
		if strings.Contains(text, "days ago") && after[p] == text {
			t.Errorf("the text did not change: %s", text)
		}
	}
	d.Tenant = "22222222-2222-4222-8222-222222222222"
	for p, text := range prints(t, d) {
		if before[p] != "" {
			t.Errorf("two tenants share %s", text)
		}
	}
}

// What was accepted is suppressed with its owner and end, and no other result is.
func TestSARIFSuppressions(t *testing.T) {
	n := 0
	for _, x := range sarif(t, document()).(map[string]any)["runs"].([]any)[0].(map[string]any)["results"].([]any) {
		r := x.(map[string]any)
		s, ok := r["suppressions"]
		if ok != (r["ruleId"] == "ACC-13") {
			t.Errorf("%v suppressed: %v", r["ruleId"], ok)
		}
		if ok {
			n++
			if got := s.([]any)[0].(map[string]any)["justification"]; got != "accepted by Nora until 2026-12-31: mail is forwarded" {
				t.Errorf("justification %q", got)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d suppressions", n)
	}
}

// Of a part that was not read a result is open, and whatever was seen wrong before stays.
func TestSARIFUnread(t *testing.T) {
	d := assessed(t, func(c *directory.Contents) {
		c.Readings = map[directory.Part]directory.Reading{}
		c.ObjectReadings = nil
		c.Users, c.Members = nil, nil
	})
	kinds := map[string]int{}
	for _, x := range sarif(t, d).(map[string]any)["runs"].([]any)[0].(map[string]any)["results"].([]any) {
		kinds[x.(map[string]any)["kind"].(string)]++
	}
	if kinds["pass"] > 0 || kinds["open"] == 0 {
		t.Errorf("of a snapshot of which nothing was read: %v", kinds)
	}
}

// A validator holds JSON against the part of JSON Schema (draft-07) that SARIF's schema
// uses: type, required, properties, additionalProperties, items, enum, pattern, minItems,
// uniqueItems, minimum, format uri and uri-reference, and $ref to definitions.
type validator struct {
	schema   map[string]any
	problems []string
}

func (v *validator) check(at string, rule map[string]any, value any) {
	bad := func(format string, args ...any) {
		v.problems = append(v.problems, at+": "+fmt.Sprintf(format, args...))
	}
	if ref, ok := rule["$ref"].(string); ok {
		def, ok := v.schema["definitions"].(map[string]any)[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
		if !ok {
			bad("the schema has no %s", ref)
			return
		}
		v.check(at, def, value)
		return
	}
	if list, ok := rule["enum"].([]any); ok && !slices.Contains(list, value) {
		bad("%v is none of %v", value, list)
	}
	if of, ok := rule["anyOf"].([]any); ok && !slices.ContainsFunc(of, func(one any) bool {
		inner := &validator{schema: v.schema}
		inner.check(at, one.(map[string]any), value)
		return len(inner.problems) == 0
	}) {
		bad("is none of those that are allowed")
	}
	kind := "null"
	switch x := value.(type) {
	case map[string]any:
		kind = "object"
		for _, name := range asList(rule["required"]) {
			if _, ok := x[name.(string)]; !ok {
				bad("lacks %s", name)
			}
		}
		properties, _ := rule["properties"].(map[string]any)
		for name, value := range x {
			if p, ok := properties[name].(map[string]any); ok {
				v.check(at+"."+name, p, value)
			} else if more, ok := rule["additionalProperties"].(map[string]any); ok {
				v.check(at+"."+name, more, value)
			} else if rule["additionalProperties"] == false {
				bad("may not have %s", name)
			}
		}
	case []any:
		kind = "array"
		if n, ok := rule["minItems"].(float64); ok && len(x) < int(n) {
			bad("has %d elements", len(x))
		}
		if items, ok := rule["items"].(map[string]any); ok {
			seen := map[string]bool{}
			for i, e := range x {
				v.check(fmt.Sprintf("%s[%d]", at, i), items, e)
				b, _ := json.Marshal(e)
				if rule["uniqueItems"] == true && seen[string(b)] {
					bad("holds %s twice", b)
				}
				seen[string(b)] = true
			}
		}
	case string:
		kind = "string"
		if p, ok := rule["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(x) {
			bad("%q is not as %s", x, p)
		}
		if f, ok := rule["format"].(string); ok && strings.HasPrefix(f, "uri") {
			if u, err := url.Parse(x); err != nil || f == "uri" && !u.IsAbs() {
				bad("%q is no %s", x, f)
			}
		}
	case float64:
		kind = "number"
		if n, ok := rule["minimum"].(float64); ok && x < n {
			bad("%v is below %v", x, n)
		}
		if rule["type"] == "integer" && x == float64(int(x)) {
			kind = "integer"
		}
	case bool:
		kind = "boolean"
	}
	if want, ok := rule["type"].(string); ok && want != kind {
		bad("is %s, not %s", kind, want)
	}
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}
