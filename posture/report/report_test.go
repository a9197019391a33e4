package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"glassward/access"
	"glassward/directory"
	"glassward/posture"
	"glassward/posture/report"
)

const (
	ea1 = "ea000000-0000-4000-8000-000000000001"
	ea2 = "ea000000-0000-4000-8000-000000000002"
	grp = "9a000000-0000-4000-8000-000000000001"
)

// hostile are names that somebody gave to objects because of where they would be shown.
var hostile = []string{
	`<script>alert(1)</script>`,
	`</script><img src=x onerror=alert(1)>`,
	`"><svg onload=alert(1)>`,
	`[click](https://evil.example/) | www.evil.example | @nora | :rocket:`,
	"``` code `of` all ``` ]]> <!-- {{.}} ${x} \\",
	"first\nsecond\r\n# third\tfourth",
	"\u202eEvil\u200b\x00\x1b[31m\ufffe",
	"- one",
}

func check(id, area string, s posture.Severity, title string) *posture.Check {
	return &posture.Check{
		ID: id, Area: area, Severity: s, Title: title,
		Why: "What goes wrong where it fails.", Portal: "Identity > Users > the account", Graph: `PATCH /users/{id} {"a": true} | more`,
		Sources: []string{"Microsoft Learn, Manage emergency access accounts"}, Norms: []string{"ISO 27001 A.5.16"},
		Reads: []directory.Part{directory.Users},
	}
}

// document is one that holds everything once.
func document() *report.Document {
	until := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	d := &report.Document{
		Report: &posture.Report{
			Tenant: "11111111-1111-4111-8111-111111111111", Name: "Contoso", Taken: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC),
			Maturity: posture.Untested, MaturityReason: "ACC-14: ea-02 signInActivity: 151 days ago, more than 90",
			Norms: []posture.Norm{{Name: "drillDays", Value: 180, Default: 90, Source: "Microsoft: every 90 days"}},
			Findings: []posture.Finding{
				{Check: check("ACC-03", "ACC", posture.Critical, "Accounts are enabled"), Result: posture.Pass, Seen: []posture.Seen{
					{Object: ea1, Name: "ea-01@contoso.onmicrosoft.com", Property: "accountEnabled", Value: "true", Result: posture.Pass}}},
				{Check: check("ACC-14", "ACC", posture.High, "Each account signed in lately"), Result: posture.Fail, Seen: []posture.Seen{
					{Object: ea1, Name: "ea-01@contoso.onmicrosoft.com", Property: "signInActivity", Value: "10 days ago", Result: posture.Pass},
					{Object: ea2, Name: "ea-02@contoso.onmicrosoft.com", Property: "signInActivity", Value: "151 days ago, more than 90", Result: posture.Fail}},
					Lapsed: []posture.Exception{{Check: "ACC-14", Owner: "Omar", Reason: "moved", Until: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)}}},
				{Check: check("ACC-13", "ACC", posture.Low, "No licence, no mailbox"), Result: posture.Fail, Seen: []posture.Seen{
					{Object: ea1, Name: "ea-01@contoso.onmicrosoft.com", Property: "assignedLicenses", Value: "1", Result: posture.Fail}},
					Accepted: &posture.Exception{Check: "ACC-13", Object: ea1, Owner: "Nora", Reason: "mail is forwarded", Until: until}},
				{Check: check("ROL-04", "ROL", posture.Medium, "How many are Global Administrator"), Result: posture.Warn, Seen: []posture.Seen{
					{Property: "Global Administrators", Value: "5, more than 4", Result: posture.Warn}}},
				{Check: check("GRP-03", "GRP", posture.Critical, "The group holds the accounts and nobody else"), Result: posture.Unknown,
					Reason: "groupMembers of break-glass was not read: Graph answered 403 (needs GroupMember.Read.All)"},
				{Check: check("GRP-07", "GRP", posture.Informational, "Policies name all accounts"), Result: posture.NotApplicable,
					Reason: "policies name the accounts by their group"},
			},
		},
		Access: []report.Account{
			{ID: ea1, Name: "ea-01@contoso.onmicrosoft.com", Outcome: access.Outcome{Verdict: access.Open, Worst: access.Open, Best: access.Open}, Applying: []string{"Break-glass: keys"}},
			{ID: ea2, Name: "ea-02@contoso.onmicrosoft.com", Outcome: access.Outcome{Verdict: access.Conditional, Worst: access.Locked, Best: access.Conditional}, Applying: []string{},
				Maybe: []string{"Travel"},
				Refusals: []report.Refusal{
					{By: "Only Norway", Policy: "ca000000-0000-4000-8000-000000000009", Certain: true, Where: "portal.azure.com by browser from 192.0.2.1 in DE", Why: "grant: block"},
					{By: "Travel", Policy: "ca000000-0000-4000-8000-000000000010", Where: "anywhere at high risk"}},
				Ways: [][]access.Restriction{{{Dimension: "country", Values: []string{"NO", "SE"}}, {Dimension: "platform", Values: []string{"windows"}}}}},
		},
		NotRead: []report.NotRead{{Part: directory.GroupMembers, State: directory.Incomplete, Reason: "Graph answered 403", Permission: "GroupMember.Read.All"}},
		Kinds:   map[string]string{ea1: "user", ea2: "user", grp: "group"},
		Program: "1.2.3", Source: "contoso 2026.zip",
	}
	f := posture.Finding{Check: check("GRP-04", "GRP", posture.High, "The group has no owners"), Result: posture.Fail}
	for i, name := range hostile {
		f.Seen = append(f.Seen, posture.Seen{Object: fmt.Sprintf("ad000000-0000-4000-8000-%012d", i), Name: name, Property: "owners", Value: "owns " + name, Result: posture.Fail})
	}
	d.Findings = append(d.Findings, f)
	return d
}

