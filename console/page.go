package console

import (
	"bytes"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/notify"
)

//go:embed page.html
var pageHTML string

// pageTemplate is the incident page, with a form that takes the incident up: HTML
// and CSS alone, so that it works without script and on a phone. html/template encodes what comes from
// records, and printable shows as a number what would only confuse an eye.
var pageTemplate = template.Must(template.New("incident").Funcs(template.FuncMap{
	"utc":    utc,
	"around": notify.Around,
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

func (s *Server) readLetter(w http.ResponseWriter, r *http.Request, c call) *apiError {
	return s.page(w, r, c.letter, http.StatusOK, "")
}

// maxAnswerBody bounds the form by which a letter is answered, in bytes.
const maxAnswerBody = 16 << 10

// answerLetter takes what somebody answered to a notice. Only this does: programs
// that look where links lead do so by GET.
func (s *Server) answerLetter(w http.ResponseWriter, r *http.Request, c call) *apiError {
	r.Body = http.MaxBytesReader(w, r.Body, maxAnswerBody)
	if err := r.ParseForm(); err != nil {
		return badRequest("the answer is not the page's form, or too long: %v", err)
	}
	if !s.answerable(c.letter) {
		return s.page(w, r, c.letter, http.StatusConflict, "This link takes nothing up any more: use that of the newest notice, or glassward incident acknowledge.")
	}
	reply := Reply{Who: r.PostForm.Get("who"), Why: r.PostForm.Get("why"), Code: strings.TrimSpace(r.PostForm.Get("code"))}
	if strings.TrimSpace(reply.Who) == "" || strings.TrimSpace(reply.Why) == "" {
		return s.page(w, r, c.letter, http.StatusBadRequest, "Say who you are, and why or what you do.")
	}
	said, err := s.o.Letters.Answer(r.Context(), c.letter, reply)
	switch {
	case errors.Is(err, ErrTooMany):
		return s.page(w, r, c.letter, http.StatusTooManyRequests, "Too many answers came by this link: wait a quarter of an hour, or use glassward incident acknowledge.")
	case errors.Is(err, ErrInvalid):
		return s.page(w, r, c.letter, http.StatusConflict, err.Error())
	case err != nil:
		return internal(err)
	}
	return s.page(w, r, c.letter, http.StatusOK, said)
}

// answerable says whether a letter still takes an incident up.
func (s *Server) answerable(l Letter) bool {
	return !l.Used && !s.o.Now().After(l.Sent.Add(answerLife))
}

// page writes the page of a letter's incident, with what there is to say to the
// reader.
func (s *Server) page(w http.ResponseWriter, r *http.Request, l Letter, status int, said string) *apiError {
	found, err := s.o.Desk.Incident(r.Context(), l.Tenant, l.Number)
	switch {
	case errors.Is(err, ErrNoIncident):
		return notFound("incident", strconv.FormatInt(l.Number, 10))
	case err != nil:
		return internal(err)
	}
	view := struct {
		Case
		Alerts   []alertView
		Letter   Letter
		Answer   bool
		Calling  bool
		Critical bool
		Said     string
	}{
		Case: found, Letter: l, Said: said, Answer: s.answerable(l) && (l.Storm || found.Incident.Status != glassward.StatusClosed),
		Calling: found.Incident.Page != nil && !found.Incident.Page.Next.IsZero(), Critical: l.Critical,
	}
	for _, a := range found.Alerts {
		view.Alerts = append(view.Alerts, alertView{a, facts(a)})
	}
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, view); err != nil {
		return internal(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
	return nil
}
