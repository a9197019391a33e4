package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward/posture"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// page is what the template of the page is given.
type page struct {
	Doc    pageDocument
	Policy string
	Style  template.CSS
	Script template.JS

	Classes    []pageClass
	Counts     []pageCount
	Results    []string
	Severities []posture.Severity
	Areas      []string
	Rows       []pageRow
}

// pageDocument is a document with what only a template needs of it.
type pageDocument struct{ *Document }

func (d pageDocument) Heading() string { return d.name() }
func (d pageDocument) Opens() int      { return d.opens() }

type pageClass struct {
	Name    posture.Maturity
	Means   string
	Current bool
	State   string // reached, current, ahead
}

type pageCount struct {
	N           int
	Word, Class string
}

type pageRow struct {
	*posture.Finding
	// Class is the result by which the page filters: of an accepted finding, accepted.
	Class     string
	Emergency bool
}

// Told are the things seen that the row shows, Asks whether it is shown open.
func (r pageRow) Told() []posture.Seen { return told(r.Finding) }
func (r pageRow) Asks() bool           { return r.Open() || r.Result == posture.Unknown }
func (r pageRow) Standing() string     { return standing(r.Finding) }

// pageTemplate is parsed once; it is part of the program, so that it fails in the first
// test or never.
var pageTemplate = sync.OnceValues(func() (*template.Template, error) {
	return template.New("page.html").Funcs(template.FuncMap{
		"plain": plain, "stamp": stamp, "day": day, "verdict": verdict, "way": way,
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"join":    func(list []string) string { return strings.Join(list, "; ") },
		"counted": func(n int, one, many string) string {
			if n == 1 {
				return "1 " + one
			}
			return number(n) + " " + many
		},
	}).Parse(pageText)
})

// HTML writes a document as one page that needs nothing else: it opens from a disk, loads
// nothing and sends nothing, which its Content-Security-Policy holds the browser to. It
// opens with the tenant's class and who gets in; the checks can be filtered where scripts
// may run, and read where they may not.
func HTML(w io.Writer, d *Document) error {
	t, err := pageTemplate()
	if err != nil {
		return err
	}
	p := page{
		Doc: pageDocument{d}, Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Policy: "default-src 'none'; style-src " + sourceHash(pageStyle) + "; script-src " + sourceHash(pageScript) +
			"; base-uri 'none'; form-action 'none'",
		Classes: classes(d.Maturity), Severities: posture.Severities(),
	}
	counts := map[string]int{}
	for _, f := range d.urgent() {
		r := pageRow{Finding: f, Class: string(f.Result), Emergency: d.emergency(f)}
		if f.Accepted != nil {
			r.Class = "accepted"
		}
		counts[r.Class]++
		p.Rows = append(p.Rows, r)
	}
	for _, class := range []string{string(posture.Fail), string(posture.Unknown), string(posture.Warn), "accepted", string(posture.Pass), string(posture.NotApplicable)} {
		p.Results = append(p.Results, class)
		if counts[class] > 0 {
			p.Counts = append(p.Counts, pageCount{counts[class], resultWord(posture.Result(class)), class})
		}
	}
	for i := range d.Findings {
		if area := d.Findings[i].Check.Area; !slices.Contains(p.Areas, area) {
			p.Areas = append(p.Areas, area)
		}
	}
	out := bufio.NewWriter(w)
	if err := t.Execute(out, p); err != nil {
		return err
	}
	return out.Flush()
}

// sourceHash is the source expression that allows one inline text (CSP Level 3, section
// 2.3.1).
func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// classes are the classes of tenants, the lowest first, with how far this one has come.
func classes(at posture.Maturity) []pageClass {
	list := []pageClass{
		{Name: posture.NoAccess, Means: "there are not two accounts that could be used"},
		{Name: posture.Untested, Means: "there are, and one has not signed in for too long"},
		{Name: posture.Unmonitored, Means: "they are exercised, and no alert rule fires for each of them"},
		{Name: posture.Proven, Means: "exercised and watched"},
	}
	reached := slices.IndexFunc(list, func(c pageClass) bool { return c.Name == at })
	for i := range list {
		switch {
		case i == reached:
			list[i].Current, list[i].State = true, "current"
		case i < reached:
			list[i].State = "reached"
		default:
			list[i].State = "ahead"
		}
	}
	return list
}
