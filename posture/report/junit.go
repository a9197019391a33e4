package report

import (
	"bufio"
	"encoding/xml"
	"io"
	"strings"

	"glassward/posture"
)

type junitSuite struct {
	Name      string `xml:"name,attr"`
	Package   string `xml:"package,attr"`
	ID        int    `xml:"id,attr"`
	Tests     int    `xml:"tests,attr"`
	Failures  int    `xml:"failures,attr"`
	Errors    int    `xml:"errors,attr"`
	Skipped   int    `xml:"skipped,attr"`
	Time      string `xml:"time,attr"`
	Timestamp string `xml:"timestamp,attr,omitempty"`
	Hostname  string `xml:"hostname,attr"`
}

type junitCase struct {
	XMLName xml.Name `xml:"testcase"`
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Time    string   `xml:"time,attr"`
	Failure *junitOutcome
	Error   *junitOutcome
	Skipped *junitOutcome
}

type junitOutcome struct {
	XMLName xml.Name
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	// Text is escaped already: the encoder would write its line breaks as &#xA;.
	Text string `xml:",innerxml"`
}

// JUnit writes a document for build pipelines: a suite for each area, a test case for
// each check, as both the schema of Ant's reports and that of Jenkins' JUnit plugin have
// it (so the testsuites element carries no attribute, and attributes that only one of
// them demands are written). A failure is a failure of the check's severity, what is
// unknown an error, since the test could not be made; a warning, what is accepted and
// what does not apply are skipped, with the reason.
func JUnit(w io.Writer, d *Document) error {
	out := bufio.NewWriter(w)
	if _, err := out.WriteString(xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(out)
	e.Indent("", "  ")
	root := xml.StartElement{Name: xml.Name{Local: "testsuites"}}
	if err := e.EncodeToken(root); err != nil {
		return err
	}
	var areas []string
	byArea := map[string][]junitCase{}
	for i := range d.Findings {
		f := &d.Findings[i]
		if _, ok := byArea[f.Check.Area]; !ok {
			areas = append(areas, f.Check.Area)
		}
		byArea[f.Check.Area] = append(byArea[f.Check.Area], junitOf(f))
	}
	for i, area := range areas {
		if err := d.junitSuite(e, i, area, byArea[area]); err != nil {
			return err
		}
	}
	if err := e.EncodeToken(root.End()); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	if _, err := out.WriteString("\n"); err != nil {
		return err
	}
	return out.Flush()
}

func (d *Document) junitSuite(e *xml.Encoder, id int, area string, cases []junitCase) error {
	s := junitSuite{Name: area, Package: "glassward.posture", ID: id, Tests: len(cases), Time: "0", Hostname: "unknown"}
	if d.Tenant != "" {
		s.Hostname = plain(d.Tenant)
	}
	if !d.Taken.IsZero() {
		s.Timestamp = d.Taken.UTC().Format("2006-01-02T15:04:05")
	}
	for _, c := range cases {
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	start := xml.StartElement{Name: xml.Name{Local: "testsuite"}, Attr: s.attributes()}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for _, empty := range []string{"properties", "", "system-out", "system-err"} {
		if empty == "" {
			for i := range cases {
				if err := e.Encode(&cases[i]); err != nil {
					return err
				}
			}
			continue
		}
		var body any = struct{}{}
		if empty == "properties" {
			// Jenkins' schema wants at least one.
			type property struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			}
			body = struct {
				Property property `xml:"property"`
			}{property{"maturity", string(d.Maturity)}}
		}
		if err := e.EncodeElement(body, xml.StartElement{Name: xml.Name{Local: empty}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

func (s *junitSuite) attributes() []xml.Attr {
	list := []xml.Attr{
		{Name: xml.Name{Local: "name"}, Value: s.Name},
		{Name: xml.Name{Local: "package"}, Value: s.Package},
		{Name: xml.Name{Local: "id"}, Value: number(s.ID)},
		{Name: xml.Name{Local: "tests"}, Value: number(s.Tests)},
		{Name: xml.Name{Local: "failures"}, Value: number(s.Failures)},
		{Name: xml.Name{Local: "errors"}, Value: number(s.Errors)},
		{Name: xml.Name{Local: "skipped"}, Value: number(s.Skipped)},
		{Name: xml.Name{Local: "time"}, Value: s.Time},
		{Name: xml.Name{Local: "hostname"}, Value: s.Hostname},
	}
	if s.Timestamp != "" {
		list = append(list, xml.Attr{Name: xml.Name{Local: "timestamp"}, Value: s.Timestamp})
	}
	return list
}

func junitOf(f *posture.Finding) junitCase {
	c := junitCase{Class: "glassward.posture." + f.Check.Area, Name: f.Check.ID + " " + f.Check.Title, Time: "0"}
	is := func(name, message, kind, text string) *junitOutcome {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
		return &junitOutcome{xml.Name{Local: name}, plain(message), kind, strings.ReplaceAll(b.String(), "&#xA;", "\n")}
	}
	switch {
	case f.Accepted != nil:
		e := f.Accepted
		c.Skipped = is("skipped", resultWord(f.Result)+", accepted by "+e.Owner+" until "+day(e.Until)+": "+e.Reason, "", "")
	case f.Result == posture.Fail:
		c.Failure = is("failure", first(f), string(f.Check.Severity), body(f))
	case f.Result == posture.Unknown:
		c.Error = is("error", first(f), "unknown", body(f))
	case f.Result == posture.Warn:
		c.Skipped = is("skipped", "warning: "+first(f), "", "")
	case f.Result == posture.NotApplicable:
		c.Skipped = is("skipped", "not applicable: "+f.Reason, "", "")
	}
	return c
}

// first is what decided a finding, in one line.
func first(f *posture.Finding) string {
	if f.Reason != "" {
		return f.Reason
	}
	for _, s := range f.Seen {
		if s.Result == f.Result {
			return s.String()
		}
	}
	return f.Check.Title
}

// body is what a person reads of a failure in a build's log.
func body(f *posture.Finding) string {
	var b strings.Builder
	line := func(s string) { b.WriteString("\n" + plain(s)) }
	for _, s := range told(f) {
		object := ""
		if s.Object != "" && s.Object != s.Name {
			object = " [" + s.Object + "]"
		}
		line(string(s.Result) + ": " + s.String() + object)
	}
	for _, e := range f.Lapsed {
		line("the exception of " + e.Owner + " ended on " + day(e.Until))
	}
	line("why: " + f.Check.Why)
	line("where: " + f.Check.Portal)
	line("Graph: " + f.Check.Graph)
	b.WriteString("\n")
	return b.String()
}
