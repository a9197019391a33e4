package loganalytics

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
)

// A Request is a member of a batch: one query, of one workspace.
type Request struct {
	// ID is as the client wrote it, a JSON string or number.
	ID json.RawMessage
	// Workspace is the name by which the member asks; empty where it names none.
	Workspace string
	// Prefer are the values of its header Prefer.
	Prefer []string
	// Query is good where Err is nil, which is this member's trouble alone.
	Query Query
	Err   error
}

// MaxRequests is how many queries a batch may have.
const MaxRequests = 100

// ReadBatch reads the body of a request to /v1/$batch. An error is one of the batch as a
// whole: no JSON, no members, too many, one without an id, two with the same.
func ReadBatch(body io.Reader) ([]Request, error) {
	var b struct {
		Requests []struct {
			ID        json.RawMessage            `json:"id"`
			Workspace string                     `json:"workspace"`
			Path      string                     `json:"path"`
			Method    string                     `json:"method"`
			Headers   map[string]json.RawMessage `json:"headers"`
			Body      struct {
				Query      string   `json:"query"`
				Timespan   string   `json:"timespan"`
				Workspaces []string `json:"workspaces"`
			} `json:"body"`
		} `json:"requests"`
	}
	if err := json.NewDecoder(body).Decode(&b); err != nil {
		return nil, fmt.Errorf(`the body is not JSON of the form {"requests": [{"id": "1", "workspace": "…", "body": {"query": "…"}}]}: %w`, err)
	}
	if len(b.Requests) == 0 {
		return nil, errors.New("the batch has no requests")
	}
	if len(b.Requests) > MaxRequests {
		return nil, fmt.Errorf("the batch has %d requests, at most %d can be sent together", len(b.Requests), MaxRequests)
	}
	seen := map[string]bool{}
	out := make([]Request, len(b.Requests))
	for i, r := range b.Requests {
		id, ok := identifier(r.ID)
		if !ok {
			return nil, fmt.Errorf("request %d of the batch has no id", i+1)
		}
		if seen[id] {
			return nil, fmt.Errorf("two requests of the batch have the id %s", id)
		}
		seen[id] = true
		q := &out[i]
		q.ID, q.Workspace = r.ID, r.Workspace
		for name, v := range r.Headers {
			var one string
			if (name == "prefer" || name == "Prefer") && json.Unmarshal(v, &one) == nil {
				q.Prefer = append(q.Prefer, one)
			}
		}
		if r.Path != "" && r.Path != "/query" || r.Method != "" && r.Method != "POST" && r.Method != "GET" {
			q.Err = fmt.Errorf("a batch holds requests of POST /query, and this is %s %s", r.Method, r.Path)
			continue
		}
		q.Query, q.Err = QueryOf(url.Values{"query": {r.Body.Query}, "timespan": {r.Body.Timespan}})
		if q.Query.Workspaces = r.Body.Workspaces; q.Err == nil {
			q.Err = q.Query.check()
		}
	}
	return out, nil
}

// identifier gives the text of an id that is a string or a number.
func identifier(raw json.RawMessage) (string, bool) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, v != ""
	case float64:
		return string(raw), true
	}
	return "", false
}

// A BatchWriter writes the answer to a batch, member by member.
type BatchWriter struct {
	w     io.Writer
	some  bool
	wrong error
}

// NewBatchWriter begins an answer.
func NewBatchWriter(w io.Writer) *BatchWriter { return &BatchWriter{w: w} }

func (b *BatchWriter) text(parts ...[]byte) {
	for _, p := range parts {
		if b.wrong == nil {
			_, b.wrong = b.w.Write(p)
		}
	}
}

// Member writes one member's answer: its body is JSON.
func (b *BatchWriter) Member(id json.RawMessage, status int, body []byte) error {
	before := ",\n"
	if !b.some {
		before = `{"responses":[`
	}
	b.some = true
	b.text([]byte(before+`{"id":`), id, fmt.Appendf(nil, `,"status":%d,"headers":{},"body":`, status), body, []byte("}"))
	return b.wrong
}

// Close ends the answer.
func (b *BatchWriter) Close() error {
	if !b.some {
		b.text([]byte(`{"responses":[`))
	}
	b.text([]byte("]}\n"))
	return b.wrong
}