// hostileDocument has the names in every field that somebody outside writes.
func hostileDocument() *report.Document {
	d := document()
	all := strings.Join(hostile, " ")
	d.Name, d.Tenant, d.Source, d.MaturityReason = all, all, all, all
	for i := range d.Access {
		a := &d.Access[i]
		a.Name, a.Applying = all, hostile
		for j := range a.Refusals {
			a.Refusals[j] = report.Refusal{By: all, Policy: all, Where: all, Why: all}
		}
		a.Ways = [][]access.Restriction{{{Dimension: "country", Values: hostile}}}
	}
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.Reason != "" {
			f.Reason = all
		}
		if f.Accepted != nil {
			f.Accepted = &posture.Exception{Owner: all, Reason: all, Until: f.Accepted.Until}
		}
		for j := range f.Seen {
			f.Seen[j].Name, f.Seen[j].Value, f.Seen[j].Property, f.Seen[j].Object = all, all, all, all
		}
	}
	d.NotRead[0].Reason, d.NotRead[0].Permission = all, all
	return d
}

var writers = map[string]func(io.Writer, *report.Document) error{
	"report.md": report.Markdown, "report.junit.xml": report.JUnit, "report.sarif": report.SARIF,
	"report.html": report.HTML,
}

// What each form says of a document that holds everything once. GLASSWARD_GOLDEN=1 writes
// the files anew: read the difference.
func TestForms(t *testing.T) {
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b, document()); err != nil {
				t.Fatal(err)
			}
			// Style and script stand in files of their own; TestPagePolicy has their hashes.
			b = *bytes.NewBuffer(regexp.MustCompile(`(?s)(<(?:style|script)>|&#39;sha256-).*?(</(?:style|script)>|&#39;)`).ReplaceAll(b.Bytes(), []byte("$1…$2")))
			file := filepath.Join("testdata", name)
			if os.Getenv("GLASSWARD_GOLDEN") != "" {
				if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("GLASSWARD_GOLDEN=1 writes it anew (-want +got):\n%s", diff)
			}
		})
	}
}

