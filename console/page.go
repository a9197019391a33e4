package console

import (
	"bytes"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"glassward"
	"glassward/notify"
)

//go:embed page.html
var pageHTML string

// pageTemplate is the read-only incident page: HTML and CSS alone, so that it
// works without script and on a phone. html/template encodes what comes from
// records, and printable shows as a number what would only confuse an eye.
var pageTemplate = template.Must(template.New("incident").Funcs(template.FuncMap{
	"utc": utc,
	"printable": func(s string) string {
		return notify.PlainText(strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(s))
	},
}).Parse(pageHTML))

func utc(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// factColumns are the columns of a result row that answer who, when, from
// where, with what and how it ended, in that order; the page shows those that a
// row has and then the rest.
var factColumns = []string{"TimeGenerated", "UserPrincipalName", "UserDisplayName", "InitiatingUserPrincipalName", "OperationName",
	"IPAddress", "Location", "AppDisplayName", "ResultType", "ResultDescription", "ConditionalAccessStatus"}

type fact struct{ Name, Value string }

type alertView struct {
	glassward.Alert
	Facts [][]fact
}

func facts(a glassward.Alert) [][]fact {
	at := map[string]int{}
	for i, c := range a.Columns {
		at[c] = i
	}
	var rows [][]fact
	for _, row := range a.Rows {
		var list []fact
		used := map[int]bool{}
		add := func(i int) {
			if !used[i] && i < len(row) && row[i] != "" {
				list = append(list, fact{a.Columns[i], row[i]})
			}
			used[i] = true
		}
		for _, c := range factColumns {
			if i, ok := at[c]; ok {
				add(i)
			}
		}
		for i := range a.Columns {
			add(i)
		}
		rows = append(rows, list)
	}
	return rows
}

func (s *Server) incidentPage(w http.ResponseWriter, r *http.Request, c call) *apiError {
	n, bad := s.number(r)
	if bad != nil {
		return bad
	}
	found, err := s.o.Desk.Incident(r.Context(), c.tenant, n)
	switch {
	case errors.Is(err, ErrNoIncident):
		return notFound("incident", r.PathValue("number"))
	case err != nil:
		return internal(err)
	}
	view := struct {
		Case
		Alerts []alertView
	}{Case: found}
	for _, a := range found.Alerts {
		view.Alerts = append(view.Alerts, alertView{a, facts(a)})
	}
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, view); err != nil {
		return internal(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(page.Bytes())
	return nil
}
