package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"glassward/posture"
)

// The objects of SARIF 2.1.0 (OASIS, errata 01) that are written, with their own names.
type (
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifRule struct {
		ID      string    `json:"id"`
		Name    string    `json:"name"`
		Short   sarifText `json:"shortDescription"`
		Full    sarifText `json:"fullDescription"`
		Help    sarifText `json:"help"`
		Default struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
		Properties sarifRuleProperties `json:"properties"`
	}
	sarifRuleProperties struct {
		Tags     []string         `json:"tags"`
		Severity posture.Severity `json:"severity"`
		// Score is what code scanning sorts by, from 0.0 to 10.0, as text.
		Score   string   `json:"security-severity"`
		Sources []string `json:"sources"`
		Norms   []string `json:"norms,omitempty"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Kind         string             `json:"kind"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
	}
	sarifLogical struct {
		Name          string `json:"name"`
		QualifiedName string `json:"fullyQualifiedName"`
		Kind          string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

// sarifSchema is where OASIS keeps the schema.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// fingerprint is the name and version of how results are told apart. It changes when
// the same result would get another value.
const fingerprint = "glasswardResult/v1"

// SARIF writes a document for code scanning, in SARIF 2.1.0: a rule for each check with
// its help, and a result for each object and property that is not well, located in the
// directory by logicalLocations whose qualified name is Graph's path. What is unknown is
// of the kind open, what passes or does not apply is a result of the check. The
// fingerprint of a result is made of tenant, check, object and property: what was seen
// there may change, and it is still the same fault.
func SARIF(w io.Writer, d *Document) error {
	out := bufio.NewWriter(w)
	s := &sarif{out: out, d: d}
	s.write("{\n\"$schema\": %s,\n\"version\": \"2.1.0\",\n\"runs\": [{\n", sarifSchema)
	s.write("\"tool\": {\"driver\": {\"name\": \"Glassward\", \"version\": %s, \"rules\": [\n", known(d.Program))
	for i := range d.Findings {
		s.item(i, ruleOf(d.Findings[i].Check))
	}
	s.write("\n]}},\n\"automationDetails\": {\"id\": %s},\n", "glassward-assess/"+known(d.Tenant)+"/")
	if d.Taken.IsZero() {
		s.write("\"invocations\": [{\"executionSuccessful\": true}],\n")
	} else {
		s.write("\"invocations\": [{\"executionSuccessful\": true, \"properties\": {\"snapshotTaken\": %s}}],\n", d.Taken.UTC().Format("2006-01-02T15:04:05Z"))
	}
	s.write("\"properties\": {\"maturity\": %s, \"maturityReason\": %s},\n\"results\": [\n", string(d.Maturity), plain(d.MaturityReason))
	n := 0
	for i := range d.Findings {
		for _, r := range d.results(i) {
			s.item(n, r)
			n++
		}
	}
	s.write("\n]\n}]\n}\n")
	if s.err != nil {
		return s.err
	}
	return out.Flush()
}

func known(s string) string {
	if s == "" {
		return "unknown"
	}
	return plain(s)
}

// sarif writes JSON piece by piece and keeps the first error.
type sarif struct {
	out *bufio.Writer
	d   *Document
	err error
}

// write writes a format whose arguments are written as JSON strings.
func (s *sarif) write(format string, args ...string) {
	quoted := make([]any, len(args))
	for i, a := range args {
		b, err := encode(a)
		if err != nil && s.err == nil {
			s.err = err
		}
		quoted[i] = b
	}
	if _, err := fmt.Fprintf(s.out, format, quoted...); err != nil && s.err == nil {
		s.err = err
	}
}

// item writes an element of an array, on a line of its own.
func (s *sarif) item(i int, v any) {
	b, err := encode(v)
	if err == nil {
		if i > 0 {
			b = append([]byte(",\n"), b...)
		}
		_, err = s.out.Write(b)
	}
	if err != nil && s.err == nil {
		s.err = err
	}
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// levels are how bad a failure of a severity is, and the score by which code scanning
// sorts it: GitHub takes 9.0 and above for critical, 7.0 for high, 4.0 for medium.
var levels = map[posture.Severity]struct{ fail, warn, score string }{
	posture.Critical:      {"error", "warning", "9.5"},
	posture.High:          {"error", "warning", "8.0"},
	posture.Medium:        {"warning", "note", "5.5"},
	posture.Low:           {"note", "note", "3.0"},
	posture.Informational: {"note", "note", "0.0"},
}

func ruleOf(c *posture.Check) sarifRule {
	r := sarifRule{
		ID: c.ID, Name: camel(c.Title),
		Short: sarifText{Text: literal(c.Title)},
		Full:  sarifText{Text: literal(c.Why)},
		Help: sarifText{
			Text:     literal(strings.Join(help(c, plain, plain), "\n")),
			Markdown: strings.Join(help(c, mark, code), "\n\n"),
		},
		Properties: sarifRuleProperties{
			Tags: []string{"security", "emergency-access", c.Area}, Severity: c.Severity, Score: levels[c.Severity].score,
			Sources: c.Sources, Norms: c.Norms,
		},
	}
	r.Default.Level = levels[c.Severity].fail
	return r
}

func help(c *posture.Check, text, call func(string) string) []string {
	list := []string{text(c.Why), "Where: " + text(c.Portal), "Graph: " + call(c.Graph), "Sources: " + text(strings.Join(c.Sources, "; "))}
	if len(c.Norms) > 0 {
		list = append(list, "Norms: "+text(strings.Join(c.Norms, "; ")))
	}
	return list
}

// camel makes a title a name without spaces, which is what SARIF asks of a rule's.
func camel(title string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(title, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
	}) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// results gives the results of one finding: one for each object and property that is not
// well, or one for the check.
func (d *Document) results(i int) []sarifResult {
	f := &d.Findings[i]
	var list []sarifResult
	add := func(result posture.Result, s posture.Seen, text string) {
		r := sarifResult{
			RuleID: f.Check.ID, RuleIndex: i, Message: sarifText{Text: literal(plain(text))},
			Locations:    []sarifLocation{d.location(s)},
			Fingerprints: map[string]string{fingerprint: d.print(f.Check.ID, s)},
		}
		r.Kind, r.Level = kind(result, f.Check.Severity)
		if e := f.Accepted; e != nil && r.Kind == "fail" {
			r.Suppressions = []sarifSuppression{{"external", "accepted",
				plain("accepted by " + e.Owner + " until " + day(e.Until) + ": " + e.Reason)}}
		}
		list = append(list, r)
	}
	if f.Result == posture.Pass || f.Result == posture.NotApplicable {
		text := f.Reason
		if text == "" {
			text = f.Check.Title
		}
		add(f.Result, posture.Seen{}, text)
		return list
	}
	// Several things seen at one property of one object are one fault.
	groups := []posture.Seen{}
	for _, s := range f.Seen {
		if s.Result == posture.Pass {
			continue
		}
		at := slices.IndexFunc(groups, func(g posture.Seen) bool { return g.Object == s.Object && g.Property == s.Property })
		if at < 0 {
			groups = append(groups, s)
			continue
		}
		groups[at].Value += "; " + s.Value
		if weight(s.Result) > weight(groups[at].Result) {
			groups[at].Result = s.Result
		}
	}
	for _, s := range groups {
		add(s.Result, s, s.String())
	}
	// What was not read leaves the check open beside what was seen all the same.
	if f.Result == posture.Unknown && !slices.ContainsFunc(f.Seen, func(s posture.Seen) bool { return s.String() == f.Reason }) {
		add(posture.Unknown, posture.Seen{}, f.Reason)
	}
	return list
}

func weight(r posture.Result) int {
	return slices.Index([]posture.Result{posture.NotApplicable, posture.Pass, posture.Warn, posture.Unknown, posture.Fail}, r)
}

// kind gives SARIF's kind and level of a result. Level is none unless the kind is fail.
func kind(r posture.Result, s posture.Severity) (kind, level string) {
	switch r {
	case posture.Fail:
		return "fail", levels[s].fail
	case posture.Warn:
		return "fail", levels[s].warn
	case posture.Unknown:
		return "open", "none"
	case posture.Pass:
		return "pass", "none"
	}
	return "notApplicable", "none"
}

// location says where in the directory something was seen, and in which snapshot.
func (d *Document) location(s posture.Seen) sarifLocation {
	l := sarifLogical{Name: plain(s.Name), QualifiedName: plain(s.Object), Kind: d.Kinds[s.Object]}
	switch path := paths[l.Kind]; {
	case s.Object == "":
		l = sarifLogical{Name: plain(d.name()), QualifiedName: "organization/" + known(d.Tenant), Kind: "organization"}
	case path != "":
		l.QualifiedName = path + "/" + plain(s.Object)
	default:
		l.Kind = "directoryObject"
	}
	if l.Name == "" {
		l.Name = l.QualifiedName
	}
	x := sarifLocation{Logical: []sarifLogical{l}}
	if d.Source != "" {
		x.Physical = &sarifPhysical{}
		x.Physical.Artifact.URI = (&url.URL{Path: d.Source}).String()
	}
	return x
}

// print tells a result from all others, in every run alike.
func (d *Document) print(check string, s posture.Seen) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{strings.ToLower(d.Tenant), check, strings.ToLower(s.Object), s.Property}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// literal makes text a message without links: SARIF reads [text](target) as one.
func literal(s string) string {
	if !strings.Contains(s, "](") {
		return s
	}
	return strings.NewReplacer(`[`, `\[`, `]`, `\]`).Replace(s)
}