// A document is judged from a snapshot: verdicts, kinds of objects and what was not read.
func TestNew(t *testing.T) {
	d := assessed(t, nil)
	if len(d.Access) != 2 || d.Access[0].Verdict != access.Open || d.Access[0].Name != "ea-01@contoso.onmicrosoft.com" {
		t.Errorf("access is %+v", d.Access)
	}
	if len(d.Access[0].Applying) == 0 {
		t.Error("no policy applies")
	}
	if d.Kinds[ea1] != "user" || d.Kinds[grp] != "group" || d.Kinds[directory.GlobalAdministrator] != "unifiedRoleDefinition" {
		t.Errorf("kinds are %v", d.Kinds)
	}
	if len(d.NotRead) != 0 {
		t.Errorf("not read: %v", d.NotRead)
	}
	d = assessed(t, func(c *directory.Contents) {
		readings := map[directory.Part]directory.Reading{}
		for p, r := range c.Readings {
			readings[p] = r
		}
		readings[directory.Policies] = directory.Reading{State: directory.Unread, Reason: "refused", Permission: "Policy.Read.All"}
		delete(readings, directory.BetaPolicies)
		c.Readings, c.Policies, c.BetaPolicies = readings, nil, nil
	})
	want := []report.NotRead{{Part: directory.Policies, State: directory.Unread, Reason: "refused", Permission: "Policy.Read.All"}}
	if diff := cmp.Diff(want, d.NotRead); diff != "" {
		t.Error(diff)
	}
	if d.Access[0].Verdict != access.Unresolved {
		t.Errorf("without policies the verdict is %s", d.Access[0].Verdict)
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(d); err != nil {
		t.Fatal(err)
	}
	var top map[string]any
	if err := json.Unmarshal(b.Bytes(), &top); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"tenant", "maturity", "findings", "norms", "access", "notRead"} {
		if top[key] == nil {
			t.Errorf("as JSON it lacks %s", key)
		}
	}
}

// assessed judges the good tenant of package posture, with a change.
func assessed(t testing.TB, change func(*directory.Contents)) *report.Document {
	t.Helper()
	a, err := txtar.ParseFile("../testdata/tenant.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range a.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s = s.With(func(c *directory.Contents) { c.Taken = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) })
	if change != nil {
		s = s.With(change)
	}
	o := posture.Options{
		Accounts:  []posture.Account{{ID: ea1, UPN: "ea-01@contoso.onmicrosoft.com"}, {ID: ea2, UPN: "ea-02@contoso.onmicrosoft.com"}},
		Group:     grp,
		Unlockers: []string{"9a000000-0000-4000-8000-000000000004"},
		Policies:  []string{"ca000000-0000-4000-8000-000000000001", "ca000000-0000-4000-8000-000000000002"},
		Strength:  "57000000-0000-4000-8000-000000000001",
		Models:    []string{"cb69481e-8ff7-4039-93ec-0a2729a154a8", "eabb46cc-e241-80bf-ae9e-96fa6d2975cf"},
	}
	r, err := posture.Assess(s, o)
	if err != nil {
		t.Fatal(err)
	}
	d := report.New(s, o, r)
	d.Program, d.Source = "test", "contoso.zip"
	return d
}

// Nothing of a name becomes markup of Markdown: outside of code spans no character of a
// hostile name is left that could begin any, and no line is begun by one.
func TestMarkdownHostile(t *testing.T) {
	var b bytes.Buffer
	if err := report.Markdown(&b, hostileDocument()); err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if err := report.Markdown(&plain, document()); err != nil {
		t.Fatal(err)
	}
	for _, begin := range []string{"#", "|", "```", ">", "1."} {
		lines := func(text string) int { return strings.Count("\n"+text, "\n"+begin) }
		if got, want := lines(b.String()), lines(plain.String()); got != want {
			t.Errorf("names make %d lines begin with %s, %d do without", got, begin, want)
		}
	}
	span := regexp.MustCompile("(?s)(`+) ?.*?[^`](`+)")
	for line := range strings.Lines(b.String()) {
		rest := span.ReplaceAllStringFunc(line, func(s string) string { return "" })
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "**"), "| ")
		if strings.ContainsAny(rest, "<[]_~@$\\\x00\x1b") || strings.Contains(rest, "www.") || strings.Contains(rest, "://") {
			t.Errorf("markup is left in %.200q", rest)
		}
		if strings.HasPrefix(line, "| ") && strings.Count(line, "|") > 5 {
			t.Errorf("a name ends a cell: %q", line)
		}
	}
}

