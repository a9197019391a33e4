package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"glassward"
)

// A Filter chooses incidents. The zero Filter gives the hundred newest.
type Filter struct {
	Status glassward.IncidentStatus
	// Limit is at most 1000; 0 means 100. After is the cursor that the page before
	// gave.
	Limit int
	After string
}

// A Case is an incident with what stands behind it.
type Case struct {
	Incident   glassward.Incident   `json:"incident"`
	Alerts     []glassward.Alert    `json:"alerts"`
	Deliveries []glassward.Delivery `json:"deliveries"`
	// Evidence is what stands behind each alert, and so behind each line of the
	// timeline that names one.
	Evidence map[glassward.AlertID]Evidence `json:"evidence,omitempty"`
	// Rules are the texts of the rule files as they judged, by QueryHash.
	Rules map[string]string `json:"rules,omitempty"`
}

// Evidence traces an alert to the words and the records that made it.
type Evidence struct {
	RuleID      string `json:"ruleId"`
	RuleVersion string `json:"ruleVersion"`
	QueryHash   string `json:"queryHash"`
	// Records are the ids (_ItemId) of the records, at most 100 of RecordCount; More
	// says that the rule itself kept no more than its bound.
	Records     []string `json:"recordIds"`
	RecordCount int      `json:"recordCount"`
	More        bool     `json:"more,omitempty"`
}

// actions are the kinds of an Action.
var actions = []string{"acknowledge", "assign", "comment", "explain", "task", "close"}

// An Action is what a person does to an incident: acknowledge, assign, comment,
// explain, task or close.
type Action struct {
	Kind           string                   `json:"-"`
	By             string                   `json:"by"`
	Reason         string                   `json:"reason,omitempty"`
	Owner          string                   `json:"owner,omitempty"`
	Comment        string                   `json:"comment,omitempty"`
	Classification glassward.Classification `json:"classification,omitempty"`
	// Task is the number of a task that is done; Reopen says that it is not after
	// all. Comment says how, or why.
	Task   int  `json:"task,omitempty"`
	Reopen bool `json:"reopen,omitempty"`
	// Storm acknowledges with the incident what storms and digests named that it stands
	// for.
	Storm bool `json:"storm,omitempty"`
	// ClassificationReason is Sentinel's, e.g. SuspiciousActivity.
	ClassificationReason string `json:"classificationReason,omitempty"`
	// Etag is that of the incident as the person saw it; empty takes any.
	Etag string `json:"etag,omitempty"`
	// Via is the token's name, set by the server.
	Via string `json:"-"`
}

// Letters is where the links of notices lead.
type Letters interface {
	// Letter gives what a link's token opens, or ErrNoLetter.
	Letter(ctx context.Context, token string) (Letter, error)
	// Answer records what the holder of a letter answered and gives what to say to
	// him. It may give ErrTooMany or ErrInvalid.
	Answer(ctx context.Context, l Letter, r Reply) (said string, err error)
}

// A Letter is a notice of an incident as one receiver has it.
type Letter struct {
	// Token is the link's own part.
	Token string
	// Tenant and Number name the incident.
	Tenant string
	Number int64
	// Receiver is whom the notice went to, "group/receiver"; Who is the person, if
	// the configuration says whose receiver it is.
	Receiver string
	Who      string
	// Sent is when the notice was owed.
	Sent time.Time
	// Used says that somebody took the incident up by it; it is good for one time.
	Used bool
	// Critical says that the incident takes a proof.
	Critical bool
	// Storm says that the notice told of many incidents, which are taken up with this
	// one.
	Storm bool
}

// A Reply is what a person wrote into a letter's form: the name, the reason, and
// a text message's code or a PIN.
type Reply struct{ Who, Why, Code string }

// Errors that a Letters gives.
var (
	ErrNoLetter = errors.New("no such letter")
	ErrTooMany  = errors.New("too many answers")
)

// Errors that a Desk wraps.
var (
	// ErrNoIncident says that there is no such incident.
	ErrNoIncident = errors.New("no such incident")
	// ErrChanged says that the incident changed since the person saw it.
	ErrChanged = errors.New("the incident has changed since you read it: read it again")
	// ErrInvalid says that the action itself is wrong.
	ErrInvalid = errors.New("invalid")
)

func (s *Server) incidents(w http.ResponseWriter, r *http.Request, c call) *apiError {
	q := r.URL.Query()
	f := Filter{Status: glassward.IncidentStatus(q.Get("status")), Limit: 100}
	switch f.Status {
	case "", glassward.StatusNew, glassward.StatusActive, glassward.StatusClosed:
	default:
		return badRequest("status %q: use New, Active or Closed", f.Status)
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return badRequest("limit %q: use 1 to 1000", text)
		}
		f.Limit = n
	}
	f.After = q.Get("after")
	list, next, err := s.o.Desk.Incidents(r.Context(), c.tenant, f)
	switch {
	case errors.Is(err, ErrInvalid):
		return badRequest("%v", err)
	case err != nil:
		return internal(err)
	}
	if list == nil {
		list = []glassward.Incident{}
	}
	answer := map[string]any{"value": list}
	if next != "" {
		answer["after"] = next
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

func (s *Server) number(r *http.Request) (int64, *apiError) {
	n, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		return 0, notFound("incident", r.PathValue("number"))
	}
	return n, nil
}

func (s *Server) incident(w http.ResponseWriter, r *http.Request, c call) *apiError {
	n, bad := s.number(r)
	if bad != nil {
		return bad
	}
	found, err := s.o.Desk.Incident(r.Context(), c.tenant, n)
	switch {
	case errors.Is(err, ErrNoIncident):
		return notFound("incident", strconv.FormatInt(n, 10))
	case err != nil:
		return internal(err)
	}
	writeJSON(w, http.StatusOK, found)
	return nil
}

// graph answers GET /v1/workspaces/{workspace}/incidents/{number}/graph: the
// incident's entities, what connects them, and the incidents that share one.
func (s *Server) graph(w http.ResponseWriter, r *http.Request, c call) *apiError {
	n, bad := s.number(r)
	if bad != nil {
		return bad
	}
	g, err := s.o.Desk.Graph(r.Context(), c.tenant, n)
	switch {
	case errors.Is(err, ErrNoIncident):
		return notFound("incident", strconv.FormatInt(n, 10))
	case err != nil:
		return internal(err)
	}
	writeJSON(w, http.StatusOK, g)
	return nil
}

func (s *Server) act(w http.ResponseWriter, r *http.Request, c call) *apiError {
	n, bad := s.number(r)
	if bad != nil {
		return bad
	}
	a := Action{Kind: r.PathValue("action")}
	if !slices.Contains(actions, a.Kind) {
		return notFound("action", a.Kind)
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&a); err != nil {
		return badRequest(`the body is not JSON of the form {"by": "…"}: %v`, err)
	}
	if a.By == "" {
		return badRequest("say who acts: \"by\" is a person's name")
	}
	a.Via = c.grant.Name
	changed, err := s.o.Desk.Act(r.Context(), c.tenant, n, a)
	switch {
	case errors.Is(err, ErrNoIncident):
		return notFound("incident", strconv.FormatInt(n, 10))
	case errors.Is(err, ErrChanged):
		return &apiError{status: http.StatusConflict, code: "Conflict", message: err.Error()}
	case errors.Is(err, ErrInvalid):
		return badRequest("%v", err)
	case err != nil:
		return internal(err)
	}
	writeJSON(w, http.StatusOK, changed)
	return nil
}
