package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const ntfyToken = "tk_hunter2hunter2hunter2hunter2"

// ntfyVendor is an ntfy server. Sources: docs.ntfy.sh/publish, "Publish as JSON"
// (fields, priorities 1 to 5, at most three actions), "Limitations" (4,096 bytes
// of message; a JSON body of 131,072 in its server/server.go), and the errors of the server (40017 and others: code, http,
// error, link).
var ntfyVendor = vendor{
	name: "ntfy",
	group: func(t testing.TB, base string) ActionGroup {
		return ActionGroup{Ntfy: []NtfyReceiver{{Name: "x", Reach: reach(), Server: base, Topic: string(secret(t, "alarms-k3hf83jf")), Token: secret(t, ntfyToken)}}}
	},
	check: checkNtfy,
	success: func(w http.ResponseWriter, body []byte) {
		var m struct{ Topic, Title, Message string }
		_ = json.Unmarshal(body, &m)
		_ = json.NewEncoder(w).Encode(map[string]any{"id": "sPs71M8A2T", "time": 1643935928, "expires": 1643936928, "event": "message", "topic": m.Topic, "title": m.Title, "message": m.Message})
	},
	refusal: func(w http.ResponseWriter, err error) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"code":40017,"http":400,"error":"invalid request: %s","link":"https://ntfy.sh/docs/publish/#publish-as-json"}`, strings.ReplaceAll(err.Error(), `"`, "'"))
	},
	mutations: []string{
		"header:Authorization=Bearer tk_wrong", "topic", `topic="a/b"`, "topic=*65", "priority=0", "priority=6", `priority="urgent"`, "message=*4097", `click="ftp://x"`,
		`actions.0.action="open"`, "actions.0.label", "actions.0.url", `tags="x"`, `sequence_id="a b"`, "sequence_id=*65", `headline="x"`,
	},
	headers:  []string{"Authorization"},
	optional: []string{"title", "message", "priority", "tags", "click", "actions", "sequence_id"},
	limits:   map[string]int{"message": 4096},
	answers: []vendorAnswer{
		{200, `{"id":"a","event":"message","topic":"alarms-k3hf83jf"}`, Accepted},
		{200, `{"id":"a","event":"message","topic":"other"}`, Mend},
		{200, `<html>login</html>`, Mend},
		{400, `{"code":40007,"http":400,"error":"invalid priority"}`, Refused},
		{403, `{"code":40301,"http":403,"error":"forbidden"}`, Mend},
		{413, `{"code":41301,"http":413,"error":"attachment too large"}`, Refused},
		{429, `{"code":42901,"http":429,"error":"limit reached: too many requests"}`, Retry},
		{507, "", Retry},
	},
	secrets: []string{"alarms-k3hf83jf", ntfyToken},
}

func checkNtfy(r *http.Request, body []byte) error {
	if len(body) > 131_072 {
		return errors.New("JSON body too large")
	}
	if r.URL.Path != "/" {
		return errors.New("JSON is published to the root")
	}
	if r.Header.Get("Authorization") != "Bearer "+ntfyToken {
		return errors.New("unauthorized")
	}
	var m struct {
		Topic, Title, Message, Click, Icon, Attach, Filename, Delay, Email, Call string
		Priority                                                                 *int
		Tags                                                                     []string
		Markdown                                                                 bool
		SequenceID                                                               string `json:"sequence_id"`
		Actions                                                                  []struct{ Action, Label, URL string }
	}
	if err := strictJSON(r, body, &m); err != nil {
		return err
	}
	web := func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
	}
	switch {
	case !ntfyTopic.MatchString(m.Topic):
		return errors.New("invalid topic")
	case m.Priority != nil && (*m.Priority < 1 || *m.Priority > 5):
		return errors.New("invalid priority")
	case len(m.Message) > 4096:
		return errors.New("message too large: it would become an attachment")
	case m.Click != "" && !web(m.Click):
		return errors.New("invalid click")
	case len(m.Actions) > 3:
		return errors.New("too many actions")
	case m.SequenceID != "" && !ntfyTopic.MatchString(m.SequenceID):
		return errors.New("invalid sequence id")
	}
	for _, a := range m.Actions {
		if !slices.Contains([]string{"view", "broadcast", "http"}, a.Action) || a.Label == "" || !web(a.URL) {
			return fmt.Errorf("invalid action %+v", a)
		}
	}
	return nil
}

// TestNtfyPriority sounds longest for what is critical, and not for its end.
func TestNtfyPriority(t *testing.T) {
	closed := signIn()
	closed.Notice.Kind = "closed"
	for _, c := range []struct {
		name           string
		job            Job
		ntfy, pushover int
	}{{"critical", signIn(), 5, 2}, {"health", healthJob(), 4, 1}, {"closed", closed, 3, 0}, {"test", Job{}, 2, -1}} {
		m := newMessage(c.job, group(), link, nil)
		if got := ntfyPriority(m); got != c.ntfy {
			t.Errorf("%s: ntfy %d, want %d", c.name, got, c.ntfy)
		}
		if got := pushoverPriority(m); got != c.pushover {
			t.Errorf("%s: Pushover %d, want %d", c.name, got, c.pushover)
		}
	}
}
