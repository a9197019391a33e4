package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"glassward/entra"
)

const (
	// maxRows and maxBytes are what one answer holds at most; one that reaches them
	// may be short.
	maxRows  = 500_000
	maxBytes = 64 << 20
)

// tooMuch is an answer that does not hold all of its window: more was found than
// an answer holds, or the service says of itself that something failed.
type tooMuch struct {
	fault *entra.Fault
	// size says that the service's limits are the reason: half a window will do.
	size bool
}

func (e *tooMuch) Error() string { return e.fault.Error() }
func (e *tooMuch) Unwrap() error { return e.fault }

// An AbsentError says that the workspace does not have a table: nothing was ever
// sent to it, or the table was deleted. It is asked for again.
type AbsentError struct {
	Table string
	Fault *entra.Fault
}

// Error says it in the service's words.
func (e *AbsentError) Error() string { return e.Fault.Error() }

// Unwrap gives the service's refusal.
func (e *AbsentError) Unwrap() error { return e.Fault }

// A window is a span of ingestion time, from inclusive, to exclusive.
type window struct{ from, to time.Time }

func (w window) span() time.Duration { return w.to.Sub(w.from) }

// query gives the question for a window. The table's name is one of our list.
func query(table string, w window) string {
	const form = "2006-01-02T15:04:05.0000000Z"
	return fmt.Sprintf("%s\n| where ingestion_time() >= datetime(%s) and ingestion_time() < datetime(%s)\n| order by ingestion_time() asc",
		table, w.from.UTC().Format(form), w.to.UTC().Format(form))
}

// ask gives the answer to the question for a window. Beside a *tooMuch it gives
// the answer as far as there is one.
func (s *stream) ask(ctx context.Context, w window) ([]byte, error) {
	body, err := json.Marshal(map[string]string{"query": query(s.table, w)})
	if err != nil {
		return nil, err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	answer, err := s.client.Do(ctx, http.MethodPost, "/v1/workspaces/"+s.o.Workspace+"/query", http.Header{"Prefer": {"wait=180"}}, body)
	<-s.turn
	if err != nil {
		var refusal []byte
		if answer != nil {
			refusal = answer.Body
		}
		return nil, s.refused(err, refusal)
	}
	return answer.Body, s.whole(answer)
}

// refused looks at a refusal: a table that is not there, or a question that took
// too long.
func (s *stream) refused(err error, body []byte) error {
	var f *entra.Fault
	if !errors.As(err, &f) {
		return err
	}
	switch {
	case f.Status == http.StatusBadRequest && s.unresolved(body):
		f.Message = "the workspace has no table " + s.table + ": the diagnostic setting does not export it, or nothing came yet. It is looked for again each hour"
		return &AbsentError{s.table, f}
	case f.Status == http.StatusGatewayTimeout, f.Status == http.StatusRequestTimeout:
		return &tooMuch{fault: f}
	case f.Kind == entra.FaultContent && strings.Contains(f.Message, "more than"):
		return &tooMuch{fault: f, size: true}
	}
	return err
}

// An apiError is the error of the query API, nested as deep as it likes.
type apiError struct {
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Inner   *apiError       `json:"innererror"`
	Details json.RawMessage `json:"details"`
}

// unresolved reports whether a refusal says that the table is not known.
func (s *stream) unresolved(body []byte) bool {
	var outer struct {
		Error *apiError `json:"error"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return false
	}
	semantic := false
	for e := outer.Error; e != nil; e = e.Inner {
		semantic = semantic || e.Code == "SemanticError" || strings.HasPrefix(e.Code, "SEM")
		low := strings.ToLower(e.Message)
		if semantic && strings.Contains(low, "failed to resolve") && strings.Contains(e.Message, "'"+s.table+"'") {
			return true
		}
	}
	return false
}

// whole says whether an answer holds its whole window.
func (s *stream) whole(answer *entra.Answer) error {
	fault := func(kind entra.FaultKind, code, message string) *entra.Fault {
		return &entra.Fault{Kind: kind, Service: string(entra.LogAnalytics), Doing: "read " + s.table, Status: answer.Status, Code: code, Message: message}
	}
	if len(bytes.TrimSpace(answer.Body)) == 0 {
		return fault(entra.FaultContent, "", "the workspace answers without a result: it may hold no data yet")
	}
	var a struct {
		Tables []struct {
			Name    string `json:"name"`
			Columns []struct {
				Name string `json:"name"`
				Type string `json:"type"`
			} `json:"columns"`
			Rows []json.RawMessage `json:"rows"`
		} `json:"tables"`
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(answer.Body, &a); err != nil {
		return fault(entra.FaultContent, "", "the answer is no result of a query: "+err.Error())
	}
	if a.Error != nil {
		// The details tell whether it was too much; the first text is always the same.
		text := a.Error.Message + " " + string(a.Error.Details)
		size := strings.Contains(text, "E_QUERY_RESULT_SET_TOO_LARGE") || strings.Contains(text, "E_LOW_MEMORY") || strings.Contains(text, "E_RUNAWAY_QUERY")
		if len(text) > 300 {
			text = strings.ToValidUTF8(text[:300], "") + "…"
		}
		return &tooMuch{fault(entra.FaultOutage, a.Error.Code, "the answer is not whole, its window is asked for again: "+strings.Join(strings.Fields(text), " ")), size}
	}
	if len(a.Tables) != 1 || len(a.Tables[0].Columns) == 0 {
		return fault(entra.FaultContent, "", fmt.Sprintf("the answer holds %d tables with columns where one is expected", len(a.Tables)))
	}
	if n := len(a.Tables[0].Rows); n >= maxRows || len(answer.Body) >= maxBytes {
		return &tooMuch{fault(entra.FaultContent, "", fmt.Sprintf("%d rows in %d bytes are as much as an answer holds", n, len(answer.Body))), true}
	}
	return nil
}