// A JUnit report is as the schemas of Ant and of Jenkins have it, whatever names it holds:
// which elements stand where in which order, which attributes are demanded, and the sums.
func TestJUnitSchema(t *testing.T) {
	type element struct {
		attributes []string // demanded
		children   []string // in this order
	}
	schema := map[string]element{
		"testsuites": {nil, []string{"testsuite"}},
		"testsuite":  {[]string{"name", "package", "id", "tests", "failures", "errors", "skipped", "time", "hostname"}, []string{"properties", "testcase", "system-out", "system-err"}},
		"properties": {nil, []string{"property"}}, "property": {[]string{"name", "value"}, nil},
		"testcase": {[]string{"name", "classname", "time"}, []string{"skipped", "error", "failure"}},
		"skipped":  {[]string{"message"}, nil}, "error": {[]string{"message", "type"}, nil}, "failure": {[]string{"message", "type"}, nil},
		"system-out": {}, "system-err": {},
	}
	for name, d := range map[string]*report.Document{"all": document(), "hostile": hostileDocument(), "tenant": assessed(t, nil), "none": {Report: &posture.Report{}}} {
		var b bytes.Buffer
		if err := report.JUnit(&b, d); err != nil {
			t.Fatal(err)
		}
		sums := map[string]int{}
		var open []xml.StartElement
		last := []int{0}
		for dec := xml.NewDecoder(&b); ; {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch x := tok.(type) {
			case xml.StartElement:
				rule, ok := schema[x.Name.Local]
				if !ok {
					t.Fatalf("%s: the schema has no %s", name, x.Name.Local)
				}
				for _, want := range rule.attributes {
					if !slices.ContainsFunc(x.Attr, func(a xml.Attr) bool { return a.Name.Local == want }) {
						t.Errorf("%s: %s lacks %s", name, x.Name.Local, want)
					}
				}
				if len(open) > 0 {
					parent := open[len(open)-1].Name.Local
					at := slices.Index(schema[parent].children, x.Name.Local)
					if at < 0 || at < last[len(last)-1] {
						t.Errorf("%s: %s may not stand here in %s", name, x.Name.Local, parent)
					}
					last[len(last)-1] = at
				}
				sums[x.Name.Local]++
				if x.Name.Local == "testsuite" {
					for _, a := range x.Attr {
						var n int
						if _, err := fmt.Sscan(a.Value, &n); err == nil {
							sums["@"+a.Name.Local] += n
						}
					}
				}
				open, last = append(open, x), append(last, 0)
			case xml.EndElement:
				open, last = open[:len(open)-1], last[:len(last)-1]
			}
		}
		for attribute, of := range map[string]string{"@tests": "testcase", "@failures": "failure", "@errors": "error", "@skipped": "skipped"} {
			if sums[attribute] != sums[of] {
				t.Errorf("%s: %s sums to %d of %d", name, attribute, sums[attribute], sums[of])
			}
		}
		if sums["testcase"] != len(d.Findings) {
			t.Errorf("%s: %d test cases for %d checks", name, sums["testcase"], len(d.Findings))
		}
	}
}

// A failed writer is an error, in whatever place it fails.
func TestWriterFails(t *testing.T) {
	for name, write := range writers {
		var whole bytes.Buffer
		if err := write(&whole, document()); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, whole.Len() / 2, whole.Len() - 1} {
			if err := write(&short{n}, document()); !errors.Is(err, io.ErrShortWrite) {
				t.Errorf("%s: after %d bytes: %v", name, n, err)
			}
		}
	}
}

// short is a disk with so many bytes left.
type short struct{ left int }

func (s *short) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// The same document gives the same bytes.
func TestSameBytes(t *testing.T) {
	for name, write := range writers {
		var a, b bytes.Buffer
		if err := errors.Join(write(&a, assessed(t, nil)), write(&b, assessed(t, nil))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s differs from run to run", name)
		}
	}
}
